/* SPDX-License-Identifier: MIT
 *
 * Packing and unpacking by table. protobuf-c gets an allocator that takes from an arena and never
 * gives back: no malloc in a frozen zygote, no leak on any error path, and a frame that was made to
 * unfold into something huge runs into the end of the arena instead of into the machine's memory.
 */
#include "proto/message.h"

#include <errno.h>

#include "base/error.h"
#include "proto/message_codec.h"
#include "proto/wire.h"

struct codec {
	const char *name; /* NULL: no such type */
	const ProtobufCMessageDescriptor *descriptor;
	message_fill fill; /* NULL: no fields */
	message_read read;
};

#define CODEC(upper, camel, member)                                                                \
	[MESSAGE_##upper] = { #camel, &warmfork__v1__##member##__descriptor,                       \
			      message_fill_##member, message_read_##member },
#define CODEC_EMPTY(upper, camel, member)                                                          \
	[MESSAGE_##upper] = { #camel, &warmfork__v1__##member##__descriptor, NULL, NULL },

static const struct codec codecs[] = { MESSAGES_WITH_FIELDS(CODEC) MESSAGES_EMPTY(CODEC_EMPTY) };
#define N_CODECS (sizeof codecs / sizeof codecs[0])

static const struct codec *codec_find(unsigned type) {
	return type < N_CODECS && codecs[type].name ? &codecs[type] : NULL;
}

const char *message_name(uint16_t type) {
	const struct codec *codec = codec_find(type);

	return codec ? codec->name : "unknown";
}

int message_pack(const struct message *message, struct arena *arena, uint8_t *buffer,
		 size_t capacity, size_t *ret_size) {
	const struct codec *codec = codec_find(message->type);
	ProtobufCMessage *packed;
	size_t size;
	int r;

	must(codec);
	packed = arena_allocate(arena, codec->descriptor->sizeof_message);
	if (!packed)
		return error_origin(-ENOMEM);
	protobuf_c_message_init(codec->descriptor, packed);
	if (codec->fill) {
		r = codec->fill(message, packed, arena);
		if (r)
			return error_trace(r);
	}
	size = protobuf_c_message_get_packed_size(packed);
	if (size > capacity)
		return MESSAGE_E_TOO_LARGE;
	*ret_size = protobuf_c_message_pack(packed, buffer);
	return 0;
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
	(void)memory; /* goes with the arena */
}

static int unpack(const struct codec *codec, const uint8_t *body, size_t size, struct arena *arena,
		  struct message *ret) {
	struct unpacking unpacking = { .arena = arena };
	ProtobufCAllocator allocator = { unpacking_allocate, unpacking_free, &unpacking };
	ProtobufCMessage *message =
	    protobuf_c_message_unpack(codec->descriptor, &allocator, size, body);

	if (!message)
		return unpacking.full ? -ENOMEM : MESSAGE_E_MALFORMED;
	return codec->read ? codec->read(message, ret, arena) : 0;
}

/* No message within the limits needs as much as ARENA_MESSAGE: one that filled it was made to. So
 * its sender is to blame, and not our memory. */
int message_unpack(uint16_t type, const uint8_t *body, size_t size, struct arena *arena,
		   struct message *ret) {
	const struct codec *codec = codec_find(type);
	bool ample = arena->size - arena->used >= ARENA_MESSAGE;
	struct message message;
	int r;

	if (!codec || size > WIRE_BODY)
		return MESSAGE_E_MALFORMED;
	message.type = (enum message_type)type;
	r = unpack(codec, body, size, arena, &message);
	if (r == -ENOMEM)
		return ample ? MESSAGE_E_MALFORMED : error_origin(-ENOMEM);
	if (!r)
		*ret = message;
	return r;
}

int message_send(int socket, const struct message *message, struct arena *arena, uint8_t *buffer,
		 const int *fds, size_t n_fds, int flags) {
	size_t size = 0;
	int r;

	arena_reset(arena);
	r = message_pack(message, arena, buffer + WIRE_HEADER, WIRE_BODY, &size);
	if (r == MESSAGE_E_TOO_LARGE)
		return error_origin(-EMSGSIZE);
	if (r)
		return error_trace(r);
	return error_trace(
	    wire_send(socket, (uint16_t)message->type, buffer, size, fds, n_fds, flags));
}
