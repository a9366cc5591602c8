/* SPDX-License-Identifier: MIT
 *
 * executor/backoff and executor/queue: rules without time and without processes.
 */
#include "executor/backoff.h"

#include <limits.h>

#include "executor/queue.h"
#include "tests/support/fixture.h"

static struct backoff backoff_made(unsigned budget) {
	struct backoff backoff;

	backoff_init(&backoff, 10, 50, budget);
	return backoff;
}

/* Each attempt is made when the pause after the one before is over. */
static bool fail_again(struct backoff *backoff) {
	return backoff_failed(backoff, backoff->not_before);
}

START_TEST(test_delay_doubles_up_to_the_most) {
	static const int delays[] = { 10, 20, 40, 50, 50 };
	struct backoff backoff = backoff_made(100);

	for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
		nsec_t before = backoff.not_before;

		ck_assert(!fail_again(&backoff));
		ck_assert_int_eq(backoff.delay_ms, delays[i]);
		ck_assert_uint_eq(backoff.not_before - before, (nsec_t)delays[i] * NSEC_PER_MSEC);
	}
}
END_TEST

START_TEST(test_failures_in_one_pause_are_one) {
	struct backoff backoff = backoff_made(3);

	for (int i = 0; i < 8; i++)
		ck_assert(!backoff_failed(&backoff, 5));
	ck_assert_uint_eq(backoff.failures, 1);
	ck_assert_int_eq(backoff.delay_ms, 10);
}
END_TEST

START_TEST(test_spent_budget_needs_work) {
	struct backoff backoff = backoff_made(3);

	ck_assert(!fail_again(&backoff));
	ck_assert(!fail_again(&backoff));
	ck_assert(fail_again(&backoff));
	ck_assert(!backoff_allows(&backoff, backoff.not_before, false));
	ck_assert(backoff_allows(&backoff, backoff.not_before, true));
	ck_assert(!backoff_allows(&backoff, backoff.not_before - 1, true));
	/* each piece of work has a budget of its own */
	ck_assert(!fail_again(&backoff));
	ck_assert(!fail_again(&backoff));
	ck_assert(fail_again(&backoff));
}
END_TEST

START_TEST(test_work_that_was_done_forgives) {
	struct backoff backoff = backoff_made(3);

	while (!fail_again(&backoff))
		;
	backoff_worked(&backoff);
	ck_assert(backoff_allows(&backoff, backoff.not_before, false));
	ck_assert(!fail_again(&backoff));
	ck_assert_int_eq(backoff.delay_ms, 10);
}
END_TEST

START_TEST(test_renewed_budget_keeps_the_pace) {
	struct backoff backoff = backoff_made(3);

	ck_assert(!fail_again(&backoff));
	ck_assert(!fail_again(&backoff));
	backoff_renew(&backoff);
	ck_assert(!fail_again(&backoff));
	ck_assert(!fail_again(&backoff));
	ck_assert_int_eq(backoff.delay_ms, 50);
}
END_TEST

/* A delay that is as long as the options allow is multiplied all the same. */
START_TEST(test_long_life_is_ten_of_the_longest_delays) {
	static const int most_ms[] = { 50, INT_MAX };

	for (size_t i = 0; i < sizeof most_ms / sizeof most_ms[0]; i++) {
		nsec_t ten = (nsec_t)most_ms[i] * NSEC_PER_MSEC * 10;
		struct backoff backoff;

		backoff_init(&backoff, 10, most_ms[i], 3);
		ck_assert(!backoff_outlived(&backoff, ten));
		ck_assert(backoff_outlived(&backoff, ten + 1));
	}
}
END_TEST

/* --- the queue --- */

START_TEST(test_queue_is_by_priority_then_age) {
	static const int priorities[] = { 0, WF_PRIORITY_MAX, 0, WF_PRIORITY_MIN, WF_PRIORITY_MAX };
	static const size_t order[] = { 1, 4, 0, 2, 3 };
	struct list_node links[5] = { { NULL, NULL } };
	struct queue queue;

	queue_init(&queue);
	ck_assert_ptr_null(queue_peek(&queue));
	for (size_t i = 0; i < 5; i++)
		queue_push(&queue, &links[i], priorities[i]);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_ptr_eq(queue_peek(&queue), &links[order[i]]);
		queue_remove(&queue, &links[order[i]], priorities[order[i]]);
	}
	ck_assert_uint_eq(queue.size, 0);
	ck_assert_ptr_null(queue_peek(&queue));
}
END_TEST

START_TEST(test_queue_front_is_before_equals_only) {
	struct list_node old = { NULL, NULL }, back = { NULL, NULL }, high = { NULL, NULL };
	struct queue queue;

	queue_init(&queue);
	queue_push(&queue, &old, 0);
	queue_push(&queue, &high, 1);
	queue_push_front(&queue, &back, 0);
	ck_assert_ptr_eq(queue_peek(&queue), &high);
	queue_remove(&queue, &high, 1);
	ck_assert_ptr_eq(queue_peek(&queue), &back);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("rules");

	tcase_add_test(test_case, test_delay_doubles_up_to_the_most);
	tcase_add_test(test_case, test_failures_in_one_pause_are_one);
	tcase_add_test(test_case, test_spent_budget_needs_work);
	tcase_add_test(test_case, test_work_that_was_done_forgives);
	tcase_add_test(test_case, test_renewed_budget_keeps_the_pace);
	tcase_add_test(test_case, test_long_life_is_ten_of_the_longest_delays);
	tcase_add_test(test_case, test_queue_is_by_priority_then_age);
	tcase_add_test(test_case, test_queue_front_is_before_equals_only);
	return fixture_run("backoff", test_case);
}
