/* SPDX-License-Identifier: MIT
 *
 * Processes, held by pidfd: a pid may belong to another process by the time it is used.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* How a process ended or changed, as waitid(2) reports it. */
struct exit_status {
	bool exited; /* otherwise a signal ended it */
	int code;
	int signal;
	bool core;
	uint64_t cpu_ns;   /* user + system, with the children it waited for */
	uint64_t peak_rss; /* bytes */
};

static inline bool exit_status_is_kill(const struct exit_status *status) {
	return !status->exited && status->signal == SIGKILL;
}

/* pidfd_open(2). Returns a descriptor or -errno. */
int process_open(pid_t pid);
/* pidfd_send_signal(2). Returns 0, or -errno (-ESRCH: it has been reaped). */
int process_signal(int pidfd, int signal);
/* The same for the process group that it leads: by the pidfd where the kernel supports it (6.9),
 * and otherwise by number, or not at all if `pid` is 0 (-EINVAL). */
int process_signal_group(int pidfd, pid_t pid, int signal);
/* Has it ended (reaped or not)? Does not block. */
bool process_has_ended(int pidfd);
/* Is it a pidfd, and of this process? Without /proc, only the former is known. A process that has
 * been reaped has no number any more, and may be any. */
bool process_is(int pidfd, pid_t pid);
/* Waits up to `timeout_ms` (-1: forever) for its end, without reaping. Returns 0, -ETIMEDOUT or
 * -errno. */
int process_await_end(int pidfd, int timeout_ms);

/* Reaps a child that has ended or will end, with waitid(P_PID, pid, WEXITED): blocks, and fills in
 * *ret (may be NULL). Returns -ECHILD if it is not, or no longer, our child. */
int process_reap(pid_t pid, struct exit_status *ret);

/* The current children of this (single-threaded) process, from /proc/self/task/TID/children, or
 * else by scanning /proc for processes with our pid as their parent. Fills in at most `n`; returns
 * how many there are (which may exceed `n`), or -errno. Allocates nothing. */
int process_children(pid_t *pids, size_t n);
/* The same from such a file that has been opened before. */
int process_children_from(int fd, pid_t *pids, size_t n);

/* The number after a key of /proc/PID/status ("Tgid:"); pid 0: of this process. Returns 0 if it
 * cannot be read. */
uint64_t process_status(pid_t pid, const char *key);

/* The same for a set of signals ("SigIgn:"), which is hexadecimal. */
uint64_t process_signals(pid_t pid, const char *key);

/* The process itself, or that of its ancestors, whose parent is one of `roots` or the first process
 * of all; 0: there is none within `most` generations, or it has ended. An ancestor that ends while
 * that takes leaves its number to another process, so the search begins anew. */
pid_t process_climb(pid_t start, const pid_t *roots, size_t n_roots, size_t most);

/* Set what ps shows: the thread name (15 bytes) and, if process_title_init() saw argv, the command
 * line. */
void process_title_init(int argc, char **argv);
void process_title(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Sets `before`, the number, `after`, without stdio: in a fresh worker each page of code that is
 * used costs a fault. */
void process_title_numbered(const char *before, unsigned number, const char *after);

/* For an end as waitid(2) reports it. */
void exit_status_fill(struct exit_status *status, const siginfo_t *info,
		      const struct rusage *usage);
void exit_status_from_rusage(struct exit_status *status, const struct rusage *usage);
