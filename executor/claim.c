/* SPDX-License-Identifier: MIT
 *
 * A worker cannot touch what is not in its cell: the order of its answers, which tasks were sent to
 * it in one frame, and whether that frame has been read. The kernel tells us the latter before the
 * worker's end (SIOCOUTQ: bytes that the peer has not read) and after it (ECONNRESET: there were
 * such bytes when the peer's last descriptor was closed; unix_release_sock()). A worker claims the
 * first task of a frame before it takes the frame out of the socket, so for that task a read frame
 * is proof.
 */
#include "executor/claim.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/error.h"

static struct cell_claim *claim_of(const struct wf_future *future) {
	return cell_claim(future->worker->cell, future->sequence);
}

static bool is_queued(const struct wf_future *future) {
	return atomic_load(&claim_of(future)->word) == claim_word(future->sequence, CLAIM_QUEUED);
}

bool claim_is_unsaid(const struct wf_future *future) {
	return future->worker && is_queued(future);
}

/* --- what lies on a channel ---------------------------------------------------------------- */

unsigned claim_outstanding(const struct worker *worker) {
	return (unsigned)(worker->next_sequence - worker->first_sequence);
}

unsigned claim_count(const struct worker *worker) {
	unsigned n = 0;

	claim_foreach (future, worker)
		n++;
	return n;
}

struct wf_future *claim_head(const struct worker *worker) {
	claim_foreach (future, worker)
		return future;
	return NULL;
}

bool claim_has_tasks(const struct worker *worker) {
	return claim_head(worker) != NULL;
}

/* No task may lie behind one that resolves with its worker's end. */
static bool is_last(const struct worker *worker) {
	const struct wf_future *newest;

	if (worker->first_sequence == worker->next_sequence)
		return false;
	newest = worker->assigned[(worker->next_sequence - 1) % CELL_CLAIMS];
	return newest && (newest->flags & WF_TASK_WAIT_EXIT);
}

bool claim_may_follow(const struct worker *worker) {
	uint64_t leader = worker->frame_sequence;

	return claim_outstanding(worker) == 0 || leader < worker->first_sequence ||
	       atomic_load(&cell_claim(worker->cell, leader)->word) ==
		   claim_word(leader, CLAIM_STARTED);
}

unsigned claim_room(const struct worker *worker, unsigned depth) {
	unsigned outstanding = claim_outstanding(worker), room;
	uint64_t limit = (uint64_t)worker->engine->options.public.max_tasks_per_worker;

	if (!worker_takes_tasks(worker) || outstanding >= depth || is_last(worker))
		return 0;
	room = depth - outstanding;
	if (limit == 0)
		return room;
	if (worker->tasks_done + outstanding >= limit)
		return 0;
	limit -= worker->tasks_done + outstanding;
	return room < limit ? room : (unsigned)limit;
}

/* --- handing out --------------------------------------------------------------------------- */

void claim_assign(struct worker *worker, struct wf_future *future, nsec_t now) {
	struct cell_claim *claim = cell_claim(worker->cell, worker->next_sequence);

	future->state = FUTURE_HANDED;
	future->worker = worker;
	future->sequence = worker->next_sequence++;
	future->leads_frame = false;
	future->handed = now;
	future->started = 0;
	worker->assigned[future->sequence % CELL_CLAIMS] = future;
	atomic_store(&claim->started_ns, 0);
	atomic_store(&claim->word, claim_word(future->sequence, CLAIM_QUEUED));
	worker_changed(worker);
}

static void take_off(struct wf_future *future) {
	struct worker *worker = future->worker;

	worker->assigned[future->sequence % CELL_CLAIMS] = NULL;
	future->worker = NULL;
	worker_changed(worker);
}

struct wf_future *claim_undo(struct worker *worker) {
	struct wf_future *future = claim_newest(worker);

	must(future);
	worker->next_sequence--;
	take_off(future);
	return future;
}

void claim_answered(struct worker *worker) {
	worker->assigned[worker->first_sequence++ % CELL_CLAIMS] = NULL;
	worker_changed(worker);
}

/* --- has it started? ----------------------------------------------------------------------- */

