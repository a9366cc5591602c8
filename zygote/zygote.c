/* SPDX-License-Identifier: MIT
 *
 * The zygote is single-threaded for its whole life.
 *
 *                   Hello               Load                                         Drain
 *     EXPECTS_HELLO -----> EXPECTS_LOAD ----> (preload, audit, freeze) ----> SERVING ----> DRAINING
 *          |  Welcome           |                 |  ImageReady                                |
 *          v Refused, exit      v                 v ImageFailed, exit                          v
 *                                                                            last worker gone: exit
 *
 * Until it serves, it reads its socket blocking, and the kernel's lifeline kills it and its process
 * group if the keeper dies. While it serves, it polls socket, SIGCHLD and lifeline; when the socket
 * or the lifeline ends, it ends everything below it and then itself.
 *
 * Nothing after zygote_serve() may call malloc or stdio, because what the image holds
 * is frozen then.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "base/process.h"
#include "zygote/aside.h"
#include "zygote/birth.h"
#include "zygote/child.h"
#include "zygote/crash.h"
#include "zygote/frozen.h"
#include "zygote/lifeline.h"
#include "zygote/preload.h"
#include "zygote/reap.h"
#include "zygote/session.h"
#include "zygote/spawn.h"
#include "zygote/sweep.h"

/* Threads that a waived preload left do not block SIGCHLD and may swallow one. */
#define ZYGOTE_THREADS_MS 50
/* The exit code if it has ended itself and its workers without being asked to. */
#define ZYGOTE_GAVE_UP 3

/* A process is at most one zygote. */
static struct session zygote_session;

/* --- requests ------------------------------------------------------------------------------ */

static void refuse(struct session *session, const char *why) {
	session->answer = (struct message){
		.type = MESSAGE_REFUSED,
		.refused = { PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, why },
	};
	session_answer(session);
	session_end(session, LOG_ERROR, why);
}

static void handle_hello(struct session *session, const struct message *message,
			 struct wire_frame *frame) {
	const struct message_hello *hello = &message->hello;
	uint32_t version =
	    hello->max_version < PROTOCOL_VERSION_MAX ? hello->max_version : PROTOCOL_VERSION_MAX;

	(void)frame;
	if (strcmp(hello->nonce, session->nonce) != 0) {
		refuse(session, "the greeting is not for this process");
		return;
	}
	if (version < PROTOCOL_VERSION_MIN || version < hello->min_version) {
		refuse(session, "no common version of the protocol: program and library of the "
				"image must be of one release");
		return;
	}
	session->state = SESSION_EXPECTS_LOAD;
	session->answer =
	    (struct message){ .type = MESSAGE_WELCOME, .welcome = { version, getpid() } };
	session_answer(session);
}

/* If a waived preload ignored SIGCHLD, the kernel would reap the workers unseen. */
static void children_become_zombies(void) {
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) < 0)
		return;
	action.sa_flags &= ~SA_NOCLDWAIT;
	if (action.sa_handler == SIG_IGN)
		action.sa_handler = SIG_DFL;
	(void)sigaction(SIGCHLD, &action, NULL);
}

/* Blocks all signals but those that a fault raises: a handler of the image must not run between
 * two forks. */
static int zygote_signals(struct session *session) {
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t blocked;

	(void)sigfillset(&blocked);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		(void)sigdelset(&blocked, faults[i]);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	children_become_zombies();
	session->signals = child_signals();
	return session->signals < 0 ? error_trace(session->signals) : 0;
}

/* The cells must be sealed. Otherwise a task could shrink the file through /proc, and every process
 * that maps it, even the host, would die of SIGBUS. */
static bool cells_are_usable(int fd) {
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;

	return (fcntl(fd, F_GET_SEALS) & seals) == seals && fstat(fd, &status) == 0 &&
	       S_ISREG(status.st_mode) && status.st_size >= (off_t)(LIMIT_WORKERS * CELL_SIZE);
}

static void handle_load(struct session *session, const struct message *message,
			struct wire_frame *frame) {
	if (frame->n_descriptors != 1 || !cells_are_usable(frame->descriptors[0]) ||
	    (message->load.kind == IMAGE_SELF) != (session->self != NULL)) {
		session_end(session, LOG_ERROR, "a Load message that does not fit this zygote");
		return;
	}
	session->cells = frame->descriptors[0];
	frame->n_descriptors = 0;
	if (!preload_run(session, &message->load)) {
		session_end(session, LOG_WARNING, "the image is refused");
		return;
	}
	/* Everything that can fail comes before the answer. */
	if (zygote_signals(session) < 0 || lifeline_disarm(ZYGOTE_LIFELINE) < 0) {
		session_end(session, LOG_ERROR, "cannot serve");
		return;
	}
	/* children that are forked here for a purpose other than a task must not be filtered */
	if (session->image.sandbox.on)
		frozen_serve(session);
	if (!preload_close(session)) {
		session_end(session, LOG_WARNING, "the image is refused");
		return;
	}
	session->state = SESSION_SERVING;
	session->look_is_due = true;
	session_answer(session);
	if (!session->image.sandbox.on)
		frozen_serve(session);
}

