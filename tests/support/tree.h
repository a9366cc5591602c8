/* SPDX-License-Identifier: MIT
 *
 * Who lives below a process, seen from outside through /proc, and the wait for their end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WATCH_MAX 512

/* Processes that are watched: a pidfd is their identity, so a pid that is used again cannot fool
 * it. */
struct watched {
	pid_t pid;
	int pidfd;     /* -1: it was gone when it was added */
	char name[32]; /* as in /proc/PID/comm, for messages */
};

struct watch {
	struct watched items[WATCH_MAX];
	size_t n;
};

/* False for a zombie, and for a process that is gone. */
bool process_is_alive(pid_t pid);

/* The parent of `pid`, or -1. */
pid_t process_parent(pid_t pid);

/* The state letter of /proc/PID/stat, or 0. */
char process_state(pid_t pid);

/* Adds one process; if it is gone already, that is remembered. */
void watch_add(struct watch *watch, pid_t pid);

/* Adds `root` and all that live and descend from it, by parent or by session. */
void watch_tree(struct watch *watch, pid_t root);

/* Adds the guard, the keeper, and all that descend from it. */
void watch_pool(struct watch *watch, pid_t keeper);

/* The number of watched processes that are neither zombies nor gone. */
size_t watch_alive(const struct watch *watch);

/* Waits for the event that the last of them ends. Returns how many live on after `cap_ms`. */
size_t watch_await_end(const struct watch *watch, int cap_ms);

/* Sends SIGKILL to each. */
void watch_kill(const struct watch *watch);

/* Forgets all of them. */
void watch_clear(struct watch *watch);

/* "PID name, PID name": those that live. A static buffer. */
const char *watch_describe(const struct watch *watch);
