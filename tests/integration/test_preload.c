/* SPDX-License-Identifier: MIT
 *
 * Story: a preload that goes wrong is reported when the executor is opened, by name, with its own
 * output; what it leaves behind refuses the image unless that is waived.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/more.h"

/* The variants of the preload in toy_more.c. */
static struct wf_executor_options variant_options(const char *variant) {
	struct wf_executor_options options = more_options(REUSED);

	options.name = "the toy";
	options.preload_argument = variant;
	options.preload_argument_size = strlen(variant);
	return options;
}

static void expect_said(const char *what) {
	ck_assert_msg(strstr(wf_last_error(), what) != NULL, "\"%s\" is not in: %s", what,
		      wf_last_error());
}

static void expect_refused(const struct wf_executor_options *options) {
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(options, &executor);

	ck_assert_msg(r == -ENOEXEC, "not -ENOEXEC but %d: %s", r, wf_last_error());
	ck_assert_ptr_null(executor);
}

/* --- it ends badly --- */

START_TEST(test_preload_ends_badly) {
	static const struct {
		const char *variant, *output, *how;
	} cases[] = {
		{ "fail", "the dictionary is missing", "returned 3" },
		{ "crash", "about to crash", "SIGSEGV" },
		{ "exit", "leaving early", "7" },
	};
	const struct wf_executor_options options = variant_options(cases[_i].variant);

	expect_refused(&options);
	expect_said(cases[_i].output);
	expect_said(cases[_i].how);
	expect_said("the toy");
	expect_said("preload");
}
END_TEST

START_TEST(test_preload_hangs) {
	struct wf_executor_options options = variant_options("hang");

	options.preload_timeout_ms = 2000;
	expect_refused(&options);
	expect_said("looking for the dictionary");
	expect_said("2000 ms");
	expect_said("the toy");
}
END_TEST

/* --- it leaves something behind --- */

static const struct {
	const char *variant;
	unsigned finding;
	const char *named;
} leftovers[] = {
	{ "thread", WF_AUDIT_THREADS, "thread" },
	{ "descriptor", WF_AUDIT_DESCRIPTORS, "/dev/null" },
	{ "lock", WF_AUDIT_LOCKS | WF_AUDIT_DESCRIPTORS, "lock" },
	{ "timer", WF_AUDIT_TIMERS, "ITIMER_REAL" },
	{ "signal", WF_AUDIT_SIGNALS, "SIGUSR1" },
	{ "child", WF_AUDIT_CHILDREN, "child process" },
};

START_TEST(test_leftover_refuses_the_image) {
	struct wf_executor_options options = variant_options(leftovers[_i].variant);

	expect_refused(&options);
	expect_said(leftovers[_i].named);
	options.audit_waive = ~leftovers[_i].finding & (2U * WF_AUDIT_CHILDREN - 1);
	expect_refused(&options);
	expect_said(leftovers[_i].named);
}
END_TEST

START_TEST(test_leftover_waived_is_listed) {
	struct wf_executor_options options = variant_options(leftovers[_i].variant);
	struct wf_image_facts facts = { .size = sizeof facts };

	options.audit_waive = leftovers[_i].finding;
	if (leftovers[_i].finding & WF_AUDIT_THREADS)
		options.freeze = WF_FREEZE_AUTO; /* such an image cannot be frozen: test_frozen.c */
	struct wf_executor *executor = pool_open(&options);
	ck_assert_int_eq(wf_executor_image(executor, &facts), 0);
	ck_assert_msg(strstr(facts.audit, leftovers[_i].named) != NULL, "not listed: %s",
		      facts.audit);
	wf_image_facts_clear(&facts);
	for (int i = 0; i < 3; i++)
		pool_check_works(executor);
	pool_close(executor);
}
END_TEST

static int count_in(struct wf_executor *executor) {
	int n;

	more_ask(executor, "count_descriptors", NULL, 0, &n, sizeof n);
	return n;
}

/* Workers keep a descriptor that is waived, and no other. */
START_TEST(test_waived_descriptor_is_kept) {
	struct wf_executor_options options = variant_options("descriptor");
	struct wf_executor *plain = more_open(REUSED);
	const int before = count_in(plain);

	pool_close(plain);
	options.audit_waive = WF_AUDIT_DESCRIPTORS;
	struct wf_executor *executor = pool_open(&options);
	ck_assert_int_eq(count_in(executor), before + 1);
	ck_assert_int_eq(count_in(executor), before + 1);
	pool_close(executor);
}
END_TEST

