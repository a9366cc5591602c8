/* SPDX-License-Identifier: MIT
 *
 * Protobuf structs -> ours: the one place where input from a peer is checked against limits.h.
 *
 * Each function reads like the list of what must hold. It enforces what PROTOCOL.md promises, so no
 * caller has to check a count, a length, an enum or a pid again. Pids are checked because they may
 * reach kill(2), to which 0 and -1 mean many processes.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "proto/message_codec.h"

/* Opens the typed function behind message_read_<member>(): `in` is protobuf's, `out` is ours. */
#define READ(member, camel)                                                                        \
	static int read_##member(const Warmfork__V1__##camel *in, MESSAGE_MEMBER(member) * out,    \
				 struct arena * arena);                                            \
	int message_read_##member(const void *source, struct message *ret, struct arena *arena) {  \
		return read_##member(source, &ret->member, arena);                                 \
	}                                                                                          \
	static int read_##member(const Warmfork__V1__##camel *in, MESSAGE_MEMBER(member) * out,    \
				 struct arena * arena __attribute__((unused)))

static int check(bool holds) {
	return holds ? 0 : MESSAGE_E_MALFORMED;
}

/* `limit` includes the NUL. */
static bool text_read(const char *in, size_t limit, const char **ret) {
	*ret = in ? in : "";
	return strnlen(*ret, limit) < limit;
}

static bool bytes_read(ProtobufCBinaryData in, size_t limit, struct bytes *ret) {
	ret->data = in.data;
	ret->size = in.len;
	return in.len <= limit;
}

static bool kind_read(Warmfork__V1__ImageKind in, enum image_kind *ret) {
	*ret = (enum image_kind)in;
	return in >= WARMFORK__V1__IMAGE_KIND__MODULE && in <= WARMFORK__V1__IMAGE_KIND__COMMAND;
}

static bool pids_read(const int32_t *in, size_t n, struct message_pids *out) {
	out->pids = in;
	out->n_pids = n;
	if (n > LIMIT_WORKERS)
		return false;
	for (size_t i = 0; i < n; i++)
		if (in[i] <= 0)
			return false;
	return true;
}

/* A process that was to be started: either there is one, or there is an error. */
static bool birth_read(int32_t pid, int32_t error, pid_t *ret_pid, int *ret_error) {
	*ret_pid = pid;
	*ret_error = error;
	return error ? pid >= 0 : pid > 0;
}

static bool status_read(const Warmfork__V1__ExitStatus *in, struct exit_status *out) {
	if (!in || in->code < 0 || in->code > 255 || in->signal < 0 || in->signal > 64)
		return false;
	out->exited = in->exited;
	out->code = in->code;
	out->signal = in->signal;
	out->core = in->core;
	out->cpu_ns = in->cpu_ns;
	out->peak_rss = in->peak_rss;
	return true;
}

static int findings_read(Warmfork__V1__Finding *const *in, size_t n,
			 const struct message_finding **ret, struct arena *arena) {
	struct message_finding *out;

	if (n > LIMIT_FINDINGS)
		return MESSAGE_E_MALFORMED;
	out = message_array(arena, n, sizeof *out);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		out[i].kind = in[i]->kind;
		if (!text_read(in[i]->text, LIMIT_TEXT, &out[i].text))
			return MESSAGE_E_MALFORMED;
	}
	*ret = out;
	return 0;
}

/* --- executor -> keeper --- */

READ(start_zygote, StartZygote) {
	out->generation = in->generation;
	out->depth = in->depth;
	return check(kind_read(in->kind, &out->kind) &&
		     text_read(in->nonce, LIMIT_NONCE, &out->nonce) &&
		     text_read(in->program, LIMIT_PATH, &out->program) && in->depth <= LIMIT_DEPTH);
}

READ(keep, Keep) {
	out->generation = in->generation;
	return check(pids_read(in->pids, in->n_pids, out));
}

/* --- keeper -> executor --- */

READ(keeper_ready, KeeperReady) {
	out->version = in->version;
	out->pid = in->pid;
	return check(in->pid > 0);
}

READ(zygote_started, ZygoteStarted) {
	out->generation = in->generation;
	return check(birth_read(in->pid, in->error, &out->pid, &out->error) &&
		     text_read(in->step, LIMIT_NAME, &out->step));
}

