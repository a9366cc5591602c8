/* SPDX-License-Identifier: MIT
 *
 * protobuf-c gets an allocator that takes from an arena and never gives back: there is no malloc in
 * a frozen zygote and no leak on any error path, and a frame that was made to expand into something
 * huge exhausts the arena instead of the machine's memory.
 */
#include "proto/packed.h"

#include <errno.h>
#include <stdbool.h>

#include "base/error.h"
#include "proto/message.h"
#include "proto/wire.h"

void *packed_borrow(const void *memory) {
	union {
		const void *in;
		void *out;
	} pointer = { memory };

	return pointer.out;
}

struct unpacking {
	struct arena *arena;
	bool full;
};

static void *unpacking_allocate(void *context, size_t size) {
	struct unpacking *unpacking = context;
	void *memory = arena_allocate(unpacking->arena, size);

	unpacking->full |= !memory;
	return memory;
}

static void unpacking_free(void *context, void *memory) {
	(void)context;
	(void)memory; /* freed with the arena */
}

static int unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *body, size_t size,
		  struct arena *arena, packed_read read, void *ret) {
	struct unpacking unpacking = { .arena = arena };
	ProtobufCAllocator allocator = { unpacking_allocate, unpacking_free, &unpacking };
	ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, size, body);

	if (!message)
		return unpacking.full ? -ENOMEM : MESSAGE_E_MALFORMED;
	return read(message, ret, arena);
}

/* No message within the limits needs as much as ARENA_MESSAGE, so one that fills it was made to. We
 * blame its sender, not our memory. */
int packed_open(const ProtobufCMessageDescriptor *descriptor, const uint8_t *body, size_t size,
		struct arena *arena, packed_read read, void *ret) {
	bool ample = arena->size - arena->used >= ARENA_MESSAGE;
	int r;

	if (size > WIRE_BODY)
		return MESSAGE_E_MALFORMED;
	r = unpack(descriptor, body, size, arena, read, ret);
	if (r == -ENOMEM)
		return ample ? MESSAGE_E_MALFORMED : error_origin(-ENOMEM);
	return r;
}
