/* SPDX-License-Identifier: MIT
 *
 * Our structs -> protobuf structs. Only the structs are copied: strings, arrays and payloads are
 * borrowed from the caller until they are packed into the frame.
 */
#include <errno.h>

#include "base/error.h"
#include "proto/message_codec.h"
#include "proto/packed.h"

/* Opens the typed function behind message_fill_<member>(): `in` is ours, `out` is protobuf's. */
#define FILL(member, camel)                                                                        \
	static int fill_##member(const MESSAGE_MEMBER(member) * in, Warmfork__V1__##camel * out,   \
				 struct arena * arena);                                            \
	int message_fill_##member(const struct message *message, void *target,                     \
				  struct arena *arena) {                                           \
		return fill_##member(&message->member, target, arena);                             \
	}                                                                                          \
	static int fill_##member(const MESSAGE_MEMBER(member) * in, Warmfork__V1__##camel * out,   \
				 struct arena * arena __attribute__((unused)))

static char *borrow_text(const char *text) {
	return packed_borrow(text ? text : "");
}

static ProtobufCBinaryData borrow_bytes(struct bytes bytes) {
	return (ProtobufCBinaryData){ .len = bytes.size, .data = packed_borrow(bytes.data) };
}

/* Returns an initialised submessage. NULL: the arena is full. */
static void *submessage(struct arena *arena, const ProtobufCMessageDescriptor *descriptor) {
	void *message = arena_allocate(arena, descriptor->sizeof_message);

	if (message)
		protobuf_c_message_init(descriptor, message);
	return message;
}

/* Returns `n` of them, as the array of pointers that protobuf-c expects. */
static void *submessages(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
			 size_t n) {
	void **messages = message_array(arena, n, sizeof(void *));

	for (size_t i = 0; messages && i < n; i++) {
		messages[i] = submessage(arena, descriptor);
		if (!messages[i])
			return NULL;
	}
	return messages;
}

static int fill_status(const struct exit_status *in, Warmfork__V1__ExitStatus **ret,
		       struct arena *arena) {
	Warmfork__V1__ExitStatus *out = submessage(arena, &warmfork__v1__exit_status__descriptor);

	if (!out)
		return error_origin(-ENOMEM);
	out->exited = in->exited;
	out->code = in->code;
	out->signal = in->signal;
	out->core = in->core;
	out->cpu_ns = in->cpu_ns;
	out->peak_rss = in->peak_rss;
	*ret = out;
	return 0;
}

static int fill_findings(const struct message_finding *in, size_t n, Warmfork__V1__Finding ***ret,
			 struct arena *arena) {
	Warmfork__V1__Finding **out = submessages(arena, &warmfork__v1__finding__descriptor, n);

	if (!out)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < n; i++) {
		out[i]->kind = in[i].kind;
		out[i]->text = borrow_text(in[i].text);
	}
	*ret = out;
	return 0;
}

/* --- executor -> keeper --- */

FILL(start_zygote, StartZygote) {
	out->generation = in->generation;
	out->kind = (Warmfork__V1__ImageKind)in->kind;
	out->nonce = borrow_text(in->nonce);
	out->program = borrow_text(in->program);
	out->depth = in->depth;
	return 0;
}

FILL(keep, Keep) {
	out->generation = in->generation;
	out->n_pids = in->n_pids;
	out->pids = packed_borrow(in->pids);
	return 0;
}

/* --- keeper -> executor --- */

FILL(keeper_ready, KeeperReady) {
	out->version = in->version;
	out->pid = in->pid;
	return 0;
}

FILL(zygote_started, ZygoteStarted) {
	out->generation = in->generation;
	out->pid = in->pid;
	out->error = in->error;
	out->step = borrow_text(in->step);
	return 0;
}

FILL(zygote_exited, ZygoteExited) {
	out->generation = in->generation;
	return error_trace(fill_status(&in->status, &out->status, arena));
}

FILL(kept, Kept) {
	out->generation = in->generation;
	out->n_pids = in->n_pids;
	out->pids = packed_borrow(in->pids);
	return 0;
}

FILL(adopted_exited, AdoptedExited) {
	out->pid = in->pid;
	return error_trace(fill_status(&in->status, &out->status, arena));
}

FILL(adopted_stopped, AdoptedStopped) {
	out->pid = in->pid;
	out->stopped = in->stopped;
	return 0;
}

