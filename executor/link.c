/* SPDX-License-Identifier: MIT
 *
 * The end of a zygote's socket proves nothing; its end is what the keeper reports. We hold pidfds
 * of zygotes, and of workers whose zygote is gone: if one of those tells that a process has ended
 * and the keeper does not, it is the keeper that has to be replaced.
 */
#include "executor/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/channel.h"
#include "executor/claim.h"
#include "executor/stop.h"
#include "policy/document.h"
#include "proto/wire.h"

#define LINK_RECEIVE_BATCH 64
#define NONCE_BYTES        16
#define RETRY_MS           5   /* until room for descriptors in flight is looked for again */
#define ORPHAN_GRACE_MS    500 /* for a zygote without a keeper to end what it has started */

/* --- sending ------------------------------------------------------------------------------- */

static void on_retry(struct timer *timer, nsec_t now) {
	(void)now;
	container_of(timer, struct generation, retry_timer)->blocked = false;
}

static int send_to(struct generation *generation, const struct message *message, const int *fds,
		   size_t n_fds) {
	struct engine *engine = generation->engine;
	int r = message_send(generation->control, message, &engine->arena, engine->frame, fds,
			     n_fds, MSG_DONTWAIT);

	if (r == WIRE_E_AGAIN) {
		generation->blocked = true;
		(void)source_modify(&generation->source, EPOLLIN | EPOLLOUT);
	} else if (r == WIRE_E_CROWDED) {
		/* too many descriptors in flight (unix(7), ETOOMANYREFS): no event will tell */
		generation->blocked =
		    timer_set(engine->loop, &generation->retry_timer,
			      clock_after_ms(engine_now(engine), RETRY_MS), on_retry) == 0;
	}
	return r;
}

/* Not the workers' failure if `error` is 0: the pump asks again when the zygote can be asked. */
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

static void watch(struct generation *generation);

void link_spawn(struct generation *generation, const struct message_spawn_worker *workers,
		const int *peers, size_t n) {
	struct message message = {
		.type = MESSAGE_SPAWN,
		.spawn = { ++generation->n_requests, workers, n },
	};
	int r = send_to(generation, &message, peers, n);

	watch(generation);
	if (r == WIRE_E_EOF)
		generation->blocked = true; /* the report of its end goes on from here */
	if (r != 0)
		not_spawned(generation, workers, n, r < 0 ? -r : 0);
}

void link_drain(struct generation *generation) {
	struct message message = { .type = MESSAGE_DRAIN };

	if (send_to(generation, &message, NULL, 0) != 0)
		engine_log(generation->engine, LOG_WARNING, "zygote %d could not be told to drain",
			   (int)generation->pid);
}

/* --- liveness ------------------------------------------------------------------------------ */

/* Anything but a worker that sits there ready: somebody waits for what the zygote will say of it. */
static bool is_quiet(const struct worker *worker) {
	return worker->state == WORKER_DETAINED ||
	       (worker->state == WORKER_READY && claim_outstanding(worker) == 0 && !worker->eof &&
		!worker->broken && worker->stop == STOP_NONE);
}

