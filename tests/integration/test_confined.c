/* SPDX-License-Identifier: MIT
 *
 * Story: limits of a policy, each as its task meets it and as its outcome tells it; and the pool
 * around a sandbox when processes of it die: what runs goes on, what is left behind goes, and
 * nobody waits for an answer that cannot come.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/look.h"
#include "tests/support/more.h"
#include "tests/support/number.h"
#include "tests/support/program.h"
#include "tests/support/sandboxed.h"

#define KIB 1024
#define MIB ((intmax_t)1048576)

static bool is_in_force(const struct wf_outcome *outcome, const char *layer) {
	const char *missing = strstr(outcome->layers, "not in force");
	const char *found = strstr(outcome->layers, layer);

	return found != NULL && (missing == NULL || found < missing);
}

/* --- limits --- */

START_TEST(test_wall_limit) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("pure", "limits.wall", "100ms", NULL));
	struct wf_future *future = pool_call(executor, "try", "hang");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_timed_out(outcome, WF_CLOCK_RUN);
	ck_assert_uint_ge(outcome->run_ns, 100000000);
	ck_assert_uint_eq(outcome->timed_out.limit_ns, 100000000);
	ck_assert_ptr_nonnull(strstr(outcome->evidence, "limits.wall"));
	wf_future_free(future);
	expect_steps(executor, "privileges", "1");
	pool_close(executor);
}
END_TEST

START_TEST(test_cpu_limit) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("pure", "limits.cpu", "1s", NULL));
	struct wf_future *future = pool_call(executor, "try", "spin 60000");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_timed_out(outcome, WF_CLOCK_CPU);
	ck_assert_uint_eq(outcome->timed_out.limit_ns, 1000000000);
	ck_assert_uint_eq(outcome->timed_out.took_ns, outcome->cpu_ns);
	ck_assert_uint_ge(outcome->cpu_ns, 500000000); /* the limit is counted in ticks */
	wf_future_free(future);
	expect_steps(executor, "spin 10", "ok");
	pool_close(executor);
}
END_TEST

/* Where there is a control group, the kernel kills the task; elsewhere its allocation fails. */
START_TEST(test_memory_limit) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("pure", "limits.memory", "64M", NULL));
	struct wf_future *future = pool_call(executor, "try", "allocate 16; allocate 256");
	const struct wf_outcome *outcome = pool_wait(future);

	if (is_in_force(outcome, "cgroup")) {
		expect_kind(outcome, WF_MEMORY_LIMIT);
		ck_assert_uint_eq(outcome->memory_limit.limit, 64 * MIB);
		ck_assert_ptr_nonnull(strstr(outcome->evidence, "oom_kill"));
	} else {
		expect_text(outcome, "ok;ENOMEM");
	}
	wf_future_free(future);
	expect_steps(executor, "allocate 16", "ok");
	pool_close(executor);
}
END_TEST

/* Memory that two processes map, where nothing else would count it. */
START_TEST(test_memory_limit_and_a_large_result) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("pure", "limits.memory", "64M", NULL));
	struct wf_future *future = pool_call(executor, "big", "3000000");
	const struct wf_outcome *outcome = pool_wait(future);

	/* without a group that counts it, there is no such memory, as policy.h says */
	if (is_in_force(outcome, "cgroup")) {
		expect_kind(outcome, WF_RETURNED);
		ck_assert_uint_eq(outcome->returned.size, 3000000);
	} else {
		expect_kind(outcome, WF_FAILED);
		ck_assert_int_eq(outcome->failed.code, ENOMEM);
	}
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

static void kill_task(struct wf_future *future) {
	struct wf_process process = { .size = sizeof process };

	ck_assert_int_eq(wf_future_process(future, &process), 0);
	ck_assert_int_eq(kill(process.pid, SIGKILL), 0);
}

