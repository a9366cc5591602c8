/* SPDX-License-Identifier: MIT
 *
 * base/fd, base/error, base/clock, base/feature: the small things that everything else stands on.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/feature.h"
#include "tests/support/fixture.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

static bool is_open(int fd) {
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd) {
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

START_TEST(test_close_keeps_errno_and_gives_minus_one) {
	int fd = fixture_open_null(), copy = fd;

	errno = EXDEV;
	fd = fd_close(fd);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(fd_close(-1), -1);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert(!is_open(copy));
}
END_TEST

START_TEST(test_cleanup_closes_what_was_not_stolen) {
	int kept = -1, closed = -1;

	{
		cleanup_close int first = fixture_open_null();
		cleanup_close int second = fixture_open_null();

		closed = first;
		kept = fd_steal(&second);
		ck_assert_int_eq(second, -1);
	}
	ck_assert(!is_open(closed));
	ck_assert(is_open(kept));
	fd_close(kept);
}
END_TEST

START_TEST(test_duplicate_is_cloexec_and_no_standard_stream) {
	int first = fixture_open_null(), copy, saved = dup(0);

	ck_assert_int_ge(saved, 0);
	close(0);
	copy = fd_duplicate(first);
	ck_assert_int_ge(copy, 3);
	ck_assert(is_cloexec(copy));
	ck_assert_int_eq(dup2(saved, 0), 0);
	fd_close_all((const int[]){ first, copy, saved, -1 }, 4);
	ck_assert_int_eq(fd_duplicate(first), -EBADF);
}
END_TEST

START_TEST(test_nonblocking_switches_both_ways) {
	int fds[2];
	char byte;

	ck_assert_int_eq(fd_seqpacket_pair(fds), 0);
	ck_assert_int_eq(fd_set_nonblocking(fds[0], true), 0);
	ck_assert_int_eq(recv(fds[0], &byte, 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(fd_set_nonblocking(fds[0], false), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	fd_close_all(fds, 2);
	ck_assert_int_eq(fd_set_nonblocking(fds[0], true), -EBADF);
}
END_TEST

START_TEST(test_pair_is_cloexec_seqpacket) {
	int fds[2], type = 0;
	socklen_t size = sizeof type;

	ck_assert_int_eq(fd_seqpacket_pair(fds), 0);
	ck_assert(is_cloexec(fds[0]) && is_cloexec(fds[1]));
	ck_assert_int_eq(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &type, &size), 0);
	ck_assert_int_eq(type, SOCK_SEQPACKET);
	fd_close_all(fds, 2);
}
END_TEST

static void check_memfd(bool executable) {
	cleanup_close int fd = fd_memfd("test", 12345);
	struct stat status;

	ck_assert_int_ge(fd, 0);
	ck_assert(is_cloexec(fd));
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert_int_eq(status.st_size, 12345);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	if (executable)
		ck_assert_int_ne(status.st_mode & 0111, 0);
}

START_TEST(test_memfd_can_be_sealed) {
	cleanup_close int empty = fd_memfd("empty", 0);
	struct stat status;

	check_memfd(false);
	ck_assert_int_eq(fstat(empty, &status), 0);
	ck_assert_int_eq(status.st_size, 0);
	ck_assert_int_eq(fd_memfd("huge", SIZE_MAX), -EFBIG);
}
END_TEST

START_TEST(test_memfd_without_noexec_seal) {
	setenv("WF_ABSENT", "memfd_noexec", 1);
	check_memfd(true);
}
END_TEST

/* In a child of its own: the runner's descriptors must stay. Exit code: the check that failed. */
static int close_others_in_child(const int *keep, size_t n, const int *gone, size_t n_gone) {
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = fd_close_others(keep, n);
		int code = r ? 1 : 0;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= 0 && !is_open(keep[i]))
				code = 2;
		for (size_t i = 0; i < n_gone; i++)
			if (is_open(gone[i]))
				code = 3;
		_exit(code);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(test_close_others_keeps_what_is_named) {
	int fds[6];

	for (size_t i = 0; i < 6; i++)
		fds[i] = fixture_open_null();
	ck_assert_int_eq(close_others_in_child((const int[]){ fds[4], -1, fds[1], fds[4], 0 }, 5,
					       (const int[]){ fds[0], fds[2], fds[3], fds[5] }, 4),
			 0);
	ck_assert_int_eq(close_others_in_child(fds, 6, NULL, 0), 0);
	ck_assert_int_eq(close_others_in_child(NULL, 0, fds, 6), 0);
	fd_close_all(fds, 6);
}
END_TEST

START_TEST(test_close_others_sorts_a_full_list) {
	int keep[256];
	int fd = fixture_open_null(), gone = fixture_open_null();

	for (int i = 0; i < 256; i++)
		keep[i] = i % 2 ? fd : -1;
	ck_assert_int_eq(close_others_in_child(keep, 256, &gone, 1), 0);
	fd_close(fd);
	fd_close(gone);
}
END_TEST

