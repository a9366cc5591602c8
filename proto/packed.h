/* SPDX-License-Identifier: MIT
 *
 * protobuf-c without malloc, for messages and policies.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"

/* protobuf-c's structs have no const, but packing does not write to what they point to. */
void *packed_borrow(const void *memory);

/* Checks what was unpacked and points `ret` into it. Returns 0, MESSAGE_E_MALFORMED or -ENOMEM. */
typedef int (*packed_read)(const void *source, void *ret, struct arena *arena);

/* Unpacks `body` into `arena` and calls `read` on it. Returns 0; MESSAGE_E_MALFORMED of message.h;
 * -ENOMEM: the arena is full, and had less than ARENA_MESSAGE. */
int packed_open(const ProtobufCMessageDescriptor *descriptor, const uint8_t *body, size_t size,
		struct arena *arena, packed_read read, void *ret);
