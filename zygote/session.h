/* SPDX-License-Identifier: MIT
 *
 * What a zygote is to its executor: the image that it serves, its workers, and the
 * socket between them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/message.h"
#include "proto/wire.h"
#include "sandbox/trouble.h"
#include "zygote/audit.h"
#include "zygote/freeze.h"
#include "zygote/image.h"
#include "zygote/pace.h"
#include "zygote/sweep.h"
#include "zygote/table.h"

enum session_state {
	SESSION_EXPECTS_HELLO = 1 << 0,
	SESSION_EXPECTS_LOAD = 1 << 1,
	SESSION_SERVING = 1 << 2,
	SESSION_DRAINING = 1 << 3,
};

/* poll(2) cannot tell when ETOOMANYREFS is over. */
#define SESSION_RETRY_MS   2
#define SESSION_UNKILLABLE 64
#define SESSION_HINTS      16

/* Data for the zygote alone. Workers do not have it (MADV_DONTFORK) and touching it there raises
 * SIGSEGV. It is never frozen. */
struct session_memory {
	struct table table;
	/* Workers that have been reaped while something that may be theirs is still alive. */
	uint64_t unswept[LIMIT_WORKERS];
	/* Workers that have stopped or gone on, not reported yet; some may have ended since. */
	pid_t stops[LIMIT_WORKERS];
	/* Strangers that now run as another user. */
	pid_t unkillable[SESSION_UNKILLABLE];
	struct message_spawned_worker spawned[LIMIT_SPAWN_BATCH];
	struct touch_count touched;
	struct sweep sweep;
	uint8_t in_frame[LIMIT_FRAME], out_frame[LIMIT_FRAME];
	_Alignas(16) uint8_t in_memory[ARENA_MESSAGE], out_memory[ARENA_MESSAGE];
};

/* The outcome of loading. Answers borrow from it. */
struct session_load {
	/* Why the image is refused. */
	const char *step;
	int error;
	char text[LIMIT_TEXT];
	struct sandbox_trouble trouble;

	uint64_t preload_ns;
	struct audit audit;
	char freeze_note[LIMIT_TEXT]; /* why it is not frozen */
};

struct session {
	enum session_state state;
	bool ending;
	bool gave_up; /* it ended because of an error */
	bool blocked; /* the socket was full */
	int cells;    /* the memfd; -1 until Load */
	int signals;  /* signalfd of SIGCHLD; -1 until it serves */
	/* The nonce of the greeting that it awaits. One that is too long is kept too long, so it
	 * never matches. */
	char nonce[LIMIT_NONCE + 1];
	const struct wf_module *self; /* NULL if a module is to be loaded */
	struct log log;
	struct image image;
	struct freeze *freeze;
	uint64_t n_left_out; /* pages of the frozen image that were written to and became holes */
	unsigned n_forks;    /* since the last look at the image */
	unsigned n_freezes_spare; /* how often the image may still be frozen again */
	bool freeze_in_vain;      /* so many pages are written to that freezing again is useless */
	struct message_frozen frozen; /* to be sent with the next answer */
	struct session_memory *memory;
	struct arena in, out;
	const struct policy *policy; /* until the image is ready; NULL if there is no sandbox */
	struct arena policy_memory;

	pid_t hints[SESSION_HINTS]; /* children that a signal has named */
	size_t n_hints;
	bool look_is_due; /* all children have to be looked at */
	struct pace look_pace;
	size_t next_of_table; /* the next entry to look at */
	bool suspicious;      /* dead workers may have left something */
	struct pace strangers_pace;
	size_t n_unswept, n_unkillable, n_stops;
	uint32_t n_ended; /* processes that the sweep has ended since the last Swept */

	/* The answer to a request. No other request is read before it has been sent. */
	bool answering;
	struct message answer;
	int answer_fds[LIMIT_SPAWN_BATCH];
	size_t n_answer_fds;

	struct session_load load;
};

/* Returns true if the message was sent or can never be; false if it has to wait for room.
 * Borrows fds. */
bool session_send(struct session *session, const struct message *message, const int *fds,
		  size_t n_fds);
/* Sends session->answer if it is still waiting. */
void session_flush(struct session *session);
/* Sends session->answer now, or when there is room; closes answer_fds afterwards. */
void session_answer(struct session *session);
/* Ends everything below the zygote; then it exits. */
void session_end(struct session *session, enum log_level level, const char *why);
