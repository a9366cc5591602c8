/* SPDX-License-Identifier: MIT
 *
 * executor/evidence: which kills of the out-of-memory killer explain the end of which worker.
 */
#include "executor/evidence.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/fixture.h"

static struct evidence evidence;

static void set_kills(unsigned n) {
	FILE *file = fopen(evidence.path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(fprintf(file, "low 7\noom_kill_disable 0\noom_kill %u\n", n), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void evidence_made(unsigned n) {
	evidence = (struct evidence){ .looked_ns = 0 };
	(void)snprintf(evidence.path, sizeof evidence.path, "%s/counter", fixture_scratch());
	set_kills(n);
}

static void expect_evidence(uint64_t since, const char *change) {
	const char *sentence = evidence_look(&evidence, since);

	ck_assert_ptr_nonnull(sentence);
	ck_assert_msg(strstr(sentence, change) != NULL, "%s", sentence);
}

START_TEST(test_kill_explains_one_end) {
	evidence_made(3);
	ck_assert_ptr_null(evidence_look(&evidence, 3));
	set_kills(4);
	expect_evidence(3, "from 3 to 4");
	ck_assert_ptr_null(evidence_look(&evidence, 3));
}
END_TEST

START_TEST(test_kills_at_once_explain_as_many_ends) {
	evidence_made(0);
	set_kills(2);
	expect_evidence(0, "from 0 to 2");
	expect_evidence(0, "from 1 to 2");
	ck_assert_ptr_null(evidence_look(&evidence, 0));
}
END_TEST

/* A second kill may have been that of a child of a worker. */
START_TEST(test_kills_before_a_task_explain_nothing) {
	uint64_t before;

	evidence_made(0);
	set_kills(2);
	expect_evidence(0, "from 0 to 2");
	before = evidence_kills(&evidence, NSEC_PER_SEC);
	ck_assert_uint_eq(before, 2);
	ck_assert_ptr_null(evidence_look(&evidence, before));
	set_kills(3);
	expect_evidence(before, "from 2 to 3");
}
END_TEST

START_TEST(test_counter_is_read_ten_times_a_second) {
	evidence_made(1);
	ck_assert_uint_eq(evidence_kills(&evidence, NSEC_PER_SEC), 1);
	set_kills(2);
	ck_assert_uint_eq(evidence_kills(&evidence, NSEC_PER_SEC + 99 * NSEC_PER_MSEC), 1);
	ck_assert_uint_eq(evidence_kills(&evidence, NSEC_PER_SEC + 100 * NSEC_PER_MSEC), 2);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("evidence");

	tcase_add_test(test_case, test_kill_explains_one_end);
	tcase_add_test(test_case, test_kills_at_once_explain_as_many_ends);
	tcase_add_test(test_case, test_kills_before_a_task_explain_nothing);
	tcase_add_test(test_case, test_counter_is_read_ten_times_a_second);
	return fixture_run("evidence", test_case);
}
