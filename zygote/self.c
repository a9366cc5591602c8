/* SPDX-License-Identifier: MIT
 *
 * wf_init(): a program of kind "self" either runs normally, or has been started again to
 * be a zygote.
 *
 * The variable alone proves nothing: a child of the zygote, or of a worker, may have inherited it
 * from a program that never calls wf_init(). So there must be a SEQPACKET socket at the descriptor,
 * and a greeting must be waiting in it. From then on this process is a zygote: if it cannot be one
 * it ends, and never goes on to a main() that was not asked for.
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

#include "base/leave.h"
#include "proto/message.h"
#include "proto/wire.h"
#include "zygote/birth.h"
#include "zygote/image.h"
#include "zygote/zygote.h"

/* True if this process, a host or a zygote, has called wf_init(); executors check it. */
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

/* Called if this process is asked to be a zygote and cannot be one. Returning would run a
 * main() that was not asked for, so it ends; the executor quotes what was written to the
 * preload's output. */
_Noreturn static void refuse_to_serve(const char *why) {
	(void)fprintf(stderr, "warmfork: wf_init: this process cannot be a zygote: %s\n", why);
	(void)dprintf(ZYGOTE_OUTPUT, "wf_init: this process cannot be a zygote: %s\n", why);
	leave(2);
}

/* The nonce of the greeting that waits in the socket, or NULL if what waits there is
 * no greeting. */
static const char *greeting_nonce(const uint8_t *frame, size_t size) {
	static _Alignas(16) uint8_t memory[8192];
	static struct message message;
	struct arena arena;

	if (size < WIRE_HEADER || (frame[0] | frame[1] << 8) != MESSAGE_HELLO)
		return NULL;
	arena_init(&arena, memory, sizeof memory);
	if (message_unpack(MESSAGE_HELLO, frame + WIRE_HEADER, size - WIRE_HEADER, &arena,
			   &message) != 0)
		refuse_to_serve("the greeting of its executor cannot be read");
	return message.hello.nonce;
}

/* Waits for the greeting and leaves it in the socket. If the socket has ended, this is a zygote
 * whose executor has gone. */
static bool awaits_me(int fd, const char *nonce) {
	uint8_t frame[512];
	const char *greeted;
	ssize_t n;

	if (!is_control_socket(fd))
		return false;
	if (getauxval(AT_SECURE))
		refuse_to_serve("the program is set-uid or set-gid");
	do {
		n = recv(fd, frame, sizeof frame, MSG_PEEK);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		leave(0);
	if (n < 0)
		refuse_to_serve(strerrordesc_np(errno));
	greeted = greeting_nonce(frame, (size_t)n);
	if (greeted && strcmp(greeted, nonce) != 0)
		refuse_to_serve("the greeting in its socket is for another process");
	return greeted;
}

/* Copies the nonce and removes the variable. The keeper always puts the socket at descriptor 3. */
static bool take_variable(char nonce[LIMIT_NONCE]) {
	const char *value = getenv(ZYGOTE_VARIABLE);

	if (!value || strncmp(value, "3:", 2) != 0 || strlen(value + 2) != LIMIT_NONCE - 1)
		return false;
	memcpy(nonce, value + 2, LIMIT_NONCE);
	(void)unsetenv(ZYGOTE_VARIABLE);
	return true;
}

int wf_init(int argc, char **argv, const struct wf_module *module) {
	struct image image = { 0 };
	char nonce[LIMIT_NONCE], text[256];
	int r = image_set_module(&image, module, text, sizeof text);
	bool asked = take_variable(nonce);

	if (asked && awaits_me(ZYGOTE_CONTROL, nonce)) {
		if (r < 0)
			refuse_to_serve(text);
		self_ready = true;
		zygote_run_self(argc, argv, module, nonce);
	}
	/* There is no executor yet whose wf_last_error() could report it. */
	if (r < 0) {
		(void)fprintf(stderr, "warmfork: wf_init: %s\n", text);
		return -EINVAL;
	}
	self_ready = true;
	return 0;
}
