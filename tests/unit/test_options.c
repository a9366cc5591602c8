/* SPDX-License-Identifier: MIT
 *
 * The table of options: every member of the struct has its row, and each row does what it says.
 * Nothing is started.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/report.h"
#include "executor/options.h"
#include "tests/support/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

/* Of the table; set by main(). */
static const struct option *rows;
static size_t n_rows;

/* Options that are accepted, of which a test changes one member at a time. */
static struct wf_executor_options plain(void) {
	return WF_EXECUTOR_OPTIONS(.module = "/some/module.so", .workers = 4, .queue_limit = 1);
}

static void set_int(struct wf_executor_options *options, const struct option *option, int value) {
	memcpy((char *)options + option->offset, &value, sizeof value);
}

static int get_int(const struct wf_executor_options *options, const struct option *option) {
	int value;

	memcpy(&value, (const char *)options + option->offset, sizeof value);
	return value;
}

static size_t aligned(size_t offset, size_t size) {
	const size_t alignment = size < sizeof(void *) ? size : sizeof(void *);

	return (offset + alignment - 1) / alignment * alignment;
}

/* A member without a row would be neither checked nor compared: wf_executor_shared() would give the
 * wrong pool back. */
START_TEST(test_rows_tile_the_struct) {
	size_t end = sizeof(size_t); /* `size` itself */

	for (size_t i = 0; i < n_rows; i++) {
		/* a struct begins where its widest member may */
		if (rows[i].offset == offsetof(struct wf_executor_options, tuning))
			end = aligned(end, sizeof(uint64_t));
		ck_assert_msg(rows[i].offset == aligned(end, rows[i].size),
			      "before options.%s there is a member without a row", rows[i].name);
		end = rows[i].offset + rows[i].size;
	}
	ck_assert_msg(aligned(end, sizeof(void *)) == sizeof(struct wf_executor_options),
		      "the last members have no row");
}
END_TEST

static bool is_accepted(const struct wf_executor_options *given) {
	struct options options;
	const int r = options_init(&options, given);

	if (r == 0)
		options_deinit(&options);
	else
		ck_assert_int_eq(r, -EINVAL);
	return r == 0;
}

static void expect_refused(const struct option *option, int value) {
	struct wf_executor_options given = plain();
	char name[64];

	set_int(&given, option, value);
	ck_assert_msg(!is_accepted(&given), "options.%s may be %d", option->name, value);
	(void)snprintf(name, sizeof name, "options.%s is ", option->name);
	ck_assert_msg(strstr(report_text(), name), "%s: the sentence is: %s", name, report_text());
}

static const int sentinels[] = { WF_FOREVER, WF_NO_GRACE, WF_NO_SPARES, WF_DEFAULT_GRACE };

START_TEST(test_what_is_out_of_range_is_named) {
	for (size_t i = 0; i < n_rows; i++) {
		if (rows[i].type != OPTION_INT)
			continue;
		for (size_t s = 0; s < N_OF(sentinels); s++)
			if (sentinels[s] != rows[i].sentinel)
				expect_refused(&rows[i], sentinels[s]);
		expect_refused(&rows[i], INT_MIN);
		if (rows[i].high < INT_MAX)
			expect_refused(&rows[i], rows[i].high + 1);
	}
}
END_TEST

static const char *const not_alone[] = {
	"image",       /* without a module */
	"min_workers", /* of so few workers */
};

static bool stands_alone(const struct option *option) {
	for (size_t i = 0; i < N_OF(not_alone); i++)
		if (strcmp(option->name, not_alone[i]) == 0)
			return false;
	return true;
}

START_TEST(test_what_is_in_range_is_accepted) {
	for (size_t i = 0; i < n_rows; i++) {
		struct wf_executor_options given = plain();

		if (rows[i].type != OPTION_INT || !stands_alone(&rows[i]))
			continue;
		set_int(&given, &rows[i], rows[i].high);
		ck_assert_msg(is_accepted(&given), "options.%s: %s", rows[i].name, report_text());
		set_int(&given, &rows[i], rows[i].sentinel);
		ck_assert_msg(is_accepted(&given), "options.%s: %s", rows[i].name, report_text());
	}
}
END_TEST

START_TEST(test_reserved_members_are_zero) {
	for (size_t i = 0; i < n_rows; i++) {
		struct wf_executor_options given = plain();

		if (rows[i].type != OPTION_RESERVED)
			continue;
		((char *)&given)[rows[i].offset + rows[i].size - 1] = 1;
		ck_assert(!is_accepted(&given));
		ck_assert_ptr_nonnull(strstr(report_text(), "does not know"));
	}
}
END_TEST

