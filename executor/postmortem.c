/* SPDX-License-Identifier: MIT
 *
 * At most one task was running: the victim. Those behind it never began, and go back to the queue.
 *
 * The possible causes of an end are checked in this order: our own decision (a verdict), what the
 * worker noted about its channel, what the end of its zygote explains, the wait status.
 */
#include "executor/postmortem.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "executor/account.h"
#include "executor/claim.h"
#include "executor/conclude.h"

#define MOST_RETURNS 8 /* of a task that no worker ever begins */

static const struct exit_status *status_of(const struct worker *worker) {
	return worker->status_known ? &worker->status : NULL;
}

/* --- the victim ---------------------------------------------------------------------------- */

static void record_death(struct wf_future *future, const struct worker *worker) {
	const struct exit_status *status = status_of(worker);
	struct outcome_memory *memory = &future->memory;

	if (!memory->deaths)
		memory->deaths = calloc(WF_MAX_DEATHS, sizeof memory->deaths[0]);
	if (!memory->deaths || memory->n_deaths == WF_MAX_DEATHS)
		return;
	memory->deaths[memory->n_deaths++] = (struct wf_death){
		.pid = worker->pid,
		.slot = (int)worker->slot_number,
		.kind = !status          ? WF_ZYGOTE_LOST
			: status->exited ? WF_EXITED
					 : WF_SIGNALLED,
		.code = status && status->exited ? status->code : 0,
		.signal = status && !status->exited ? status->signal : 0,
	};
}

/* May it be started again? Only if its submitter allows that, and not forever. */
static bool may_try_again(struct wf_future *future) {
	struct engine *engine = future->engine;

	if (!(future->flags & WF_TASK_IDEMPOTENT) || future->verdict != VERDICT_NONE ||
	    engine->closing)
		return false;
	if (future->attempts >= (unsigned)engine->options.public.max_attempts) {
		future->outcome.quarantined = true;
		return false;
	}
	engine->statistics.retried++;
	return true;
}

static bool was_killed(const struct worker *worker) {
	return worker->status_known && exit_status_is_kill(&worker->status) &&
	       worker->stop == STOP_NONE;
}

/* A zygote that ends by itself first ends and reaps its workers. Nothing else knows about those
 * that it did not report before its end (before Linux 6.15: evidence_exit()). */
static bool zygote_has_ended_itself(const struct worker *worker) {
	const struct generation *generation = worker->generation;

	return generation->exited && generation->exit.exited;
}

static void fill_outcome(struct worker *worker, struct wf_future *future) {
	struct conclude_end end = { .status = worker->status };

	if (future->verdict != VERDICT_NONE) {
		conclude_verdict(future, status_of(worker));
	} else if (worker->engine->wrecked) {
		conclude_zygote_lost(future, "this process has closed descriptors of the executor: "
					     "what became of its worker cannot be known");
	} else if (!worker->status_known && zygote_has_ended_itself(worker)) {
		conclude_zygote_lost(future, "its zygote ended by itself, and did not say before "
					     "that how its worker had ended");
	} else if (!worker->status_known) {
		conclude_zygote_lost(future, "its worker ended without a result, and no process "
					     "that could have reaped it is left");
	} else if (was_killed(worker) && zygote_has_ended_itself(worker)) {
		conclude_zygote_lost(future, "its zygote ended by itself, and ended its workers "
					     "before it did");
	} else {
		if (was_killed(worker))
			end.oom = account_oom(worker);
		account_fault(worker, &end);
		conclude_exit(future, &end);
	}
	if (future->memory.n_deaths && future->outcome.kind == WF_MEMORY_LIMIT)
		future->memory.deaths[future->memory.n_deaths - 1].kind = WF_MEMORY_LIMIT;
}

/* The worker says so, and then ends in one way only: a task that crashes or exits on its own with
 * the word set has its own end. */
static bool lost_channel(const struct worker *worker) {
	return atomic_load(&worker->cell->lost_channel) &&
	       (!worker->status_known || (worker->status.exited && worker->status.code == 1));
}

static void resolve_victim(struct worker *worker, struct wf_future *future) {
	future->attempts++;
	if (future->verdict == VERDICT_NONE && lost_channel(worker)) {
		future->verdict = VERDICT_KILLED;
		future->verdict_killer = WF_BY_PROTOCOL;
	}
	if (future->verdict == VERDICT_NONE)
		record_death(future, worker);
	if (may_try_again(future)) {
		future_requeue(future);
		return;
	}
	(void)future_judge_output(future, false);
	account_for(future, worker);
	fill_outcome(worker, future);
	if ((future->flags & WF_TASK_WAIT_EXIT) && !worker->swept) {
		future->result_here = true;
		worker->awaiting_exit = future;
		return;
	}
	future->outcome.reaped = worker->status_known && worker->swept;
	future_end(future);
}

/* --- the tasks behind it ------------------------------------------------------------------- */

static void return_innocent(struct wf_future *future) {
	if (++future->returns <= MOST_RETURNS) {
		future_requeue(future);
		return;
	}
	conclude_not_started(future, WF_PHASE_HAND_OUT, 0,
			     "each worker that it was handed to ended before it took it");
	future_end(future);
}

static void count_death(const struct worker *worker, bool was_busy) {
	struct statistics *statistics = &worker->engine->statistics;

	if (worker->status_known && worker->status.exited)
		statistics->deaths_exit++;
	else
		statistics->deaths_signal++;
	if (!was_busy)
		statistics->deaths_idle++;
}

bool postmortem(struct worker *worker) {
	struct wf_future *future;
	bool busy = false;

	/* newest first, so that the queue gets them back in order */
	while ((future = claim_newest(worker)) != NULL) {
		bool started = claim_had_started(future);

		if (started)
			account_times(future);
		(void)claim_undo(worker);
		if (started)
			resolve_victim(worker, future);
		else
			return_innocent(future);
		busy = busy || started;
	}
	worker->first_sequence = worker->next_sequence;
	if (!worker->end_was_expected)
		count_death(worker, busy);
	return busy;
}

void postmortem_swept(struct worker *worker) {
	struct wf_future *future = worker->awaiting_exit;

	worker->awaiting_exit = NULL;
	if (!future)
		return;
	/* the keeper does not tell when it has swept for an adopted worker */
	future->outcome.reaped = worker->generation->state != GENERATION_LOST;
	future_end(future);
}
