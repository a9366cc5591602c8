/* SPDX-License-Identifier: MIT
 *
 * base/process: ends and children as the kernel tells them. Children wait on a pipe, never
 * on a clock: closing its write end lets them go.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/support/fixture.h"

/* A child that lives until the returned gate is closed, and then exits with `code`. */
static pid_t child_start(int code, int *ret_gate) {
	int ends[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fd_close_others(ends, 1); /* the gates of other children too */
		_exit(read(ends[0], &byte, 1) == 0 ? code : 99);
	}
	close(ends[0]);
	*ret_gate = ends[1];
	return pid;
}

static pid_t child_exit(int code) {
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(code);
	return pid;
}

/* A descendant that is `depth` generations away; it lives until the gate is closed. */
static pid_t descendant_start(int depth, int *ret_gate) {
	int gate[2], number[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(number, O_CLOEXEC), 0);
	for (int i = 0; i < depth; i++) {
		pid = fork();
		if (pid == 0)
			continue;
		if (i == 0)
			break;
		close(gate[1]);
		close(number[1]);
		(void)process_reap(pid, NULL);
		_exit(0);
	}
	if (pid == 0) {
		pid = getpid();
		close(gate[1]);
		_exit(write(number[1], &pid, sizeof pid) == sizeof pid &&
			      read(gate[0], &byte, 1) == 0
			  ? 0
			  : 99);
	}
	ck_assert_int_eq(read(number[0], &pid, sizeof pid), sizeof pid);
	close(gate[0]);
	close(number[0]);
	close(number[1]);
	*ret_gate = gate[1];
	return pid;
}

START_TEST(test_climbing_to_a_child_of_ours) {
	const pid_t roots[] = { 1, getpid() };
	int gate;
	pid_t far = descendant_start(20, &gate), child;

	ck_assert_int_eq(process_climb(far, roots, 2, 18), 0);
	child = process_climb(far, roots, 2, 20);
	ck_assert_int_eq((int)process_status(child, "PPid:"), getpid());
	ck_assert_int_eq(process_climb(child, roots, 2, 0 + 1), child);
	close(gate);
	ck_assert_int_eq(process_reap(child, NULL), 0);
	/* nobody has that number now */
	ck_assert_int_eq(process_climb(child, roots, 2, 20), 0);
}
END_TEST