/* The counter has moved for a child of an earlier task: that is no evidence for this end. */
START_TEST(test_evidence_of_an_earlier_task) {
	struct wf_executor *executor = sandboxed_open(
	    _i, policy_of("stage", "calls", "processes", "limits.memory", "64M", NULL));
	struct wf_future *future = pool_call(executor, "try", "allocate_in_child 256");
	const bool told = is_in_force(pool_wait(future), "cgroup");
	struct wf_task task = WF_TASK(.function = "try", .input = "report; hang", .input_size = 12);
	struct cord cord;

	if (told)
		expect_text(pool_wait(future), "killed");
	else
		(void)program_skipped("evidence", "there is no control group that counts");
	wf_future_free(future);
	if (!told && POOL_SANITIZED) { /* whose runtime needs more than the limit of a process */
		pool_close(executor);
		return;
	}
	cord_open(&cord);
	future = cord_submit(&cord, executor, &task);
	cord_expect(&cord, "at");
	kill_task(future);
	expect_signalled(pool_wait(future), SIGKILL);
	ck_assert_ptr_nonnull(
	    strstr(pool_wait(future)->evidence, "which this library did not send"));
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* Each worker has this limit for itself. */
START_TEST(test_limit_of_processes) {
	struct wf_policy *policy = policy_of("stage", "limits.processes", "8", NULL);
	struct wf_executor_options options = sandboxed_options(_i, policy);
	struct wf_executor *executor;
	struct wf_future *future, *other;

	options.workers = 2;
	executor = pool_open(&options);
	wf_policy_free(policy);
	future = pool_call(executor, "try", "crowd 100");
	other = pool_call(executor, "try", "crowd 100");
	expect_text(pool_wait(future), "7");
	expect_text(pool_wait(other), "7");
	wf_future_free(future);
	wf_future_free(other);
	expect_steps(executor, "crowd 100; crowd 3", "7;3");
	pool_close(executor);
}
END_TEST

START_TEST(test_limit_of_descriptors) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("pure", "limits.descriptors", "32", NULL));
	char said[64], steps[64];

	snprintf(steps, sizeof steps, "descriptors 100; limit %d", RLIMIT_NOFILE);
	sandboxed_ask(executor, steps, said, sizeof said);
	ck_assert_int_gt(number_at(said, NULL), 16);
	ck_assert_int_lt(number_at(said, NULL), 30);
	ck_assert_ptr_nonnull(strstr(said, ";32"));
	pool_close(executor);
}
END_TEST

START_TEST(test_limit_of_file_size) {
	struct wf_executor *executor;
	char steps[600];

	scratch_make_directory("out");
	executor = sandboxed_open(
	    _i, policy_of("pure", "write", scratch_path("out"), "limits.file_size", "64K", NULL));
	snprintf(steps, sizeof steps, "fill %s 100000; fill %s 1000", scratch_path("out/large"),
		 scratch_path("out/small"));
	expect_steps(executor, steps, "65536 EFBIG;1000");
	pool_close(executor);
}
END_TEST

START_TEST(test_limit_of_output) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("pure", "limits.output", "1K", NULL));
	const struct wf_context context = pool_capturing();
	struct wf_future *future = pool_call_in(executor, "try", "output 2 5000; hang", &context);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_OUTPUT_LIMIT);
	ck_assert_int_eq(outcome->output_limit.stream, 2);
	ck_assert_uint_eq(outcome->output_limit.limit, KIB);
	ck_assert_uint_eq(outcome->standard_error.size, KIB);
	wf_future_free(future);
	future = pool_call_in(executor, "try", "output 1 1000; output 2 1000", &context);
	expect_text(pool_wait(future), "ok;ok");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* Each worker has a scratch directory of its own, which the host does not see. */
