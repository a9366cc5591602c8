/* SPDX-License-Identifier: MIT
 *
 * Results come one by one and in order, and each is sent before the next task is claimed; so when a
 * worker ends, the claim words say exactly which of its tasks never began (they go back to the
 * queue), and at most one is left to blame.
 *
 * A worker runs code that we know nothing of. What it sends is checked; whoever sends nonsense is
 * killed, and its task says so (WF_BY_PROTOCOL).
 */
#include "executor/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/image_report.h"
#include "executor/keeper_link.h"
#include "executor/link.h"
#include "executor/outcome.h"
#include "executor/slot.h"
#include "executor/supervise.h"
#include "proto/wire.h"

#define CHANNEL_RECEIVE_BATCH 64
#define CHANNEL_MAX_RETURNS   8

static void on_channel(struct source *source, uint32_t events);

/* --- a worker ----------------------------------------------------------------------------------
 */

int channel_new(struct zygote *zygote, struct slot *slot, struct worker **ret, int *ret_peer) {
	struct wf_executor *executor = zygote->executor;
	struct worker *worker = calloc(1, sizeof(*worker));
	int pair[2], r;

	if (!worker)
		return error_origin(-ENOMEM);
	worker->executor = executor;
	worker->zygote = zygote;
	worker->pidfd = worker->channel = -1;
	listener_init(&worker->listener, zygote, worker);
	r = link_cell_take(zygote, &worker->cell_index);
	if (r < 0) {
		free(worker);
		return error_trace(r);
	}
	worker->cell =
	    (struct cell *)(void *)((char *)zygote->cells + worker->cell_index * CELL_SIZE);
	memset(worker->cell, 0, sizeof(*worker->cell));
	r = fd_seqpacket_pair(pair);
	if (r >= 0) {
		worker->channel = pair[0];
		*ret_peer = pair[1];
	}
	if (r < 0) {
		link_cell_give(zygote, worker->cell_index);
		free(worker);
		return error_trace(r);
	}
	worker->id = ++executor->next_worker;
	worker->slot = slot;
	worker->slot_number = slot->number;
	worker->state = WORKER_ASKED;
	list_append(&zygote->workers, &worker->zygote_link);
	zygote->n_workers++;
	zygote->n_asked++;
	executor->n_starting++;
	*ret = worker;
	return 0;
}

int channel_listen(struct worker *worker) {
	return source_add(worker->executor->loop, &worker->source, worker->channel, EPOLLIN,
			  on_channel);
}

void channel_free(struct worker *worker) {
	struct zygote *zygote = worker->zygote;

	slot_forget(worker);
	timer_clear(&worker->stop_timer);
	source_remove(&worker->source);
	listener_stop(&worker->listener);
	(void)fd_close(worker->channel);
	(void)fd_close(worker->pidfd);
	link_cell_give(zygote, worker->cell_index);
	list_remove(&worker->zygote_link);
	zygote->n_workers--;
	free(worker);
}

unsigned channel_outstanding(const struct worker *worker) {
	return (unsigned)(worker->next_sequence - worker->first_sequence);
}

unsigned channel_count(const struct worker *worker) {
	unsigned n = 0;

	for (uint64_t s = worker->first_sequence; s < worker->next_sequence; s++)
		n += worker->assigned[s % CELL_CLAIMS] != NULL;
	return n;
}

bool channel_has_tasks(const struct worker *worker) {
	return channel_count(worker) > 0;
}

/* Behind a task that resolves with its worker's end nothing may lie. */
static bool is_last(const struct worker *worker) {
	const struct wf_future *future;

	if (worker->awaiting_exit)
		return true;
	if (worker->first_sequence == worker->next_sequence)
		return false;
	future = worker->assigned[(worker->next_sequence - 1) % CELL_CLAIMS];
	return future && (future->flags & WF_TASK_WAIT_EXIT);
}

