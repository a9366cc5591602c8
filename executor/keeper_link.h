/* SPDX-License-Identifier: MIT
 *
 * The keeper: starting it, talking to it, noticing that it is gone. What it says goes to whoever has
 * filled in the table of events.
 */
#pragma once

#include "base/process.h"
#include "executor/engine.h"
#include "proto/message.h"

struct generations;
struct keeper;

/* All are called under the lock. */
struct keeper_events {
	/* The zygote of a generation runs (its pidfd is the receiver's; -1: there was no descriptor
	 * for it), or could not be started: `error`, `step`. */
	void (*started)(struct keeper *keeper, uint64_t generation, pid_t pid, int pidfd_take,
			int error, const char *step);
	void (*exited)(struct keeper *keeper, uint64_t generation,
		       const struct exit_status *status);
	/* Of its workers these live on, as the keeper's children. */
	void (*kept)(struct keeper *keeper, uint64_t generation, const int32_t *pids, size_t n);
	void (*adopted_exited)(struct keeper *keeper, pid_t pid, const struct exit_status *status);
	void (*adopted_stopped)(struct keeper *keeper, pid_t pid, bool stopped);
	/* It has ended, or does not answer and was ended. */
	void (*lost)(struct keeper *keeper);
};

struct keeper {
	struct engine *engine;
	const struct keeper_events *events;
	struct generations *generations; /* whose zygotes and workers it has */

	pid_t pid;
	int pidfd;
	int guard; /* a pidfd of its parent, which ends after it */
	int control;
	uint64_t control_inode;     /* a host may close our descriptor and get its number again */
	struct source source;       /* the control socket */
	struct source death_source; /* the pidfd, once KeeperReady has brought it */
	struct source guard_source;
	bool running; /* it may be talked to; pidfd and guard are open until they have ended */
	bool quitting;
	const char *breach;  /* the message that it sent and may not; NULL */
	unsigned n_expected; /* answers: ZygoteStarted, Kept, reports of ends, its own end */
	struct timer reply_timer;
};

void keeper_init(struct keeper *keeper, struct engine *engine, const struct keeper_events *events,
		 struct generations *generations);

/* Starts the helper program. 0 or -errno; -ENOENT, -EACCES: there is no helper. */
int keeper_start(struct keeper *keeper);
/* `fds`: the zygote's control socket, its output, and for kind self the program. Borrowed. */
int keeper_start_zygote(struct keeper *keeper, const struct message_start_zygote *start,
			const int *fds, size_t n_fds);
void keeper_keep(struct keeper *keeper, uint64_t generation, const int32_t *pids, size_t n);
/* It owes a report, of an end that was seen here first: it comes in time, or the keeper is ended. */
void keeper_expect(struct keeper *keeper);
/* That report has come. */
void keeper_answered(struct keeper *keeper);
/* Everything ends, the keeper last. */
void keeper_quit(struct keeper *keeper);

/* Nothing of it is left, so that another may be started. */
bool keeper_is_gone(const struct keeper *keeper);
/* Has it ended, though we have not been told yet? Then so does everything below it. */
bool keeper_has_ended(const struct keeper *keeper);
/* Closes our end. */
void keeper_clear(struct keeper *keeper);

/* The helper's path: options, WARMFORK_HELPER (not in a set-uid program), the installed one. */
const char *keeper_helper(const struct options *options);
