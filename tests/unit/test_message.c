/* SPDX-License-Identifier: MIT
 *
 * proto/message: every type there and back, every limit from both sides, and what is left of a
 * message that was cut or damaged. Long because the protocol is wide: a list of cases.
 */
#include "proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "proto/cell.h"
#include "proto/wire.h"
#include "tests/support/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

/* There is room for more than a frame here, because too large a message must be packed before
 * it can be refused. */
#define ROOM ((size_t)1 << 22)

static uint8_t pack_memory[ROOM], unpack_memory[ARENA_MESSAGE];
static uint8_t packed[ROOM], repacked[ROOM];

static size_t pack(const struct message *message, uint8_t *buffer) {
	struct arena arena;
	size_t size = 0;

	arena_init(&arena, pack_memory, sizeof pack_memory);
	ck_assert_int_eq(message_pack(message, &arena, buffer, ROOM, &size), 0);
	return size;
}

static int unpack(uint16_t type, const uint8_t *body, size_t size, struct message *ret) {
	struct arena arena;

	arena_init(&arena, unpack_memory, sizeof unpack_memory);
	return message_unpack(type, body, size, &arena, ret);
}

static int pass(const struct message *message, struct message *ret) {
	return unpack((uint16_t)message->type, packed, pack(message, packed), ret);
}

static struct message scratch;

#define accepts(...) ck_assert_int_eq(pass(&(struct message){ __VA_ARGS__ }, &scratch), 0)
#define refuses(...)                                                                               \
	ck_assert_int_eq(pass(&(struct message){ __VA_ARGS__ }, &scratch), MESSAGE_E_MALFORMED)

/* A string of `length` bytes, static until the next call but three. */
static const char *text_of(size_t length) {
	static char texts[4][65536];
	static unsigned next;
	char *text = texts[next++ % 4];

	ck_assert_uint_lt(length, sizeof texts[0]);
	memset(text, 't', length);
	text[length] = '\0';
	return text;
}

static struct bytes bytes_of(size_t size) {
	static uint8_t bytes[65536];

	ck_assert_uint_le(size, sizeof bytes);
	return (struct bytes){ bytes, size };
}

/* --- samples: every field of every type has a value that is not its default --- */

#define STATUS                                                                                     \
	{ .exited = true, .code = 3, .signal = 9, .core = true, .cpu_ns = 4, .peak_rss = 5 }

static const int32_t pids[] = { 1, 2, INT32_MAX };
static const uint64_t ids[] = { 1, UINT64_MAX };
static const char *const texts[] = { "first", "second" };
static const uint32_t cpus[] = { 0, 7, LIMIT_CPUS - 1 };
static const struct message_finding findings[] = { { 1, "a thread" }, { 32, "a child" } };
static const struct message_spawn_worker spawn_workers[] = { { 1, 2, 3, 4, 5 },
							     { 5, 6, 7, 8, LIMIT_CPUS } };
static const struct message_spawned_worker spawned_workers[] = { { 1, 2, 3, "fork" },
								 { 5, 6, 7, "pidfd" } };
static const struct message_rlimit rlimits[] = { { 7, 1024 }, { 3, UINT64_MAX } };
static const struct message_context context = {
	.environment = texts,
	.n_environment = N_OF(texts),
	.clear_environment = true,
	.directory = "/tmp",
	.set_umask = true,
	.umask = 077,
	.streams = { STREAM_NULL, STREAM_DESCRIPTOR, STREAM_DESCRIPTOR },
	.n_descriptors = 2,
	.rlimits = rlimits,
	.n_rlimits = N_OF(rlimits),
	.nice = -5,
	.cpus = cpus,
	.n_cpus = N_OF(cpus),
};
static const struct message_task inline_task = {
	.sequence = 1,
	.task_id = 2,
	.function = 3,
	.payload = { (const uint8_t *)"input", 5 },
	.payload_size = 5,
	.context = &context,
};
static const struct message_task memfd_task = {
	.sequence = 1,
	.task_id = 2,
	.function = 3,
	.payload_in_memfd = true,
	.payload_size = LIMIT_PAYLOAD,
};

/* `fields`: how many of them a packed sample must show. */
static const struct sample {
	struct message message;
	unsigned fields;
} samples[] = {
	{ { MESSAGE_START_ZYGOTE, .start_zygote = { 1, IMAGE_SELF, "0123", "/bin/true", 2 } }, 5 },
	{ { MESSAGE_KEEP, .keep = { 1, pids, N_OF(pids) } }, 2 },
	{ { MESSAGE_QUIT }, 0 },
	{ { MESSAGE_KEEPER_READY, .keeper_ready = { 1, 2 } }, 2 },
	{ { MESSAGE_ZYGOTE_STARTED, .zygote_started = { 1, 2, 3, "exec" } }, 4 },
	{ { MESSAGE_ZYGOTE_EXITED, .zygote_exited = { 1, STATUS } }, 2 },
	{ { MESSAGE_KEPT, .kept = { 1, pids, N_OF(pids) } }, 2 },
	{ { MESSAGE_ADOPTED_EXITED, .adopted_exited = { 1, STATUS } }, 2 },
	{ { MESSAGE_ADOPTED_STOPPED, .adopted_stopped = { 1, true } }, 2 },
	{ { MESSAGE_HELLO, .hello = { 1, 2, "0123456789abcdef0123456789abcdef" } }, 3 },
	{ { MESSAGE_LOAD, .load = { 1,
				    IMAGE_SELF,
				    "/m.so",
				    "m",
				    { (const uint8_t *)"a\0b", 3 },
				    4,
				    5,
				    true,
				    FREEZE_NEVER,
				    true,
				    LIMIT_SPIN_US } },
	  11 },
	{ { MESSAGE_SPAWN, .spawn = { 1, spawn_workers, N_OF(spawn_workers) } }, 2 },
	{ { MESSAGE_PING, .ping = { UINT64_MAX } }, 1 },
	{ { MESSAGE_DRAIN }, 0 },
	{ { MESSAGE_WELCOME, .welcome = { 1, 2 } }, 2 },
	{ { MESSAGE_REFUSED, .refused = { 1, 2, "no" } }, 3 },
	{ { MESSAGE_IMAGE_READY, .image_ready = { .generation = 1,
						  .functions = texts,
						  .n_functions = N_OF(texts),
						  .has_initializer = true,
						  .preload_ns = 2,
						  .anonymous_bytes = 3,
						  .file_bytes = 4,
						  .mappings = 5,
						  .descriptors = 6,
						  .threads = 7,
						  .findings = findings,
						  .n_findings = N_OF(findings),
						  .frozen = true,
						  .freeze_note = "but for a part",
						  .frozen_bytes = 8,
						  .freeze_ns = 9,
						  .unfrozen_bytes = 10,
						  .frozen_mappings = 11,
						  .frozen_holes = 12,
						  .fork_unfrozen_ns = 13,
						  .fork_ns = 14,
						  .heap_bytes = 15,
						  .stack_bytes = 16,
						  .page_table_bytes = 17,
						  .layers = "user, landlock 7",
						  .init = 18,
						  .memory_group = "/m",
						  .pids_group = "/p",
						  .listener = true } },
	  27 },
	{ { MESSAGE_IMAGE_FAILED,
	    .image_failed = { "preload", -1, "no", findings, N_OF(findings) } },
	  4 },
	{ { MESSAGE_SPAWNED,
	    .spawned = { 1, spawned_workers, N_OF(spawned_workers), { true, 2, UINT64_MAX } } },
	  3 },
	{ { MESSAGE_WORKER_EXITED, .worker_exited = { 1, 2, STATUS, true } }, 4 },
	{ { MESSAGE_WORKER_STOPPED, .worker_stopped = { 1, true } }, 2 },
	{ { MESSAGE_SWEPT, .swept = { ids, N_OF(ids), 3 } }, 2 },
	{ { MESSAGE_PONG, .pong = { 1, { true, 2, 3 } } }, 2 },
	{ { MESSAGE_TASKS, .tasks = { &inline_task, 1 } }, 1 },
	{ { MESSAGE_TASKS, .tasks = { &memfd_task, 1 } }, 1 },
	{ { MESSAGE_WORKER_READY, .worker_ready = { 1, -2, "no" } }, 3 },
	{ { MESSAGE_RESULT, .result = { .sequence = 1,
					.kind = RESULT_NOT_SET_UP,
					.code = -2,
					.text = "no",
					.payload = { (const uint8_t *)"out", 3 },
					.payload_size = 3,
					.run_ns = 4,
					.cpu_ns = 5,
					.peak_rss = 6,
					.memory_growth = 7 } },
	  10 },
	{ { MESSAGE_RESULT, .result = { .payload_in_memfd = true, .payload_size = LIMIT_PAYLOAD } },
	  2 },
	{ { MESSAGE_LEAVING, .leaving = { "umask" } }, 1 },
	{ { MESSAGE_LISTENER }, 0 },
};

