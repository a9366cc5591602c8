/* SPDX-License-Identifier: MIT
 *
 * The options of an executor: checked, completed with defaults, copied deeply.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>

#include <warmfork/executor.h>
#include <warmfork/policy.h>

#include "proto/policy.h"

/* Identifies a file and its state. */
struct file_identity {
	uint64_t device, inode, size, mtime_ns;
};

struct options {
	struct wf_executor_options public; /* all pointers are ours, and all defaults filled in */
	char *module;                      /* absolute; NULL for kind self */
	char *name;
	char *helper; /* NULL: the installed one */
	void *preload_argument;
	int spares_given;
	struct task_context *context; /* NULL: nothing */
	struct file_identity file;    /* the image's, at its last load */
	cpu_set_t cpus;               /* those that the opener may use */
	struct wf_policy *policy;     /* NULL: none */
};

#define OPTION_RESERVED_MAX 16 /* words */

/* One member of struct wf_executor_options. One row of the table says everything about it: what
 * values it may have, what zero means, and whether executors that differ in it are the same
 * pool. */
struct option {
	const char *name;
	size_t offset, size;
	enum option_type {
		OPTION_INT, /* an int, an unsigned or an enum: from 0 to `high` */
		OPTION_BOOL,
		OPTION_COUNT, /* of bytes or objects: size_t or uint64_t; any value */
		OPTION_TEXT,
		OPTION_POINTER,
		OPTION_RESERVED, /* words that must be zero */
	} type;
	int high;
	int sentinel; /* an additional negative value; 0: none */
	int standard; /* what 0 stands for, unless for itself */
	enum option_same {
		OPTION_SAME_VALUE,     /* by content: text is compared as text */
		OPTION_SAME_ELSEWHERE, /* compared in options_equal(): more than a value */
		OPTION_SAME_ALWAYS,    /* may differ */
	} same;
};
const struct option *options_table(size_t *ret_n);

/* A limit of the policy; POLICY_NO_LIMIT: none. */
uint64_t options_limit(const struct options *options, enum policy_limit limit);
/* limits.wall in milliseconds, rounded up; 0: none. */
int options_wall_ms(const struct options *options);

/* Returns 0 or a public error, reported. */
int options_init(struct options *options, const struct wf_executor_options *given);
/* The CPU of a slot, plus 1, if workers are spread (options.placement); otherwise 0. */
uint32_t options_cpu(const struct options *options, unsigned slot);
void options_deinit(struct options *options);

/* Do these describe the same pool? Everything but `workers` counts. */
bool options_equal(const struct options *a, const struct options *b);

/* The image's file as it is on disk now; all zero if it cannot be looked at. */
struct file_identity options_file_now(const struct options *options);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);
