/* SPDX-License-Identifier: MIT
 *
 * A worker's end is reported before it is reaped: when the socket is full, the zombie is the queue.
 *
 * What a worker daemonised stayed with it, since it is a subreaper, and became ours in the moment
 * it died. So a child of ours that is neither a worker nor left by the preload was left by a dead
 * worker: a stranger. Strangers are killed at once, and reaped when SIGCHLD says so; nothing here
 * waits. Whose a stranger was cannot be told, so all workers that died since the last time there
 * were none are reported as swept together. A stranger that has become a process of another user
 * cannot be killed: it is logged, and nobody waits for it.
 *
 * The kernel can only list all children, so with thousands of workers each look costs more than a fork. Then
 * they are some time apart, a share of the time that one takes, and the ends of workers are reported
 * meanwhile without it.
 */
#include "zygote/reap.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/process.h"
#include "zygote/child.h"
#include "zygote/sweep.h"

/* With so many children a look is cheap. */
#define SWEEP_FEW 128
/* While something that was killed has not ended. */
#define SWEEP_AGAIN_NS     ((nsec_t)5 * NSEC_PER_MSEC)
#define SWEEP_NAMESPACE_MS 1
/* Of the time that it takes, until the next. */
#define SWEEP_SHARE 8
/* So many events are handled before the socket is looked at again. */
#define REAP_BATCH ((size_t)64)
/* Swept in pieces that fit a frame. */
#define SWEPT_BATCH ((size_t)1024)

static bool image_has_child(const struct image *image, pid_t pid) {
	for (size_t i = 0; i < image->n_children; i++)
		if (image->children[i] == pid)
			return true;
	return false;
}

static void image_remove_child(struct image *image, pid_t pid) {
	for (size_t i = 0; i < image->n_children; i++)
		if (image->children[i] == pid) {
			image->children[i] = image->children[--image->n_children];
			return;
		}
}

static bool is_stranger(struct zygote *zygote, pid_t pid) {
	return !table_find(&zygote->memory->table, pid) && !image_has_child(&zygote->image, pid) &&
	       pid != zygote->image.sandbox.init;
}

static void unkillable_note(struct zygote *zygote, pid_t pid) {
	pid_t *unkillable = zygote->memory->unkillable;

	for (size_t i = 0; i < zygote->n_unkillable; i++)
		if (unkillable[i] == pid)
			return;
	/* Without room it is not logged: it would be each time. */
	if (zygote->n_unkillable == ZYGOTE_UNKILLABLE)
		return;
	unkillable[zygote->n_unkillable++] = pid;
	log_write(&zygote->log, LOG_WARNING,
		  "zygote of %s: process %d, left by a task, is another user's now and cannot be "
		  "ended",
		  zygote->image.name, pid);
}

static void unkillable_forget(struct zygote *zygote, pid_t pid) {
	pid_t *unkillable = zygote->memory->unkillable;

	for (size_t i = 0; i < zygote->n_unkillable; i++)
		if (unkillable[i] == pid) {
			unkillable[i] = unkillable[--zygote->n_unkillable];
			return;
		}
}

static void stranger_reap(struct zygote *zygote, pid_t pid) {
	struct exit_status status = { 0 };

	if (child_is_thread(pid)) {
		(void)child_reap(pid, NULL);
		return;
	}
	if (child_reap(pid, &status) < 0)
		return;
	zygote->n_ended += !status.exited && status.signal == SIGKILL;
	image_remove_child(&zygote->image, pid);
	unkillable_forget(zygote, pid);
	zygote->suspicious = true;
}

static bool sweep_is_due(const struct zygote *zygote) {
	return zygote->memory->table.n < SWEEP_FEW || clock_now() >= zygote->next_sweep;
}

int reap_timeout(const struct zygote *zygote) {
	if (zygote->more_children && !zygote->blocked)
		return 0;
	if (zygote->n_unswept == 0 && !zygote->suspicious)
		return -1;
	/* no signal tells of the end of what another process reaps */
	if (zygote->image.sandbox.init > 0)
		return SWEEP_NAMESPACE_MS;
	return zygote->memory->table.n < SWEEP_FEW
		   ? -1
		   : clock_until_ms(clock_now(), zygote->next_sweep);
}

/* What workers in a pid namespace left: the children of its init, all of them, which reaps them itself. */
static size_t sweep_namespace(struct zygote *zygote) {
	const struct sandbox *sandbox = &zygote->image.sandbox;
	const pid_t *children;
	size_t n;

	if (sandbox->init == 0)
		return 0;
	n = sweep_children_of(sandbox->init_children, &children);
	for (size_t i = 0; i < n; i++)
		if (sweep_kill(children[i]) == 0)
			zygote->n_ended++;
	return n;
}

static size_t list_children(const struct zygote *zygote, const pid_t **ret) {
	int own = zygote->image.sandbox.own_children;

	return zygote->image.sandbox.on && own >= 0 ? sweep_children_of(own, ret)
						    : sweep_children(ret);
}

/* Kills the strangers and returns how many are about to end. Reaping one brings its children to us, at the
 * end of the list: hence the rounds. */
