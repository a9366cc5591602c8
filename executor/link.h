/* SPDX-License-Identifier: MIT
 *
 * The connection to one zygote, from StartZygote to the report of its end.
 */
#pragma once

#include "base/process.h"
#include "executor/executor.h"

/* Asks the keeper for a zygote that loads the image; it becomes executor->loading. 0 or -errno. */
int link_start(struct wf_executor *executor);

/* In how many pools this process runs, one inside the other (WARMFORK_DEPTH). */
unsigned link_depth(void);

/* Sends Spawn; the peers are borrowed. Failures are reported worker by worker. */
void link_spawn(struct zygote *zygote, const struct message_spawn_worker *workers, const int *peers,
		size_t n);

/* There is work with it: it must answer a ping from now on. */
void link_watch(struct zygote *zygote);
/* Stops asking, if nothing is expected of it. */
void link_settle(struct zygote *zygote);

/* From the keeper. */
void link_started(struct zygote *zygote, pid_t pid, int pidfd_take, int error, const char *step);
void link_exited(struct zygote *zygote, const struct exit_status *status);
void link_kept(struct zygote *zygote, const int32_t *pids, size_t n);

/* The newest is another now: it forks no more, and its workers finish what they run. */
void link_drain(struct zygote *zygote);
/* SIGKILL. */
void link_kill(struct zygote *zygote);
/* With its workers, whose tasks have been seen to. */
void link_free(struct zygote *zygote);

struct zygote *link_find(struct wf_executor *executor, uint64_t generation);
struct worker *link_find_worker(struct zygote *zygote, uint64_t id);

/* Cells: pages of the zygote's memfd. -ENOSPC. */
int link_cell_take(struct zygote *zygote, unsigned *ret);
void link_cell_give(struct zygote *zygote, unsigned index);
