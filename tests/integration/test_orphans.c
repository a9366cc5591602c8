/* SPDX-License-Identifier: MIT
 *
 * Story: the program that opened the pool is gone; one second later nothing of the pool is alive.
 *
 * The program is support/host.c. The test is the reaper of all that the host leaves, and looks at
 * it from outside.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fixture.h"
#include "tests/support/number.h"
#include "tests/support/program.h"
#include "tests/support/tree.h"

/* What the design promises, so it is what the test asserts: not a guess at how long it takes. */
#define PROMISED_MS 1000

static struct program host;
static pid_t keeper, child; /* as the host said; 0: it has no child */
static struct watch pool;

static void host_start(const char *state, const char *argument) {
	host = program_start(getenv("HOST"), (const char *const[]){ state, argument, NULL });
}

/* Waits for "ready KEEPER CHILD" and records who belongs to the pool. */
static void host_await_ready(void) {
	const char *rest;
	char line[128];

	program_read_line(host.out, line, sizeof line);
	ck_assert_msg(strncmp(line, "ready ", 6) == 0, "the host said: %s", line);
	keeper = (pid_t)number_at(line + 6, &rest);
	child = (pid_t)number_at(rest, NULL);
	ck_assert_int_gt(keeper, 0);
	watch_pool(&pool, keeper);
	ck_assert_uint_ge(pool.n, 2);
	ck_assert_uint_eq(watch_alive(&pool), pool.n);
}

static void host_kill(void) {
	siginfo_t info;

	ck_assert_int_eq(kill(host.pid, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)host.pid, &info, WEXITED), 0);
}

static void check_pool_is_gone(void) {
	size_t left = watch_await_end(&pool, PROMISED_MS);

	ck_assert_msg(left == 0, "a second later: %s", watch_describe(&pool));
	fixture_reap_adopted();
	watch_clear(&pool);
}

static void host_close(void) {
	close(host.in);
	close(host.out);
}

/* Ends its input, and expects it to leave in good order. */
static void host_leave(void) {
	siginfo_t info = { 0 };

	host_close();
	ck_assert_int_eq(waitid(P_PID, (id_t)host.pid, &info, WEXITED), 0);
	ck_assert_int_eq(info.si_code, CLD_EXITED);
	ck_assert_int_eq(info.si_status, 0);
}

START_TEST(test_host_killed_while_idle) {
	host_start("idle", NULL);
	host_await_ready();
	host_kill();
	check_pool_is_gone();
	host_close();
}
END_TEST

START_TEST(test_host_killed_while_tasks_run) {
	host_start("running", NULL);
	host_await_ready();
	ck_assert_uint_ge(pool.n, 7); /* guard, keeper, zygote, two workers, two daemons */
	host_kill();
	check_pool_is_gone();
	host_close();
}
END_TEST

/* All but the guard, and in the first round the keeper. */
START_TEST(test_host_killed_while_its_pool_is_stopped) {
	const bool keeper_too = _i == 1;

	host_start("running", NULL);
	host_await_ready();
	for (size_t i = 0; i < pool.n; i++) {
		if ((keeper_too || pool.items[i].pid != keeper) &&
		    pool.items[i].pid != process_parent(keeper))
			ck_assert_int_eq(kill(pool.items[i].pid, SIGSTOP), 0);
	}
	host_kill();
	check_pool_is_gone();
	host_close();
}
END_TEST

START_TEST(test_host_killed_together_with_the_keeper) {
	host_start("running", NULL);
	host_await_ready();
	ck_assert_int_eq(kill(keeper, SIGKILL), 0);
	host_kill();
	check_pool_is_gone();
	host_close();
}
END_TEST

START_TEST(test_host_killed_with_a_forked_child_of_its_own) {
	siginfo_t info;

	host_start("child", NULL);
	host_await_ready();
	ck_assert_int_gt(child, 0);
	host_kill();
	check_pool_is_gone();
	ck_assert_int_eq(process_is_alive(child), true);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED), 0);
	host_close();
}
END_TEST

START_TEST(test_host_killed_while_the_preload_hangs) {
	char fifo[300], argument[512], line[128];
	pid_t zygote;
	int fd;

	snprintf(fifo, sizeof fifo, "%s/fifo", fixture_scratch());
	snprintf(argument, sizeof argument, "hang %s", fifo);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDWR | O_CLOEXEC);
	host_start("hang", argument);
	program_read_line(fd, line, sizeof line);
	ck_assert_msg(strncmp(line, "hung ", 5) == 0, "the preload said: %s", line);
	zygote = (pid_t)number_at(line + 5, NULL);
	watch_pool(&pool, process_parent(zygote));
	ck_assert_uint_eq(pool.n, 3); /* guard, keeper, zygote */
	ck_assert_uint_eq(watch_alive(&pool), 3);
	host_kill();
	check_pool_is_gone();
	close(fd);
	host_close();
}
END_TEST

START_TEST(test_host_executes_something_else) {
	host_start("running", NULL);
	host_await_ready();
	ck_assert_int_eq(write(host.in, "x", 1), 1);
	/* the promise counts from the exec: the pool cannot end before it */
	ck_assert_uint_eq(watch_await_end(&pool, FIXTURE_CAP_MS), 0);
	watch_clear(&pool);
	ck_assert_int_eq(process_is_alive(host.pid), true);
	host_leave();
	fixture_reap_adopted();
}
END_TEST

START_TEST(test_host_whose_opening_thread_has_ended) {
	host_start("thread", NULL);
	host_await_ready();
	ck_assert_uint_eq(watch_alive(&pool), pool.n);
	host_leave(); /* it works until it leaves in good order */
	ck_assert_uint_eq(watch_alive(&pool), 0);
	fixture_reap_adopted(); /* the keeper is no child of the host */
	watch_clear(&pool);
}
END_TEST

START_TEST(test_host_ended_by_sigterm) {
	host_start("idle", NULL);
	host_await_ready();
	ck_assert_int_eq(kill(host.pid, SIGTERM), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)host.pid, &(siginfo_t){ 0 }, WEXITED), 0);
	check_pool_is_gone();
	host_close();
}
END_TEST

int main(void) {
	TCase *story = fixture_case("orphans");

	tcase_add_test(story, test_host_killed_while_idle);
	tcase_add_test(story, test_host_killed_while_tasks_run);
	tcase_add_loop_test(story, test_host_killed_while_its_pool_is_stopped, 0, 2);
	tcase_add_test(story, test_host_killed_together_with_the_keeper);
	tcase_add_test(story, test_host_killed_with_a_forked_child_of_its_own);
	tcase_add_test(story, test_host_killed_while_the_preload_hangs);
	tcase_add_test(story, test_host_executes_something_else);
	tcase_add_test(story, test_host_whose_opening_thread_has_ended);
	tcase_add_test(story, test_host_ended_by_sigterm);
	return fixture_run("orphans", story);
}
