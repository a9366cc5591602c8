/* SPDX-License-Identifier: MIT
 *
 * We start the guard, whose child is the keeper. Neither is a child of the host, because a host
 * that waits for "any child" must never meet one that it did not start (spawn.c, docs/adr/0001). If
 * the keeper is killed, the guard ends what it has left, and then itself (docs/adr/0002): the
 * keeper is gone when both are.
 */
#include "executor/keeper_link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/offload.h"
#include "executor/one_shot.h"
#include "executor/spawn.h"
#include "executor/surroundings.h"
#include "proto/wire.h"

#define KEEPER_RECEIVE_BATCH 64
#define GUARD_PATIENCE_MS    5000 /* for it to end what a killed keeper left */

/* Room for the title in ps. */
#define TITLE_PADDING                                                                              \
	"                                                                                        "

const char *keeper_helper(const struct options *options) {
	const char *path = options->public.helper;

	if (!path && !getauxval(AT_SECURE))
		path = getenv("WARMFORK_HELPER");
	return path ? path : HELPER_INSTALLED;
}

void keeper_init(struct keeper *keeper, struct engine *engine, const struct keeper_events *events,
		 struct generations *generations) {
	*keeper = (struct keeper){ .engine = engine, .events = events, .generations = generations };
	keeper->control = keeper->pidfd = keeper->guard = -1;
}

/* --- starting it --------------------------------------------------------------------------- */

/* The start of a helper program. */
struct start {
	struct job job;
	struct engine *engine; /* a reference */
	struct keeper *keeper; /* is part of the executor, and so as old as it */
	char *path;
	char **environment; /* NULL: that of this process */
	bool session;
	int control, host; /* what the program gets */
};

static void on_guard_end(struct source *source, uint32_t events);
static void on_keeper(struct source *source, uint32_t events);
static void lose(struct keeper *keeper);

static void start_free(struct start *start) {
	if (!start)
		return;
	(void)fd_close(start->control);
	(void)fd_close(start->host);
	free(start->path);
	free(start->environment);
	(void)engine_unref(start->engine);
	free(start);
}

static int spawn_guard(const struct start *start, int *ret_guard) {
	const struct options *options = &start->engine->options;
	char program[] = "warmfork-zygote", role[] = "keeper", padding[] = TITLE_PADDING;
	char *argv[] = { program, role, padding, NULL };
	const struct spawn spawn = {
		.path = start->path,
		.argv = argv,
		.environment = start->environment,
		.first = start->control,
		.second = start->host,
		.session = start->session,
	};

	if (one_shot_is(options))
		return error_trace(
		    one_shot_fork_helper(options, start->control, start->host, ret_guard));
	return error_trace(spawn_detached(&spawn, ret_guard));
}

/* What has never said that it is ready may be any program: it has no keeper that could end what it
 * has started. Its process group is all that we know of that; before Linux 6.9 it is the program
 * alone. */
static void end_helper(int guard) {
	if (guard >= 0 && process_signal_group(guard, 0, SIGKILL) < 0)
		(void)process_signal(guard, SIGKILL);
}

/* Under the lock. Takes the guard over. */
static void started(struct keeper *keeper, int r, int guard) {
	keeper->start = NULL;
	keeper->guard = guard;
	if (r >= 0)
		r = source_add(keeper->engine->loop, &keeper->guard_source, guard, EPOLLIN,
			       on_guard_end);
	if (r >= 0) {
		keeper->engine->statistics.keeper_starts++;
		return;
	}
	keeper->start_error = -r;
	keeper->guard = fd_close(keeper->guard);
	lose(keeper);
}

/* Without the lock. The keeper may have been given up meanwhile. */
static void run_start(struct job *job) {
	struct start *start = container_of(job, struct start, job);
	struct engine *engine = start->engine;
	int guard = -1, r = 0;
	bool wanted;

	engine_lock(engine);
	wanted = start->keeper->start == start;
	engine_unlock(engine);
	if (wanted)
		r = spawn_guard(start, &guard);
	engine_lock(engine);
	if (start->keeper->start == start) {
		started(start->keeper, r, guard);
	} else {
		end_helper(guard);
		(void)fd_close(guard);
	}
	engine_ring(engine); /* for the pump */
	engine_unlock(engine);
}