static bool has_work(const struct generation *generation) {
	for (struct link *link = generation->workers.next; link != &generation->workers;
	     link = link->next)
		if (!is_quiet(container_of(link, struct worker, generation_link)))
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

	if (generation->state == GENERATION_LOST || !has_work(generation)) {
		generation->pinged = false;
		return;
	}
	if (generation->pinged && !generation->heard) {
		engine_log(generation->engine, LOG_ERROR, "zygote %d does not answer: replaced",
			   (int)generation->pid);
		generation_kill(generation);
		return;
	}
	generation->heard = false;
	generation->pinged = true;
	(void)send_to(generation, &message, NULL, 0);
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
	engine_log(worker->engine, LOG_WARNING, "no descriptor for worker %d: it must leave",
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

static bool was_killed(const struct exit_status *status) {
	return !status->exited && status->signal == SIGKILL;
}

static bool handle_worker_exited(struct generation *generation, const struct message *message,
				 struct wire_frame *frame) {
	const struct message_worker_exited *exited = &message->worker_exited;
	struct worker *worker = worker_find(generation, exited->worker_id);

	(void)frame;
	if (!worker)
		return true;
	if (was_killed(&exited->status) && worker->stop == STOP_NONE &&
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
		engine_log(engine, LOG_ERROR, "zygote %d sent %s, which it may not: replaced",
			   (int)generation->pid, message_name(frame->type));
		if (generation->state == GENERATION_LOADING)
			generation_fail(generation, WF_PHASE_LAUNCH, EPROTO,
					"its zygote sent %s, which it may not",
					message_name(frame->type));
		source_remove(&generation->source);
		generation_kill(generation);
	}
	wire_frame_close(frame);
}

static bool is_shortage(int r) {
	return r == -ENOMEM || r == -ENOBUFS;
}

/* True: there may be more. */
static bool link_receive(struct generation *generation) {
	struct wire_frame frame;

	for (int i = 0; i < LINK_RECEIVE_BATCH && generation->source.loop; i++) {
		int r = wire_receive(generation->control, generation->engine->receive_frame,
				     MSG_DONTWAIT, &frame);

		if (r == WIRE_E_AGAIN || is_shortage(r))
			return false;
		if (r == 0 || r == WIRE_E_TRUNCATED) {
			receive_one(generation, &frame);
			continue;
		}
		source_remove(&generation->source);
		/* it may live on without its socket; its end is reported either way */
		generation_kill(generation);
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

/* --- start --------------------------------------------------------------------------------- */

static void on_output(struct source *source, uint32_t events) {
	(void)events;
	capture_drain(container_of(source, struct capture, source));
}

static void on_preload_overdue(struct timer *timer, nsec_t now) {
	struct generation *generation = container_of(timer, struct generation, preload_timer);

	(void)now;
	generation->preload_overdue = true;
	generation_kill(generation);
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
static int open_program(uint64_t generation) {
	char path[LIMIT_PATH];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd = -1;

	if (n > 0 && generation > 1) {
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

static int send_start(struct generation *generation, struct keeper *keeper, const char *nonce,
		      const int *fds, size_t n_fds) {
	struct message_start_zygote start = {
		.generation = generation->number,
		.kind = (enum image_kind)generation->engine->options.public.image,
		.nonce = nonce,
		.program = program_invocation_name,
		.depth = link_depth() + 1,
	};

	return keeper_start_zygote(keeper, &start, fds, n_fds);
}

static int send_policy(struct generation *generation, const struct options *options) {
	struct policy policy = *document_view(options->policy);
	uint8_t *frame = generation->engine->frame;
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
	return wire_send(generation->control, MESSAGE_POLICY, frame, size, NULL, 0, MSG_DONTWAIT);
}

static int send_load(struct generation *generation, const char *nonce, int cells) {
	const struct options *options = &generation->engine->options;
	struct message hello = {
		.type = MESSAGE_HELLO,
		.hello = { PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, nonce },
	};
	struct message load = {
		.type = MESSAGE_LOAD,
		.load = {
			.generation = generation->number,
			.kind = (enum image_kind)options->public.image,
			.module = options->module,
			.name = options->name,
			.preload_argument = { options->preload_argument,
			                      options->public.preload_argument_size },
			.audit_waive = options->public.audit_waive,
			.depth = link_depth() + 1,
			.measure_memory = options->public.tuning.recycle_memory != 0,
			.freeze = (enum freeze_wish)options->public.freeze,
			.touch_ahead = options->public.tuning.touch_ahead &&
				       options->public.max_tasks_per_worker == 1,
			.spin_us = (uint32_t)options->public.tuning.spin_us,
		},
	};
	int r = send_to(generation, &hello, NULL, 0);

	if (r == 0 && options->policy)
		r = send_policy(generation, options);
	return r ? r : send_to(generation, &load, &cells, 1);
}

static int start_with(struct generation *generation, struct keeper *keeper, int control, int output,
		      int cells) {
	cleanup_close int program = -1;
	char nonce[2 * NONCE_BYTES + 1];
	int fds[3] = { control, output, -1 }, r;
	size_t n_fds = 2;

	r = make_nonce(nonce);
	if (r < 0)
		return error_trace(r);
	if (generation->engine->options.public.image == WF_IMAGE_SELF) {
		program = open_program(generation->number);
		if (program < 0)
			return error_trace(program);
		fds[n_fds++] = program;
	}
	r = send_start(generation, keeper, nonce, fds, n_fds);
	if (r == 0)
		r = send_load(generation, nonce, cells);
	return r > 0 ? -EPIPE : r;
}

static int link_open(struct generation *generation, struct keeper *keeper, int cells) {
	static const struct task_stream stream = { .limit = LIMIT_PRELOAD_OUTPUT,
						   .overflow = WF_OVERFLOW_TRUNCATE };
	struct engine *engine = generation->engine;
	int timeout_ms = engine->options.public.preload_timeout_ms;
	int pair[2], r;
	cleanup_close int peer = -1, output = -1;

	r = fd_seqpacket_pair(pair);
	if (r < 0)
		return error_trace(r);
	generation->control = pair[0];
	peer = pair[1];
	r = source_add(engine->loop, &generation->source, pair[0], EPOLLIN, on_control);
	if (r >= 0)
		r = capture_open(&generation->output, engine->loop, &stream, on_output, &output);
	if (r >= 0 && timeout_ms != WF_FOREVER)
		r = timer_set(engine->loop, &generation->preload_timer,
			      clock_after_ms(engine_now(engine), timeout_ms), on_preload_overdue);
	if (r >= 0)
		r = start_with(generation, keeper, peer, output, cells);
	return r < 0 ? error_trace(r) : 0;
}

int link_start(struct generations *generations, struct keeper *keeper) {
	struct generation *generation;
	cleanup_close int cells = -1;
	int r = generation_new(generations, keeper->engine, &generation, &cells);

	if (r < 0)
		return error_trace(r);
	r = link_open(generation, keeper, cells);
	if (r < 0) {
		generation_free(generations, generation);
		return error_trace(r);
	}
	generation->keeper = keeper;
	generations->loading = generation;
	keeper->engine->statistics.zygote_starts++;
	return 0;
}

/* --- the end ------------------------------------------------------------------------------- */

/* Workers that live are the keeper's from now on, and so is the init of their pid namespace, which
 * ends with them. */
static size_t list_living(struct generation *generation, int32_t *pids, size_t room) {
	size_t n = 0;

	list_foreach_safe (link, next, &generation->workers) {
		struct worker *worker = container_of(link, struct worker, generation_link);

		if (worker->state == WORKER_ASKED || worker->state == WORKER_UNWANTED)
			/* its fork, if it happened, was not reported: the keeper ends it */
			(void)worker_step(worker, WORKER_NOT_SPAWNED);
		else if (worker->state < WORKER_ENDED && n < room)
			pids[n++] = worker->pid;
	}
	if (n > 0 && n < room && generation->init > 0)
		pids[n++] = generation->init;
	return n;
}

void link_finish(struct generation *generation, struct keeper *keeper) {
	int32_t pids[LIMIT_WORKERS];
	size_t n;

	while (link_receive(generation))
		; /* what it sent before its end */
	generation_close(generation);
	n = list_living(generation, pids, LIMIT_WORKERS);
	keeper_keep(keeper, generation->number, pids, n);
}

static void on_zygote_end(struct source *source, uint32_t events) {
	struct generation *generation = container_of(source, struct generation, end_source);

	(void)events;
	source_remove(source);
	generation->end_seen = true;
	if (!generation->exited && !generation->orphaned)
		keeper_expect(generation->keeper);
}

/* --- what the keeper says ------------------------------------------------------------------ */

static struct generation *find(void *context, uint64_t number) {
	return generations_find(((struct link_family *)context)->generations, number);
}

static void describe_start(char *text, size_t size, int error, const char *step) {
	if (strcmp(step, "slot") == 0)
		(void)snprintf(text, size,
			       "the zygote could not be started: %d earlier generations still run "
			       "tasks, the most that one executor may have",
			       LIMIT_KEEPER_ZYGOTES);
	else
		(void)snprintf(text, size, "the zygote could not be started: %s: %s%s", step,
			       strerrordesc_np(error), error == EMFILE ? " (RLIMIT_NOFILE)" : "");
}

static void on_started(void *context, uint64_t number, pid_t pid, int pidfd_take, int error,
		       const char *step) {
	struct generation *generation = find(context, number);
	char text[512];

	if (!generation || generation->pidfd >= 0) {
		(void)fd_close(pidfd_take);
		return;
	}
	if (error) {
		describe_start(text, sizeof text, error, step);
		generation_fail(generation, WF_PHASE_LAUNCH, error, "%s", text);
		generation->not_started = true;
		return;
	}
	generation->pid = pid;
	generation->pidfd = pidfd_take >= 0 ? pidfd_take : process_open(pid);
	if (generation->pidfd < 0 || source_add(generation->engine->loop, &generation->end_source,
						generation->pidfd, EPOLLIN, on_zygote_end) < 0) {
		generation_fail(generation, WF_PHASE_LAUNCH, EMFILE,
				"no free descriptor for the zygote (RLIMIT_NOFILE)");
		(void)shutdown(generation->control, SHUT_RDWR); /* it ends; the keeper reports it */
	}
	if (generation->preload_overdue)
		generation_kill(generation);
}

static void on_exited(void *context, uint64_t number, const struct exit_status *status) {
	struct link_family *family = context;
	struct generation *generation = find(context, number);

	if (!generation) { /* given up before it ran; the keeper waits for it all the same */
		keeper_keep(family->keeper, number, NULL, 0);
		return;
	}
	if (generation->exited)
		return;
	generation->exited = true;
	generation->exit = *status;
	if (generation->end_seen)
		keeper_answered(family->keeper);
}

static bool is_among(pid_t pid, const int32_t *pids, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Nobody reports it. That it was killed is what the loss of a keeper does, and says nothing of its
 * task; if it ended otherwise and the kernel still tells how (Linux 6.15), that is what happened. */
static void end_orphan(struct worker *worker) {
	struct exit_status status;
	bool known = evidence_exit(worker->pidfd, &status) && !was_killed(&status);

	worker_ended(worker, known ? &status : NULL, true);
}

/* An adopted worker: its pidfd tells us first, then the keeper how. */
static void on_adopted_end(struct source *source, uint32_t events) {
	struct worker *worker = container_of(source, struct worker, end_source);

	(void)events;
	source_remove(source);
	worker->end_seen = true;
	if (worker->generation->orphaned)
		end_orphan(worker);
	else if (worker->state < WORKER_ENDED)
		keeper_expect(worker->generation->keeper);
}

static bool watch_end(struct worker *worker) {
	return worker->end_source.loop || source_add(worker->engine->loop, &worker->end_source,
						     worker->pidfd, EPOLLIN, on_adopted_end) == 0;
}

static void on_kept(void *context, uint64_t number, const int32_t *pids, size_t n) {
	struct generation *generation = find(context, number);
	struct exit_status status;

	if (!generation)
		return;
	list_foreach_safe (link, next, &generation->workers) {
		struct worker *worker = container_of(link, struct worker, generation_link);

		if (worker->state == WORKER_ENDED)
			worker_swept(worker); /* the keeper has swept for the zygote */
		else if (is_among(worker->pid, pids, n))
			(void)watch_end(worker);
		else
			worker_ended(worker, evidence_exit(worker->pidfd, &status) ? &status : NULL,
				     true);
	}
}

static struct worker *find_adopted(void *context, pid_t pid) {
	struct link_family *family = context;

	generations_foreach (generation, family->generations) {
		struct worker *worker = worker_find_process(generation, pid);

		if (generation->state == GENERATION_LOST && worker && worker->state < WORKER_ENDED)
			return worker;
	}
	return NULL;
}

static void on_adopted_exited(void *context, pid_t pid, const struct exit_status *status) {
	struct link_family *family = context;
	struct worker *worker = find_adopted(context, pid);

	if (!worker)
		return;
	if (worker->end_seen)
		keeper_answered(family->keeper);
	worker_ended(worker, status, true);
}

static void on_adopted_stopped(void *context, pid_t pid, bool stopped) {
	struct worker *worker = find_adopted(context, pid);

	if (worker)
		worker_set_stopped(worker, stopped);
}

/* --- without a keeper ---------------------------------------------------------------------- */

/* Everything below the keeper is dying: the zygote by its lifeline, which ends what it has started
 * first, and each worker by its own. We make sure, and wait for the end of each of them by its
 * pidfd, because a task that may still be running must not be reported as over. */
static void on_orphan_timer(struct timer *timer, nsec_t now) {
	(void)now;
	generation_kill(container_of(timer, struct generation, orphan_timer));
}

static void orphan_worker(struct worker *worker) {
	if (worker->state == WORKER_ASKED || worker->state == WORKER_UNWANTED) {
		(void)worker_step(worker, WORKER_NOT_SPAWNED);
		return;
	}
	if (worker->state == WORKER_ENDED) {
		worker_swept(worker);
		return;
	}
	worker->end_was_expected = true;
	channel_receive(worker);
	stop_kill(worker);
	if (worker->pidfd < 0 || worker->end_seen || !watch_end(worker))
		end_orphan(worker);
}

static void orphan_generation(struct generation *generation) {
	struct engine *engine = generation->engine;

	generation->orphaned = true;
	if (generation->state == GENERATION_LOADING && generation->keeper->breach)
		generation_fail(
		    generation, WF_PHASE_LAUNCH, EPROTO,
		    "its keeper sent %s, which it may not: is %s the warmfork-zygote of "
		    "this version?",
		    generation->keeper->breach, keeper_helper(&engine->options));
	else if (generation->state == GENERATION_LOADING)
		generation_fail(generation, WF_PHASE_LAUNCH, 0,
				"the keeper ended before the image was ready");
	list_foreach_safe (link, next, &generation->workers)
		orphan_worker(container_of(link, struct worker, generation_link));
	if (timer_set(engine->loop, &generation->orphan_timer,
		      clock_after_ms(engine_now(engine), ORPHAN_GRACE_MS), on_orphan_timer) < 0)
		generation_kill(generation);
}

static void on_lost(void *context) {
	struct link_family *family = context;

	generations_foreach (generation, family->generations)
		orphan_generation(generation);
}

const struct keeper_events link_events = {
	.started = on_started,
	.exited = on_exited,
	.kept = on_kept,
	.adopted_exited = on_adopted_exited,
	.adopted_stopped = on_adopted_stopped,
	.lost = on_lost,
};