READ(zygote_exited, ZygoteExited) {
	out->generation = in->generation;
	return check(status_read(in->status, &out->status));
}

READ(kept, Kept) {
	out->generation = in->generation;
	return check(pids_read(in->pids, in->n_pids, out));
}

READ(adopted_exited, AdoptedExited) {
	out->pid = in->pid;
	return check(in->pid > 0 && status_read(in->status, &out->status));
}

READ(adopted_stopped, AdoptedStopped) {
	out->pid = in->pid;
	out->stopped = in->stopped;
	return check(in->pid > 0);
}

/* --- executor -> zygote --- */

READ(hello, Hello) {
	out->min_version = in->min_version;
	out->max_version = in->max_version;
	return check(text_read(in->nonce, LIMIT_NONCE, &out->nonce));
}

static bool freeze_wish_is_known(Warmfork__V1__FreezeWish in) {
	return in >= WARMFORK__V1__FREEZE_WISH__AUTO && in <= WARMFORK__V1__FREEZE_WISH__NEVER;
}

READ(load, Load) {
	out->generation = in->generation;
	out->audit_waive = in->audit_waive;
	out->depth = in->depth;
	out->measure_memory = in->measure_memory;
	out->freeze = (enum freeze_wish)in->freeze;
	out->touch_ahead = in->touch_ahead;
	out->spin_us = in->spin_us;
	out->one_shot = in->one_shot;
	return check(
	    freeze_wish_is_known(in->freeze) && in->spin_us <= LIMIT_SPIN_US &&
	    kind_read(in->kind, &out->kind) && text_read(in->module, LIMIT_PATH, &out->module) &&
	    text_read(in->name, LIMIT_IMAGE_NAME, &out->name) &&
	    bytes_read(in->preload_argument, LIMIT_PRELOAD_ARGUMENT, &out->preload_argument) &&
	    in->depth <= LIMIT_DEPTH);
}

READ(spawn, Spawn) {
	struct message_spawn_worker *workers;

	if (in->n_workers < 1 || in->n_workers > LIMIT_SPAWN_BATCH)
		return MESSAGE_E_MALFORMED;
	workers = message_array(arena, in->n_workers, sizeof *workers);
	if (!workers)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_workers; i++) {
		const Warmfork__V1__SpawnWorker *worker = in->workers[i];

		if (worker->slot >= LIMIT_WORKERS || worker->cell >= LIMIT_WORKERS ||
		    worker->cpu > LIMIT_CPUS)
			return MESSAGE_E_MALFORMED;
		workers[i] = (struct message_spawn_worker){
			.worker_id = worker->worker_id,
			.slot = worker->slot,
			.cell = worker->cell,
			.max_tasks = worker->max_tasks,
			.cpu = worker->cpu,
		};
	}
	out->request = in->request;
	out->workers = workers;
	out->n_workers = in->n_workers;
	return 0;
}

READ(ping, Ping) {
	out->request = in->request;
	return 0;
}

/* --- zygote -> executor --- */

READ(welcome, Welcome) {
	out->version = in->version;
	out->pid = in->pid;
	return check(in->pid > 0);
}

READ(refused, Refused) {
	out->min_version = in->min_version;
	out->max_version = in->max_version;
	return check(text_read(in->text, LIMIT_TEXT, &out->text));
}

static bool functions_read(char *const *in, size_t n, struct message_image_ready *out) {
	out->functions = (const char *const *)in;
	out->n_functions = n;
	if (n > LIMIT_FUNCTIONS)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strnlen(in[i], LIMIT_NAME) == LIMIT_NAME)
			return false;
	return true;
}

READ(image_ready, ImageReady) {
	if (!functions_read(in->functions, in->n_functions, out))
		return MESSAGE_E_MALFORMED;
	out->generation = in->generation;
	out->has_initializer = in->has_initializer;
	out->preload_ns = in->preload_ns;
	out->anonymous_bytes = in->anonymous_bytes;
	out->file_bytes = in->file_bytes;
	out->mappings = in->mappings;
	out->descriptors = in->descriptors;
	out->threads = in->threads;
	out->frozen = in->frozen;
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
	out->init = in->init;
	out->listener = in->listener;
	if (!text_read(in->freeze_note, LIMIT_TEXT, &out->freeze_note) ||
	    !text_read(in->layers, LIMIT_TEXT, &out->layers) ||
	    !text_read(in->memory_group, LIMIT_PATH, &out->memory_group) ||
	    !text_read(in->pids_group, LIMIT_PATH, &out->pids_group) || in->init < 0)
		return MESSAGE_E_MALFORMED;
	out->n_findings = in->n_findings;
	return findings_read(in->findings, in->n_findings, &out->findings, arena);
}

