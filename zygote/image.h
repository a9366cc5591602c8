/* SPDX-License-Identifier: MIT
 *
 * The image: what has been preloaded, and what its workers need to know about it.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/task.h>

#include "proto/message.h"
#include "sandbox/sandbox.h"
#include "zygote/touch.h"

/* The most descriptors that a waived finding leaves open and workers keep. */
#define IMAGE_DESCRIPTORS 240
/* The most children that a waived finding leaves running. */
#define IMAGE_CHILDREN 256

struct image {
	enum image_kind kind;
	uint64_t generation;
	char name[LIMIT_IMAGE_NAME];
	char title_end[LIMIT_IMAGE_NAME + 8]; /* " of NAME" */
	bool measure_memory;
	bool one_shot; /* there will be one worker, for one task */
	uint32_t spin_us;
	struct touch touch;
	struct sandbox sandbox;

	struct wf_module module;                /* a copy, of the size that this build declares */
	const char *functions[LIMIT_FUNCTIONS]; /* borrowed from the module */
	size_t n_functions;

	/* What the preload left and was waived. */
	int descriptors[IMAGE_DESCRIPTORS];
	size_t n_descriptors;
	pid_t children[IMAGE_CHILDREN];
	size_t n_children;
	sigset_t mask; /* of signals, for workers */
	bool threads;  /* more than one in the zygote */
};

/* Returns 0; or -EINVAL, and in `text` what is wrong with the table. */
int image_set_module(struct image *image, const struct wf_module *module, char *text,
		     size_t text_size);
