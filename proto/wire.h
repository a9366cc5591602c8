/* SPDX-License-Identifier: MIT
 *
 * One frame out, one frame in, on a SOCK_SEQPACKET socket; descriptors travel with it (SCM_RIGHTS).
 * This layer knows nothing about messages.
 *
 * A frame is an 8-byte header (type, reserved 0, body length, little endian) and a body of at most
 * LIMIT_FRAME - 8 bytes. It needs the header because a zero-length frame reads as the end of the
 * stream, and a protobuf message with all defaults is packed into zero bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define WIRE_HEADER ((size_t)8)
#define WIRE_BODY   (LIMIT_FRAME - WIRE_HEADER)

enum wire_result {
	WIRE_E_AGAIN = 1, /* nothing to read, or no room to write: poll(2) tells when to repeat */
	WIRE_E_EOF = 2,   /* the peer has closed, or is gone (EPIPE, ECONNRESET) */
	WIRE_E_MALFORMED =
	    3, /* short, oversized, or a header that does not fit: drop the connection */
	/* The frame came without some of its descriptors, because our own table is full
	 * (MSG_CTRUNC). The body is valid. */
	WIRE_E_TRUNCATED = 4,
	/* Sending: too many descriptors of this user are in flight (ETOOMANYREFS), or no buffers
	 * (ENOBUFS). Receiving: no memory (ENOMEM). Nothing is lost; no event tells when to repeat:
	 * try again soon. */
	WIRE_E_CROWDED = 5,
};

/* SCM_MAX_FD of the kernel: there is room for as many as a peer can send. */
#define WIRE_DESCRIPTORS 253

struct wire_frame {
	uint16_t type;
	size_t size;         /* of the body */
	const uint8_t *body; /* in the buffer passed to wire_receive() */
	int descriptors[WIRE_DESCRIPTORS];
	size_t n_descriptors; /* owned by the receiver; more than LIMIT_FRAME_DESCRIPTORS come
			       * with a malformed frame alone */
	bool reset;           /* the peer has ended with unread frames of ours; always set */
};

/* Writes the header into `buffer` (whose body starts at WIRE_HEADER) and sends it all with `fds`
 * (borrowed; the kernel duplicates them). `flags`: MSG_DONTWAIT or 0. Never raises SIGPIPE. Returns
 * 0, WIRE_E_AGAIN, WIRE_E_CROWDED, WIRE_E_EOF or -errno. */
int wire_send(int socket, uint16_t type, uint8_t *buffer, size_t body_size, const int *fds,
	      size_t n_fds, int flags);

/* Receives one frame into `buffer` (LIMIT_FRAME bytes). Descriptors arrive close-on-exec. Returns
 * 0, a wire_result or -errno. Unless it returns 0 or WIRE_E_TRUNCATED there is no frame. Whatever
 * it returns, the receiver must close the descriptors that came: wire_frame_close(). None is closed
 * here, because to close what a stranger has sent may block. */
int wire_receive(int socket, uint8_t *buffer, int flags, struct wire_frame *ret);
/* Removes the next frame, which wire_receive() has read with MSG_PEEK, from the socket. */
void wire_discard(int socket);

/* closes the descriptors that have not been taken */
void wire_frame_close(struct wire_frame *frame);