/* --- a reader of the encoding of its own: tag, then by wire type --- */

static uint64_t varint(const uint8_t *body, size_t size, size_t *at) {
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		ck_assert_uint_lt(*at, size);
		byte = body[(*at)++];
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return value;
}

struct field {
	uint64_t number;
	const uint8_t *data; /* of a length-delimited one */
	size_t size;
};

static bool field_next(const uint8_t *body, size_t size, size_t *at, struct field *ret) {
	uint64_t tag;

	if (*at == size)
		return false;
	tag = varint(body, size, at);
	*ret = (struct field){ .number = tag >> 3 };
	if ((tag & 7) == 0) {
		varint(body, size, at);
		return true;
	}
	ck_assert_uint_eq(tag & 7, 2);
	ret->size = varint(body, size, at);
	ret->data = body + *at;
	*at += ret->size;
	ck_assert_uint_le(*at, size);
	return true;
}

/* How many different fields there are. */
static unsigned fields_in(const uint8_t *body, size_t size) {
	struct field field;
	uint64_t seen = 0;
	size_t at = 0;

	while (field_next(body, size, &at, &field))
		seen |= UINT64_C(1) << field.number;
	return (unsigned)__builtin_popcountll(seen);
}

static struct field field_find(const uint8_t *body, size_t size, uint64_t number) {
	struct field field;
	size_t at = 0;

	while (field_next(body, size, &at, &field))
		if (field.number == number)
			return field;
	ck_abort_msg("no field %llu", (unsigned long long)number);
}

/* The first submessage `number` of a sample shows so many fields. */
static void check_nested(enum message_type type, uint64_t number, unsigned fields) {
	for (size_t i = 0; i < N_OF(samples); i++) {
		struct field field;
		size_t size;

		if (samples[i].message.type != type)
			continue;
		size = pack(&samples[i].message, packed);
		field = field_find(packed, size, number);
		ck_assert_uint_eq(fields_in(field.data, field.size), fields);
		return;
	}
	ck_abort_msg("no sample");
}

/* --- there and back --- */

START_TEST(test_samples_cover_every_type) {
	for (unsigned type = 0; type < 256; type++) {
		bool sampled = false;

		for (size_t i = 0; i < N_OF(samples); i++)
			sampled |= samples[i].message.type == type;
		ck_assert_int_eq(sampled, strcmp(message_name((uint16_t)type), "unknown") != 0);
	}
}
END_TEST

/* Packing again what was unpacked gives the same bytes: nothing is lost or changed. */
START_TEST(test_round_trip) {
	const struct sample *sample = &samples[_i];
	struct message message;
	size_t size = pack(&sample->message, packed);

	ck_assert_uint_eq(fields_in(packed, size), sample->fields);
	ck_assert_int_eq(unpack((uint16_t)sample->message.type, packed, size, &message), 0);
	ck_assert_int_eq(message.type, sample->message.type);
	ck_assert_uint_eq(pack(&message, repacked), size);
	ck_assert_mem_eq(repacked, packed, size);
}
END_TEST

START_TEST(test_submessages_have_all_their_fields) {
	struct field task, nested;
	size_t size;

	check_nested(MESSAGE_ZYGOTE_EXITED, 2, 6);
	check_nested(MESSAGE_ADOPTED_EXITED, 2, 6);
	check_nested(MESSAGE_WORKER_EXITED, 3, 6);
	check_nested(MESSAGE_SPAWN, 2, 5);
	check_nested(MESSAGE_SPAWNED, 2, 4);
	check_nested(MESSAGE_SPAWNED, 3, 2);
	check_nested(MESSAGE_PONG, 2, 2);
	check_nested(MESSAGE_IMAGE_READY, 10, 2);
	check_nested(MESSAGE_IMAGE_FAILED, 4, 2);
	check_nested(MESSAGE_TASKS, 1, 6); /* payload_in_memfd excludes the payload */
	size = pack(&(struct message){ MESSAGE_TASKS, .tasks = { &inline_task, 1 } }, packed);
	task = field_find(packed, size, 1);
	nested = field_find(task.data, task.size, 7);
	ck_assert_uint_eq(fields_in(nested.data, nested.size), 12);
	nested = field_find(nested.data, nested.size, 10);
	ck_assert_uint_eq(fields_in(nested.data, nested.size), 2);
}
END_TEST

