/* SPDX-License-Identifier: MIT
 *
 * The keeper: starting it, talking to it, noticing that it is gone. What it says goes to the table
 * of events.
 */
#pragma once

#include "base/fd.h"
#include "base/process.h"
#include "executor/engine.h"
#include "proto/message.h"

struct generations;
struct keeper;
struct start;

/* All are called under the lock. */
struct keeper_events {
	/* The zygote of a generation runs, or could not be started: `error`, `step`. The receiver
	 * owns its pidfd (-1: there was no descriptor for it). */
	void (*started)(struct keeper *keeper, uint64_t generation, pid_t pid, int pidfd_take,
			int error, const char *step);
	void (*exited)(struct keeper *keeper, uint64_t generation,
		       const struct exit_status *status);
	/* These of its workers live on, as the keeper's children. */
	void (*kept)(struct keeper *keeper, uint64_t generation, const int32_t *pids, size_t n);
	void (*adopted_exited)(struct keeper *keeper, pid_t pid, const struct exit_status *status);
	void (*adopted_stopped)(struct keeper *keeper, pid_t pid, bool stopped);
	/* It has ended, or did not answer and was ended. */
	void (*lost)(struct keeper *keeper);
};

struct keeper {
	struct engine *engine;
	const struct keeper_events *events;
	struct generations *generations; /* those it serves */

	pid_t pid;
	int pidfd;
	int guard; /* a pidfd of its parent, which ends after it */
	int control;
	struct fd_file control_file; /* the host may close our descriptor and reuse its number */
	struct source source;        /* the control socket */
	struct source death_source;  /* the pidfd, once KeeperReady has brought it */
	struct source guard_source;
	bool running; /* it can be talked to; pidfd and guard stay open until they have ended */
	struct start *start; /* its program is being started; NULL */
	int start_error;     /* why it was not; 0 */
	bool quitting;
	const char *breach; /* the message that it sent but must not send; NULL */
	bool silent;        /* it was ended because it did not answer */
	/* outstanding answers: ZygoteStarted, Kept, reports of ends, its own end */
	unsigned n_expected;
	struct timer reply_timer;
};

void keeper_init(struct keeper *keeper, struct engine *engine, const struct keeper_events *events,
		 struct generations *generations);

/* Has the helper program started, which the file system that it lies on may delay (offload.h). The
 * keeper can be written to at once; it is lost if the program cannot be started. Returns 0 or
 * -errno. */
int keeper_start(struct keeper *keeper);
/* `fds` (borrowed): the zygote's control socket, its output, and for kind self the program. */
int keeper_start_zygote(struct keeper *keeper, const struct message_start_zygote *start,
			const int *fds, size_t n_fds);
void keeper_keep(struct keeper *keeper, uint64_t generation, const int32_t *pids, size_t n);
/* It owes the report of an end that was seen here first. If the report is late, the keeper is
 * ended. */
void keeper_expect(struct keeper *keeper);
/* That report has come. */
void keeper_answered(struct keeper *keeper);
/* Everything below the keeper ends, then the keeper. */
void keeper_quit(struct keeper *keeper);

/* Is nothing of it left, so that another may be started? */
bool keeper_is_gone(const struct keeper *keeper);
/* Has it ended, though nothing has told us yet? Then everything below it is ending too. */
bool keeper_has_ended(const struct keeper *keeper);
/* Closes our end. */
void keeper_clear(struct keeper *keeper);

/* The path of the helper: from the options, WARMFORK_HELPER (not in a set-uid program), or the
 * installed one. */
const char *keeper_helper(const struct options *options);