unsigned channel_room(const struct worker *worker, unsigned depth) {
	unsigned outstanding = channel_outstanding(worker);
	int limit = worker->executor->options.public.max_tasks_per_worker;

	if (worker->state != WORKER_READY || worker->blocked || worker->stopped || worker->broken ||
	    worker->eof || worker->stop != STOP_NONE || outstanding >= depth || is_last(worker))
		return 0;
	depth -= outstanding;
	if (limit) {
		uint64_t left = (uint64_t)limit - worker->tasks_done - outstanding;

		if (worker->tasks_done + outstanding >= (uint64_t)limit)
			return 0;
		if (depth > left)
			depth = (unsigned)left;
	}
	return depth;
}

/* --- tasks out ----------------------------------------------------------------------------------
 */

/* What one task needs in its frame. */
struct parcel {
	struct message_context context;
	int fds[LIMIT_TASK_DESCRIPTORS + 4];
	size_t n_fds;
	int ours[2]; /* write ends of captures, closed when they have been sent */
	size_t n_ours;
};

static struct wf_future *queue_front(struct wf_executor *executor) {
	struct link *link = queue_peek(&executor->queue);

	return link ? container_of(link, struct wf_future, link) : NULL;
}

static bool is_plain(const struct wf_future *future) {
	return (!future->context || future->context->plain) && future->payload.memfd < 0 &&
	       !(future->flags & WF_TASK_WAIT_EXIT);
}

static void fill_task(const struct wf_future *future, struct message_task *task) {
	*task = (struct message_task){
		.sequence = future->sequence,
		.task_id = future->id,
		.function = (uint32_t)image_report_find(future->worker->zygote, future->function),
		.payload = { future->payload.data,
			     future->payload.memfd < 0 ? future->payload.size : 0 },
		.payload_in_memfd = future->payload.memfd >= 0,
		.payload_size = future->payload.size,
	};
}

static void assign(struct worker *worker, struct wf_future *future, nsec_t now) {
	struct cell_claim *claim = cell_claim(worker->cell, worker->next_sequence);

	queue_remove(&worker->executor->queue, &future->link, future->priority);
	future->state = FUTURE_HANDED;
	future->worker = worker;
	future->sequence = worker->next_sequence++;
	future->handed = now;
	future->started = 0;
	worker->assigned[future->sequence % CELL_CLAIMS] = future;
	atomic_store(&claim->started_ns, 0);
	atomic_store(&claim->word, claim_word(future->sequence, CLAIM_QUEUED));
}

static void unassign_last(struct worker *worker) {
	struct wf_future *future = worker->assigned[--worker->next_sequence % CELL_CLAIMS];

	worker->assigned[worker->next_sequence % CELL_CLAIMS] = NULL;
	channel_requeue(future);
}

/* limits.output of the policy: more ends the task. */
static void limit_output(const struct wf_future *future, struct task_stream *stream) {
	uint64_t limit = options_limit(&future->executor->options, POLICY_OUTPUT);

	if (limit >= stream->limit)
		return;
	stream->limit = limit;
	stream->overflow = WF_OVERFLOW_KILL;
}

static int parcel_streams(struct parcel *parcel, struct wf_future *future) {
	struct loop *loop = future->executor->loop;

	for (int i = 0; i < 3; i++) {
		const struct task_stream *stream = &future->context->streams[i];
		int write_end, r;

		if (stream->mode == WF_STDIO_DESCRIPTOR) {
			parcel->fds[parcel->n_fds++] = stream->descriptor;
		} else if (stream->mode == WF_STDIO_CAPTURE) {
			struct task_stream limited = *stream;

			limit_output(future, &limited);
			r = capture_open(&future->captures[i - 1], loop, &limited,
					 supervise_on_capture, &write_end);
			if (r < 0)
				return error_trace(r);
			parcel->fds[parcel->n_fds++] = write_end;
			parcel->ours[parcel->n_ours++] = write_end;
		}
	}
	return 0;
}

static int parcel_fill(struct parcel *parcel, struct wf_future *future, struct message_task *task) {
	int r;

	if (future->payload.memfd >= 0)
		parcel->fds[parcel->n_fds++] = future->payload.memfd;
	if (!future->context || future->context->plain)
		return 0;
	task_context_message(future->context, &parcel->context);
	task->context = &parcel->context;
	r = parcel_streams(parcel, future);
	if (r < 0)
		return error_trace(r);
	for (size_t i = 0; i < future->context->n_descriptors; i++)
		parcel->fds[parcel->n_fds++] = future->context->descriptors[i];
	return 0;
}

