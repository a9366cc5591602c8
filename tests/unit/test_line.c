/* SPDX-License-Identifier: MIT
 *
 * Text of somebody else's making on one line.
 */
#include <string.h>

#include "base/line.h"
#include "tests/support/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct {
	const char *text, *line;
} cases[] = {
	{ "", "" },
	{ "plain, with \"quotes\" and a \\", "plain, with \"quotes\" and a \\" },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac \xf0\x9f\x90\xa7",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac \xf0\x9f\x90\xa7" },
	{ "one\ntwo\rthree\tfour", "one\\ntwo\\rthree\\tfour" },
	{ "\x1b[2J\x01\x7f", "\\x1b[2J\\x01\\x7f" },
	/* C1, next line, soft hyphen */
	{ "a\xc2\x9bz\xc2\x85\xc2\xad", "a\\u{9b}z\\u{85}\\u{ad}" },
	/* right-to-left override, isolates, zero width, separators, byte order mark, tags */
	{ "\xe2\x80\xae"
	  "gpj",
	  "\\u{202e}gpj" },
	{ "\xe2\x81\xa6\xe2\x81\xa9", "\\u{2066}\\u{2069}" },
	{ "a\xe2\x80\x8b"
	  "b",
	  "a\\u{200b}b" },
	{ "\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}" },
	{ "\xef\xbb\xbf", "\\u{feff}" },
	{ "\xf3\xa0\x81\x81", "\\u{e0041}" },
	/* no UTF-8: alone, cut, too long a form, a surrogate, beyond Unicode */
	{ "\xff\xfe", "\\xff\\xfe" },
	{ "a\x80", "a\\x80" },
	{ "\xe2\x82", "\\xe2\\x82" },
	{ "\xc0\x8a", "\\xc0\\x8a" },
	{ "\xe0\x80\x8a", "\\xe0\\x80\\x8a" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
};

START_TEST(test_escapes) {
	char line[256];

	ck_assert_uint_eq(line_escape(line, sizeof line, cases[_i].text), strlen(cases[_i].line));
	ck_assert_str_eq(line, cases[_i].line);
}
END_TEST

/* Every byte alone: nothing that a terminal acts upon is left. */
START_TEST(test_every_byte) {
	char line[64];

	for (int byte = 1; byte < 256; byte++) {
		line_escape(line, sizeof line, (char[]){ (char)byte, '\0' });
		for (const char *at = line; *at; at++)
			ck_assert_msg(*at >= ' ' && *at < 0x7f, "byte 0x%02x", (unsigned)byte);
	}
}
END_TEST

/* Behind a whole character or escape; the length is that of all of it. */
START_TEST(test_is_cut) {
	static const char text[] = "ab\n\xe2\x82\xac!";
	static const char *const cut[] = { "",
					   "a",
					   "ab",
					   "ab",
					   "ab\\n",
					   "ab\\n",
					   "ab\\n",
					   "ab\\n\xe2\x82\xac",
					   "ab\\n\xe2\x82\xac!" };
	char line[16];

	ck_assert_uint_eq(line_escape(NULL, 0, text), 8);
	for (size_t size = 1; size <= N_OF(cut); size++) {
		memset(line, '#', sizeof line);
		ck_assert_uint_eq(line_escape(line, size, text), 8);
		ck_assert_str_eq(line, cut[size - 1]);
		ck_assert_int_eq(line[size], '#');
	}
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("line");

	tcase_add_loop_test(test_case, test_escapes, 0, (int)N_OF(cases));
	tcase_add_test(test_case, test_every_byte);
	tcase_add_test(test_case, test_is_cut);
	return fixture_run("line", test_case);
}
