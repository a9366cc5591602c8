/* SPDX-License-Identifier: MIT
 *
 * A worker is a subreaper, so its daemons stayed with it, and became our children at the moment it
 * died. So a child of ours that is neither a worker nor left by the preload was left by a dead
 * worker: a stranger. Strangers are killed at once and reaped after SIGCHLD; nothing here waits.
 * There is no telling which worker left a stranger. One that a task made our child itself
 * (CLONE_PARENT) is found when any worker ends, or by a ping, which comes while there are tasks. A
 * stranger that runs as another user cannot be
 * killed: it is logged and not waited for.
 */
#include "zygote/strangers.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/process.h"
#include "zygote/child.h"
#include "zygote/sweep.h"

/* The next look while something that was killed has not ended. */
#define STRANGERS_AGAIN_NS     ((nsec_t)5 * NSEC_PER_MSEC)
#define STRANGERS_NAMESPACE_MS 1

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

static bool is_stranger(struct session *session, pid_t pid) {
	return !table_find(&session->memory->table, pid) &&
	       !image_has_child(&session->image, pid) && pid != session->image.sandbox.init;
}

static void unkillable_note(struct session *session, pid_t pid) {
	pid_t *unkillable = session->memory->unkillable;

	for (size_t i = 0; i < session->n_unkillable; i++)
		if (unkillable[i] == pid)
			return;
	/* If there is no room it is not logged, because it would be logged each time. */
	if (session->n_unkillable == SESSION_UNKILLABLE)
		return;
	unkillable[session->n_unkillable++] = pid;
	log_write(&session->log, LOG_WARNING,
		  "zygote of %s: process %d, left by a task, is another user's now and cannot be "
		  "ended",
		  session->image.name, pid);
}

static void unkillable_forget(struct session *session, pid_t pid) {
	pid_t *unkillable = session->memory->unkillable;

	for (size_t i = 0; i < session->n_unkillable; i++)
		if (unkillable[i] == pid) {
			unkillable[i] = unkillable[--session->n_unkillable];
			return;
		}
}

void strangers_reap(struct session *session, pid_t pid) {
	struct exit_status status = { 0 };

	if (child_is_thread(pid)) {
		(void)process_reap(pid, NULL);
		return;
	}
	if (process_reap(pid, &status) < 0)
		return;
	session->n_ended += !status.exited && status.signal == SIGKILL;
	image_remove_child(&session->image, pid);
	if (pid == session->image.sandbox.init)
		session->image.sandbox.init = 0;
	unkillable_forget(session, pid);
	session->suspicious = true;
}

bool strangers_can_be_looked_for(const struct session *session) {
	return pace_allows(&session->strangers_pace, session->memory->table.n, clock_now());
}

bool strangers_are_due(const struct session *session) {
	return (session->suspicious || session->n_unswept > 0) &&
	       strangers_can_be_looked_for(session);
}

int strangers_timeout(const struct session *session) {
	if (session->n_unswept == 0 && !session->suspicious)
		return -1;
	/* no signal tells when a process that another process reaps has ended */
	if (session->image.sandbox.init > 0)
		return STRANGERS_NAMESPACE_MS;
	return pace_timeout(&session->strangers_pace, session->memory->table.n, -1);
}

/* Kills what workers in a pid namespace left: all children of its init, which reaps them itself. */
static size_t sweep_namespace(struct session *session) {
	const struct sandbox *sandbox = &session->image.sandbox;
	struct sweep *sweep = &session->memory->sweep;
	size_t n;

	if (sandbox->init == 0)
		return 0;
	n = sweep_children_of(sweep, sandbox->init_children);
	for (size_t i = 0; i < n; i++)
		if (sweep_kill(sweep->children[i]) == 0)
			session->n_ended++;
	return n;
}

static size_t list_children(struct session *session) {
	struct sweep *sweep = &session->memory->sweep;
	int own = session->image.sandbox.own_children;

	return session->image.sandbox.on && own >= 0 ? sweep_children_of(sweep, own)
						     : sweep_children(sweep);
}

/* Returns how many are about to end. Reaping one brings its children to us, at the end of the list,
 * hence the rounds. */
static size_t kill_and_reap(struct session *session) {
	const pid_t *children = session->memory->sweep.children;
	size_t n_alive;

	do {
		size_t n = list_children(session);

		session->suspicious = false;
		n_alive = 0;
		for (size_t i = 0; i < n; i++) {
			if (!is_stranger(session, children[i]))
				continue;
			if (child_has_ended(children[i], NULL) != 0)
				strangers_reap(session, children[i]);
			else if (sweep_kill(children[i]) == -EPERM)
				unkillable_note(session, children[i]);
			else
				n_alive++;
		}
	} while (session->suspicious);
	return n_alive + sweep_namespace(session);
}

bool strangers_sweep(struct session *session) {
	nsec_t before = clock_now(), after;
	size_t n_alive = kill_and_reap(session);

	after = clock_now();
	pace_took(&session->strangers_pace, after, after - before);
	if (n_alive > 0) /* SIGCHLD reports most */
		pace_not_before(&session->strangers_pace, after + STRANGERS_AGAIN_NS);
	return n_alive == 0;
}
