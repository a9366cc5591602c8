/* SPDX-License-Identifier: MIT
 *
 * zygote/child: what children do, those too that have made this process their tracer. A child ends
 * or waits by itself; a test waits for what the kernel tells of it, never for time.
 */
#include "zygote/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/support/fixture.h"

/* Runs `run` in a child. */
static pid_t child_run(void (*run)(void)) {
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		run();
		_exit(99);
	}
	return pid;
}

/* Blocks until `pid` is in one of the states or waits for its tracer, and leaves it so. */
static int await_state(pid_t pid, int options) {
	siginfo_t info = { 0 };

	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, options | WNOWAIT | __WALL), 0);
	return info.si_code;
}

/* Resumes the tracee each time that it waits for its tracer, until it ends. */
static struct exit_status await_end(pid_t pid) {
	struct exit_status status = { 0 };
	int r;

	do {
		(void)await_state(pid, WEXITED);
		r = child_look(pid, &status);
	} while (r == CHILD_RUNS);
	ck_assert_int_eq(r, CHILD_ENDED);
	ck_assert_int_eq(process_reap(pid, NULL), 0);
	return status;
}

/* --- ordinary children --------------------------------------------------------------------- */

static void exits(void) {
	_exit(3);
}

static void waits(void) {
	for (;;)
		(void)pause();
}

START_TEST(test_nobody_is_echild) {
	pid_t pid;

	ck_assert_int_eq(child_next(true, &pid), -ECHILD);
	ck_assert_int_eq(child_look(getppid(), NULL), -ECHILD);
	ck_assert_int_eq(child_has_ended(getppid(), NULL), -ECHILD);
	ck_assert(!child_exists());
}
END_TEST

START_TEST(test_the_dead_are_left_to_be_reaped) {
	struct exit_status status = { 0 };
	pid_t pid = child_run(exits), seen = 0;

	(void)await_state(pid, WEXITED);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(child_next(false, &seen), 1);
		ck_assert_int_eq(seen, pid);
		ck_assert_int_eq(child_has_ended(pid, NULL), 1);
		ck_assert_int_eq(child_look(pid, &status), CHILD_ENDED);
		ck_assert(child_exists());
	}
	ck_assert(status.exited);
	ck_assert_int_eq(status.code, 3);
	ck_assert_uint_gt(status.peak_rss, 4096);
	ck_assert_int_eq(process_reap(pid, &status), 0);
	ck_assert_int_eq(status.code, 3);
	ck_assert(!child_exists());
}
END_TEST

START_TEST(test_changes_are_told_once) {
	pid_t pid = child_run(waits), seen = 0;

	ck_assert_int_eq(child_next(true, &seen), 0);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	(void)await_state(pid, WSTOPPED);
	ck_assert_int_eq(child_next(false, &seen), 0);
	ck_assert_int_eq(child_has_ended(pid, NULL), 0);
	ck_assert_int_eq(child_next(true, &seen), 1);
	ck_assert_int_eq(seen, pid);
	ck_assert_int_eq(child_look(pid, NULL), CHILD_STOPPED);
	ck_assert_int_eq(child_next(true, &seen), 0);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	(void)await_state(pid, WCONTINUED);
	ck_assert_int_eq(child_look(pid, NULL), CHILD_WENT_ON);
	ck_assert_int_eq(child_look(pid, NULL), CHILD_RUNS);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(await_end(pid).signal, SIGKILL);
}
END_TEST

/* --- children that are traced -------------------------------------------------------------- */

static void trace_me(void) {
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(98);
}

static void traced_dies(void) {
	trace_me();
	(void)raise(SIGUSR1);
}

static void on_signal(int number) {
	(void)number;
}

static void traced_handles(void) {
	(void)signal(SIGUSR1, on_signal);
	trace_me();
	(void)raise(SIGUSR1);
	_exit(4);
}

/* It waits to be told to end: what a child did before it ended cannot be asked for any more. */
static void traced_stops(void) {
	sigset_t set;
	int number;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	trace_me();
	(void)raise(SIGSTOP);
	(void)sigwait(&set, &number);
	_exit(5);
}

static void traced_executes(void) {
	char name[] = "true", *const arguments[] = { name, NULL };

	trace_me();
	(void)execv("/bin/true", arguments);
}

static void traced_traps(void) {
	trace_me();
	(void)raise(SIGTRAP);
}

static void traced_exits(void) {
	trace_me();
	_exit(6);
}

static void traced_again_and_again(void) {
	(void)signal(SIGUSR1, on_signal);
	for (int i = 0; i < 100; i++) {
		trace_me();
		(void)raise(SIGUSR1);
	}
	_exit(7);
}

static const struct {
	void (*run)(void);
	int code, signal;
} traced[] = {
	{ traced_dies, 0, SIGUSR1 },  { traced_handles, 4, 0 }, { traced_executes, 0, 0 },
	{ traced_traps, 0, SIGTRAP }, { traced_exits, 6, 0 },   { traced_again_and_again, 7, 0 },
};

START_TEST(test_a_tracee_ends_as_without_a_tracer) {
	struct exit_status status = await_end(child_run(traced[_i].run));

	ck_assert_int_eq(status.code, traced[_i].code);
	ck_assert_int_eq(status.signal, traced[_i].signal);
}
END_TEST