static int send_tasks(struct worker *worker, const struct message_task *tasks, size_t n,
		      const struct parcel *parcel) {
	struct wf_executor *executor = worker->executor;
	struct message message = { .type = MESSAGE_TASKS, .tasks = { tasks, n } };

	return message_send(worker->channel, &message, &executor->arena, executor->frame,
			    parcel ? parcel->fds : NULL, parcel ? parcel->n_fds : 0, MSG_DONTWAIT);
}

static bool is_shortage(int r) {
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS;
}

/* Others will give back what it lacks; if there are none, it tries a few times more. */
static bool may_wait(struct wf_future *future) {
	const struct wf_executor *executor = future->executor;

	return executor->n_pending > executor->queue.size + executor->n_tickets ||
	       ++future->returns <= CHANNEL_MAX_RETURNS;
}

/* The frame did not go out. Everything is as before, but for a task that can never be sent. */
static void hand_out_failed(struct worker *worker, unsigned n, int r) {
	struct wf_future *future = worker->assigned[(worker->next_sequence - n) % CELL_CLAIMS];

	for (unsigned i = 0; i < n; i++)
		unassign_last(worker);
	if (r == WIRE_E_AGAIN) {
		worker->blocked = true;
		(void)source_modify(&worker->source, EPOLLIN | EPOLLOUT);
	} else if (r == WIRE_E_CROWDED) {
		worker->blocked = true;
		supervise_retry(worker->executor);
	} else if (is_shortage(r) && may_wait(future)) {
		worker->executor->starved = true;
		supervise_retry(worker->executor);
	} else if (r == WIRE_E_EOF) {
		worker->broken = true; /* what it has sent can still be read, then comes the end */
		link_watch(worker->zygote);
	} else if (n == 1) {
		queue_remove(&worker->executor->queue, &future->link, future->priority);
		outcome_not_started(future, WF_PHASE_HAND_OUT, -r,
				    r == -EMSGSIZE ? "its context does not fit in a message"
						   : "its message could not be sent");
		future_resolve(future);
	} else {
		worker->broken = true;
	}
}

static unsigned handed_out(struct worker *worker, unsigned n) {
	struct wf_executor *executor = worker->executor;

	/* only while nothing else runs: what moves meanwhile may be somebody's evidence */
	if (executor->n_pending == executor->queue.size + executor->n_tickets + n)
		evidence_refresh(&executor->evidence, executor_now(executor));
	slot_busy(worker);
	link_watch(worker->zygote);
	for (uint64_t s = worker->next_sequence - n; s < worker->next_sequence; s++)
		supervise_watch(worker->assigned[s % CELL_CLAIMS]);
	return n;
}

static unsigned hand_out_one(struct worker *worker, struct wf_future *future, nsec_t now) {
	struct parcel parcel = { .n_fds = 0 };
	struct message_task task;
	int r;

	assign(worker, future, now);
	fill_task(future, &task);
	r = parcel_fill(&parcel, future, &task);
	if (r >= 0)
		r = send_tasks(worker, &task, 1, &parcel);
	fd_close_all(parcel.ours, parcel.n_ours);
	if (r == 0)
		return handed_out(worker, 1);
	hand_out_failed(worker, 1, r);
	return r < 0 ? 1u : 0u;
}

/* Several tasks that are nothing but bytes share a frame. */
static unsigned hand_out_plain(struct worker *worker, unsigned n, nsec_t now) {
	struct message_task tasks[LIMIT_TASKS_PER_FRAME] uninitialized;
	size_t size = 0;
	unsigned count = 0;
	int r;

	while (count < n && count < LIMIT_TASKS_PER_FRAME) {
		struct wf_future *future = queue_front(worker->executor);

		if (!future || !is_plain(future) ||
		    image_report_find(worker->zygote, future->function) < 0)
			break;
		size += future->payload.size + 64;
		if (count && size > WIRE_BODY)
			break;
		assign(worker, future, now);
		fill_task(future, &tasks[count++]);
	}
	r = send_tasks(worker, tasks, count, NULL);
	if (r == 0)
		return handed_out(worker, count);
	hand_out_failed(worker, count, r);
	return r < 0 && count == 1 ? 1u : 0u;
}

