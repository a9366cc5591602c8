/* SPDX-License-Identifier: MIT
 *
 * The keeper is small, single-threaded and without code of any image, so it outlives a zygote's
 * crash or hang. As the nearest living subreaper it adopts everything that a zygote and its
 * workers leave behind.
 *
 *                  StartZygote        exec done             SIGCHLD             Keep
 *     post:  FREE ------------> STARTING ------> SERVING ------------> OWED ------------> FREE
 *                                  |                         (ZygoteExited sent, reaped)
 *                                  +--- fork or exec failed: ZygoteStarted{error} -------> FREE
 *
 * While a Keep is owed, children that are neither zygotes nor kept are left alone: some of them are
 * workers with running tasks, and only the executor knows which. When none is owed, such children
 * are what dead workers left, and they are ended. Living zygotes are subreapers themselves, so none
 * of their descendants is ever among our children.
 *
 * An end is reported before it is reaped: when the socket is full, the zombies are the queue.
 *
 * The pool ends when the host's process ends, when the control socket closes or carries a malformed
 * message, or when Quit arrives. The pidfd of the host is watched because a forked child of the
 * host may hold the socket open.
 *
 * The first process of the program forks the keeper and becomes its guard (guard.c).
 */
#include "zygote/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/leave.h"
#include "base/log.h"
#include "base/process.h"
#include "proto/message.h"
#include "proto/wire.h"
#include "zygote/adopted.h"
#include "zygote/aside.h"
#include "zygote/child.h"
#include "zygote/guard.h"
#include "zygote/launch.h"
#include "zygote/lifeline.h"
#include "zygote/sweep.h"

/* poll(2) cannot tell when ETOOMANYREFS is over. */
#define KEEPER_RETRY_MS 2
/* The most that are handled in one turn. */
#define KEEPER_THREADS 64

enum post_state { POST_FREE, POST_STARTING, POST_SERVING, POST_OWED };

struct post {
	enum post_state state;
	uint64_t generation;
	struct launched process; /* descriptors are -1 when closed */
};

static struct {
	int signals;
	/* One lifeline for all zygotes: their workers may outlive them, and live as long as the
	 * keeper does. */
	int lifeline_read, lifeline_write;
	bool ending;
	bool blocked; /* the socket was full */
	bool more_threads;
	struct log log;
	struct post posts[LIMIT_KEEPER_ZYGOTES];
	struct adopted_list adopted;
	struct sweep sweep;

	/* The answer to a request. No other request is read before it has been sent. */
	bool answering;
	struct message answer;
	struct post *answer_post; /* whose pidfd goes with it, or NULL */
	char answer_step[16];
	int32_t answer_pids[LIMIT_WORKERS];

	struct arena in, out;
	/* Two buffers, because an answer may be packed while its request is still in use. */
	uint8_t in_frame[LIMIT_FRAME], out_frame[LIMIT_FRAME];
	_Alignas(16) uint8_t in_memory[ARENA_MESSAGE], out_memory[ARENA_MESSAGE];
} keeper;

static void keeper_end_pool(enum log_level level, const char *why) {
	if (!keeper.ending)
		log_write(&keeper.log, level, "keeper: %s: the pool ends", why);
	keeper.ending = true;
}

/* --- sending ------------------------------------------------------------------------------- */

/* Returns true if the message was sent or can never be; false if it has to wait. */
static bool keeper_send(const struct message *message, const int *fds, size_t n_fds) {
	int r = message_send(KEEPER_CONTROL, message, &keeper.out, keeper.out_frame, fds, n_fds,
			     MSG_DONTWAIT);

	if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED) {
		keeper.blocked = true;
		return false;
	}
	if (r != 0)
		keeper_end_pool(LOG_ERROR, r == WIRE_E_EOF ? "the executor has gone"
							   : "cannot send to the executor");
	return true;
}

static void keeper_answer_flush(void) {
	struct post *post = keeper.answer_post;

	if (!keeper.answering)
		return;
	if (keeper_send(&keeper.answer, post ? &post->process.pidfd : NULL, post ? 1 : 0))
		keeper.answering = false;
}

