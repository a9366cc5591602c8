/* SPDX-License-Identifier: MIT
 *
 * A second toy module: tasks that block on descriptors, report their context, move large payloads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <pthread.h>

#include <warmfork/task.h>

#include "tests/support/toy_more.h"

/* --- the initializer and what it remembers --- */

static struct wf_worker_info worker;

static int initialize(const struct wf_worker_info *info) {
	worker = *info;
	return 0;
}

/* --- who and where --- */

static struct toy_where locate(const struct wf_call *call) {
	return (struct toy_where){
		.pid = getpid(),
		.slot = wf_call_slot(call),
		.initializer_slot = worker.slot,
		.worker_id = worker.worker_id,
		.task_number = wf_call_task_number(call),
	};
}

static int where(struct wf_call *call) {
	const struct toy_where place = locate(call);

	return wf_return(call, &place, sizeof place);
}

/* Pulls its cord (pool.h): says where it runs, and waits until it is let go or the cord is cut. */
static int gate(struct wf_call *call) {
	const struct toy_where place = locate(call);
	char byte;
	ssize_t r;

	if (dprintf(wf_call_descriptor(call, 0), "at %d %d %llu\n", (int)place.pid, place.slot,
		    (unsigned long long)place.worker_id) < 0)
		return wf_fail(call, errno, "cannot announce the start");
	do {
		r = read(wf_call_descriptor(call, 1), &byte, 1);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return wf_fail(call, errno, "cannot read the gate");
	return wf_return(call, &place, sizeof place);
}

/* Runs in its slot alone: a record lock on the byte of descriptor 0 that its slot names conflicts
 * with any other process that runs in that slot. */
static int alone(struct wf_call *call) {
	struct flock lock = { .l_type = F_WRLCK, .l_start = wf_call_slot(call), .l_len = 1 };

	if (fcntl(wf_call_descriptor(call, 0), F_SETLK, &lock) < 0)
		return wf_fail(call, errno, "slot %d is taken", wf_call_slot(call));
	for (int i = 0; i < 20; i++)
		sched_yield();
	return where(call);
}

/* Writes its input to descriptor 0. */
static int note(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	if (write(wf_call_descriptor(call, 0), input, size) != (ssize_t)size)
		return wf_fail(call, errno, "cannot note");
	return 0;
}

/* Ends its process with the signal that the input (an int) names. */
static int die(struct wf_call *call) {
	size_t size;
	const int *number = wf_call_input(call, &size);

	if (size != sizeof *number)
		return wf_fail(call, EINVAL, "die wants an int");
	signal(*number, SIG_DFL);
	kill(getpid(), *number);
	return wf_fail(call, *number, "still alive");
}

/* Exits with the status that the input (an int) names. */
static int leave(struct wf_call *call) {
	size_t size;
	const int *status = wf_call_input(call, &size);

	if (size != sizeof *status)
		return wf_fail(call, EINVAL, "leave wants an int");
	_exit(*status);
}

/* Like die, but returns if the input is 0. */
static int maybe_die(struct wf_call *call) {
	size_t size;
	const int *number = wf_call_input(call, &size);

	return size == sizeof *number && *number == 0 ? 0 : die(call);
}

static int echo(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	return wf_return(call, input, size);
}

/* Fails with the code that the input (an int) names; with 0 it returns. */
static int fail(struct wf_call *call) {
	size_t size;
	const int *code = wf_call_input(call, &size);

	if (size != sizeof *code)
		return wf_fail(call, EINVAL, "fail wants an int");
	return *code ? wf_fail(call, *code, "failed with %d", *code) : 0;
}

/* --- payloads --- */

static int digest(struct wf_call *call) {
	struct toy_digest result;
	const void *input = wf_call_input(call, &result.size);

	result.hash = toy_hash(input, result.size);
	return wf_return(call, &result, sizeof result);
}

static int fill(struct wf_call *call) {
	size_t size;
	const struct toy_fill *wish = wf_call_input(call, &size);
	void *data;

	if (size != sizeof *wish)
		return wf_fail(call, EINVAL, "fill wants a struct toy_fill");
	data = wf_return_buffer(call, wish->size);
	if (!data)
		return wf_fail(call, errno, "no buffer of %zu bytes", wish->size);
	toy_pattern(data, wish->size, wish->seed);
	return 0;
}

/* Grows the worker's private memory by the bytes that the input (a size_t) names. */
static int grow(struct wf_call *call) {
	size_t size;
	const size_t *bytes = wf_call_input(call, &size);
	char *memory;

	if (size != sizeof *bytes)
		return wf_fail(call, EINVAL, "grow wants a size_t");
	memory = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return wf_fail(call, errno, "no memory");
	memset(memory, 'g', *bytes);
	return where(call);
}

/* --- the context --- */

static int get_environment(struct wf_call *call) {
	size_t size;
	const char *name = wf_call_input(call, &size);
	char copy[128];
	const char *value;

	if (size >= sizeof copy)
		return wf_fail(call, EINVAL, "the name is too long");
	memcpy(copy, name, size);
	copy[size] = '\0';
	value = getenv(copy);
	if (!value)
		return wf_fail(call, ENOENT, "%s is not set", copy);
	return wf_return(call, value, strlen(value));
}

static int count_environment(struct wf_call *call) {
	int n = 0;

	while (environ && environ[n])
		n++;
	return wf_return(call, &n, sizeof n);
}

static int directory(struct wf_call *call) {
	char path[4096];

	if (!getcwd(path, sizeof path))
		return wf_fail(call, errno, "no working directory");
	return wf_return(call, path, strlen(path));
}

static int get_umask(struct wf_call *call) {
	mode_t mask = umask(0);

	umask(mask);
	return wf_return(call, &mask, sizeof mask);
}

static int get_nice(struct wf_call *call) {
	int nice_now = getpriority(PRIO_PROCESS, 0);

	return wf_return(call, &nice_now, sizeof nice_now);
}

static int get_rlimit(struct wf_call *call) {
	size_t size;
	const int *resource = wf_call_input(call, &size);
	struct rlimit limit;

	if (size != sizeof *resource ||
	    prlimit(0, (enum __rlimit_resource) * resource, NULL, &limit) < 0)
		return wf_fail(call, errno, "no such limit");
	return wf_return(call, &limit, sizeof limit);
}

static int get_cpus(struct wf_call *call) {
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return wf_fail(call, errno, "no affinity");
	return wf_return(call, &set, sizeof set);
}

/* Reads each of its descriptors to the end, in order; they are pipes or files. */
static int read_descriptors(struct wf_call *call) {
	char text[4096];
	size_t used = 0;

	for (size_t i = 0; wf_call_descriptor(call, i) >= 0; i++) {
		ssize_t r;

		while ((r = read(wf_call_descriptor(call, i), text + used, sizeof text - used)) > 0)
			used += (size_t)r;
		if (r < 0)
			return wf_fail(call, errno, "cannot read descriptor %zu", i);
	}
	return wf_return(call, text, used);
}

static int count_descriptors(struct wf_call *call) {
	int n = 0;

	for (int fd = 3; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return wf_return(call, &n, sizeof n);
}

/* Answers the next number of the C library's generator. */
static int draw(struct wf_call *call) {
	const long drawn = random();

	return wf_return(call, &drawn, sizeof drawn);
}

static int copy_input(struct wf_call *call) {
	char text[4096];
	ssize_t r = read(STDIN_FILENO, text, sizeof text);

	if (r < 0)
		return wf_fail(call, errno, "cannot read standard input");
	return wf_return(call, text, (size_t)r);
}

/* --- preload variants, chosen by the argument --- */

static void *thread_main(void *argument) {
	(void)argument;
	for (;;)
		pause();
	return NULL;
}

static int leave_thread(void) {
	pthread_t thread;

	return pthread_create(&thread, NULL, thread_main, NULL);
}

static int leave_descriptor(void) {
	return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0;
}

static int leave_lock(void) {
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return fd < 0 || flock(fd, LOCK_SH) < 0;
}

static int leave_timer(void) {
	const struct itimerval hour = { .it_value = { .tv_sec = 3600 } };

	return setitimer(ITIMER_REAL, &hour, NULL);
}

static int leave_signal(void) {
	return signal(SIGUSR1, SIG_IGN) == SIG_ERR;
}

static int leave_child(void) {
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid < 0;
}

static int give_up(void) {
	fprintf(stderr, "the dictionary is missing\n");
	return 3;
}

static int crash(void) {
	printf("about to crash\n");
	fflush(stdout);
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), SIGSEGV);
	return 1;
}

