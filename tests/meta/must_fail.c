/* SPDX-License-Identifier: MIT
 *
 * Tests that must fail: if the runner ever took one of these for a pass, a green run would mean
 * nothing. With no argument it prints TAP like any other test, and meson expects the failure. With
 * "count" it succeeds if every single one has failed.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(test_an_int_that_differs) {
	ck_assert_int_eq(1, 2);
}
END_TEST

START_TEST(test_a_string_that_differs) {
	ck_assert_str_eq("returned", "signalled");
}
END_TEST

START_TEST(test_memory_that_differs) {
	ck_assert_mem_eq("abc", "abd", 3);
}
END_TEST

START_TEST(test_a_pointer_that_is_null) {
	ck_assert_ptr_nonnull(NULL);
}
END_TEST

START_TEST(test_a_crash) {
	(void)raise(SIGABRT);
}
END_TEST

/* With status 0 Check would call it a pass: a test must never leave that way. */
START_TEST(test_an_early_exit) {
	_exit(1);
}
END_TEST

START_TEST(test_a_test_that_never_ends) {
	for (;;)
		(void)pause();
}
END_TEST

static Suite *must_fail_suite(void) {
	Suite *suite = suite_create("must_fail");
	TCase *ordinary = tcase_create("ordinary"), *endless = tcase_create("endless");

	tcase_add_test(ordinary, test_an_int_that_differs);
	tcase_add_test(ordinary, test_a_string_that_differs);
	tcase_add_test(ordinary, test_memory_that_differs);
	tcase_add_test(ordinary, test_a_pointer_that_is_null);
	tcase_add_test(ordinary, test_a_crash);
	tcase_add_test(ordinary, test_an_early_exit);
	tcase_set_timeout(endless, 1);
	tcase_add_test(endless, test_a_test_that_never_ends);
	suite_add_tcase(suite, ordinary);
	suite_add_tcase(suite, endless);
	return suite;
}

int main(int argc, char **argv) {
	SRunner *runner = srunner_create(must_fail_suite());
	int run, failed;

	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (argc > 1 && !strcmp(argv[1], "count"))
		return run == 7 && failed == run ? EXIT_SUCCESS : EXIT_FAILURE;
	return EXIT_SUCCESS; /* the TAP lines alone must say it */
}
