/* SPDX-License-Identifier: MIT
 *
 * Each future has one timer, armed lazily. The clock of a task that was handed ahead starts when
 * its worker takes it, and only the claim word tells when that is. So the timer fires at the
 * earliest possible moment, looks, and arms itself again for the exact one.
 */
#include "executor/deadline.h"

#include <signal.h>

#include "executor/account.h"
#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/stop.h"

static void on_timer(struct timer *timer, nsec_t now);

static nsec_t run_timeout_at(struct wf_future *future, nsec_t now) {
	nsec_t started;

	if (!future->timeout_ms || future->state != FUTURE_HANDED || future->result_here)
		return NSEC_NEVER;
	started = claim_started_at(future);
	/* not taken yet: the time cannot run out before this */
	return clock_after_ms(started ? started : now, future->timeout_ms);
}

void deadline_watch(struct wf_future *future) {
	struct engine *engine = future->engine;
	nsec_t at = future->deadline, run;

	if (future->verdict != VERDICT_NONE || (at == NSEC_NEVER && !future->timeout_ms))
		return;
	run = run_timeout_at(future, engine_now(engine));
	if (run < at)
		at = run;
	if (at == NSEC_NEVER)
		timer_clear(&future->timer);
	else
		(void)timer_set(engine->loop, &future->timer, at, on_timer);
}

static void leave_for_debugger(struct wf_future *future) {
	struct worker *worker = future->worker;

	engine_log(worker->engine, LOG_INFO, "worker %d is left stopped for a debugger",
		   (int)worker->pid);
	(void)claim_take_back(worker, UINT32_MAX);
	(void)process_signal(worker->pidfd, SIGSTOP);
	(void)worker_step(worker, WORKER_LEFT_STOPPED);
	account_times(future);
	(void)claim_undo(worker);
	future->attempts++;
	account_for(future, worker);
	conclude_verdict(future, NULL);
	future->outcome.timed_out.left_stopped = true;
	future_end(future);
}

static void strike(struct wf_future *future, enum wf_clock clock) {
	if (claim_is_over(future))
		return;
	future->verdict = VERDICT_TIMED_OUT;
	future->verdict_clock = clock;
	(void)claim_started_at(future);
	engine_log(future->engine, LOG_INFO, "task %llu on worker %d has run out of time",
		   (unsigned long long)future->id, (int)future->worker->pid);
	if (future->engine->options.public.on_timeout == WF_TIMEOUT_STOP && !future->result_here)
		leave_for_debugger(future);
	else
		stop_with_stack(future->worker);
}

/* The future is off the queue and off every channel. */
static void expire(struct wf_future *future) {
	future->verdict = VERDICT_TIMED_OUT;
	future->verdict_clock = WF_CLOCK_QUEUE;
	conclude_verdict(future, NULL);
	future_end(future);
}

static void on_timer(struct timer *timer, nsec_t now) {
	struct wf_future *future = container_of(timer, struct wf_future, timer);

	if (future->result_here || future->verdict != VERDICT_NONE)
		return; /* it finished in time, or is being ended already */
	if (future->deadline <= now) {
		if (claim_withdraw(future))
			expire(future);
		else
			strike(future, WF_CLOCK_DEADLINE);
	} else if (run_timeout_at(future, now) <= now) {
		strike(future, WF_CLOCK_RUN);
	} else {
		deadline_watch(future);
	}
}