/* Keeps the policy in memory of its own until the sandbox is prepared. */
static void handle_policy(struct session *session, const struct wire_frame *frame) {
	struct policy *policy;
	void *memory =
	    mmap(NULL, ARENA_MESSAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (session->state != SESSION_EXPECTS_LOAD || session->policy || memory == MAP_FAILED) {
		session_end(session, LOG_ERROR,
			    "an unexpected Policy message, or no memory for it");
		return;
	}
	arena_init(&session->policy_memory, memory, ARENA_MESSAGE);
	policy = arena_allocate(&session->policy_memory, sizeof *policy);
	/* the next message overwrites the frame's buffer, where the strings lie; unpacking
	 * copies them */
	if (!policy ||
	    policy_unpack(frame->body, frame->size, &session->policy_memory, policy) != 0)
		session_end(session, LOG_ERROR, "malformed policy");
	else
		session->policy = policy;
}

static void handle_spawn(struct session *session, const struct message *message,
			 struct wire_frame *frame) {
	if (frame->n_descriptors != message->spawn.n_workers)
		session_end(session, LOG_ERROR,
			    "a Spawn message without a channel for each worker");
	else
		spawn_workers(session, &message->spawn, frame);
}

/* If a worker's tracer is not its parent, the zygote is not told of its end. So an executor that
 * lacks a report asks, and what the worker left, which may include the tracer, is ended. */
static void handle_ping(struct session *session, const struct message *message,
			struct wire_frame *frame) {
	(void)frame;
	session->suspicious = session->look_is_due = true;
	session->answer =
	    (struct message){ .type = MESSAGE_PONG, .pong.request = message->ping.request };
	frozen_look(session, &session->answer.pong.frozen);
	session_answer(session);
}

static void handle_drain(struct session *session, const struct message *message,
			 struct wire_frame *frame) {
	(void)message;
	(void)frame;
	session->state = SESSION_DRAINING;
}

static const struct {
	uint16_t type;
	unsigned states;  /* enum session_state, or-ed */
	bool descriptors; /* the handler checks how many; else none are allowed */
	void (*handle)(struct session *session, const struct message *message,
		       struct wire_frame *frame);
} dispatch[] = {
	{ MESSAGE_HELLO, SESSION_EXPECTS_HELLO, false, handle_hello },
	{ MESSAGE_LOAD, SESSION_EXPECTS_LOAD, true, handle_load },
	{ MESSAGE_SPAWN, SESSION_SERVING | SESSION_DRAINING, true, handle_spawn },
	{ MESSAGE_PING, SESSION_SERVING | SESSION_DRAINING, false, handle_ping },
	{ MESSAGE_DRAIN, SESSION_SERVING | SESSION_DRAINING, false, handle_drain },
};

static void zygote_dispatch(struct session *session, struct wire_frame *frame, bool truncated) {
	struct message message;

	if (frame->type == MESSAGE_POLICY && !truncated && frame->n_descriptors == 0) {
		handle_policy(session, frame);
		return;
	}
	arena_reset(&session->in);
	if (message_unpack(frame->type, frame->body, frame->size, &session->in, &message) != 0) {
		session_end(session, LOG_ERROR, "malformed message");
		return;
	}
	if (truncated && frame->type == MESSAGE_SPAWN && session->state >= SESSION_SERVING) {
		spawn_refuse(session, &message.spawn, EMFILE, "descriptors");
		return;
	}
	for (size_t i = 0; !truncated && i < sizeof dispatch / sizeof dispatch[0]; i++)
		if (dispatch[i].type == frame->type && dispatch[i].states & session->state &&
		    (dispatch[i].descriptors || frame->n_descriptors == 0)) {
			dispatch[i].handle(session, &message, frame);
			return;
		}
	log_write(&session->log, LOG_ERROR, "zygote: %s is unexpected", message_name(frame->type));
	session_end(session, LOG_ERROR, "unexpected message");
}

static void zygote_receive(struct session *session, int flags) {
	struct wire_frame frame;
	int r = wire_receive(ZYGOTE_CONTROL, session->memory->in_frame, flags, &frame);

	if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED)
		return;
	if (r == 0 || r == WIRE_E_TRUNCATED)
		zygote_dispatch(session, &frame, r != 0);
	else
		session_end(session, r == WIRE_E_EOF ? LOG_INFO : LOG_ERROR,
			    "the executor's connection has ended");
	wire_frame_close(&frame);
}

