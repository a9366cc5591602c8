/* SPDX-License-Identifier: MIT
 *
 * The keeper is started with posix_spawn(3): the host may have many threads and a large memory, and
 * fork(2) would copy the page tables of all of it. The program that is spawned forks once more and
 * ends at once, so that the keeper is no child of the host: a host that waits for "any child" must
 * never meet one that it did not start (docs/adr/0001).
 */
#include "executor/keeper_link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/channel.h"
#include "executor/image_report.h"
#include "executor/link.h"
#include "executor/outcome.h"
#include "executor/slot.h"
#include "executor/supervise.h"
#include "proto/wire.h"

/* How long a dying process may take before it is helped along. */
#define KEEPER_LOST_GRACE_MS 500

/* Room for the title that ps shows. */
#define TITLE_PADDING                                                                              \
	"                                                                                        "

const char *keeper_link_helper(const struct wf_executor *executor) {
	const char *path = executor->options.public.helper;

	if (!path && !getauxval(AT_SECURE))
		path = getenv("WARMFORK_HELPER");
	return path ? path : HELPER_INSTALLED;
}

/* --- starting it
 * ------------------------------------------------------------------------------------ */

static int prepare_actions(posix_spawn_file_actions_t *actions, int control, int host) {
	int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

	/* The two may sit on each other's places: both are 5 or more (see spawn_keeper). A stream
	 * that the host has closed stays closed for the keeper, which opens the null device there.
	 */
	r = r ? r : posix_spawn_file_actions_adddup2(actions, control, 3);
	r = r ? r : posix_spawn_file_actions_adddup2(actions, host, 4);
	r = r ? r : posix_spawn_file_actions_addclosefrom_np(actions, 5);
	return -r;
}

/* A session of its own keeps a pool from the terminal of its host, and its signals. Programs that a user has asked for may
 * be meant to use that terminal: a process group is enough against its signals. */
static int prepare_attributes(posix_spawnattr_t *attributes, bool command) {
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawnattr_setflags(attributes,
				     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
					 (command ? POSIX_SPAWN_SETPGROUP : POSIX_SPAWN_SETSID));
	r = r ? r : posix_spawnattr_setsigmask(attributes, &none);
	r = r ? r : posix_spawnattr_setsigdefault(attributes, &all);
	return -r;
}

static int spawn_with(const char *helper, bool command, int control, int host,
		      posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
		      pid_t *ret) {
	char program[] = "warmfork-zygote", role[] = "keeper", padding[] = TITLE_PADDING;
	char *argv[] = { program, role, padding, NULL };
	int r = prepare_actions(actions, control, host);

	if (r == 0)
		r = prepare_attributes(attributes, command);
	if (r == 0)
		r = -posix_spawn(ret, helper, actions, attributes, argv, environ);
	return r;
}

static int spawn_keeper(const char *helper, bool command, int control, int host) {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t starter = -1;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r < 0)
		return error_origin(r);
	r = -posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = spawn_with(helper, command, control, host, &actions, &attributes, &starter);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r < 0)
		return error_origin(r);
	/* ECHILD: the host ignores SIGCHLD, or waits for any child; both are its right */
	(void)process_reap(starter, NULL);
	return 0;
}

/* A descriptor number that file actions cannot overwrite before they use it. */
static int move_up(int *fd) {
	int moved;

	if (*fd >= 5)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, 5);
	if (moved < 0)
		return error_origin(-errno);
	(void)fd_close(*fd);
	*fd = moved;
	return 0;
}

static void on_keeper(struct source *source, uint32_t events);

int keeper_link_start(struct wf_executor *executor) {
	struct keeper *keeper = &executor->keeper;
	cleanup_close int peer = -1, host = -1, control = -1;
	int pair[2], r;

	r = fd_seqpacket_pair(pair);
	if (r < 0)
		return error_trace(r);
	control = pair[0];
	peer = pair[1];
	host = process_open(getpid());
	if (host < 0)
		return error_trace(host);
	r = move_up(&peer);
	r = r < 0 ? r : move_up(&host);
	r = r < 0 ? r
		  : spawn_keeper(keeper_link_helper(executor),
				 executor->options.public.image == WF_IMAGE_COMMAND, peer, host);
	r = r < 0 ? r : source_add(executor->loop, &keeper->source, control, EPOLLIN, on_keeper);
	if (r < 0)
		return error_trace(r);
	keeper->control = fd_steal(&control);
	keeper->pid = 0;
	keeper->running = true;
	keeper->quitting = false;
	executor->statistics.keeper_starts++;
	return 0;
}