START_TEST(test_pidfd_sees_the_end) {
	struct exit_status status;
	int gate;
	pid_t pid = child_start(7, &gate);
	cleanup_close int pidfd = process_open(pid);

	ck_assert_int_ge(pidfd, 0);
	ck_assert(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	ck_assert(!process_has_ended(pidfd));
	ck_assert_int_eq(process_await_end(pidfd, 0), -ETIMEDOUT);
	close(gate);
	ck_assert_int_eq(process_await_end(pidfd, -1), 0);
	ck_assert(process_has_ended(pidfd));
	ck_assert_int_eq(process_reap(pid, &status), 0);
	ck_assert(process_has_ended(pidfd));
	ck_assert_int_eq(process_signal(pidfd, 0), -ESRCH);
	ck_assert(status.exited);
	ck_assert_int_eq(status.code, 7);
	ck_assert_int_eq(status.signal, 0);
	ck_assert(!status.core);
	ck_assert_uint_gt(status.peak_rss, 4096);
}
END_TEST

START_TEST(test_signals_are_told_from_codes) {
	struct exit_status status;
	int gate;
	pid_t pid = child_start(0, &gate);
	cleanup_close int pidfd = process_open(pid);

	ck_assert_int_eq(process_signal(pidfd, SIGKILL), 0);
	ck_assert_int_eq(process_reap(pid, &status), 0);
	ck_assert(!status.exited);
	ck_assert_int_eq(status.signal, SIGKILL);
	ck_assert_int_eq(status.code, 0);
	close(gate);
}
END_TEST

START_TEST(test_reap_takes_no_status_if_none_is_wanted) {
	ck_assert_int_eq(process_reap(child_exit(0), NULL), 0);
}
END_TEST

START_TEST(test_reap_of_a_stranger_is_echild) {
	ck_assert_int_eq(process_reap(getppid(), NULL), -ECHILD);
	ck_assert_int_eq(process_reap(getpid(), NULL), -ECHILD);
}
END_TEST

START_TEST(test_open_of_nobody_is_an_error) {
	pid_t pid = child_exit(0);

	ck_assert_int_eq(process_reap(pid, NULL), 0);
	ck_assert_int_eq(process_open(pid), -ESRCH);
	ck_assert_int_eq(process_signal(-1, 0), -EBADF);
}
END_TEST

#define MANY 40

static bool contains(const pid_t *pids, size_t n, pid_t pid) {
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void check_children(void) {
	pid_t children[MANY], found[MANY + 1], few[2];
	int gates[MANY];

	ck_assert_int_eq(process_children(found, MANY), 0);
	for (size_t i = 0; i < MANY; i++)
		children[i] = child_start(0, &gates[i]);
	ck_assert_int_eq(process_children(found, MANY + 1), MANY);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(contains(found, MANY, children[i]));
	ck_assert_int_eq(process_children(few, 2), MANY);
	ck_assert_int_eq(process_children(NULL, 0), MANY);
	for (size_t i = 0; i < MANY; i++) {
		close(gates[i]);
		ck_assert_int_eq(process_reap(children[i], NULL), 0);
	}
	ck_assert_int_eq(process_children(found, MANY), 0);
}

START_TEST(test_children_are_found) {
	unsetenv("WF_ABSENT");
	check_children();
}
END_TEST

START_TEST(test_children_are_found_by_scanning) {
	setenv("WF_ABSENT", "proc_children", 1);
	check_children();
}
END_TEST

/* A name that looks like the fields behind it. */
START_TEST(test_scan_is_not_fooled_by_a_name) {
	int gate;
	pid_t pid, found;

	setenv("WF_ABSENT", "proc_children", 1);
	ck_assert_int_eq(prctl(PR_SET_NAME, ") R 1 (x) S 1", 0, 0, 0), 0);
	pid = child_start(0, &gate); /* the child inherits the name */
	ck_assert_int_eq(process_children(&found, 1), 1);
	ck_assert_int_eq(found, pid);
	close(gate);
	ck_assert_int_eq(process_reap(pid, NULL), 0);
}
END_TEST

static size_t read_file(const char *path, char *text, size_t size) {
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return (size_t)n;
}

static int main_argc;
static char **main_argv;

START_TEST(test_title_is_what_ps_shows) {
	char text[4096], name[17] = "";
	size_t before = read_file("/proc/self/cmdline", text, sizeof text);

	process_title_init(main_argc, main_argv);
	process_title("warmfork: %s %d", "w", 3);
	ck_assert_uint_eq(read_file("/proc/self/cmdline", text, sizeof text), before);
	ck_assert_str_eq(text, "warmfork: w 3");
	for (size_t i = strlen(text); i < before; i++)
		ck_assert_int_eq(text[i], 0);
	ck_assert_int_eq(prctl(PR_GET_NAME, name, 0, 0, 0), 0);
	ck_assert_str_eq(name, "w 3");
}
END_TEST

START_TEST(test_title_is_cut_to_its_room) {
	char longer[400], text[4096], name[17] = "";
	size_t before = read_file("/proc/self/cmdline", text, sizeof text), shown;

	process_title_init(main_argc, main_argv);
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	process_title("%s", longer);
	read_file("/proc/self/cmdline", text, sizeof text);
	shown = strlen(text);
	ck_assert_uint_le(shown, before - 1);
	ck_assert_uint_gt(shown, 0);
	ck_assert_str_eq(getenv("PROCESS_TEST"), "intact");
	ck_assert_int_eq(prctl(PR_GET_NAME, name, 0, 0, 0), 0);
	ck_assert_uint_eq(strlen(name), 15);
}
END_TEST

START_TEST(test_title_without_argv_sets_the_name) {
	char none[] = "", *empty[] = { NULL }, name[17] = "";

	process_title_init(0, empty);
	process_title("worker");
	ck_assert_int_eq(prctl(PR_GET_NAME, name, 0, 0, 0), 0);
	ck_assert_str_eq(name, "worker");
	empty[0] = none;
	process_title_init(1, empty);
	process_title("other");
	ck_assert_str_eq(none, "");
}
END_TEST

START_TEST(test_status_is_read) {
	int gate;
	pid_t pid = child_start(0, &gate);

	ck_assert_uint_eq(process_status(0, "Tgid:"), (uint64_t)getpid());
	ck_assert_uint_eq(process_status(pid, "PPid:"), (uint64_t)getpid());
	ck_assert_uint_eq(process_status(pid, "Nothing:"), 0);
	close(gate);
	ck_assert_int_eq(process_reap(pid, NULL), 0);
	ck_assert_uint_eq(process_status(pid, "PPid:"), 0);
}
END_TEST

START_TEST(test_rusage_is_in_our_units) {
	struct rusage usage = {
		.ru_utime = { 1, 500000 },
		.ru_stime = { 2, 700001 },
		.ru_maxrss = 3,
	};
	struct exit_status status = { 0 };

	exit_status_from_rusage(&status, &usage);
	ck_assert_uint_eq(status.cpu_ns, 4 * NSEC_PER_SEC + 200001000);
	ck_assert_uint_eq(status.peak_rss, 3072);
}
END_TEST

/* The title tests need to know how much room there is, and an environment string right behind
 * it. */
static void exec_with_room(void) {
	char title[] = "unit-process-with-room",
	     more[] = "for-a-title", *const argv[] = { title, more, NULL };

	if (getenv("PROCESS_TEST"))
		return;
	setenv("PROCESS_TEST", "intact", 1);
	execv("/proc/self/exe", argv);
	_exit(1);
}

int main(int argc, char **argv) {
	TCase *test_case = fixture_case("process");

	exec_with_room();
	main_argc = argc;
	main_argv = argv;
	tcase_add_test(test_case, test_climbing_to_a_child_of_ours);
	tcase_add_test(test_case, test_pidfd_sees_the_end);
	tcase_add_test(test_case, test_signals_are_told_from_codes);
	tcase_add_test(test_case, test_reap_takes_no_status_if_none_is_wanted);
	tcase_add_test(test_case, test_reap_of_a_stranger_is_echild);
	tcase_add_test(test_case, test_open_of_nobody_is_an_error);
	tcase_add_test(test_case, test_children_are_found);
	tcase_add_test(test_case, test_children_are_found_by_scanning);
	tcase_add_test(test_case, test_scan_is_not_fooled_by_a_name);
	tcase_add_test(test_case, test_title_is_what_ps_shows);
	tcase_add_test(test_case, test_title_is_cut_to_its_room);
	tcase_add_test(test_case, test_title_without_argv_sets_the_name);
	tcase_add_test(test_case, test_status_is_read);
	tcase_add_test(test_case, test_rusage_is_in_our_units);
	return fixture_run("process", test_case);
}