READ(image_failed, ImageFailed) {
	out->error = in->error;
	out->n_findings = in->n_findings;
	if (!text_read(in->step, LIMIT_NAME, &out->step) ||
	    !text_read(in->text, LIMIT_TEXT, &out->text))
		return MESSAGE_E_MALFORMED;
	return findings_read(in->findings, in->n_findings, &out->findings, arena);
}

static void frozen_read(const Warmfork__V1__Frozen *in, struct message_frozen *ret) {
	*ret = (struct message_frozen){ .known = in != NULL };
	if (!in)
		return;
	ret->freezes = in->freezes;
	ret->dirtied = in->dirtied;
}

READ(spawned, Spawned) {
	struct message_spawned_worker *workers;

	if (in->n_workers < 1 || in->n_workers > LIMIT_SPAWN_BATCH)
		return MESSAGE_E_MALFORMED;
	workers = message_array(arena, in->n_workers, sizeof *workers);
	if (!workers)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_workers; i++) {
		const Warmfork__V1__SpawnedWorker *worker = in->workers[i];

		workers[i].worker_id = worker->worker_id;
		if (!birth_read(worker->pid, worker->error, &workers[i].pid, &workers[i].error) ||
		    !text_read(worker->step, LIMIT_NAME, &workers[i].step))
			return MESSAGE_E_MALFORMED;
	}
	out->request = in->request;
	out->workers = workers;
	out->n_workers = in->n_workers;
	frozen_read(in->frozen, &out->frozen);
	return 0;
}

READ(worker_exited, WorkerExited) {
	out->worker_id = in->worker_id;
	out->pid = in->pid;
	out->swept = in->swept;
	return check(in->pid > 0 && status_read(in->status, &out->status));
}

READ(worker_stopped, WorkerStopped) {
	out->worker_id = in->worker_id;
	out->stopped = in->stopped;
	return 0;
}

READ(swept, Swept) {
	out->worker_ids = in->worker_ids;
	out->n_worker_ids = in->n_worker_ids;
	out->processes = in->processes;
	return check(in->n_worker_ids <= LIMIT_WORKERS);
}

READ(pong, Pong) {
	out->request = in->request;
	frozen_read(in->frozen, &out->frozen);
	return 0;
}

/* --- executor -> worker --- */

/* A payload is either inline or in a memfd. If inline, its length is its size, whatever
 * payload_size says. */
static bool payload_read(ProtobufCBinaryData in, bool in_memfd, uint64_t memfd_size,
			 struct bytes *ret, uint64_t *ret_size) {
	*ret_size = in_memfd ? memfd_size : in.len;
	return bytes_read(in, in_memfd ? 0 : LIMIT_INLINE_PAYLOAD, ret) &&
	       *ret_size <= LIMIT_PAYLOAD;
}

static bool stream_read(Warmfork__V1__StreamMode in, enum stream_mode *ret) {
	*ret = (enum stream_mode)in;
	return in == WARMFORK__V1__STREAM_MODE__LEAVE ||
	       in == WARMFORK__V1__STREAM_MODE__NULL_DEVICE ||
	       in == WARMFORK__V1__STREAM_MODE__DESCRIPTOR;
}

static bool cpus_read(const uint32_t *in, size_t n, struct message_context *out) {
	out->cpus = in;
	out->n_cpus = n;
	if (n > LIMIT_CPUS)
		return false;
	for (size_t i = 0; i < n; i++)
		if (in[i] >= LIMIT_CPUS)
			return false;
	return true;
}

static int rlimits_read(const Warmfork__V1__Context *in, struct message_context *out,
			struct arena *arena) {
	struct message_rlimit *rlimits;

	if (in->n_rlimits > LIMIT_RLIMITS)
		return MESSAGE_E_MALFORMED;
	rlimits = message_array(arena, in->n_rlimits, sizeof *rlimits);
	if (!rlimits)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_rlimits; i++) {
		rlimits[i].resource = in->rlimits[i]->resource;
		rlimits[i].soft = in->rlimits[i]->soft;
	}
	out->rlimits = rlimits;
	out->n_rlimits = in->n_rlimits;
	return 0;
}

