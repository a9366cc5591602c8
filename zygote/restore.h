/* SPDX-License-Identifier: MIT
 *
 * Puts back what a task changed, in a worker that is to run another one.
 */
#pragma once

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The kernel's; 32 and 33 belong to the C library. */
#define RESTORE_SIGNALS  64
#define RESTORE_CHILDREN 256
/* ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF: the kernel's numbers are 0, 1 and 2. */
#define RESTORE_INTERVALS 3

/* What one read of /proc/self/status gives. */
struct restore_status {
	unsigned long threads;
	uint64_t ignored, caught; /* bit n-1 for signal n */
	uint64_t identity;        /* a hash of the lines about identity and privileges */
};

/* State that is cheap to read and cannot be put back. */
struct restore_manner {
	int reaps;  /* is it a subreaper? */
	int policy; /* sched_getscheduler(2) */
	int nice;
	int personality;
};

struct restore_library {
	int stdio[3]; /* descriptors of stdin, stdout, stderr; -1: closed */
	char locale[1024];
};

struct restore_children {
	pid_t pids[RESTORE_CHILDREN];
	size_t n;
};

/* The environment as one block: the vector, then its strings. There are two, `live` and `pristine`;
 * the pointers of both vectors point into the live one. */
struct restore_environment {
	char **live;
	void *pristine;
	size_t size;
};

struct restore {
	int streams[3]; /* -1 if it was closed */
	int directory;
	int status, timers; /* open files of /proc/self; timers -1: the kernel has none */
	int children_file;  /* -1 if it is opened at each look */
	bool opened;        /* by restore_open() */
	int lowest;         /* the first number that was free */
	mode_t umask;
	char name[16]; /* of the thread, as ps shows it */
	stack_t stack; /* for signal handlers */
	struct restore_manner manner;
	struct restore_library library;
	size_t n_timers; /* bytes in that file */
	cpu_set_t cpus;
	sigset_t mask;
	bool interval[RESTORE_INTERVALS]; /* of setitimer(2), running */
	struct rlimit limits[RLIM_NLIMITS];
	struct restore_status before;
	struct sigaction actions[RESTORE_SIGNALS + 1];
	struct restore_children children; /* of the initializer, which stay */
	struct restore_environment environment;
};

/* For a sandbox: opens what is needed to inspect this process, while /proc is certain to
 * be there. */
void restore_open(struct restore *restore);
/* For a sandbox, in its view before that is closed: opens the directory, and the list of children
 * by their numbers there. */
void restore_open_view(struct restore *restore);

/* Records the present state, which the next tasks are to find. Returns 0 or -errno. */
int restore_snapshot(struct restore *restore);

/* Ends what the task left running and puts the rest back. Returns NULL, or a sentence why
 * it cannot. */
const char *restore_apply(struct restore *restore);
/* Does the same after a task that made no system call. */
const char *restore_memory(struct restore *restore);
