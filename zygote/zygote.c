/* SPDX-License-Identifier: MIT
 *
 * The zygote: single-threaded for ever.
 *
 *                   Hello            Load                            Drain
 *     EXPECTS_HELLO -----> EXPECTS_LOAD -----> (preload, audit, freeze) -----> SERVING -----> DRAINING
 *          |  Welcome           |                  |  ImageReady                         |
 *          v Refused, exit      v                  v ImageFailed, exit                   v
 *                                                                    last worker gone: exit
 *
 * Until it serves, it reads its socket blocking and the kernel's lifeline kills it and its process
 * group if the keeper dies. While it serves, it polls socket, SIGCHLD and lifeline; the end of
 * either connection ends everything below it, then itself.
 *
 * Nothing after zygote_serve() may call malloc or stdio: what the image holds is frozen then.
 */
#include "zygote/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/process.h"
#include "zygote/aside.h"
#include "zygote/crash.h"
#include "zygote/frozen.h"
#include "zygote/launch.h"
#include "zygote/leave.h"
#include "zygote/lifeline.h"
#include "zygote/preload.h"
#include "zygote/reap.h"
#include "zygote/spawn.h"
#include "zygote/sweep.h"

/* ETOOMANYREFS is a wait that poll(2) cannot tell the end of. */
#define ZYGOTE_RETRY_MS 2
/* Threads that a waived preload left may swallow a SIGCHLD: they do not block it. */
#define ZYGOTE_THREADS_MS 50
/* Its exit code, when it has ended itself and its workers although nobody asked for that. */
#define ZYGOTE_GAVE_UP 3

static struct zygote zygote_state;

void zygote_end(struct zygote *zygote, enum log_level level, const char *why) {
	if (!zygote->ending)
		log_write(&zygote->log, level, "zygote of %s: %s: it ends", zygote->image.name,
			  why);
	zygote->ending = true;
	zygote->gave_up |= level == LOG_ERROR;
}

/* --- sending ------------------------------------------------------------------------------- */

bool zygote_send(struct zygote *zygote, const struct message *message, const int *fds,
		 size_t n_fds) {
	const struct timespec retry = { .tv_nsec = ZYGOTE_RETRY_MS * (long)NSEC_PER_MSEC };
	bool serving = zygote->state >= ZYGOTE_SERVING;
	int r;

	for (;;) {
		r = message_send(ZYGOTE_CONTROL, message, &zygote->out, zygote->memory->out_frame,
				 fds, n_fds, serving ? MSG_DONTWAIT : 0);
		if (serving || (r != WIRE_E_AGAIN && r != WIRE_E_CROWDED))
			break;
		(void)nanosleep(&retry, NULL);
	}
	if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED) {
		zygote->blocked = true;
		return false;
	}
	if (r != 0)
		zygote_end(zygote, r == WIRE_E_EOF ? LOG_INFO : LOG_ERROR,
			   "cannot send to the executor");
	return true;
}

static void zygote_answer_flush(struct zygote *zygote) {
	if (!zygote->answering)
		return;
	if (!zygote_send(zygote, &zygote->answer, zygote->answer_fds, zygote->n_answer_fds))
		return;
	fd_close_all(zygote->answer_fds, zygote->n_answer_fds);
	zygote->n_answer_fds = 0;
	zygote->answering = false;
}

void zygote_answer(struct zygote *zygote) {
	zygote->answering = true;
	zygote_answer_flush(zygote);
}

/* --- requests ------------------------------------------------------------------------------ */

static void refuse(struct zygote *zygote, const char *why) {
	zygote->answer = (struct message){
		.type = MESSAGE_REFUSED,
		.refused = { PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, why },
	};
	zygote_answer(zygote);
	zygote_end(zygote, LOG_ERROR, why);
}

static void handle_hello(struct zygote *zygote, const struct message *message,
			 struct wire_frame *frame) {
	const struct message_hello *hello = &message->hello;
	uint32_t version =
	    hello->max_version < PROTOCOL_VERSION_MAX ? hello->max_version : PROTOCOL_VERSION_MAX;

	(void)frame;
	if (strcmp(hello->nonce, zygote->nonce) != 0) {
		refuse(zygote, "the greeting is not for this process");
		return;
	}
	if (version < PROTOCOL_VERSION_MIN || version < hello->min_version) {
		refuse(zygote, "no common version of the protocol: program and library of the "
			       "image must be of one release");
		return;
	}
	zygote->state = ZYGOTE_EXPECTS_LOAD;
	zygote->answer =
	    (struct message){ .type = MESSAGE_WELCOME, .welcome = { version, getpid() } };
	zygote_answer(zygote);
}