unsigned channel_hand_out(struct worker *worker, unsigned n) {
	struct wf_future *future = queue_front(worker->executor);
	nsec_t now = executor_now(worker->executor);

	if (!future || !n)
		return 0;
	if (image_report_find(worker->zygote, future->function) < 0) {
		queue_remove(&worker->executor->queue, &future->link, future->priority);
		outcome_not_started(future, WF_PHASE_HAND_OUT, ENOENT,
				    "the image was loaded again and has no such function now");
		future_resolve(future);
		return 1;
	}
	return is_plain(future) ? hand_out_plain(worker, n, now)
				: hand_out_one(worker, future, now);
}

/* --- taking back ---------------------------------------------------------------------------------
 */

void channel_requeue(struct wf_future *future) {
	struct wf_executor *executor = future->executor;

	timer_clear(&future->timer);
	capture_reset(&future->captures[0]);
	capture_reset(&future->captures[1]);
	future->state = FUTURE_QUEUED;
	future->worker = NULL;
	future->handed = future->started = future->ended = 0;
	future->result_here = false;
	queue_push_front(&executor->queue, &future->link, future->priority);
	supervise_watch(future);
}

unsigned channel_take_back(struct worker *worker, unsigned n) {
	unsigned taken = 0;

	for (uint64_t s = worker->next_sequence; s > worker->first_sequence && taken < n; s--) {
		struct wf_future *future = worker->assigned[(s - 1) % CELL_CLAIMS];

		if (!future)
			continue;
		if (!claim_swap(cell_claim(worker->cell, s - 1), s - 1, CLAIM_CANCELLED))
			break; /* claimed, and so are all before it */
		worker->assigned[(s - 1) % CELL_CLAIMS] = NULL;
		channel_requeue(future);
		taken++;
	}
	return taken;
}

/* --- results in
 * ----------------------------------------------------------------------------------- */

/* It is beyond trust: kill it, and let its exit report decide what becomes of its tasks. */
static void distrust(struct worker *worker, const char *what) {
	executor_log(worker->executor, LOG_WARNING, "worker %d (slot %u): %s", (int)worker->pid,
		     worker->slot_number, what);
	supervise_distrust(worker);
}

static void note_started(struct wf_future *future, nsec_t now) {
	nsec_t started =
	    atomic_load(&cell_claim(future->worker->cell, future->sequence)->started_ns);

	/* the worker wrote it: believe it only where it is possible */
	if (!future->started)
		future->started = started < future->handed ? future->handed
				  : started > now          ? now
							   : started;
	future->ended = now;
}

static void note_run_time(struct wf_executor *executor, nsec_t run) {
	if (executor->n_mean++ == 0)
		executor->mean_run = run;
	else
		executor->mean_run = (executor->mean_run * 7 + run) / 8;
}

/* A result that cannot be had for want of memory or descriptors is a failure with a name. */
static void result_unavailable(struct wf_future *future, const struct message_result *result,
			       int error) {
	future->outcome.kind = WF_FAILED;
	future->outcome.failed.code = error;
	future->outcome.failed.message = error == EMFILE
					     ? "the result came, but this process has no free "
					       "descriptor for it (RLIMIT_NOFILE)"
					     : "the result came, but could not be kept";
	future->outcome.failed.data = "";
	future->outcome.failed.size = 0;
	future->outcome.evidence = result->kind == RESULT_FAILED ? "the function returned a failure"
								 : "the function returned 0";
}

static bool verdict_stands(const struct wf_future *future) {
	return future->verdict == VERDICT_TIMED_OUT || future->verdict == VERDICT_OUTPUT_LIMIT ||
	       future->verdict == VERDICT_VIOLATION ||
	       (future->verdict == VERDICT_KILLED && future->verdict_killer == WF_BY_PROTOCOL);
}

