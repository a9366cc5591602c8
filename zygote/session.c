/* SPDX-License-Identifier: MIT
 *
 * Sends are blocking until the zygote serves; after that, what does not fit waits for room.
 */
#include "zygote/session.h"

#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "zygote/birth.h"

void session_end(struct session *session, enum log_level level, const char *why) {
	if (!session->ending)
		log_write(&session->log, level, "zygote of %s: %s: it ends", session->image.name,
			  why);
	session->ending = true;
	session->gave_up |= level == LOG_ERROR;
}

bool session_send(struct session *session, const struct message *message, const int *fds,
		  size_t n_fds) {
	const struct timespec retry = { .tv_nsec = SESSION_RETRY_MS * (long)NSEC_PER_MSEC };
	bool serving = session->state >= SESSION_SERVING;
	int r;

	for (;;) {
		r = message_send(ZYGOTE_CONTROL, message, &session->out, session->memory->out_frame,
				 fds, n_fds, serving ? MSG_DONTWAIT : 0);
		if (serving || (r != WIRE_E_AGAIN && r != WIRE_E_CROWDED))
			break;
		(void)nanosleep(&retry, NULL);
	}
	if (r == WIRE_E_AGAIN || r == WIRE_E_CROWDED) {
		session->blocked = true;
		return false;
	}
	if (r != 0)
		session_end(session, r == WIRE_E_EOF ? LOG_INFO : LOG_ERROR,
			    "cannot send to the executor");
	return true;
}

void session_flush(struct session *session) {
	if (!session->answering)
		return;
	if (!session_send(session, &session->answer, session->answer_fds, session->n_answer_fds))
		return;
	fd_close_all(session->answer_fds, session->n_answer_fds);
	session->n_answer_fds = 0;
	session->answering = false;
}

void session_answer(struct session *session) {
	session->answering = true;
	session_flush(session);
}
