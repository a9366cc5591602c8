/* SPDX-License-Identifier: MIT
 *
 * The worker can write to its cell at any time, so values are copied out of it before they are
 * checked.
 */
#include "executor/account.h"

#include <stdlib.h>
#include <string.h>

#include "executor/claim.h"

static void fill_stack(struct wf_future *future, const struct worker *worker) {
	uint32_t size = atomic_load(&worker->cell->stack_size);

	if (future->verdict != VERDICT_TIMED_OUT || size == 0 || size > sizeof worker->cell->stack)
		return;
	free(future->memory.stack);
	future->memory.stack = strndup(worker->cell->stack, size);
	if (future->memory.stack)
		future->outcome.stack = future->memory.stack;
}

static void fill_layers(struct wf_future *future, const struct worker *worker) {
	if (!worker->generation->image.layers)
		return;
	free(future->memory.layers);
	future->memory.layers = strdup(worker->generation->image.layers);
	if (future->memory.layers)
		future->outcome.layers = future->memory.layers;
}

void account_for(struct wf_future *future, const struct worker *worker) {
	struct wf_outcome *outcome = &future->outcome;

	outcome->pid = worker->pid;
	outcome->slot = (int)worker->slot_number;
	outcome->task_number = worker->tasks_done + 1;
	outcome->generation = worker->generation->number;
	fill_stack(future, worker);
	fill_layers(future, worker);
}

void account_times(struct wf_future *future) {
	if (!claim_started_at(future))
		future->started = future->handed;
	future->ended = engine_now(future->engine);
}

void account_fault(const struct worker *worker, struct conclude_end *end) {
	struct cell_crash *crash = &worker->cell->crash;

	if (!atomic_load(&crash->known) || crash->signal != end->status.signal)
		return;
	end->address_known = true;
	end->address = crash->address;
	end->code = crash->code;
}

const char *account_oom(struct worker *worker) {
	struct generation *generation = worker->generation;
	struct evidence *evidence = &worker->engine->evidence;

	if (!generation->oom_kills)
		return evidence_look(evidence, worker->kills_before);
	return evidence_group(evidence, generation->image.memory_group, worker->cell_index,
			      &generation->oom_kills[worker->cell_index]);
}

void account_memory(struct worker *worker) {
	struct engine *engine = worker->engine;

	if (worker->generation->oom_kills)
		(void)account_oom(worker);
	else
		worker->kills_before = evidence_kills(&engine->evidence, engine_now(engine));
}
