/* SPDX-License-Identifier: MIT
 *
 * Tasks on a worker's channel, and whose they are. Each has a claim word in the worker's cell
 * (proto/cell.h): the worker swaps QUEUED -> STARTED, we swap QUEUED -> CANCELLED.
 *
 * A worker runs code that we know nothing of, and that code can write to the cell. So the word is
 * believed only where it cannot help a task to be run twice: see claim_has_started().
 */
#pragma once

#include <stdbool.h>

#include "executor/future.h"
#include "executor/worker.h"

/* Tasks that it has not answered, also those that were taken back (it will answer: skipped). */
unsigned claim_outstanding(const struct worker *worker);
/* Those that are still its. */
unsigned claim_count(const struct worker *worker);
bool claim_has_tasks(const struct worker *worker);
/* The oldest that has not been answered, or NULL: none, or it was taken back. */
struct wf_future *claim_head(const struct worker *worker);
/* How many more tasks it may be given, if `depth` may lie there in all. */
unsigned claim_room(const struct worker *worker, unsigned depth);

/* Puts a future, which is in no queue now, on its channel. */
void claim_assign(struct worker *worker, struct wf_future *future, nsec_t now);
/* The newest is put off the channel again: its frame was not sent, or its worker has ended. */
struct wf_future *claim_undo(struct worker *worker);
/* The head was answered. */
void claim_answered(struct worker *worker);

/* Has its worker begun it? A claim word that says QUEUED means no, with one exception: the first
 * task of a frame that has been read has started, whatever the word says. A task that swapped the
 * word back would otherwise have no clock, and be given to somebody else while it runs. The same is
 * taken for granted of the head of a channel, which is about to start. */
bool claim_has_started(const struct wf_future *future);
/* The same once its worker has ended or said that it leaves, which it may between two tasks of a
 * frame: a head that was not the first of its frame is believed to be QUEUED. It travels alone the
 * next time, so that this is believed once. */
bool claim_had_started(const struct wf_future *future);
/* When, as far as it can be believed: between handing out and now. 0: it has not. */
nsec_t claim_started_at(struct wf_future *future);

/* Takes one task off its channel, if it has not started. It is in no queue then. */
bool claim_take(struct wf_future *future);
/* Takes it off the queue or off its channel, if it has not started. It is in no queue then. */
bool claim_withdraw(struct wf_future *future);
/* Takes tasks back that have not started, newest first, at most `n`, and queues them. Returns how
 * many. */
unsigned claim_take_back(struct worker *worker, unsigned n);
/* Its worker has said that it takes no more: all that had not started is queued. */
void claim_renounce(struct worker *worker);
/* The newest that is still its; NULL: there is none. */
struct wf_future *claim_newest(struct worker *worker);

/* Has its worker gone on to a later task? Then its result is on the way, and force would hit the
 * other one. What has not started is taken back first, so that the answer cannot change. */
bool claim_is_over(struct wf_future *future);

/* Every task that it has, in the order in which they were handed out. */
#define claim_foreach(cursor, worker)                                                              \
	for (uint64_t cursor##_at = (worker)->first_sequence;                                      \
	     cursor##_at < (worker)->next_sequence; cursor##_at++)                                 \
		for (struct wf_future *cursor = (worker)->assigned[cursor##_at % CELL_CLAIMS];     \
		     cursor; cursor = NULL)