/* --- error --- */

static int fails_at_the_bottom(void) {
	return error_origin(-EIO);
}

static int hands_it_up(void) {
	return error_trace(fails_at_the_bottom());
}

START_TEST(test_trail_names_origin_and_passage) {
	const char *origin, *passage;

	errno = EXDEV;
	ck_assert_int_eq(hands_it_up(), -EIO);
	ck_assert_int_eq(errno, EXDEV);
	origin = strstr(error_trail(), "in fails_at_the_bottom");
	passage = strstr(error_trail(), "in hands_it_up");
	ck_assert_ptr_nonnull(origin);
	ck_assert_ptr_nonnull(passage);
	ck_assert(origin < passage);
}
END_TEST

START_TEST(test_trail_starts_anew_with_each_origin) {
	ck_assert_str_eq(error_trail(), "");
	ck_assert_int_eq(hands_it_up(), -EIO);
	ck_assert_int_eq(error_origin(-ENOENT), -ENOENT);
	ck_assert_ptr_null(strstr(error_trail(), "fails_at_the_bottom"));
}
END_TEST

START_TEST(test_only_negative_codes_leave_a_trail) {
	ck_assert_int_eq(error_origin(0), 0);
	ck_assert_int_eq(error_trace(7), 7);
	ck_assert_str_eq(error_trail(), "");
}
END_TEST

START_TEST(test_a_long_trail_is_cut) {
	error_origin(-EIO);
	for (int i = 0; i < 1000; i++)
		error_trace(-EIO);
	ck_assert_uint_lt(strlen(error_trail()), 4096);
	ck_assert_ptr_nonnull(strstr(error_trail(), "test_fd.c"));
}
END_TEST

START_TEST(test_fold_turns_module_codes_into_a_bug) {
	ck_assert_int_eq(error_fold(3), -ENOTRECOVERABLE);
	ck_assert_int_eq(error_fold(-EIO), -EIO);
	ck_assert_int_eq(error_fold(0), 0);
}
END_TEST

START_TEST(test_must_aborts) {
	must(errno == INT_MIN);
}
END_TEST

/* --- clock --- */

START_TEST(test_clock_saturates) {
	ck_assert_uint_eq(clock_after_ms(5, 2), 5 + 2 * NSEC_PER_MSEC);
	ck_assert_uint_eq(clock_after_ms(5, -1), NSEC_NEVER);
	ck_assert_uint_eq(clock_after_ms(NSEC_NEVER, 1), NSEC_NEVER);
	ck_assert_uint_eq(clock_after_ms(NSEC_NEVER - 10, 1), NSEC_NEVER);
}
END_TEST

START_TEST(test_clock_rounds_up_for_poll) {
	ck_assert_int_eq(clock_until_ms(10, NSEC_NEVER), -1);
	ck_assert_int_eq(clock_until_ms(10, 10), 0);
	ck_assert_int_eq(clock_until_ms(10, 9), 0);
	ck_assert_int_eq(clock_until_ms(10, 11), 1);
	ck_assert_int_eq(clock_until_ms(0, NSEC_PER_MSEC), 1);
	ck_assert_int_eq(clock_until_ms(0, NSEC_PER_MSEC + 1), 2);
	ck_assert_int_eq(clock_until_ms(0, NSEC_NEVER - 1), INT_MAX);
}
END_TEST

static nsec_t clock_that_is_not_read(void) {
	ck_abort_msg("the clock was read");
}

static nsec_t clock_at_ten(void) {
	return 10;
}

START_TEST(test_clock_is_not_read_for_what_never_comes) {
	nsec_t (*before)(void) = clock_source;

	clock_source = clock_that_is_not_read;
	ck_assert_uint_eq(clock_in_ms(-1), NSEC_NEVER);
	ck_assert_int_eq(clock_left_ms(NSEC_NEVER), -1);
	clock_source = clock_at_ten;
	ck_assert_uint_eq(clock_in_ms(2), 10 + 2 * NSEC_PER_MSEC);
	ck_assert_int_eq(clock_left_ms(11), 1);
	ck_assert_int_eq(clock_left_ms(10), 0);
	clock_source = before;
}
END_TEST

START_TEST(test_clock_does_not_run_backwards) {
	nsec_t first = clock_now();

	ck_assert_uint_gt(first, 0);
	ck_assert_uint_ge(clock_now(), first);
}
END_TEST

/* --- feature --- */

START_TEST(test_nothing_is_hidden_by_default) {
	unsetenv("WF_ABSENT");
	for (unsigned i = 0; i < FEATURE_COUNT; i++)
		ck_assert(!feature_hidden((enum feature)i));
}
END_TEST

