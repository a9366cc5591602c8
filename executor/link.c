/* SPDX-License-Identifier: MIT
 *
 * The end of a zygote's socket proves nothing; the keeper reports the end of the process
 * (custody.c).
 */
#include "executor/link.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/claim.h"
#include "executor/stop.h"
#include "proto/wire.h"

#define LINK_RECEIVE_BATCH 64
#define RETRY_MS           5 /* before looking again for room for descriptors in flight */

/* --- sending ------------------------------------------------------------------------------- */

static void on_retry(struct timer *timer, nsec_t now) {
	(void)now;
	container_of(timer, struct generation, retry_timer)->blocked = false;
}

int link_send(struct generation *generation, const struct message *message, const int *fds,
	      size_t n_fds) {
	struct engine *engine = generation->engine;
	int r = message_send(generation->control, message, &engine->arena, engine->frame, fds,
			     n_fds, MSG_DONTWAIT);

	if (r == WIRE_E_AGAIN) {
		generation->blocked = true;
		(void)source_modify(&generation->source, EPOLLIN | EPOLLOUT);
	} else if (r == WIRE_E_CROWDED) {
		/* too many descriptors in flight (unix(7), ETOOMANYREFS): no event tells when that
		 * changes */
		generation->blocked =
		    timer_set(engine->loop, &generation->retry_timer,
			      clock_after_ms(engine_now(engine), RETRY_MS), on_retry) == 0;
	}
	return r;
}

/* --- liveness ------------------------------------------------------------------------------ */

/* Unless a worker is ready and idle, or detained, something waits for what the zygote will say
 * about it. */
static bool is_quiet(const struct worker *worker) {
	return worker->state == WORKER_DETAINED ||
	       (worker->state == WORKER_READY && claim_outstanding(worker) == 0 && !worker->eof &&
		!worker->broken && worker->stop == STOP_NONE);
}

static bool has_work(const struct generation *generation) {
	workers_foreach (worker, generation)
		if (!is_quiet(worker))
			return true;
	return false;
}

static void on_ping_timer(struct timer *timer, nsec_t now);

static void arm_ping(struct generation *generation, nsec_t now) {
	struct engine *engine = generation->engine;

	(void)timer_set(engine->loop, &generation->ping_timer,
			clock_after_ms(now, engine->options.public.tuning.zygote_reply_ms / 2),
			on_ping_timer);
}

static void on_ping_timer(struct timer *timer, nsec_t now) {
	struct generation *generation = container_of(timer, struct generation, ping_timer);
	struct message message = { .type = MESSAGE_PING, .ping = { ++generation->n_requests } };
	int r;

	if (generation->state == GENERATION_LOST || !has_work(generation))
		return;
	if (generation->pinged && !generation->heard) {
		engine_log(generation->engine, LOG_ERROR,
			   "zygote %d does not answer and is replaced", (int)generation->pid);
		generation_kill(generation);
		return;
	}
	workers_foreach (worker, generation)
		channel_check(worker, now);
	generation->heard = false;
	/* one that our own want of memory kept back asks for no answer */
	r = link_send(generation, &message, NULL, 0);
	generation->pinged = r == 0 || r == WIRE_E_AGAIN;
	arm_ping(generation, now);
}

static void watch(struct generation *generation) {
	if (generation->ping_timer.loop || generation->state == GENERATION_LOST)
		return;
	generation->pinged = false;
	arm_ping(generation, engine_now(generation->engine));
}

void link_settle(struct generation *generation) {
	if (!has_work(generation))
		timer_clear(&generation->ping_timer);
}

void link_watch(const struct worker *worker) {
	if (!is_quiet(worker))
		watch(worker->generation);
}

/* --- asking for workers -------------------------------------------------------------------- */

/* If `error` is 0, the workers have not failed: the pump asks again when the zygote can be
 * asked. */
static void not_spawned(struct generation *generation, const struct message_spawn_worker *workers,
			size_t n, int error) {
	char text[160];

	(void)snprintf(text, sizeof text, "asking the zygote for a worker: %s",
		       strerrordesc_np(error));
	for (size_t i = 0; i < n; i++) {
		struct worker *worker = worker_find(generation, workers[i].worker_id);

		if (!worker)
			continue;
		if (error)
			worker_blame(worker, WF_PHASE_FORK, error, text);
		(void)worker_step(worker, WORKER_NOT_SPAWNED);
	}
}

void link_spawn(struct generation *generation, const struct message_spawn_worker *workers,
		const int *peers, size_t n) {
	struct message message = {
		.type = MESSAGE_SPAWN,
		.spawn = { ++generation->n_requests, workers, n },
	};
	int r = link_send(generation, &message, peers, n);

	watch(generation);
	if (r == WIRE_E_EOF)
		generation->blocked = true; /* the report of its end takes over from here */
	if (r != 0)
		not_spawned(generation, workers, n, r < 0 ? -r : 0);
}

