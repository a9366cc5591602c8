/* SPDX-License-Identifier: MIT
 *
 * Host programs with habits that a library must bear; argv[1] says which. Exit status 0: all went
 * well; 1: it did not, and stderr says what; PROGRAM_CANNOT: this machine does not let it try.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/map.h>

#include "tests/support/complain.h"
#include "tests/support/program.h"

/* The memory of a sanitizer cannot be limited. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* --- a pool --- */

static struct wf_executor_options options_for(int max_tasks) {
	return WF_EXECUTOR_OPTIONS(.module = getenv("TOY_MORE"),
				   .helper = getenv("WARMFORK_HELPER"), .workers = 2,
				   .max_tasks_per_worker = max_tasks, .tuning.start_attempts = 2,
				   .tuning.backoff_ms = 1);
}

static struct wf_executor *open_pool(int max_tasks) {
	const struct wf_executor_options options = options_for(max_tasks);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == 0);
	return executor;
}

static void close_pool(struct wf_executor *executor) {
	expect(wf_executor_close(executor, WF_CLOSE_FINISH) == 0);
	wf_executor_free(executor);
}

static struct wf_future *call(struct wf_executor *executor, const char *function, const void *input,
			      size_t size) {
	struct wf_future *future = NULL;

	expect(wf_submit(executor,
			 &WF_TASK(.function = function, .input = input, .input_size = size),
			 &future) == 0);
	return future;
}

static enum wf_outcome_kind finish(struct wf_future *future) {
	const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);

	expect(outcome);
	const enum wf_outcome_kind kind = outcome->kind;
	wf_future_free(future);
	return kind;
}

/* A result, an exact signal, an exact status. */
static void expect_exact_outcomes(struct wf_executor *executor) {
	static const int killing = SIGKILL, status = 42;
	struct wf_future *killed = call(executor, "die", &killing, sizeof killing);
	struct wf_future *left = call(executor, "leave", &status, sizeof status);
	struct wf_future *returned = call(executor, "echo", "x", 1);
	const struct wf_outcome *outcome = wf_future_wait(killed, CAP_MS);

	expect(outcome && outcome->kind == WF_SIGNALLED && outcome->signalled.signal == SIGKILL);
	outcome = wf_future_wait(left, CAP_MS);
	expect(outcome && outcome->kind == WF_EXITED && outcome->exited.code == 42);
	wf_future_free(killed);
	wf_future_free(left);
	expect(finish(returned) == WF_RETURNED);
}

/* Uses pools of both regimes several times, after the host has done its worst. */
static void use_pools(void) {
	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		struct wf_executor *executor = open_pool(max_tasks);

		for (int i = 0; i < 3; i++)
			expect_exact_outcomes(executor);
		close_pool(executor);
	}
}

/* --- reaping other people's children --- */

static atomic_bool reaping;

static void *reap_anything(void *argument) {
	(void)argument;
	while (reaping) {
		if (waitpid(-1, NULL, 0) < 0)
			sched_yield();
	}
	return NULL;
}

static int host_reaps_anything(void) {
	pthread_t thread;

	reaping = true;
	expect(pthread_create(&thread, NULL, reap_anything, NULL) == 0);
	use_pools();
	reaping = false;
	expect(pthread_join(thread, NULL) == 0);
	return 0;
}

/* A host that has no child must not meet one, whenever it looks, and no signal tells of one. */
static atomic_int n_met;

static void *look_for_children(void *argument) {
	while (reaping)
		n_met += waitpid(-1, NULL, 0) > 0;
	return argument;
}

static void on_child(int number) {
	(void)number;
	n_met++;
}

static int host_has_no_child(void) {
	pthread_t thread;

	reaping = true;
	expect(signal(SIGCHLD, on_child) != SIG_ERR);
	expect(pthread_create(&thread, NULL, look_for_children, NULL) == 0);
	for (int i = 0; i < 30; i++)
		close_pool(open_pool(0));
	reaping = false;
	expect(pthread_join(thread, NULL) == 0);
	expect(n_met == 0);
	return 0;
}