static int context_read(const Warmfork__V1__Context *in, struct message_context *out,
			struct arena *arena) {
	out->environment = (const char *const *)in->environment;
	out->n_environment = in->n_environment;
	out->clear_environment = in->clear_environment;
	out->set_umask = in->set_umask;
	out->umask = in->umask;
	out->n_descriptors = in->n_descriptors;
	out->nice = in->nice;
	if (in->n_environment > LIMIT_ENVIRONMENT_STRINGS ||
	    in->n_descriptors > LIMIT_TASK_DESCRIPTORS || in->umask > 0777 ||
	    protobuf_c_message_get_packed_size(&in->base) > LIMIT_CONTEXT ||
	    !text_read(in->directory, LIMIT_PATH, &out->directory) ||
	    !stream_read(in->standard_input, &out->streams[0]) ||
	    !stream_read(in->standard_output, &out->streams[1]) ||
	    !stream_read(in->standard_error, &out->streams[2]) ||
	    !cpus_read(in->cpus, in->n_cpus, out))
		return MESSAGE_E_MALFORMED;
	return rlimits_read(in, out, arena);
}

static bool task_has_descriptors(const struct message_task *task) {
	if (task->payload_in_memfd)
		return true;
	if (!task->context)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (task->context->streams[i] == STREAM_DESCRIPTOR)
			return true;
	return task->context->n_descriptors > 0;
}

static int task_read(const Warmfork__V1__Task *in, struct message_task *out, struct arena *arena) {
	struct message_context *context = NULL;
	int r;

	out->sequence = in->sequence;
	out->task_id = in->task_id;
	out->function = in->function;
	out->payload_in_memfd = in->payload_in_memfd;
	if (in->function >= LIMIT_FUNCTIONS ||
	    !payload_read(in->payload, in->payload_in_memfd, in->payload_size, &out->payload,
			  &out->payload_size))
		return MESSAGE_E_MALFORMED;
	if (in->context) {
		context = message_array(arena, 1, sizeof *context);
		if (!context)
			return -ENOMEM;
		r = context_read(in->context, context, arena);
		if (r)
			return r;
	}
	out->context = context;
	return 0;
}

READ(tasks, Tasks) {
	struct message_task *tasks;

	if (in->n_tasks < 1 || in->n_tasks > LIMIT_TASKS_PER_FRAME)
		return MESSAGE_E_MALFORMED;
	tasks = message_array(arena, in->n_tasks, sizeof *tasks);
	if (!tasks)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_tasks; i++) {
		int r = task_read(in->tasks[i], &tasks[i], arena);

		if (r)
			return r;
		/* it would not be clear which task they belong to */
		if (in->n_tasks > 1 && task_has_descriptors(&tasks[i]))
			return MESSAGE_E_MALFORMED;
	}
	out->tasks = tasks;
	out->n_tasks = in->n_tasks;
	return 0;
}

/* --- worker -> executor --- */

READ(worker_ready, WorkerReady) {
	out->worker_id = in->worker_id;
	out->error = in->error;
	return check(text_read(in->text, LIMIT_TEXT, &out->text));
}

static bool result_kind_read(Warmfork__V1__ResultKind in, enum result_kind *ret) {
	*ret = (enum result_kind)in;
	return in >= WARMFORK__V1__RESULT_KIND__RETURNED &&
	       in <= WARMFORK__V1__RESULT_KIND__NOT_EXECUTED;
}

READ(result, Result) {
	out->sequence = in->sequence;
	out->code = in->code;
	out->payload_in_memfd = in->payload_in_memfd;
	out->run_ns = in->run_ns;
	out->cpu_ns = in->cpu_ns;
	out->peak_rss = in->peak_rss;
	out->memory_growth = in->memory_growth;
	return check(result_kind_read(in->kind, &out->kind) &&
		     text_read(in->text, LIMIT_TEXT, &out->text) &&
		     payload_read(in->payload, in->payload_in_memfd, in->payload_size,
				  &out->payload, &out->payload_size));
}

READ(leaving, Leaving) {
	return check(text_read(in->text, LIMIT_TEXT, &out->text));
}
