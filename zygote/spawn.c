/* SPDX-License-Identifier: MIT
 *
 * The C library's fork(2) is used instead of a raw clone3(2) because the atfork handlers of
 * preloaded libraries must run.
 *
 * If fork fails the zygote answers so and lives on. The channel and the worker's lifeline are
 * closed before the pidfd is opened, so that a full descriptor table cannot make that fail. If it
 * fails for another reason, the worker is in no table, and the sweep ends it as a stranger.
 */
#include "zygote/spawn.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "zygote/birth.h"
#include "zygote/frozen.h"
#include "zygote/lifeline.h"
#include "zygote/reap.h"
#include "zygote/worker.h"

static void spawned_fail(struct message_spawned_worker *ret, int r, const char *step) {
	ret->error = -r;
	ret->step = step;
}

/* Returns 0 and *ret_lifeline, or fills `ret` with the failure. */
static int spawn_check(struct session *session, struct message_spawned_worker *ret,
		       int *ret_lifeline) {
	if (session->state == SESSION_DRAINING) {
		spawned_fail(ret, -ESHUTDOWN, "drain");
		return -ESHUTDOWN;
	}
	if (table_is_full(&session->memory->table)) {
		spawned_fail(ret, -EAGAIN, "fork");
		return -EAGAIN;
	}
	/* It is opened here because a worker would first have to build its own /proc/self. */
	*ret_lifeline = -1;
	if (session->image.sandbox.init > 0)
		return 0;
	*ret_lifeline = lifeline_reopen(ZYGOTE_LIFELINE);
	if (*ret_lifeline < 0) {
		spawned_fail(ret, *ret_lifeline, "descriptors");
		return error_trace(*ret_lifeline);
	}
	return 0;
}

/* Returns the pidfd, or a negative errno that `ret` has too. Closes *channel. */
static int spawn_one(struct session *session, const struct message_spawn_worker *entry,
		     int *channel, struct message_spawned_worker *ret) {
	/* On the stack: the child does not have session->memory. */
	struct worker_start start = {
		.worker_id = entry->worker_id,
		.slot = entry->slot,
		.cell = entry->cell,
		.max_tasks = entry->max_tasks,
		.cpu = entry->cpu,
		.channel = *channel,
		.cells = session->cells,
		.image = &session->image,
	};
	pid_t pid;
	int r;

	r = spawn_check(session, ret, &start.lifeline);
	if (r < 0)
		return error_trace(r);
	r = cgroup_open(&session->image.sandbox.cgroup, entry->cell, &start.group);
	if (r < 0) {
		fd_close(start.lifeline);
		spawned_fail(ret, r, "control group");
		return error_trace(r);
	}
	pid = fork();
	if (pid == 0)
		worker_run(&start);
	r = pid < 0 ? error_origin(-errno) : 0;
	cgroup_close(&start.group);
	fd_close(start.lifeline);
	*channel = fd_close(*channel);
	if (r < 0) {
		spawned_fail(ret, r, "fork");
		return r;
	}
	r = process_open(pid);
	if (r < 0) {
		spawned_fail(ret, r, "pidfd");
		session->suspicious = true;
		return error_trace(r);
	}
	table_add(&session->memory->table, pid, entry->worker_id, entry->cell);
	ret->pid = pid;
	return r;
}

static void spawned_answer(struct session *session, const struct message_spawn *request) {
	session->answer = (struct message){
		.type = MESSAGE_SPAWNED,
		.spawned = { request->request, session->memory->spawned, request->n_workers },
	};
	session->answer.spawned.frozen = session->frozen;
	session->frozen.known = false;
	session_answer(session);
	frozen_forked(session, (unsigned)request->n_workers);
}

void spawn_workers(struct session *session, const struct message_spawn *request,
		   struct wire_frame *frame) {
	session->n_answer_fds = 0;
	for (size_t i = 0; i < request->n_workers; i++) {
		struct message_spawned_worker *spawned = &session->memory->spawned[i];
		int pidfd;

		*spawned = (struct message_spawned_worker){
			.worker_id = request->workers[i].worker_id,
			.step = "",
		};
		pidfd = spawn_one(session, &request->workers[i], &frame->descriptors[i], spawned);
		if (pidfd >= 0)
			session->answer_fds[session->n_answer_fds++] = pidfd;
	}
	spawned_answer(session, request);
}

void spawn_refuse(struct session *session, const struct message_spawn *request, int error,
		  const char *step) {
	for (size_t i = 0; i < request->n_workers; i++)
		session->memory->spawned[i] = (struct message_spawned_worker){
			.worker_id = request->workers[i].worker_id,
			.error = error,
			.step = step,
		};
	spawned_answer(session, request);
}
