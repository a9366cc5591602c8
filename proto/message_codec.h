/* SPDX-License-Identifier: MIT
 *
 * Shared by message_table.c, message_pack.c and message_unpack.c only: one list of all types, which
 * generates both the table and the declarations of its functions, so that no type can be in one and
 * not in the other.
 */
#pragma once

#include "proto/message.h"
#include "proto/warmfork.pb-c.h"

/* X(name in enum message_type, name in warmfork.proto, member of struct message) */
#define MESSAGES_WITH_FIELDS(X)                                                                    \
	X(START_ZYGOTE, StartZygote, start_zygote)                                                 \
	X(KEEP, Keep, keep)                                                                        \
	X(KEEPER_READY, KeeperReady, keeper_ready)                                                 \
	X(ZYGOTE_STARTED, ZygoteStarted, zygote_started)                                           \
	X(ZYGOTE_EXITED, ZygoteExited, zygote_exited)                                              \
	X(KEPT, Kept, kept)                                                                        \
	X(ADOPTED_EXITED, AdoptedExited, adopted_exited)                                           \
	X(ADOPTED_STOPPED, AdoptedStopped, adopted_stopped)                                        \
	X(HELLO, Hello, hello)                                                                     \
	X(LOAD, Load, load)                                                                        \
	X(SPAWN, Spawn, spawn)                                                                     \
	X(PING, Ping, ping)                                                                        \
	X(WELCOME, Welcome, welcome)                                                               \
	X(REFUSED, Refused, refused)                                                               \
	X(IMAGE_READY, ImageReady, image_ready)                                                    \
	X(IMAGE_FAILED, ImageFailed, image_failed)                                                 \
	X(SPAWNED, Spawned, spawned)                                                               \
	X(WORKER_EXITED, WorkerExited, worker_exited)                                              \
	X(WORKER_STOPPED, WorkerStopped, worker_stopped)                                           \
	X(SWEPT, Swept, swept)                                                                     \
	X(PONG, Pong, pong)                                                                        \
	X(TASKS, Tasks, tasks)                                                                     \
	X(WORKER_READY, WorkerReady, worker_ready)                                                 \
	X(RESULT, Result, result)                                                                  \
	X(LEAVING, Leaving, leaving)

#define MESSAGES_EMPTY(X)                                                                          \
	X(QUIT, Quit, quit)                                                                        \
	X(DRAIN, Drain, drain)                                                                     \
	X(LISTENER, Listener, listener)

/* The type of a member of struct message. */
#define MESSAGE_MEMBER(member) __typeof__(((struct message *)NULL)->member)

/* Fills an initialised protobuf struct with pointers into `message`. Returns 0 or -ENOMEM. */
typedef int (*message_fill)(const struct message *message, void *target, struct arena *arena);
/* Checks an unpacked protobuf struct and points `ret` into it. Returns 0, MESSAGE_E_MALFORMED or
 * -ENOMEM. */
typedef int (*message_read)(const void *source, struct message *ret, struct arena *arena);

#define MESSAGE_DECLARE(upper, camel, member)                                                      \
	int message_fill_##member(const struct message *message, void *target,                     \
				  struct arena *arena);                                            \
	int message_read_##member(const void *source, struct message *ret, struct arena *arena);
MESSAGES_WITH_FIELDS(MESSAGE_DECLARE)
#undef MESSAGE_DECLARE

/* Allocates an array for either file; `n` has been checked. NULL: the arena is full. */
static inline void *message_array(struct arena *arena, size_t n, size_t size) {
	return arena_allocate(arena, n * size);
}