/* --- to it
 * --------------------------------------------------------------------------------------------- */

static void on_keeper_silent(struct timer *timer, nsec_t now) {
	struct wf_executor *executor = container_of(timer, struct wf_executor, keeper.reply_timer);

	(void)now;
	executor_log(executor, LOG_ERROR, "the keeper (%d) does not answer: it is ended",
		     (int)executor->keeper.pid);
	if (executor->keeper.pidfd >= 0)
		(void)process_signal(executor->keeper.pidfd, SIGKILL);
	else
		(void)shutdown(executor->keeper.control, SHUT_RDWR);
}

static void expect_answer(struct wf_executor *executor) {
	struct keeper *keeper = &executor->keeper;

	if (!keeper->running)
		return;
	keeper->n_expected++;
	(void)timer_set(
	    executor->loop, &keeper->reply_timer,
	    clock_after_ms(clock_now(), executor->options.public.tuning.zygote_reply_ms),
	    on_keeper_silent);
}

static void answered(struct wf_executor *executor) {
	struct keeper *keeper = &executor->keeper;

	if (keeper->n_expected && --keeper->n_expected == 0)
		timer_clear(&keeper->reply_timer);
}

static int send_to(struct wf_executor *executor, const struct message *message, const int *fds,
		   size_t n_fds) {
	if (!executor->keeper.running)
		return WIRE_E_EOF;
	return message_send(executor->keeper.control, message, &executor->arena, executor->frame,
			    fds, n_fds, MSG_DONTWAIT);
}

int keeper_link_start_zygote(struct wf_executor *executor, const struct message_start_zygote *start,
			     const int *fds, size_t n_fds) {
	struct message message = { .type = MESSAGE_START_ZYGOTE, .start_zygote = *start };

	expect_answer(executor);
	return send_to(executor, &message, fds, n_fds);
}

void keeper_link_keep(struct wf_executor *executor, uint64_t generation, const int32_t *pids,
		      size_t n) {
	struct message message = { .type = MESSAGE_KEEP, .keep = { generation, pids, n } };

	expect_answer(executor);
	if (send_to(executor, &message, NULL, 0) != 0)
		executor_log(executor, LOG_WARNING,
			     "the keeper could not be told which workers to keep");
}

void keeper_link_quit(struct wf_executor *executor) {
	struct message message = { .type = MESSAGE_QUIT };

	executor->keeper.quitting = true;
	expect_answer(executor); /* its end */
	/* the end of the stream says the same */
	if (send_to(executor, &message, NULL, 0) != 0 && executor->keeper.control >= 0)
		(void)shutdown(executor->keeper.control, SHUT_RDWR);
}

/* --- from it
 * ------------------------------------------------------------------------------------------- */

static struct worker *find_adopted(struct wf_executor *executor, pid_t pid) {
	for (struct link *link = executor->zygotes.next; link != &executor->zygotes;
	     link = link->next) {
		struct zygote *zygote = container_of(link, struct zygote, link);

		if (zygote->state != ZYGOTE_LOST)
			continue;
		for (struct link *w = zygote->workers.next; w != &zygote->workers; w = w->next) {
			struct worker *worker = container_of(w, struct worker, zygote_link);

			if (worker->pid == pid && worker->state != WORKER_ENDED)
				return worker;
		}
	}
	return NULL;
}

static void keeper_lost(struct wf_executor *executor);

static void on_keeper_death(struct source *source, uint32_t events) {
	(void)events;
	keeper_lost(container_of(source, struct wf_executor, keeper.death_source));
}

static void handle_keeper_ready(struct wf_executor *executor, const struct message *message,
				struct wire_frame *frame) {
	struct keeper *keeper = &executor->keeper;

	keeper->pid = message->keeper_ready.pid;
	if (frame->n_descriptors != 1 || keeper->pidfd >= 0)
		return;
	keeper->pidfd = fd_steal(&frame->descriptors[0]);
	(void)source_add(executor->loop, &keeper->death_source, keeper->pidfd, EPOLLIN,
			 on_keeper_death);
}