static size_t sweep_strangers(struct zygote *zygote) {
	nsec_t before = clock_now(), after;
	const pid_t *children;
	size_t n_alive;

	do {
		size_t n = list_children(zygote, &children);

		zygote->suspicious = false;
		n_alive = 0;
		for (size_t i = 0; i < n; i++) {
			if (!is_stranger(zygote, children[i]))
				continue;
			if (child_has_ended(children[i], NULL) == 0) {
				if (sweep_kill(children[i]) == -EPERM)
					unkillable_note(zygote, children[i]);
				else
					n_alive++;
				continue;
			}
			stranger_reap(zygote, children[i]);
		}
	} while (zygote->suspicious);
	n_alive += sweep_namespace(zygote);
	after = clock_now();
	zygote->next_sweep = after + SWEEP_SHARE * (after - before);
	if (n_alive > 0 && zygote->next_sweep < after + SWEEP_AGAIN_NS)
		zygote->next_sweep = after + SWEEP_AGAIN_NS; /* SIGCHLD tells of most */
	return n_alive;
}

/* False if the report has to wait. */
static bool worker_reap(struct zygote *zygote, struct table_entry *entry) {
	struct message report = { .type = MESSAGE_WORKER_EXITED };
	bool swept;

	if (zygote->n_unswept == LIMIT_WORKERS ||
	    child_has_ended(entry->pid, &report.worker_exited.status) != 1)
		return false;
	/* What is gone already is still to be counted, in a Swept. */
	swept = sweep_is_due(zygote) && sweep_strangers(zygote) == 0 && zygote->n_ended == 0;
	report.worker_exited.worker_id = entry->worker_id;
	report.worker_exited.pid = entry->pid;
	report.worker_exited.swept = swept;
	if (!zygote_send(zygote, &report, NULL, 0))
		return false;
	if (touch_learns(&zygote->image.touch))
		touch_learn(&zygote->image.touch, &zygote->memory->touched, zygote->cells,
			    entry->cell);
	(void)child_reap(entry->pid, NULL);
	if (!swept)
		zygote->memory->unswept[zygote->n_unswept++] = entry->worker_id;
	if (entry->report != TABLE_NOTHING)
		zygote->n_stop_reports--;
	table_remove(&zygote->memory->table, entry);
	return true;
}

static void note_stop(struct zygote *zygote, pid_t pid, enum table_report report) {
	struct table_entry *entry = table_find(&zygote->memory->table, pid);

	if (!entry)
		return;
	if (entry->report == TABLE_NOTHING)
		zygote->n_stop_reports++;
	entry->report = report;
}

static void send_stops(struct zygote *zygote) {
	for (size_t i = 0; i < LIMIT_WORKERS && zygote->n_stop_reports > 0; i++) {
		struct table_entry *entry = &zygote->memory->table.entries[i];
		struct message report = { .type = MESSAGE_WORKER_STOPPED };

		if (entry->pid == 0 || entry->report == TABLE_NOTHING)
			continue;
		report.worker_stopped.worker_id = entry->worker_id;
		report.worker_stopped.stopped = entry->report == TABLE_STOPPED;
		if (!zygote_send(zygote, &report, NULL, 0))
			return;
		entry->report = TABLE_NOTHING;
		zygote->n_stop_reports--;
	}
}

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

/* False if it has to wait. */
static bool handle_child(struct zygote *zygote, pid_t pid) {
	struct table_entry *entry;

	switch (child_look(pid, NULL)) {
	case CHILD_STOPPED:
		note_stop(zygote, pid, TABLE_STOPPED);
		return true;
	case CHILD_WENT_ON:
		note_stop(zygote, pid, TABLE_WENT_ON);
		return true;
	case CHILD_ENDED:
		entry = table_find(&zygote->memory->table, pid);
		if (entry)
			return worker_reap(zygote, entry);
		stranger_reap(zygote, pid);
		return true;
	default:
		return true;
	}
}

/* The kernel tells the children in their order, and one that stops and goes on all the time
 * would be told for ever: after some, it is the turn of others. */
static void handle_others(struct zygote *zygote) {
	struct table *table = &zygote->memory->table;

	for (size_t i = 0; i < REAP_BATCH && !zygote->blocked; i++) {
		struct table_entry *entry = table_next(table, &zygote->next_look);

		if (!entry || !handle_child(zygote, entry->pid))
			return;
	}
}

static void handle_children(struct zygote *zygote) {
	pid_t pid;

	for (size_t i = 0; i < REAP_BATCH; i++)
		if (zygote->blocked || child_next(true, &pid) != 1 || !handle_child(zygote, pid))
			return;
	handle_others(zygote);
	zygote->more_children = true;
}

void reap_children(struct zygote *zygote) {
	zygote->more_children = false;
	handle_children(zygote);
	if (!zygote->blocked)
		send_stops(zygote);
	if ((zygote->suspicious || zygote->n_unswept > 0) && sweep_is_due(zygote) &&
	    sweep_strangers(zygote) == 0 && !zygote->blocked)
		send_swept(zygote);
}

bool reap_is_done(const struct zygote *zygote) {
	return zygote->memory->table.n == 0 && zygote->n_unswept == 0;
}