START_TEST(test_fields_land_in_their_places) {
	struct message got;

	ck_assert_int_eq(
	    pass(&(struct message){ MESSAGE_TASKS, .tasks = { &inline_task, 1 } }, &got), 0);
	ck_assert_uint_eq(got.tasks.n_tasks, 1);
	ck_assert_uint_eq(got.tasks.tasks->sequence, 1);
	ck_assert_uint_eq(got.tasks.tasks->task_id, 2);
	ck_assert_uint_eq(got.tasks.tasks->function, 3);
	ck_assert_mem_eq(got.tasks.tasks->payload.data, "input", 5);
	ck_assert_str_eq(got.tasks.tasks->context->environment[1], "second");
	ck_assert_str_eq(got.tasks.tasks->context->directory, "/tmp");
	ck_assert_int_eq(got.tasks.tasks->context->streams[0], STREAM_NULL);
	ck_assert_int_eq(got.tasks.tasks->context->streams[2], STREAM_DESCRIPTOR);
	ck_assert_uint_eq(got.tasks.tasks->context->rlimits[1].soft, UINT64_MAX);
	ck_assert_int_eq(got.tasks.tasks->context->nice, -5);
	ck_assert_uint_eq(got.tasks.tasks->context->cpus[1], 7);
}
END_TEST

START_TEST(test_statuses_land_in_their_places) {
	struct message got;

	ck_assert_int_eq(pass(&(struct message){ MESSAGE_WORKER_EXITED,
						 .worker_exited = { 1, 2, STATUS, true } },
			      &got),
			 0);
	ck_assert_uint_eq(got.worker_exited.worker_id, 1);
	ck_assert_int_eq(got.worker_exited.pid, 2);
	ck_assert(got.worker_exited.status.exited);
	ck_assert_int_eq(got.worker_exited.status.code, 3);
	ck_assert_int_eq(got.worker_exited.status.signal, 9);
	ck_assert(got.worker_exited.status.core);
	ck_assert_uint_eq(got.worker_exited.status.cpu_ns, 4);
	ck_assert_uint_eq(got.worker_exited.status.peak_rss, 5);
}
END_TEST

START_TEST(test_facts_of_the_freeze_land_in_their_places) {
	const struct message ready = {
		MESSAGE_IMAGE_READY,
		.image_ready = { .frozen = true,
				 .freeze_note = "a note",
				 .frozen_bytes = UINT64_MAX,
				 .freeze_ns = 2,
				 .unfrozen_bytes = 3,
				 .frozen_mappings = UINT32_MAX,
				 .frozen_holes = 5,
				 .fork_unfrozen_ns = 6,
				 .fork_ns = 7,
				 .heap_bytes = 8,
				 .stack_bytes = 9,
				 .page_table_bytes = 10 },
	};
	struct message got;

	ck_assert_int_eq(pass(&ready, &got), 0);
	ck_assert(got.image_ready.frozen);
	ck_assert_str_eq(got.image_ready.freeze_note, "a note");
	ck_assert_uint_eq(got.image_ready.frozen_bytes, UINT64_MAX);
	ck_assert_uint_eq(got.image_ready.freeze_ns, 2);
	ck_assert_uint_eq(got.image_ready.unfrozen_bytes, 3);
	ck_assert_uint_eq(got.image_ready.frozen_mappings, UINT32_MAX);
	ck_assert_uint_eq(got.image_ready.frozen_holes, 5);
	ck_assert_uint_eq(got.image_ready.fork_unfrozen_ns, 6);
	ck_assert_uint_eq(got.image_ready.fork_ns, 7);
	ck_assert_uint_eq(got.image_ready.heap_bytes, 8);
	ck_assert_uint_eq(got.image_ready.stack_bytes, 9);
	ck_assert_uint_eq(got.image_ready.page_table_bytes, 10);
}
END_TEST

START_TEST(test_wishes_land_in_their_places) {
	const struct message_spawn_worker worker = { .cpu = 3 };
	struct message got;

	ck_assert_int_eq(pass(&(struct message){ MESSAGE_LOAD, .load = { .freeze = FREEZE_ALWAYS,
									 .spin_us = 3 } },
			      &got),
			 0);
	ck_assert_int_eq(got.load.freeze, FREEZE_ALWAYS);
	ck_assert_uint_eq(got.load.spin_us, 3);
	ck_assert(!got.load.touch_ahead);
	ck_assert_int_eq(
	    pass(&(struct message){ MESSAGE_LOAD, .load = { .touch_ahead = true } }, &got), 0);
	ck_assert(got.load.touch_ahead);
	ck_assert_int_eq(got.load.freeze, FREEZE_AUTO);
	ck_assert_int_eq(pass(&(struct message){ MESSAGE_SPAWN, .spawn = { 1, &worker, 1 } }, &got),
			 0);
	ck_assert_uint_eq(got.spawn.workers->cpu, 3);
}
END_TEST

/* A submessage that is missing differs from one that is there and whose fields are all 0. */
START_TEST(test_what_is_frozen_is_told_now_and_then) {
	static const struct message_frozen told[] = {
		{ false, 0, 0 },
		{ true, 0, 0 },
		{ true, UINT32_MAX, UINT64_MAX },
	};
	struct message got;

	for (size_t i = 0; i < N_OF(told); i++) {
		ck_assert_int_eq(
		    pass(&(struct message){ MESSAGE_PONG, .pong = { 1, told[i] } }, &got), 0);
		ck_assert_int_eq(got.pong.frozen.known, told[i].known);
		ck_assert_uint_eq(got.pong.frozen.freezes, told[i].freezes);
		ck_assert_uint_eq(got.pong.frozen.dirtied, told[i].dirtied);
		ck_assert_int_eq(
		    pass(&(struct message){ MESSAGE_SPAWNED,
					    .spawned = { 1, spawned_workers, N_OF(spawned_workers),
							 told[i] } },
			 &got),
		    0);
		ck_assert_int_eq(got.spawned.frozen.known, told[i].known);
		ck_assert_uint_eq(got.spawned.frozen.freezes, told[i].freezes);
		ck_assert_uint_eq(got.spawned.frozen.dirtied, told[i].dirtied);
	}
}
END_TEST

START_TEST(test_null_strings_are_packed_as_empty) {
	struct message got;

	ck_assert_int_eq(pass(&(struct message){ MESSAGE_LEAVING }, &got), 0);
	ck_assert_str_eq(got.leaving.text, "");
	ck_assert_int_eq(pass(&(struct message){ MESSAGE_LOAD }, &got), 0);
	ck_assert_str_eq(got.load.module, "");
	ck_assert_uint_eq(got.load.preload_argument.size, 0);
	ck_assert_int_eq(pass(&(struct message){ MESSAGE_IMAGE_READY }, &got), 0);
	ck_assert_str_eq(got.image_ready.freeze_note, "");
}
END_TEST