static void handle_zygote_started(struct wf_executor *executor, const struct message *message,
				  struct wire_frame *frame) {
	const struct message_zygote_started *started = &message->zygote_started;
	struct zygote *zygote = link_find(executor, started->generation);
	int pidfd = frame->n_descriptors == 1 ? fd_steal(&frame->descriptors[0]) : -1;

	if (!zygote || zygote->pidfd >= 0) {
		(void)fd_close(pidfd);
		return;
	}
	if (pidfd < 0 && !started->error)
		pidfd = process_open(started->pid);
	link_started(zygote, started->pid, pidfd, started->error, started->step);
}

static void handle(struct wf_executor *executor, const struct message *message,
		   struct wire_frame *frame) {
	struct zygote *zygote;
	struct worker *worker;

	switch ((int)message->type) {
	case MESSAGE_KEEPER_READY:
		handle_keeper_ready(executor, message, frame);
		return;
	case MESSAGE_ZYGOTE_STARTED:
		answered(executor);
		handle_zygote_started(executor, message, frame);
		return;
	case MESSAGE_ZYGOTE_EXITED:
		zygote = link_find(executor, message->zygote_exited.generation);
		if (zygote && zygote->state != ZYGOTE_LOST)
			link_exited(zygote, &message->zygote_exited.status);
		else if (!zygote) /* given up before it ran; the keeper waits for it all the same */
			keeper_link_keep(executor, message->zygote_exited.generation, NULL, 0);
		return;
	case MESSAGE_KEPT:
		answered(executor);
		zygote = link_find(executor, message->kept.generation);
		if (zygote)
			link_kept(zygote, message->kept.pids, message->kept.n_pids);
		return;
	case MESSAGE_ADOPTED_EXITED:
		worker = find_adopted(executor, message->adopted_exited.pid);
		if (worker)
			channel_ended(worker, &message->adopted_exited.status);
		return;
	case MESSAGE_ADOPTED_STOPPED:
		worker = find_adopted(executor, message->adopted_stopped.pid);
		if (worker)
			slot_stopped(worker, message->adopted_stopped.stopped);
		return;
	default:
		executor_log(executor, LOG_ERROR, "the keeper sent %s, which it may not",
			     message_name((uint16_t)message->type));
	}
}

static void on_keeper(struct source *source, uint32_t events) {
	struct wf_executor *executor = container_of(source, struct wf_executor, keeper.source);
	struct wire_frame frame;

	(void)events;
	for (int i = 0; i < 64 && executor->keeper.source.loop; i++) {
		struct message message;
		int r = wire_receive(executor->keeper.control, executor->receive_frame,
				     MSG_DONTWAIT, &frame);

		if (r == WIRE_E_AGAIN)
			return;
		if (r != 0 && r != WIRE_E_TRUNCATED) {
			keeper_lost(executor);
			return;
		}
		arena_reset(&executor->receive_arena);
		r = message_unpack(frame.type, frame.body, frame.size, &executor->receive_arena,
				   &message);
		if (r == 0)
			handle(executor, &message, &frame);
		for (size_t j = 0; j < frame.n_descriptors; j++)
			(void)fd_close(frame.descriptors[j]);
		if (r != 0) {
			keeper_lost(executor);
			return;
		}
	}
}

/* --- without it
 * ------------------------------------------------------------------------------------------ */

/* With the keeper gone, everything below it is dying: the zygote by its lifeline, which also
 * sweeps, and each worker by its own. We make sure, and wait for the end of each worker that has a
 * task, because a task that may still be running must not be reported as over. */
static void end_zygote(struct zygote *zygote) {
	struct wf_executor *executor = zygote->executor;
	bool loading = zygote->state == ZYGOTE_LOADING;

	if (zygote->pidfd >= 0 && process_await_end(zygote->pidfd, KEEPER_LOST_GRACE_MS) != 0)
		link_kill(zygote);
	zygote->state = ZYGOTE_LOST;
	list_foreach_safe (link, next, &zygote->workers) {
		struct worker *worker = container_of(link, struct worker, zygote_link);

		worker->unswept = false;
		if (worker->state == WORKER_ENDED) {
			slot_swept(worker);
		} else if (worker->state == WORKER_ASKED) {
			channel_free(worker);
		} else {
			channel_receive(worker);
			supervise_now_kill(worker);
			(void)process_await_end(worker->pidfd, KEEPER_LOST_GRACE_MS);
			worker->asked = true;
			channel_ended(worker, NULL);
		}
	}
	if (loading) {
		executor->loading = NULL;
		zygote->fail_phase = WF_PHASE_LAUNCH;
		free(zygote->fail_text);
		zygote->fail_text = strdup("the keeper ended before the image was ready");
		image_report_lost(zygote, NULL);
	}
	link_free(zygote);
}

