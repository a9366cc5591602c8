/* SPDX-License-Identifier: MIT
 *
 * An image that is heavy in the way that its preload argument names:
 *
 *     memory 512       MiB of heap
 *     mappings 2000    each with a page of its own
 *     descriptors 900
 *     holes 40         pages that an atfork handler writes to, the same ones at each fork
 *     wander 1         as many other pages at each fork
 *     handler 2        ms that an atfork handler takes
 *     thread 16        a thread that runs on, and MiB of heap
 *     bytes            output that is no text
 *     worker           no worker can be initialized
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <warmfork/task.h>

#include "tests/support/number.h"

#define PAGE ((size_t)4096)

static char *memory; /* for as long as the zygote lives */
static size_t n_pages;
static long handler_ms;
static int worker_fails;

static int fill(size_t mib) {
	memory = malloc(mib << 20);
	if (!memory)
		return 1;
	memset(memory, 0x5a, mib << 20);
	n_pages = (mib << 20) / PAGE - 1;
	return 0;
}

static int load_memory(long n) {
	return fill((size_t)n);
}

/* Every other page is readable only, so that no two neighbours are one mapping. */
static int load_mappings(long n) {
	char *area = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < (size_t)n; i++) {
		area[i * PAGE] = 1;
		if (i % 2 == 0 && mprotect(area + i * PAGE, PAGE, PROT_READ) < 0)
			return 1;
	}
	return 0;
}

static int load_descriptors(long n) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	for (long i = 0; i < n; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return 1;
	return 0;
}

static long n_holes;

/* Each lies in a huge page of its own. */
static void write_pages(void) {
	for (size_t i = 0; i < (size_t)n_holes; i++)
		memory[i * n_pages / (size_t)n_holes * PAGE]++;
}

static int load_holes(long n) {
	n_holes = n;
	return fill(64) != 0 || pthread_atfork(write_pages, NULL, NULL) != 0;
}

/* Writes to other pages at each fork. */
static void write_other_pages(void) {
	static size_t next;

	for (long i = 0; i < n_holes; i++)
		memory[next++ % n_pages * PAGE]++;
}

static int load_wander(long n) {
	n_holes = n;
	return fill(64) != 0 || pthread_atfork(write_other_pages, NULL, NULL) != 0;
}

static void take_time(void) {
	struct timespec now, start;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	do
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
	       handler_ms);
}

static int load_handler(long n) {
	handler_ms = n;
	return pthread_atfork(take_time, NULL, NULL);
}

static void *wait_for_ever(void *context) {
	for (;;)
		pause();
	return context;
}

static int load_thread(long n) {
	pthread_t thread;

	return fill((size_t)n) != 0 || pthread_create(&thread, NULL, wait_for_ever, NULL) != 0;
}

/* What a terminal would obey, and what is no UTF-8. */
static int load_bytes(long n) {
	(void)n;
	(void)puts("plain, \033[31mred\033[0m, \xff\xc3\xa9\xed\xa0\x80.");
	return 0;
}

static int load_worker(long n) {
	(void)n;
	worker_fails = 1;
	return 0;
}

static int load(const struct wf_preload_info *info) {
	static const struct {
		const char *name;
		int (*run)(long n);
	} kinds[] = {
		{ "memory", load_memory },           { "mappings", load_mappings },
		{ "descriptors", load_descriptors }, { "holes", load_holes },
		{ "wander", load_wander },           { "handler", load_handler },
		{ "thread", load_thread },           { "bytes", load_bytes },
		{ "worker", load_worker },
	};
	const char *text = info->argument;
	size_t size = strcspn(text, " ");

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strlen(kinds[i].name) == size && memcmp(kinds[i].name, text, size) == 0)
			return kinds[i].run(number_at(text + size, NULL));
	return size > 0;
}

static int initialize(const struct wf_worker_info *info) {
	(void)info;
	return worker_fails;
}

static int nothing(struct wf_call *call) {
	(void)call;
	return 0;
}

WF_MODULE(.preload = load, .initialize = initialize,
	  .functions = WF_FUNCTIONS({ "nothing", nothing }));