/* A SIGCHLD that the preload ignores, waived, would have the kernel reap the workers unseen. */
static void children_become_zombies(void) {
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) < 0)
		return;
	action.sa_flags &= ~SA_NOCLDWAIT;
	if (action.sa_handler == SIG_IGN)
		action.sa_handler = SIG_DFL;
	(void)sigaction(SIGCHLD, &action, NULL);
}

/* All blocked but what a fault raises: a handler of the image must not run between two forks. */
static int zygote_signals(struct zygote *zygote) {
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t blocked, child;

	(void)sigfillset(&blocked);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		(void)sigdelset(&blocked, faults[i]);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	children_become_zombies();
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	zygote->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	return zygote->signals < 0 ? error_origin(-errno) : 0;
}

/* Sealed, or a task could make them shorter through /proc, and whoever has them mapped would die of
 * a SIGBUS: the host too. */
static bool cells_are_usable(int fd) {
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;

	return (fcntl(fd, F_GET_SEALS) & seals) == seals && fstat(fd, &status) == 0 &&
	       S_ISREG(status.st_mode) && status.st_size >= (off_t)(LIMIT_WORKERS * CELL_SIZE);
}

static void handle_load(struct zygote *zygote, const struct message *message,
			struct wire_frame *frame) {
	if (frame->n_descriptors != 1 || !cells_are_usable(frame->descriptors[0]) ||
	    (message->load.kind == IMAGE_SELF) != (zygote->self != NULL)) {
		zygote_end(zygote, LOG_ERROR, "a Load that does not fit");
		return;
	}
	zygote->cells = frame->descriptors[0];
	frame->n_descriptors = 0;
	if (!preload_run(zygote, &message->load)) {
		zygote_end(zygote, LOG_WARNING, "the image is refused");
		return;
	}
	/* All that can fail comes before the answer. */
	if (zygote_signals(zygote) < 0 || lifeline_disarm(ZYGOTE_LIFELINE) < 0) {
		zygote_end(zygote, LOG_ERROR, "cannot serve");
		return;
	}
	/* what is forked here for another purpose than a task is not meant to be filtered */
	if (zygote->image.sandbox.on)
		frozen_serve(zygote);
	if (!preload_close(zygote)) {
		zygote_end(zygote, LOG_WARNING, "the image is refused");
		return;
	}
	zygote->state = ZYGOTE_SERVING;
	zygote->look_is_due = true;
	zygote_answer(zygote);
	if (!zygote->image.sandbox.on)
		frozen_serve(zygote);
}