START_TEST(test_an_absent_context_is_null) {
	const struct message_task task = { .task_id = 1 };
	struct message got;

	ck_assert_int_eq(pass(&(struct message){ MESSAGE_TASKS, .tasks = { &task, 1 } }, &got), 0);
	ck_assert_ptr_null(got.tasks.tasks->context);
}
END_TEST

START_TEST(test_inline_size_is_the_payloads_own) {
	const struct message_task task = { .payload = { (const uint8_t *)"abc", 3 },
					   .payload_size = 77 };
	struct message got;

	ck_assert_int_eq(pass(&(struct message){ MESSAGE_TASKS, .tasks = { &task, 1 } }, &got), 0);
	ck_assert_uint_eq(got.tasks.tasks->payload_size, 3);
}
END_TEST

START_TEST(test_names) {
	ck_assert_str_eq(message_name(MESSAGE_SPAWN), "Spawn");
	ck_assert_str_eq(message_name(MESSAGE_DRAIN), "Drain");
	ck_assert_str_eq(message_name(0), "unknown");
	ck_assert_str_eq(message_name(UINT16_MAX), "unknown");
}
END_TEST

/* --- limits --- */

START_TEST(test_limits_of_start_zygote) {
#define with(...) MESSAGE_START_ZYGOTE, .start_zygote = { __VA_ARGS__ }
	accepts(with(.nonce = text_of(LIMIT_NONCE - 1)));
	refuses(with(.nonce = text_of(LIMIT_NONCE)));
	accepts(with(.program = text_of(LIMIT_PATH - 1)));
	refuses(with(.program = text_of(LIMIT_PATH)));
	accepts(with(.depth = LIMIT_DEPTH));
	refuses(with(.depth = LIMIT_DEPTH + 1));
	refuses(with(.kind = (enum image_kind)3));
	refuses(with(.kind = (enum image_kind) - 1));
#undef with
}
END_TEST

START_TEST(test_limits_of_pids) {
	static int32_t many[LIMIT_WORKERS + 1];
	static const int32_t zero[] = { 0 }, all[] = { -1 };
	struct message got;

	for (size_t i = 0; i < N_OF(many); i++)
		many[i] = 1 + (int32_t)i;
	for (unsigned i = 0; i < 2; i++) {
		struct message message = { i ? MESSAGE_KEPT : MESSAGE_KEEP };
		struct message_pids *list = i ? &message.kept : &message.keep;

		*list = (struct message_pids){ 1, many, LIMIT_WORKERS };
		ck_assert_int_eq(pass(&message, &got), 0);
		list->n_pids = LIMIT_WORKERS + 1;
		ck_assert_int_eq(pass(&message, &got), MESSAGE_E_MALFORMED);
		*list = (struct message_pids){ 1, zero, 1 };
		ck_assert_int_eq(pass(&message, &got), MESSAGE_E_MALFORMED);
		*list = (struct message_pids){ 1, all, 1 };
		ck_assert_int_eq(pass(&message, &got), MESSAGE_E_MALFORMED);
	}
}
END_TEST

/* kill(2) and its kin take 0 and -1 for many processes. */
START_TEST(test_limits_of_single_pids) {
	refuses(MESSAGE_KEEPER_READY, .keeper_ready = { 1, 0 });
	refuses(MESSAGE_WELCOME, .welcome = { 1, 0 });
	refuses(MESSAGE_ADOPTED_STOPPED, .adopted_stopped = { -1, true });
	refuses(MESSAGE_ADOPTED_EXITED, .adopted_exited = { 0, STATUS });
	refuses(MESSAGE_WORKER_EXITED, .worker_exited = { 1, -1, STATUS, true });
	accepts(MESSAGE_ZYGOTE_STARTED, .zygote_started = { 1, 0, ENOEXEC, "exec" });
	refuses(MESSAGE_ZYGOTE_STARTED, .zygote_started = { 1, 0, 0, "" });
	refuses(MESSAGE_ZYGOTE_STARTED, .zygote_started = { 1, -1, ENOEXEC, "exec" });
	accepts(MESSAGE_ZYGOTE_STARTED, .zygote_started = { 1, 0, 1, text_of(LIMIT_NAME - 1) });
	refuses(MESSAGE_ZYGOTE_STARTED, .zygote_started = { 1, 0, 1, text_of(LIMIT_NAME) });
}
END_TEST

START_TEST(test_limits_of_exit_status) {
#define with(...) MESSAGE_ZYGOTE_EXITED, .zygote_exited = { 1, { __VA_ARGS__ } }
	struct message got;

	accepts(with(.exited = true, .code = 255));
	refuses(with(.exited = true, .code = 256));
	refuses(with(.exited = true, .code = -1));
	accepts(with(.signal = 64));
	refuses(with(.signal = 65));
	refuses(with(.signal = -9));
	ck_assert_int_eq(unpack(MESSAGE_ZYGOTE_EXITED, (const uint8_t *)"\x08\x01", 2, &got),
			 MESSAGE_E_MALFORMED); /* no status at all */
#undef with
}
END_TEST

START_TEST(test_limits_of_hello) {
	accepts(MESSAGE_HELLO, .hello = { 1, 1, text_of(LIMIT_NONCE - 1) });
	refuses(MESSAGE_HELLO, .hello = { 1, 1, text_of(LIMIT_NONCE) });
}
END_TEST

START_TEST(test_limits_of_load) {
#define with(...) MESSAGE_LOAD, .load = { __VA_ARGS__ }
	accepts(with(.module = text_of(LIMIT_PATH - 1)));
	refuses(with(.module = text_of(LIMIT_PATH)));
	accepts(with(.name = text_of(LIMIT_IMAGE_NAME - 1)));
	refuses(with(.name = text_of(LIMIT_IMAGE_NAME)));
	accepts(with(.preload_argument = bytes_of(LIMIT_PRELOAD_ARGUMENT)));
	refuses(with(.preload_argument = bytes_of(LIMIT_PRELOAD_ARGUMENT + 1)));
	accepts(with(.depth = LIMIT_DEPTH));
	refuses(with(.depth = LIMIT_DEPTH + 1));
	refuses(with(.kind = (enum image_kind)3));
	accepts(with(.freeze = FREEZE_NEVER));
	refuses(with(.freeze = (enum freeze_wish)3));
	refuses(with(.freeze = (enum freeze_wish) - 1));
	accepts(with(.spin_us = LIMIT_SPIN_US));
	refuses(with(.spin_us = LIMIT_SPIN_US + 1));
	refuses(with(.spin_us = UINT32_MAX));
#undef with
}
END_TEST