/* --- serving ------------------------------------------------------------------------------- */

static int zygote_timeout(const struct session *session) {
	if (session->blocked && session->n_answer_fds > 0)
		return SESSION_RETRY_MS;
	if (session->image.threads && session->memory->table.n > 0)
		return ZYGOTE_THREADS_MS;
	return reap_timeout(session);
}

enum { POLL_CONTROL, POLL_SIGNALS, POLL_LIFELINE, N_POLLS };

static void zygote_turn(struct session *session) {
	struct pollfd polls[N_POLLS] = {
		[POLL_CONTROL] = { .fd = ZYGOTE_CONTROL },
		[POLL_SIGNALS] = { .fd = session->signals, .events = POLLIN },
		[POLL_LIFELINE] = { .fd = ZYGOTE_LIFELINE },
	};

	if (!session->answering)
		polls[POLL_CONTROL].events |= POLLIN;
	if (session->blocked && session->n_answer_fds == 0)
		polls[POLL_CONTROL].events |= POLLOUT;
	if (poll(polls, N_POLLS, zygote_timeout(session)) < 0)
		return;
	if (polls[POLL_LIFELINE].revents)
		session_end(session, LOG_WARNING, "the keeper has gone");
	else if (polls[POLL_CONTROL].revents & (POLLHUP | POLLERR | POLLNVAL))
		session_end(session, LOG_INFO, "the executor has closed its connection");
	if (session->ending)
		return;
	if (polls[POLL_SIGNALS].revents)
		reap_signals(session);
	session->look_is_due |= session->image.threads;
	session->blocked = false;
	session_flush(session);
	if (polls[POLL_CONTROL].revents & POLLIN && !session->answering)
		zygote_receive(session, MSG_DONTWAIT);
	reap_children(session);
	if (session->state == SESSION_DRAINING && !session->answering && reap_is_done(session))
		session_end(session, LOG_INFO, "drained");
}

static void zygote_serve(struct session *session) {
	while (!session->ending)
		zygote_turn(session);
}

/* --- start and end ------------------------------------------------------------------------- */

static int zygote_start(struct session *session) {
	struct session_memory *memory;

	session->state = SESSION_EXPECTS_HELLO;
	session->cells = session->signals = -1;
	aside_fill_standard();
	/* read while the environment is still the host's: a policy may replace it */
	(void)feature_hidden(FEATURE_SECCOMP);
	log_init(&session->log, NULL, NULL);
	for (int fd = ZYGOTE_CONTROL; fd <= ZYGOTE_OUTPUT; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return error_origin(-errno);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return error_origin(-errno);
	memory =
	    mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, sizeof *memory, MADV_DONTFORK) < 0)
		return error_origin(-errno);
	session->memory = memory;
	table_init(&memory->table);
	arena_init(&session->in, memory->in_memory, sizeof memory->in_memory);
	arena_init(&session->out, memory->out_memory, sizeof memory->out_memory);
	return 0;
}

static _Noreturn void zygote_run(struct session *session) {
	size_t n_left;

	if (zygote_start(session) < 0)
		leave(2);
	while (!session->ending && session->state < SESSION_SERVING)
		zygote_receive(session, 0);
	if (!session->ending)
		zygote_serve(session);
	/* first, because it ends everything in its namespace */
	if (session->image.sandbox.init > 0)
		(void)sweep_kill(session->image.sandbox.init);
	n_left = sweep_everything(&session->memory->sweep);
	if (n_left > 0)
		log_write(&session->log, LOG_ERROR,
			  "zygote of %s: %zu processes of another user cannot be ended",
			  session->image.name, n_left);
	leave(session->gave_up ? ZYGOTE_GAVE_UP : 0);
}

/* `module` is NULL if one is to be loaded. */
static struct session *zygote_session_for(const struct wf_module *module, const char *nonce) {
	struct session *session = &zygote_session;

	session->self = module;
	(void)snprintf(session->nonce, sizeof session->nonce, "%s", nonce);
	return session;
}

_Noreturn void zygote_run_self(int argc, char **argv, const struct wf_module *module,
			       const char *nonce) {
	struct session *session = zygote_session_for(module, nonce);

	(void)unsetenv(ZYGOTE_VARIABLE);
	process_title_init(argc, argv);
	zygote_run(session);
}

_Noreturn void zygote_run_here(const char *nonce) {
	zygote_run(zygote_session_for(NULL, nonce));
}

_Noreturn void zygote_run_module(int argc, char **argv) {
	const char *value = getenv(ZYGOTE_VARIABLE);
	const char *nonce = value ? strchr(value, ':') : NULL;

	if (!nonce)
		leave(2);
	zygote_run_self(argc, argv, NULL, nonce + 1);
}
