/* SPDX-License-Identifier: MIT
 *
 * base/path, base/directory: paths as text, and what a directory holds.
 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/fd.h"
#include "tests/support/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct {
	const char *path, *simple, *parent;
} paths[] = {
	{ "/", "/", "/" },
	{ "//", "/", "/" },
	{ "/.", "/", "/" },
	{ "/..", "/", "/" },
	{ "/../../a", "/a", "/" },
	{ "/a", "/a", "/" },
	{ "/a/", "/a", "/" },
	{ "/a//b/./c", "/a/b/c", "/a/b" },
	{ "/a/b/../c", "/a/c", "/a" },
	{ "/a/b/../../..", "/", "/" },
	{ "/a/.../b", "/a/.../b", "/a/..." },
	{ "/.a/..b/c.", "/.a/..b/c.", "/.a/..b" },
};

START_TEST(test_paths_are_simplified_to_the_letter) {
	char path[64], parent[64];

	(void)snprintf(path, sizeof path, "%s", paths[_i].path);
	path_simplify(path);
	ck_assert_str_eq(path, paths[_i].simple);
	path_parent(path, parent, sizeof parent);
	ck_assert_str_eq(parent, paths[_i].parent);
	path_simplify(path);
	ck_assert_str_eq(path, paths[_i].simple);
}
END_TEST

START_TEST(test_a_parent_is_cut_to_its_room) {
	char parent[4];

	path_parent("/abc/def", parent, sizeof parent);
	ck_assert_str_eq(parent, "/ab");
}
END_TEST

static void count(void *context, int directory, const char *name) {
	unsigned *counts = context;

	ck_assert_int_ge(directory, 0);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	/* so long that not all fit one call */
	ck_assert_uint_eq(strlen(name), 103);
	counts[(name[100] - '0') * 100 + (name[101] - '0') * 10 + (name[102] - '0')]++;
}

START_TEST(test_each_entry_is_visited_once) {
	unsigned counts[300] = { 0 };
	cleanup_close int fd = open(fixture_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[128];

	for (unsigned i = 0; i < N_OF(counts); i++) {
		(void)snprintf(name, sizeof name, "%0103u", i);
		(void)fd_close(openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	ck_assert_int_eq(directory_each(fd, count, counts), 0);
	for (unsigned i = 0; i < N_OF(counts); i++)
		ck_assert_uint_eq(counts[i], 1);
}
END_TEST

START_TEST(test_what_is_no_directory_has_no_entries) {
	cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(directory_each(fd, count, NULL), -ENOTDIR);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("path");

	tcase_add_loop_test(test_case, test_paths_are_simplified_to_the_letter, 0, N_OF(paths));
	tcase_add_test(test_case, test_a_parent_is_cut_to_its_room);
	tcase_add_test(test_case, test_each_entry_is_visited_once);
	tcase_add_test(test_case, test_what_is_no_directory_has_no_entries);
	return fixture_run("path", test_case);
}
