/* SPDX-License-Identifier: MIT
 *
 * Story: host programs with habits that a library must bear (tests/support/host_more.c).
 */
#include <stdlib.h>

#include "tests/support/more.h"
#include "tests/support/program.h"

/* Those that need nothing from us. */
static const char *const modes[] = {
	"reaps-anything",
	"ignores-sigchld",
	"wants-no-zombies",
	"blocks-all-signals",
	"forks",
	"forks-under-load",
	"forks-to-open",
	"forks-while-sharing",
	"closes-with-a-forked-child",
	"has-many-threads",
	"opens-in-a-thread-that-exits",
	"exits-without-closing",
	"has-few-descriptors",
	"has-none-for-a-worker",
};

START_TEST(test_host) {
	struct program host =
	    program_start(getenv("HOST_MORE"), (const char *const[]){ modes[_i], NULL });

	ck_assert_msg(program_end(&host) == 0, "the host that %s was let down", modes[_i]);
}
END_TEST

/* Those whom a limit for nobody refuses processes. */
static const char *const nobodies[] = { "cannot-fork", "cannot-open" };

START_TEST(test_host_as_nobody) {
	if (program_needs_root(nobodies[_i]))
		return;
	struct program host = program_start(
	    getenv("HOST_MORE"), (const char *const[]){ "as-nobody", nobodies[_i], NULL });
	const int status = program_end(&host);

	if (status == PROGRAM_CANNOT)
		program_skipped(nobodies[_i], "nobody may not run the programs here");
	else
		ck_assert_msg(status == 0, "the host that %s was let down", nobodies[_i]);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("hosts");

	tcase_add_loop_test(test_case, test_host, 0, (int)N_OF(modes));
	tcase_add_loop_test(test_case, test_host_as_nobody, 0, (int)N_OF(nobodies));
	return fixture_run("hosts", test_case);
}
