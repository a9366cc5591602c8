/* SPDX-License-Identifier: MIT
 *
 * A host closes descriptors of the library, or puts others over them: all at once or one alone,
 * while it submits, waits, drives or idles.
 */
#include "tests/support/host_closing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <warmfork/executor.h>
#include <warmfork/map.h>

#include "tests/support/host_pool.h"
#include "tests/support/in_call.h"
#include "tests/support/program.h"

/* --- one that closes what it does not know ---
 *
 * closefrom(3) in a process that goes on. Descriptors that are opened afterwards get the numbers of
 * ours. */

/* For the leak sanitizer: the executor's thread may sleep forever, and keeps its memory. */
__attribute__((weak)) void __lsan_disable(void);

int host_closes_all_descriptors(void) {
	enum { N = 200 };
	struct wf_future *futures[N], *other_task;
	struct wf_executor *executor;
	int other;

	if (__lsan_disable)
		__lsan_disable();
	executor = open_pool(0);
	other_task = call(executor, "where", NULL, 0);
	for (size_t i = 0; i < N; i++)
		futures[i] = call(executor, "echo", "x", 1);
	expect(close_range(3, ~0u, 0) == 0);
	other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < N; i++)
		(void)finish(futures[i]);
	(void)finish(other_task);
	expect(wf_submit(executor, &WF_TASK(.function = "echo"), NULL) == -ESHUTDOWN);
	close_pool(executor);
	expect(fcntl(other, F_GETFD) == FD_CLOEXEC);
	use_pools();
	return 0;
}

/* Descriptors of the host that have the numbers of the library's. */
enum { N_OTHERS = 64, LARGE = 1 << 20 };

static void close_all_and_reuse(struct wf_executor *executor, struct wf_future *running) {
	int others[N_OTHERS];
	struct stat status;

	expect(close_range(3, ~0u, 0) == 0);
	for (size_t i = 0; i < N_OTHERS; i++)
		others[i] = memfd_create("other", MFD_CLOEXEC);
	expect(wf_wait(&running, 1, WF_ALL_COMPLETED, CAP_MS) == 1);
	expect(wf_executor_close(executor, WF_CLOSE_KILL) == 0);
	wf_future_free(running);
	wf_executor_free(executor);
	for (size_t i = 0; i < N_OTHERS; i++)
		expect(fstat(others[i], &status) == 0 && status.st_size == 0);
}

/* The library has memory files of an input that is used and of one that was, and duplicates of the
 * descriptors of a context: of a task's and of all tasks'. */
static void reuse_numbers(bool driven) {
	struct wf_executor_options options = options_for(0);
	const int descriptors[] = { 0, 1 };
	const struct wf_context context =
	    WF_CONTEXT(.descriptors = descriptors, .n_descriptors = 2);
	struct wf_executor *executor = NULL;
	struct wf_future *running;
	char *large = calloc(1, LARGE);
	int release; /* closed with all the others */

	options.min_workers = options.workers;
	options.caller_driven = driven;
	options.context = &context;
	expect(large && wf_executor_open(&options, &executor) == 0);
	expect(finish(call(executor, "digest", large, LARGE)) == WF_RETURNED);
	running = call_gate_with(executor, large, 2 * LARGE / 3, &release);
	close_all_and_reuse(executor, running);
	free(large);
}

int host_reuses_the_numbers(void) {
	if (__lsan_disable)
		__lsan_disable();
	reuse_numbers(false);
	reuse_numbers(true);
	return 0;
}

/* --- one that closes a descriptor of the library, or puts another one over it --- */

enum { DESCRIPTORS_MAX = 64, LIBRARY_DESCRIPTORS = 16, FEW_TASKS = 6, TIMEOUT_MS = 300 };

static bool is_open(int fd) {
	return fcntl(fd, F_GETFD) >= 0;
}

/* Two workers that are there from the start: one will hang, one is idle. */
static struct wf_executor *open_full_pool(int max_tasks, bool driven) {
	struct wf_executor_options options = options_for(max_tasks);
	struct wf_executor *executor = NULL;

	options.module = getenv("TOY");
	options.min_workers = options.workers;
	options.caller_driven = driven;
	expect(wf_executor_open(&options, &executor) == 0);
	expect(finish(call(executor, "echo", "x", 1)) == WF_RETURNED);
	return executor;
}

/* Of those that the library has opened, the one with this number in their order; -1: there are
 * fewer. */
