/* SPDX-License-Identifier: MIT
 *
 * Processes, held by pidfd: a number can be somebody else by the time it is used.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* How a process ended or changed, as waitid(2) tells it. */
struct exit_status {
	bool exited; /* else a signal */
	int code;
	int signal;
	bool core;
	uint64_t cpu_ns;   /* user + system, with the children it waited for */
	uint64_t peak_rss; /* bytes */
};

static inline bool exit_status_is_kill(const struct exit_status *status) {
	return !status->exited && status->signal == SIGKILL;
}

/* pidfd_open(2). -errno. */
int process_open(pid_t pid);
/* pidfd_send_signal(2). 0, or -errno (-ESRCH: it has been reaped). */
int process_signal(int pidfd, int signal);
/* The same to its process group, of which it is the leader: by the pidfd where the kernel can (6.9). */
int process_signal_group(int pidfd, pid_t pid, int signal);
/* Has it ended (reaped or not)? Does not block. */
bool process_has_ended(int pidfd);
/* Waits up to timeout_ms (-1: for ever) for its end, without reaping. 0, -ETIMEDOUT, -errno. */
int process_await_end(int pidfd, int timeout_ms);

/* waitid(P_PID, pid, WEXITED) on a child that is known to have ended or will: blocks, reaps, fills
 * *ret (may be NULL). -ECHILD if it is not (or no longer) our child. */
int process_reap(pid_t pid, struct exit_status *ret);

/* The children of this (single-threaded) process now, from /proc/self/task/TID/children, else by
 * scanning /proc for our pid as parent. Fills at most `n`; returns how many there are (may exceed
 * n), or -errno. Allocates nothing. */
int process_children(pid_t *pids, size_t n);
/* The same from a file of that kind that was opened before. */
int process_children_from(int fd, pid_t *pids, size_t n);

/* The number behind a key of /proc/PID/status ("Tgid:"); pid 0: of this process. 0 if it cannot be had. */
uint64_t process_status(pid_t pid, const char *key);

/* Sets what ps shows: the thread name (15 bytes) and, if process_title_init() saw argv, the command
 * line. */
void process_title_init(int argc, char **argv);
void process_title(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* `before`, the number, `after`, without stdio: in a fresh worker each page of code that is used costs a
 * fault. */
void process_title_numbered(const char *before, unsigned number, const char *after);

/* Of an end that waitid(2) tells. */
void exit_status_fill(struct exit_status *status, const siginfo_t *info,
		      const struct rusage *usage);
void exit_status_from_rusage(struct exit_status *status, const struct rusage *usage);