static void done_start(struct job *job) {
	struct start *start = container_of(job, struct start, job);

	if (engine_is_wrecked(start->engine))
		start->control = start->host = -1;
	start_free(start);
}

/* A session of its own shields a pool from the host's terminal and its signals. Programs that the
 * user asked for may be meant to use that terminal: a process group is enough against its
 * signals. */
static int start_new(struct keeper *keeper, int *control, struct start **ret) {
	const struct options *options = &keeper->engine->options;
	struct start *start = calloc(1, sizeof *start);

	*ret = start;
	if (!start)
		return error_origin(-ENOMEM);
	start->job.kind = JOB_HOST;
	start->job.run = run_start;
	start->job.done = done_start;
	start->engine = engine_ref(keeper->engine);
	start->keeper = keeper;
	start->session = options->public.image != WF_IMAGE_COMMAND;
	start->control = fd_steal(control);
	start->path = strdup(keeper_helper(options));
	start->host = process_open(getpid());
	if (start->host < 0)
		return error_trace(start->host);
	return start->path ? error_trace(surroundings_new(options, &start->environment))
			   : error_origin(-ENOMEM);
}

int keeper_start(struct keeper *keeper) {
	struct engine *engine = keeper->engine;
	cleanup_close int peer = -1, control = -1;
	struct start *start = NULL;
	int pair[2], r;

	r = fd_seqpacket_pair(pair);
	if (r < 0)
		return error_trace(r);
	control = pair[0];
	peer = pair[1];
	r = start_new(keeper, &peer, &start);
	if (r >= 0)
		r = source_add(engine->loop, &keeper->source, control, EPOLLIN, on_keeper);
	if (r < 0) {
		start_free(start);
		return error_trace(r);
	}
	keeper->control = fd_steal(&control);
	(void)fd_identify(keeper->control, &keeper->control_file);
	keeper->pid = 0;
	keeper->running = true;
	keeper->quitting = false;
	keeper->breach = NULL;
	keeper->silent = false;
	keeper->start = start;
	keeper->start_error = 0;
	offload_add(engine->offload, &start->job);
	return 0;
}

/* --- to it --------------------------------------------------------------------------------- */

static void clear_when_gone(struct keeper *keeper);

static void on_keeper_silent(struct timer *timer, nsec_t now) {
	struct keeper *keeper = container_of(timer, struct keeper, reply_timer);

	(void)now;
	engine_log(keeper->engine, LOG_ERROR, "the keeper (%d) does not answer and is ended",
		   (int)keeper->pid);
	keeper->silent = true;
	if (keeper->pidfd >= 0)
		(void)process_signal(keeper->pidfd, SIGKILL);
	else
		(void)shutdown(keeper->control, SHUT_RDWR);
}

void keeper_expect(struct keeper *keeper) {
	struct engine *engine = keeper->engine;

	if (!keeper->running)
		return;
	keeper->n_expected++;
	(void)timer_set(
	    engine->loop, &keeper->reply_timer,
	    clock_after_ms(engine_now(engine), engine->options.public.tuning.zygote_reply_ms),
	    on_keeper_silent);
}

void keeper_answered(struct keeper *keeper) {
	if (keeper->n_expected && --keeper->n_expected == 0)
		timer_clear(&keeper->reply_timer);
}

static int send_to(struct keeper *keeper, const struct message *message, const int *fds,
		   size_t n_fds) {
	struct engine *engine = keeper->engine;

	if (!keeper->running)
		return WIRE_E_EOF;
	return message_send(keeper->control, message, &engine->arena, engine->frame, fds, n_fds,
			    MSG_DONTWAIT);
}

int keeper_start_zygote(struct keeper *keeper, const struct message_start_zygote *start,
			const int *fds, size_t n_fds) {
	struct message message = { .type = MESSAGE_START_ZYGOTE, .start_zygote = *start };

	keeper_expect(keeper);
	return send_to(keeper, &message, fds, n_fds);
}