static void keeper_answer(const struct message *answer, struct post *post) {
	keeper.answer = *answer;
	keeper.answer_post = post;
	keeper.answering = true;
	keeper_answer_flush();
}

/* --- zygotes ------------------------------------------------------------------------------- */

static struct post *post_find(enum post_state state) {
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES; i++)
		if (keeper.posts[i].state == state)
			return &keeper.posts[i];
	return NULL;
}

static bool post_is_process(const struct post *post, pid_t pid) {
	return (post->state == POST_STARTING || post->state == POST_SERVING) &&
	       post->process.pid == pid;
}

static void post_close(struct post *post, enum post_state state) {
	post->process.pidfd = fd_close(post->process.pidfd);
	post->process.report = fd_close(post->process.report);
	post->state = state;
}

static void answer_started(uint64_t generation, struct post *post,
			   const struct launch_failure *failure) {
	struct message answer = { .type = MESSAGE_ZYGOTE_STARTED };

	(void)snprintf(keeper.answer_step, sizeof keeper.answer_step, "%s",
		       failure ? failure->step : "");
	answer.zygote_started = (struct message_zygote_started){
		.generation = generation,
		.pid = post ? post->process.pid : 0,
		.error = failure ? failure->error : 0,
		.step = keeper.answer_step,
	};
	keeper_answer(&answer, post);
}

static void handle_start_zygote(const struct message *message, struct wire_frame *frame) {
	const struct message_start_zygote *request = &message->start_zygote;
	struct launch_failure failure = { EAGAIN, "slot" };
	struct post *post = post_find(POST_FREE);
	struct launch launch = { .request = request,
				 .program = -1,
				 .lifeline = keeper.lifeline_read };
	size_t n_expected = request->kind == IMAGE_SELF ? 3 : 2;

	if (frame->n_descriptors != n_expected) {
		keeper_end_pool(LOG_ERROR, "a StartZygote message with the wrong number of "
					   "descriptors");
		return;
	}
	launch.control = frame->descriptors[0];
	launch.output = frame->descriptors[1];
	if (n_expected > 2)
		launch.program = frame->descriptors[2];
	if (!post || launch_start(&launch, &post->process, &failure) < 0) {
		answer_started(request->generation, NULL, &failure);
		return;
	}
	post->generation = request->generation;
	post->state = POST_STARTING;
}

/* Called when the report pipe of a starting zygote has data or has ended. */
static void keeper_started(struct post *post) {
	struct launch_failure failure;
	ssize_t n = read(post->process.report, &failure, sizeof failure);

	if (n < 0 && errno == EINTR)
		return;
	post->process.report = fd_close(post->process.report);
	if (n != (ssize_t)sizeof failure) {
		post->state = POST_SERVING;
		answer_started(post->generation, post, NULL);
		return;
	}
	failure.step[sizeof failure.step - 1] = '\0';
	(void)process_reap(post->process.pid, NULL);
	post_close(post, POST_FREE);
	answer_started(post->generation, NULL, &failure);
}

static void keeper_check_zygote(struct post *post) {
	struct message report = { .type = MESSAGE_ZYGOTE_EXITED };

	if (child_look(post->process.pid, &report.zygote_exited.status) != CHILD_ENDED)
		return;
	report.zygote_exited.generation = post->generation;
	if (!keeper_send(&report, NULL, 0))
		return;
	(void)process_reap(post->process.pid, NULL);
	post_close(post, POST_OWED);
	log_write(&keeper.log, LOG_INFO, "keeper: the zygote of generation %llu has ended",
		  (unsigned long long)post->generation);
}

/* --- what zygotes leave -------------------------------------------------------------------- */

static bool keeper_is_zygote(pid_t pid) {
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES; i++)
		if (post_is_process(&keeper.posts[i], pid))
			return true;
	return false;
}