/* Kept in memory of its own until the sandbox is prepared. */
static void handle_policy(struct zygote *zygote, const struct wire_frame *frame) {
	struct policy *policy;
	void *memory =
	    mmap(NULL, ARENA_MESSAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (zygote->state != ZYGOTE_EXPECTS_LOAD || zygote->policy || memory == MAP_FAILED) {
		zygote_end(zygote, LOG_ERROR, "a Policy that nobody expects, or no memory for it");
		return;
	}
	arena_init(&zygote->policy_memory, memory, ARENA_MESSAGE);
	policy = arena_allocate(&zygote->policy_memory, sizeof *policy);
	/* the strings lie in the frame's buffer, which the next message overwrites: unpacking copies */
	if (!policy || policy_unpack(frame->body, frame->size, &zygote->policy_memory, policy) != 0)
		zygote_end(zygote, LOG_ERROR, "malformed policy");
	else
		zygote->policy = policy;
}

static void handle_spawn(struct zygote *zygote, const struct message *message,
			 struct wire_frame *frame) {
	if (frame->n_descriptors != message->spawn.n_workers)
		zygote_end(zygote, LOG_ERROR, "a Spawn without a channel for each worker");
	else
		spawn_workers(zygote, &message->spawn, frame);
}

/* Nobody is told of the end of a worker whose tracer is another process than its parent, so an
 * executor that misses a report asks: what the worker left, which may be the tracer, is ended. */
static void handle_ping(struct zygote *zygote, const struct message *message,
			struct wire_frame *frame) {
	(void)frame;
	zygote->suspicious = zygote->look_is_due = true;
	zygote->answer =
	    (struct message){ .type = MESSAGE_PONG, .pong.request = message->ping.request };
	frozen_look(zygote, &zygote->answer.pong.frozen);
	zygote_answer(zygote);
}

static void handle_drain(struct zygote *zygote, const struct message *message,
			 struct wire_frame *frame) {
	(void)message;
	(void)frame;
	zygote->state = ZYGOTE_DRAINING;
}

static const struct {
	uint16_t type;
	unsigned states;  /* enum zygote_state, or-ed */
	bool descriptors; /* the handler says how many; else none */
	void (*handle)(struct zygote *zygote, const struct message *message,
		       struct wire_frame *frame);
} dispatch[] = {
	{ MESSAGE_HELLO, ZYGOTE_EXPECTS_HELLO, false, handle_hello },
	{ MESSAGE_LOAD, ZYGOTE_EXPECTS_LOAD, true, handle_load },
	{ MESSAGE_SPAWN, ZYGOTE_SERVING | ZYGOTE_DRAINING, true, handle_spawn },
	{ MESSAGE_PING, ZYGOTE_SERVING | ZYGOTE_DRAINING, false, handle_ping },
	{ MESSAGE_DRAIN, ZYGOTE_SERVING | ZYGOTE_DRAINING, false, handle_drain },
};

static void zygote_dispatch(struct zygote *zygote, struct wire_frame *frame, bool truncated) {
	struct message message;

	if (frame->type == MESSAGE_POLICY && !truncated && frame->n_descriptors == 0) {
		handle_policy(zygote, frame);
		return;
	}
	arena_reset(&zygote->in);
	if (message_unpack(frame->type, frame->body, frame->size, &zygote->in, &message) != 0) {
		zygote_end(zygote, LOG_ERROR, "malformed message");
		return;
	}
	if (truncated && frame->type == MESSAGE_SPAWN && zygote->state >= ZYGOTE_SERVING) {
		spawn_refuse(zygote, &message.spawn, EMFILE, "descriptors");
		return;
	}
	for (size_t i = 0; !truncated && i < sizeof dispatch / sizeof dispatch[0]; i++)
		if (dispatch[i].type == frame->type && dispatch[i].states & zygote->state &&
		    (dispatch[i].descriptors || frame->n_descriptors == 0)) {
			dispatch[i].handle(zygote, &message, frame);
			return;
		}
	log_write(&zygote->log, LOG_ERROR, "zygote: %s is unexpected", message_name(frame->type));
	zygote_end(zygote, LOG_ERROR, "unexpected message");
}

static void zygote_receive(struct zygote *zygote, int flags) {
	struct wire_frame frame;
	int r = wire_receive(ZYGOTE_CONTROL, zygote->memory->in_frame, flags, &frame);

	if (r == WIRE_E_AGAIN)
		return;
	if (r == 0 || r == WIRE_E_TRUNCATED) {
		zygote_dispatch(zygote, &frame, r != 0);
		wire_frame_close(&frame);
		return;
	}
	zygote_end(zygote, r == WIRE_E_EOF ? LOG_INFO : LOG_ERROR,
		   "the executor's connection has ended");
}

/* --- serving ------------------------------------------------------------------------------- */

static int zygote_timeout(const struct zygote *zygote) {
	if (zygote->blocked && zygote->n_answer_fds > 0)
		return ZYGOTE_RETRY_MS;
	if (zygote->image.threads && zygote->memory->table.n > 0)
		return ZYGOTE_THREADS_MS;
	return reap_timeout(zygote);
}

enum { POLL_CONTROL, POLL_SIGNALS, POLL_LIFELINE, N_POLLS };

static void zygote_turn(struct zygote *zygote) {
	struct pollfd polls[N_POLLS] = {
		[POLL_CONTROL] = { .fd = ZYGOTE_CONTROL },
		[POLL_SIGNALS] = { .fd = zygote->signals, .events = POLLIN },
		[POLL_LIFELINE] = { .fd = ZYGOTE_LIFELINE },
	};

	if (!zygote->answering)
		polls[POLL_CONTROL].events |= POLLIN;
	if (zygote->blocked && zygote->n_answer_fds == 0)
		polls[POLL_CONTROL].events |= POLLOUT;
	if (poll(polls, N_POLLS, zygote_timeout(zygote)) < 0)
		return;
	if (polls[POLL_LIFELINE].revents)
		zygote_end(zygote, LOG_WARNING, "the keeper has gone");
	else if (polls[POLL_CONTROL].revents & (POLLHUP | POLLERR | POLLNVAL))
		zygote_end(zygote, LOG_INFO, "the executor has closed its connection");
	if (zygote->ending)
		return;
	if (polls[POLL_SIGNALS].revents)
		reap_signals(zygote);
	zygote->look_is_due |= zygote->image.threads;
	zygote->blocked = false;
	zygote_answer_flush(zygote);
	if (polls[POLL_CONTROL].revents & POLLIN && !zygote->answering)
		zygote_receive(zygote, MSG_DONTWAIT);
	reap_children(zygote);
	if (zygote->state == ZYGOTE_DRAINING && !zygote->answering && reap_is_done(zygote))
		zygote_end(zygote, LOG_INFO, "drained");
}

static void zygote_serve(struct zygote *zygote) {
	while (!zygote->ending)
		zygote_turn(zygote);
}

/* --- start and end ------------------------------------------------------------------------- */

static int zygote_start(struct zygote *zygote) {
	struct zygote_memory *memory;

	zygote->state = ZYGOTE_EXPECTS_HELLO;
	zygote->cells = zygote->signals = -1;
	aside_fill_standard();
	/* while the environment is that of the host: a policy may replace it */
	(void)feature_hidden(FEATURE_SECCOMP);
	log_init(&zygote->log, NULL, NULL);
	for (int fd = ZYGOTE_CONTROL; fd <= ZYGOTE_OUTPUT; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return error_origin(-errno);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return error_origin(-errno);
	memory =
	    mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, sizeof *memory, MADV_DONTFORK) < 0)
		return error_origin(-errno);
	zygote->memory = memory;
	table_init(&memory->table);
	arena_init(&zygote->in, memory->in_memory, sizeof memory->in_memory);
	arena_init(&zygote->out, memory->out_memory, sizeof memory->out_memory);
	return 0;
}

