/* SPDX-License-Identifier: MIT
 *
 * A worker's end is reported before it is reaped: when the socket is full, the zombie is the
 * queue. All workers that have died since there were last no strangers (strangers.c) are reported
 * as swept together.
 *
 * To find a child that has changed, the kernel goes through all of them, which with thousands of
 * workers takes longer than a fork. So the ends of workers are found by their signals. As signals
 * are merged, all children are looked at as well, but no more often than zygote/pace.h allows.
 * What dead workers left is looked for in the same way, and the ends of workers are reported
 * meanwhile without it.
 */
#include "zygote/reap.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "zygote/child.h"
#include "zygote/strangers.h"

/* The number of events that are handled before the socket is looked at again. */
#define REAP_BATCH ((size_t)64)
/* Reports of swept workers are split to fit a frame. */
#define SWEPT_BATCH ((size_t)1024)

/* Returns false if the report has to wait. */
static bool worker_reap(struct session *session, struct table_entry *entry,
			const struct exit_status *status) {
	struct message report = { .type = MESSAGE_WORKER_EXITED };
	bool swept;

	if (session->n_unswept == LIMIT_WORKERS)
		return false;
	/* Nothing may be left already, but it still has to be counted in a Swept. */
	swept = strangers_can_be_looked_for(session) && strangers_sweep(session) &&
		session->n_ended == 0;
	report.worker_exited = (struct message_worker_exited){
		.worker_id = entry->worker_id,
		.pid = entry->pid,
		.swept = swept,
		.status = *status,
	};
	if (!session_send(session, &report, NULL, 0))
		return false;
	if (touch_learns(&session->image.touch))
		touch_learn(&session->image.touch, &session->memory->touched, session->cells,
			    entry->cell);
	(void)process_reap(entry->pid, NULL);
	if (!swept)
		session->memory->unswept[session->n_unswept++] = entry->worker_id;
	table_remove(&session->memory->table, entry);
	return true;
}

/* --- stops --------------------------------------------------------------------------------- */

/* Stops are sent at the end of a turn, because only the last state counts. While the socket is full
 * no child is looked at, so there is room. */
static void note_stop(struct session *session, pid_t pid, enum child_state report) {
	struct table_entry *entry = table_find(&session->memory->table, pid);

	if (!entry || (entry->report == CHILD_RUNS && session->n_stops == LIMIT_WORKERS))
		return;
	if (entry->report == CHILD_RUNS)
		session->memory->stops[session->n_stops++] = pid;
	entry->report = report;
}

static void send_stops(struct session *session) {
	while (session->n_stops > 0) {
		pid_t pid = session->memory->stops[session->n_stops - 1];
		struct table_entry *entry = table_find(&session->memory->table, pid);
		struct message report = { .type = MESSAGE_WORKER_STOPPED };

		if (entry && entry->report != CHILD_RUNS) {
			report.worker_stopped.worker_id = entry->worker_id;
			report.worker_stopped.stopped = entry->report == CHILD_STOPPED;
			if (!session_send(session, &report, NULL, 0))
				return;
			entry->report = CHILD_RUNS;
		}
		session->n_stops--;
	}
}

/* --- looking ------------------------------------------------------------------------------- */

/* Returns false if the report has to wait. */
static bool handle_child(struct session *session, pid_t pid) {
	struct exit_status status;
	struct table_entry *entry;
	int state = child_look(pid, &status);

	switch (state) {
	case CHILD_STOPPED:
	case CHILD_WENT_ON:
		note_stop(session, pid, (enum child_state)state);
		return true;
	case CHILD_ENDED:
		entry = table_find(&session->memory->table, pid);
		if (entry)
			return worker_reap(session, entry, &status);
		strangers_reap(session, pid);
		return true;
	default:
		return true;
	}
}

/* Handles the children that a signal has named. */
static void handle_hints(struct session *session) {
	for (size_t i = 0; i < session->n_hints && !session->blocked; i++)
		(void)handle_child(session, session->hints[i]);
	session->n_hints = 0;
}

/* The kernel reports children in their order, so one that stops and goes on all the time would be
 * reported for ever. After some reports it is the others' turn. */
static void handle_others(struct session *session) {
	struct table *table = &session->memory->table;

	for (size_t i = 0; i < REAP_BATCH && !session->blocked; i++) {
		struct table_entry *entry = table_next(table, &session->next_of_table);

		if (!entry || !handle_child(session, entry->pid))
			return;
	}
}

/* The look stays due until it finds nothing more: it may have stopped because the socket
 * is full. */
static void handle_all(struct session *session) {
	nsec_t before, after, took = 0;
	pid_t pid;

	for (size_t i = 0; i < REAP_BATCH && !session->blocked; i++) {
		bool found;

		before = clock_now();
		found = child_next(true, &pid) == 1;
		after = clock_now();
		took += after - before;
		if (!found) {
			session->look_is_due = false;
			pace_took(&session->look_pace, after, took);
			return;
		}
		if (!handle_child(session, pid))
			return;
	}
	handle_others(session);
}

void reap_signals(struct session *session) {
	struct signalfd_siginfo info;

	while (read(session->signals, &info, sizeof info) == (ssize_t)sizeof info)
		if (session->n_hints < SESSION_HINTS)
			session->hints[session->n_hints++] = (pid_t)info.ssi_pid;
	session->look_is_due = true;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void send_swept(struct session *session) {
	while (session->n_unswept > 0) {
		size_t n = session->n_unswept < SWEPT_BATCH ? session->n_unswept : SWEPT_BATCH;
		struct message report = { .type = MESSAGE_SWEPT };

		report.swept.worker_ids = session->memory->unswept + session->n_unswept - n;
		report.swept.n_worker_ids = n;
		report.swept.processes = session->n_ended;
		if (!session_send(session, &report, NULL, 0))
			return;
		session->n_unswept -= n;
		session->n_ended = 0;
	}
}

void reap_children(struct session *session) {
	handle_hints(session);
	if (session->look_is_due &&
	    pace_allows(&session->look_pace, session->memory->table.n, clock_now()))
		handle_all(session);
	if (!session->blocked)
		send_stops(session);
	if (strangers_are_due(session) && strangers_sweep(session) && !session->blocked)
		send_swept(session);
}

bool reap_is_done(const struct session *session) {
	return session->memory->table.n == 0 && session->n_unswept == 0;
}

int reap_timeout(const struct session *session) {
	int look = -1, strangers = strangers_timeout(session);

	/* if blocked, it waits for the socket */
	if (session->look_is_due && !session->blocked)
		look = pace_timeout(&session->look_pace, session->memory->table.n, 0);
	if (look < 0 || strangers < 0)
		return look < 0 ? strangers : look;
	return look < strangers ? look : strangers;
}