START_TEST(test_limits_of_spawn) {
	struct message_spawn_worker workers[LIMIT_SPAWN_BATCH + 1] = { 0 };
#define with(n) MESSAGE_SPAWN, .spawn = { 1, workers, n }
	refuses(with(0));
	accepts(with(1));
	accepts(with(LIMIT_SPAWN_BATCH));
	refuses(with(LIMIT_SPAWN_BATCH + 1));
	workers[1].slot = LIMIT_WORKERS - 1;
	workers[1].cell = LIMIT_WORKERS - 1;
	accepts(with(2));
	workers[1].slot = LIMIT_WORKERS;
	refuses(with(2));
	workers[1].slot = 0;
	workers[1].cell = LIMIT_WORKERS;
	refuses(with(2));
	workers[1].cell = 0;
	workers[1].cpu = LIMIT_CPUS;
	accepts(with(2));
	workers[1].cpu = LIMIT_CPUS + 1;
	refuses(with(2));
	workers[1].cpu = UINT32_MAX;
	refuses(with(2));
#undef with
}
END_TEST

START_TEST(test_limits_of_spawned) {
	struct message_spawned_worker workers[LIMIT_SPAWN_BATCH + 1];
#define with(n) MESSAGE_SPAWNED, .spawned = { 1, workers, n }
	for (size_t i = 0; i < N_OF(workers); i++)
		workers[i] = (struct message_spawned_worker){ .pid = 1 };
	refuses(with(0));
	accepts(with(LIMIT_SPAWN_BATCH));
	refuses(with(LIMIT_SPAWN_BATCH + 1));
	workers[1] = (struct message_spawned_worker){ .error = EAGAIN };
	accepts(with(2));
	workers[1].error = 0;
	refuses(with(2));
	workers[1] = (struct message_spawned_worker){ .pid = 1, .step = text_of(LIMIT_NAME - 1) };
	accepts(with(2));
	workers[1].step = text_of(LIMIT_NAME);
	refuses(with(2));
	workers[1] = (struct message_spawned_worker){ .pid = -1, .error = EAGAIN };
	refuses(with(2));
#undef with
}
END_TEST

START_TEST(test_limits_of_image_ready) {
	const char *functions[LIMIT_FUNCTIONS + 1];
	struct message_finding many[LIMIT_FINDINGS + 1] = { 0 };
#define with(...) MESSAGE_IMAGE_READY, .image_ready = { __VA_ARGS__ }
	for (size_t i = 0; i < N_OF(functions); i++)
		functions[i] = "f";
	accepts(with(.functions = functions, .n_functions = LIMIT_FUNCTIONS));
	refuses(with(.functions = functions, .n_functions = LIMIT_FUNCTIONS + 1));
	functions[1] = text_of(LIMIT_NAME - 1);
	accepts(with(.functions = functions, .n_functions = 2));
	functions[1] = text_of(LIMIT_NAME);
	refuses(with(.functions = functions, .n_functions = 2));
	accepts(with(.findings = many, .n_findings = LIMIT_FINDINGS));
	refuses(with(.findings = many, .n_findings = LIMIT_FINDINGS + 1));
	accepts(with(.freeze_note = text_of(LIMIT_TEXT - 1)));
	refuses(with(.freeze_note = text_of(LIMIT_TEXT)));
#undef with
}
END_TEST

START_TEST(test_limits_of_image_failed) {
	struct message_finding many[LIMIT_FINDINGS + 1] = { 0 };
#define with(...) MESSAGE_IMAGE_FAILED, .image_failed = { __VA_ARGS__ }
	accepts(with(.step = text_of(LIMIT_NAME - 1)));
	refuses(with(.step = text_of(LIMIT_NAME)));
	accepts(with(.text = text_of(LIMIT_TEXT - 1)));
	refuses(with(.text = text_of(LIMIT_TEXT)));
	accepts(with(.findings = many, .n_findings = LIMIT_FINDINGS));
	refuses(with(.findings = many, .n_findings = LIMIT_FINDINGS + 1));
	many[1].text = text_of(LIMIT_TEXT - 1);
	accepts(with(.findings = many, .n_findings = 2));
	many[1].text = text_of(LIMIT_TEXT);
	refuses(with(.findings = many, .n_findings = 2));
#undef with
}
END_TEST

START_TEST(test_limits_of_swept) {
	static uint64_t many[LIMIT_WORKERS + 1];

	accepts(MESSAGE_SWEPT, .swept = { NULL, 0, 0 });
	accepts(MESSAGE_SWEPT, .swept = { many, LIMIT_WORKERS, 0 });
	refuses(MESSAGE_SWEPT, .swept = { many, LIMIT_WORKERS + 1, 0 });
}
END_TEST

START_TEST(test_limits_of_texts) {
	accepts(MESSAGE_REFUSED, .refused = { 1, 1, text_of(LIMIT_TEXT - 1) });
	refuses(MESSAGE_REFUSED, .refused = { 1, 1, text_of(LIMIT_TEXT) });
	accepts(MESSAGE_WORKER_READY, .worker_ready = { 1, 1, text_of(LIMIT_TEXT - 1) });
	refuses(MESSAGE_WORKER_READY, .worker_ready = { 1, 1, text_of(LIMIT_TEXT) });
	accepts(MESSAGE_LEAVING, .leaving = { text_of(LIMIT_TEXT - 1) });
	refuses(MESSAGE_LEAVING, .leaving = { text_of(LIMIT_TEXT) });
}
END_TEST

START_TEST(test_limits_of_tasks) {
	struct message_task tasks[LIMIT_TASKS_PER_FRAME + 1] = { 0 };
#define with(n) MESSAGE_TASKS, .tasks = { tasks, n }
	refuses(with(0));
	accepts(with(LIMIT_TASKS_PER_FRAME));
	refuses(with(LIMIT_TASKS_PER_FRAME + 1));
	tasks[1].function = LIMIT_FUNCTIONS - 1;
	accepts(with(2));
	tasks[1].function = LIMIT_FUNCTIONS;
	refuses(with(2));
#undef with
}
END_TEST

START_TEST(test_limits_of_payloads) {
#define with(...) MESSAGE_TASKS, .tasks = { &(const struct message_task){ __VA_ARGS__ }, 1 }
	accepts(with(.payload = bytes_of(LIMIT_INLINE_PAYLOAD)));
	refuses(with(.payload = bytes_of(LIMIT_INLINE_PAYLOAD + 1)));
	accepts(with(.payload_in_memfd = true, .payload_size = LIMIT_PAYLOAD));
	refuses(with(.payload_in_memfd = true, .payload_size = LIMIT_PAYLOAD + 1));
	refuses(with(.payload_in_memfd = true, .payload_size = 1, .payload = bytes_of(1)));
#undef with
}
END_TEST