static int finish(struct wf_future *future, const struct message_result *result, int r_receive,
		  int memfd) {
	int r;

	supervise_check_output(future);
	if (verdict_stands(future)) {
		outcome_from_verdict(future, NULL);
		return 0;
	}
	if (result->payload_in_memfd && r_receive == WIRE_E_TRUNCATED) {
		result_unavailable(future, result, EMFILE);
		return 0;
	}
	if (result->payload_in_memfd && memfd < 0)
		return OUTCOME_E_UNTRUSTED;
	r = outcome_from_result(future, result, memfd);
	if (r < 0)
		result_unavailable(future, result, -r);
	return r > 0 ? r : 0;
}

static void after_task(struct worker *worker, const struct message_result *result) {
	const struct wf_executor_options *options = &worker->executor->options.public;

	worker->tasks_done++;
	slot_start_worked(worker->executor);
	note_run_time(worker->executor, result->run_ns);
	if (options->tuning.recycle_memory &&
	    result->memory_growth > options->tuning.recycle_memory) {
		worker->executor->statistics.recycled++;
		slot_retire(worker);
	} else if (worker->awaiting_exit) {
		slot_retire(worker);
	} else if (options->max_tasks_per_worker &&
		   worker->tasks_done >= (uint64_t)options->max_tasks_per_worker) {
		slot_leaving(worker); /* by itself */
		if (worker->executor->queue.size > 0)
			slot_hasten(worker);
	} else if (channel_outstanding(worker) == 0) {
		slot_idle(worker);
	}
}

static void handle_result(struct worker *worker, const struct message_result *result, int r_receive,
			  int memfd) {
	struct wf_future *future = worker->assigned[result->sequence % CELL_CLAIMS];
	nsec_t now = executor_now(worker->executor);

	if (result->sequence != worker->first_sequence ||
	    worker->first_sequence == worker->next_sequence ||
	    (result->kind == RESULT_SKIPPED) != (future == NULL)) {
		distrust(worker, "sent a result that nobody asked for");
		return;
	}
	if (!future) {
		worker->first_sequence++;
		if (channel_outstanding(worker) == 0)
			slot_idle(worker);
		return;
	}
	note_started(future, now);
	if (finish(future, result, r_receive, memfd) == OUTCOME_E_UNTRUSTED) {
		distrust(worker, "sent a result in memory that it could still change");
		return;
	}
	future->attempts++;
	future->outcome.task_number = worker->tasks_done + 1;
	worker->assigned[worker->first_sequence++ % CELL_CLAIMS] = NULL;
	if (future->flags & WF_TASK_WAIT_EXIT) {
		future->result_here = true;
		worker->awaiting_exit = future;
	} else {
		future_resolve(future);
	}
	after_task(worker, result);
}

/* A worker that a task has taken over could send any descriptor: only the first counts, before any task. */
static bool take_listener(struct worker *worker, struct wire_frame *frame) {
	if (worker->state != WORKER_STARTED || frame->n_descriptors != 1 ||
	    !worker->executor->options.policy || worker->listener.fd >= 0)
		return false;
	if (listener_start(&worker->listener, fd_steal(&frame->descriptors[0])) < 0)
		executor_log(worker->executor, LOG_WARNING,
			     "worker %d: its refusals cannot be listened to", (int)worker->pid);
	return true;
}

static void handle_ready(struct worker *worker, const struct message_worker_ready *ready,
			 struct wire_frame *frame) {
	if (worker->state == WORKER_LEAVING && worker->tasks_done == 0 && worker->asked)
		return; /* it was told to leave before it was ready */
	if (worker->state != WORKER_STARTED) {
		distrust(worker, "said twice that it is ready");
		return;
	}
	if (frame->n_descriptors > 0 && !take_listener(worker, frame)) {
		distrust(worker, "sent a listener that nobody expects");
		return;
	}
	slot_ready(worker, ready->error, ready->text);
}

