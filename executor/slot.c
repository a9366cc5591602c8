/* SPDX-License-Identifier: MIT
 *
 * A slot is a number that no two running tasks share. It has one current worker. With a fresh
 * process for each task it may also have the next one: forked ahead, initialized and parked, so
 * that a task waits for no fork; it takes over when the current one has ended, not before, because
 * a process that has sent its result may still hold the port or the device that its slot number
 * stands for.
 *
 *     ASKED      Spawn was sent; if it fails, the worker is freed
 *        v       Spawned
 *     STARTED    its initializer runs; if it fails, LEAVING
 *        v       WorkerReady
 *     READY      on the idle list, or with tasks on its channel
 *        v       the last task of its life, Leaving, idle timeout, resize, reload
 *     LEAVING    takes no more; told by the end of its stream, killed after a grace
 *        v       its exit is reported; this may come in any state
 *     ENDED      its slot is free; what it left behind is being ended
 *        v       Swept
 *     freed
 */
#include "executor/slot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/link.h"
#include "executor/outcome.h"
#include "executor/supervise.h"

#define REFILL_NS       ((nsec_t)2000000)
#define AHEAD_LEARN     16               /* results before a length is known */
#define AHEAD_TARGET_NS ((nsec_t)200000) /* of work on a channel */

static bool is_fresh(const struct wf_executor *executor) {
	return executor->options.public.max_tasks_per_worker == 1;
}

/* --- slots -------------------------------------------------------------------------------------
 */

int slot_resize(struct wf_executor *executor, unsigned n) {
	if (n > executor->n_slots) {
		struct slot *slots = calloc(n, sizeof(*slots));

		if (!slots)
			return error_origin(-ENOMEM);
		for (unsigned i = 0; i < n; i++) {
			if (i < executor->n_slots)
				slots[i] = executor->slots[i];
			slots[i].number = i;
			if (slots[i].current)
				slots[i].current->slot = &slots[i];
			if (slots[i].next)
				slots[i].next->slot = &slots[i];
		}
		free(executor->slots);
		executor->slots = slots;
		executor->n_slots = n;
	}
	executor->n_workers = n;
	for (unsigned i = n; i < executor->n_slots; i++) {
		if (executor->slots[i].current)
			slot_retire(executor->slots[i].current);
		if (executor->slots[i].next)
			slot_retire(executor->slots[i].next);
	}
	return 0;
}

static void idle_remove(struct worker *worker) {
	if (!link_is_linked(&worker->idle_link))
		return;
	list_remove(&worker->idle_link);
	worker->executor->n_idle--;
}

/* Still wanted where it is? */
static bool is_wanted(const struct worker *worker) {
	const struct wf_executor *executor = worker->executor;

	return worker->zygote == executor->newest && worker->slot &&
	       worker->slot->number < executor->n_workers && !worker->asked;
}

void slot_idle(struct worker *worker) {
	if (worker->state == WORKER_LEAVING)
		slot_leaving(worker); /* it was told to, and has done the last of its tasks */
	if (worker->state != WORKER_READY || link_is_linked(&worker->idle_link))
		return;
	if (!is_wanted(worker)) {
		slot_retire(worker);
		return;
	}
	if (worker->slot->current != worker || worker->stopped || worker->stop != STOP_NONE)
		return;
	worker->idle_since = executor_now(worker->executor);
	list_append(&worker->executor->idle, &worker->idle_link);
	worker->executor->n_idle++;
	supervise_idle(worker->executor);
}

void slot_busy(struct worker *worker) {
	idle_remove(worker);
}

void slot_forget(struct worker *worker) {
	struct wf_executor *executor = worker->executor;
	struct slot *slot = worker->slot;

	idle_remove(worker);
	list_remove(&worker->leaving_link);
	if (worker->state == WORKER_ASKED)
		worker->zygote->n_asked--;
	if (worker->state == WORKER_ASKED || worker->state == WORKER_STARTED)
		executor->n_starting--;
	worker->slot = NULL;
	if (!slot)
		return;
	if (slot->next == worker)
		slot->next = NULL;
	if (slot->current != worker)
		return;
	slot->current = slot->next;
	slot->next = NULL;
	if (slot->current)
		slot_idle(slot->current);
}