START_TEST(test_a_tracee_stops_as_without_a_tracer) {
	pid_t pid = child_run(traced_stops);

	ck_assert_int_eq(await_state(pid, WSTOPPED), CLD_TRAPPED);
	ck_assert_int_eq(child_has_ended(pid, NULL), 0);
	ck_assert_int_eq(child_look(pid, NULL), CHILD_RUNS);
	ck_assert_int_eq(await_state(pid, WSTOPPED), CLD_STOPPED);
	ck_assert_int_eq(child_look(pid, NULL), CHILD_STOPPED);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	(void)await_state(pid, WCONTINUED);
	ck_assert_int_eq(child_look(pid, NULL), CHILD_WENT_ON);
	ck_assert_int_eq(kill(pid, SIGUSR1), 0);
	ck_assert_int_eq(await_end(pid).code, 5);
}
END_TEST

/* A tracee comes first; who ended behind it is seen all the same. */
START_TEST(test_a_tracee_does_not_hide_others) {
	pid_t waiting = child_run(traced_dies), ended, seen = 0;

	(void)await_state(waiting, WSTOPPED);
	ended = child_run(exits);
	(void)await_state(ended, WEXITED);
	ck_assert_int_eq(child_next(true, &seen), 1);
	ck_assert_int_eq(seen, waiting);
	ck_assert_int_eq(child_look(waiting, NULL), CHILD_RUNS);
	(void)await_state(waiting, WEXITED);
	ck_assert_int_eq(child_look(waiting, NULL), CHILD_ENDED);
	ck_assert_int_eq(process_reap(waiting, NULL), 0);
	ck_assert_int_eq(child_next(true, &seen), 1);
	ck_assert_int_eq(seen, ended);
	ck_assert_int_eq(await_end(ended).code, 3);
}
END_TEST

/* What cannot be detached, since it has been killed in that moment, does not come back for ever. */
START_TEST(test_a_killed_tracee_ends) {
	pid_t pid = child_run(traced_stops);

	(void)await_state(pid, WSTOPPED);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(await_end(pid).signal, SIGKILL);
}
END_TEST

static void *thread_traced(void *unused) {
	(void)signal(SIGUSR1, on_signal);
	trace_me();
	(void)syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	return unused;
}

/* Its tracer is the parent of the process, and a traced thread that ends is the tracer's to
 * reap. */
static void has_traced_thread(void) {
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_traced, NULL) == 0)
		(void)pthread_join(thread, NULL);
	_exit(8);
}

static void *thread_traced_executes(void *unused) {
	traced_executes();
	return unused;
}

/* The program takes the place of the first thread. */
static void has_thread_that_executes(void) {
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_traced_executes, NULL) == 0)
		(void)pthread_join(thread, NULL);
}

static int leader_lives = 1; /* the kernel clears it: set_tid_address(2) */

static void *thread_exits(void *nothing) {
	while (__atomic_load_n(&leader_lives, __ATOMIC_SEQ_CST))
		(void)syscall(SYS_futex, &leader_lives, FUTEX_WAIT, 1, NULL);
	(void)nothing;
	_exit(0);
}

/* The first thread is a zombie while another one lives. */
static void leader_leaves(void) {
	pthread_t thread;

	(void)syscall(SYS_set_tid_address, &leader_lives);
	if (pthread_create(&thread, NULL, thread_exits, NULL) == 0)
		(void)syscall(SYS_exit, 0);
}

static void handle_all(pid_t pid, struct exit_status *ret) {
	siginfo_t info = { 0 };
	pid_t seen;

	for (;;) {
		ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | __WALL), 0);
		ck_assert_int_eq(child_next(false, &seen), 1);
		if (child_look(seen, ret) != CHILD_ENDED)
			continue;
		ck_assert_int_eq(child_is_thread(seen), seen != pid);
		ck_assert_int_eq(process_reap(seen, NULL), 0);
		if (seen == pid)
			return;
	}
}

static const struct {
	void (*run)(void);
	int code;
} threaded[] = {
	{ has_traced_thread, 8 },
	{ has_thread_that_executes, 0 },
	{ leader_leaves, 0 },
};

START_TEST(test_threads_of_a_child_come_to_an_end) {
	struct exit_status status = { 0 };

	handle_all(child_run(threaded[_i].run), &status);
	ck_assert(status.exited);
	ck_assert_int_eq(status.code, threaded[_i].code);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("child");

	tcase_add_test(test_case, test_nobody_is_echild);
	tcase_add_test(test_case, test_the_dead_are_left_to_be_reaped);
	tcase_add_test(test_case, test_changes_are_told_once);
	tcase_add_loop_test(test_case, test_a_tracee_ends_as_without_a_tracer, 0,
			    sizeof traced / sizeof traced[0]);
	tcase_add_test(test_case, test_a_tracee_stops_as_without_a_tracer);
	tcase_add_test(test_case, test_a_tracee_does_not_hide_others);
	tcase_add_test(test_case, test_a_killed_tracee_ends);
	tcase_add_loop_test(test_case, test_threads_of_a_child_come_to_an_end, 0,
			    sizeof threaded / sizeof threaded[0]);
	return fixture_run("child", test_case);
}