static int leave_early(void) {
	printf("leaving early\n");
	fflush(stdout);
	_exit(7);
}

static int hang(void) {
	sigset_t all;

	printf("looking for the dictionary\n");
	fflush(stdout);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;)
		pause();
	return 1;
}

static int chat(void) {
	printf("hello from the preload\n");
	fflush(stdout);
	fprintf(stderr, "and from its stderr\n");
	return 0;
}

static int preload(const struct wf_preload_info *info) {
	static const struct {
		const char *name;
		int (*run)(void);
	} variants[] = {
		{ "fail", give_up },
		{ "crash", crash },
		{ "exit", leave_early },
		{ "hang", hang },
		{ "chat", chat },
		{ "thread", leave_thread },
		{ "descriptor", leave_descriptor },
		{ "lock", leave_lock },
		{ "timer", leave_timer },
		{ "signal", leave_signal },
		{ "child", leave_child },
	};

	for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
		size_t length = strlen(variants[i].name);

		if (info->argument_size == length &&
		    memcmp(info->argument, variants[i].name, length) == 0)
			return variants[i].run();
	}
	return 0;
}

/* How many bytes behind its input, up to the end of their page, are not zero. */
static int count_behind(struct wf_call *call) {
	size_t size;
	const char *input = wf_call_input(call, &size);
	uint64_t n = 0;

	for (const char *c = input + size; (uintptr_t)c % 4096 != 0; c++)
		n += *c != 0;
	return wf_return(call, &n, sizeof n);
}

WF_MODULE(.preload = preload, .initialize = initialize,
	  .functions = WF_FUNCTIONS(
	      { "where", where }, { "gate", gate }, { "alone", alone }, { "note", note },
	      { "die", die }, { "leave", leave }, { "maybe_die", maybe_die }, { "echo", echo },
	      { "fail", fail }, { "digest", digest }, { "fill", fill }, { "grow", grow },
	      { "environment", get_environment }, { "count_environment", count_environment },
	      { "directory", directory }, { "umask", get_umask }, { "nice", get_nice },
	      { "rlimit", get_rlimit }, { "cpus", get_cpus },
	      { "read_descriptors", read_descriptors }, { "count_descriptors", count_descriptors },
	      { "copy_input", copy_input }, { "random", draw }, { "count_behind", count_behind }));