/* Consumes the error: wire_receive() looks for it too, and notes it in the worker. */
static bool was_reset(struct worker *worker) {
	int error = 0;
	socklen_t size = sizeof error;

	if (!worker->reset && worker->channel >= 0 &&
	    getsockopt(worker->channel, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
		worker->reset = error == ECONNRESET;
	return worker->reset;
}

/* Asked of the last frame alone: those before it have been read (claim_may_follow()). */
static bool frame_was_read(const struct wf_future *future) {
	struct worker *worker = future->worker;
	int unread = 0;

	if (future->sequence < worker->frame_sequence)
		return true;
	if (was_reset(worker))
		return false;
	return worker->channel < 0 || ioctl(worker->channel, SIOCOUTQ, &unread) < 0 || unread == 0;
}

bool claim_has_started(const struct wf_future *future) {
	if (future->state != FUTURE_HANDED || !future->worker)
		return false;
	if (future->result_here)
		return true;
	/* anything but QUEUED: a worker that scribbles on its cell must not hide a running task */
	return claim_head(future->worker) == future &&
	       (!is_queued(future) || frame_was_read(future));
}

/* Answers come in order, so no word of the cell makes a task behind the head the one that ran. */
bool claim_had_started(const struct wf_future *future) {
	if (future->result_here || future->verdict != VERDICT_NONE)
		return true;
	return claim_head(future->worker) == future &&
	       (!is_queued(future) || (future->leads_frame && frame_was_read(future)));
}

nsec_t claim_started_at(struct wf_future *future) {
	nsec_t started;

	if (future->started || !claim_has_started(future))
		return future->started;
	/* the worker wrote this: the first value seen counts, and only if it is possible */
	started = atomic_load(&claim_of(future)->started_ns);
	future->started = started < future->handed || started > engine_now(future->engine)
			      ? future->handed
			      : started;
	return future->started;
}

/* --- taking back --------------------------------------------------------------------------- */

bool claim_take(struct wf_future *future) {
	if (claim_has_started(future) ||
	    !claim_swap(claim_of(future), future->sequence, CLAIM_CANCELLED))
		return false;
	take_off(future);
	return true;
}

bool claim_withdraw(struct wf_future *future) {
	if (future->state != FUTURE_QUEUED)
		return !future->result_here && claim_take(future);
	future_unqueue(future);
	return true;
}

unsigned claim_take_back(struct worker *worker, unsigned n) {
	unsigned taken = 0;

	for (uint64_t s = worker->next_sequence; s > worker->first_sequence && taken < n; s--) {
		struct wf_future *future = worker->assigned[(s - 1) % CELL_CLAIMS];

		if (!future)
			continue;
		if (!claim_take(future))
			break; /* it has started, and so have all before it */
		future_requeue(future);
		taken++;
	}
	return taken;
}

static void give_back(struct wf_future *future) {
	take_off(future);
	future->returns++;
	future_requeue(future);
}

void claim_renounce(struct worker *worker) {
	for (uint64_t s = worker->next_sequence; s > worker->first_sequence; s--) {
		struct wf_future *future = worker->assigned[(s - 1) % CELL_CLAIMS];

		if (!future)
			continue;
		if (claim_had_started(future))
			break;
		(void)claim_swap(claim_of(future), future->sequence, CLAIM_CANCELLED);
		give_back(future);
	}
}

/* The head may be begun at this very moment: then its word is no longer QUEUED. */
bool claim_take_unbegun(struct worker *worker) {
	struct wf_future *head = claim_head(worker);

	if (!head || claim_had_started(head) ||
	    !claim_swap(claim_of(head), head->sequence, CLAIM_CANCELLED))
		return false;
	give_back(head);
	claim_renounce(worker);
	return true;
}

struct wf_future *claim_newest(struct worker *worker) {
	/* nothing waits for an answer to tasks that were taken back from the end */
	while (worker->next_sequence > worker->first_sequence &&
	       !worker->assigned[(worker->next_sequence - 1) % CELL_CLAIMS])
		worker->next_sequence--;
	return worker->next_sequence > worker->first_sequence
		   ? worker->assigned[(worker->next_sequence - 1) % CELL_CLAIMS]
		   : NULL;
}

bool claim_is_over(struct wf_future *future) {
	struct worker *worker = future->worker;

	(void)claim_take_back(worker, UINT32_MAX);
	for (uint64_t s = future->sequence + 1; s < worker->next_sequence; s++)
		if (worker->assigned[s % CELL_CLAIMS])
			return true;
	return false;
}
