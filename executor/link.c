/* SPDX-License-Identifier: MIT
 *
 * One zygote, seen from the executor.
 *
 *     LOADING    StartZygote, Hello and Load were sent
 *        |  \
 *        |   `-- ImageFailed, or it ended --> freed
 *        v
 *     READY      ImageReady has come, and its pidfd; it is the newest
 *        |
 *        v
 *     DRAINING   another is the newest; it forks no more, and ends after its last worker
 *        |
 *        v
 *     LOST       it ended, from READY or DRAINING; workers that are left were adopted by the keeper,
 *        |       which reports for it
 *        v
 *     freed      after the last worker
 *
 * The end of its socket proves nothing; its end is what the keeper reports.
 */
#include "executor/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/image_report.h"
#include "executor/keeper_link.h"
#include "executor/policy.h"
#include "executor/slot.h"
#include "executor/supervise.h"
#include "proto/wire.h"

#define LINK_RECEIVE_BATCH 64
#define NONCE_BYTES        16

/* --- cells
 * ------------------------------------------------------------------------------------------ */

int link_cell_take(struct zygote *zygote, unsigned *ret) {
	for (unsigned n = 0; n < LIMIT_WORKERS / 64; n++) {
		unsigned word = (zygote->cell_hint + n) % (LIMIT_WORKERS / 64), bit;

		if (zygote->cells_used[word] == UINT64_MAX)
			continue;
		bit = (unsigned)__builtin_ctzll(~zygote->cells_used[word]);
		zygote->cells_used[word] |= (uint64_t)1 << bit;
		zygote->cell_hint = word;
		*ret = word * 64 + bit;
		return 0;
	}
	return error_origin(-ENOSPC);
}

void link_cell_give(struct zygote *zygote, unsigned index) {
	zygote->cells_used[index / 64] &= ~((uint64_t)1 << index % 64);
}

