/* SPDX-License-Identifier: MIT
 *
 * Time and force.
 *
 * Each future has one timer, armed lazily: the clock of a task that was handed ahead starts when
 * its worker takes it, which the worker writes into the claim word and nobody is told; so the timer
 * looks when the earliest possible moment has come, and arms itself again for the exact one.
 *
 *            clock strikes, kill()           grace over
 *   STOP_NONE ------------------> STOP_TERM -----------> STOP_KILL     (stopped: straight to KILL,
 *       `----------------------------------------------------^          for SIGTERM would wait too)
 *
 * The future resolves when the exit is reported. What lay unclaimed on the channel goes back to the
 * queue when the ladder begins.
 */
#include "executor/supervise.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/process.h"
#include "executor/channel.h"
#include "executor/link.h"
#include "executor/outcome.h"
#include "executor/slot.h"

#define CHANNEL_GRACE_MS 1000 /* between the end of its channel and its exit report */
#define RETRY_MS         5    /* until descriptors or buffers are looked for again */
#define STACK_GRACE_MS   100  /* for the worker to write its call stack */

/* --- the ladder
 * ------------------------------------------------------------------------------------ */

static void signal_worker(struct worker *worker, int signal) {
	int r = worker->pidfd >= 0 ? process_signal(worker->pidfd, signal) : 0;

	if (r < 0 && r != -ESRCH)
		executor_log(worker->executor, LOG_WARNING, "signal %d for worker %d: %s", signal,
			     (int)worker->pid, strerrordesc_np(-r));
}

void supervise_now_kill(struct worker *worker) {
	if (worker->stop == STOP_KILL)
		return;
	worker->stop = STOP_KILL;
	link_watch(worker->zygote);
	timer_clear(&worker->stop_timer);
	slot_busy(worker);
	(void)channel_take_back(worker, UINT32_MAX);
	signal_worker(worker, SIGKILL);
}

static void on_grace_over(struct timer *timer, nsec_t now) {
	(void)now;
	supervise_now_kill(container_of(timer, struct worker, stop_timer));
}

void supervise_stop(struct worker *worker, int grace_ms) {
	if (grace_ms == 0)
		grace_ms = worker->executor->options.public.kill_grace_ms;
	if (worker->stopped || grace_ms == WF_NO_GRACE) {
		supervise_now_kill(worker);
		return;
	}
	if (worker->stop > STOP_STACK)
		return;
	worker->stop = STOP_TERM;
	slot_busy(worker);
	(void)channel_take_back(worker, UINT32_MAX);
	(void)timer_set(worker->executor->loop, &worker->stop_timer,
			clock_after_ms(clock_now(), grace_ms), on_grace_over);
	signal_worker(worker, SIGTERM);
}

static void on_stack_written(struct timer *timer, nsec_t now) {
	(void)now;
	supervise_stop(container_of(timer, struct worker, stop_timer), 0);
}

static void stop_with_stack(struct worker *worker) {
	if (!worker->executor->options.public.stack_on_timeout || worker->stopped ||
	    worker->stop != STOP_NONE) {
		supervise_stop(worker, 0);
		return;
	}
	worker->stop = STOP_STACK;
	slot_busy(worker);
	(void)channel_take_back(worker, UINT32_MAX);
	signal_worker(worker, CELL_STACK_SIGNAL);
	(void)timer_set(worker->executor->loop, &worker->stop_timer,
			clock_after_ms(clock_now(), STACK_GRACE_MS), on_stack_written);
}

/* --- clocks
 * ---------------------------------------------------------------------------------------- */

static void on_future_timer(struct timer *timer, nsec_t now);

/* When it was taken, or 0. The worker wrote it: the first sight counts, and only what is possible. */
static nsec_t started_at(struct wf_future *future) {
	nsec_t started;

	if (!future_has_started(future))
		return 0;
	if (future->started)
		return future->started;
	started = atomic_load(&cell_claim(future->worker->cell, future->sequence)->started_ns);
	future->started =
	    started < future->handed || started > clock_now() ? future->handed : started;
	return future->started;
}

static nsec_t run_timeout_at(struct wf_future *future, nsec_t now) {
	nsec_t started;

	if (!future->timeout_ms || future->state != FUTURE_HANDED || future->result_here)
		return NSEC_NEVER;
	started = started_at(future);
	/* not taken yet: it cannot be over before this */
	return clock_after_ms(started ? started : now, future->timeout_ms);
}

void supervise_watch(struct wf_future *future) {
	nsec_t at = future->deadline, run;

	if (future->verdict != VERDICT_NONE)
		return;
	run = future->timeout_ms ? run_timeout_at(future, executor_now(future->executor))
				 : NSEC_NEVER;
	if (run < at)
		at = run;
	if (at == NSEC_NEVER)
		timer_clear(&future->timer);
	else
		(void)timer_set(future->executor->loop, &future->timer, at, on_future_timer);
}