static int host_ignores_sigchld(void) {
	expect(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	use_pools();
	struct sigaction action;
	expect(sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	return 0;
}

static int host_wants_no_zombies(void) {
	const struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	expect(sigaction(SIGCHLD, &action, NULL) == 0);
	use_pools();
	return 0;
}

/* All signals blocked in every thread of the host: nothing of it reaches the workers. */
static int host_blocks_all_signals(void) {
	sigset_t all;

	sigfillset(&all);
	expect(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	use_pools();
	return 0;
}

/* --- forks --- */

static void heard(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	(void)future;
	(void)outcome;
	(void)context;
	_exit(1);
}

#define refused(call)                                                                              \
	do {                                                                                       \
		if ((call) != -ECHILD)                                                             \
			complain(#call " is -ECHILD");                                             \
	} while (0)

/* In the child: every call is refused. */
static void expect_no_entry(struct wf_executor *executor, struct wf_future *future,
			    struct wf_map *map) {
	struct wf_statistics statistics = { .size = sizeof statistics };
	struct wf_image_facts facts = { .size = sizeof facts };
	const struct wf_task task = WF_TASK(.function = "echo");
	const struct wf_bytes input = { "x", 1 };
	const struct wf_outcome *outcome = NULL;
	struct wf_future *new_future = NULL;
	struct wf_map *new_map = NULL;

	refused(wf_submit(executor, &task, &new_future));
	refused(wf_map(executor, &task, &input, 1, NULL, &new_map));
	refused(wf_map_next(map, 0, NULL, &outcome));
	refused(wf_executor_resize(executor, 3));
	refused(wf_executor_reload(executor));
	refused(wf_executor_fd(executor));
	refused(wf_executor_dispatch(executor, 0));
	refused(wf_executor_statistics(executor, &statistics));
	refused(wf_executor_image(executor, &facts));
	refused(wf_future_cancel(future));
	refused(wf_future_kill(future, WF_NO_GRACE));
	refused(wf_future_on_done(future, heard, NULL));
	refused(wf_wait(&future, 1, WF_ALL_COMPLETED, WF_FOREVER));
	refused(wf_executor_close(executor, WF_CLOSE_KILL));
	expect(!wf_future_wait(future, WF_FOREVER));
	expect(!wf_future_outcome(future));
	expect(!wf_map_free(map));
	expect(!wf_future_free(future));
	expect(!wf_executor_free(executor));
	expect(!new_future && !new_map && !outcome);
	expect(strlen(wf_last_error()) > 0);
}

/* A task that blocks on a pipe; the caller writes to the other end. */
static struct wf_future *call_gate_with(struct wf_executor *executor, const void *input,
					size_t size, int *ret_release) {
	int report[2], release[2];

	expect(pipe2(report, O_CLOEXEC) == 0);
	expect(pipe2(release, O_CLOEXEC) == 0);
	const int ends[] = { report[1], release[0] };
	const struct wf_context context = WF_CONTEXT(.descriptors = ends, .n_descriptors = 2);
	struct wf_future *future = NULL;
	char byte;

	expect(wf_submit(executor,
			 &WF_TASK(.function = "gate", .input = input, .input_size = size,
				  .context = &context),
			 &future) == 0);
	expect(read(report[0], &byte, 1) == 1);
	close(report[0]);
	close(report[1]);
	close(release[0]);
	*ret_release = release[1];
	return future;
}

static struct wf_future *call_gate(struct wf_executor *executor, int *ret_release) {
	return call_gate_with(executor, NULL, 0, ret_release);
}

static int host_forks(void) {
	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		struct wf_executor *executor = open_pool(max_tasks);
		const struct wf_bytes inputs[] = { { "a", 1 }, { "b", 1 } };
		const struct wf_outcome *outcome = NULL;
		struct wf_map *map = NULL;
		int release, status;
		struct wf_future *gate = call_gate(executor, &release);

		expect(wf_map(executor, &WF_TASK(.function = "echo"), inputs, 2, NULL, &map) == 0);
		const pid_t pid = fork();
		expect(pid >= 0);
		if (pid == 0) {
			expect_no_entry(executor, gate, map);
			_exit(0);
		}
		expect(waitpid(pid, &status, 0) == pid && status == 0);
		expect(write(release, "g", 1) == 1);
		expect(finish(gate) == WF_RETURNED);
		for (int i = 0; i < 2; i++)
			expect(wf_map_next(map, CAP_MS, NULL, &outcome) == 0 &&
			       outcome->kind == WF_RETURNED);
		wf_map_free(map);
		close(release);
		expect_exact_outcomes(executor);
		close_pool(executor);
	}
	return 0;
}

/* The library is busy whenever a fork happens, and its locks may be held. */
static int host_forks_under_load(void) {
	struct wf_executor *executor = open_pool(0);
	struct wf_future *futures[20][10];
	int status;

	for (size_t i = 0; i < 20; i++) {
		for (size_t k = 0; k < 10; k++)
			futures[i][k] = call(executor, "echo", "x", 1);
		const pid_t pid = fork();
		expect(pid >= 0);
		if (pid == 0) {
			refused(wf_submit(executor, &WF_TASK(.function = "echo"), NULL));
			refused(wf_executor_close(executor, WF_CLOSE_KILL));
			expect(!wf_future_wait(futures[i][0], WF_FOREVER));
			_exit(0);
		}
		expect(waitpid(pid, &status, 0) == pid && status == 0);
	}
	for (size_t i = 0; i < 20; i++) {
		for (size_t k = 0; k < 10; k++)
			expect(finish(futures[i][k]) == WF_RETURNED);
	}
	close_pool(executor);
	return 0;
}

/* A forked child that lives on keeps nothing of the pool alive. */
static int host_closes_with_a_forked_child(void) {
	struct wf_executor *executor = open_pool(0);
	int ends[2], status;
	char byte;

	expect(finish(call(executor, "echo", "x", 1)) == WF_RETURNED);
	expect(pipe2(ends, O_CLOEXEC) == 0);
	const pid_t pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	close_pool(executor);
	close(ends[0]);
	close(ends[1]);
	expect(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

/* The thread sanitizer gives up when the child of a program with threads starts one. */
#ifdef __SANITIZE_THREAD__
#define THREADS_AFTER_FORK 0
#else
#define THREADS_AFTER_FORK 1
#endif

/* A forked child may not touch the pool of its parent, but may have one of its own. */
static int host_forks_to_open(void) {
	if (!THREADS_AFTER_FORK)
		return PROGRAM_CANNOT;
	struct wf_executor *executor = open_pool(0);
	int status;

	expect(finish(call(executor, "echo", "x", 1)) == WF_RETURNED);
	const pid_t pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		struct wf_executor *own = open_pool(0);

		refused(wf_submit(executor, &WF_TASK(.function = "echo"), NULL));
		expect_exact_outcomes(own);
		close_pool(own);
		refused(wf_executor_close(executor, WF_CLOSE_KILL));
		_exit(0);
	}
	expect(waitpid(pid, &status, 0) == pid && status == 0);
	expect_exact_outcomes(executor);
	close_pool(executor);
	return 0;
}

static atomic_bool sharing;

/* Replaces the shared executor again and again: it is always being opened or closed. */
static void *share_again_and_again(void *argument) {
	struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	(void)argument;
	while (sharing) {
		options.kill_grace_ms++;
		wf_executor_free(executor);
		expect(wf_executor_shared(&options, &executor, NULL) == 0);
	}
	expect(wf_executor_close(executor, WF_CLOSE_FINISH) == 0);
	wf_executor_free(executor);
	return NULL;
}

/* In the child nobody is left who would unlock what another thread had locked. */
static int host_forks_while_sharing(void) {
	const struct wf_executor_options options = options_for(0);
	pthread_t thread;
	int status;

	/* The address sanitizer of gcc 12 does not take its allocator's locks around a fork: the
	 * child of a process that allocates in another thread may wait for one forever. */
	if (SANITIZED)
		return PROGRAM_CANNOT;
	sharing = true;
	expect(pthread_create(&thread, NULL, share_again_and_again, NULL) == 0);
	for (int i = 0; i < 20; i++) {
		const pid_t pid = fork();

		expect(pid >= 0);
		if (pid == 0) {
			struct wf_executor *own = NULL;

			alarm(CAP_MS / 1000);
			expect(wf_executor_shared(&options, &own, NULL) == 0);
			expect(finish(call(own, "echo", "x", 1)) == WF_RETURNED);
			close_pool(own);
			_exit(0);
		}
		expect(waitpid(pid, &status, 0) == pid && status == 0);
	}
	sharing = false;
	expect(pthread_join(thread, NULL) == 0);
	return 0;
}

/* --- threads --- */

#define N_THREADS 64

struct submitter {
	pthread_t thread;
	struct wf_executor *executor;
	int returned;
};

static void *submit_some(void *argument) {
	struct submitter *submitter = argument;

	for (int i = 0; i < 10; i++) {
		struct wf_future *future =
		    call(submitter->executor, "echo", &submitter, sizeof submitter);
		const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);

		if (outcome && outcome->kind == WF_RETURNED &&
		    outcome->returned.size == sizeof submitter &&
		    memcmp(outcome->returned.data, &submitter, sizeof submitter) == 0)
			submitter->returned++;
		wf_future_free(future);
	}
	return NULL;
}

static int host_has_many_threads(void) {
	static struct submitter submitters[N_THREADS];

	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		struct wf_executor *executor = open_pool(max_tasks);

		for (size_t i = 0; i < N_THREADS; i++) {
			submitters[i] = (struct submitter){ .executor = executor };
			expect(pthread_create(&submitters[i].thread, NULL, submit_some,
					      &submitters[i]) == 0);
		}
		for (size_t i = 0; i < N_THREADS; i++) {
			expect(pthread_join(submitters[i].thread, NULL) == 0);
			expect(submitters[i].returned == 10);
		}
		close_pool(executor);
	}
	return 0;
}

static void *open_in_thread(void *argument) {
	const int *max_tasks = argument;

	return open_pool(*max_tasks);
}

/* Nothing of the pool notices that the thread which opened it has ended. */
static int host_opens_in_a_thread_that_exits(void) {
	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		struct wf_statistics statistics = { .size = sizeof statistics };
		pthread_t thread;
		void *executor = NULL;

		expect(pthread_create(&thread, NULL, open_in_thread, &max_tasks) == 0);
		expect(pthread_join(thread, &executor) == 0);
		for (int i = 0; i < 3; i++)
			expect_exact_outcomes(executor);
		expect(wf_executor_statistics(executor, &statistics) == 0);
		expect(statistics.keeper_starts == 1 && statistics.zygote_starts == 1);
		close_pool(executor);
	}
	return 0;
}

/* --- exit --- */

/* The host exits with idle workers, running and queued tasks, and has not closed the pool. */
static int host_exits_without_closing(void) {
	static struct wf_executor *idle, *busy;
	int release;

	idle = open_pool(0);
	busy = open_pool(1);
	expect(finish(call(idle, "echo", "x", 1)) == WF_RETURNED);
	wf_future_free(call_gate(busy, &release));
	wf_future_free(call_gate(busy, &release));
	wf_future_free(call(busy, "echo", "x", 1));
	exit(0);
}

/* --- few descriptors --- */

#define FEW 64

/* Opens until there is no more; returns how many. */
static int fill_descriptors(int *descriptors) {
	int n = 0;

	while (n < FEW && (descriptors[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	expect(n > 0 && errno == EMFILE);
	return n;
}

static void empty_descriptors(const int *descriptors, int n) {
	while (n > 0)
		close(descriptors[--n]);
}

#define expect_named(call)                                                                         \
	do {                                                                                       \
		if ((call) != -EMFILE || !strstr(wf_last_error(), "RLIMIT_NOFILE"))                \
			complain(#call " is -EMFILE, naming RLIMIT_NOFILE");                       \
	} while (0)

static void *large_input(size_t size) {
	void *data = calloc(1, size);

	expect(data);
	return data;
}

/* The function returned, but its result came in a descriptor. */
static void expect_no_room(const struct wf_outcome *outcome) {
	expect(outcome && outcome->kind == WF_FAILED && outcome->failed.code == EMFILE);
	expect(strstr(outcome->failed.message, "RLIMIT_NOFILE"));
	expect(strcmp(outcome->evidence, "the function returned 0") == 0);
}

static int host_has_few_descriptors(void) {
	const size_t size = 1 << 20;
	const struct wf_executor_options options = options_for(0);
	const struct {
		size_t size;
		uint64_t seed;
	} wish = { size, 1 };
	struct rlimit limit;
	int descriptors[FEW], n;
	void *data = large_input(size);

	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = FEW;
	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	struct wf_executor *executor = open_pool(0), *second = NULL;
	expect_exact_outcomes(executor);
	expect(finish(call(executor, "echo", "x", 1)) == WF_RETURNED);

	n = fill_descriptors(descriptors);
	struct wf_buffer *buffer = NULL;
	struct wf_future *future = NULL;
	expect_named(wf_executor_open(&options, &second));
	expect_named(wf_buffer_new(size, &buffer));
	expect_named(wf_submit(
	    executor, &WF_TASK(.function = "digest", .input = data, .input_size = size), &future));
	expect(!second && !buffer && !future);
	/* what needs none goes on, and what does has an outcome that says so */
	expect(finish(call(executor, "echo", "x", 1)) == WF_RETURNED);
	future = call(executor, "fill", &wish, sizeof wish);
	expect_no_room(wf_future_wait(future, CAP_MS));
	wf_future_free(future);
	empty_descriptors(descriptors, n);

	expect_exact_outcomes(executor);
	expect(finish(call(executor, "digest", data, size)) == WF_RETURNED);
	expect(finish(call(executor, "fill", &wish, sizeof wish)) == WF_RETURNED);
	close_pool(executor);
	free(data);
	return 0;
}

/* No descriptor is left for the channel of a worker that must be forked first. */
static int host_has_none_for_a_worker(void) {
	struct rlimit limit;
	int descriptors[FEW], n;

	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = FEW;
	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	struct wf_executor *executor = open_pool(0);
	n = fill_descriptors(descriptors);
	struct wf_future *future = call(executor, "echo", "x", 1);
	const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);
	expect(outcome && outcome->kind == WF_NOT_STARTED);
	expect(outcome->not_started.phase == WF_PHASE_FORK);
	expect(outcome->not_started.error == EMFILE);
	expect(strstr(outcome->evidence, "RLIMIT_NOFILE"));
	wf_future_free(future);
	empty_descriptors(descriptors, n);
	expect_exact_outcomes(executor);
	close_pool(executor);
	return 0;
}

/* From no room at all to enough: each failure has its name. */
static int host_has_ever_more_descriptors(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;
	struct rlimit limit;
	int n_refused = 0, r;

	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (limit.rlim_cur = 3; !executor && limit.rlim_cur < FEW; limit.rlim_cur++) {
		expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		r = wf_executor_open(&options, &executor);
		if (r == 0)
			break;
		expect_named(r);
		expect(!executor);
		n_refused++;
	}
	expect(executor && n_refused > 8);
	close_pool(executor);
	limit.rlim_cur = limit.rlim_max;
	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	use_pools();
	return 0;
}

/* --- no memory --- */

/* So that neither the stack nor what malloc(3) has at hand must grow. */
static void make_room(void) {
	volatile char stack[1 << 16];

	for (size_t i = 0; i < sizeof stack; i += 1024)
		stack[i] = 0;
	free(malloc(1 << 16));
}

/* The first thing that the library maps cannot be mapped; later it can. */
static int host_has_no_memory_at_first(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;
	struct rlimit limit, none;

	if (SANITIZED)
		return PROGRAM_CANNOT;
	make_room();
	expect(getrlimit(RLIMIT_AS, &limit) == 0);
	none = (struct rlimit){ .rlim_cur = 1 << 20, .rlim_max = limit.rlim_max };
	expect(setrlimit(RLIMIT_AS, &none) == 0);
	for (int i = 0; i < 2; i++)
		expect(wf_executor_open(&options, &executor) == -ENOMEM);
	expect(!executor);
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	use_pools();
	return 0;
}

/* --- no processes --- */

static void expect_not_forked(struct wf_executor *executor) {
	struct wf_future *future = call(executor, "echo", "x", 1);
	const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);

	expect(outcome && outcome->kind == WF_NOT_STARTED);
	expect(outcome->not_started.phase == WF_PHASE_FORK);
	expect(outcome->not_started.error == EAGAIN);
	expect(outcome->pid == 0);
	wf_future_free(future);
}

/* --- one that closes what it does not know ---
 *
 * closefrom(3) in a process that goes on. Descriptors that are opened afterwards get the numbers of
 * ours. */

/* For the leak sanitizer: the executor's thread may sleep forever, and keeps its memory. */
__attribute__((weak)) void __lsan_disable(void);

static int host_closes_all_descriptors(void) {
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

static int host_reuses_the_numbers(void) {
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

/* All at once, because they mostly wait. */
static int live_without_each(bool replace) {
	bool good = true;

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

static int host_loses_a_descriptor(void) {
	return live_without_each(false);
}

static int host_has_a_descriptor_replaced(void) {
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

struct caller {
	pthread_t thread;
	struct wf_executor *executor;
	struct wf_future *future;
};

static void *submit_gated(void *argument) {
	struct caller *caller = argument;
	const struct wf_task task = WF_TASK(.function = "echo", .input = gated_page,
					    .input_size = 1, .deadline_ms = CAP_MS);

	expect(wf_submit(caller->executor, &task, &caller->future) == 0);
	return NULL;
}

static void *close_to_end(void *argument) {
	struct caller *caller = argument;

	expect(wf_executor_close(caller->executor, WF_CLOSE_CANCEL) == 0);
	return NULL;
}

static void start(struct caller *caller, void *(*run)(void *)) {
	expect(pthread_create(&caller->thread, NULL, run, caller) == 0);
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

static int host_closes_as_it_submits(void) {
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
static int host_waits_for_one_task(void) {
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

/* Is the thread in this system call now? Its fourth argument is *argument, unless that is NULL. */
static bool is_in_call(const char *thread, long number, const unsigned *argument) {
	char path[64];
	long found = -1;
	unsigned long long arguments[4] = { 0 };
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/self/task/%s/syscall", thread);
	file = fopen(path, "re");
	if (!file)
		return false;
	const int n = fscanf(file, "%ld %llx %llx %llx %llx", &found, &arguments[0], &arguments[1],
			     &arguments[2], &arguments[3]);
	(void)fclose(file);
	return n == 5 && found == number && (!argument || (unsigned)arguments[3] == *argument);
}

static bool any_is_in_call(long number, const unsigned *argument) {
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;
	bool found = false;

	expect(directory);
	while (!found && (entry = readdir(directory)) != NULL)
		found = is_in_call(entry->d_name, number, argument);
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

static int host_closes_when_idle(void) {
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
	while (!is_in_call(main_thread, SYS_futex, NULL))
		(void)sched_yield();
	expect(close_range(3, ~0u, 0) == 0);
	return argument;
}

/* The executor's thread is in a callback, so only who waits for the map can see it. */
static int host_closes_beside_a_map(void) {
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

/* What the calls of one who drives the executor himself say afterwards, also to a thread that sat in
 * one of them. */
static int host_closes_as_it_drives(void) {
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

/* The zygote may not fork, then may again; the limit is per user, so nobody does this as root. */
static int host_cannot_fork(void) {
	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		struct wf_statistics statistics = { .size = sizeof statistics };
		struct wf_executor_options options = options_for(max_tasks);
		struct wf_executor *executor = NULL;
		struct rlimit before, none;

		options.spares = WF_NO_SPARES;
		expect(wf_executor_open(&options, &executor) == 0);
		expect(wf_executor_statistics(executor, &statistics) == 0);
		expect(prlimit(statistics.zygote_pid, RLIMIT_NPROC, NULL, &before) == 0);
		none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
		expect(prlimit(statistics.zygote_pid, RLIMIT_NPROC, &none, NULL) == 0);
		expect_not_forked(executor);
		expect_not_forked(executor);
		expect(prlimit(statistics.zygote_pid, RLIMIT_NPROC, &before, NULL) == 0);
		for (int i = 0; i < 3; i++)
			expect_exact_outcomes(executor);
		expect(wf_executor_statistics(executor, &statistics) == 0);
		expect(statistics.zygote_starts == 1);
		expect(statistics.fork_failures > 0);
		close_pool(executor);
	}
	return 0;
}

/* It may not start the keeper either, until its own limit is raised. */
static int host_cannot_open(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;
	struct rlimit limit;

	expect(getrlimit(RLIMIT_NPROC, &limit) == 0);
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = limit.rlim_max };
	expect(setrlimit(RLIMIT_NPROC, &none) == 0);
	expect(wf_executor_open(&options, &executor) == -EIO);
	expect(!executor && strlen(wf_last_error()) > 0);
	expect(setrlimit(RLIMIT_NPROC, &limit) == 0);
	executor = open_pool(0);
	expect_exact_outcomes(executor);
	close_pool(executor);
	return 0;
}

/* From no process at all to enough, wherever on the way it fails: that is what is said of it, not
 * that the helper is a wrong one. */
static int host_has_ever_more_processes(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;
	struct rlimit limit, few;

	expect(getrlimit(RLIMIT_NPROC, &limit) == 0);
	few = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	for (int r = -1; r < 0 && few.rlim_cur < FEW; few.rlim_cur++) {
		expect(setrlimit(RLIMIT_NPROC, &few) == 0);
		r = wf_executor_open(&options, &executor);
		expect(r == 0 || (r == -EIO && strstr(wf_last_error(), strerror(EAGAIN))));
	}
	expect(setrlimit(RLIMIT_NPROC, &limit) == 0);
	if (!executor)
		executor = open_pool(0);
	expect_exact_outcomes(executor);
	close_pool(executor);
	return 0;
}

/* Becomes nobody, and starts again as argv[2]. */
static int become_nobody(char **argv) {
	expect(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
	if (access(argv[0], X_OK) < 0 || access(getenv("WARMFORK_HELPER"), X_OK) < 0 ||
	    access(getenv("TOY_MORE"), R_OK) < 0)
		return PROGRAM_CANNOT;
	execl(argv[0], argv[0], argv[2], (char *)NULL);
	return PROGRAM_CANNOT;
}

/* --- all of them --- */

int main(int argc, char **argv) {
	static const struct {
		const char *name;
		int (*run)(void);
	} modes[] = {
		{ "reaps-anything", host_reaps_anything },
		{ "has-no-child", host_has_no_child },
		{ "ignores-sigchld", host_ignores_sigchld },
		{ "wants-no-zombies", host_wants_no_zombies },
		{ "blocks-all-signals", host_blocks_all_signals },
		{ "forks", host_forks },
		{ "forks-under-load", host_forks_under_load },
		{ "forks-to-open", host_forks_to_open },
		{ "forks-while-sharing", host_forks_while_sharing },
		{ "closes-with-a-forked-child", host_closes_with_a_forked_child },
		{ "has-many-threads", host_has_many_threads },
		{ "opens-in-a-thread-that-exits", host_opens_in_a_thread_that_exits },
		{ "exits-without-closing", host_exits_without_closing },
		{ "has-few-descriptors", host_has_few_descriptors },
		{ "has-none-for-a-worker", host_has_none_for_a_worker },
		{ "closes-all-descriptors", host_closes_all_descriptors },
		{ "closes-as-it-submits", host_closes_as_it_submits },
		{ "waits-for-one-task", host_waits_for_one_task },
		{ "reuses-the-numbers", host_reuses_the_numbers },
		{ "closes-when-idle", host_closes_when_idle },
		{ "closes-beside-a-map", host_closes_beside_a_map },
		{ "closes-as-it-drives", host_closes_as_it_drives },
		{ "loses-a-descriptor", host_loses_a_descriptor },
		{ "has-a-descriptor-replaced", host_has_a_descriptor_replaced },
		{ "has-ever-more-descriptors", host_has_ever_more_descriptors },
		{ "has-no-memory-at-first", host_has_no_memory_at_first },
		{ "cannot-fork", host_cannot_fork },
		{ "cannot-open", host_cannot_open },
		{ "has-ever-more-processes", host_has_ever_more_processes },
	};

	if (argc == 3 && strcmp(argv[1], "as-nobody") == 0)
		return become_nobody(argv);
	for (size_t i = 0; argc == 2 && i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	fprintf(stderr, "usage: %s [as-nobody] MODE\n", argv[0]);
	return 2;
}
