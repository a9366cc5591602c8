/* SPDX-License-Identifier: MIT
 *
 * Results come one by one and in order, and each is sent before the next task is claimed. So when a
 * worker ends, the claim words say exactly which of its tasks never began, and at most one is left
 * to blame.
 *
 * A worker runs code that we know nothing about. Whatever it sends is checked; a worker that sends
 * nonsense is killed, and its task's outcome says so (WF_BY_PROTOCOL).
 */
#include "executor/channel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/account.h"
#include "executor/claim.h"
#include "executor/conclude.h"
#include "executor/offload.h"
#include "executor/stop.h"
#include "proto/wire.h"

#define CHANNEL_RECEIVE_BATCH 64
#define UNBEGUN_MS            2000 /* for a worker that owes nothing to begin its next task */
#define CHANNEL_TASK_OVERHEAD 64   /* of a task's other fields, packed */

static void on_channel(struct source *source, uint32_t events);

/* --- life ---------------------------------------------------------------------------------- */

int channel_open(struct worker *worker, int *ret_peer) {
	int pair[2], r = fd_seqpacket_pair(pair);

	if (r < 0)
		return error_trace(r);
	worker->channel = pair[0];
	*ret_peer = pair[1];
	return 0;
}

int channel_listen(struct worker *worker) {
	return source_add(worker->engine->loop, &worker->source, worker->channel, EPOLLIN,
			  on_channel);
}

/* --- tasks out ----------------------------------------------------------------------------- */

/* What one task adds to its frame. */
struct parcel {
	struct message_context context;
	int fds[LIMIT_TASK_DESCRIPTORS + 4];
	size_t n_fds;
};

static bool is_plain(const struct task_context *context) {
	return !context || context->plain;
}

bool channel_may_share(const struct wf_future *future) {
	return is_plain(future->context) && future->payload.memfd < 0 &&
	       !(future->flags & WF_TASK_WAIT_EXIT);
}

size_t channel_size_of(const struct wf_future *future) {
	return future->payload.size + CHANNEL_TASK_OVERHEAD;
}

static void fill_task(const struct worker *worker, const struct wf_future *future,
		      struct message_task *task) {
	bool in_memfd = future->payload.memfd >= 0;

	*task = (struct message_task){
		.sequence = future->sequence,
		.task_id = future->id,
		.function = (uint32_t)generation_function(worker->generation, future->function),
		.payload = { future->payload.data, in_memfd ? 0 : future->payload.size },
		.payload_in_memfd = in_memfd,
		.payload_size = future->payload.size,
	};
}

/* The policy's limits.output: a task that writes more is ended. */
static void limit_output(const struct wf_future *future, struct task_stream *stream) {
	uint64_t limit = options_limit(&future->engine->options, POLICY_OUTPUT);

	if (limit >= stream->limit)
		return;
	stream->limit = limit;
	stream->overflow = WF_OVERFLOW_KILL;
}

/* The pump decides whether to end the task for it. */
static void on_output(struct capture *capture) {
	struct capture *first = capture - (capture->stream - 1);
	struct wf_future *future = container_of(first, struct wf_future, captures[0]);

	future_was_read(future);
	if (!capture->overflowed || capture->overflow != WF_OVERFLOW_KILL || !future->worker)
		return;
	capture_close(capture);
	future->overflow = capture->stream;
	worker_changed(future->worker);
	engine_ring(future->engine);
}

static int parcel_streams(struct parcel *parcel, struct wf_future *future) {
	for (int i = 0; i < 3; i++) {
		struct task_stream stream = future->context->streams[i];
		int r;

		if (stream.mode == WF_STDIO_DESCRIPTOR) {
			parcel->fds[parcel->n_fds++] = stream.descriptor;
		} else if (stream.mode == WF_STDIO_CAPTURE) {
			limit_output(future, &stream);
			r = capture_open(&future->captures[i - 1], future->engine, &stream,
					 on_output, &parcel->fds[parcel->n_fds]);
			if (r < 0)
				return error_trace(r);
			parcel->n_fds++;
		}
	}
	return 0;
}

