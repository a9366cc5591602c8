/* SPDX-License-Identifier: MIT
 *
 * Story: host programs with habits that a library must bear (tests/support/host_more.c).
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/program.h"

/* Habits that any user can have. */
static const char *const modes[] = {
	"reaps-anything",         "has-no-child",
	"ignores-sigchld",        "wants-no-zombies",
	"blocks-all-signals",     "forks",
	"forks-under-load",       "forks-to-open",
	"forks-while-sharing",    "closes-with-a-forked-child",
	"has-many-threads",       "opens-in-a-thread-that-exits",
	"exits-without-closing",  "has-few-descriptors",
	"has-none-for-a-worker",  "has-ever-more-descriptors",
	"has-no-memory-at-first", "closes-all-descriptors",
	"loses-a-descriptor",     "has-a-descriptor-replaced",
	"closes-as-it-submits",   "waits-for-one-task",
	"closes-when-idle",       "closes-beside-a-map",
	"closes-as-it-drives",    "reuses-the-numbers",
};

static void expect_borne(struct program *host, const char *mode) {
	const int status = program_end(host);

	if (status == PROGRAM_CANNOT)
		program_skipped(mode, "it cannot be tried here");
	else
		ck_assert_msg(status == 0, "the host that %s was let down", mode);
}

START_TEST(test_host) {
	struct program host =
	    program_start(getenv("HOST_MORE"), (const char *const[]){ modes[_i], NULL });

	expect_borne(&host, modes[_i]);
}
END_TEST

/* Those whom a limit refuses processes; it does not bind root. */
static const char *const limited[] = { "cannot-fork", "cannot-open", "has-ever-more-processes" };

START_TEST(test_host_without_processes) {
	const char *const arguments[] = { "as-nobody", limited[_i], NULL };
	struct program host = program_start(getenv("HOST_MORE"), arguments + (geteuid() != 0));

	expect_borne(&host, limited[_i]);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("hosts");

	tcase_add_loop_test(test_case, test_host, 0, (int)N_OF(modes));
	tcase_add_loop_test(test_case, test_host_without_processes, 0, (int)N_OF(limited));
	return fixture_run("hosts", test_case);
}