START_TEST(test_a_task_with_descriptors_is_alone) {
	const struct message_context streams = { .streams = { [1] = STREAM_DESCRIPTOR } };
	const struct message_context extra = { .n_descriptors = 1 };
	const struct message_context none = { .streams = { [1] = STREAM_NULL } };
	struct message_task tasks[2] = { 0 };
#define with(n) MESSAGE_TASKS, .tasks = { tasks, n }
	tasks[0].payload_in_memfd = true;
	accepts(with(1));
	refuses(with(2));
	tasks[0] = (struct message_task){ .context = &streams };
	accepts(with(1));
	refuses(with(2));
	tasks[0].context = &extra;
	accepts(with(1));
	refuses(with(2));
	tasks[0].context = &none;
	accepts(with(2));
#undef with
}
END_TEST

#define with_context(...)                                                                          \
	MESSAGE_TASKS, .tasks = { &(const struct message_task){                                    \
				      .context = &(const struct message_context){ __VA_ARGS__ } }, \
				  1 }

START_TEST(test_limits_of_context) {
	const char *environment[LIMIT_ENVIRONMENT_STRINGS + 1];

	for (size_t i = 0; i < N_OF(environment); i++)
		environment[i] = "N=v";
	accepts(
	    with_context(.environment = environment, .n_environment = LIMIT_ENVIRONMENT_STRINGS));
	refuses(with_context(.environment = environment,
			     .n_environment = LIMIT_ENVIRONMENT_STRINGS + 1));
	/* A string of n >= 16,384 bytes packs into n + 4. */
	environment[0] = text_of(LIMIT_CONTEXT - 4);
	accepts(with_context(.environment = environment, .n_environment = 1));
	environment[0] = text_of(LIMIT_CONTEXT - 3);
	refuses(with_context(.environment = environment, .n_environment = 1));
	accepts(with_context(.directory = text_of(LIMIT_PATH - 1)));
	refuses(with_context(.directory = text_of(LIMIT_PATH)));
	accepts(with_context(.umask = 0777));
	refuses(with_context(.umask = 01000));
	accepts(with_context(.n_descriptors = LIMIT_TASK_DESCRIPTORS));
	refuses(with_context(.n_descriptors = LIMIT_TASK_DESCRIPTORS + 1));
}
END_TEST

START_TEST(test_limits_of_context_lists) {
	const struct message_rlimit many_rlimits[LIMIT_RLIMITS + 1] = { 0 };
	uint32_t many_cpus[LIMIT_CPUS + 1] = { 0 };

	accepts(with_context(.rlimits = many_rlimits, .n_rlimits = LIMIT_RLIMITS));
	refuses(with_context(.rlimits = many_rlimits, .n_rlimits = LIMIT_RLIMITS + 1));
	accepts(with_context(.cpus = many_cpus, .n_cpus = LIMIT_CPUS));
	refuses(with_context(.cpus = many_cpus, .n_cpus = LIMIT_CPUS + 1));
	many_cpus[0] = LIMIT_CPUS - 1;
	accepts(with_context(.cpus = many_cpus, .n_cpus = 1));
	many_cpus[0] = LIMIT_CPUS;
	refuses(with_context(.cpus = many_cpus, .n_cpus = 1));
}
END_TEST

START_TEST(test_limits_of_streams) {
	for (size_t i = 0; i < 3; i++) {
		struct message_context bad = { 0 };
		struct message_task task = { .context = &bad };

		bad.streams[i] = STREAM_DESCRIPTOR;
		accepts(MESSAGE_TASKS, .tasks = { &task, 1 });
		bad.streams[i] = (enum stream_mode)3;
		refuses(MESSAGE_TASKS, .tasks = { &task, 1 });
		bad.streams[i] = (enum stream_mode) - 1;
		refuses(MESSAGE_TASKS, .tasks = { &task, 1 });
	}
}
END_TEST

START_TEST(test_limits_of_result) {
#define with(...) MESSAGE_RESULT, .result = { __VA_ARGS__ }
	refuses(with(.kind = (enum result_kind)5));
	refuses(with(.kind = (enum result_kind) - 1));
	accepts(with(.text = text_of(LIMIT_TEXT - 1)));
	refuses(with(.text = text_of(LIMIT_TEXT)));
	accepts(with(.payload = bytes_of(LIMIT_INLINE_PAYLOAD)));
	refuses(with(.payload = bytes_of(LIMIT_INLINE_PAYLOAD + 1)));
	refuses(with(.payload_in_memfd = true, .payload_size = LIMIT_PAYLOAD + 1));
	refuses(with(.payload_in_memfd = true, .payload = bytes_of(1)));
#undef with
}
END_TEST

/* A failure has both: the frame has room for the largest of each, whatever the numbers are. */
START_TEST(test_bytes_beside_a_text_fit_a_frame) {
	const struct message message = {
		MESSAGE_RESULT,
		.result = { .sequence = UINT64_MAX,
			    .kind = RESULT_FAILED,
			    .code = -1,
			    .text = text_of(LIMIT_TEXT - 1),
			    .payload = bytes_of(LIMIT_INLINE_BESIDE_TEXT),
			    .payload_size = LIMIT_INLINE_BESIDE_TEXT,
			    .run_ns = UINT64_MAX,
			    .cpu_ns = UINT64_MAX,
			    .peak_rss = UINT64_MAX,
			    .memory_growth = UINT64_MAX },
	};

	ck_assert_uint_le(pack(&message, packed), LIMIT_FRAME - 8);
}
END_TEST

/* --- damage --- */

START_TEST(test_unknown_types_are_malformed) {
	struct message got;

	ck_assert_int_eq(unpack(0, NULL, 0, &got), MESSAGE_E_MALFORMED);
	ck_assert_int_eq(unpack(4, NULL, 0, &got), MESSAGE_E_MALFORMED);
	ck_assert_int_eq(unpack(MESSAGE_LISTENER + 1, NULL, 0, &got), MESSAGE_E_MALFORMED);
	ck_assert_int_eq(unpack(UINT16_MAX, NULL, 0, &got), MESSAGE_E_MALFORMED);
}
END_TEST

START_TEST(test_unknown_fields_are_ignored) {
	/* request = 5, then field 15 (varint), field 16 (bytes) */
	static const uint8_t body[] = { 0x08, 5, 0x78, 9, 0x82, 0x01, 2, 'x', 'y' };
	struct message got;

	ck_assert_int_eq(unpack(MESSAGE_PING, body, sizeof body, &got), 0);
	ck_assert_uint_eq(got.ping.request, 5);
}
END_TEST