static void set_state(struct worker *worker, enum worker_state state) {
	if (worker->state == WORKER_ASKED)
		worker->zygote->n_asked--;
	if (worker->state == WORKER_ASKED || worker->state == WORKER_STARTED)
		worker->executor->n_starting--;
	worker->state = state;
	must(state != WORKER_ASKED);
	if (state == WORKER_STARTED)
		worker->executor->n_starting++;
}

/* --- a worker's life -----------------------------------------------------------------------------
 */

static void on_start_overdue(struct timer *timer, nsec_t now) {
	struct worker *worker = container_of(timer, struct worker, stop_timer);

	(void)now;
	supervise_now_kill(worker);
	slot_start_failed(worker->executor, WF_PHASE_INITIALIZE, ETIMEDOUT,
			  "the initializer did not end in time (options.preload_timeout_ms)");
}

void slot_started(struct worker *worker) {
	int timeout_ms = worker->executor->options.public.preload_timeout_ms;

	worker->state = WORKER_STARTED;
	worker->zygote->n_asked--;
	if (worker->zygote->has_initializer && timeout_ms != WF_FOREVER)
		(void)timer_set(worker->executor->loop, &worker->stop_timer,
				clock_after_ms(executor_now(worker->executor), timeout_ms),
				on_start_overdue);
}

void slot_ready(struct worker *worker, int error, const char *text) {
	struct wf_executor *executor = worker->executor;

	timer_clear(&worker->stop_timer);
	if (error) {
		char sentence[64];

		/* a text is the library's: what an initializer returns has none */
		(void)snprintf(sentence, sizeof(sentence), "the initializer returned %d", error);
		set_state(worker, WORKER_LEAVING);
		slot_leaving(worker);
		slot_start_failed(executor,
				  *text && worker->zygote->layers ? WF_PHASE_SANDBOX
								  : WF_PHASE_INITIALIZE,
				  error, *text ? text : sentence);
		return;
	}
	set_state(worker, WORKER_READY);
	slot_idle(worker);
}

void slot_leaving(struct worker *worker) {
	struct wf_executor *executor = worker->executor;

	idle_remove(worker);
	worker->asked = true;
	if (worker->state == WORKER_ENDED)
		return;
	if (worker->state != WORKER_LEAVING)
		set_state(worker, WORKER_LEAVING);
	if (worker->stopped)
		supervise_now_kill(worker); /* it would never read that it is to leave */
	if (link_is_linked(&worker->leaving_link))
		return;
	link_watch(worker->zygote);
	worker->leaving_since = executor_now(executor);
	list_append(&executor->leaving, &worker->leaving_link);
	supervise_leaving(executor);
}

void slot_hasten(struct worker *worker) {
	if (!worker->hastened)
		(void)shutdown(worker->channel, SHUT_WR);
	worker->hastened = true;
}

/* Those that have done the only task of their life linger for a moment; somebody waits for their slots. */
static void hasten_leaving(struct wf_executor *executor) {
	for (struct link *link = executor->leaving.next; link != &executor->leaving;
	     link = link->next)
		slot_hasten(container_of(link, struct worker, leaving_link));
}

void slot_retire(struct worker *worker) {
	if (worker->state == WORKER_LEAVING && !channel_has_tasks(worker))
		slot_leaving(worker);
	if (worker->state == WORKER_ENDED || (worker->asked && worker->state == WORKER_LEAVING))
		return;
	(void)channel_take_back(worker, UINT32_MAX);
	/* the end of the stream: it leaves when it has read what came before */
	slot_hasten(worker);
	worker->asked = true;
	idle_remove(worker);
	if (worker->state == WORKER_ASKED)
		return; /* Spawned comes first; it will find the end of the stream by itself */
	if (!channel_has_tasks(worker))
		slot_leaving(worker);
	else
		set_state(worker, WORKER_LEAVING);
}