static int pick(const bool *before, int index) {
	for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
		if (!before[fd] && is_open(fd) && index-- == 0)
			return fd;
	return -1;
}

static void lose(int fd, bool replace) {
	int other;

	if (!replace) {
		expect(close(fd) == 0);
		return;
	}
	other = open("/dev/null", O_RDWR | O_CLOEXEC);
	expect(dup3(other, fd, O_CLOEXEC) == fd && close(other) == 0);
}

/* Returns false if there is no such descriptor. Every future resolves, and nothing that ends the
 * pool waits for ever: otherwise the alarm ends this process. */
static bool live_without(int index, int max_tasks, bool driven, bool replace) {
	const struct wf_task hang = WF_TASK(.function = "script", .input = "hang", .input_size = 4,
					    .timeout_ms = TIMEOUT_MS);
	struct wf_future *futures[FEW_TASKS] = { NULL };
	struct wf_executor *executor;
	bool before[DESCRIPTORS_MAX];
	int fd;

	for (fd = 0; fd < DESCRIPTORS_MAX; fd++)
		before[fd] = is_open(fd);
	executor = open_full_pool(max_tasks, driven);
	fd = pick(before, index);
	expect(wf_submit(executor, &hang, &futures[0]) == 0);
	if (fd >= 0)
		lose(fd, replace);
	for (size_t i = 1; i < FEW_TASKS; i++) {
		const int r = wf_submit(executor, &WF_TASK(.function = "echo"), &futures[i]);

		expect(r == 0 || r == -ESHUTDOWN);
	}
	for (size_t i = 0; i < FEW_TASKS; i++)
		(void)(futures[i] && finish(futures[i]));
	wf_executor_free(executor);
	return fd >= 0;
}

static pid_t fork_to_live_without(int index, int regime, bool replace) {
	const pid_t pid = fork();

	expect(pid >= 0);
	if (pid > 0)
		return pid;
	if (__lsan_disable)
		__lsan_disable();
	(void)alarm(CAP_MS / 1000);
	_exit(live_without(index, regime % 2, regime / 2 == 1, replace) ? 0 : PROGRAM_CANNOT);
}

/* All at once, because they mostly wait. The thread sanitizer takes descriptors for memory, and so
 * reports this host, which closes those that threads of the library use. */
static int live_without_each(bool replace) {
	bool good = true;

#ifdef __SANITIZE_THREAD__
	return PROGRAM_CANNOT;
#endif
	for (int regime = 0; regime < 4; regime++) {
		pid_t pids[LIBRARY_DESCRIPTORS];
		int n = 0, status;

		for (int i = 0; i < LIBRARY_DESCRIPTORS; i++)
			pids[i] = fork_to_live_without(i, regime, replace);
		for (int i = 0; i < LIBRARY_DESCRIPTORS; i++) {
			expect(waitpid(pids[i], &status, 0) == pids[i]);
			n += WIFEXITED(status) && WEXITSTATUS(status) == 0;
			if (WIFEXITED(status) &&
			    (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == PROGRAM_CANNOT))
				continue;
			fprintf(stderr, "host_more.c: regime %d, descriptor %d: status %#x\n",
				regime, i, (unsigned)status);
			good = false;
		}
		/* there are some, and fewer than are tried */
		expect((n >= 8 && n < LIBRARY_DESCRIPTORS) || !good);
	}
	return good ? 0 : 1;
}

int host_loses_a_descriptor(void) {
	return live_without_each(false);
}

int host_has_a_descriptor_replaced(void) {
	return live_without_each(true);
}

/* --- one that closes what it does not know while its threads use the library --- */

/* An input that cannot be read before the host says so: wf_submit() stops while it copies it. */
static void *volatile gated_page;
static atomic_bool at_gate, gate_open;

static void wait_at_gate(int number) {
	(void)number;
	at_gate = true;
	while (!gate_open)
		(void)sched_yield();
	if (mprotect(gated_page, 1, PROT_READ) != 0)
		_exit(1);
}

static void *submit_gated(void *argument) {
	struct caller *caller = argument;
	const struct wf_task task = WF_TASK(.function = "echo", .input = gated_page,
					    .input_size = 1, .deadline_ms = CAP_MS);

	expect(wf_submit(caller->executor, &task, &caller->future) == 0);
	return NULL;
}

static struct wf_future *call_hang(struct wf_executor *executor) {
	return call(executor, "script", "hang", 4);
}