static int map_cells(struct zygote *zygote, int *ret_memfd) {
	size_t size = LIMIT_WORKERS * CELL_SIZE;
	cleanup_close int memfd = fd_memfd("warmfork-cells", size);
	int r = memfd < 0 ? memfd : fd_seal(memfd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

	if (r < 0)
		return error_trace(r);
	zygote->cells = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (zygote->cells == MAP_FAILED) {
		zygote->cells = NULL;
		return error_origin(-errno);
	}
	*ret_memfd = fd_steal(&memfd);
	return 0;
}

/* --- sending
 * ------------------------------------------------------------------------------------------ */

static int send_to(struct zygote *zygote, const struct message *message, const int *fds,
		   size_t n_fds) {
	struct wf_executor *executor = zygote->executor;
	int r = message_send(zygote->control, message, &executor->arena, executor->frame, fds,
			     n_fds, MSG_DONTWAIT);

	if (r == WIRE_E_AGAIN) {
		zygote->blocked = true;
		(void)source_modify(&zygote->source, EPOLLIN | EPOLLOUT);
	} else if (r == WIRE_E_CROWDED) {
		zygote->blocked = true;
		supervise_retry(executor);
	}
	return r;
}

static void fail_spawn(struct zygote *zygote, const struct message_spawn_worker *workers, size_t n,
		       int error) {
	for (size_t i = 0; i < n; i++) {
		struct worker *worker = link_find_worker(zygote, workers[i].worker_id);

		if (worker)
			slot_spawn_failed(worker, error, "asking the zygote for a worker");
	}
}

/* Not the workers' failure: the pump asks again when the zygote can be asked. */
static void drop_spawn(struct zygote *zygote, const struct message_spawn_worker *workers,
		       size_t n) {
	for (size_t i = 0; i < n; i++) {
		struct worker *worker = link_find_worker(zygote, workers[i].worker_id);

		if (worker)
			channel_free(worker);
	}
}

void link_spawn(struct zygote *zygote, const struct message_spawn_worker *workers, const int *peers,
		size_t n) {
	struct message message = {
		.type = MESSAGE_SPAWN,
		.spawn = { ++zygote->executor->next_request, workers, n },
	};
	int r = send_to(zygote, &message, peers, n);

	link_watch(zygote);
	if (r > 0) {
		zygote->blocked = true; /* room, time, or the report of its end goes on from here */
		drop_spawn(zygote, workers, n);
	} else if (r < 0) {
		fail_spawn(zygote, workers, n, -r);
	}
}

void link_drain(struct zygote *zygote) {
	struct message message = { .type = MESSAGE_DRAIN };

	zygote->state = ZYGOTE_DRAINING;
	slot_retire_zygote(zygote);
	if (send_to(zygote, &message, NULL, 0) != 0)
		executor_log(zygote->executor, LOG_WARNING, "zygote %d could not be told to drain",
			     (int)zygote->pid);
}

void link_kill(struct zygote *zygote) {
	if (zygote->pidfd >= 0)
		(void)process_signal(zygote->pidfd, SIGKILL);
}

/* --- liveness
 * ------------------------------------------------------------------------------------------- */

/* Anything but a worker that sits there ready: somebody waits for what the zygote will say of it. */
static bool is_quiet(const struct worker *worker) {
	return worker->detained ||
	       (worker->state == WORKER_READY && channel_outstanding(worker) == 0 && !worker->eof &&
		!worker->broken && worker->stop == STOP_NONE);
}

static bool has_work(const struct zygote *zygote) {
	for (struct link *link = zygote->workers.next; link != &zygote->workers; link = link->next)
		if (!is_quiet(container_of(link, struct worker, zygote_link)))
			return true;
	return false;
}

static void on_ping_timer(struct timer *timer, nsec_t now) {
	struct zygote *zygote = container_of(timer, struct zygote, ping_timer);
	struct message message = { .type = MESSAGE_PING,
				   .ping = { ++zygote->executor->next_request } };
	int half_ms = zygote->executor->options.public.zygote_reply_ms / 2;

	if (zygote->state == ZYGOTE_LOST || !has_work(zygote)) {
		zygote->pinged = false;
		return;
	}
	if (zygote->pinged && !zygote->heard) {
		executor_log(zygote->executor, LOG_ERROR, "zygote %d does not answer: replaced",
			     (int)zygote->pid);
		link_kill(zygote);
		return;
	}
	zygote->heard = false;
	zygote->pinged = true;
	(void)send_to(zygote, &message, NULL, 0);
	(void)timer_set(zygote->executor->loop, timer, clock_after_ms(now, half_ms), on_ping_timer);
}

void link_settle(struct zygote *zygote) {
	if (!has_work(zygote))
		timer_clear(&zygote->ping_timer);
}

void link_watch(struct zygote *zygote) {
	int half_ms = zygote->executor->options.public.zygote_reply_ms / 2;

	if (zygote->ping_timer.loop || zygote->state == ZYGOTE_LOST)
		return;
	zygote->pinged = false;
	(void)timer_set(zygote->executor->loop, &zygote->ping_timer,
			clock_after_ms(clock_now(), half_ms), on_ping_timer);
}

/* --- receiving
 * -------------------------------------------------------------------------------------------- */

struct zygote *link_find(struct wf_executor *executor, uint64_t generation) {
	for (struct link *link = executor->zygotes.next; link != &executor->zygotes;
	     link = link->next) {
		struct zygote *zygote = container_of(link, struct zygote, link);

		if (zygote->generation == generation)
			return zygote;
	}
	return NULL;
}

struct worker *link_find_worker(struct zygote *zygote, uint64_t id) {
	for (struct link *link = zygote->workers.next; link != &zygote->workers;
	     link = link->next) {
		struct worker *worker = container_of(link, struct worker, zygote_link);

		if (worker->id == id)
			return worker;
	}
	return NULL;
}

static void become_newest(struct zygote *zygote) {
	struct wf_executor *executor = zygote->executor;
	struct zygote *old = executor->newest;

	zygote->state = ZYGOTE_READY;
	timer_clear(&zygote->preload_timer);
	executor->loading = NULL;
	executor->newest = zygote;
	executor->ready_generation = zygote->generation;
	executor->launch.failures = 0;
	free(executor->launch.text);
	executor->launch.text = NULL;
	executor_log(executor, LOG_INFO, "image %llu of %s is ready (zygote %d, %u functions)",
		     (unsigned long long)zygote->generation, executor->options.name,
		     (int)zygote->pid, (unsigned)zygote->n_functions);
	if (old)
		link_drain(old);
}

/* Both have come: ImageReady from the zygote, and its pidfd from the keeper, without which it could not
 * be ended. They travel on two sockets, in any order. */
static void ready_when_held(struct zygote *zygote) {
	if (zygote->state == ZYGOTE_LOADING && zygote->image_ready && zygote->pidfd >= 0)
		become_newest(zygote);
}

static bool handle_image_ready(struct zygote *zygote, const struct message *message,
			       struct wire_frame *frame) {
	bool listener = message->image_ready.listener;

	if (zygote->state != ZYGOTE_LOADING || zygote->image_ready ||
	    frame->n_descriptors != (listener ? 1 : 0))
		return false;
	if (listener && listener_start(&zygote->listener, fd_steal(&frame->descriptors[0])) < 0)
		executor_log(zygote->executor, LOG_WARNING, "refusals cannot be listened to");
	if (image_report_ready(zygote, &message->image_ready) < 0) {
		zygote->fail_text = strdup("no memory for the image's facts");
		link_kill(zygote);
		return true;
	}
	zygote->image_ready = true;
	ready_when_held(zygote);
	return true;
}

static bool handle_image_failed(struct zygote *zygote, const struct message *message) {
	if (zygote->state != ZYGOTE_LOADING)
		return false;
	image_report_failed(zygote, &message->image_failed);
	return true;
}

static bool handle_refused(struct zygote *zygote, const struct message *message) {
	zygote->fail_phase = WF_PHASE_LAUNCH;
	zygote->fail_text = strdup(message->refused.text);
	return zygote->state == ZYGOTE_LOADING;
}

static void worker_spawned(struct zygote *zygote, const struct message_spawned_worker *spawned,
			   int *pidfd) {
	struct worker *worker = link_find_worker(zygote, spawned->worker_id);
	struct wf_executor *executor = zygote->executor;

	if (!worker || worker->state != WORKER_ASKED)
		return;
	if (spawned->error) {
		slot_spawn_failed(worker, spawned->error, spawned->step);
		return;
	}
	worker->pid = spawned->pid;
	worker->pidfd = fd_steal(pidfd);
	if (worker->pidfd < 0)
		worker->pidfd =
		    process_open(worker->pid); /* its parent has not reaped it: no reuse */
	executor->statistics.forks++;
	slot_started(worker);
	if (worker->pidfd < 0 || channel_listen(worker) < 0) {
		executor_log(executor, LOG_WARNING, "no descriptor for worker %d: it must leave",
			     (int)worker->pid);
		slot_start_failed(executor, WF_PHASE_FORK, EMFILE,
				  "no free descriptor for a worker (RLIMIT_NOFILE)");
		slot_retire(worker);
	} else if (worker->asked) {
		slot_retire(worker);
	}
}

static void note_frozen(struct zygote *zygote, const struct message_frozen *frozen) {
	if (!frozen->known)
		return;
	zygote->freeze.freezes = frozen->freezes;
	zygote->freeze.dirtied = frozen->dirtied;
}

static bool handle_pong(struct zygote *zygote, const struct message *message) {
	note_frozen(zygote, &message->pong.frozen);
	return true;
}

static bool handle_spawned(struct zygote *zygote, const struct message *message, int *fds,
			   size_t n_fds) {
	size_t next = 0;

	note_frozen(zygote, &message->spawned.frozen);

	for (size_t i = 0; i < message->spawned.n_workers; i++) {
		const struct message_spawned_worker *worker = &message->spawned.workers[i];
		int none = -1;
		int *pidfd = !worker->error && next < n_fds ? &fds[next++] : &none;

		worker_spawned(zygote, worker, pidfd);
	}
	return true;
}

static bool handle_worker_exited(struct zygote *zygote, const struct message *message) {
	struct worker *worker = link_find_worker(zygote, message->worker_exited.worker_id);

	/* twice is possible: the zygote reports before it reaps, and may die in between */
	if (!worker || worker->state == WORKER_ENDED)
		return true;
	worker->unswept = !message->worker_exited.swept;
	channel_ended(worker, &message->worker_exited.status);
	return true;
}

static bool handle_worker_stopped(struct zygote *zygote, const struct message *message) {
	struct worker *worker = link_find_worker(zygote, message->worker_stopped.worker_id);

	if (worker && worker->state != WORKER_ENDED)
		slot_stopped(worker, message->worker_stopped.stopped);
	return true;
}

static bool handle_swept(struct zygote *zygote, const struct message *message) {
	zygote->executor->statistics.swept += message->swept.processes;
	for (size_t i = 0; i < message->swept.n_worker_ids; i++) {
		struct worker *worker = link_find_worker(zygote, message->swept.worker_ids[i]);

		if (worker && worker->state == WORKER_ENDED)
			slot_swept(worker);
	}
	return true;
}

static bool handle(struct zygote *zygote, const struct message *message, struct wire_frame *frame) {
	/* clang-format off */
	static const struct {
		enum message_type type;
		bool (*handler)(struct zygote *, const struct message *);
	} handlers[] = {
		{ MESSAGE_WORKER_EXITED, handle_worker_exited },
		{ MESSAGE_WORKER_STOPPED, handle_worker_stopped },
		{ MESSAGE_SWEPT, handle_swept },
		{ MESSAGE_IMAGE_FAILED, handle_image_failed },
		{ MESSAGE_REFUSED, handle_refused },
		{ MESSAGE_PONG, handle_pong },
	};
	/* clang-format on */

	if (message->type == MESSAGE_SPAWNED)
		return handle_spawned(zygote, message, frame->descriptors, frame->n_descriptors);
	if (message->type == MESSAGE_IMAGE_READY)
		return handle_image_ready(zygote, message, frame);
	if (message->type == MESSAGE_WELCOME)
		return true;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].type == message->type)
			return handlers[i].handler(zygote, message);
	return false;
}

