/* SPDX-License-Identifier: MIT
 *
 * WF_ABSENT means the same to the command as to the library, of which the command knows nothing.
 */
#include "cli/absent.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/feature.h"
#include "tests/support/fixture.h"

static const char *const values[] = {
	"",
	"linux-6.1",
	"userns,linux-6.1",
	"linux-6.1,cgroup",
	"linux-6",
	"landlock",
	"landlock:2",
	"landlock:",
	"pidfd_info,,memfd_noexec,",
	",seccomp",
	"no_such,proc_children",
	"collapse syscall_dispatch",
};
#define N_VALUES ((int)(sizeof values / sizeof values[0]))

/* Each in a process of its own: the library reads the variable once. */
START_TEST(test_a_word_hides_what_it_hides_from_the_library) {
	const char *words = _i < N_VALUES ? values[_i] : NULL;

	if (words)
		setenv("WF_ABSENT", words, 1);
	else
		unsetenv("WF_ABSENT");
	for (int i = 0; i < FEATURE_COUNT; i++)
		ck_assert_msg(absent_hides(words, feature_name((enum feature)i)) ==
				  feature_hidden((enum feature)i),
			      "%s under %s", feature_name((enum feature)i),
			      words ? words : "nothing");
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("absent");

	tcase_add_loop_test(test_case, test_a_word_hides_what_it_hides_from_the_library, 0,
			    N_VALUES + 1);
	return fixture_run("absent", test_case);
}
