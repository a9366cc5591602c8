/* SPDX-License-Identifier: MIT
 *
 * The image of the benchmark: as large and as slow to load as it is asked to be, and tasks that do
 * nothing, or one thing that can go wrong.
 */
#include "image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <warmfork/task.h>

#define CACHE_LINE 64

/* Volatile, or the compiler sees that nobody ever reads it, and saves itself the work. */
static char *volatile data;
static volatile uint64_t sink;

/* CPU time, not wall time: a busy machine must not make the preload look cheaper. */
static int64_t cpu_ns(void) {
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int load(const struct wf_preload_info *info) {
	struct image_request request = { 0 };
	int64_t start = cpu_ns();

	if (info->argument_size == sizeof request)
		memcpy(&request, info->argument, sizeof request);
	if (request.bytes > 0) {
		data = malloc(request.bytes);
		if (!data)
			return 1;
		memset(data, 0x5a, request.bytes);
	}
	while (cpu_ns() - start < (int64_t)request.cpu_ms * 1000000)
		;
	return 0;
}

/* Gives its input back. */
static int echo(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	return wf_return(call, input, size);
}

/* Reads a word of each cache line of its input. */
static int read_all(struct wf_call *call) {
	uint64_t sum = 0;
	size_t size;
	const char *input = wf_call_input(call, &size);

	for (size_t i = 0; i < size; i += CACHE_LINE)
		sum += *(const uint64_t *)(const void *)(input + i);
	sink = sum;
	return 0;
}

/* Writes the time into the memory that came with it, and crashes. */
static int crash(struct wf_call *call) {
	struct timespec *stamp = mmap(NULL, sizeof *stamp, PROT_READ | PROT_WRITE, MAP_SHARED,
				      wf_call_descriptor(call, 0), 0);

	if (stamp == MAP_FAILED)
		return wf_fail(call, 1, "no memory to write the time into");
	(void)clock_gettime(CLOCK_MONOTONIC, stamp);
	*(volatile int *)sink = 1;
	return 0;
}

static int spin(struct wf_call *call) {
	(void)call;
	while (sink != UINT64_MAX)
		sink++;
	return 0;
}

/* Nanoseconds of one of the cheapest system calls, of as many as its input says. */
static int call_getppid(struct wf_call *call) {
	struct timespec from, to;
	uint64_t n;
	size_t size;
	const void *input = wf_call_input(call, &size);
	double ns;

	if (size != sizeof n)
		return 1;
	memcpy(&n, input, sizeof n);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	for (uint64_t i = 0; i < n; i++)
		(void)getppid();
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	ns = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	     (double)n;
	return wf_return(call, &ns, sizeof ns);
}

/* Nanoseconds of opening, reading and closing one of many small files. */
static int open_files(struct wf_call *call) {
	struct timespec from, to;
	const struct image_files *files;
	char path[300], text[8192];
	size_t size;
	double ns;

	files = wf_call_input(call, &size);
	if (size != sizeof *files)
		return 1;
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	for (uint64_t i = 0; i < files->n; i++) {
		int fd;

		(void)snprintf(path, sizeof path, "%s/%u", files->directory, (unsigned)i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof text) <= 0)
			return 2;
		(void)close(fd);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	ns = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	     (double)files->n;
	return wf_return(call, &ns, sizeof ns);
}

/* Waits until its descriptor ends. */
static int hold(struct wf_call *call) {
	char byte;

	while (read(wf_call_descriptor(call, 0), &byte, 1) > 0)
		;
	return 0;
}

WF_MODULE(.preload = load,
	  .functions = WF_FUNCTIONS({ "echo", echo }, { "read", read_all }, { "crash", crash },
				    { "spin", spin }, { "hold", hold }, { "getppid", call_getppid },
				    { "open", open_files }));