bool keeper_link_is_dead(const struct wf_executor *executor) {
	const struct keeper *keeper = &executor->keeper;

	return !keeper->running || (keeper->pidfd >= 0 && process_has_ended(keeper->pidfd));
}

void keeper_link_clear(struct wf_executor *executor) {
	struct keeper *keeper = &executor->keeper;

	source_remove(&keeper->source);
	source_remove(&keeper->death_source);
	timer_clear(&keeper->reply_timer);
	keeper->n_expected = 0;
	keeper->control = fd_close(keeper->control);
	/* if we are the reaper of orphans here, the keeper is our child after all; else ECHILD */
	if (keeper->pidfd >= 0) {
		siginfo_t info;

		(void)process_await_end(keeper->pidfd, -1);
		(void)waitid(P_PIDFD, (id_t)keeper->pidfd, &info, WEXITED | WNOHANG);
	}
	keeper->pidfd = fd_close(keeper->pidfd);
	keeper->running = false;
	keeper->pid = 0;
}

static void keeper_lost(struct wf_executor *executor) {
	struct keeper *keeper = &executor->keeper;
	bool expected = keeper->quitting;

	source_remove(&keeper->source);
	source_remove(&keeper->death_source);
	if (!expected) {
		executor_log(executor, LOG_ERROR, "the keeper (%d) is lost", (int)keeper->pid);
		if (keeper->pidfd >= 0)
			(void)process_signal(keeper->pidfd, SIGKILL);
	}
	keeper->running = false;
	list_foreach_safe (link, next, &executor->zygotes)
		end_zygote(container_of(link, struct zygote, link));
	keeper_link_clear(executor);
	if (!expected)
		keeper_link_failed(executor, WF_PHASE_LAUNCH, 0, "the keeper has ended");
}

/* --- again
 * ------------------------------------------------------------------------------------------------
 */

static void on_backoff(struct timer *timer, nsec_t now) {
	(void)timer;
	(void)now; /* executor_pump() follows every dispatch */
}

static bool has_workers(const struct wf_executor *executor) {
	for (unsigned i = 0; i < executor->n_slots; i++)
		if (executor->slots[i].current)
			return true;
	return false;
}

void keeper_link_failed(struct wf_executor *executor, enum wf_phase phase, int error,
			const char *text) {
	struct backoff *launch = &executor->launch;
	const struct wf_executor_options *options = &executor->options.public;

	launch->delay_ms =
	    launch->failures == 0 ? options->tuning.backoff_ms : launch->delay_ms * 2;
	if (launch->delay_ms > options->tuning.backoff_max_ms)
		launch->delay_ms = options->tuning.backoff_max_ms;
	launch->failures++;
	launch->phase = phase;
	launch->error = error;
	if (launch->text != text) {
		free(launch->text);
		launch->text = strdup(text ? text : "");
	}
	launch->not_before = clock_after_ms(clock_now(), launch->delay_ms);
	(void)timer_set(executor->loop, &launch->timer, launch->not_before, on_backoff);
	if (executor->newest || launch->failures < (unsigned)options->tuning.start_attempts ||
	    has_workers(executor))
		return;
	slot_fail_queue(executor, launch);
	launch->failures = 0;
}

static int start_all(struct wf_executor *executor) {
	int r = 0;

	if (!executor->keeper.running)
		r = keeper_link_start(executor);
	return r < 0 ? error_trace(r) : link_start(executor);
}

void keeper_link_plan(struct wf_executor *executor) {
	char text[512] uninitialized;
	int r;

	if (executor->newest || executor->loading || executor->ending ||
	    executor->state == EXECUTOR_OPENING)
		return;
	if (executor->state == EXECUTOR_CLOSING && executor->queue.size == 0)
		return;
	if (clock_now() < executor->launch.not_before && executor->launch.timer.loop)
		return;
	/* after the budget is spent, only work brings another try */
	if (executor->launch.not_before && executor->launch.failures == 0 &&
	    executor->queue.size == 0 && executor->launch.text)
		return;
	r = start_all(executor);
	if (r >= 0)
		return;
	(void)snprintf(text, sizeof(text), "starting the pool with %s: %s",
		       keeper_link_helper(executor), strerrordesc_np(-r));
	keeper_link_failed(executor, WF_PHASE_LAUNCH, -r, text);
}
