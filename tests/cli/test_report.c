/* SPDX-License-Identifier: MIT
 *
 * One list of facts, two forms: units, wrapping, and bytes that are neither text nor harmless.
 */
#include "cli/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"

static char *print(const struct report *report, int (*form)(const struct report *, FILE *)) {
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(to);
	ck_assert_int_eq(form(report, to), 0);
	ck_assert_int_eq(fclose(to), 0);
	return text;
}

static void expect_printed(struct report *report, const char *expected) {
	char *text = print(report, report_print);

	ck_assert_str_eq(text, expected);
	free(text);
	report_clear(report);
}

START_TEST(test_units) {
	struct report report = { .n = 0 };

	report_section(&report, "memory");
	report_number(&report, REPORT_BYTES, "a", "bytes", 1023);
	report_number(&report, REPORT_BYTES, "b", "kibibytes", (1 << 20) - 1);
	report_number(&report, REPORT_BYTES, "c", "mebibytes", 3 << 19);
	report_number(&report, REPORT_BYTES, "d", "many of them", (uint64_t)512 << 20);
	report_number(&report, REPORT_BYTES, "e", "gibibytes", (uint64_t)5 << 29);
	report_section(&report, "time");
	report_number(&report, REPORT_TIME, "f", "little", 1500);
	report_number(&report, REPORT_TIME, "g", "some", 184999);
	report_number(&report, REPORT_TIME, "h", "more", 6543210);
	report_number(&report, REPORT_TIME, "i", "long", 2345678901);
	report_unknown(&report, REPORT_TIME, "j", "who knows");
	expect_printed(&report, "memory\n"
				"  bytes               1023 B\n"
				"  kibibytes           1023 KiB\n"
				"  mebibytes           1.5 MiB\n"
				"  many of them        512 MiB\n"
				"  gibibytes           2.5 GiB\n"
				"\n"
				"time\n"
				"  little              1.5 us\n"
				"  some                185 us\n"
				"  more                6.5 ms\n"
				"  long                2.3 s\n"
				"  who knows           -\n");
}
END_TEST

START_TEST(test_wrapping) {
	struct report report = { .n = 0 };

	report_section(&report, "texts");
	report_text(&report, REPORT_TEXT, "a", "sentence",
		    "each fork copies the page tables of all that is private and not frozen");
	report_text(&report, REPORT_LINES, "b", "lines", "one\n\n  three\n");
	report_text(&report, REPORT_TEXT, "c", "one word",
		    "/a/path/that/is/longer/than/a/line/has/columns/and/has/no/blank/anywhere");
	report_text(&report, REPORT_TEXT, "d", "nothing", "");
	expect_printed(
	    &report,
	    "texts\n"
	    "  sentence            each fork copies the page tables of all that is private\n"
	    "                      and not frozen\n"
	    "  lines               one\n"
	    "\n"
	    "                        three\n"
	    "  one word            /a/path/that/is/longer/than/a/line/has/columns/and/has/no/\n"
	    "                      blank/anywhere\n"
	    "  nothing             -\n");
}
END_TEST

/* A colour, a C1 control, a cut character, a surrogate, and one that is too long a form. */
static const char nasty[] = "\033[31m \xc2\x9b \xc3\xa9 \xe2\x82 \xed\xa0\x80 \xc0\xaf";

START_TEST(test_nasty_text) {
	struct report report = { .n = 0 };

	report_section(&report, "texts");
	report_text(&report, REPORT_TEXT, "a", "nasty", nasty);
	expect_printed(&report, "texts\n"
				"  nasty               \\x1b[31m \\u009b \xc3\xa9 "
				"\xef\xbf\xbd\xef\xbf\xbd "
				"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\n");
}
END_TEST

START_TEST(test_json) {
	struct report report = { .n = 0 };
	json_error_t error;
	json_t *root;
	char *text;

	report_section(&report, "one");
	report_number(&report, REPORT_BYTES, "memory", "memory", (uint64_t)5 << 40);
	report_number(&report, REPORT_TIME, "time", "time", 7);
	report_number(&report, REPORT_FLAG, "flag", "flag", 1);
	report_unknown(&report, REPORT_COUNT, "unknown", "unknown");
	report_section(&report, "two");
	report_text(&report, REPORT_TEXT, "nasty", "nasty", nasty);
	report_text(&report, REPORT_LINES, "lines", "lines", "a\n\nb\n");
	text = print(&report, report_print_json);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(root != NULL, "%s: %s", error.text, text);
	const json_t *one = json_object_get(root, "one"), *two = json_object_get(root, "two");
	ck_assert_int_eq(json_integer_value(json_object_get(one, "memory_bytes")),
			 (json_int_t)5 << 40);
	ck_assert_int_eq(json_integer_value(json_object_get(one, "time_ns")), 7);
	ck_assert_int_eq(json_is_true(json_object_get(one, "flag")), true);
	ck_assert_int_eq(json_is_null(json_object_get(one, "unknown")), true);
	ck_assert_uint_eq(json_array_size(json_object_get(two, "lines")), 3);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(two, "lines"), 2)), "b");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(two, "nasty")), "\033[31m"));
	json_decref(root);
	free(text);
	report_clear(&report);
}
END_TEST

/* A report that has no room for all facts is not printed at all. */
START_TEST(test_too_many_facts) {
	struct report report = { .n = 0 };

	report_section(&report, "many");
	for (int i = 0; i <= REPORT_FACTS; i++)
		report_number(&report, REPORT_COUNT, "n", "n", 1);
	ck_assert_int_lt(report_print(&report, stderr), 0);
	ck_assert_int_lt(report_print_json(&report, stderr), 0);
	report_clear(&report);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("forms");

	tcase_add_test(test_case, test_units);
	tcase_add_test(test_case, test_wrapping);
	tcase_add_test(test_case, test_nasty_text);
	tcase_add_test(test_case, test_json);
	tcase_add_test(test_case, test_too_many_facts);
	return fixture_run("report", test_case);
}
