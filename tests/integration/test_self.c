/* SPDX-License-Identifier: MIT
 *
 * Story: a program that is its own image (tests/support/self_host.c).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/program.h"

/* What it does, and how often its main() is reached: once for each time it is started as itself. */
static const struct {
	const char *name, *output;
} modes[] = {
	{ "runs-tasks", "main\n" },
	{ "keeps-descriptors", "main\n" },
	{ "runs-children", "main\nmain\nmain\n" },
	{ "is-child", "main\n" },
	{ "nests-pools", "main\n" },
	{ "names-a-module", "main\n" },
	{ "has-a-bad-table", "" },
	{ "forgets-to-init", "" },
};

START_TEST(test_self) {
	struct program program =
	    program_start(getenv("SELF_HOST"), (const char *const[]){ modes[_i].name, NULL });
	char output[256];

	program_read(&program, output, sizeof output);
	ck_assert_msg(program_end(&program) == 0, "a program that %s was let down", modes[_i].name);
	ck_assert_str_eq(output, modes[_i].output);
}
END_TEST

static void copy_set_uid(const char *from, const char *to) {
	static char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	ssize_t n;

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		ck_assert_int_eq(write(out, bytes, (size_t)n), n);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(fchmod(out, 04755), 0);
	close(in);
	close(out);
}

START_TEST(test_set_uid_is_refused) {
	char path[512], output[256];

	if (program_needs_root("test_set_uid_is_refused"))
		return;
	snprintf(path, sizeof path, "%s/set-uid", fixture_scratch());
	ck_assert_int_eq(chmod(fixture_scratch(), 0755), 0);
	copy_set_uid(getenv("SELF_HOST"), path);
	struct program program = program_start(
	    getenv("SELF_HOST"), (const char *const[]){ "starts-privileged", path, NULL });
	program_read(&program, output, sizeof output);
	const int status = program_end(&program);
	if (status == PROGRAM_CANNOT)
		program_skipped("test_set_uid_is_refused", "set-uid programs have no effect here");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("self");

	tcase_add_loop_test(test_case, test_self, 0, (int)N_OF(modes));
	tcase_add_test(test_case, test_set_uid_is_refused);
	return fixture_run("self", test_case);
}
