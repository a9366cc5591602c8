/* SPDX-License-Identifier: MIT
 *
 * Our structs <-> protobuf. This is the only header between protobuf-c and the rest: the generated
 * types stay in message*.c.
 *
 * Packing borrows everything that a struct points to. Unpacking allocates from the arena and points
 * into it: the result is valid until the arena is reset. Unpacking checks everything against
 * limits.h, so you can rely on it: counts are within their limits, strings are terminated and
 * shorter than their limits, enums are within their range, slots and cells are below
 * LIMIT_WORKERS.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"
#include "proto/arena.h"
#include "proto/limits.h"

/* The type in a frame's header. The table in PROTOCOL.md says which process sends it to which, and
 * when. */
enum message_type {
	/* executor -> keeper */
	MESSAGE_START_ZYGOTE = 1,
	MESSAGE_KEEP = 2,
	MESSAGE_QUIT = 3,
	/* keeper -> executor */
	MESSAGE_KEEPER_READY = 16,
	MESSAGE_ZYGOTE_STARTED = 17,
	MESSAGE_ZYGOTE_EXITED = 18,
	MESSAGE_KEPT = 19,
	MESSAGE_ADOPTED_EXITED = 20,
	MESSAGE_ADOPTED_STOPPED = 21,
	/* executor -> zygote */
	MESSAGE_HELLO = 32,
	MESSAGE_LOAD = 33,
	MESSAGE_SPAWN = 34,
	MESSAGE_PING = 35,
	MESSAGE_DRAIN = 36,
	MESSAGE_POLICY = 37, /* packed and unpacked by proto/policy.c */
	/* zygote -> executor */
	MESSAGE_WELCOME = 48,
	MESSAGE_REFUSED = 49,
	MESSAGE_IMAGE_READY = 50,
	MESSAGE_IMAGE_FAILED = 51,
	MESSAGE_SPAWNED = 52,
	MESSAGE_WORKER_EXITED = 53,
	MESSAGE_WORKER_STOPPED = 54,
	MESSAGE_SWEPT = 55,
	MESSAGE_PONG = 56,
	/* executor -> worker */
	MESSAGE_TASKS = 64,
	/* worker -> executor */
	MESSAGE_WORKER_READY = 80,
	MESSAGE_RESULT = 81,
	MESSAGE_LEAVING = 82,
	MESSAGE_LISTENER = 83,
};

struct bytes {
	const uint8_t *data;
	size_t size;
};

enum image_kind { IMAGE_MODULE = 0, IMAGE_SELF = 1, IMAGE_COMMAND = 2 };
enum freeze_wish { FREEZE_AUTO = 0, FREEZE_ALWAYS = 1, FREEZE_NEVER = 2 };
enum stream_mode { STREAM_LEAVE = 0, STREAM_NULL = 1, STREAM_DESCRIPTOR = 2 };
enum result_kind {
	RESULT_RETURNED = 0,
	RESULT_FAILED = 1,
	RESULT_SKIPPED = 2,
	RESULT_NOT_SET_UP = 3,
	RESULT_NOT_EXECUTED = 4, /* a command's program could not be executed */
};

struct message_start_zygote {
	uint64_t generation;
	enum image_kind kind;
	const char *nonce;
	const char *program;
	uint32_t depth;
};

struct message_pids { /* KEEP, KEPT */
	uint64_t generation;
	const int32_t *pids;
	size_t n_pids; /* at most LIMIT_WORKERS */
};

struct message_keeper_ready {
	uint32_t version;
	pid_t pid;
};

struct message_zygote_started {
	uint64_t generation;
	pid_t pid;
	int error;
	const char *step;
};

struct message_zygote_exited {
	uint64_t generation;
	struct exit_status status;
};

struct message_adopted_exited {
	pid_t pid;
	struct exit_status status;
};

struct message_adopted_stopped {
	pid_t pid;
	bool stopped;
};

struct message_hello {
	uint32_t min_version, max_version;
	const char *nonce;
};

struct message_load {
	uint64_t generation;
	enum image_kind kind;
	const char *module;
	const char *name;
	struct bytes preload_argument;
	uint32_t audit_waive;
	uint32_t depth;
	bool measure_memory;
	enum freeze_wish freeze;
	bool touch_ahead;
	uint32_t spin_us;
	bool one_shot;
};

struct message_spawn_worker {
	uint64_t worker_id;
	uint32_t slot;
	uint32_t cell;
	uint32_t max_tasks;
	uint32_t cpu; /* plus 1; 0: anywhere */
};

struct message_spawn {
	uint64_t request;
	const struct message_spawn_worker *workers;
	size_t n_workers; /* 1 .. LIMIT_SPAWN_BATCH */
};

struct message_request { /* PING */
	uint64_t request;
};

struct message_frozen {
	bool known; /* otherwise it was not sent */
	uint32_t freezes;
	uint64_t dirtied; /* pages */
};

struct message_pong {
	uint64_t request;
	struct message_frozen frozen;
};

struct message_welcome {
	uint32_t version;
	pid_t pid;
};

struct message_refused {
	uint32_t min_version, max_version;
	const char *text;
};

