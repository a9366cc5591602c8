/* SPDX-License-Identifier: MIT
 *
 * Frames on a SOCK_SEQPACKET socket. One sendmsg(2) is one frame with its descriptors, whole or not
 * at all, so there is no state to keep between calls and nothing to resynchronise. On the way in,
 * descriptors are collected before anything else is checked: whatever is wrong with the frame,
 * those that the kernel has put into our table must be closed by the receiver, or a peer could fill
 * it.
 */
#include "proto/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"

/* There is room for as many descriptors as a peer can send, so that too many can be told from our
 * own table being full, and for credentials, in case SO_PASSCRED has been set. */
#define CONTROL_ROOM (CMSG_SPACE(WIRE_DESCRIPTORS * sizeof(int)) + CMSG_SPACE(64))

static void header_write(uint8_t *header, uint16_t type, size_t size) {
	header[0] = (uint8_t)type;
	header[1] = (uint8_t)(type >> 8);
	header[2] = header[3] = 0;
	for (unsigned i = 0; i < 4; i++)
		header[4 + i] = (uint8_t)(size >> (8 * i));
}

static int header_read(const uint8_t *header, size_t received, struct wire_frame *ret) {
	uint32_t size = 0;

	if (received < WIRE_HEADER)
		return WIRE_E_MALFORMED;
	for (unsigned i = 0; i < 4; i++)
		size |= (uint32_t)header[4 + i] << (8 * i);
	if (header[2] || header[3] || size != received - WIRE_HEADER)
		return WIRE_E_MALFORMED;
	ret->type = (uint16_t)(header[0] | header[1] << 8);
	ret->size = size;
	ret->body = header + WIRE_HEADER;
	return 0;
}

/* Tells which errors of the socket are waits and which are its end. ETOOMANYREFS: more descriptors
 * are in flight than RLIMIT_NOFILE allows this user; that changes when their receivers read. */
static int socket_error(int error) {
	switch (error) {
	case EAGAIN:
		return WIRE_E_AGAIN;
	case ETOOMANYREFS:
	case ENOBUFS:
		return WIRE_E_CROWDED;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return WIRE_E_EOF;
	default:
		return error_origin(-error);
	}
}

int wire_send(int socket, uint16_t type, uint8_t *buffer, size_t body_size, const int *fds,
	      size_t n_fds, int flags) {
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(LIMIT_FRAME_DESCRIPTORS * sizeof(int))];
	} control uninitialized;
	struct iovec part = { .iov_base = buffer, .iov_len = WIRE_HEADER + body_size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (body_size > WIRE_BODY || n_fds > LIMIT_FRAME_DESCRIPTORS)
		return error_origin(-EMSGSIZE);
	header_write(buffer, type, body_size);
	if (n_fds) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	do {
		/* the same, with less to copy */
		n = n_fds ? sendmsg(socket, &message, flags | MSG_NOSIGNAL)
			  : send(socket, buffer, part.iov_len, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? socket_error(errno) : 0;
}

static void take_rights(struct cmsghdr *header, struct wire_frame *frame) {
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	if (n > WIRE_DESCRIPTORS - frame->n_descriptors)
		n = WIRE_DESCRIPTORS - frame->n_descriptors; /* the kernel sends no more */
	memcpy(frame->descriptors + frame->n_descriptors, CMSG_DATA(header), n * sizeof(int));
	frame->n_descriptors += n;
}

static void take_descriptors(struct msghdr *message, struct wire_frame *frame) {
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
			take_rights(header, frame);
}

static int frame_check(const struct msghdr *message, const uint8_t *buffer, size_t received,
		       struct wire_frame *frame) {
	int r;

	if (received == 0)
		return WIRE_E_EOF;
	if (message->msg_flags & MSG_TRUNC || frame->n_descriptors > LIMIT_FRAME_DESCRIPTORS)
		return WIRE_E_MALFORMED;
	r = header_read(buffer, received, frame);
	if (r)
		return r;
	return message->msg_flags & MSG_CTRUNC ? WIRE_E_TRUNCATED : 0;
}

int wire_receive(int socket, uint8_t *buffer, int flags, struct wire_frame *ret) {
	union {
		struct cmsghdr header;
		char room[CONTROL_ROOM];
	} control uninitialized;
	struct iovec part = { .iov_base = buffer, .iov_len = LIMIT_FRAME };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control };
	ssize_t n;

	ret->n_descriptors = 0;
	ret->reset = false;
	/* A peer that dies without reading all our frames leaves ECONNRESET. It is reported once
	 * and before the frames that the peer had sent, which still count. */
	for (;;) {
		message.msg_controllen = sizeof control;
		n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
		if (n >= 0 || (errno != EINTR && (errno != ECONNRESET || ret->reset)))
			break;
		ret->reset = ret->reset || errno == ECONNRESET;
	}
	if (n < 0)
		return errno == ENOMEM ? WIRE_E_CROWDED : socket_error(errno);
	take_descriptors(&message, ret);
	return frame_check(&message, buffer, (size_t)n, ret);
}

/* Whatever does not fit is dropped (SOCK_SEQPACKET), including descriptors without room. Uses
 * recvmsg(2), the only receiving call that a sandboxed worker has. */
void wire_discard(int socket) {
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = sizeof byte };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	do {
		n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
}

void wire_frame_close(struct wire_frame *frame) {
	fd_close_all(frame->descriptors, frame->n_descriptors);
	frame->n_descriptors = 0;
}
