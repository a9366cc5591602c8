/* SPDX-License-Identifier: MIT
 *
 * The task channel of one worker, from the executor's end: tasks out, results in, and what its end
 * means for the tasks that were on it.
 */
#pragma once

#include "base/process.h"
#include "executor/executor.h"

/* A worker in state ASKED, with its channel and a fresh cell; *ret_peer is the worker's end, owned
 * by the caller. 0 or -errno (-EMFILE, -ENOMEM, -ENOSPC: no cell). */
int channel_new(struct zygote *zygote, struct slot *slot, struct worker **ret, int *ret_peer);
/* Reads from it from now on: when Spawned has told its pid, not before. */
int channel_listen(struct worker *worker);
void channel_free(struct worker *worker);

/* Tasks that it has not answered, also those that were taken back (it will answer: skipped). */
unsigned channel_outstanding(const struct worker *worker);
/* Those that are still its. */
unsigned channel_count(const struct worker *worker);
bool channel_has_tasks(const struct worker *worker);
/* How many more tasks it may be given now. */
unsigned channel_room(const struct worker *worker, unsigned depth);

/* Takes up to `n` futures off the queue, in its order, and gives them to the worker. Returns how
 * many left the queue; 0: it takes none now. */
unsigned channel_hand_out(struct worker *worker, unsigned n);

/* Takes tasks back that the worker has not claimed, newest first, at most `n`, and queues them. */
unsigned channel_take_back(struct worker *worker, unsigned n);

/* It can be sent to again. */
void channel_unblock(struct worker *worker);

/* Reads what the worker has sent. */
void channel_receive(struct worker *worker);

/* Its end was reported; `status` NULL: nobody knows how. Resolves or requeues all that was on it.
 */
void channel_ended(struct worker *worker, const struct exit_status *status);

/* Puts a future back in the queue (in front of its equals) with no trace of the attempt. */
void channel_requeue(struct wf_future *future);