void slot_retire_zygote(struct zygote *zygote) {
	list_foreach_safe (link, next, &zygote->workers) {
		struct worker *worker = container_of(link, struct worker, zygote_link);

		if (worker->detained)
			continue;
		if (!channel_has_tasks(worker))
			slot_retire(worker);
		else
			(void)channel_take_back(worker, UINT32_MAX);
	}
}

void slot_stopped(struct worker *worker, bool stopped) {
	worker->stopped = stopped;
	if (stopped) {
		/* it would sit on its tasks: others can have those that it has not begun */
		idle_remove(worker);
		(void)channel_take_back(worker, UINT32_MAX);
		if (worker->stop == STOP_TERM || worker->state == WORKER_LEAVING)
			supervise_now_kill(worker);
	} else if (channel_outstanding(worker) == 0) {
		slot_idle(worker);
	}
}

static void describe_end(char *text, size_t size, const struct exit_status *status) {
	if (!status)
		(void)snprintf(text, size, "its worker ended before it was ready");
	else if (status->exited)
		(void)snprintf(text, size, "its worker exited with code %d before it was ready",
			       status->code);
	else
		(void)snprintf(text, size, "its worker was ended by SIG%s before it was ready",
			       sigabbrev_np(status->signal));
}

void slot_ended(struct worker *worker, const struct exit_status *status, bool was_busy) {
	struct wf_executor *executor = worker->executor;
	bool early = worker->state == WORKER_STARTED || worker->state == WORKER_ASKED;
	bool surprise = !worker->asked && worker->stop == STOP_NONE;
	char text[128];

	set_state(worker, WORKER_ENDED);
	slot_forget(worker);
	timer_clear(&worker->stop_timer);
	source_remove(&worker->source);
	worker->channel = fd_close(worker->channel);
	worker->pidfd = fd_close(worker->pidfd);
	if (surprise && early) {
		describe_end(text, sizeof(text), status);
		slot_start_failed(executor, WF_PHASE_INITIALIZE, 0, text);
	} else if (surprise && !was_busy && worker->tasks_done == 0) {
		slot_start_failed(executor, WF_PHASE_HAND_OUT, 0,
				  "its workers end before they are given a task");
	}
	if (worker->unswept)
		link_watch(worker->zygote);
	else
		slot_swept(worker);
}

void slot_swept(struct worker *worker) {
	struct wf_future *future = worker->awaiting_exit;

	worker->awaiting_exit = NULL;
	if (future) {
		/* the keeper does not tell when it has swept for a worker that it adopted */
		future->outcome.reaped = worker->zygote->state != ZYGOTE_LOST;
		future->worker = worker; /* for its pid and slot */
		future_resolve(future);
	}
	channel_free(worker);
}

void slot_spawn_failed(struct worker *worker, int error, const char *step) {
	struct wf_executor *executor = worker->executor;
	bool asked = worker->asked;
	char text[160];

	(void)snprintf(text, sizeof(text), "%s: %s", step, strerrordesc_np(error));
	channel_free(worker);
	executor->statistics.fork_failures++;
	if (!asked)
		slot_start_failed(executor, WF_PHASE_FORK, error, text);
}

/* --- failed starts
 * --------------------------------------------------------------------------------- */

static void on_backoff(struct timer *timer, nsec_t now) {
	(void)timer;
	(void)now; /* executor_pump() follows every dispatch */
}

void slot_fail_queue(struct wf_executor *executor, const struct backoff *backoff) {
	struct link *link;

	while ((link = queue_peek(&executor->queue)) != NULL) {
		struct wf_future *future = container_of(link, struct wf_future, link);

		queue_remove(&executor->queue, link, future->priority);
		outcome_not_started(future, backoff->phase, backoff->error, backoff->text);
		future_resolve(future);
	}
}

/* Could anybody still take what is queued? */
static bool anybody_left(const struct wf_executor *executor) {
	for (unsigned i = 0; i < executor->n_slots; i++) {
		const struct worker *worker = executor->slots[i].current;

		if (worker && worker->state == WORKER_READY && !worker->stopped)
			return true;
	}
	return false;
}

/* What one window saw is one failure: a batch of eight that all fail in their initializer says no more
 * than one of them. */