static _Noreturn void zygote_run(struct zygote *zygote) {
	size_t n_left;

	if (zygote_start(zygote) < 0)
		leave(2);
	while (!zygote->ending && zygote->state < ZYGOTE_SERVING)
		zygote_receive(zygote, 0);
	if (!zygote->ending)
		zygote_serve(zygote);
	/* first: it ends all that are in its namespace */
	if (zygote->image.sandbox.init > 0)
		(void)sweep_kill(zygote->image.sandbox.init);
	n_left = sweep_everything();
	if (n_left > 0)
		log_write(&zygote->log, LOG_ERROR,
			  "zygote of %s: %zu processes of another user cannot be ended",
			  zygote->image.name, n_left);
	leave(zygote->gave_up ? ZYGOTE_GAVE_UP : 0);
}

_Noreturn void zygote_run_self(int argc, char **argv, const struct wf_module *module,
			       const char *nonce) {
	static char copy[64];

	(void)snprintf(copy, sizeof copy, "%s", nonce);
	(void)unsetenv(ZYGOTE_VARIABLE);
	process_title_init(argc, argv);
	zygote_state.self = module;
	zygote_state.nonce = copy;
	zygote_run(&zygote_state);
}

_Noreturn void zygote_run_here(const char *nonce) {
	static char copy[64];

	(void)snprintf(copy, sizeof copy, "%s", nonce);
	zygote_state.nonce = copy;
	zygote_run(&zygote_state);
}

_Noreturn void zygote_run_module(int argc, char **argv) {
	const char *value = getenv(ZYGOTE_VARIABLE);
	const char *nonce = value ? strchr(value, ':') : NULL;

	if (!nonce)
		leave(2);
	zygote_run_self(argc, argv, NULL, nonce + 1);
}