/* --- executor -> zygote --- */

FILL(hello, Hello) {
	out->min_version = in->min_version;
	out->max_version = in->max_version;
	out->nonce = borrow_text(in->nonce);
	return 0;
}

FILL(load, Load) {
	out->generation = in->generation;
	out->kind = (Warmfork__V1__ImageKind)in->kind;
	out->module = borrow_text(in->module);
	out->name = borrow_text(in->name);
	out->preload_argument = borrow_bytes(in->preload_argument);
	out->audit_waive = in->audit_waive;
	out->depth = in->depth;
	out->measure_memory = in->measure_memory;
	out->freeze = (Warmfork__V1__FreezeWish)in->freeze;
	out->touch_ahead = in->touch_ahead;
	out->spin_us = in->spin_us;
	out->one_shot = in->one_shot;
	return 0;
}

FILL(spawn, Spawn) {
	out->request = in->request;
	out->n_workers = in->n_workers;
	out->workers = submessages(arena, &warmfork__v1__spawn_worker__descriptor, in->n_workers);
	if (!out->workers)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < in->n_workers; i++) {
		out->workers[i]->worker_id = in->workers[i].worker_id;
		out->workers[i]->slot = in->workers[i].slot;
		out->workers[i]->cell = in->workers[i].cell;
		out->workers[i]->max_tasks = in->workers[i].max_tasks;
		out->workers[i]->cpu = in->workers[i].cpu;
	}
	return 0;
}

FILL(ping, Ping) {
	out->request = in->request;
	return 0;
}

/* --- zygote -> executor --- */

FILL(welcome, Welcome) {
	out->version = in->version;
	out->pid = in->pid;
	return 0;
}

FILL(refused, Refused) {
	out->min_version = in->min_version;
	out->max_version = in->max_version;
	out->text = borrow_text(in->text);
	return 0;
}

FILL(image_ready, ImageReady) {
	out->generation = in->generation;
	out->n_functions = in->n_functions;
	out->functions = packed_borrow(in->functions);
	out->has_initializer = in->has_initializer;
	out->preload_ns = in->preload_ns;
	out->anonymous_bytes = in->anonymous_bytes;
	out->file_bytes = in->file_bytes;
	out->mappings = in->mappings;
	out->descriptors = in->descriptors;
	out->threads = in->threads;
	out->frozen = in->frozen;
	out->freeze_note = borrow_text(in->freeze_note);
	out->frozen_bytes = in->frozen_bytes;
	out->freeze_ns = in->freeze_ns;
	out->unfrozen_bytes = in->unfrozen_bytes;
	out->frozen_mappings = in->frozen_mappings;
	out->frozen_holes = in->frozen_holes;
	out->fork_unfrozen_ns = in->fork_unfrozen_ns;
	out->fork_ns = in->fork_ns;
	out->heap_bytes = in->heap_bytes;
	out->stack_bytes = in->stack_bytes;
	out->page_table_bytes = in->page_table_bytes;
	out->layers = borrow_text(in->layers);
	out->init = in->init;
	out->memory_group = borrow_text(in->memory_group);
	out->pids_group = borrow_text(in->pids_group);
	out->listener = in->listener;
	out->n_findings = in->n_findings;
	return error_trace(fill_findings(in->findings, in->n_findings, &out->findings, arena));
}

FILL(image_failed, ImageFailed) {
	out->step = borrow_text(in->step);
	out->error = in->error;
	out->text = borrow_text(in->text);
	out->n_findings = in->n_findings;
	return error_trace(fill_findings(in->findings, in->n_findings, &out->findings, arena));
}

static int fill_frozen(const struct message_frozen *in, Warmfork__V1__Frozen **ret,
		       struct arena *arena) {
	Warmfork__V1__Frozen *out;

	if (!in->known)
		return 0;
	out = submessage(arena, &warmfork__v1__frozen__descriptor);
	if (!out)
		return error_origin(-ENOMEM);
	out->freezes = in->freezes;
	out->dirtied = in->dirtied;
	*ret = out;
	return 0;
}