static void widen_window(struct wf_executor *executor) {
	struct backoff *start = &executor->start;
	const struct wf_executor_options *options = &executor->options.public;

	start->delay_ms = start->delay_ms ? start->delay_ms * 2 : options->tuning.backoff_ms;
	if (start->delay_ms > options->tuning.backoff_max_ms)
		start->delay_ms = options->tuning.backoff_max_ms;
	start->failures++;
	start->not_before = clock_after_ms(executor_now(executor), start->delay_ms);
	(void)timer_set(executor->loop, &start->timer, start->not_before, on_backoff);
}

void slot_start_failed(struct wf_executor *executor, enum wf_phase phase, int error,
		       const char *text) {
	struct backoff *start = &executor->start;

	start->phase = phase;
	start->error = error;
	free(start->text);
	start->text = strdup(text);
	if (executor_now(executor) >= start->not_before)
		widen_window(executor);
	executor_log(executor, LOG_WARNING,
		     "a worker could not start (%u in a row, again in %d ms): %s", start->failures,
		     start->delay_ms, text);
	if (start->failures < (unsigned)executor->options.public.tuning.start_attempts)
		return;
	start->spent = true;
	start->failures = 0;
	if (!anybody_left(executor))
		slot_fail_queue(executor, start);
}

void slot_start_worked(struct wf_executor *executor) {
	struct backoff *start = &executor->start;

	start->failures = 0;
	start->delay_ms = 0;
	start->spent = false;
}

/* --- handing out
 * ------------------------------------------------------------------------------------ */

static unsigned ahead_depth(const struct wf_executor *executor) {
	const struct wf_executor_options *options = &executor->options.public;
	nsec_t depth;

	if (is_fresh(executor))
		return 1;
	if (options->tuning.hand_ahead)
		return (unsigned)options->tuning.hand_ahead;
	if (executor->n_mean < AHEAD_LEARN)
		return 1;
	depth = 1 + AHEAD_TARGET_NS / (executor->mean_run + 1000);
	return depth > LIMIT_HAND_AHEAD ? LIMIT_HAND_AHEAD : (unsigned)depth;
}

/* The worker with the most room, when all have something to do. Half of the depth is refilled at a
 * time, so that tasks share frames. */
static struct worker *pick_ahead(const struct wf_executor *executor, unsigned depth) {
	struct worker *best = NULL;
	unsigned most = 0;

	for (unsigned i = 0; depth > 1 && i < executor->n_workers; i++) {
		struct worker *worker = executor->slots[i].current;
		unsigned room =
		    worker && worker->zygote == executor->newest ? channel_room(worker, depth) : 0;

		if (room > most && room * 2 >= depth) {
			best = worker;
			most = room;
		}
	}
	return best;
}

static struct worker *pick_idle(const struct wf_executor *executor) {
	/* the one that was busy last: its caches are warm, and the others can time out */
	return list_is_empty(&executor->idle)
		   ? NULL
		   : container_of(executor->idle.previous, struct worker, idle_link);
}

/* Tasks of one chunk go to one worker, if it may hold more than one. */
static unsigned chunk_size(const struct wf_executor *executor, unsigned room) {
	struct link *link = queue_peek(&executor->queue);
	struct wf_future *first = container_of(link, struct wf_future, link);
	unsigned n = 1;

	if (!first->batch)
		return 1;
	for (link = link->next; n < room; link = link->next, n++)
		if (link == &executor->queue.levels[first->priority - WF_PRIORITY_MIN] ||
		    container_of(link, struct wf_future, link)->batch != first->batch)
			break;
	return n;
}

/* An idle worker and nothing queued: half of what the fullest channel holds unclaimed. */
static bool steal(struct wf_executor *executor) {
	struct worker *fullest = NULL;
	unsigned most = 1;

	for (unsigned i = 0; i < executor->n_slots; i++) {
		struct worker *worker = executor->slots[i].current;

		if (worker && channel_count(worker) > most) {
			fullest = worker;
			most = channel_count(worker);
		}
	}
	return fullest && channel_take_back(fullest, most / 2) > 0;
}

