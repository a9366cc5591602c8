/* SPDX-License-Identifier: MIT
 *
 * Story: the program that opened the pool is gone; one second later nothing of the pool is alive.
 *
 * The program is support/host.c. The test is the reaper of all that the host leaves, and looks at
 * it from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fixture.h"
#include "tests/support/number.h"
#include "tests/support/tree.h"

/* What the design promises, so it is what the test asserts: not a guess at how long it takes. */
#define PROMISED_MS 1000

struct host {
	pid_t pid;
	int input, output;
	pid_t keeper, child; /* as it said; 0: none */
};

static struct host host;
static struct watch pool;

static void host_start(const char *state, const char *argument) {
	const char *program = getenv("HOST");
	char *const arguments[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)state,
				    (char *)(uintptr_t)argument, NULL };
	posix_spawn_file_actions_t actions;
	int input[2], output[2];

	ck_assert_ptr_nonnull(program);
	ck_assert_int_eq(pipe2(input, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	ck_assert_int_eq(posix_spawn(&host.pid, program, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(input[0]);
	close(output[1]);
	host.input = input[1];
	host.output = output[0];
}

/* A line of at most `size - 1` bytes. */
static void read_line(int fd, char *line, size_t size) {
	size_t n = 0;
	char byte = '\0';

	while (n < size - 1 && byte != '\n') {
		struct pollfd event = { .fd = fd, .events = POLLIN };

		ck_assert_msg(poll(&event, 1, FIXTURE_CAP_MS) == 1, "no word from the host");
		if (read(fd, &byte, 1) != 1)
			break;
		line[n++] = byte;
	}
	line[n] = '\0';
}

/* Waits for "ready KEEPER CHILD" and records who belongs to the pool. */
static void host_await_ready(void) {
	const char *rest;
	char line[128];

	read_line(host.output, line, sizeof line);
	ck_assert_msg(strncmp(line, "ready ", 6) == 0, "the host said: %s", line);
	host.keeper = (pid_t)number_at(line + 6, &rest);
	host.child = (pid_t)number_at(rest, NULL);
	ck_assert_int_gt(host.keeper, 0);
	watch_pool(&pool, host.keeper);
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
	close(host.input);
	close(host.output);
}

/* The end of its input, and a good end. */
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

START_TEST(test_host_killed_while_its_pool_is_stopped) {
	host_start("running", NULL);
	host_await_ready();
	for (size_t i = 0; i < pool.n; i++) {
		if (pool.items[i].pid != host.keeper &&
		    pool.items[i].pid != process_parent(host.keeper))
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
	ck_assert_int_eq(kill(host.keeper, SIGKILL), 0);
	host_kill();
	check_pool_is_gone();
	host_close();
}
END_TEST

START_TEST(test_host_killed_with_a_forked_child_of_its_own) {
	siginfo_t info;

	host_start("child", NULL);
	host_await_ready();
	ck_assert_int_gt(host.child, 0);
	host_kill();
	check_pool_is_gone();
	ck_assert_int_eq(process_is_alive(host.child), true);
	ck_assert_int_eq(kill(host.child, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)host.child, &info, WEXITED), 0);
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
	read_line(fd, line, sizeof line);
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
	ck_assert_int_eq(write(host.input, "x", 1), 1);
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
	host_leave(); /* it works until the end, which is a good one */
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
	tcase_add_test(story, test_host_killed_while_its_pool_is_stopped);
	tcase_add_test(story, test_host_killed_together_with_the_keeper);
	tcase_add_test(story, test_host_killed_with_a_forked_child_of_its_own);
	tcase_add_test(story, test_host_killed_while_the_preload_hangs);
	tcase_add_test(story, test_host_executes_something_else);
	tcase_add_test(story, test_host_whose_opening_thread_has_ended);
	tcase_add_test(story, test_host_ended_by_sigterm);
	return fixture_run("orphans", story);
}