static void expect_wrecked(struct wf_future *future) {
	const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);

	expect(outcome && outcome->kind == WF_NOT_STARTED && outcome->not_started.error == EBADF);
	wf_future_free(future);
}

/* The executor ends while another thread is submitting to it, and a third one closes it. */
static void close_all_while_submitting(bool driven) {
	struct wf_executor *executor = open_full_pool(0, driven);
	struct caller submitter = { .executor = executor }, closer = submitter;
	struct wf_future *hanging = call_hang(executor);

	gated_page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(gated_page != MAP_FAILED);
	at_gate = gate_open = false;
	start(&submitter, submit_gated);
	while (!at_gate)
		(void)sched_yield();
	expect(close_range(3, ~0u, 0) == 0);
	(void)finish(hanging);
	start(&closer, close_to_end);
	gate_open = true;
	expect(pthread_join(submitter.thread, NULL) == 0);
	expect_wrecked(submitter.future);
	expect(pthread_join(closer.thread, NULL) == 0);
	wf_executor_free(executor);
	expect(munmap(gated_page, 1) == 0);
}

int host_closes_as_it_submits(void) {
	const struct sigaction action = { .sa_handler = wait_at_gate };

	if (__lsan_disable)
		__lsan_disable();
	expect(sigaction(SIGSEGV, &action, NULL) == 0);
	close_all_while_submitting(false);
	close_all_while_submitting(true);
	return 0;
}

/* --- one whose callback takes its time --- */

static atomic_bool in_callback, callback_may_end;

static void block_here(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	(void)future;
	(void)outcome;
	(void)context;
	in_callback = true;
	while (!callback_may_end)
		(void)sched_yield();
}

static _Atomic pthread_t callback_thread; /* 0: it has not run */

static void note_thread(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	(void)future;
	(void)outcome;
	(void)context;
	callback_thread = pthread_self();
}

static void let_go(int *release) {
	expect(write(*release, "g", 1) == 1);
	close(*release);
}

/* Another thread is in a callback of a task that has ended; two more run, and no other can. */
static void occupy(struct wf_executor *executor, struct wf_future *futures[3], int releases[3]) {
	futures[0] = call_gate(executor, &releases[0]);
	futures[1] = call_gate(executor, &releases[1]);
	expect(wf_future_on_done(futures[0], block_here, NULL) == 0);
	let_go(&releases[0]);
	while (!in_callback)
		(void)sched_yield();
	futures[2] = call_gate(executor, &releases[2]);
}

/* A thread that waits for one task runs no callback of another, which may take a lock that it
 * holds. It waits for so long that it checks meanwhile whether it does so in vain. */
int host_waits_for_one_task(void) {
	enum { LONG_MS = 1500 };
	struct wf_executor *executor = open_pool(0);
	struct caller closer = { .executor = executor };
	struct wf_future *futures[3], *cancelled;
	int releases[3];

	occupy(executor, futures, releases);
	cancelled = call(executor, "echo", "x", 1);
	expect(wf_future_on_done(cancelled, note_thread, NULL) == 0);
	start(&closer, close_to_end);
	while (!wf_future_outcome(cancelled))
		(void)sched_yield();
	expect(!wf_future_wait(futures[1], LONG_MS));
	expect(callback_thread == 0);
	callback_may_end = true;
	let_go(&releases[1]);
	let_go(&releases[2]);
	expect(pthread_join(closer.thread, NULL) == 0);
	expect(callback_thread != 0 && callback_thread != pthread_self());
	for (size_t i = 0; i < 3; i++)
		expect(finish(futures[i]) == WF_RETURNED);
	expect(finish(cancelled) == WF_CANCELLED);
	wf_executor_free(executor);
	return 0;
}

/* --- one that closes what it does not know while the library waits --- */

static bool thread_is_in_call(const char *thread, long number, const unsigned *argument) {
	char path[300];

	(void)snprintf(path, sizeof path, "/proc/self/task/%s/syscall", thread);
	return is_in_call(path, number, argument);
}

static bool any_is_in_call(long number, const unsigned *argument) {
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;
	bool found = false;

	expect(directory);
	while (!found && (entry = readdir(directory)) != NULL)
		found = thread_is_in_call(entry->d_name, number, argument);
	(void)closedir(directory);
	return found;
}

/* Some kernels do not say. */
static bool calls_can_be_seen(void) {
	return access("/proc/self/syscall", R_OK) == 0;
}