void slot_hand_out(struct wf_executor *executor) {
	unsigned depth = ahead_depth(executor);

	if (executor->starved)
		return;
	if (executor->queue.size == 0 && !is_fresh(executor) && executor->n_idle &&
	    !steal(executor))
		return;
	while (executor->queue.size) {
		struct worker *worker = pick_idle(executor);
		unsigned n = 1;

		if (worker && depth > 1)
			n = chunk_size(executor, channel_room(worker, LIMIT_HAND_AHEAD));
		if (!worker) {
			worker = pick_ahead(executor, depth);
			n = worker ? channel_room(worker, depth) : 0;
		}
		if (!worker) {
			hasten_leaving(executor);
			return;
		}
		if (channel_hand_out(worker, n) == 0)
			idle_remove(worker); /* blocked, or gone: an event will tell */
	}
}

/* --- forking ahead and on demand
 * ----------------------------------------------------------------------- */

static unsigned count_ahead(const struct wf_executor *executor) {
	unsigned ahead = 0;

	for (unsigned i = 0; i < executor->n_slots; i++) {
		const struct worker *worker = executor->slots[i].current;

		if (worker && channel_count(worker) > 1)
			ahead += channel_count(worker) - 1;
	}
	return ahead;
}

struct census {
	unsigned current; /* slots that have a worker */
	unsigned parked;  /* workers that wait for a task, or will */
	unsigned behind;  /* of them: behind one that runs a task, whose slot they need */
	unsigned empty;   /* slots that have none */
};

static bool is_parked(const struct worker *worker) {
	return worker && !worker->asked && !worker->stopped && !worker->broken && !worker->eof &&
	       worker->stop == STOP_NONE &&
	       (worker->state == WORKER_ASKED || worker->state == WORKER_STARTED ||
		(worker->state == WORKER_READY && channel_outstanding(worker) == 0));
}

static struct census count_workers(const struct wf_executor *executor) {
	struct census census = { 0 };

	for (unsigned i = 0; i < executor->n_workers; i++) {
		const struct slot *slot = &executor->slots[i];

		census.current += slot->current != NULL;
		census.empty += slot->current == NULL;
		census.behind += is_parked(slot->next) && channel_has_tasks(slot->current);
		census.parked +=
		    (unsigned)is_parked(slot->current) + (unsigned)is_parked(slot->next);
	}
	return census;
}

static void on_refill(struct timer *timer, nsec_t now) {
	(void)now;
	container_of(timer, struct wf_executor, refill_timer)->refill_due = true;
}

/* Forking spares beside the task that has just been handed out would take its CPU: while nobody waits, they
 * come a moment later, and several at a time. */
static bool defer_refill(struct wf_executor *executor, const struct census *census,
			 unsigned demand) {
	if (census->current == 0 || demand > census->parked || executor->refill_due)
		return false;
	if (!executor->refill_timer.loop)
		(void)timer_set(executor->loop, &executor->refill_timer,
				executor_now(executor) + REFILL_NS, on_refill);
	return true;
}

/* Tasks that wait for a worker although there are empty slots: who is parked behind a busy worker is of no use
 * to them before that has ended. */
static unsigned count_stranded(const struct census *census, unsigned demand) {
	unsigned now = census->parked - census->behind;
	unsigned stranded = demand > now ? demand - now : 0;

	return stranded < census->empty ? stranded : census->empty;
}

/* How many more workers are wanted. */
static unsigned count_wanted(struct wf_executor *executor) {
	const struct wf_executor_options *options = &executor->options.public;
	struct census census = count_workers(executor);
	unsigned demand = (unsigned)(executor->queue.size > WF_MAX_WORKERS ? WF_MAX_WORKERS
									   : executor->queue.size);
	unsigned minimum = (unsigned)options->min_workers, wanted;

	demand += count_ahead(executor);
	if (is_fresh(executor)) {
		if (executor->state != EXECUTOR_OPEN)
			minimum = 0;
		else if (executor->parking && (unsigned)options->spares > minimum)
			minimum = (unsigned)options->spares;
		unsigned stranded = count_stranded(&census, demand);

		wanted = demand + minimum > census.parked ? demand + minimum - census.parked : 0;
		if (wanted == 0)
			executor->refill_due = false;
		else if (defer_refill(executor, &census, demand))
			wanted = 0;
		return wanted > stranded ? wanted : stranded;
	}
	wanted = demand > census.parked ? demand - census.parked : 0;
	if (executor->state == EXECUTOR_OPEN && census.current < minimum &&
	    minimum - census.current > wanted)
		wanted = minimum - census.current;
	return wanted;
}