/* The generation may be one that owes no Keep; its pids are kept all the same. */
static void handle_keep(const struct message *message, struct wire_frame *frame) {
	const struct message_pids *keep = &message->keep;
	struct message answer = { .type = MESSAGE_KEPT };
	size_t n = 0;

	(void)frame;
	for (size_t i = 0; i < keep->n_pids; i++) {
		pid_t pid = keep->pids[i];

		if (pid > 0 && !keeper_is_zygote(pid) && child_has_ended(pid, NULL) >= 0 &&
		    adopted_add(&keeper.adopted, pid))
			keeper.answer_pids[n++] = pid;
	}
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES; i++)
		if (keeper.posts[i].state == POST_OWED &&
		    keeper.posts[i].generation == keep->generation)
			keeper.posts[i].state = POST_FREE;
	answer.kept = (struct message_pids){ keep->generation, keeper.answer_pids, n };
	keeper_answer(&answer, NULL);
}

static void handle_quit(const struct message *message, struct wire_frame *frame) {
	(void)message;
	(void)frame;
	keeper_end_pool(LOG_DEBUG, "Quit");
}

static void adopted_send_stop(struct adopted *entry) {
	struct message report = { .type = MESSAGE_ADOPTED_STOPPED };

	if (entry->report == CHILD_RUNS)
		return;
	report.adopted_stopped.pid = entry->pid;
	report.adopted_stopped.stopped = entry->report == CHILD_STOPPED;
	if (keeper_send(&report, NULL, 0))
		entry->report = CHILD_RUNS;
}

/* Returns true if the end was reported, and the child reaped and forgotten. */
static bool adopted_send_exit(struct adopted *entry, const struct exit_status *status) {
	const struct message report = {
		.type = MESSAGE_ADOPTED_EXITED,
		.adopted_exited = { entry->pid, *status },
	};

	if (!keeper_send(&report, NULL, 0))
		return false;
	(void)process_reap(entry->pid, NULL);
	adopted_remove(&keeper.adopted, entry);
	return true;
}

/* Returns false if the entry is no longer in the list. */
static bool keeper_check_one_adopted(struct adopted *entry) {
	struct exit_status status;
	int state = child_look(entry->pid, &status);

	switch (state) {
	case CHILD_STOPPED:
	case CHILD_WENT_ON:
		entry->report = (enum child_state)state;
		break;
	case CHILD_ENDED:
		return !adopted_send_exit(entry, &status);
	default:
		break;
	}
	adopted_send_stop(entry);
	return true;
}

static void keeper_check_adopted(void) {
	size_t i = 0;

	while (i < keeper.adopted.n && !keeper.blocked)
		if (keeper_check_one_adopted(&keeper.adopted.entries[i]))
			i++;
}

/* Threads that have made us their tracer wait for us to let them go, and their process
 * cannot be reaped before them. Other children are handled elsewhere; one that has to wait
 * ends the search. */
static void keeper_check_threads(void) {
	pid_t pid;
	int i;

	for (i = 0; i < KEEPER_THREADS && child_next(false, &pid) == 1 && child_is_thread(pid); i++)
		if (child_look(pid, NULL) == CHILD_ENDED)
			(void)process_reap(pid, NULL);
	keeper.more_threads = i == KEEPER_THREADS;
}

/* Tells whether there may be workers among our children that the executor has not been asked about.
 * Zygotes that have ended unreported count, and so do those that may have ended before we have seen
 * that their exec is done. */
static bool keeper_owed(void) {
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES; i++) {
		const struct post *post = &keeper.posts[i];

		if (post->state == POST_OWED || post->state == POST_STARTING ||
		    (post->state == POST_SERVING && child_has_ended(post->process.pid, NULL) != 0))
			return true;
	}
	return false;
}

/* Ends the children that do not belong to anything, unless a Keep is owed. Each round checks
 * that after it has listed the children, so that the list contains nothing left by a zygote
 * that dies later.
 *
 * Reaping a child may bring us what it left, hence the rounds. SIGCHLD tells when those that were
 * alive have ended. */