void link_drain(struct generation *generation) {
	struct message message = { .type = MESSAGE_DRAIN };

	if (link_send(generation, &message, NULL, 0) != 0)
		engine_log(generation->engine, LOG_WARNING, "zygote %d could not be told to drain",
			   (int)generation->pid);
}

/* --- receiving ----------------------------------------------------------------------------- */

static bool handle_welcome(struct generation *generation, const struct message *message,
			   struct wire_frame *frame) {
	const struct message_welcome *welcome = &message->welcome;

	(void)frame;
	if (generation->welcome || welcome->version < PROTOCOL_VERSION_MIN ||
	    welcome->version > PROTOCOL_VERSION_MAX)
		return false;
	generation->welcome = true;
	return true;
}

static bool handle_refused(struct generation *generation, const struct message *message,
			   struct wire_frame *frame) {
	(void)frame;
	if (generation->welcome)
		return false;
	generation_fail(generation, WF_PHASE_LAUNCH, 0, "%s", message->refused.text);
	return true;
}

static bool handle_image_ready(struct generation *generation, const struct message *message,
			       struct wire_frame *frame) {
	bool listener = message->image_ready.listener;

	if (generation->state != GENERATION_LOADING || generation->image_ready ||
	    frame->n_descriptors != (listener ? 1 : 0))
		return false;
	if (listener)
		generation->listener_fd = fd_steal(&frame->descriptors[0]);
	if (generation_take_image(generation, &message->image_ready) < 0) {
		generation_fail(generation, WF_PHASE_PRELOAD, ENOMEM,
				"no memory for the image's facts");
		generation_kill(generation);
		return true;
	}
	generation->image_ready = true;
	return true;
}

static bool handle_image_failed(struct generation *generation, const struct message *message,
				struct wire_frame *frame) {
	(void)frame;
	if (generation->state != GENERATION_LOADING)
		return false;
	generation_take_failure(generation, &message->image_failed);
	return true;
}

static void note_frozen(struct generation *generation, const struct message_frozen *frozen) {
	if (!frozen->known)
		return;
	generation->image.freeze.freezes = frozen->freezes;
	generation->image.freeze.dirtied = frozen->dirtied;
}

static bool handle_pong(struct generation *generation, const struct message *message,
			struct wire_frame *frame) {
	(void)frame;
	note_frozen(generation, &message->pong.frozen);
	return true;
}

static void worker_failed(struct worker *worker, const struct message_spawned_worker *spawned) {
	char text[160];

	(void)snprintf(text, sizeof text, "%s: %s", spawned->step, strerrordesc_np(spawned->error));
	worker->engine->statistics.fork_failures++;
	if (worker->state == WORKER_ASKED)
		worker_blame(worker, WF_PHASE_FORK, spawned->error, text);
	(void)worker_step(worker, WORKER_NOT_SPAWNED);
}

static void worker_spawned(struct worker *worker, const struct message_spawned_worker *spawned,
			   int *pidfd) {
	int fd = fd_steal(pidfd);

	if (fd < 0)
		fd = process_open(spawned->pid); /* its parent has not reaped it: no reuse */
	worker_take_process(worker, spawned->pid, fd);
	worker->engine->statistics.forks++;
	(void)worker_step(worker, WORKER_SPAWNED);
	if (worker->pidfd >= 0 && channel_listen(worker) >= 0)
		return;
	engine_log(worker->engine, LOG_WARNING,
		   "no free descriptor for worker %d, which is told to leave (RLIMIT_NOFILE)",
		   (int)worker->pid);
	worker_blame(worker, WF_PHASE_FORK, EMFILE,
		     "no free descriptor for a worker (RLIMIT_NOFILE)");
}

static bool handle_spawned(struct generation *generation, const struct message *message,
			   struct wire_frame *frame) {
	size_t next = 0;

	note_frozen(generation, &message->spawned.frozen);
	for (size_t i = 0; i < message->spawned.n_workers; i++) {
		const struct message_spawned_worker *spawned = &message->spawned.workers[i];
		struct worker *worker = worker_find(generation, spawned->worker_id);
		int none = -1;
		int *pidfd = !spawned->error && next < frame->n_descriptors
				 ? &frame->descriptors[next++]
				 : &none;

		if (!worker || (worker->state != WORKER_ASKED && worker->state != WORKER_UNWANTED))
			continue;
		if (spawned->error)
			worker_failed(worker, spawned);
		else
			worker_spawned(worker, spawned, pidfd);
	}
	return true;
}

static bool handle_worker_exited(struct generation *generation, const struct message *message,
				 struct wire_frame *frame) {
	const struct message_worker_exited *exited = &message->worker_exited;
	struct worker *worker = worker_find(generation, exited->worker_id);

	(void)frame;
	if (!worker)
		return true;
	if (exit_status_is_kill(&exited->status) && worker->stop == STOP_NONE &&
	    keeper_has_ended(generation->keeper)) {
		worker->end_was_expected = true; /* it was ended because its keeper is gone */
		worker_ended(worker, NULL, exited->swept);
	} else {
		worker_ended(worker, &exited->status, exited->swept);
	}
	return true;
}

