/* SPDX-License-Identifier: MIT
 *
 * Tasks on a worker's channel, and who owns them. Each has a claim word in the worker's cell
 * (proto/cell.h): the worker swaps QUEUED -> STARTED, we swap QUEUED -> CANCELLED.
 *
 * A worker runs code that we know nothing about, and that code can write to the cell. So the word
 * is only believed where it cannot make a task run twice: see claim_has_started().
 */
#pragma once

#include <stdbool.h>

#include "executor/future.h"
#include "executor/worker.h"

/* Tasks that the worker has not answered, including those that were taken back (it will answer:
 * skipped). */
unsigned claim_outstanding(const struct worker *worker);
/* Those that still belong to the worker. */
unsigned claim_count(const struct worker *worker);
bool claim_has_tasks(const struct worker *worker);
/* The oldest unanswered task, or NULL if there is none or it was taken back. */
struct wf_future *claim_head(const struct worker *worker);
/* Has it nothing to do, or begun the last frame that was sent to it? Until then, no other frame may
 * follow: while two are unread, nothing tells whether the first of the older one has started. */
bool claim_may_follow(const struct worker *worker);
/* How many more tasks it may be given if `depth` may lie there in total. */
unsigned claim_room(const struct worker *worker, unsigned depth);

/* Puts a future, which is in no queue, on the channel. */
void claim_assign(struct worker *worker, struct wf_future *future, nsec_t now);
/* Takes the newest off the channel again: its frame was not sent, or its worker has ended. */
struct wf_future *claim_undo(struct worker *worker);
/* The worker has answered the head. */
void claim_answered(struct worker *worker);

/* Has its worker begun it? A claim word that says QUEUED means no, with one exception: the first
 * task of a frame that has been read has started, whatever the word says. Otherwise a task that
 * swapped the word back would have no clock, and would be given to another worker while it runs.
 * The head of a channel, which is about to start, counts as the first of its frame. */
bool claim_has_started(const struct wf_future *future);
/* The same once its worker has ended or has said that it leaves, which it may do between two tasks
 * of a frame. A head that was not the first of its frame is then believed to be QUEUED. It travels
 * alone the next time, so this is believed only once. */
bool claim_had_started(const struct wf_future *future);
/* When it started, as far as the worker can be believed: between handing out and now. 0: it has
 * not. */
nsec_t claim_started_at(struct wf_future *future);

/* Takes a task that has not started off its channel. It is in no queue then. */
bool claim_take(struct wf_future *future);
/* Takes a task that has not started off the queue or its channel. It is in no queue then. */
bool claim_withdraw(struct wf_future *future);
/* The same for a worker that ought to have begun the first of its tasks long ago: takes back all of
 * them. Returns false if it has begun it. */
bool claim_take_unbegun(struct worker *worker);
/* Has its worker not said that it began it? */
bool claim_is_unsaid(const struct wf_future *future);
/* Takes back and queues up to `n` tasks that have not started, newest first. Returns how many. */
unsigned claim_take_back(struct worker *worker, unsigned n);
/* Its worker has said that it takes no more: queues all that had not started. */
void claim_renounce(struct worker *worker);
/* The newest that still belongs to the worker, or NULL. */
struct wf_future *claim_newest(struct worker *worker);

/* Has its worker gone on to a later task? Then its result is on the way, and ending the worker
 * would hit the other task. Tasks that have not started are taken back first, so that the answer
 * cannot change. */
bool claim_is_over(struct wf_future *future);

/* Iterates over all tasks of a worker, in the order in which they were handed out. */
#define claim_foreach(cursor, worker)                                                              \
	for (uint64_t cursor##_at = (worker)->first_sequence;                                      \
	     cursor##_at < (worker)->next_sequence; cursor##_at++)                                 \
		for (struct wf_future *cursor = (worker)->assigned[cursor##_at % CELL_CLAIMS];     \
		     cursor; cursor = NULL)