static void handle_leaving(struct worker *worker, const struct message_leaving *leaving) {
	const struct wf_future *first = worker->assigned[worker->first_sequence % CELL_CLAIMS];

	if (worker->state == WORKER_LEAVING
		? worker->leaving_since != 0
		: first && channel_outstanding(worker) && future_has_started(first)) {
		distrust(worker, "said that it leaves, in the middle of a task or twice");
		return;
	}
	executor_log(worker->executor, LOG_INFO, "worker %d (slot %u) is recycled: %s",
		     (int)worker->pid, worker->slot_number, leaving->text);
	worker->executor->statistics.recycled++;
	(void)channel_take_back(worker, UINT32_MAX);
	slot_leaving(worker);
}

static void handle_listener(struct worker *worker, struct wire_frame *frame) {
	if (!take_listener(worker, frame))
		distrust(worker, "sent a listener that nobody expects");
}

static void handle(struct worker *worker, struct wire_frame *frame, int r_receive) {
	struct message message;
	int r;

	arena_reset(&worker->executor->receive_arena);
	r = message_unpack(frame->type, frame->body, frame->size, &worker->executor->receive_arena,
			   &message);
	if (r == 0 && message.type == MESSAGE_RESULT)
		handle_result(worker, &message.result, r_receive,
			      frame->n_descriptors == 1 ? frame->descriptors[0] : -1);
	else if (r == 0 && message.type == MESSAGE_WORKER_READY)
		handle_ready(worker, &message.worker_ready, frame);
	else if (r == 0 && message.type == MESSAGE_LEAVING)
		handle_leaving(worker, &message.leaving);
	else if (r == 0 && message.type == MESSAGE_LISTENER)
		handle_listener(worker, frame);
	else
		distrust(worker, "sent a message that it may not send");
	wire_frame_close(frame);
}

void channel_receive(struct worker *worker) {
	struct wire_frame frame uninitialized;

	/* Bounded, so that one worker cannot keep the others waiting; level-triggered, so that the
	 * rest is not forgotten. */
	for (int i = 0; i < CHANNEL_RECEIVE_BATCH && !worker->eof; i++) {
		int r = wire_receive(worker->channel, worker->executor->receive_frame, MSG_DONTWAIT,
				     &frame);

		if (r == WIRE_E_AGAIN)
			return;
		if (r == 0 || r == WIRE_E_TRUNCATED) {
			handle(worker, &frame, r);
			/* nothing more is due: what may come all the same wakes the loop again */
			if (channel_outstanding(worker) == 0 && worker->state == WORKER_READY)
				return;
		} else if (r == WIRE_E_EOF) {
			worker->eof = true;
			source_remove(&worker->source);
			supervise_channel_closed(worker);
		} else {
			distrust(worker, "sent a malformed frame");
			return;
		}
	}
}

void channel_unblock(struct worker *worker) {
	worker->blocked = false;
	if (worker->state == WORKER_READY && channel_outstanding(worker) == 0)
		slot_idle(worker);
}

static void on_channel(struct source *source, uint32_t events) {
	struct worker *worker = container_of(source, struct worker, source);

	if (events & EPOLLOUT) {
		(void)source_modify(&worker->source, EPOLLIN);
		channel_unblock(worker);
	}
	if (events & ~(uint32_t)EPOLLOUT)
		channel_receive(worker);
}

/* --- the end
 * --------------------------------------------------------------------------------------- */

static void record_death(struct wf_future *future, const struct worker *worker,
			 const struct exit_status *status) {
	struct outcome_memory *memory = &future->memory;

	if (!memory->deaths)
		memory->deaths = calloc(WF_MAX_DEATHS, sizeof(memory->deaths[0]));
	if (!memory->deaths || memory->n_deaths == WF_MAX_DEATHS)
		return;
	memory->deaths[memory->n_deaths++] = (struct wf_death){
		.pid = worker->pid,
		.slot = (int)worker->slot_number,
		.kind = !status          ? WF_ZYGOTE_LOST
			: status->exited ? WF_EXITED
					 : WF_SIGNALLED,
		.code = status && status->exited ? status->code : 0,
		.signal = status && !status->exited ? status->signal : 0,
	};
}

