/* SPDX-License-Identifier: MIT
 *
 * Finds what costs a fork of an image most, and what to do about it: a model of what fork(2)
 * has to copy, compared with the time that forks really took. It is a pure function, so that it
 * can be tested.
 */
#pragma once

#include <stdint.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>

enum obstacle_kind {
	OBSTACLE_NONE,
	OBSTACLE_THREADS, /* they keep the image from being frozen */
	OBSTACLE_MEMORY,  /* private, and not frozen */
	OBSTACLE_MAPPINGS,
	OBSTACLE_DESCRIPTORS,
	OBSTACLE_HOLES,   /* pages of the frozen image that fork itself writes to */
	OBSTACLE_DIRTIED, /* pages of it that the zygote has written to since */
	OBSTACLE_OTHER,   /* the fork takes longer than all of these explain */
};

/* What the facts of an image do not include. */
struct obstacle_context {
	enum wf_freeze wish;    /* what the image was opened with */
	uint64_t dirtied_pages; /* 0 also if unknown */
	uint64_t empty_ns;      /* a fork of a process that holds next to nothing; 0 if unknown */
	uint64_t noise_ns;      /* the spread of such forks */
};

struct obstacle {
	enum obstacle_kind kind;
	uint64_t cost_ns;  /* of each fork, approximately; 0 for OBSTACLE_NONE */
	char what[256];    /* a sentence */
	char remedy[1024]; /* another; empty for OBSTACLE_NONE */
};

void obstacle_find(const struct wf_image_facts *facts, const struct obstacle_context *context,
		   struct obstacle *ret);

/* "none", "threads", ...: a static string. */
const char *obstacle_name(enum obstacle_kind kind);
