/* SPDX-License-Identifier: MIT
 *
 * The table defines all transitions; tests/unit/test_worker.c goes through every pair.
 */
#include "executor/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/offload.h"

#define STAYS    WORKER_STAYS
#define BREACHES WORKER_BREACHES

/* clang-format off */
static const signed char transitions[WORKER_EVENTS][WORKER_STATES] = {
	/*                          ASKED            UNWANTED        STARTED         READY            RETIRING        LEAVING   DETAINED  ENDED       GONE */
	[WORKER_SPAWNED]        = { WORKER_STARTED,  WORKER_LEAVING, STAYS,          STAYS,           STAYS,          STAYS,    STAYS,    STAYS,      STAYS },
	[WORKER_NOT_SPAWNED]    = { WORKER_GONE,     WORKER_GONE,    STAYS,          STAYS,           STAYS,          STAYS,    STAYS,    STAYS,      STAYS },
	/* it may have been dismissed before it was ready, and does not know yet */
	[WORKER_SAID_READY]     = { BREACHES,        BREACHES,       WORKER_READY,   BREACHES,        BREACHES,       STAYS,    BREACHES, STAYS,      STAYS },
	[WORKER_SAID_UNABLE]    = { BREACHES,        BREACHES,       WORKER_LEAVING, BREACHES,        BREACHES,       STAYS,    BREACHES, STAYS,      STAYS },
	/* it may have been dismissed at the same moment; with a running task it must not say this:
	 * channel.c */
	[WORKER_SAID_LEAVING]   = { BREACHES,        BREACHES,       WORKER_LEAVING, WORKER_LEAVING,  WORKER_LEAVING, STAYS,    BREACHES, STAYS,      STAYS },
	/* Spawned comes first; the worker will find the end of its stream by itself */
	[WORKER_DISMISSED]      = { WORKER_UNWANTED, STAYS,          WORKER_LEAVING, WORKER_LEAVING,  WORKER_LEAVING, STAYS,    STAYS,    STAYS,      STAYS },
	[WORKER_DISMISSED_BUSY] = { STAYS,           STAYS,          STAYS,          WORKER_RETIRING, STAYS,          STAYS,    STAYS,    STAYS,      STAYS },
	[WORKER_EMPTIED]        = { STAYS,           STAYS,          STAYS,          STAYS,           WORKER_LEAVING, STAYS,    STAYS,    STAYS,      STAYS },
	[WORKER_LEFT_STOPPED]   = { STAYS,           STAYS,          STAYS,          WORKER_DETAINED, WORKER_DETAINED, STAYS,   STAYS,    STAYS,      STAYS },
	[WORKER_EXITED]         = { WORKER_ENDED,    WORKER_ENDED,   WORKER_ENDED,   WORKER_ENDED,    WORKER_ENDED,   WORKER_ENDED, WORKER_ENDED, STAYS, STAYS },
	[WORKER_SWEPT]          = { STAYS,           STAYS,          STAYS,          STAYS,           STAYS,          STAYS,    STAYS,    WORKER_GONE, STAYS },
};
/* clang-format on */

int worker_next(enum worker_state state, enum worker_event event) {
	return transitions[event][state];
}

bool worker_step(struct worker *worker, enum worker_event event) {
	int next = worker_next(worker->state, event);

	if (next == WORKER_BREACHES)
		return false;
	if (next != WORKER_STAYS) {
		worker->state = (enum worker_state)next;
		worker_changed(worker);
	}
	return true;
}

void worker_changed(struct worker *worker) {
	if (!list_node_is_linked(&worker->changed_link))
		list_append(&worker->engine->changed, &worker->changed_link);
}

/* --- life ---------------------------------------------------------------------------------- */

/* The cell is the low part of the id, so that a worker is found without a search; the number above
 * it is never assigned twice. */
int worker_new(struct generation *generation, uint64_t number, unsigned slot_number,
	       struct worker **ret) {
	struct worker *worker = calloc(1, sizeof *worker);
	int r;

	if (!worker)
		return error_origin(-ENOMEM);
	r = generation_cell_take(generation, &worker->cell_index);
	if (r < 0) {
		free(worker);
		return error_trace(r);
	}
	r = loop_reserve(generation->engine->loop, 1);
	if (r < 0) {
		generation_cell_give(generation, worker->cell_index);
		free(worker);
		return error_trace(r);
	}
	worker->engine = generation->engine;
	worker->generation = generation;
	worker->state = WORKER_ASKED;
	worker->id = number * LIMIT_WORKERS + worker->cell_index;
	worker->slot_number = slot_number;
	worker->pidfd = worker->channel = worker->listener_fd = -1;
	worker->cell = generation_cell(generation, worker->cell_index);
	generation->by_cell[worker->cell_index] = worker;
	list_append(&generation->workers, &worker->generation_link);
	generation->n_workers++;
	*ret = worker;
	return 0;
}

