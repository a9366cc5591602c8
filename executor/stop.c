/* SPDX-License-Identifier: MIT
 *
 * Signals go through pidfds: a pid may belong to another process by the time it is used.
 */
#include "executor/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/process.h"
#include "executor/claim.h"

#define CHANNEL_GRACE_MS 1000 /* between the end of its channel and that of the process */
#define STACK_GRACE_MS   100  /* for the worker to write its call stack */

/* For a worker that there was no descriptor for when it was spawned. Its zygote reports its end
 * before it reaps it, so the number is its own as long as that zygote lives: asked after the
 * opening. Once the zygote or the keeper has gone, it may be a stranger's. */
static void open_late(struct worker *worker) {
	const struct generation *generation = worker->generation;
	int pidfd;

	if (worker->pid <= 0 || worker->state >= WORKER_ENDED || generation->orphaned ||
	    generation->state == GENERATION_LOST || generation->pidfd < 0)
		return;
	pidfd = process_open(worker->pid);
	if (process_has_ended(generation->pidfd))
		pidfd = fd_close(pidfd);
	worker->pidfd = pidfd;
}

static int send_signal(struct worker *worker, int signal) {
	if (worker->pidfd < 0)
		open_late(worker);
	return worker->pidfd < 0 ? 0 : process_signal(worker->pidfd, signal);
}

static void signal_worker(struct worker *worker, int signal) {
	int r = send_signal(worker, signal);

	if (r == -EBADF) { /* the host has closed it, and may use its number */
		worker->pidfd = -1;
		r = send_signal(worker, signal);
	}
	if (r < 0 && r != -ESRCH)
		engine_log(worker->engine, LOG_WARNING, "signal %d for worker %d: %s", signal,
			   (int)worker->pid, strerrordesc_np(-r));
}

/* --- kindly -------------------------------------------------------------------------------- */

void stop_hurry(struct worker *worker) {
	if (!worker->hurried)
		(void)shutdown(worker->channel, SHUT_WR);
	worker->hurried = true;
}

void stop_dismiss(struct worker *worker) {
	(void)claim_take_back(worker, UINT32_MAX);
	/* the end of the stream: it leaves when it has read everything before that */
	stop_hurry(worker);
	(void)worker_step(worker,
			  claim_has_tasks(worker) ? WORKER_DISMISSED_BUSY : WORKER_DISMISSED);
}

/* --- the ladder ---------------------------------------------------------------------------- */

static void climb(struct worker *worker, enum stop_stage stage) {
	worker->stop = stage;
	worker_changed(worker);
	(void)claim_take_back(worker, UINT32_MAX);
}

void stop_kill(struct worker *worker) {
	if (worker->stop == STOP_KILL)
		return;
	timer_clear(&worker->timer);
	climb(worker, STOP_KILL);
	signal_worker(worker, SIGKILL);
}

static void on_grace_over(struct timer *timer, nsec_t now) {
	(void)now;
	stop_kill(container_of(timer, struct worker, timer));
}

static void arm(struct worker *worker, int after_ms, timer_handler handler) {
	struct engine *engine = worker->engine;

	/* room for the timer was reserved with the worker */
	(void)timer_set(engine->loop, &worker->timer, clock_after_ms(engine_now(engine), after_ms),
			handler);
}

void stop_worker(struct worker *worker, int grace_ms) {
	if (grace_ms == 0)
		grace_ms = worker->engine->options.public.kill_grace_ms;
	if (worker->stopped || grace_ms == WF_NO_GRACE) {
		stop_kill(worker);
		return;
	}
	if (worker->stop > STOP_STACK)
		return;
	climb(worker, STOP_TERM);
	signal_worker(worker, SIGTERM);
	arm(worker, grace_ms, on_grace_over);
}

static void on_stack_written(struct timer *timer, nsec_t now) {
	(void)now;
	stop_worker(container_of(timer, struct worker, timer), 0);
}

void stop_with_stack(struct worker *worker) {
	if (!worker->engine->options.public.stack_on_timeout || worker->stopped ||
	    worker->stop != STOP_NONE) {
		stop_worker(worker, 0);
		return;
	}
	climb(worker, STOP_STACK);
	signal_worker(worker, CELL_STACK_SIGNAL);
	arm(worker, STACK_GRACE_MS, on_stack_written);
}

/* --- for cause ----------------------------------------------------------------------------- */

static void blame_tasks(struct worker *worker) {
	claim_foreach (future, worker) {
		if (future->verdict != VERDICT_NONE || !claim_had_started(future))
			continue;
		future->verdict = VERDICT_KILLED;
		future->verdict_killer = WF_BY_PROTOCOL;
	}
}

void stop_distrust(struct worker *worker, const char *what) {
	if (worker->state == WORKER_DETAINED)
		return; /* a debugger has resumed it */
	engine_log(worker->engine, LOG_WARNING, "worker %d (slot %u): %s", (int)worker->pid,
		   worker->slot_number, what);
	source_remove(&worker->source);
	blame_tasks(worker);
	stop_kill(worker);
}

static void on_start_overdue(struct timer *timer, nsec_t now) {
	struct worker *worker = container_of(timer, struct worker, timer);

	(void)now;
	if (worker->state == WORKER_STARTED)
		worker_blame(worker, WF_PHASE_INITIALIZE, ETIMEDOUT,
			     "it was not ready in time: its after_fork hook or its initializer "
			     "hangs (options.preload_timeout_ms)");
	stop_kill(worker);
}

void stop_unless_ready(struct worker *worker) {
	int timeout_ms = worker->engine->options.public.preload_timeout_ms;

	if (timeout_ms != WF_FOREVER)
		arm(worker, timeout_ms, on_start_overdue);
}

/* A process that has ended has broken no rule: its report is on the way, and the process that owes
 * it is being watched (link.c, keeper_link.c). */
static void on_channel_grace_over(struct timer *timer, nsec_t now) {
	struct worker *worker = container_of(timer, struct worker, timer);

	(void)now;
	if (worker->pidfd < 0 || !process_has_ended(worker->pidfd))
		stop_distrust(worker, "has closed its channel and lives on");
}

void stop_unless_ended(struct worker *worker) {
	if (worker->stop == STOP_NONE)
		arm(worker, CHANNEL_GRACE_MS, on_channel_grace_over);
}

/* --- tasks --------------------------------------------------------------------------------- */

bool stop_task(struct wf_future *future, enum wf_killer by, int grace_ms) {
	if (claim_is_over(future))
		return false;
	if (future->verdict == VERDICT_NONE) {
		future->verdict = VERDICT_KILLED;
		future->verdict_killer = by;
	}
	stop_worker(future->worker, grace_ms);
	return true;
}

void stop_violation(struct wf_future *future) {
	if (future->verdict == VERDICT_NONE)
		future->verdict = VERDICT_VIOLATION;
	stop_kill(future->worker);
}

/* Uses the number of the group. The worker is its leader and has not been reaped, so the number
 * cannot be another's. */
bool stop_signal(struct wf_future *future, int signal) {
	struct worker *worker = future->worker;

	if (claim_is_over(future))
		return false;
	return process_signal_group(worker->pidfd, worker->pid, signal) == 0;
}
