/* SPDX-License-Identifier: MIT
 *
 * 64 MiB that a task reads: in a buffer of the library, in memory that was mapped before, and
 * through a socket. Everything on one CPU: what is compared is work, not wake-ups.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pool.h"
#include "raw.h"
#include "rows.h"

#define SIZE       (64 * MEASURE_MIB)
#define CACHE_LINE 64

struct payload {
	struct wf_executor *executor;
	char *mapped, *source;
	int socket;
	pid_t reader;
};

static volatile uint64_t sink;

/* As the task does in image.c. */
static void read_all(const char *data) {
	uint64_t sum = 0;

	for (size_t i = 0; i < SIZE; i += CACHE_LINE)
		sum += *(const uint64_t *)(const void *)(data + i);
	sink = sum;
}

static char *map(int kind) {
	char *memory =
	    mmap(NULL, SIZE, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		measure_die("no memory");
	memset(memory, 1, SIZE);
	return memory;
}

/* Reads a payload into memory that it keeps, looks at all of it, and says so. */
static _Noreturn void reader_run(int socket) {
	char *target = map(MAP_PRIVATE), byte = 'x';

	for (;;) {
		for (size_t have = 0; have < SIZE;) {
			ssize_t n = read(socket, target + have, SIZE - have);

			if (n <= 0)
				_exit(0);
			have += (size_t)n;
		}
		read_all(target);
		if (write(socket, &byte, 1) != 1)
			_exit(0);
	}
}

static void *payload_open(bool quick) {
	struct payload *payload = measure_allocate(sizeof *payload);
	int ends[2];

	(void)quick;
	measure_pin(measure_cpu_main());
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		measure_die("no socket");
	payload->reader = fork();
	if (payload->reader < 0)
		measure_die("no process");
	if (payload->reader == 0) {
		(void)close(ends[0]);
		reader_run(ends[1]);
	}
	(void)close(ends[1]);
	payload->socket = ends[0];
	payload->mapped = map(MAP_SHARED);
	payload->source = map(MAP_PRIVATE);
	payload->executor =
	    pool_open(WF_EXECUTOR_OPTIONS(.workers = 1, .min_workers = 1, .caller_driven = true));
	pool_await_idle(payload->executor, 1);
	return payload;
}

/* Timed: wf_submit() of a full buffer until the task, which reads all of it, has returned. Not
 * timed: filling the buffer, which is where the caller builds the argument anyway. */
static double through_buffer(struct wf_executor *executor, int fill) {
	struct wf_task task = WF_TASK(.function = "read");
	struct wf_future *future;
	uint64_t start;
	double took;

	if (wf_buffer_new(SIZE, &task.buffer) < 0)
		measure_die("%s", wf_last_error());
	memset(wf_buffer_data(task.buffer), fill, SIZE);
	start = measure_now();
	future = pool_submit(executor, &task);
	(void)wf_future_wait(future, WF_FOREVER);
	took = measure_since(start);
	pool_finish(future, WF_RETURNED);
	return took;
}

/* Timed: the reading alone, in memory that this process has mapped and just filled. */
static double through_mapping(struct payload *payload, int fill) {
	uint64_t start;

	memset(payload->mapped, fill, SIZE);
	start = measure_now();
	read_all(payload->mapped);
	return measure_since(start);
}

/* Timed: writing it into a stream socket until the other side has read it all. */
static double through_socket(struct payload *payload, int fill) {
	uint64_t start;
	char byte;

	memset(payload->source, fill, SIZE);
	start = measure_now();
	for (size_t sent = 0; sent < SIZE;) {
		ssize_t n = write(payload->socket, payload->source + sent, SIZE - sent);

		if (n <= 0)
			measure_die("the process that reads has gone");
		sent += (size_t)n;
	}
	if (read(payload->socket, &byte, 1) != 1)
		measure_die("the process that reads has gone");
	return measure_since(start);
}

static void payload_round(void *state) {
	struct payload *payload = state;
	static int fill;

	fill = fill % 100 + 1;
	measure_emit("ours", through_buffer(payload->executor, fill) / 1e3);
	measure_emit("mapped", through_mapping(payload, fill) / 1e3);
	measure_emit("socket", through_socket(payload, fill) / 1e3);
}

static void payload_close(void *state) {
	struct payload *payload = state;

	(void)close(payload->socket);
	raw_reap(payload->reader);
	pool_close(payload->executor);
	(void)munmap(payload->mapped, SIZE);
	(void)munmap(payload->source, SIZE);
	free(payload);
}

const struct row payload_64m = {
	"payload_64m",
	payload_open,
	payload_round,
	payload_close,
};