/* --- it is well --- */

START_TEST(test_facts_of_the_image) {
	const struct wf_executor_options options = variant_options("chat");
	struct wf_image_facts facts = { .size = sizeof facts };
	struct wf_executor *executor = pool_open(&options);

	ck_assert_int_eq(wf_executor_image(executor, &facts), 0);
	ck_assert_uint_eq(facts.generation, 1);
	ck_assert_uint_gt(facts.preload_ns, 0);
	ck_assert_uint_gt(facts.anonymous_bytes, 0);
	ck_assert_uint_gt(facts.file_bytes, 0);
	ck_assert_uint_gt(facts.mappings, 0);
	ck_assert_uint_gt(facts.descriptors, 0);
	ck_assert_uint_eq(facts.threads, 1);
	ck_assert_uint_gt(facts.n_functions, 10);
	ck_assert_int_eq(facts.has_initializer, true);
	ck_assert_ptr_nonnull(strstr(facts.preload_output, "hello from the preload\n"));
	ck_assert_ptr_nonnull(strstr(facts.preload_output, "and from its stderr\n"));
	ck_assert_str_eq(facts.audit, "");
	wf_image_facts_clear(&facts);
	wf_image_facts_clear(&facts);
	pool_close(executor);
}
END_TEST

START_TEST(test_silent_preload_has_empty_output) {
	struct wf_executor *executor = more_open(FRESH);
	struct wf_image_facts facts = { .size = sizeof facts };

	ck_assert_int_eq(wf_executor_image(executor, &facts), 0);
	ck_assert_str_eq(facts.preload_output, "");
	wf_image_facts_clear(&facts);
	pool_close(executor);
}
END_TEST

/* The argument arrives whole, whatever its bytes; as large as is allowed, and no larger. */
START_TEST(test_argument_sizes) {
	struct wf_executor_options options = more_options(REUSED);
	static char argument[32 * 1024 + 1];

	memset(argument, '\n', sizeof argument);
	options.preload_argument = argument;
	options.preload_argument_size = sizeof argument - 1;
	struct wf_executor *executor = pool_open(&options);
	pool_check_works(executor);
	pool_close(executor);
	options.preload_argument_size++;
	ck_assert_int_lt(wf_executor_open(&options, &executor), 0);
	expect_said("preload_argument");
}
END_TEST

/* --- it is no module --- */

START_TEST(test_missing_file_is_named) {
	struct wf_executor_options options = more_options(REUSED);

	options.module = "/nonexistent/words.so";
	expect_refused(&options);
	expect_said("/nonexistent/words.so");
}
END_TEST

START_TEST(test_text_is_no_module) {
	struct wf_executor_options options = more_options(REUSED);
	char path[512];

	snprintf(path, sizeof path, "%s/text.so", fixture_scratch());
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "no module\n", 10), 10);
	close(fd);
	options.module = path;
	expect_refused(&options);
	expect_said("text.so");
}
END_TEST

START_TEST(test_module_without_functions) {
	struct wf_executor_options options = more_options(REUSED);

	options.module = getenv("TOY_EMPTY");
	expect_refused(&options);
	expect_said("no functions");
	options.module = getenv("TOY_NONE");
	expect_refused(&options);
	expect_said("wf_module");
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("preload");

	tcase_add_loop_test(test_case, test_preload_ends_badly, 0, 3);
	tcase_add_test(test_case, test_preload_hangs);
	tcase_add_loop_test(test_case, test_leftover_refuses_the_image, 0, (int)N_OF(leftovers));
	tcase_add_loop_test(test_case, test_leftover_waived_is_listed, 0, (int)N_OF(leftovers));
	tcase_add_test(test_case, test_waived_descriptor_is_kept);
	tcase_add_test(test_case, test_facts_of_the_image);
	tcase_add_test(test_case, test_silent_preload_has_empty_output);
	tcase_add_test(test_case, test_argument_sizes);
	tcase_add_test(test_case, test_missing_file_is_named);
	tcase_add_test(test_case, test_text_is_no_module);
	tcase_add_test(test_case, test_module_without_functions);
	return fixture_run("preload", test_case);
}