struct message_finding {
	uint32_t kind; /* enum wf_audit */
	const char *text;
};

struct message_image_ready {
	uint64_t generation;
	const char *const *functions;
	size_t n_functions;
	bool has_initializer;
	uint64_t preload_ns, anonymous_bytes, file_bytes;
	uint32_t mappings, descriptors, threads;
	const struct message_finding *findings;
	size_t n_findings;
	bool frozen;
	const char *freeze_note;
	uint64_t frozen_bytes, freeze_ns, unfrozen_bytes;
	uint32_t frozen_mappings, frozen_holes;
	uint64_t fork_unfrozen_ns, fork_ns;
	uint64_t heap_bytes, stack_bytes, page_table_bytes;
	const char *layers;
	pid_t init;
	const char *memory_group, *pids_group;
	bool listener;
};

struct message_image_failed {
	const char *step;
	int error;
	const char *text;
	const struct message_finding *findings;
	size_t n_findings;
};

struct message_spawned_worker {
	uint64_t worker_id;
	pid_t pid;
	int error;
	const char *step;
};

struct message_spawned {
	uint64_t request;
	const struct message_spawned_worker *workers;
	size_t n_workers;
	struct message_frozen frozen;
};

struct message_worker_exited {
	uint64_t worker_id;
	pid_t pid;
	struct exit_status status;
	bool swept;
};

struct message_worker_stopped {
	uint64_t worker_id;
	bool stopped;
};

struct message_swept {
	const uint64_t *worker_ids;
	size_t n_worker_ids; /* at most LIMIT_WORKERS */
	uint32_t processes;
};

struct message_rlimit {
	int resource;
	uint64_t soft;
};

struct message_context {
	const char *const *environment;
	size_t n_environment;
	bool clear_environment;
	const char *directory; /* "": leave */
	bool set_umask;
	uint32_t umask;
	enum stream_mode streams[3];
	uint32_t n_descriptors;
	const struct message_rlimit *rlimits;
	size_t n_rlimits;
	int32_t nice;
	const uint32_t *cpus;
	size_t n_cpus;
};

struct message_task {
	uint64_t sequence;
	uint64_t task_id;
	uint32_t function;
	struct bytes payload;
	bool payload_in_memfd;
	uint64_t payload_size;
	const struct message_context *context; /* NULL: nothing to set up */
};

struct message_tasks {
	const struct message_task *tasks;
	size_t n_tasks; /* 1 .. LIMIT_TASKS_PER_FRAME */
};

struct message_worker_ready {
	uint64_t worker_id;
	int error;
	const char *text;
};

struct message_result {
	uint64_t sequence;
	enum result_kind kind;
	int32_t code;
	const char *text;
	struct bytes payload;
	bool payload_in_memfd;
	uint64_t payload_size;
	uint64_t run_ns, cpu_ns, peak_rss, memory_growth;
};

struct message_leaving {
	const char *text;
};

struct message {
	enum message_type type;
	union {
		struct message_start_zygote start_zygote;
		struct message_pids keep;
		struct message_keeper_ready keeper_ready;
		struct message_zygote_started zygote_started;
		struct message_zygote_exited zygote_exited;
		struct message_pids kept;
		struct message_adopted_exited adopted_exited;
		struct message_adopted_stopped adopted_stopped;
		struct message_hello hello;
		struct message_load load;
		struct message_spawn spawn;
		struct message_request ping;
		struct message_welcome welcome;
		struct message_refused refused;
		struct message_image_ready image_ready;
		struct message_image_failed image_failed;
		struct message_spawned spawned;
		struct message_worker_exited worker_exited;
		struct message_worker_stopped worker_stopped;
		struct message_swept swept;
		struct message_pong pong;
		struct message_tasks tasks;
		struct message_worker_ready worker_ready;
		struct message_result result;
		struct message_leaving leaving;
	};
};

enum message_error {
	MESSAGE_E_MALFORMED =
	    1, /* does not parse, breaks a limit, or is of unknown type: drop the connection */
	MESSAGE_E_TOO_LARGE = 2, /* would not fit in a frame */
};

/* Packs into buffer[0 .. capacity). NULL strings are packed as empty. Allocates scratch memory from
 * `arena` (not reset). Returns 0 and *ret_size; MESSAGE_E_TOO_LARGE; -ENOMEM (arena full). */
int message_pack(const struct message *message, struct arena *arena, uint8_t *buffer,
		 size_t capacity, size_t *ret_size);

/* Returns 0; MESSAGE_E_MALFORMED; -ENOMEM (arena full). Strings are never NULL. */
int message_unpack(uint16_t type, const uint8_t *body, size_t size, struct arena *arena,
		   struct message *ret);

const char *message_name(uint16_t type); /* "Spawn"; "unknown" */

/* Resets the arena, packs into `buffer` (LIMIT_FRAME bytes, may be uninitialised) and sends:
 * message_pack() + wire_send(). Returns 0, WIRE_E_AGAIN, WIRE_E_CROWDED, WIRE_E_EOF, -EMSGSIZE or
 * -errno. */
int message_send(int socket, const struct message *message, struct arena *arena, uint8_t *buffer,
		 const int *fds, size_t n_fds, int flags);