void keeper_keep(struct keeper *keeper, uint64_t generation, const int32_t *pids, size_t n) {
	struct message message = { .type = MESSAGE_KEEP, .keep = { generation, pids, n } };

	keeper_expect(keeper);
	if (send_to(keeper, &message, NULL, 0) != 0)
		engine_log(keeper->engine, LOG_WARNING,
			   "the keeper could not be told which workers to keep");
}

void keeper_quit(struct keeper *keeper) {
	struct message message = { .type = MESSAGE_QUIT };

	keeper->quitting = true;
	keeper_expect(keeper); /* its end */
	/* The end of the stream says the same, and to us that we need not wait for a program that
	 * has not started. */
	if ((send_to(keeper, &message, NULL, 0) != 0 || keeper->start) && keeper->control >= 0)
		(void)shutdown(keeper->control, SHUT_RDWR);
}

/* --- from it ------------------------------------------------------------------------------- */

static void on_keeper_death(struct source *source, uint32_t events) {
	struct keeper *keeper = container_of(source, struct keeper, death_source);

	(void)events;
	source_remove(source);
	lose(keeper);
	clear_when_gone(keeper);
}

/* Returns false if it is not this library's keeper. */
static bool handle_ready(struct keeper *keeper, const struct message *message,
			 struct wire_frame *frame) {
	const struct message_keeper_ready *ready = &message->keeper_ready;

	if (keeper->pid || frame->n_descriptors != 1 || ready->pid <= 0 ||
	    ready->version < PROTOCOL_VERSION_MIN || ready->version > PROTOCOL_VERSION_MAX ||
	    !process_is(frame->descriptors[0], ready->pid))
		return false;
	keeper->pid = ready->pid;
	keeper->pidfd = fd_steal(&frame->descriptors[0]);
	return source_add(keeper->engine->loop, &keeper->death_source, keeper->pidfd, EPOLLIN,
			  on_keeper_death) == 0;
}

/* Its end would never be seen on another descriptor. */
static bool handle_started(struct keeper *keeper, const struct message_zygote_started *started,
			   struct wire_frame *frame) {
	int pidfd = -1;

	if (frame->n_descriptors == 1 && !process_is(frame->descriptors[0], started->pid))
		return false;
	if (frame->n_descriptors == 1)
		pidfd = fd_steal(&frame->descriptors[0]);
	keeper_answered(keeper);
	keeper->events->started(keeper, started->generation, started->pid, pidfd, started->error,
				started->step);
	return true;
}

/* Returns false if the keeper sent something that it must not send. */
static bool handle(struct keeper *keeper, const struct message *message, struct wire_frame *frame) {
	const struct keeper_events *events = keeper->events;

	if ((message->type == MESSAGE_KEEPER_READY) == (keeper->pid != 0))
		return false;
	switch ((int)message->type) {
	case MESSAGE_KEEPER_READY:
		return handle_ready(keeper, message, frame);
	case MESSAGE_ZYGOTE_STARTED:
		return handle_started(keeper, &message->zygote_started, frame);
	case MESSAGE_ZYGOTE_EXITED:
		events->exited(keeper, message->zygote_exited.generation,
			       &message->zygote_exited.status);
		return true;
	case MESSAGE_KEPT:
		keeper_answered(keeper);
		events->kept(keeper, message->kept.generation, message->kept.pids,
			     message->kept.n_pids);
		return true;
	case MESSAGE_ADOPTED_EXITED:
		events->adopted_exited(keeper, message->adopted_exited.pid,
				       &message->adopted_exited.status);
		return true;
	case MESSAGE_ADOPTED_STOPPED:
		events->adopted_stopped(keeper, message->adopted_stopped.pid,
					message->adopted_stopped.stopped);
		return true;
	default:
		return false;
	}
}

