/* SPDX-License-Identifier: MIT
 *
 * Structs of callers who were compiled against an older or a newer header.
 */
#include <errno.h>
#include <string.h>

#include "executor/known.h"
#include "base/report.h"
#include "tests/support/fixture.h"

/* The same struct in three releases; ours is the second. */
struct first {
	size_t size;
	uint64_t a;
};
struct second {
	size_t size;
	uint64_t a, b;
};
struct third {
	size_t size;
	uint64_t a, b, c;
};
#define FIRST sizeof(struct first)

static int take(struct second *ours, const void *given) {
	memset(ours, 0xee, sizeof *ours);
	return known_take(ours, sizeof *ours, given, FIRST, "it");
}

START_TEST(test_take_of_an_older_caller) {
	const struct first given = { sizeof given, 1 };
	struct second ours;

	ck_assert_int_eq(take(&ours, &given), 0);
	ck_assert_uint_eq(ours.size, sizeof ours);
	ck_assert_uint_eq(ours.a, 1);
	ck_assert_uint_eq(ours.b, 0);
}
END_TEST

START_TEST(test_take_of_a_newer_caller) {
	struct third given = { sizeof given, 1, 2, 0 };
	struct second ours;

	ck_assert_int_eq(take(&ours, &given), 0);
	ck_assert_uint_eq(ours.size, sizeof ours);
	ck_assert_uint_eq(ours.b, 2);
	given.c = (uint64_t)1 << 63;
	ck_assert_int_eq(take(&ours, &given), -EINVAL);
	ck_assert_ptr_nonnull(strstr(report_text(), "it has a member set"));
}
END_TEST

START_TEST(test_sizes_that_cannot_be) {
	static const size_t sizes[] = { 0, 1, FIRST - 1, 1u << 20, SIZE_MAX };
	struct second ours, given = { 0, 1, 2 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		given.size = sizes[i];
		ck_assert_int_eq(take(&ours, &given), -EINVAL);
		ck_assert_int_eq(known_check_size(&given, FIRST, "it"), -EINVAL);
		ck_assert_ptr_nonnull(strstr(report_text(), "it.size is "));
	}
}
END_TEST

START_TEST(test_give_to_each) {
	const struct second ours = { sizeof ours, 1, 2 };
	struct {
		struct first given;
		uint64_t behind;
	} older = { { sizeof older.given, 7 }, 7 };
	struct third newer = { sizeof newer, 7, 7, 7 };

	known_give(&older.given, &ours, sizeof ours);
	ck_assert_uint_eq(older.given.size, sizeof older.given);
	ck_assert_uint_eq(older.given.a, 1);
	ck_assert_uint_eq(older.behind, 7);
	known_give(&newer, &ours, sizeof ours);
	ck_assert_uint_eq(newer.size, sizeof newer);
	ck_assert_uint_eq(newer.b, 2);
	ck_assert_uint_eq(newer.c, 0);
}
END_TEST

START_TEST(test_reserved) {
	uint64_t reserved[] = { 0, 0 };

	ck_assert_int_eq(known_reserved(reserved, 2, "it"), 0);
	reserved[1] = 1;
	ck_assert_int_eq(known_reserved(reserved, 1, "it"), 0);
	ck_assert_int_eq(known_reserved(reserved, 2, "it"), -EINVAL);
}
END_TEST

START_TEST(test_timeouts) {
	ck_assert_int_eq(known_timeout("it", 0), 0);
	ck_assert_int_eq(known_timeout("it", INT32_MAX), 0);
	ck_assert_int_eq(known_timeout("it", WF_FOREVER), 0);
	ck_assert_int_eq(known_timeout("it", WF_NO_GRACE), -EINVAL);
	ck_assert_int_eq(known_timeout("it", INT32_MIN), -EINVAL);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("known");

	tcase_add_test(test_case, test_take_of_an_older_caller);
	tcase_add_test(test_case, test_take_of_a_newer_caller);
	tcase_add_test(test_case, test_sizes_that_cannot_be);
	tcase_add_test(test_case, test_give_to_each);
	tcase_add_test(test_case, test_reserved);
	tcase_add_test(test_case, test_timeouts);
	return fixture_run("known", test_case);
}