/* May it be started again? Only if its submitter said so, and not for ever. */
static bool try_again(struct wf_future *future) {
	struct wf_executor *executor = future->executor;

	if (!(future->flags & WF_TASK_IDEMPOTENT) || future->verdict != VERDICT_NONE ||
	    executor->state == EXECUTOR_CLOSING)
		return false;
	if (future->attempts >= (unsigned)executor->options.public.max_attempts) {
		future->outcome.quarantined = true;
		return false;
	}
	executor->statistics.retried++;
	return true;
}

static void victim(struct worker *worker, struct wf_future *future,
		   const struct exit_status *status, const char *oom) {
	future->attempts++;
	note_started(future, executor_now(worker->executor));
	if (future->verdict == VERDICT_NONE && atomic_load(&worker->cell->lost_channel)) {
		future->verdict = VERDICT_KILLED;
		future->verdict_killer = WF_BY_PROTOCOL;
	}
	if (future->verdict == VERDICT_NONE)
		record_death(future, worker, status);
	if (try_again(future)) {
		channel_requeue(future);
		return;
	}
	supervise_check_output(future);
	if (future->verdict != VERDICT_NONE)
		outcome_from_verdict(future, status);
	else if (status)
		outcome_from_exit(future, status, oom);
	else
		outcome_zygote_lost(future);
	if (future->memory.n_deaths && future->outcome.kind == WF_MEMORY_LIMIT)
		future->memory.deaths[future->memory.n_deaths - 1].kind = WF_MEMORY_LIMIT;
	future->outcome.reaped = status && !worker->unswept;
	if ((future->flags & WF_TASK_WAIT_EXIT) && worker->unswept) {
		future->result_here = true;
		worker->awaiting_exit = future;
	} else {
		future_resolve(future);
	}
}

static void innocent(struct wf_future *future) {
	if (++future->returns > CHANNEL_MAX_RETURNS) {
		outcome_not_started(future, WF_PHASE_HAND_OUT, 0,
				    "each worker that it was handed to ended before it took it");
		future_resolve(future);
		return;
	}
	channel_requeue(future);
}

static void count_death(struct worker *worker, const struct exit_status *status, bool was_busy) {
	struct statistics *statistics = &worker->executor->statistics;

	if (worker->asked || worker->stop != STOP_NONE)
		return;
	if (status && status->exited)
		statistics->deaths_exit++;
	else
		statistics->deaths_signal++;
	if (!was_busy)
		statistics->deaths_idle++;
}

void channel_ended(struct worker *worker, const struct exit_status *status) {
	struct wf_executor *executor = worker->executor;
	const char *oom = NULL;
	bool busy = false;

	/* What it sent before it ended counts, unless it is beyond trust; also when it was killed: it may
	 * have done other tasks before the one that was to be ended. */
	while (!worker->eof && worker->source.loop) {
		uint64_t before = worker->first_sequence;

		channel_receive(worker);
		if (before == worker->first_sequence)
			break;
	}
	if (status && !status->exited && status->signal == SIGKILL && worker->stop == STOP_NONE &&
	    keeper_link_is_dead(executor)) {
		status = NULL; /* it was ended because its keeper is gone */
		worker->asked = true;
	}
	if (status && !status->exited && status->signal == SIGKILL && worker->stop == STOP_NONE)
		oom = worker->zygote->oom_kills
			  ? evidence_group(&executor->evidence, worker->zygote->memory_group,
					   worker->cell_index,
					   &worker->zygote->oom_kills[worker->cell_index])
			  : evidence_look(&executor->evidence);
	/* newest first, so that the queue gets them back in their order */
	for (uint64_t s = worker->next_sequence; s > worker->first_sequence; s--) {
		struct wf_future *future = worker->assigned[(s - 1) % CELL_CLAIMS];

		if (!future)
			continue;
		worker->assigned[(s - 1) % CELL_CLAIMS] = NULL;
		if (claim_swap(cell_claim(worker->cell, s - 1), s - 1, CLAIM_CANCELLED)) {
			innocent(future);
		} else {
			busy = true;
			victim(worker, future, status, oom);
		}
	}
	worker->first_sequence = worker->next_sequence;
	count_death(worker, status, busy);
	slot_ended(worker, status, busy);
}