static int parcel_fill(struct parcel *parcel, struct wf_future *future, struct message_task *task) {
	int r;

	if (future->payload.memfd >= 0)
		parcel->fds[parcel->n_fds++] = future->payload.memfd;
	if (is_plain(future->context))
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
	struct engine *engine = worker->engine;
	struct message message = { .type = MESSAGE_TASKS, .tasks = { tasks, n } };

	return message_send(worker->channel, &message, &engine->arena, engine->frame,
			    parcel ? parcel->fds : NULL, parcel ? parcel->n_fds : 0, MSG_DONTWAIT);
}

static int send_alone(struct worker *worker, struct wf_future *future) {
	struct parcel parcel = { .n_fds = 0 };
	struct message_task task;
	int r;

	fill_task(worker, future, &task);
	r = parcel_fill(&parcel, future, &task);
	if (r >= 0)
		r = send_tasks(worker, &task, 1, &parcel);
	if (r != 0) {
		capture_reset(&future->captures[0]);
		capture_reset(&future->captures[1]);
	}
	return r;
}

static int send_together(struct worker *worker, struct wf_future *const *futures, unsigned n) {
	struct message_task tasks[LIMIT_TASKS_PER_FRAME] uninitialized;

	for (unsigned i = 0; i < n; i++)
		fill_task(worker, futures[i], &tasks[i]);
	return send_tasks(worker, tasks, n, NULL);
}

static bool is_shortage(int r) {
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS;
}

/* The frame was not sent: restore the previous state. */
static int not_sent(struct worker *worker, unsigned n, int r) {
	for (unsigned i = 0; i < n; i++)
		(void)claim_undo(worker);
	switch (r) {
	case WIRE_E_AGAIN:
		worker->blocked = true;
		if (source_modify(&worker->source, EPOLLIN | EPOLLOUT) < 0)
			worker->broken = true;
		return worker->broken ? CHANNEL_GONE : CHANNEL_FULL;
	case WIRE_E_CROWDED:
		return CHANNEL_SHORT;
	case WIRE_E_EOF:
		/* what the worker has sent can still be read; the end comes after that */
		worker->broken = true;
		return CHANNEL_GONE;
	case -EMSGSIZE:
		return r;
	default:
		if (is_shortage(r))
			return CHANNEL_SHORT;
		stop_distrust(worker, "has a channel that cannot be written to");
		return CHANNEL_GONE;
	}
}

/* What a task has left in its cell says nothing of the next one. */
static void forget_last_task(struct cell *cell) {
	atomic_store(&cell->lost_channel, 0);
	atomic_store(&cell->crash.known, 0);
	atomic_store(&cell->stack_size, 0);
}

int channel_hand_out(struct worker *worker, struct wf_future *const *futures, unsigned n) {
	nsec_t now = engine_now(worker->engine);
	uint64_t first = worker->next_sequence;
	int r;

	if (claim_outstanding(worker) == 0)
		forget_last_task(worker->cell);
	for (unsigned i = 0; i < n; i++)
		claim_assign(worker, futures[i], now);
	futures[0]->leads_frame = true;
	r = n == 1 ? send_alone(worker, futures[0]) : send_together(worker, futures, n);
	if (r != 0)
		return not_sent(worker, n, r);
	worker->frame_sequence = first;
	return CHANNEL_SENT;
}

/* --- results in ---------------------------------------------------------------------------- */

/* A result that cannot be received for lack of memory or descriptors becomes a failure that says
 * so. */
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

static int judge_result(struct wf_future *future, const struct message_result *result,
			int r_receive, int memfd) {
	int r;

	(void)future_judge_output(future, true);
	if (verdict_stands(future)) {
		conclude_verdict(future, NULL);
		return 0;
	}
	if (result->payload_in_memfd && r_receive == WIRE_E_TRUNCATED) {
		result_unavailable(future, result, EMFILE);
		return 0;
	}
	if (result->payload_in_memfd && memfd < 0)
		return CONCLUDE_E_UNTRUSTED;
	r = conclude_result(future, result, memfd);
	if (r < 0)
		result_unavailable(future, result, -r);
	return r > 0 ? r : 0;
}