START_TEST(test_absent_names_features_and_ignores_others) {
	setenv("WF_ABSENT", "landlock:2,pidfd_info,,pidfd_inf,proc_children", 1);
	ck_assert(feature_hidden(FEATURE_PIDFD_INFO));
	ck_assert(feature_hidden(FEATURE_PROC_CHILDREN));
	ck_assert(!feature_hidden(FEATURE_MEMFD_NOEXEC));
	ck_assert(!feature_hidden(FEATURE_DUPFD_QUERY));
}
END_TEST

START_TEST(test_absent_is_read_once) {
	unsetenv("WF_ABSENT");
	ck_assert(!feature_hidden(FEATURE_PIDFD_INFO));
	setenv("WF_ABSENT", "pidfd_info", 1);
	ck_assert(!feature_hidden(FEATURE_PIDFD_INFO));
}
END_TEST

START_TEST(test_floor_hides_what_is_newer) {
	setenv("WF_ABSENT", "userns,linux-6.1", 1);
	ck_assert(feature_hidden(FEATURE_MEMFD_NOEXEC));
	ck_assert(feature_hidden(FEATURE_DUPFD_QUERY));
	ck_assert(feature_hidden(FEATURE_PIDFD_INFO));
	ck_assert(!feature_hidden(FEATURE_PROC_CHILDREN));
	ck_assert_str_eq(feature_name(FEATURE_PIDFD_INFO), "pidfd_info");
	ck_assert_str_eq(feature_name(FEATURE_COUNT), "unknown");
}
END_TEST

/* A file beyond the limit of sizes is an error; SIGXFSZ does not end the process. */
START_TEST(test_memfd_beyond_the_limit_is_refused) {
	struct rlimit limit, small;
	cleanup_close int fd = -1;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = (struct rlimit){ 8192, limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	fd = fd_memfd("small", 8192);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_resize(fd, 8193), -EFBIG);
	ck_assert_int_eq(fd_memfd("large", 8193), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(fd_resize(fd, 8193), 0);
}
END_TEST

START_TEST(test_only_the_file_that_was_meant_is_closed) {
	int first = fd_memfd("first", 0), second = fd_memfd("second", 0);
	struct fd_file file;

	ck_assert_int_eq(fd_identify(first, &file), 0);
	ck_assert_int_eq(fd_close_file(second, &file), -1);
	ck_assert_int_ge(fcntl(second, F_GETFD), 0);
	ck_assert_int_eq(fd_close_file(first, &file), -1);
	ck_assert_int_eq(fcntl(first, F_GETFD), -1);
	ck_assert_int_eq(fd_close_file(first, &file), -1);
	ck_assert_int_eq(fd_identify(first, &file), -EBADF);
	fd_close(second);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("fd");

	tcase_add_test(test_case, test_close_keeps_errno_and_gives_minus_one);
	tcase_add_test(test_case, test_cleanup_closes_what_was_not_stolen);
	tcase_add_test(test_case, test_duplicate_is_cloexec_and_no_standard_stream);
	tcase_add_test(test_case, test_nonblocking_switches_both_ways);
	tcase_add_test(test_case, test_pair_is_cloexec_seqpacket);
	tcase_add_test(test_case, test_memfd_can_be_sealed);
	tcase_add_test(test_case, test_memfd_without_noexec_seal);
	tcase_add_test(test_case, test_close_others_keeps_what_is_named);
	tcase_add_test(test_case, test_close_others_sorts_a_full_list);
	tcase_add_test(test_case, test_trail_names_origin_and_passage);
	tcase_add_test(test_case, test_trail_starts_anew_with_each_origin);
	tcase_add_test(test_case, test_only_negative_codes_leave_a_trail);
	tcase_add_test(test_case, test_a_long_trail_is_cut);
	tcase_add_test(test_case, test_fold_turns_module_codes_into_a_bug);
	tcase_add_test_raise_signal(test_case, test_must_aborts, SIGABRT);
	tcase_add_test(test_case, test_clock_saturates);
	tcase_add_test(test_case, test_clock_rounds_up_for_poll);
	tcase_add_test(test_case, test_clock_is_not_read_for_what_never_comes);
	tcase_add_test(test_case, test_clock_does_not_run_backwards);
	tcase_add_test(test_case, test_nothing_is_hidden_by_default);
	tcase_add_test(test_case, test_absent_names_features_and_ignores_others);
	tcase_add_test(test_case, test_absent_is_read_once);
	tcase_add_test(test_case, test_floor_hides_what_is_newer);
	tcase_add_test(test_case, test_memfd_beyond_the_limit_is_refused);
	tcase_add_test(test_case, test_only_the_file_that_was_meant_is_closed);
	return fixture_run("fd", test_case);
}