START_TEST(test_zero_is_the_default) {
	const struct wf_executor_options given = plain();
	struct options options;

	ck_assert_int_eq(options_init(&options, &given), 0);
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].type == OPTION_INT && rows[i].standard)
			ck_assert_msg(get_int(&options.public, &rows[i]) == rows[i].standard,
				      "options.%s became %d", rows[i].name,
				      get_int(&options.public, &rows[i]));
	ck_assert_int_eq(options.public.spares, 4);
	ck_assert_str_eq(options.public.name, "module");
	options_deinit(&options);
}
END_TEST

START_TEST(test_a_default_may_be_given) {
	for (size_t i = 0; i < n_rows; i++) {
		struct wf_executor_options given = plain();
		struct options a, b;

		if (rows[i].type != OPTION_INT || !rows[i].standard)
			continue;
		ck_assert_int_eq(options_init(&a, &given), 0);
		set_int(&given, &rows[i], rows[i].standard);
		ck_assert_int_eq(options_init(&b, &given), 0);
		ck_assert_msg(options_equal(&a, &b), "options.%s", rows[i].name);
		options_deinit(&a);
		options_deinit(&b);
	}
}
END_TEST

/* Another value of a member, of whatever type it is. */
static void change(struct wf_executor_options *options, const struct option *option) {
	static const struct wf_context context = { .size = sizeof context, .nice = 3 };
	static const char *const another = "/another";
	char *member = (char *)options + option->offset;

	if (strcmp(option->name, "image") == 0)
		options->module = NULL;
	if (option->type == OPTION_RESERVED || strcmp(option->name, "learn") == 0 ||
	    strcmp(option->name, "policy") == 0)
		return; /* see below */
	if (strcmp(option->name, "context") == 0)
		options->context = &context;
	else if (strcmp(option->name, "preload_argument") == 0)
		options->preload_argument = "this";
	else if (strcmp(option->name, "preload_argument_size") == 0)
		options->preload_argument_size = 4;
	else if (option->type == OPTION_TEXT)
		memcpy(member, &another, sizeof another);
	else if (option->type == OPTION_POINTER)
		memcpy(member, &options, sizeof options);
	else
		member[0] ^= 1; /* every kind of number has its lowest bits there */
}

START_TEST(test_a_change_of_any_member_is_noticed) {
	for (size_t i = 0; i < n_rows; i++) {
		struct wf_executor_options given = plain(), changed;
		struct options a, b;

		given.preload_argument = "that";
		given.preload_argument_size = 3;
		changed = given;
		change(&changed, &rows[i]);
		ck_assert_int_eq(options_init(&a, &given), 0);
		ck_assert_msg(options_init(&b, &changed) == 0, "options.%s: %s", rows[i].name,
			      report_text());
		if (rows[i].type != OPTION_RESERVED && strcmp(rows[i].name, "learn") != 0 &&
		    strcmp(rows[i].name, "policy") != 0)
			ck_assert_msg(options_equal(&a, &b) == (rows[i].same == OPTION_SAME_ALWAYS),
				      "options.%s", rows[i].name);
		options_deinit(&a);
		options_deinit(&b);
	}
}
END_TEST

START_TEST(test_a_change_of_the_policy_is_noticed) {
	struct wf_executor_options given = plain();
	struct options without, with, learning;
	struct wf_policy *policy;

	ck_assert_int_eq(wf_policy_new("stage", &policy), 0);
	ck_assert_int_eq(options_init(&without, &given), 0);
	given.policy = policy;
	ck_assert_int_eq(options_init(&with, &given), 0);
	given.learn = true;
	ck_assert_int_eq(options_init(&learning, &given), 0);
	ck_assert(!options_equal(&without, &with));
	ck_assert(!options_equal(&with, &learning));
	ck_assert(options_equal(&with, &with));
	options_deinit(&without);
	options_deinit(&with);
	options_deinit(&learning);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_what_contradicts_is_refused) {
	struct wf_executor_options bad[] = { plain(), plain(), plain(), plain(), plain() };

	bad[0].image = WF_IMAGE_SELF;
	bad[1].module = NULL;
	bad[2].min_workers = 5;
	bad[3].learn = true;
	bad[4].preload_argument_size = 1;
	for (size_t i = 0; i < N_OF(bad); i++)
		ck_assert_msg(!is_accepted(&bad[i]), "number %zu", i);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("options");

	rows = options_table(&n_rows);
	tcase_add_test(test_case, test_rows_tile_the_struct);
	tcase_add_test(test_case, test_what_is_out_of_range_is_named);
	tcase_add_test(test_case, test_what_is_in_range_is_accepted);
	tcase_add_test(test_case, test_reserved_members_are_zero);
	tcase_add_test(test_case, test_zero_is_the_default);
	tcase_add_test(test_case, test_a_default_may_be_given);
	tcase_add_test(test_case, test_a_change_of_any_member_is_noticed);
	tcase_add_test(test_case, test_a_change_of_the_policy_is_noticed);
	tcase_add_test(test_case, test_what_contradicts_is_refused);
	return fixture_run("options", test_case);
}