START_TEST(test_limit_of_scratch) {
	struct wf_policy *policy = policy_of("stage", "limits.scratch", "1M", NULL);
	struct wf_executor_options options = sandboxed_options(_i, policy);
	static struct cord cord;
	struct wf_executor *executor;
	struct wf_future *first;
	char steps[256], name[64], said[256];

	options.workers = 2;
	executor = pool_open(&options);
	wf_policy_free(policy);
	snprintf(name, sizeof name, "/tmp/warmfork-%d", (int)getpid());
	snprintf(steps, sizeof steps, "write %s mine; report; wait; read %s", name, name);
	cord_open(&cord);
	first = cord_call(&cord, executor, "try", steps);
	cord_expect(&cord, "at");
	ck_assert_int_ne(access(name, F_OK), 0);
	snprintf(steps, sizeof steps, "look %s; fill %s 4000000", name, name);
	sandboxed_ask(executor, steps, said, sizeof said);
	ck_assert_msg(strncmp(said, "ENOENT;", 7) == 0, "%s", said);
	ck_assert_ptr_nonnull(strstr(said, " ENOSPC"));
	ck_assert_int_le(number_at(said + 7, NULL), MIB);
	cord_release(&cord);
	expect_text(pool_wait(first), "ok;ok;ok;mine");
	wf_future_free(first);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- what is left behind --- */

/* Watches the processes below the zygote that it has not forked itself. */
static void watch_left(struct wf_executor *executor, struct watch *left) {
	const pid_t zygote = pool_statistics(executor).zygote_pid;
	static struct watch all;

	watch_tree(&all, zygote);
	for (size_t i = 0; i < all.n; i++)
		if (all.items[i].pid != zygote && process_parent(all.items[i].pid) != zygote)
			watch_add(left, all.items[i].pid);
	watch_clear(&all);
}

static pid_t worker_of(struct wf_future *future) {
	struct wf_process process = { .size = sizeof process };

	ck_assert_int_eq(wf_future_process(future, &process), 0);
	ck_assert_int_gt(process.pid, 0);
	ck_assert_int_eq(process.stopped, false);
	return process.pid;
}

/* The task returns, or ends by a signal: either way its daemon goes. */
START_TEST(test_daemon_is_swept) {
	const bool returns = _i / 2 == 0;
	struct wf_executor *executor = sandboxed_open(_i % 2, policy_of("stage", NULL));
	static struct watch left;
	static struct cord cord;
	struct wf_future *future;

	cord_open(&cord);
	future = cord_call(&cord, executor, "try",
			   returns ? "daemon; report; wait" : "daemon; report; wait; raise 9");
	cord_expect(&cord, "at");
	ck_assert_int_gt(worker_of(future), 0);
	watch_left(executor, &left);
	ck_assert_msg(left.n == 1, "not one daemon but %zu: %s", left.n, watch_describe(&left));
	cord_release(&cord);
	if (returns)
		expect_text(pool_wait(future), "ok;ok;ok");
	else
		expect_signalled(pool_wait(future), SIGKILL);
	expect_ended(&left);
	watch_clear(&left);
	expect_steps(executor, "fork", "exit 7");
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* --- when processes of the pool die --- */

static bool is_of_a_pool(pid_t pid) {
	static const char *const names[] = { "init", "worker ", "zygote ", "keeper" };
	char path[64], name[32] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, name, sizeof name - 1) < 0)
		name[0] = '\0';
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < N_OF(names); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The init of a pid namespace ends when all in it have been reaped, and those whose parents are
 * dead have come to us; what is neither watched nor of a pool is the library's to reap. */
static void reap_adopted(const struct watch *watch) {
	siginfo_t info = { 0 };
	bool ours;

	do {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		ours = is_of_a_pool(info.si_pid);
		for (size_t i = 0; i < watch->n; i++)
			ours |= watch->items[i].pid == info.si_pid;
		if (ours)
			(void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
	} while (ours);
}

static void expect_reaped(const struct watch *watch) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	do
		reap_adopted(watch);
	while (watch_alive(watch) > 0 && look_again(&look));
	expect_ended(watch);
}

static void watch_init(struct wf_executor *executor, struct watch *init) {
	static struct watch all;

	watch_tree(&all, pool_statistics(executor).zygote_pid);
	for (size_t i = 0; i < all.n; i++)
		if (strcmp(all.items[i].name, "init") == 0)
			watch_add(init, all.items[i].pid);
	watch_clear(&all);
	ck_assert_uint_eq(init->n, 1);
}

/* Its worker goes on in its namespace, whose init waits for it; and is told of what it is
 * refused. */
START_TEST(test_sandboxed_task_outlives_its_zygote) {
	static const char *const policies[] = { "stage", "pure" };
	struct wf_policy *policy = policy_of(policies[_i / 2], "on_refusal", "continue", NULL);
	struct wf_executor *executor = sandboxed_open(_i % 2, policy);
	static struct watch init;
	static struct cord cord;
	struct wf_future *future;

	cord_open(&cord);
	future = cord_call(&cord, executor, "try", "report; wait; socket 16; capabilities");
	cord_expect(&cord, "at");
	watch_init(executor, &init);
	pool_end_process(pool_statistics(executor).zygote_pid);
	pool_await(executor, pool_has_second_zygote);
	expect_running(future);
	ck_assert_uint_eq(watch_alive(&init), 1);
	cord_release(&cord);
	expect_text(pool_wait(future), "ok;ok;EPERM;0");
	ck_assert_uint_eq(wf_future_outcome(future)->n_refusals, 1);
	expect_steps(executor, "capabilities; ppid", "0;0");
	wf_future_free(future);
	expect_ended(&init);
	watch_clear(&init);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_keeper_takes_sandboxed_tasks_along) {
	struct wf_executor *executor = sandboxed_open(_i, policy_of("stage", NULL));
	static struct watch pool;
	static struct cord cord;
	struct wf_future *future;

	cord_open(&cord);
	future = cord_call(&cord, executor, "try", "daemon; report; hang");
	cord_expect(&cord, "at");
	pool_watch(executor, &pool);
	ck_assert_uint_ge(pool.n, 5); /* keeper, zygote, init, worker, daemon */
	pool_end_process(pool_statistics(executor).keeper_pid);
	expect_reaped(&pool);
	watch_clear(&pool);
	expect_kind(pool_wait(future), WF_ZYGOTE_LOST);
	expect_steps(executor, "capabilities", "0");
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
	fixture_reap_adopted();
}
END_TEST

START_TEST(test_task_that_is_always_refused_can_be_killed) {
	struct wf_executor *executor;
	static struct cord cord;
	struct wf_future *future;
	char steps[600];

	scratch_write("secret", "secret");
	executor = sandboxed_open(_i, policy_of("stage", NULL));
	snprintf(steps, sizeof steps, "report; again %s", scratch_path("secret"));
	cord_open(&cord);
	future = cord_call(&cord, executor, "try", steps);
	cord_expect(&cord, "at");
	ck_assert_int_eq(wf_future_kill(future, WF_NO_GRACE), 0);
	expect_killed(pool_wait(future), WF_BY_CALLER);
	wf_future_free(future);
	expect_steps(executor, "capabilities", "0");
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* A program of its own, with the listener in it: says "keeper PID", and its task "at PID" before it
 * is refused without end. */
static _Noreturn void host_run(int regime, const char *path, int say) {
	struct wf_statistics statistics = { .size = sizeof statistics };
	struct wf_policy *policy = NULL;
	struct wf_executor_options options;
	const struct wf_context context = WF_CONTEXT(.descriptors = &say, .n_descriptors = 1);
	char steps[600];
	struct wf_task task = WF_TASK(.function = "try", .input = steps, .context = &context);
	struct wf_executor *executor;

	snprintf(steps, sizeof steps, "socket 16; report; again %s", path);
	task.input_size = strlen(steps);
	if (wf_policy_new("stage", &policy) < 0)
		_exit(1);
	options = sandboxed_options(regime, policy);
	if (wf_executor_open(&options, &executor) < 0 ||
	    wf_executor_statistics(executor, &statistics) < 0)
		_exit(2);
	dprintf(say, "keeper %d\n", (int)statistics.keeper_pid);
	if (wf_submit(executor, &task, NULL) < 0)
		_exit(3);
	for (;;)
		pause();
}

/* Stopped in the middle of it all, so that the task waits for its answer; then killed. */
START_TEST(test_nobody_answers_any_more) {
	static struct watch pool;
	char line[64];
	int say[2];
	pid_t host, keeper;

	scratch_write("secret", "secret");
	ck_assert_int_eq(pipe2(say, O_CLOEXEC), 0);
	host = fork();
	if (host == 0)
		host_run(_i, scratch_path("secret"), say[1]);
	close(say[1]);
	program_read_line(say[0], line, sizeof line);
	ck_assert_msg(strncmp(line, "keeper ", 7) == 0, "the host said: %s", line);
	keeper = (pid_t)number_at(line + 7, NULL);
	program_read_line(say[0], line, sizeof line);
	ck_assert_msg(strncmp(line, "at ", 3) == 0, "the task said: %s", line);
	ck_assert_int_eq(kill(host, SIGSTOP), 0);
	watch_add(&pool, host);
	watch_pool(&pool, keeper);
	ck_assert_uint_ge(pool.n, 6); /* host, guard, keeper, zygote, init, worker */
	ck_assert_int_eq(kill(host, SIGKILL), 0);
	expect_reaped(&pool);
	watch_clear(&pool);
	close(say[0]);
	fixture_reap_adopted();
}
END_TEST

static void add_tests(TCase *story) {
	add_for_both(story, test_wall_limit);
	add_for_both(story, test_cpu_limit);
	if (!POOL_SANITIZED) {
		add_for_both(story, test_memory_limit);
		add_for_both(story, test_memory_limit_and_a_large_result);
	} else {
		program_skipped("limits of memory", "the sanitizer's shadow is memory too");
	}
	add_for_both(story, test_evidence_of_an_earlier_task);
	add_for_both(story, test_limit_of_processes);
	add_for_both(story, test_limit_of_descriptors);
	add_for_both(story, test_limit_of_file_size);
	add_for_both(story, test_limit_of_output);
	add_for_both(story, test_limit_of_scratch);
	tcase_add_loop_test(story, test_daemon_is_swept, 0, 4);
	tcase_add_loop_test(story, test_sandboxed_task_outlives_its_zygote, 0, 4);
	add_for_both(story, test_keeper_takes_sandboxed_tasks_along);
	add_for_both(story, test_task_that_is_always_refused_can_be_killed);
	add_for_both(story, test_nobody_answers_any_more);
}

int main(int argc, char **argv) {
	(void)argc;
	return sandboxed_main(argv, "confined", add_tests);
}