static void receive_one(struct zygote *zygote, struct wire_frame *frame) {
	struct wf_executor *executor = zygote->executor;
	struct message message;
	int r;

	arena_reset(&executor->receive_arena);
	zygote->heard = true;
	r = message_unpack(frame->type, frame->body, frame->size, &executor->receive_arena,
			   &message);
	if (r != 0 || !handle(zygote, &message, frame)) {
		executor_log(executor, LOG_ERROR, "zygote %d sent %s, which it may not: replaced",
			     (int)zygote->pid, message_name(frame->type));
		source_remove(&zygote->source);
		link_kill(zygote);
	}
	/* what nobody took */
	for (size_t i = 0; i < frame->n_descriptors; i++)
		frame->descriptors[i] = fd_close(frame->descriptors[i]);
}

static bool link_receive(struct zygote *zygote) {
	struct wire_frame frame;

	for (int i = 0; i < LINK_RECEIVE_BATCH && zygote->source.loop; i++) {
		int r = wire_receive(zygote->control, zygote->executor->receive_frame, MSG_DONTWAIT,
				     &frame);

		if (r == WIRE_E_AGAIN)
			return false;
		if (r == 0 || r == WIRE_E_TRUNCATED) {
			receive_one(zygote, &frame);
			continue;
		}
		source_remove(&zygote->source);
		link_kill(
		    zygote); /* it may live on without its socket; its end is reported either way */
	}
	return zygote->source.loop;
}