/* Returns false if nothing more can be heard from it. */
static bool take_frame(struct keeper *keeper, struct wire_frame *frame) {
	struct engine *engine = keeper->engine;
	struct message message;
	bool good;

	arena_reset(&engine->receive_arena);
	good = message_unpack(frame->type, frame->body, frame->size, &engine->receive_arena,
			      &message) == 0 &&
	       handle(keeper, &message, frame);
	if (!good) {
		keeper->breach = message_name(frame->type);
		engine_log(engine, LOG_ERROR, "the keeper sent %s, which it must not send",
			   keeper->breach);
	}
	return good;
}

static void on_keeper(struct source *source, uint32_t events) {
	struct keeper *keeper = container_of(source, struct keeper, source);
	struct wire_frame frame;

	(void)events;
	for (int i = 0; i < KEEPER_RECEIVE_BATCH && keeper->source.loop; i++) {
		int r = wire_receive(keeper->control, keeper->engine->receive_frame, MSG_DONTWAIT,
				     &frame);

		if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED)
			return;
		if ((r != 0 && r != WIRE_E_TRUNCATED) || !take_frame(keeper, &frame))
			lose(keeper);
		wire_frame_close(&frame);
	}
}

/* --- without it ---------------------------------------------------------------------------- */

static void on_guard_overdue(struct timer *timer, nsec_t now) {
	(void)now;
	(void)process_signal(container_of(timer, struct keeper, reply_timer)->guard, SIGKILL);
}

static void lose(struct keeper *keeper) {
	struct engine *engine = keeper->engine;

	if (!keeper->running)
		return;
	keeper->running = false;
	keeper->start = NULL; /* whatever comes of it finds its socket closed */
	source_remove(&keeper->source);
	timer_clear(&keeper->reply_timer);
	if (!keeper->quitting && !keeper->start_error)
		engine_log(engine, LOG_ERROR, "the keeper (%d) is lost", (int)keeper->pid);
	/* a keeper of another version ends then */
	if (keeper->breach)
		(void)shutdown(keeper->control, SHUT_RDWR);
	if (keeper->pid)
		(void)process_signal(keeper->pidfd, SIGKILL);
	else
		end_helper(keeper->guard);
	if (keeper->guard_source.loop &&
	    timer_set(engine->loop, &keeper->reply_timer,
		      clock_after_ms(engine_now(engine), GUARD_PATIENCE_MS), on_guard_overdue) < 0)
		(void)process_signal(keeper->guard, SIGKILL);
	keeper->events->lost(keeper);
	clear_when_gone(keeper);
}

/* Where we are the reaper of orphans, both became our children after all; otherwise ECHILD. */
static void reap(int pidfd) {
	siginfo_t info;

	if (pidfd >= 0)
		(void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
}

/* Losing the guard alone, because it was killed, does no harm: the keeper lives on without it. Its
 * pidfd still stands for its process group. */
static void on_guard_end(struct source *source, uint32_t events) {
	struct keeper *keeper = container_of(source, struct keeper, guard_source);

	(void)events;
	source_remove(source);
	reap(keeper->guard);
	clear_when_gone(keeper);
}

static void clear_when_gone(struct keeper *keeper) {
	if (!keeper->running && !keeper->guard_source.loop && !keeper->death_source.loop)
		keeper_clear(keeper);
}

bool keeper_is_gone(const struct keeper *keeper) {
	return !keeper->running && keeper->pidfd < 0 && keeper->guard < 0;
}

bool keeper_has_ended(const struct keeper *keeper) {
	return !keeper->running || (keeper->pidfd >= 0 && process_has_ended(keeper->pidfd));
}

void keeper_clear(struct keeper *keeper) {
	source_remove(&keeper->source);
	source_remove(&keeper->death_source);
	source_remove(&keeper->guard_source);
	timer_clear(&keeper->reply_timer);
	keeper->n_expected = 0;
	keeper->control = fd_close(keeper->control);
	reap(keeper->pidfd);
	reap(keeper->guard);
	keeper->pidfd = fd_close(keeper->pidfd);
	keeper->guard = fd_close(keeper->guard);
	keeper->running = false;
	keeper->pid = 0;
}