static struct worker **pid_chain(struct generation *generation, pid_t pid) {
	return &generation->by_pid[(unsigned)pid % GENERATION_PID_CHAINS];
}

static void forget_pid(struct worker *worker) {
	struct worker **at = pid_chain(worker->generation, worker->pid);

	while (*at && *at != worker)
		at = &(*at)->next_by_pid;
	if (*at)
		*at = worker->next_by_pid;
}

void worker_close_channel(struct worker *worker) {
	source_remove(&worker->source);
	/* after the end of the stream nothing is left in it, and there is nobody to send more */
	if (worker->eof)
		(void)fd_close(worker->channel);
	else if (worker->channel >= 0)
		offload_close(worker->engine->offload, &worker->channel, 1);
	worker->channel = -1;
}

void worker_free(struct worker *worker) {
	struct generation *generation = worker->generation;

	list_remove(&worker->changed_link);
	timer_clear(&worker->timer);
	source_remove(&worker->end_source);
	source_remove(&worker->listener_source);
	(void)fd_close(worker->listener_fd);
	worker_close_channel(worker);
	(void)fd_close(worker->pidfd);
	forget_pid(worker);
	generation->by_cell[worker->cell_index] = NULL;
	generation_cell_give(generation, worker->cell_index);
	list_remove(&worker->generation_link);
	generation->n_workers--;
	loop_release(worker->engine->loop, 1);
	free(worker->fault.text);
	free(worker);
}

struct worker *worker_find(const struct generation *generation, uint64_t id) {
	struct worker *worker = generation->by_cell[id % LIMIT_WORKERS];

	return worker && worker->id == id ? worker : NULL;
}

struct worker *worker_find_process(const struct generation *generation, pid_t pid) {
	struct worker *worker = generation->by_pid[(unsigned)pid % GENERATION_PID_CHAINS];

	while (worker && worker->pid != pid)
		worker = worker->next_by_pid;
	return worker;
}

/* --- facts --------------------------------------------------------------------------------- */

void worker_take_process(struct worker *worker, pid_t pid, int pidfd_take) {
	struct worker **chain = pid_chain(worker->generation, pid);

	worker->pid = pid;
	worker->pidfd = pidfd_take;
	worker->next_by_pid = *chain;
	*chain = worker;
}

void worker_set_stopped(struct worker *worker, bool stopped) {
	worker->stopped = stopped;
	worker_changed(worker);
}

void worker_blame(struct worker *worker, enum wf_phase phase, int error, const char *text) {
	if (worker->fault.phase)
		return;
	worker->fault = (struct worker_fault){ phase, error, strdup(text) };
	worker_changed(worker);
}

static bool end_is_expected(const struct worker *worker) {
	switch (worker->state) {
	case WORKER_UNWANTED:
	case WORKER_RETIRING:
	case WORKER_LEAVING:
	case WORKER_DETAINED:
		return true;
	case WORKER_ASKED:
	case WORKER_STARTED:
	case WORKER_READY:
	case WORKER_ENDED:
	case WORKER_GONE:
		return worker->stop != STOP_NONE;
	}
	return false;
}

void worker_ended(struct worker *worker, const struct exit_status *status, bool swept) {
	/* this may happen twice: a zygote reports before it reaps, and may die in between */
	if (worker->state >= WORKER_ENDED)
		return;
	worker->status_known = status != NULL;
	if (status)
		worker->status = *status;
	worker->swept = swept;
	worker->end_was_expected = worker->end_was_expected || end_is_expected(worker);
	worker->ended_early = worker->state == WORKER_ASKED || worker->state == WORKER_STARTED;
	(void)worker_step(worker, WORKER_EXITED);
}

void worker_swept(struct worker *worker) {
	if (worker->state != WORKER_ENDED)
		return;
	worker->swept = true;
	worker_changed(worker);
}

bool worker_takes_tasks(const struct worker *worker) {
	return worker->state == WORKER_READY && !worker->blocked && !worker->stopped &&
	       !worker->broken && !worker->eof && worker->stop == STOP_NONE &&
	       !worker->awaiting_exit;
}
