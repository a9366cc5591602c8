/* SPDX-License-Identifier: MIT
 *
 * Looking inside: titles, log lines, latencies; and that no two workers share their random state.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/more.h"

START_TEST(test_random_state_differs_between_workers) {
	struct wf_executor *executor = more_open(FRESH);
	long first, second;

	more_ask(executor, "random", NULL, 0, &first, sizeof first);
	more_ask(executor, "random", NULL, 0, &second, sizeof second);
	ck_assert_int_ne(first, second);
	pool_close(executor);
}
END_TEST

static void title_of(pid_t pid, char *text, size_t size) {
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	n = read(fd, text, size - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	(void)close(fd);
}

START_TEST(test_titles_say_who_is_who) {
	struct wf_executor *executor = more_open(REUSED);
	const struct toy_where place = more_where(executor);
	char text[256];

	title_of(place.pid, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "warmfork: worker"));
	title_of(pool_statistics(executor).zygote_pid, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "warmfork: zygote of toy_more"));
	title_of(pool_statistics(executor).keeper_pid, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "warmfork: keeper"));
	pool_close(executor);
}
END_TEST

static void count_ready(void *context, enum wf_log_level level, const char *line) {
	int *n = context;

	if (level == WF_LOG_INFO && strstr(line, "is ready"))
		++*n;
}

START_TEST(test_log_and_latencies) {
	struct wf_executor_options options = more_options(_i);
	struct wf_statistics statistics;
	int n = 0;

	options.log = count_ready;
	options.log_context = &n;
	struct wf_executor *executor = pool_open(&options);
	for (int i = 0; i < 5; i++)
		(void)more_where(executor);
	statistics = pool_statistics(executor);
	ck_assert_uint_eq(statistics.submitted, 5);
	ck_assert_uint_eq(statistics.run_time.count, 5);
	ck_assert_uint_le(statistics.run_time.p50_ns, statistics.run_time.max_ns);
	pool_close(executor);
	ck_assert_int_eq(n, 1);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("inside");

	tcase_add_test(test_case, test_random_state_differs_between_workers);
	tcase_add_test(test_case, test_titles_say_who_is_who);
	add_for_both(test_case, test_log_and_latencies);
	return fixture_run("inside", test_case);
}