static void keeper_sweep(void) {
	const pid_t *children = keeper.sweep.children;
	bool again = true;

	while (again) {
		size_t n = sweep_children(&keeper.sweep);

		if (keeper_owed())
			return;
		again = false;
		for (size_t i = 0; i < n; i++) {
			if (keeper_is_zygote(children[i]) ||
			    adopted_find(&keeper.adopted, children[i]))
				continue;
			if (child_has_ended(children[i], NULL) == 0) {
				(void)sweep_kill(children[i]);
				continue;
			}
			again |= process_reap(children[i], NULL) == 0;
		}
	}
}

/* --- the loop ------------------------------------------------------------------------------ */

static const struct {
	uint16_t type;
	bool descriptors; /* the handler checks how many; else none are allowed */
	void (*handle)(const struct message *message, struct wire_frame *frame);
} dispatch[] = {
	{ MESSAGE_START_ZYGOTE, true, handle_start_zygote },
	{ MESSAGE_KEEP, false, handle_keep },
	{ MESSAGE_QUIT, false, handle_quit },
};

static void keeper_dispatch(struct wire_frame *frame) {
	struct message message;

	arena_reset(&keeper.in);
	if (message_unpack(frame->type, frame->body, frame->size, &keeper.in, &message) != 0) {
		keeper_end_pool(LOG_ERROR, "malformed message");
		return;
	}
	for (size_t i = 0; i < sizeof dispatch / sizeof dispatch[0]; i++)
		if (dispatch[i].type == frame->type &&
		    (dispatch[i].descriptors || frame->n_descriptors == 0)) {
			dispatch[i].handle(&message, frame);
			return;
		}
	keeper_end_pool(LOG_ERROR, "unexpected message");
}

static void keeper_receive(void) {
	struct launch_failure no_room = { EMFILE, "descriptors" };
	struct wire_frame frame;
	int r = wire_receive(KEEPER_CONTROL, keeper.in_frame, MSG_DONTWAIT, &frame);

	if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED)
		return;
	if (r == 0) {
		keeper_dispatch(&frame);
	} else if (r == WIRE_E_TRUNCATED && frame.type == MESSAGE_START_ZYGOTE) {
		struct message message;

		arena_reset(&keeper.in);
		if (message_unpack(frame.type, frame.body, frame.size, &keeper.in, &message) == 0)
			answer_started(message.start_zygote.generation, NULL, &no_room);
	} else {
		keeper_end_pool(r == WIRE_E_EOF ? LOG_INFO : LOG_ERROR,
				"the executor's connection has ended");
	}
	wire_frame_close(&frame);
}

/* Handles everything that children may have done, and sends everything that waits. */
static void keeper_children(void) {
	keeper.blocked = false;
	keeper_answer_flush();
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES && !keeper.blocked; i++)
		if (keeper.posts[i].state == POST_SERVING)
			keeper_check_zygote(&keeper.posts[i]);
	keeper_check_adopted();
	keeper_sweep();
	keeper_check_threads();
}

static void keeper_drain_signals(void) {
	struct signalfd_siginfo info;

	while (read(keeper.signals, &info, sizeof info) > 0)
		;
}

/* An answer with a descriptor may wait for ETOOMANYREFS to pass, which poll(2) cannot tell. */
static bool keeper_answers_crowded(void) {
	return keeper.answering && keeper.answer_post;
}

static int keeper_timeout(void) {
	if (keeper.more_threads)
		return 0;
	return keeper.blocked && keeper_answers_crowded() ? KEEPER_RETRY_MS : -1;
}

enum { POLL_HOST, POLL_CONTROL, POLL_SIGNALS, POLL_REPORT, N_POLLS };

