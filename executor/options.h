/* SPDX-License-Identifier: MIT
 *
 * The options of an executor: checked, completed with defaults, copied deeply.
 */
#pragma once

#include <stdbool.h>

#include <warmfork/executor.h>

struct options {
	struct wf_executor_options public; /* every pointer is ours; every default is filled in */
	char *module;                      /* absolute; NULL for kind self */
	char *name;
	void *preload_argument;
	int spares_given;
	struct task_context *context; /* NULL: nothing */
	/* the module's identity when it was last loaded, for wf_executor_shared() */
	uint64_t file_device, file_inode, file_size, file_mtime_ns;
};

/* 0 or a public error, reported. */
int options_init(struct options *options, const struct wf_executor_options *given);
void options_deinit(struct options *options);

/* The same pool? Everything but `workers` counts. */
bool options_equal(const struct options *a, const struct options *b);

/* Remembers the module file as it is now; true if it has changed since it was remembered. */
bool options_file_changed(struct options *options);

/* CPUs that this process may use: at least 1. */
int options_default_workers(void);
