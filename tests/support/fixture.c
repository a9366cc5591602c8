/* SPDX-License-Identifier: MIT
 *
 * The test process is made a child-subreaper, so that what a test daemonised comes back to it and
 * is found here; Check's own killpg(2) would miss a process that called setsid(2).
 */
#include "tests/support/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/number.h"
#include "tests/support/tree.h"

#define CASE_TIMEOUT_S 120.0

static char descriptors_before[16384];
static char scratch[256];
static int n_added;

/* One line for each open descriptor: its number and what it is. Returns how many. */
static int list_descriptors(char *text, size_t size) {
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t used = 0;
	int n = 0;

	text[0] = '\0';
	ck_assert_ptr_nonnull(directory);
	while ((entry = readdir(directory)) != NULL && used < size - 512) {
		char target[256];
		ssize_t length =
		    readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);

		if (length < 0 || number_at(entry->d_name, NULL) == dirfd(directory))
			continue;
		target[length] = '\0';
		used +=
		    (size_t)snprintf(text + used, size - used, "%s %s\n", entry->d_name, target);
		n++;
	}
	closedir(directory);
	return n;
}

int fixture_count_descriptors(void) {
	static char text[sizeof descriptors_before];

	return list_descriptors(text, sizeof text);
}

int fixture_open_null(void) {
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 3);
	return fd;
}

int fixture_pipe_with(const char *text) {
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	close(ends[1]);
	return ends[0];
}

rlim_t fixture_limit_descriptors(rlim_t n) {
	struct rlimit limit;
	rlim_t before;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

rlim_t fixture_limit_room(rlim_t n) {
	int next = fixture_open_null();

	ck_assert_int_eq(close(next), 0);
	return fixture_limit_descriptors((rlim_t)next + n);
}

void fixture_setup(void) {
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	scratch[0] = '\0';
	list_descriptors(descriptors_before, sizeof descriptors_before);
}

static void assert_no_child(void) {
	static struct watch watch;
	siginfo_t info = { 0 };
	int result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
	int error = errno;

	watch_tree(&watch, getpid());
	ck_assert_msg(watch_alive(&watch) == 1, "left alive, beside the test: %s",
		      watch_describe(&watch));
	watch_clear(&watch);
	ck_assert_msg(result == -1 && error == ECHILD, "left a zombie: %d", (int)info.si_pid);
}

void fixture_reap_adopted(void) {
	siginfo_t info;

	do {
		info.si_pid = 0;
	} while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *level) {
	(void)status;
	(void)type;
	(void)level;
	return remove(path);
}

void fixture_teardown(void) {
	static char after[sizeof descriptors_before];

	if (scratch[0] != '\0')
		ck_assert_int_eq(nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
	assert_no_child();
	list_descriptors(after, sizeof after);
	ck_assert_str_eq(after, descriptors_before);
}

TCase *fixture_case(const char *name) {
	TCase *test_case = tcase_create(name);

	tcase_add_checked_fixture(test_case, fixture_setup, fixture_teardown);
	tcase_set_timeout(test_case, CASE_TIMEOUT_S);
	return test_case;
}

#undef _tcase_add_test /* Check's own, from here on */

void fixture_add_test(TCase *test_case, const TTest *test, int signal, int status, int start,
		      int end) {
	const char *wanted = getenv("WF_TEST");

	if (wanted != NULL && strcmp(wanted, test->name) != 0)
		return;
	n_added++;
	_tcase_add_test(test_case, test, signal, status, start, end);
}

int fixture_run(const char *suite_name, TCase *test_case) {
	Suite *suite = suite_create(suite_name);
	SRunner *runner;
	bool passed = false;

	suite_add_tcase(suite, test_case);
	runner = srunner_create(suite);
	if (n_added == 0) {
		(void)fprintf(stderr, "WF_TEST=%s: %s has no such test; START_TEST has the names\n",
			      getenv("WF_TEST"), suite_name);
	} else {
		srunner_run_all(runner, CK_ENV);
		passed = srunner_ntests_failed(runner) == 0;
	}
	srunner_free(runner);
	return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

void fixture_copy_file(const char *from, const char *to, int flags, mode_t mode) {
	static char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode & 0700);
	ssize_t n;

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		ck_assert_int_eq(write(out, bytes, (size_t)n), n);
	ck_assert_int_eq(n, 0);
	ck_assert_int_gt(lseek(out, 0, SEEK_CUR), 0);
	ck_assert_int_eq(fchmod(out, mode), 0);
	close(in);
	close(out);
}

const char *fixture_scratch(void) {
	const char *base = getenv("TMPDIR");

	if (scratch[0] == '\0') {
		snprintf(scratch, sizeof scratch, "%s/warmfork-test-XXXXXX",
			 base != NULL ? base : "/tmp");
		ck_assert_ptr_nonnull(mkdtemp(scratch));
	}
	return scratch;
}