START_TEST(test_the_result_is_untouched_on_failure) {
	struct message got = { MESSAGE_PING, .ping = { 77 } };

	ck_assert_int_eq(unpack(MESSAGE_PONG, (const uint8_t *)"\x08", 1, &got),
			 MESSAGE_E_MALFORMED);
	ck_assert_int_eq(got.type, MESSAGE_PING);
	ck_assert_uint_eq(got.ping.request, 77);
}
END_TEST

/* Reads all that `body` was unpacked into, by packing it. */
static void check_survives(enum message_type type, const uint8_t *body, size_t size) {
	uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too far */
	struct message got;
	int r;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, body, size);
	r = unpack((uint16_t)type, exact, size, &got);
	free(exact);
	if (r)
		ck_assert_int_eq(r, MESSAGE_E_MALFORMED);
	else
		pack(&got, repacked);
}

START_TEST(test_every_prefix_parses_or_is_refused) {
	const struct message *message = &samples[_i].message;
	size_t size = pack(message, packed);

	for (size_t length = 0; length <= size; length++)
		check_survives(message->type, packed, length);
}
END_TEST

static uint32_t random_next(uint32_t *state) {
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

START_TEST(test_flipped_bits_parse_or_are_refused) {
	const struct message *message = &samples[_i].message;
	static uint8_t damaged[ROOM];
	size_t size = pack(message, packed);
	uint32_t state = 1 + (uint32_t)_i;

	for (unsigned round = 0; size && round < 5000; round++) {
		memcpy(damaged, packed, size);
		for (unsigned flips = 1 + round % 4; flips; flips--)
			damaged[random_next(&state) % size] ^=
			    (uint8_t)(1 << random_next(&state) % 8);
		check_survives(message->type, damaged, size);
	}
}
END_TEST

/* One type's body under another type's name, and plain noise. */
START_TEST(test_strange_bodies_parse_or_are_refused) {
	uint8_t noise[64];
	uint32_t state = 1 + (uint32_t)_i;
	size_t size;

	for (size_t i = 0; i < N_OF(samples); i++) {
		size = pack(&samples[i].message, packed);
		check_survives(samples[_i].message.type, packed, size);
	}
	for (unsigned round = 0; round < 5000; round++) {
		size = random_next(&state) % sizeof noise;
		for (size_t i = 0; i < size; i++)
			noise[i] = (uint8_t)random_next(&state);
		check_survives(samples[_i].message.type, noise, size);
	}
}
END_TEST

/* --- memory --- */

/* Two bytes for an empty Task: a frame of them would unfold into megabytes. It is the sender's
 * fault, so it must not read as ours. */
START_TEST(test_a_frame_that_unfolds_is_malformed) {
	struct message got;

	for (size_t i = 0; i < WIRE_BODY; i += 2) {
		packed[i] = 0x0a;
		packed[i + 1] = 0;
	}
	ck_assert_int_eq(unpack(MESSAGE_TASKS, packed, WIRE_BODY, &got), MESSAGE_E_MALFORMED);
	/* Unknown fields are ignored, but not any number of them. */
	for (size_t i = 0; i < WIRE_BODY; i += 2) {
		packed[i] = 0x78;
		packed[i + 1] = 1;
	}
	ck_assert_int_eq(unpack(MESSAGE_PING, packed, WIRE_BODY, &got), MESSAGE_E_MALFORMED);
	ck_assert_int_eq(unpack(MESSAGE_PING, packed, WIRE_BODY + 1, &got), MESSAGE_E_MALFORMED);
}
END_TEST

/* The least dense encoding of the largest list fits an arena of ARENA_MESSAGE. */
START_TEST(test_an_unpacked_list_at_its_limit_fits) {
	struct message got;
	size_t size = 0;

	for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
		packed[size++] = 0x08; /* Swept.worker_ids, one at a time */
		packed[size++] = 0xff;
		packed[size++] = 0xff;
		packed[size++] = 0x7f;
	}
	ck_assert_int_eq(unpack(MESSAGE_SWEPT, packed, size, &got), 0);
	ck_assert_uint_eq(got.swept.n_worker_ids, LIMIT_WORKERS);
	ck_assert_uint_eq(got.swept.worker_ids[LIMIT_WORKERS - 1], 0x1fffff);
}
END_TEST

START_TEST(test_a_small_arena_is_enomem) {
	const struct message *message = &samples[_i].message;
	static uint8_t memory[4096];
	size_t size = pack(message, packed), ignored;
	bool fitted = false;

	for (size_t room = 0; room < sizeof memory; room += 16) {
		struct arena arena;
		struct message got;
		int r;

		arena_init(&arena, memory, room);
		r = message_unpack((uint16_t)message->type, packed, size, &arena, &got);
		ck_assert(r == 0 || r == -ENOMEM);
		ck_assert(!fitted || r == 0);
		fitted = r == 0;
		arena_reset(&arena);
		r = message_pack(message, &arena, repacked, ROOM, &ignored);
		ck_assert(r == 0 || r == -ENOMEM);
	}
	ck_assert(fitted);
}
END_TEST

START_TEST(test_arena_aligns_and_ends) {
	static _Alignas(16) uint8_t memory[65];
	struct arena arena;
	uint8_t *first, *second;

	arena_init(&arena, memory + 1, 64);
	first = arena_allocate(&arena, 1);
	second = arena_allocate(&arena, 16);
	ck_assert_ptr_eq(first, memory + 16);
	ck_assert_ptr_eq(second, memory + 32);
	ck_assert_ptr_null(arena_allocate(&arena, 18));
	ck_assert_ptr_null(arena_allocate(&arena, SIZE_MAX));
	ck_assert_ptr_eq(arena_allocate(&arena, 17), memory + 48);
	ck_assert_ptr_null(arena_allocate(&arena, 1));
	arena_reset(&arena);
	ck_assert_ptr_eq(arena_allocate(&arena, 1), first);
}
END_TEST

START_TEST(test_pack_refuses_what_does_not_fit) {
	const struct message message = { MESSAGE_LEAVING, .leaving = { "0123456789" } };
	struct arena arena;
	size_t size = 0;

	arena_init(&arena, pack_memory, sizeof pack_memory);
	ck_assert_int_eq(message_pack(&message, &arena, packed, 11, &size), MESSAGE_E_TOO_LARGE);
	ck_assert_uint_eq(size, 0);
	ck_assert_int_eq(message_pack(&message, &arena, packed, 12, &size), 0);
	ck_assert_uint_eq(size, 12);
}
END_TEST

/* --- the cell --- */

