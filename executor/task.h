/* SPDX-License-Identifier: MIT
 *
 * A submitted task: our own copy of everything it needs until it is resolved.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

#include "proto/message.h"

struct task_stream {
	enum wf_stdio_mode mode;
	int descriptor; /* ours; -1 */
	size_t limit;
	enum wf_on_overflow overflow;
};

/* An immutable deep copy of a wf_context. Shared by reference: many tasks use the executor's
 * default context. */
struct task_context {
	_Atomic unsigned references;
	char **environment;
	size_t n_environment;
	bool clear_environment;
	char *directory;
	bool set_umask;
	mode_t umask;
	struct task_stream streams[3];
	int descriptors[LIMIT_TASK_DESCRIPTORS];
	size_t n_descriptors;
	struct message_rlimit rlimits[LIMIT_RLIMITS];
	size_t n_rlimits;
	int nice;
	uint32_t *cpus;
	size_t n_cpus;
	bool plain; /* there is nothing to set up, so no message_context is sent */
};

/* A NULL `given` yields a NULL *ret. Duplicates the descriptors. Returns 0 or a public error,
 * reported. */
int task_context_new(const struct wf_context *given, struct task_context **ret);
struct task_context *task_context_ref(struct task_context *context);
struct task_context *task_context_free(struct task_context *context); /* drops a reference */
/* The same, but closes no descriptor: the host may have closed them. */
struct task_context *task_context_abandon(struct task_context *context);
bool task_context_has_descriptors(const struct task_context *context);
bool task_context_equal(const struct task_context *a, const struct task_context *b);
/* Points into `context`. */
void task_context_message(const struct task_context *context, struct message_context *ret);
