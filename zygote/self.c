/* SPDX-License-Identifier: MIT
 *
 * wf_init(): a program of kind "self" is itself, or has been started again to be a zygote.
 *
 * The variable alone proves nothing: a child of the zygote's, or of a worker's, may have inherited
 * it from a program that never calls wf_init(). So there must be a SEQPACKET socket at the
 * descriptor, and the greeting that waits in it must have the nonce.
 */
#include "proto/self.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>

#include <warmfork/task.h>

#include "proto/message.h"
#include "proto/wire.h"
#include "zygote/birth.h"
#include "zygote/image.h"
#include "zygote/leave.h"
#include "zygote/zygote.h"

static bool self_ready;

bool self_is_ready(void) {
	return self_ready;
}

static bool is_control_socket(int fd) {
	int domain = 0, type = 0;
	socklen_t size = sizeof domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return false;
	size = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX &&
	       type == SOCK_SEQPACKET;
}

static bool is_greeting(const uint8_t *frame, size_t size, const char *nonce) {
	static _Alignas(16) uint8_t memory[8192];
	struct message message;
	struct arena arena;

	if (size < WIRE_HEADER || (frame[0] | frame[1] << 8) != MESSAGE_HELLO)
		return false;
	arena_init(&arena, memory, sizeof memory);
	return message_unpack(MESSAGE_HELLO, frame + WIRE_HEADER, size - WIRE_HEADER, &arena,
			      &message) == 0 &&
	       strcmp(message.hello.nonce, nonce) == 0;
}

/* Waits for the greeting and leaves it in the socket. A socket that has ended is that of a zygote
 * whose executor has gone: it must not go on as the program, whose main() nobody has asked for. */
static bool awaits_me(int fd, const char *nonce) {
	uint8_t frame[512];
	ssize_t n;

	if (!is_control_socket(fd))
		return false;
	do {
		n = recv(fd, frame, sizeof frame, MSG_PEEK);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		leave(0);
	return n > 0 && is_greeting(frame, (size_t)n, nonce);
}

int wf_init(int argc, char **argv, const struct wf_module *module) {
	const char *value = getenv(ZYGOTE_VARIABLE);
	struct image image = { 0 };
	char nonce[LIMIT_NONCE], text[256];

	/* There is no executor yet whose wf_last_error() could tell it. */
	if (image_set_module(&image, module, text, sizeof text) < 0) {
		(void)fprintf(stderr, "warmfork: wf_init: %s\n", text);
		return -EINVAL;
	}
	self_ready = true;
	if (!value)
		return 0;
	/* The only descriptor at which a keeper puts it. */
	if (strncmp(value, "3:", 2) != 0 || strlen(value + 2) != sizeof nonce - 1)
		return 0;
	memcpy(nonce, value + 2, sizeof nonce);
	(void)unsetenv(ZYGOTE_VARIABLE);
	if (getauxval(AT_SECURE))
		return -EPERM;
	if (awaits_me(ZYGOTE_CONTROL, nonce))
		zygote_run_self(argc, argv, module, nonce);
	return 0;
}