static void keeper_turn(void) {
	struct post *starting = post_find(POST_STARTING);
	struct pollfd polls[N_POLLS] = {
		[POLL_HOST] = { .fd = KEEPER_HOST, .events = POLLIN },
		[POLL_CONTROL] = { .fd = KEEPER_CONTROL },
		[POLL_SIGNALS] = { .fd = keeper.signals, .events = POLLIN },
		[POLL_REPORT] = { .fd = starting ? starting->process.report : -1,
				  .events = POLLIN },
	};

	if (!keeper.answering && !starting)
		polls[POLL_CONTROL].events |= POLLIN;
	if (keeper.blocked && !keeper_answers_crowded())
		polls[POLL_CONTROL].events |= POLLOUT;
	if (poll(polls, N_POLLS, keeper_timeout()) < 0)
		return;
	if (polls[POLL_HOST].revents)
		keeper_end_pool(LOG_INFO, "the host's process has ended");
	if (polls[POLL_CONTROL].revents & (POLLHUP | POLLERR | POLLNVAL))
		keeper_end_pool(LOG_INFO, "the executor has closed its connection");
	if (keeper.ending)
		return;
	if (polls[POLL_SIGNALS].revents)
		keeper_drain_signals();
	if (starting && polls[POLL_REPORT].revents)
		keeper_started(starting);
	if (polls[POLL_CONTROL].revents & POLLIN)
		keeper_receive();
	keeper_children();
}

/* --- start and end ------------------------------------------------------------------------- */

/* Blocks all signals that can be blocked, and undoes the dispositions of the host: if the host
 * ignored SIGCHLD, the kernel would reap our children before we have seen them. */
static int keeper_signals(void) {
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number <= SIGRTMAX; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
			action.sa_handler = SIG_DFL;
			(void)sigaction(number, &action, NULL);
		}
	}
	keeper.signals = child_signals();
	return keeper.signals < 0 ? error_trace(keeper.signals) : 0;
}

static void keeper_say_ready(void) {
	struct message ready = { .type = MESSAGE_KEEPER_READY };
	cleanup_close int pidfd = process_open(getpid());

	ready.keeper_ready.version = PROTOCOL_VERSION_MAX;
	ready.keeper_ready.pid = getpid();
	if (pidfd < 0 ||
	    message_send(KEEPER_CONTROL, &ready, &keeper.out, keeper.out_frame, &pidfd, 1, 0) != 0)
		keeper_end_pool(LOG_ERROR, "cannot say that it is ready");
}

static void keeper_start(void) {
	log_init(&keeper.log, NULL, NULL);
	arena_init(&keeper.in, keeper.in_memory, sizeof keeper.in_memory);
	arena_init(&keeper.out, keeper.out_memory, sizeof keeper.out_memory);
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES; i++)
		keeper.posts[i].process = (struct launched){ 0, -1, -1 };
	if (fcntl(KEEPER_CONTROL, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(KEEPER_HOST, F_SETFD, FD_CLOEXEC) < 0 || keeper_signals() < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		leave(2);
}

/* The keeper sets these up and not its guard: being a subreaper is not inherited, and the end of
 * the lifeline must mean that the keeper has ended, and nothing else. */
static void keeper_adopt(void) {
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    lifeline_new(&keeper.lifeline_read, &keeper.lifeline_write) < 0)
		leave(2);
}

_Noreturn void keeper_run(int argc, char **argv) {
	size_t n_left;
	pid_t pid;

	aside_fill_standard();
	process_title_init(argc, argv);
	keeper_start();
	pid = argc > 2 && strcmp(argv[2], KEEPER_ALONE) == 0 ? 0 : fork();
	if (pid > 0)
		guard_run(pid, KEEPER_HOST, &keeper.sweep);
	/* If fork fails, this process is the keeper, without a guard; it will not be able to fork a
	 * zygote either, and can say so. */
	process_title("warmfork: keeper");
	keeper_adopt();
	keeper_say_ready();
	while (!keeper.ending)
		keeper_turn();
	/* Zygotes are killed first, by pidfd, so that none sees its workers die and
	 * reports them. */
	for (size_t i = 0; i < LIMIT_KEEPER_ZYGOTES; i++)
		if (keeper.posts[i].process.pidfd >= 0)
			(void)process_signal(keeper.posts[i].process.pidfd, SIGKILL);
	n_left = sweep_everything(&keeper.sweep);
	if (n_left > 0)
		log_write(&keeper.log, LOG_ERROR,
			  "keeper: %zu processes of another user cannot be ended", n_left);
	leave(0);
}