static void leave_for_debugger(struct wf_future *future) {
	struct worker *worker = future->worker;

	executor_log(worker->executor, LOG_INFO, "worker %d is left stopped for a debugger",
		     (int)worker->pid);
	(void)channel_take_back(worker, UINT32_MAX);
	signal_worker(worker, SIGSTOP);
	worker->detained = worker->asked = true;
	worker->assigned[future->sequence % CELL_CLAIMS] = NULL;
	worker->first_sequence = worker->next_sequence;
	future->attempts++;
	outcome_from_verdict(future, NULL);
	future->outcome.timed_out.left_stopped = true;
	future_resolve(future);
	slot_forget(worker);
}

/* Has its worker gone on to another task? Then its result is on the way, and force would hit the other.
 * What is not claimed is taken back first, so that the answer cannot change. */
static bool is_over(struct wf_future *future) {
	struct worker *worker = future->worker;

	(void)channel_take_back(worker, UINT32_MAX);
	for (uint64_t s = future->sequence + 1; s < worker->next_sequence; s++)
		if (worker->assigned[s % CELL_CLAIMS])
			return true;
	return false;
}

static void strike(struct wf_future *future, enum wf_clock clock) {
	if (is_over(future))
		return;
	future->verdict = VERDICT_TIMED_OUT;
	future->verdict_clock = clock;
	future->started = started_at(future);
	executor_log(future->executor, LOG_INFO, "task %llu on worker %d has run out of time",
		     (unsigned long long)future->id, (int)future->worker->pid);
	if (future->executor->options.public.on_timeout == WF_TIMEOUT_STOP && !future->result_here)
		leave_for_debugger(future);
	else
		stop_with_stack(future->worker);
}

static void expire_unstarted(struct wf_future *future) {
	struct wf_executor *executor = future->executor;

	if (future->state == FUTURE_QUEUED)
		queue_remove(&executor->queue, &future->link, future->priority);
	else
		future->worker->assigned[future->sequence % CELL_CLAIMS] = NULL;
	future->worker = NULL;
	future->verdict = VERDICT_TIMED_OUT;
	future->verdict_clock = WF_CLOCK_QUEUE;
	outcome_from_verdict(future, NULL);
	future_resolve(future);
}

static bool take_back(struct wf_future *future) {
	return claim_swap(cell_claim(future->worker->cell, future->sequence), future->sequence,
			  CLAIM_CANCELLED);
}

static void on_future_timer(struct timer *timer, nsec_t now) {
	struct wf_future *future = container_of(timer, struct wf_future, timer);

	if (future->result_here || future->verdict != VERDICT_NONE)
		return; /* it was in time, or it is being ended already */
	if (future->deadline <= now) {
		if (future->state == FUTURE_QUEUED || take_back(future))
			expire_unstarted(future);
		else
			strike(future, WF_CLOCK_DEADLINE);
	} else if (run_timeout_at(future, now) <= now) {
		strike(future, WF_CLOCK_RUN);
	} else {
		supervise_watch(future);
	}
}

/* --- by request
 * -------------------------------------------------------------------------------------- */

bool supervise_kill(struct wf_future *future, enum wf_killer by, int grace_ms) {
	if (is_over(future))
		return false;
	if (future->verdict == VERDICT_NONE) {
		future->verdict = VERDICT_KILLED;
		future->verdict_killer = by;
	}
	supervise_stop(future->worker, grace_ms);
	return true;
}

void supervise_violation(struct wf_future *future) {
	if (future->verdict == VERDICT_NONE)
		future->verdict = VERDICT_VIOLATION;
	supervise_now_kill(future->worker);
}

/* The group by its number: the worker is its leader, and has not been reaped, so it cannot be another's. */
bool supervise_signal(struct wf_future *future, int signal) {
	if (is_over(future))
		return false;
	return process_signal_group(future->worker->pidfd, future->worker->pid, signal) == 0;
}

static void blame(struct worker *worker) {
	for (uint64_t s = worker->first_sequence; s < worker->next_sequence; s++) {
		struct wf_future *future = worker->assigned[s % CELL_CLAIMS];

		if (!future || !future_has_started(future) || future->verdict != VERDICT_NONE)
			continue;
		future->verdict = VERDICT_KILLED;
		future->verdict_killer = WF_BY_PROTOCOL;
	}
}

void supervise_distrust(struct worker *worker) {
	if (worker->detained)
		return; /* a debugger has let it go on */
	source_remove(&worker->source);
	blame(worker);
	supervise_now_kill(worker);
}

static void on_channel_grace_over(struct timer *timer, nsec_t now) {
	struct worker *worker = container_of(timer, struct worker, stop_timer);

	(void)now;
	executor_log(worker->executor, LOG_WARNING, "worker %d has closed its channel and lives on",
		     (int)worker->pid);
	blame(worker);
	supervise_now_kill(worker);
}

void supervise_channel_closed(struct worker *worker) {
	slot_busy(worker);
	link_watch(worker->zygote);
	if (atomic_load(&worker->cell->executing))
		return; /* it has become the program of its task */
	if (worker->stop == STOP_NONE)
		(void)timer_set(worker->executor->loop, &worker->stop_timer,
				clock_after_ms(clock_now(), CHANNEL_GRACE_MS),
				on_channel_grace_over);
}

