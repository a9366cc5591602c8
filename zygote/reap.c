/* SPDX-License-Identifier: MIT
 *
 * A worker's end is reported before it is reaped: when the socket is full, the zombie is the queue.
 * All workers that died since the last time there were no strangers (strangers.c) are reported as
 * swept together.
 *
 * The kernel tells of all children only by going through them, with thousands of workers for longer
 * than a fork takes. So the ends of workers are found by their signals; as signals are merged, all
 * children are looked at as well, but no more often than zygote/pace.h says. What dead workers left
 * is looked for in the same way, and the ends of workers are reported meanwhile without it.
 */
#include "zygote/reap.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "zygote/child.h"
#include "zygote/strangers.h"

/* So many events are handled before the socket is looked at again. */
#define REAP_BATCH ((size_t)64)
/* Swept in pieces that fit a frame. */
#define SWEPT_BATCH ((size_t)1024)

/* False if the report has to wait. */
static bool worker_reap(struct zygote *zygote, struct table_entry *entry,
			const struct exit_status *status) {
	struct message report = { .type = MESSAGE_WORKER_EXITED };
	bool swept;

	if (zygote->n_unswept == LIMIT_WORKERS)
		return false;
	/* What is gone already is still to be counted, in a Swept. */
	swept =
	    strangers_can_be_looked_for(zygote) && strangers_sweep(zygote) && zygote->n_ended == 0;
	report.worker_exited = (struct message_worker_exited){
		.worker_id = entry->worker_id,
		.pid = entry->pid,
		.swept = swept,
		.status = *status,
	};
	if (!zygote_send(zygote, &report, NULL, 0))
		return false;
	if (touch_learns(&zygote->image.touch))
		touch_learn(&zygote->image.touch, &zygote->memory->touched, zygote->cells,
			    entry->cell);
	(void)child_reap(entry->pid, NULL);
	if (!swept)
		zygote->memory->unswept[zygote->n_unswept++] = entry->worker_id;
	table_remove(&zygote->memory->table, entry);
	return true;
}

/* --- stops --------------------------------------------------------------------------------- */

/* Told at the end of a turn: only the last state counts. While the socket is full nothing is looked
 * at, so there is room. */
static void note_stop(struct zygote *zygote, pid_t pid, enum table_report report) {
	struct table_entry *entry = table_find(&zygote->memory->table, pid);

	if (!entry || (entry->report == TABLE_NOTHING && zygote->n_stops == LIMIT_WORKERS))
		return;
	if (entry->report == TABLE_NOTHING)
		zygote->memory->stops[zygote->n_stops++] = pid;
	entry->report = report;
}

static void send_stops(struct zygote *zygote) {
	while (zygote->n_stops > 0) {
		pid_t pid = zygote->memory->stops[zygote->n_stops - 1];
		struct table_entry *entry = table_find(&zygote->memory->table, pid);
		struct message report = { .type = MESSAGE_WORKER_STOPPED };

		if (entry && entry->report != TABLE_NOTHING) {
			report.worker_stopped.worker_id = entry->worker_id;
			report.worker_stopped.stopped = entry->report == TABLE_STOPPED;
			if (!zygote_send(zygote, &report, NULL, 0))
				return;
			entry->report = TABLE_NOTHING;
		}
		zygote->n_stops--;
	}
}

/* --- looking ------------------------------------------------------------------------------- */

/* False if it has to wait. */
static bool handle_child(struct zygote *zygote, pid_t pid) {
	struct exit_status status;
	struct table_entry *entry;

	switch (child_look(pid, &status)) {
	case CHILD_STOPPED:
		note_stop(zygote, pid, TABLE_STOPPED);
		return true;
	case CHILD_WENT_ON:
		note_stop(zygote, pid, TABLE_WENT_ON);
		return true;
	case CHILD_ENDED:
		entry = table_find(&zygote->memory->table, pid);
		if (entry)
			return worker_reap(zygote, entry, &status);
		strangers_reap(zygote, pid);
		return true;
	default:
		return true;
	}
}

/* Children of which a signal came. */
static void handle_hints(struct zygote *zygote) {
	for (size_t i = 0; i < zygote->n_hints && !zygote->blocked; i++)
		(void)handle_child(zygote, zygote->hints[i]);
	zygote->n_hints = 0;
}

/* The kernel tells the children in their order, and one that stops and goes on all the time would
 * be told for ever: after some, it is the turn of others. */
static void handle_others(struct zygote *zygote) {
	struct table *table = &zygote->memory->table;

	for (size_t i = 0; i < REAP_BATCH && !zygote->blocked; i++) {
		struct table_entry *entry = table_next(table, &zygote->next_of_table);

		if (!entry || !handle_child(zygote, entry->pid))
			return;
	}
}

/* It stays due until it has found nothing more: it may have stopped since the socket is full. */
static void handle_all(struct zygote *zygote) {
	nsec_t before, after, took = 0;
	pid_t pid;

	for (size_t i = 0; i < REAP_BATCH && !zygote->blocked; i++) {
		bool found;

		before = clock_now();
		found = child_next(true, &pid) == 1;
		after = clock_now();
		took += after - before;
		if (!found) {
			zygote->look_is_due = false;
			pace_took(&zygote->look_pace, after, took);
			return;
		}
		if (!handle_child(zygote, pid))
			return;
	}
	handle_others(zygote);
}

void reap_signals(struct zygote *zygote) {
	struct signalfd_siginfo info;

	while (read(zygote->signals, &info, sizeof info) == (ssize_t)sizeof info)
		if (zygote->n_hints < REAP_HINTS)
			zygote->hints[zygote->n_hints++] = (pid_t)info.ssi_pid;
	zygote->look_is_due = true;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void send_swept(struct zygote *zygote) {
	while (zygote->n_unswept > 0) {
		size_t n = zygote->n_unswept < SWEPT_BATCH ? zygote->n_unswept : SWEPT_BATCH;
		struct message report = { .type = MESSAGE_SWEPT };

		report.swept.worker_ids = zygote->memory->unswept + zygote->n_unswept - n;
		report.swept.n_worker_ids = n;
		report.swept.processes = zygote->n_ended;
		if (!zygote_send(zygote, &report, NULL, 0))
			return;
		zygote->n_unswept -= n;
		zygote->n_ended = 0;
	}
}

void reap_children(struct zygote *zygote) {
	handle_hints(zygote);
	if (zygote->look_is_due &&
	    pace_allows(&zygote->look_pace, zygote->memory->table.n, clock_now()))
		handle_all(zygote);
	if (!zygote->blocked)
		send_stops(zygote);
	if (strangers_are_due(zygote) && strangers_sweep(zygote) && !zygote->blocked)
		send_swept(zygote);
}

bool reap_is_done(const struct zygote *zygote) {
	return zygote->memory->table.n == 0 && zygote->n_unswept == 0;
}

int reap_timeout(const struct zygote *zygote) {
	int look = -1, strangers = strangers_timeout(zygote);

	/* else it waits for the socket */
	if (zygote->look_is_due && !zygote->blocked)
		look = pace_timeout(&zygote->look_pace, zygote->memory->table.n, 0);
	if (look < 0 || strangers < 0)
		return look < 0 ? strangers : look;
	return look < strangers ? look : strangers;
}
