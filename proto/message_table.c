/* SPDX-License-Identifier: MIT
 *
 * Packs and unpacks by table.
 */
#include "proto/message.h"

#include <errno.h>

#include "base/error.h"
#include "base/uninitialized.h"
#include "proto/message_codec.h"
#include "proto/packed.h"
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

static int read_fields(const void *source, void *ret, struct arena *arena) {
	struct message *message = ret;
	message_read read = codecs[message->type].read;

	return read ? read(source, message, arena) : 0;
}

int message_unpack(uint16_t type, const uint8_t *body, size_t size, struct arena *arena,
		   struct message *ret) {
	const struct codec *codec = codec_find(type);
	struct message message uninitialized;
	int r;

	if (!codec)
		return MESSAGE_E_MALFORMED;
	message.type = (enum message_type)type;
	r = packed_open(codec->descriptor, body, size, arena, read_fields, &message);
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