/* --- idle, and leaving
 * ---------------------------------------------------------------------------------- */

/* Workers that are there to stay. */
static unsigned count_staying(const struct wf_executor *executor) {
	unsigned n = 0;

	for (unsigned i = 0; i < executor->n_workers; i++)
		n += executor->slots[i].current && !executor->slots[i].current->asked;
	return n;
}

static void retire_parked(struct wf_executor *executor) {
	executor->parking = false;
	for (unsigned i = 0; i < executor->n_slots; i++)
		if (executor->slots[i].next)
			slot_retire(executor->slots[i].next);
}

static void on_idle_timer(struct timer *timer, nsec_t now) {
	struct wf_executor *executor = container_of(timer, struct wf_executor, idle_timer);
	unsigned left = count_staying(executor), minimum;
	int timeout_ms = executor->options.public.idle_timeout_ms;

	minimum = (unsigned)executor->options.public.min_workers;
	while (!list_is_empty(&executor->idle) && left > minimum) {
		struct worker *worker = container_of(executor->idle.next, struct worker, idle_link);

		if (clock_after_ms(worker->idle_since, timeout_ms) > now)
			break;
		executor->statistics.idle_timeouts++;
		left--;
		retire_parked(executor);
		slot_retire(worker);
	}
	if (left > minimum)
		supervise_idle(executor);
}

void supervise_idle(struct wf_executor *executor) {
	int timeout_ms = executor->options.public.idle_timeout_ms;
	struct worker *oldest;

	if (timeout_ms == WF_FOREVER || executor->idle_timer.loop || list_is_empty(&executor->idle))
		return;
	/* nobody would be told to leave */
	if ((unsigned)executor->options.public.min_workers >= executor->n_workers)
		return;
	oldest = container_of(executor->idle.next, struct worker, idle_link);
	(void)timer_set(executor->loop, &executor->idle_timer,
			clock_after_ms(oldest->idle_since, timeout_ms), on_idle_timer);
}

static nsec_t leaving_until(const struct wf_executor *executor, const struct worker *worker) {
	int grace_ms = executor->options.public.kill_grace_ms;

	return clock_after_ms(worker->leaving_since, grace_ms == WF_NO_GRACE ? 1000 : grace_ms);
}

static void on_leaving_timer(struct timer *timer, nsec_t now) {
	struct wf_executor *executor = container_of(timer, struct wf_executor, leaving_timer);

	list_foreach_safe (link, next, &executor->leaving) {
		struct worker *worker = container_of(link, struct worker, leaving_link);

		if (leaving_until(executor, worker) > now)
			break;
		list_remove(link);
		supervise_now_kill(worker);
	}
	supervise_leaving(executor);
}

void supervise_leaving(struct wf_executor *executor) {
	struct worker *oldest;

	if (executor->leaving_timer.loop || list_is_empty(&executor->leaving))
		return;
	oldest = container_of(executor->leaving.next, struct worker, leaving_link);
	(void)timer_set(executor->loop, &executor->leaving_timer, leaving_until(executor, oldest),
			on_leaving_timer);
}

/* --- shortages ----------------------------------------------------------------------------------- */

static void on_retry(struct timer *timer, nsec_t now) {
	struct wf_executor *executor = container_of(timer, struct wf_executor, retry_timer);

	(void)now;
	executor->starved = false;
	list_foreach_safe (z, next_zygote, &executor->zygotes) {
		struct zygote *zygote = container_of(z, struct zygote, link);

		zygote->blocked = false;
		list_foreach_safe (w, next_worker, &zygote->workers)
			channel_unblock(container_of(w, struct worker, zygote_link));
	}
}

void supervise_retry(struct wf_executor *executor) {
	if (!executor->retry_timer.loop)
		(void)timer_set(executor->loop, &executor->retry_timer,
				clock_after_ms(clock_now(), RETRY_MS), on_retry);
}

/* --- output limits
 * ------------------------------------------------------------------------------------- */

static bool is_over_limit(const struct capture *capture) {
	return capture->overflowed && capture->overflow == WF_OVERFLOW_KILL;
}

static void condemn_output(struct wf_future *future, int stream) {
	if (future->verdict != VERDICT_NONE)
		return;
	future->verdict = VERDICT_OUTPUT_LIMIT;
	future->verdict_stream = stream;
}

void supervise_on_capture(struct source *source, uint32_t events) {
	struct capture *capture = container_of(source, struct capture, source);
	struct capture *first = capture - (capture->stream - 1);
	struct wf_future *future = container_of(first, struct wf_future, captures[0]);

	(void)events;
	capture_drain(capture);
	if (!is_over_limit(capture) || future->state != FUTURE_HANDED)
		return;
	capture_close(capture);
	if (is_over(future))
		return;
	condemn_output(future, capture->stream);
	supervise_stop(future->worker, 0);
}

void supervise_check_output(struct wf_future *future) {
	for (int i = 0; i < 2; i++) {
		capture_drain(&future->captures[i]);
		if (is_over_limit(&future->captures[i]))
			condemn_output(future, i + 1);
	}
}
