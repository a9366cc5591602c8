/* SPDX-License-Identifier: MIT
 *
 * The system calls of x86-64. Each has the group of a policy that allows it, the error of a
 * refusal, and the form in which its arguments are printed.
 */
#pragma once

/* Requests of ioctl(2), of <asm/ioctls.h>, that change a terminal. From the background they are
 * refused (executor/terminal.h). */
#define TERMINAL_REQUESTS                                                                          \
	0x5402 /* TCSETS */, 0x5403 /* TCSETSW */, 0x5404 /* TCSETSF */, 0x5409 /* TCSBRK */,      \
	    0x540b /* TCFLSH */, 0x5410 /* TIOCSPGRP */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls that a policy allows together. Every worker has CALLS_BASE; CALLS_NEVER cannot be
 * allowed. */
enum call_group {
	CALLS_BASE,       /* memory, time, own signals, waiting, I/O on open descriptors, exiting */
	CALLS_FILES,      /* opening, looking up, creating, changing and removing files; pipes */
	CALLS_PROCESSES,  /* fork, exec, wait, process groups, signals to processes */
	CALLS_THREADS,    /* threads of the same process */
	CALLS_SOCKETS,    /* sockets; another rule decides which families */
	CALLS_EVENTS,     /* epoll, eventfd, timerfd, signalfd */
	CALLS_INOTIFY,    /* all processes of a user share a small number of these */
	CALLS_SCHEDULING, /* the caller's own priority and affinity */
	CALLS_IPC,        /* System V IPC and POSIX message queues */
	CALLS_DEBUG,      /* ptrace, reading and writing other processes */
	CALLS_JIT,        /* memory that is executed after it has been written: mmap, mprotect */
	CALLS_SANITIZER,  /* what AddressSanitizer and similar tools need in addition */
	CALLS_PRIVILEGED, /* for administrators: mounts, namespaces, modules, clocks, quotas */
	CALLS_NEVER,      /* useless here, with a large attack surface */
	N_CALL_GROUPS,
};

/* How an argument is printed. */
enum call_argument {
	ARGUMENT_NONE = 0,
	ARGUMENT_NUMBER,
	ARGUMENT_HEX, /* addresses, and flags without a decoder */
	ARGUMENT_FD,
	ARGUMENT_DIRECTORY_FD, /* the path in the next argument is relative to it; AT_FDCWD */
	ARGUMENT_PATH,         /* a string in the caller's memory */
	ARGUMENT_OPEN_FLAGS,
	ARGUMENT_MODE, /* octal */
	ARGUMENT_FAMILY,
	ARGUMENT_SOCKET_TYPE,
	ARGUMENT_CLONE_FLAGS,
	ARGUMENT_SIGNAL,
	ARGUMENT_REQUEST, /* of ioctl, prctl, ptrace ...: a number in hexadecimal */
};

#define CALL_ARGUMENTS 6

struct call {
	uint16_t number;
	const char *name;
	enum call_group group;
	int error; /* the error of a refusal: ENOSYS for calls that runtimes probe, else EPERM */
	uint8_t arguments[CALL_ARGUMENTS]; /* enum call_argument */
};

/* NULL: no such call. */
const struct call *call_by_number(uint32_t number);
const struct call *call_by_name(const char *name);

/* Does it change the metadata of a file: mode, owner, times? Landlock has no right for that, so
 * nothing else stops it unless a view is read-only except for declared writes. */
bool call_changes_metadata(int number);

/* The whole table, ordered by number. */
const struct call *call_table(size_t *ret_n);

/* Returns a static string such as "files". */
const char *call_group_name(enum call_group group);
/* Returns an enum call_group, or -ENOENT. */
int call_group_find(const char *name);