static void on_control(struct source *source, uint32_t events) {
	struct zygote *zygote = container_of(source, struct zygote, source);

	if (events & EPOLLOUT) {
		zygote->blocked = false;
		(void)source_modify(&zygote->source, EPOLLIN);
	}
	(void)link_receive(zygote);
}

/* --- start
 * --------------------------------------------------------------------------------------------------
 */

static void on_output(struct source *source, uint32_t events) {
	(void)events;
	capture_drain(container_of(source, struct capture, source));
}

static void on_preload_overdue(struct timer *timer, nsec_t now) {
	struct zygote *zygote = container_of(timer, struct zygote, preload_timer);

	(void)now;
	zygote->preload_overdue = true;
	link_kill(zygote);
}

static int make_nonce(char nonce[2 * NONCE_BYTES + 1]) {
	unsigned char bytes[NONCE_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return error_origin(-errno);
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* The program as it is on disk now, for a reload; as it was started, for the first image. */
static int open_program(const struct wf_executor *executor) {
	char path[LIMIT_PATH];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd = -1;

	if (n > 0 && executor->next_generation > 1) {
		path[n] = '\0';
		if (n > 10 && strcmp(path + n - 10, " (deleted)") == 0)
			path[n - 10] = '\0';
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (fd < 0)
		fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return fd < 0 ? error_origin(-errno) : fd;
}

unsigned link_depth(void) {
	const char *text = getenv("WARMFORK_DEPTH");
	unsigned long depth = text ? strtoul(text, NULL, 10) : 0;

	return depth > LIMIT_DEPTH ? LIMIT_DEPTH : (unsigned)depth;
}

static int send_start(struct zygote *zygote, const char *nonce, const int *fds, size_t n_fds) {
	struct wf_executor *executor = zygote->executor;
	struct message_start_zygote start = {
		.generation = zygote->generation,
		.kind = (enum image_kind)executor->options.public.image,
		.nonce = nonce,
		.program = program_invocation_name,
		.depth = link_depth() + 1,
	};

	return keeper_link_start_zygote(executor, &start, fds, n_fds);
}

static int send_policy(struct zygote *zygote, const struct options *options) {
	struct policy policy = *policy_view(options->policy);
	uint8_t *frame = zygote->executor->frame;
	size_t size = 0;
	int r;

	if (options->public.learn) {
		policy.learn = true;
		policy.groups = UINT64_C(1) << CALLS_BASE;
		policy.n_calls = 0;
		policy.report = POLICY_REPORT_PATHS;
		policy.layers = LAYER_NO_NEW_PRIVS | LAYER_SECCOMP;
	}
	r = policy_pack(&policy, frame + WIRE_HEADER, WIRE_BODY, &size);
	if (r > 0)
		return error_origin(-E2BIG);
	if (r < 0)
		return error_trace(r);
	return wire_send(zygote->control, MESSAGE_POLICY, frame, size, NULL, 0, MSG_DONTWAIT);
}

static int send_load(struct zygote *zygote, const char *nonce, int cells) {
	const struct options *options = &zygote->executor->options;
	struct message hello = {
		.type = MESSAGE_HELLO,
		.hello = { PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, nonce },
	};
	struct message load = {
		.type = MESSAGE_LOAD,
		.load = {
			.generation = zygote->generation,
			.kind = (enum image_kind)options->public.image,
			.module = options->module,
			.name = options->name,
			.preload_argument = { options->preload_argument,
			                      options->public.preload_argument_size },
			.audit_waive = options->public.audit_waive,
			.depth = link_depth() + 1,
			.measure_memory = options->public.recycle_memory != 0,
			.freeze = (enum freeze_wish)options->public.freeze,
			.touch_ahead = options->public.touch_ahead &&
				       options->public.max_tasks_per_worker == 1,
			.spin_us = (uint32_t)options->public.spin_us,
		},
	};
	int r = send_to(zygote, &hello, NULL, 0);

	if (r == 0 && options->policy)
		r = send_policy(zygote, options);
	return r ? r : send_to(zygote, &load, &cells, 1);
}

static int start_with(struct zygote *zygote, int control, int output) {
	struct wf_executor *executor = zygote->executor;
	cleanup_close int cells = -1, program = -1;
	char nonce[2 * NONCE_BYTES + 1];
	int fds[3] = { control, output, -1 }, r;
	size_t n_fds = 2;

	r = map_cells(zygote, &cells);
	if (r >= 0)
		r = make_nonce(nonce);
	if (r < 0)
		return error_trace(r);
	if (executor->options.public.image == WF_IMAGE_SELF) {
		program = open_program(executor);
		if (program < 0)
			return error_trace(program);
		fds[n_fds++] = program;
	}
	r = send_start(zygote, nonce, fds, n_fds);
	if (r == 0)
		r = send_load(zygote, nonce, cells);
	return r > 0 ? -EPIPE : r;
}

static int link_open(struct zygote *zygote) {
	static const struct task_stream stream = { .limit = LIMIT_PRELOAD_OUTPUT,
						   .overflow = WF_OVERFLOW_TRUNCATE };
	struct wf_executor *executor = zygote->executor;
	int pair[2], r;
	cleanup_close int peer = -1, output = -1;

	r = fd_seqpacket_pair(pair);
	if (r < 0)
		return error_trace(r);
	zygote->control = pair[0];
	peer = pair[1];
	r = source_add(executor->loop, &zygote->source, pair[0], EPOLLIN, on_control);
	if (r >= 0)
		r = capture_open(&zygote->output, executor->loop, &stream, on_output, &output);
	if (r >= 0)
		r = start_with(zygote, peer, output);
	if (r >= 0 && executor->options.public.preload_timeout_ms != WF_FOREVER)
		r = timer_set(
		    executor->loop, &zygote->preload_timer,
		    clock_after_ms(clock_now(), executor->options.public.preload_timeout_ms),
		    on_preload_overdue);
	return r < 0 ? error_trace(r) : 0;
}

int link_start(struct wf_executor *executor) {
	struct zygote *zygote = calloc(1, sizeof(*zygote));
	int r;

	if (!zygote)
		return error_origin(-ENOMEM);
	zygote->executor = executor;
	zygote->state = ZYGOTE_LOADING;
	zygote->generation = ++executor->next_generation;
	zygote->pidfd = zygote->control = zygote->init_pidfd = -1;
	listener_init(&zygote->listener, zygote, NULL);
	zygote->fail_phase = WF_PHASE_PRELOAD;
	list_init(&zygote->workers);
	capture_init(&zygote->output, 1);
	list_append(&executor->zygotes, &zygote->link);
	r = link_open(zygote);
	if (r < 0) {
		link_free(zygote);
		return error_trace(r);
	}
	executor->loading = zygote;
	executor->statistics.zygote_starts++;
	return 0;
}

/* --- from the keeper
 * ------------------------------------------------------------------------------------------- */

static void load_failed(struct zygote *zygote, const struct exit_status *status) {
	struct wf_executor *executor = zygote->executor;

	(void)link_receive(zygote); /* ImageFailed may be waiting */
	image_report_lost(zygote, status);
	executor->loading = NULL;
	if (status) /* the keeper waits for it before it sweeps */
		keeper_link_keep(executor, zygote->generation, NULL, 0);
	keeper_link_failed(executor, zygote->fail_phase, zygote->fail_error, executor->failed_text);
	link_free(zygote);
}

void link_started(struct zygote *zygote, pid_t pid, int pidfd_take, int error, const char *step) {
	char text[512];

	zygote->pid = pid;
	zygote->pidfd = pidfd_take;
	if (!error && zygote->pidfd < 0) {
		zygote->fail_phase = WF_PHASE_LAUNCH;
		zygote->fail_error = EMFILE;
		zygote->fail_text = strdup("no free descriptor for the zygote (RLIMIT_NOFILE)");
		(void)shutdown(zygote->control, SHUT_RDWR); /* it ends, and the keeper reports it */
	} else if (!error && zygote->preload_overdue) {
		link_kill(zygote);
	}
	ready_when_held(zygote);
	if (!error)
		return;
	(void)snprintf(text, sizeof(text), "the zygote could not be started: %s: %s", step,
		       strerrordesc_np(error));
	zygote->fail_phase = WF_PHASE_LAUNCH;
	zygote->fail_error = error;
	zygote->fail_text = strdup(text);
	load_failed(zygote, NULL);
}

static void ask_to_keep(struct zygote *zygote) {
	struct wf_executor *executor = zygote->executor;
	int32_t pids[LIMIT_WORKERS];
	size_t n = 0;

	list_foreach_safe (link, next, &zygote->workers) {
		struct worker *worker = container_of(link, struct worker, zygote_link);

		if (worker->state == WORKER_ASKED) {
			/* its fork, if it happened, was not reported: the keeper ends it */
			source_remove(&worker->source);
			channel_free(worker);
		} else if (worker->state != WORKER_ENDED && n < LIMIT_WORKERS) {
			pids[n++] = worker->pid;
		}
	}
	/* they end with it */
	if (n > 0 && n < LIMIT_WORKERS && zygote->init > 0)
		pids[n++] = zygote->init;
	keeper_link_keep(executor, zygote->generation, pids, n);
}

void link_exited(struct zygote *zygote, const struct exit_status *status) {
	struct wf_executor *executor = zygote->executor;

	if (zygote->state == ZYGOTE_LOADING) {
		load_failed(zygote, status);
		return;
	}
	while (link_receive(zygote))
		; /* what it sent before its end */
	source_remove(&zygote->source);
	timer_clear(&zygote->ping_timer);
	if (zygote->state == ZYGOTE_READY) {
		executor->statistics.zygote_losses++;
		executor_log(executor, LOG_WARNING, "zygote %d is lost (%s %d)", (int)zygote->pid,
			     status->exited ? "exit code" : "signal",
			     status->exited ? status->code : status->signal);
	}
	if (executor->newest == zygote)
		executor->newest = NULL;
	zygote->state = ZYGOTE_LOST;
	ask_to_keep(zygote);
	slot_retire_zygote(zygote);
}

static bool is_among(pid_t pid, const int32_t *pids, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

void link_kept(struct zygote *zygote, const int32_t *pids, size_t n) {
	list_foreach_safe (link, next, &zygote->workers) {
		struct worker *worker = container_of(link, struct worker, zygote_link);
		struct exit_status status;

		if (worker->state == WORKER_ENDED)
			slot_swept(worker); /* the keeper has swept for the zygote */
		else if (!is_among(worker->pid, pids, n))
			channel_ended(worker,
				      evidence_exit(worker->pidfd, &status) ? &status : NULL);
	}
}

void link_free(struct zygote *zygote) {
	struct wf_executor *executor = zygote->executor;

	list_foreach_safe (link, next, &zygote->workers)
		channel_free(container_of(link, struct worker, zygote_link));
	if (executor->newest == zygote)
		executor->newest = NULL;
	if (executor->loading == zygote)
		executor->loading = NULL;
	timer_clear(&zygote->preload_timer);
	timer_clear(&zygote->ping_timer);
	source_remove(&zygote->source);
	listener_stop(&zygote->listener);
	/* it has outlived its zygote for the workers' sake; nobody else would end it now */
	if (zygote->init_pidfd >= 0)
		(void)process_signal(zygote->init_pidfd, SIGKILL);
	(void)fd_close(zygote->init_pidfd);
	(void)fd_close(zygote->control);
	(void)fd_close(zygote->pidfd);
	if (zygote->cells)
		(void)munmap(zygote->cells, LIMIT_WORKERS * CELL_SIZE);
	image_report_clear(zygote);
	list_remove(&zygote->link);
	free(zygote);
}