static void note_result(struct worker *worker, const struct message_result *result) {
	worker->tasks_done++;
	worker->memory_growth = result->memory_growth;
	worker->generation->productive = true;
	statistics_run(&worker->engine->statistics, result->run_ns);
}

static bool is_expected(const struct worker *worker, const struct message_result *result) {
	const struct wf_future *future = worker->assigned[result->sequence % CELL_CLAIMS];

	return result->sequence == worker->first_sequence &&
	       worker->first_sequence != worker->next_sequence &&
	       (result->kind == RESULT_SKIPPED) == (future == NULL);
}

static void handle_result(struct worker *worker, const struct message_result *result, int r_receive,
			  struct wire_frame *frame) {
	struct wf_future *future = worker->assigned[result->sequence % CELL_CLAIMS];
	int memfd = frame->n_descriptors == 1 ? frame->descriptors[0] : -1;

	if (!is_expected(worker, result)) {
		stop_distrust(worker, "sent a result that nobody asked for");
		return;
	}
	if (frame->n_descriptors > (result->payload_in_memfd ? 1 : 0)) {
		stop_distrust(worker, "sent a result with descriptors that do not belong to it");
		return;
	}
	worker->answered_at = engine_now(worker->engine);
	if (!future) {
		claim_answered(worker);
		return;
	}
	if (!claim_had_started(future)) {
		stop_distrust(worker, "sent the result of a task that it had not begun");
		return;
	}
	account_times(future);
	if (judge_result(future, result, r_receive, memfd) == CONCLUDE_E_UNTRUSTED) {
		stop_distrust(worker, "sent a result in memory that it could still change");
		return;
	}
	if (future->memory.mapping)
		wire_frame_close(frame); /* a memfd, whose pages the mapping keeps */
	future->attempts++;
	account_for(future, worker);
	claim_answered(worker);
	note_result(worker, result);
	if (future->flags & WF_TASK_WAIT_EXIT) {
		future->result_here = true;
		worker->awaiting_exit = future;
	} else {
		future_end(future);
	}
}

/* A worker that a task has taken over could send any descriptor, so only the first one counts, and
 * only before any task. */
static bool take_listener(struct worker *worker, struct wire_frame *frame) {
	if (worker->state != WORKER_STARTED || frame->n_descriptors != 1 ||
	    !worker->engine->options.policy || worker->listener_fd >= 0)
		return false;
	worker->listener_fd = frame->descriptors[0];
	frame->n_descriptors = 0;
	worker_changed(worker);
	return true;
}

/* Only the library sends a text: an initializer returns just a number. */
static void note_unable(struct worker *worker, const struct message_worker_ready *ready) {
	char sentence[64];

	(void)snprintf(sentence, sizeof sentence, "the initializer returned %d", ready->error);
	worker_blame(worker,
		     *ready->text && worker->generation->image.layers ? WF_PHASE_SANDBOX
								      : WF_PHASE_INITIALIZE,
		     ready->error, *ready->text ? ready->text : sentence);
}

static void handle_ready(struct worker *worker, const struct message_worker_ready *ready,
			 struct wire_frame *frame) {
	if (frame->n_descriptors > 0 && !take_listener(worker, frame)) {
		stop_distrust(worker, "sent a listener that nobody expects");
		return;
	}
	if (ready->error && worker->state == WORKER_STARTED)
		note_unable(worker, ready);
	if (worker->state == WORKER_STARTED && worker->stop == STOP_NONE)
		timer_clear(&worker->timer);
	if (!worker_step(worker, ready->error ? WORKER_SAID_UNABLE : WORKER_SAID_READY))
		stop_distrust(worker, "said twice that it is ready");
}

static void handle_leaving(struct worker *worker, const struct message_leaving *leaving) {
	const struct wf_future *head = claim_head(worker);

	if (head && claim_had_started(head)) {
		stop_distrust(worker, "said that it leaves, in the middle of a task");
		return;
	}
	if (worker->state != WORKER_LEAVING) {
		engine_log(worker->engine, LOG_INFO, "worker %d (slot %u) is recycled: %s",
			   (int)worker->pid, worker->slot_number, leaving->text);
		worker->engine->statistics.recycled++;
	}
	claim_renounce(worker);
	if (!worker_step(worker, WORKER_SAID_LEAVING))
		stop_distrust(worker, "said that it leaves, before it was ready");
}

