/* SPDX-License-Identifier: MIT
 *
 * The keeper: starting it, talking to it, and what follows when it is gone.
 */
#pragma once

#include "executor/executor.h"

/* Starts the helper program. 0 or -errno; -ENOENT: there is no helper. */
int keeper_link_start(struct wf_executor *executor);

/* `fds`: the zygote's control socket, its output, and for kind self the program. Borrowed. */
int keeper_link_start_zygote(struct wf_executor *executor, const struct message_start_zygote *start,
			     const int *fds, size_t n_fds);
void keeper_link_keep(struct wf_executor *executor, uint64_t generation, const int32_t *pids,
		      size_t n);
/* Everything ends, the keeper last. */
void keeper_link_quit(struct wf_executor *executor);

/* Starts keeper and zygote if there is none and one is wanted. */
void keeper_link_plan(struct wf_executor *executor);
/* A zygote or the keeper could not be started. */
void keeper_link_failed(struct wf_executor *executor, enum wf_phase phase, int error,
			const char *text);

/* Has it ended, though we have not been told yet? Then so does everything below it. */
bool keeper_link_is_dead(const struct wf_executor *executor);

/* Closes our end. */
void keeper_link_clear(struct wf_executor *executor);

/* The helper's path: options, WARMFORK_HELPER (not in a set-uid program), the installed one. */
const char *keeper_link_helper(const struct wf_executor *executor);