static bool handle_worker_stopped(struct generation *generation, const struct message *message,
				  struct wire_frame *frame) {
	struct worker *worker = worker_find(generation, message->worker_stopped.worker_id);

	(void)frame;
	if (worker)
		worker_set_stopped(worker, message->worker_stopped.stopped);
	return true;
}

static bool handle_swept(struct generation *generation, const struct message *message,
			 struct wire_frame *frame) {
	(void)frame;
	generation->engine->statistics.swept += message->swept.processes;
	for (size_t i = 0; i < message->swept.n_worker_ids; i++) {
		struct worker *worker = worker_find(generation, message->swept.worker_ids[i]);

		if (worker)
			worker_swept(worker);
	}
	return true;
}

static const struct {
	uint16_t type;
	bool welcome; /* only after Welcome */
	bool (*handle)(struct generation *generation, const struct message *message,
		       struct wire_frame *frame);
} dispatch[] = {
	{ MESSAGE_WELCOME, false, handle_welcome },
	{ MESSAGE_REFUSED, false, handle_refused },
	{ MESSAGE_IMAGE_READY, true, handle_image_ready },
	{ MESSAGE_IMAGE_FAILED, true, handle_image_failed },
	{ MESSAGE_SPAWNED, true, handle_spawned },
	{ MESSAGE_WORKER_EXITED, true, handle_worker_exited },
	{ MESSAGE_WORKER_STOPPED, true, handle_worker_stopped },
	{ MESSAGE_SWEPT, true, handle_swept },
	{ MESSAGE_PONG, true, handle_pong },
};

static bool handle(struct generation *generation, const struct message *message,
		   struct wire_frame *frame) {
	for (size_t i = 0; i < sizeof dispatch / sizeof dispatch[0]; i++)
		if (dispatch[i].type == (uint16_t)message->type)
			return (generation->welcome || !dispatch[i].welcome) &&
			       dispatch[i].handle(generation, message, frame);
	return false;
}

static void receive_one(struct generation *generation, struct wire_frame *frame) {
	struct engine *engine = generation->engine;
	struct message message;
	int r;

	arena_reset(&engine->receive_arena);
	generation->heard = true;
	r = message_unpack(frame->type, frame->body, frame->size, &engine->receive_arena, &message);
	if (r != 0 || !handle(generation, &message, frame)) {
		engine_log(engine, LOG_ERROR,
			   "zygote %d sent %s, which it must not send, and is replaced",
			   (int)generation->pid, message_name(frame->type));
		if (generation->state == GENERATION_LOADING)
			generation_fail(generation, WF_PHASE_LAUNCH, EPROTO,
					"its zygote sent %s, which it must not send",
					message_name(frame->type));
		source_remove(&generation->source);
		generation_kill(generation);
	}
}

/* Returns true if there may be more. */
static bool link_receive(struct generation *generation) {
	struct wire_frame frame;

	for (int i = 0; i < LINK_RECEIVE_BATCH && generation->source.loop; i++) {
		int r = wire_receive(generation->control, generation->engine->receive_frame,
				     MSG_DONTWAIT, &frame);

		if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED)
			return false;
		if (r == 0 || r == WIRE_E_TRUNCATED) {
			receive_one(generation, &frame);
		} else {
			source_remove(&generation->source);
			/* it may live on without its socket; its end is reported either way */
			generation_kill(generation);
		}
		wire_frame_close(&frame);
	}
	return generation->source.loop;
}

static void on_control(struct source *source, uint32_t events) {
	struct generation *generation = container_of(source, struct generation, source);

	if (events & EPOLLOUT) {
		generation->blocked = false;
		(void)source_modify(&generation->source, EPOLLIN);
	}
	(void)link_receive(generation);
}

int link_listen(struct generation *generation) {
	return error_trace(source_add(generation->engine->loop, &generation->source,
				      generation->control, EPOLLIN, on_control));
}

/* --- the end ------------------------------------------------------------------------------- */

/* The keeper takes over the workers that live, and the init of their pid namespace, which ends with
 * them. */
static size_t list_living(struct generation *generation, int32_t *pids, size_t room) {
	size_t n = 0;

	workers_foreach (worker, generation)
		if (worker->state == WORKER_ASKED || worker->state == WORKER_UNWANTED)
			/* if it was forked, that was not reported: the keeper ends it */
			(void)worker_step(worker, WORKER_NOT_SPAWNED);
		else if (worker->state < WORKER_ENDED && n < room)
			pids[n++] = worker->pid;
	if (n > 0 && n < room && generation->init > 0)
		pids[n++] = generation->init;
	return n;
}

void link_finish(struct generation *generation, struct keeper *keeper) {
	int32_t pids[LIMIT_WORKERS];
	size_t n;

	while (link_receive(generation))
		; /* everything it sent before its end */
	n = list_living(generation, pids, LIMIT_WORKERS);
	keeper_keep(keeper, generation->number, pids, n);
}
