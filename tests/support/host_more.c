/* SPDX-License-Identifier: MIT
 *
 * Host programs with habits that a library must bear; argv[1] says which. Exit status 0: all went
 * well; 1: it did not, and stderr says what; PROGRAM_CANNOT: this machine does not let it try.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/map.h>

#include "tests/support/host_closing.h"
#include "tests/support/host_pool.h"
#include "tests/support/program.h"

/* The memory of a sanitizer cannot be limited. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

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
