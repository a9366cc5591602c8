/* SPDX-License-Identifier: MIT
 *
 * The system calls of x86-64, each with the group of a policy that allows it, what a refusal answers,
 * and how its arguments are told to people.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a policy allows together. CALLS_BASE is what every worker has; CALLS_NEVER cannot be allowed. */
enum call_group {
	CALLS_BASE, /* memory, time, own signals, waiting, reading and writing what is open, ending */
	CALLS_FILES,      /* opening, looking up, making, changing and removing files; pipes */
	CALLS_PROCESSES,  /* fork, exec, wait, process groups, signals to processes */
	CALLS_THREADS,    /* threads of the same process */
	CALLS_SOCKETS,    /* sockets; which families is another rule */
	CALLS_EVENTS,     /* epoll, eventfd, timerfd, signalfd */
	CALLS_INOTIFY,    /* of which all processes of a user share a small number */
	CALLS_SCHEDULING, /* priorities and affinity, of the caller itself */
	CALLS_IPC,        /* System V IPC and POSIX message queues */
	CALLS_DEBUG,      /* ptrace, reading and writing other processes */
	CALLS_JIT,        /* memory that is executed after it was written: mmap, mprotect */
	CALLS_SANITIZER,  /* what AddressSanitizer and its like need beyond */
	CALLS_PRIVILEGED, /* of the administrator: mounts, namespaces, modules, clocks, quotas */
	CALLS_NEVER,      /* of no use here, and large attack surface */
	N_CALL_GROUPS,
};

/* How an argument is told. */
enum call_argument {
	ARGUMENT_NONE = 0,
	ARGUMENT_NUMBER,
	ARGUMENT_HEX, /* flags that have no decoder, addresses */
	ARGUMENT_FD,
	ARGUMENT_DIRECTORY_FD, /* the next argument's path is relative to it; AT_FDCWD */
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
	int error; /* what a refusal answers: ENOSYS for what runtimes probe, else EPERM */
	uint8_t arguments[CALL_ARGUMENTS]; /* enum call_argument */
};

/* NULL: unknown. */
const struct call *call_by_number(uint32_t number);
const struct call *call_by_name(const char *name);

/* Does it change what a file says of itself: mode, owner, times? Landlock knows no right for that; where there is no
 * view that is read-only but for declared writes, nothing else stops it. */
bool call_changes_metadata(int number);

/* The whole table, by number. */
const struct call *call_table(size_t *ret_n);

/* "files"; static. */
const char *call_group_name(enum call_group group);
/* -ENOENT. */
int call_group_find(const char *name);