/* Until the thread of an executor that has nothing to do sleeps until something happens. */
static void await_rest(void) {
	const unsigned forever = (unsigned)-1;

	while (!any_is_in_call(SYS_epoll_wait, &forever))
		(void)sched_yield();
}

static void post(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	(void)future;
	(void)outcome;
	expect(sem_post(context) == 0);
}

/* Nobody waits for the task but its callback. */
static void close_with_a_callback(void) {
	struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;
	struct timespec until;
	sem_t posted;

	options.module = getenv("TOY");
	options.workers = 1;
	options.idle_timeout_ms = WF_FOREVER;
	expect(wf_executor_open(&options, &executor) == 0);
	expect(finish(call(executor, "echo", "x", 1)) == WF_RETURNED);
	await_rest();
	struct wf_future *hanging = call_hang(executor);
	expect(sem_init(&posted, 0, 0) == 0);
	expect(wf_future_on_done(hanging, post, &posted) == 0);
	expect(close_range(3, ~0u, 0) == 0);
	expect(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_sec += CAP_MS / 1000;
	expect(sem_timedwait(&posted, &until) == 0);
	wf_future_free(hanging);
	wf_executor_free(executor);
}

/* The first task after that is not taken in, because nobody would see what becomes of it. */
static void close_before_a_task(void) {
	struct wf_executor *executor = open_full_pool(0, false);

	await_rest();
	expect(close_range(3, ~0u, 0) == 0);
	expect(wf_submit(executor, &WF_TASK(.function = "echo"), NULL) == -ESHUTDOWN);
	wf_executor_free(executor);
}

int host_closes_when_idle(void) {
	if (!calls_can_be_seen())
		return PROGRAM_CANNOT;
	if (__lsan_disable)
		__lsan_disable();
	close_with_a_callback();
	close_before_a_task();
	return 0;
}

static void *close_all_once_main_sleeps(void *argument) {
	char main_thread[16];

	(void)snprintf(main_thread, sizeof main_thread, "%d", (int)getpid());
	while (!thread_is_in_call(main_thread, SYS_futex, NULL))
		(void)sched_yield();
	expect(close_range(3, ~0u, 0) == 0);
	return argument;
}

/* The executor's thread is in a callback, so only who waits for the map can see it. */
int host_closes_beside_a_map(void) {
	const struct wf_map_options options = { .size = sizeof options, .as_completed = true };
	const struct wf_bytes input = { "x", 1 };
	const struct wf_outcome *outcome = NULL;
	struct wf_future *futures[3];
	struct wf_map *map = NULL;
	int releases[3];

	if (!calls_can_be_seen())
		return PROGRAM_CANNOT;
	if (__lsan_disable)
		__lsan_disable();
	struct wf_executor *executor = open_pool(0);
	struct caller closer = { .executor = executor };
	occupy(executor, futures, releases);
	expect(wf_map(executor, &WF_TASK(.function = "echo"), &input, 1, &options, &map) == 0);
	start(&closer, close_all_once_main_sleeps);
	expect(wf_map_next(map, CAP_MS, NULL, &outcome) == 0 && outcome->kind == WF_NOT_STARTED);
	expect(pthread_join(closer.thread, NULL) == 0);
	callback_may_end = true;
	for (size_t i = 0; i < 3; i++)
		(void)finish(futures[i]);
	wf_map_free(map);
	wf_executor_free(executor);
	return 0;
}

static void *drive_to_end(void *argument) {
	const struct caller *caller = argument;

	while (wf_executor_dispatch(caller->executor, WF_FOREVER) == 0)
		continue;
	return NULL;
}

/* What the calls of one who drives the executor himself say afterwards, also to a thread that
 * sat in one of them. */
int host_closes_as_it_drives(void) {
	if (!calls_can_be_seen())
		return PROGRAM_CANNOT;
	if (__lsan_disable)
		__lsan_disable();
	struct wf_executor *executor = open_full_pool(0, true);
	struct caller driver = { .executor = executor };
	start(&driver, drive_to_end);
	while (!any_is_in_call(SYS_epoll_wait, NULL))
		(void)sched_yield();
	expect(close_range(3, ~0u, 0) == 0);
	expect(pthread_join(driver.thread, NULL) == 0);
	expect(wf_executor_fd(executor) == -ESHUTDOWN);
	expect(wf_executor_dispatch(executor, 0) == -ESHUTDOWN);
	wf_executor_free(executor);
	return 0;
}