static void handle(struct worker *worker, struct wire_frame *frame, int r_receive) {
	struct arena *arena = &worker->engine->receive_arena;
	struct message message;
	int r;

	arena_reset(arena);
	r = message_unpack(frame->type, frame->body, frame->size, arena, &message);
	if (r == 0 && message.type == MESSAGE_RESULT)
		handle_result(worker, &message.result, r_receive, frame);
	else if (r == 0 && message.type == MESSAGE_WORKER_READY)
		handle_ready(worker, &message.worker_ready, frame);
	else if (r == 0 && message.type == MESSAGE_LEAVING)
		handle_leaving(worker, &message.leaving);
	else if (r == 0 && message.type == MESSAGE_LISTENER && take_listener(worker, frame))
		;
	else
		stop_distrust(worker, "sent a message that it must not send");
}

/* Whatever a worker sends may block whoever closes it, or take long: memory that nobody has
 * mapped is freed then. */
static void close_received(struct worker *worker, struct wire_frame *frame) {
	if (frame->n_descriptors > 0)
		offload_close(worker->engine->offload, frame->descriptors, frame->n_descriptors);
}

static void close_incoming(struct worker *worker) {
	worker->eof = true;
	source_remove(&worker->source);
	worker_changed(worker);
}

enum received { RECEIVED_ONE, RECEIVED_NOTHING, RECEIVED_LATER /* we are out of memory */ };

static enum received receive_one(struct worker *worker) {
	struct wire_frame frame uninitialized;
	int r = wire_receive(worker->channel, worker->engine->receive_frame, MSG_DONTWAIT, &frame);

	worker->reset = worker->reset || frame.reset;
	if (r == 0 || r == WIRE_E_TRUNCATED)
		handle(worker, &frame, r);
	close_received(worker, &frame);
	if (r == 0 || r == WIRE_E_TRUNCATED)
		return worker->source.loop ? RECEIVED_ONE : RECEIVED_NOTHING;
	if (r == WIRE_E_EOF)
		close_incoming(worker);
	else if (r == WIRE_E_MALFORMED)
		stop_distrust(worker, "sent a malformed frame");
	else if (r < 0)
		stop_distrust(worker, "has a channel that cannot be read");
	/* that we are out of memory is not the worker's fault: the loop comes back */
	return r == WIRE_E_CROWDED ? RECEIVED_LATER : RECEIVED_NOTHING;
}

void channel_receive(struct worker *worker) {
	/* Bounded, so that one worker cannot keep the others waiting. The source is
	 * level-triggered, so the rest is not lost. */
	for (int i = 0; i < CHANNEL_RECEIVE_BATCH && receive_one(worker) == RECEIVED_ONE; i++)
		/* nothing more is due; anything unexpected wakes the loop again */
		if (claim_outstanding(worker) == 0 && worker->state == WORKER_READY)
			return;
}

void channel_check(struct worker *worker, nsec_t now) {
	const struct wf_future *head = claim_head(worker);
	nsec_t since;

	if (!head || worker->stopped || worker->stop != STOP_NONE || !claim_is_unsaid(head))
		return;
	since = worker->answered_at > head->handed ? worker->answered_at : head->handed;
	if (now < clock_after_ms(since, UNBEGUN_MS))
		return;
	if (claim_take_unbegun(worker))
		stop_distrust(worker, "does not begin the tasks that it is given");
	else if (claim_is_unsaid(head))
		stop_distrust(worker, "took a task without saying that it began it");
}

bool channel_drain(struct worker *worker) {
	enum received received = RECEIVED_ONE;

	while (worker->source.loop && received == RECEIVED_ONE)
		received = receive_one(worker);
	return received != RECEIVED_LATER;
}

static void on_channel(struct source *source, uint32_t events) {
	struct worker *worker = container_of(source, struct worker, source);

	if (events & EPOLLOUT) {
		(void)source_modify(&worker->source, EPOLLIN);
		worker->blocked = false;
		worker_changed(worker);
	}
	if (events & ~(uint32_t)EPOLLOUT)
		channel_receive(worker);
}