/* PROTOCOL.md gives these numbers to those who write the other side. */
_Static_assert(sizeof(struct cell_claim) == 16 && CELL_CLAIMS == 64, "claims");
_Static_assert(offsetof(struct cell, crash) == 1024, "crash");
_Static_assert(offsetof(struct cell, crash.address) == 1040, "address");
_Static_assert(offsetof(struct cell, stack_size) == 1048, "stack size");
_Static_assert(offsetof(struct cell, stack) == 1056, "stack");

START_TEST(test_a_claim_is_decided_once) {
	static struct cell cell;
	struct cell_claim *claim = cell_claim(&cell, 64 + 5);

	ck_assert_ptr_eq(claim, &cell.claims[5]);
	ck_assert(!claim_swap(claim, 64 + 5, CLAIM_STARTED));
	atomic_store(&claim->word, claim_word(64 + 5, CLAIM_QUEUED));
	ck_assert(!claim_swap(claim, 5, CLAIM_STARTED)); /* an older task of the same place */
	ck_assert(claim_swap(claim, 64 + 5, CLAIM_STARTED));
	ck_assert(!claim_swap(claim, 64 + 5, CLAIM_CANCELLED));
	ck_assert_uint_eq(atomic_load(&claim->word), claim_word(64 + 5, CLAIM_STARTED));
}
END_TEST

/* --- over a socket --- */

START_TEST(test_send_carries_message_and_descriptors) {
	static uint8_t frame_buffer[LIMIT_FRAME], buffer[LIMIT_FRAME];
	struct wire_frame frame;
	struct message got;
	struct arena arena;
	int ends[2];

	arena_init(&arena, pack_memory, sizeof pack_memory);
	ck_assert_int_eq(fd_seqpacket_pair(ends), 0);
	ck_assert_int_eq(message_send(ends[0], &samples[0].message, &arena, buffer, ends, 1, 0), 0);
	ck_assert_int_eq(wire_receive(ends[1], frame_buffer, 0, &frame), 0);
	ck_assert_uint_eq(frame.n_descriptors, 1);
	ck_assert_int_eq(unpack(frame.type, frame.body, frame.size, &got), 0);
	ck_assert_int_eq(got.type, samples[0].message.type);
	ck_assert_str_eq(got.start_zygote.program, "/bin/true");
	wire_frame_close(&frame);
	fd_close(ends[1]);
	ck_assert_int_eq(message_send(ends[0], &samples[0].message, &arena, buffer, NULL, 0, 0),
			 WIRE_E_EOF);
	fd_close(ends[0]);
}
END_TEST

START_TEST(test_send_refuses_more_than_a_frame) {
	static uint8_t buffer[LIMIT_FRAME];
	struct message_finding many[LIMIT_FINDINGS];
	struct message message = { MESSAGE_IMAGE_FAILED };
	struct arena arena;

	for (size_t i = 0; i < N_OF(many); i++)
		many[i] = (struct message_finding){ 1, text_of(LIMIT_TEXT - 1) };
	message.image_failed.findings = many;
	message.image_failed.n_findings = N_OF(many);
	arena_init(&arena, pack_memory, sizeof pack_memory);
	ck_assert_int_eq(message_send(-1, &message, &arena, buffer, NULL, 0, 0), -EMSGSIZE);
}
END_TEST

static void add_limits(TCase *test_case) {
	tcase_add_test(test_case, test_limits_of_start_zygote);
	tcase_add_test(test_case, test_limits_of_pids);
	tcase_add_test(test_case, test_limits_of_single_pids);
	tcase_add_test(test_case, test_limits_of_exit_status);
	tcase_add_test(test_case, test_limits_of_hello);
	tcase_add_test(test_case, test_limits_of_load);
	tcase_add_test(test_case, test_limits_of_spawn);
	tcase_add_test(test_case, test_limits_of_spawned);
	tcase_add_test(test_case, test_limits_of_image_ready);
	tcase_add_test(test_case, test_limits_of_image_failed);
	tcase_add_test(test_case, test_limits_of_swept);
	tcase_add_test(test_case, test_limits_of_texts);
	tcase_add_test(test_case, test_limits_of_tasks);
	tcase_add_test(test_case, test_limits_of_payloads);
	tcase_add_test(test_case, test_a_task_with_descriptors_is_alone);
	tcase_add_test(test_case, test_limits_of_context);
	tcase_add_test(test_case, test_limits_of_context_lists);
	tcase_add_test(test_case, test_limits_of_streams);
	tcase_add_test(test_case, test_limits_of_result);
}

int main(void) {
	TCase *test_case = fixture_case("message");

	tcase_add_test(test_case, test_samples_cover_every_type);
	tcase_add_loop_test(test_case, test_round_trip, 0, N_OF(samples));
	tcase_add_test(test_case, test_submessages_have_all_their_fields);
	tcase_add_test(test_case, test_fields_land_in_their_places);
	tcase_add_test(test_case, test_statuses_land_in_their_places);
	tcase_add_test(test_case, test_facts_of_the_freeze_land_in_their_places);
	tcase_add_test(test_case, test_wishes_land_in_their_places);
	tcase_add_test(test_case, test_what_is_frozen_is_told_now_and_then);
	tcase_add_test(test_case, test_null_strings_are_packed_as_empty);
	tcase_add_test(test_case, test_an_absent_context_is_null);
	tcase_add_test(test_case, test_inline_size_is_the_payloads_own);
	tcase_add_test(test_case, test_names);
	add_limits(test_case);
	tcase_add_test(test_case, test_bytes_beside_a_text_fit_a_frame);
	tcase_add_test(test_case, test_unknown_types_are_malformed);
	tcase_add_test(test_case, test_unknown_fields_are_ignored);
	tcase_add_test(test_case, test_the_result_is_untouched_on_failure);
	tcase_add_loop_test(test_case, test_every_prefix_parses_or_is_refused, 0, N_OF(samples));
	tcase_add_loop_test(test_case, test_flipped_bits_parse_or_are_refused, 0, N_OF(samples));
	tcase_add_loop_test(test_case, test_strange_bodies_parse_or_are_refused, 0, N_OF(samples));
	tcase_add_test(test_case, test_a_frame_that_unfolds_is_malformed);
	tcase_add_test(test_case, test_an_unpacked_list_at_its_limit_fits);
	tcase_add_loop_test(test_case, test_a_small_arena_is_enomem, 0, N_OF(samples));
	tcase_add_test(test_case, test_arena_aligns_and_ends);
	tcase_add_test(test_case, test_pack_refuses_what_does_not_fit);
	tcase_add_test(test_case, test_a_claim_is_decided_once);
	tcase_add_test(test_case, test_send_carries_message_and_descriptors);
	tcase_add_test(test_case, test_send_refuses_more_than_a_frame);
	return fixture_run("message", test_case);
}