FILL(spawned, Spawned) {
	out->request = in->request;
	out->n_workers = in->n_workers;
	out->workers = submessages(arena, &warmfork__v1__spawned_worker__descriptor, in->n_workers);
	if (!out->workers)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < in->n_workers; i++) {
		out->workers[i]->worker_id = in->workers[i].worker_id;
		out->workers[i]->pid = in->workers[i].pid;
		out->workers[i]->error = in->workers[i].error;
		out->workers[i]->step = borrow_text(in->workers[i].step);
	}
	return error_trace(fill_frozen(&in->frozen, &out->frozen, arena));
}

FILL(worker_exited, WorkerExited) {
	out->worker_id = in->worker_id;
	out->pid = in->pid;
	out->swept = in->swept;
	return error_trace(fill_status(&in->status, &out->status, arena));
}

FILL(worker_stopped, WorkerStopped) {
	out->worker_id = in->worker_id;
	out->stopped = in->stopped;
	return 0;
}

FILL(swept, Swept) {
	out->n_worker_ids = in->n_worker_ids;
	out->worker_ids = packed_borrow(in->worker_ids);
	out->processes = in->processes;
	return 0;
}

FILL(pong, Pong) {
	out->request = in->request;
	return error_trace(fill_frozen(&in->frozen, &out->frozen, arena));
}

/* --- executor -> worker --- */

static int fill_rlimits(const struct message_context *in, Warmfork__V1__Context *out,
			struct arena *arena) {
	out->n_rlimits = in->n_rlimits;
	out->rlimits = submessages(arena, &warmfork__v1__rlimit__descriptor, in->n_rlimits);
	if (!out->rlimits)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < in->n_rlimits; i++) {
		out->rlimits[i]->resource = in->rlimits[i].resource;
		out->rlimits[i]->soft = in->rlimits[i].soft;
	}
	return 0;
}

static int fill_context(const struct message_context *in, Warmfork__V1__Context **ret,
			struct arena *arena) {
	Warmfork__V1__Context *out = submessage(arena, &warmfork__v1__context__descriptor);

	if (!out)
		return error_origin(-ENOMEM);
	out->n_environment = in->n_environment;
	out->environment = packed_borrow(in->environment);
	out->clear_environment = in->clear_environment;
	out->directory = borrow_text(in->directory);
	out->set_umask = in->set_umask;
	out->umask = in->umask;
	out->standard_input = (Warmfork__V1__StreamMode)in->streams[0];
	out->standard_output = (Warmfork__V1__StreamMode)in->streams[1];
	out->standard_error = (Warmfork__V1__StreamMode)in->streams[2];
	out->n_descriptors = in->n_descriptors;
	out->nice = in->nice;
	out->n_cpus = in->n_cpus;
	out->cpus = packed_borrow(in->cpus);
	*ret = out;
	return error_trace(fill_rlimits(in, out, arena));
}

static int fill_task(const struct message_task *in, Warmfork__V1__Task *out, struct arena *arena) {
	out->sequence = in->sequence;
	out->task_id = in->task_id;
	out->function = in->function;
	out->payload = borrow_bytes(in->payload);
	out->payload_in_memfd = in->payload_in_memfd;
	out->payload_size = in->payload_size;
	return in->context ? error_trace(fill_context(in->context, &out->context, arena)) : 0;
}

FILL(tasks, Tasks) {
	out->n_tasks = in->n_tasks;
	out->tasks = submessages(arena, &warmfork__v1__task__descriptor, in->n_tasks);
	if (!out->tasks)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < in->n_tasks; i++) {
		int r = fill_task(&in->tasks[i], out->tasks[i], arena);

		if (r)
			return error_trace(r);
	}
	return 0;
}

/* --- worker -> executor --- */

FILL(worker_ready, WorkerReady) {
	out->worker_id = in->worker_id;
	out->error = in->error;
	out->text = borrow_text(in->text);
	return 0;
}

FILL(result, Result) {
	out->sequence = in->sequence;
	out->kind = (Warmfork__V1__ResultKind)in->kind;
	out->code = in->code;
	out->text = borrow_text(in->text);
	out->payload = borrow_bytes(in->payload);
	out->payload_in_memfd = in->payload_in_memfd;
	out->payload_size = in->payload_size;
	out->run_ns = in->run_ns;
	out->cpu_ns = in->cpu_ns;
	out->peak_rss = in->peak_rss;
	out->memory_growth = in->memory_growth;
	return 0;
}

FILL(leaving, Leaving) {
	out->text = borrow_text(in->text);
	return 0;
}