struct batch {
	struct message_spawn_worker workers[LIMIT_SPAWN_BATCH];
	int peers[LIMIT_SPAWN_BATCH];
	size_t n;
};

static int batch_add(struct batch *batch, struct wf_executor *executor, struct slot *slot) {
	struct worker *worker;
	int r = channel_new(executor->newest, slot, &worker, &batch->peers[batch->n]);

	if (r < 0)
		return error_trace(r);
	if (slot->current)
		slot->next = worker;
	else
		slot->current = worker;
	batch->workers[batch->n++] = (struct message_spawn_worker){
		.worker_id = worker->id,
		.slot = slot->number,
		.cell = worker->cell_index,
		.max_tasks = (uint32_t)executor->options.public.max_tasks_per_worker,
		.cpu = options_cpu(&executor->options, slot->number),
	};
	return 0;
}

/* Where another worker may go: first to slots that have none, then behind those that are busy, then
 * behind those that are parked themselves. */
enum place { PLACE_EMPTY, PLACE_BEHIND_BUSY, PLACE_BEHIND_PARKED, PLACE_COUNT };

static bool slot_wants(const struct wf_executor *executor, const struct slot *slot,
		       enum place place) {
	if (place == PLACE_EMPTY)
		return !slot->current;
	return is_fresh(executor) && slot->current && !slot->next &&
	       slot->current->zygote == executor->newest &&
	       is_parked(slot->current) == (place == PLACE_BEHIND_PARKED);
}

static int batch_fill(struct batch *batch, struct wf_executor *executor, unsigned wanted) {
	int r = 0;

	for (enum place place = PLACE_EMPTY; place < PLACE_COUNT; place++)
		for (unsigned i = 0; i < executor->n_workers && r >= 0; i++) {
			if (batch->n == wanted || batch->n == LIMIT_SPAWN_BATCH)
				return 0;
			if (slot_wants(executor, &executor->slots[i], place))
				r = batch_add(batch, executor, &executor->slots[i]);
		}
	return r;
}

/* Somebody has stopped a worker that has nothing to do, and there are tasks for its slot. */
static void end_stopped(struct wf_executor *executor) {
	for (unsigned i = 0; executor->queue.size && i < executor->n_slots; i++) {
		struct worker *worker = executor->slots[i].current;

		if (!worker || !worker->stopped || worker->state != WORKER_READY ||
		    channel_has_tasks(worker))
			continue;
		worker->asked = true;
		supervise_now_kill(worker);
	}
}

void slot_plan(struct wf_executor *executor) {
	unsigned wanted;

	end_stopped(executor);
	if (!executor->newest || executor->newest->blocked)
		return;
	if (executor->start.not_before && executor_now(executor) < executor->start.not_before)
		return;
	if (executor->start.spent && executor->queue.size == 0)
		return; /* only work brings another try */
	while ((wanted = count_wanted(executor)) > 0) {
		struct batch batch = { .n = 0 };
		int r = batch_fill(&batch, executor, wanted);

		if (batch.n)
			link_spawn(executor->newest, batch.workers, batch.peers, batch.n);
		fd_close_all(batch.peers, batch.n);
		if (r < 0)
			slot_start_failed(executor, WF_PHASE_FORK, -r,
					  r == -EMFILE
					      ? "no free descriptor for a worker's channel "
						"(RLIMIT_NOFILE)"
					      : "no room for another worker");
		if (r < 0 || batch.n < LIMIT_SPAWN_BATCH || !executor->newest ||
		    executor->newest->blocked)
			return;
	}
}
