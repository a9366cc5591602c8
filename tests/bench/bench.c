/* SPDX-License-Identifier: MIT
 *
 * What a task costs, beside what the kernel alone takes for the same thing in the same run.
 *
 *   fresh     one process for each task, many in flight    beside   fork, _exit, waitid in a loop
 *   reused    one small task there and back, alone         beside   one byte each way on a
 *                                                                   SEQPACKET pair
 *
 * The two sides of a row take turns, and each number is the median of ROUNDS rounds: what else the
 * machine does meanwhile hits both. Not a test: nothing here can fail by being slow.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <warmfork/executor.h>

#define ROUNDS      9
#define FRESH_TASKS 400
#define TRIPS       2000

/* Nanoseconds for each task of one round, or a negative errno. */
typedef int64_t (*measure)(struct wf_executor *executor);

static int64_t now_ns(void) {
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- fresh --------------------------------------------------------------------------------- */

static int64_t fresh_tasks(struct wf_executor *executor) {
	const struct wf_task task = WF_TASK(.function = "echo", .input = "x", .input_size = 1);
	struct wf_future *futures[FRESH_TASKS];
	int64_t start = now_ns(), spent;
	int n = 0, r = 0;

	for (; n < FRESH_TASKS && r == 0; n++)
		r = wf_submit(executor, &task, &futures[n]);
	if (r < 0)
		n--; /* that one was not made */
	else
		r = wf_wait(futures, (size_t)n, WF_ALL_COMPLETED, WF_FOREVER);
	spent = now_ns() - start;
	for (int i = 0; i < n; i++) {
		const struct wf_outcome *outcome = wf_future_wait(futures[i], WF_FOREVER);

		if (outcome->kind != WF_RETURNED)
			r = -EIO;
		wf_future_free(futures[i]);
	}
	return r < 0 ? r : spent / FRESH_TASKS;
}

static int64_t raw_forks(struct wf_executor *executor) {
	int64_t start = now_ns();
	siginfo_t info;

	(void)executor;
	for (int i = 0; i < FRESH_TASKS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
			return -errno;
	}
	return (now_ns() - start) / FRESH_TASKS;
}

/* --- reused -------------------------------------------------------------------------------- */

static int64_t reused_trips(struct wf_executor *executor) {
	const struct wf_task task = WF_TASK(.function = "echo", .input = "x", .input_size = 1);
	int64_t start = now_ns();

	for (int i = 0; i < TRIPS; i++) {
		struct wf_future *future;
		const struct wf_outcome *outcome;
		bool returned;
		int r = wf_submit(executor, &task, &future);

		if (r < 0)
			return r;
		outcome = wf_future_wait(future, WF_FOREVER);
		returned = outcome && outcome->kind == WF_RETURNED;
		wf_future_free(future);
		if (!returned)
			return -EIO;
	}
	return (now_ns() - start) / TRIPS;
}

static void echo_for_ever(int fd) {
	char byte;

	while (recv(fd, &byte, 1, 0) == 1)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	_exit(0);
}

static int64_t raw_trips(struct wf_executor *executor) {
	int64_t spent = 0;
	siginfo_t info;
	char byte = 'x';
	int ends[2];
	pid_t pid;

	(void)executor;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		echo_for_ever(ends[1]);
	}
	(void)close(ends[1]);
	if (pid > 0) {
		int64_t start = now_ns();

		for (int i = 0; i < TRIPS && spent == 0; i++)
			if (send(ends[0], &byte, 1, MSG_NOSIGNAL) != 1 ||
			    recv(ends[0], &byte, 1, 0) != 1)
				spent = -EIO;
		if (spent == 0)
			spent = (now_ns() - start) / TRIPS;
	}
	(void)close(ends[0]);
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return -EIO;
	return spent;
}

/* --- a row --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int64_t median(int64_t *values) {
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

static int row(struct wf_executor *executor, const char *name, measure ours, measure raw) {
	int64_t our_values[ROUNDS], raw_values[ROUNDS];
	double our_us, raw_us;

	if (ours(executor) < 0 || raw(executor) < 0) /* a first round to warm up */
		return -EIO;
	for (int i = 0; i < ROUNDS; i++) {
		our_values[i] = ours(executor);
		raw_values[i] = raw(executor);
		if (our_values[i] < 0 || raw_values[i] < 0)
			return -EIO;
	}
	our_us = (double)median(our_values) / 1e3;
	raw_us = (double)median(raw_values) / 1e3;
	(void)printf("  %-36s %8.1f us %9.0f /s   %8.1f us   %5.2f\n", name, our_us, 1e6 / our_us,
		     raw_us, our_us / raw_us);
	return 0;
}

static int pool_row(const char *module, int workers, int tasks_per_worker, const char *name,
		    measure ours, measure raw) {
	struct wf_executor *executor;
	int r = wf_executor_open(&WF_EXECUTOR_OPTIONS(.module = module, .workers = workers,
						      .max_tasks_per_worker = tasks_per_worker),
				 &executor);

	if (r == 0) {
		r = row(executor, name, ours, raw);
		wf_executor_free(executor);
	}
	if (r < 0)
		(void)fprintf(stderr, "bench: %s: %s\n", name, wf_last_error());
	return r;
}

int main(void) {
	char module[PATH_MAX], self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int length;

	if (n <= 0)
		return 1;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	length = snprintf(module, sizeof module, "%s/noop.so", self);
	if (length < 0 || (size_t)length >= sizeof module)
		return 1;

	(void)printf("  %-36s %11s %12s   %11s   %5s\n", "a task", "each", "", "the kernel",
		     "ratio");
	if (pool_row(module, 0, 1, "fresh, all workers, many in flight", fresh_tasks, raw_forks) <
		0 ||
	    pool_row(module, 1, 0, "reused, there and back, one", reused_trips, raw_trips) < 0)
		return 1;
	(void)printf(
	    "\n  Medians of %d rounds. The kernel: fork, _exit and waitid, one after the other;\n"
	    "  one byte each way on a SEQPACKET pair.\n",
	    ROUNDS);
	return 0;
}
