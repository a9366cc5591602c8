/* SPDX-License-Identifier: MIT
 *
 * sandbox/place, sandbox/point: which file a path of a policy stands for, which links may lead to
 * it, and that no mount point is made or found through a link.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/memory.h"
#include "sandbox/place.h"
#include "sandbox/point.h"
#include "tests/support/fixture.h"

static struct places *places;
static struct sandbox_trouble trouble;

/* PATH below the scratch directory; static, one of 8 in turn. */
static const char *below(const char *path) {
	static char paths[8][4096];
	static unsigned turn;
	char *to = paths[turn++ % 8];

	(void)snprintf(to, sizeof paths[0], "%s%s", fixture_scratch(), path);
	return to;
}

static void make_directory(const char *path) {
	ck_assert_int_eq(mkdir(below(path), 0755), 0);
}

static void make_file(const char *path) {
	int fd = open(below(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}

static void make_link(const char *target, const char *path) {
	ck_assert_int_eq(symlink(target, below(path)), 0);
}

/* w/ is what tasks may write to, beside it lies a secret, and `other` is another name of w/. */
static void make_ground(void) {
	make_directory("/w");
	make_directory("/w/sub");
	make_directory("/secret");
	make_file("/secret/key");
	make_link("w", "/other");
}

static bool private_memory;

static int survey(const struct policy_path *paths, size_t n, bool scratch) {
	const struct policy policy = { .paths = paths, .n_paths = n };

	return places_open(&(struct place_request){ &policy, scratch, private_memory }, &places,
			   &trouble);
}
#define SURVEY(...)                                                                                \
	survey((const struct policy_path[]){ __VA_ARGS__ },                                        \
	       sizeof((const struct policy_path[]){ __VA_ARGS__ }) / sizeof(struct policy_path),   \
	       false)

static void forget(void) {
	for (size_t i = 0; places && i < places->n; i++) {
		fd_close(places->list[i].fd);
		free(places->list[i].path);
	}
	for (size_t i = 0; places && i < places->n_links; i++) {
		free(places->links[i].path);
		free(places->links[i].target);
	}
	memory_free_sparse(places, sizeof *places);
	places = NULL;
}

static void expect_place(size_t i, const char *path, uint32_t access) {
	struct fd_file file;
	struct stat status;

	ck_assert_uint_lt(i, places->n);
	ck_assert_str_eq(places->list[i].path, path);
	ck_assert_uint_eq(places->list[i].access, access);
	ck_assert_int_eq(lstat(path, &status), 0);
	ck_assert_int_eq(fd_identify(places->list[i].fd, &file), 0);
	ck_assert(file.device == status.st_dev && file.inode == status.st_ino);
	ck_assert_int_eq(places->list[i].directory, S_ISDIR(status.st_mode));
}

/* --- where a path leads -------------------------------------------------------------------- */

START_TEST(test_a_path_without_links) {
	make_ground();
	ck_assert_int_eq(SURVEY({ below("/w"), POLICY_WRITE, false },
				{ below("/secret/key"), POLICY_READ, false }),
			 0);
	ck_assert_uint_eq(places->n, 2);
	ck_assert_uint_eq(places->n_links, 0);
	expect_place(0, below("/w"), POLICY_WRITE);
	expect_place(1, below("/secret/key"), POLICY_READ);
	forget();
}
END_TEST

START_TEST(test_links_are_followed_and_told) {
	make_ground();
	make_directory("/a");
	make_link("../secret", "/a/up");
	make_link("a/up", "/twice");
	ck_assert_int_eq(SURVEY({ below("/twice/key"), POLICY_READ, false }), 0);
	ck_assert_uint_eq(places->n, 1);
	expect_place(0, below("/secret/key"), POLICY_READ);
	ck_assert_uint_eq(places->n_links, 2);
	ck_assert_str_eq(places->links[0].path, below("/twice"));
	ck_assert_str_eq(places->links[0].target, "a/up");
	ck_assert_str_eq(places->links[1].path, below("/a/up"));
	ck_assert_str_eq(places->links[1].target, "../secret");
	forget();
}
END_TEST

/* What it leads to is looked at, not its name. */
START_TEST(test_no_memory_that_can_be_shared) {
	struct stat zero, full, found;

	make_ground();
	make_link("/dev/zero", "/nothing");
	private_memory = _i == 1;
	ck_assert_int_eq(SURVEY({ below("/nothing"), POLICY_DEVICE, false }), 0);
	private_memory = false;
	ck_assert_uint_eq(places->n, 1);
	ck_assert_str_eq(places->list[0].path, "/dev/zero");
	ck_assert_int_eq(stat("/dev/zero", &zero), 0);
	ck_assert_int_eq(stat("/dev/full", &full), 0);
	ck_assert_int_eq(fstat(places->list[0].fd, &found), 0);
	ck_assert_uint_eq(found.st_rdev, _i == 1 ? full.st_rdev : zero.st_rdev);
	forget();
}
END_TEST

START_TEST(test_two_names_of_one_place) {
	make_ground();
	ck_assert_int_eq(
	    SURVEY({ below("/other"), POLICY_WRITE, false }, { below("/w"), POLICY_EXECUTE, true }),
	    0);
	ck_assert_uint_eq(places->n, 1);
	expect_place(0, below("/w"), POLICY_WRITE | POLICY_EXECUTE);
	ck_assert(!places->list[0].optional);
	forget();
}
END_TEST

/* The name may lead elsewhere afterwards. */
START_TEST(test_a_place_is_the_file_that_was_opened) {
	struct fd_file before, after;

	make_ground();
	ck_assert_int_eq(SURVEY({ below("/other"), POLICY_READ, false }), 0);
	ck_assert_int_eq(fd_identify(places->list[0].fd, &before), 0);
	ck_assert_int_eq(rename(below("/w"), below("/gone")), 0);
	make_link("secret", "/w");
	ck_assert_int_eq(fd_identify(places->list[0].fd, &after), 0);
	ck_assert(before.inode == after.inode);
	forget();
}
END_TEST

START_TEST(test_the_root_brings_its_entries) {
	size_t n_roots = 0;

	ck_assert_int_eq(SURVEY({ "/", POLICY_READ, false }), 0);
	for (size_t i = 0; i < places->n; i++)
		n_roots += strcmp(places->list[i].path, "/") == 0;
	ck_assert_uint_eq(n_roots, 1);
	ck_assert_uint_gt(places->n, 1);
	forget();
}
END_TEST

/* --- links of others ----------------------------------------------------------------------- */

/* What tasks may write to can have many names. */
static const char *const writable_names[] = { "/w", "/other", "/chain" };

START_TEST(test_a_link_that_a_task_may_have_put_there) {
	const char *name = writable_names[_i];
	char path[4096];

	make_ground();
	make_link("other", "/chain");
	ck_assert_int_eq(rmdir(below("/w/sub")), 0);
	make_link("../secret", "/w/sub");
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof path, "%s%s/sub/key", fixture_scratch(),
			       writable_names[i]);
		ck_assert_int_eq(
		    SURVEY({ below(name), POLICY_WRITE, false }, { path, POLICY_READ, false }),
		    -ELOOP);
		ck_assert_ptr_nonnull(strstr(trouble.text, path));
		ck_assert_ptr_nonnull(strstr(trouble.text, "tasks may write to"));
		ck_assert_uint_eq(trouble.layer, 0);
		forget();
		/* it is covered by what is above it */
		ck_assert_int_eq(
		    SURVEY({ path, POLICY_READ, true }, { below(name), POLICY_WRITE, false }), 0);
		ck_assert_uint_eq(places->n, 1);
		expect_place(0, below("/w"), POLICY_WRITE);
		forget();
	}
}
END_TEST

START_TEST(test_a_writable_path_below_another) {
	make_ground();
	ck_assert_int_eq(rmdir(below("/w/sub")), 0);
	make_link("../secret", "/w/sub");
	ck_assert_int_eq(SURVEY({ below("/other/sub"), POLICY_WRITE, false },
				{ below("/other"), POLICY_WRITE, false }),
			 -ELOOP);
	forget();
}
END_TEST

/* Whoever may write to everything hides nothing. */
START_TEST(test_a_writable_root_does_not_count) {
	make_ground();
	ck_assert_int_eq(
	    SURVEY({ "/", POLICY_WRITE, false }, { below("/other"), POLICY_READ, false }), 0);
	forget();
}
END_TEST

static bool kernel_protects_links(void) {
	FILE *file = fopen("/proc/sys/fs/protected_symlinks", "re");
	int value = file ? fgetc(file) : EOF;

	if (file)
		(void)fclose(file);
	return value == '1';
}

/* In a directory that everybody may write to, as /tmp. */
START_TEST(test_a_link_of_another_user) {
	if (geteuid() != 0 || !kernel_protects_links()) {
		printf("# skipped: only root can make one, and fs.protected_symlinks must be 1\n");
		return;
	}
	make_ground();
	make_directory("/everybody");
	ck_assert_int_eq(chmod(below("/everybody"), 01777), 0);
	make_link("../secret", "/everybody/link");
	ck_assert_int_eq(SURVEY({ below("/everybody/link/key"), POLICY_READ, false }), 0);
	forget();
	ck_assert_int_eq(lchown(below("/everybody/link"), 12345, 12345), 0);
	ck_assert_int_eq(SURVEY({ below("/everybody/link/key"), POLICY_READ, false }), -EACCES);
	forget();
}
END_TEST

/* Each worker would find something else there. */
START_TEST(test_links_and_a_tmp_of_the_workers_own) {
	char link[64];
	const struct policy_path paths[] = { { link, POLICY_READ, false } };
	int with, without;

	(void)snprintf(link, sizeof link, "/tmp/warmfork-link-%d", (int)getpid());
	ck_assert_int_eq(symlink("/usr", link), 0);
	with = survey(paths, 1, true);
	forget();
	without = survey(paths, 1, false);
	forget();
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(with, -EXDEV);
	ck_assert_int_eq(without, 0);
}
END_TEST

/* --- what is not there --------------------------------------------------------------------- */

START_TEST(test_what_is_missing) {
	make_ground();
	make_link("nowhere", "/dangling");
	make_link("ring", "/ring");
	ck_assert_int_eq(SURVEY({ below("/none"), POLICY_READ, false }), -ENOENT);
	ck_assert_ptr_nonnull(strstr(trouble.text, "/none: No such file"));
	forget();
	ck_assert_int_eq(SURVEY({ below("/dangling"), POLICY_READ, false }), -ENOENT);
	forget();
	ck_assert_int_eq(SURVEY({ below("/secret/key/x"), POLICY_READ, false }), -ENOTDIR);
	forget();
	ck_assert_int_eq(SURVEY({ below("/ring"), POLICY_READ, false }), -ELOOP);
	forget();
	ck_assert_int_eq(SURVEY({ below("/none"), POLICY_READ, true },
				{ below("/dangling"), POLICY_READ, true },
				{ below("/secret/key/x"), POLICY_READ, true }),
			 0);
	ck_assert_uint_eq(places->n, 0);
	forget();
}
END_TEST

/* --- mount points -------------------------------------------------------------------------- */

static void expect_point(int root, const char *path, bool directory, int expected) {
	int fd = point_open(root, path, directory);

	if (expected < 0)
		ck_assert_int_eq(fd, expected);
	else
		ck_assert_int_ge(fd, 0);
	fd_close(fd);
}

START_TEST(test_points_are_made) {
	struct stat status;
	int root;

	make_directory("/top");
	root = open(below("/top"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	expect_point(root, "/", true, 0);
	expect_point(root, "/a/b/c", true, 0);
	expect_point(root, "/a/b/file", false, 0);
	expect_point(root, "/a/b/file", false, 0);
	ck_assert(stat(below("/top/a/b/c"), &status) == 0 && S_ISDIR(status.st_mode));
	ck_assert(stat(below("/top/a/b/file"), &status) == 0 && S_ISREG(status.st_mode));
	fd_close(root);
}
END_TEST

START_TEST(test_points_are_not_behind_links) {
	int root;

	make_ground();
	root = open(fixture_scratch(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	expect_point(root, "/other", true, -ELOOP);
	expect_point(root, "/other/sub", true, -ELOOP);
	expect_point(root, "/other/new", true, -ELOOP);
	expect_point(root, "/w/../secret", true, -EXDEV);
	ck_assert_int_eq(access(below("/w/new"), F_OK), -1);
	fd_close(root);
}
END_TEST

/* /proc and /dev/shm are others. */
START_TEST(test_nothing_is_made_in_another_file_system) {
	char path[64];
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)snprintf(path, sizeof path, "/dev/shm/warmfork-point-%d", (int)getpid());
	expect_point(root, path, true, -ENOENT);
	ck_assert_int_eq(access(path, F_OK), -1);
	expect_point(root, "/proc/warmfork/point", true, -ENOENT);
	fd_close(root);
}
END_TEST

int main(void) {
	TCase *places_case = fixture_case("place");

	tcase_add_test(places_case, test_a_path_without_links);
	tcase_add_test(places_case, test_links_are_followed_and_told);
	tcase_add_test(places_case, test_two_names_of_one_place);
	tcase_add_loop_test(places_case, test_no_memory_that_can_be_shared, 0, 2);
	tcase_add_test(places_case, test_a_place_is_the_file_that_was_opened);
	tcase_add_test(places_case, test_the_root_brings_its_entries);
	tcase_add_loop_test(places_case, test_a_link_that_a_task_may_have_put_there, 0, 3);
	tcase_add_test(places_case, test_a_writable_path_below_another);
	tcase_add_test(places_case, test_a_writable_root_does_not_count);
	tcase_add_test(places_case, test_a_link_of_another_user);
	tcase_add_test(places_case, test_links_and_a_tmp_of_the_workers_own);
	tcase_add_test(places_case, test_what_is_missing);
	tcase_add_test(places_case, test_points_are_made);
	tcase_add_test(places_case, test_points_are_not_behind_links);
	tcase_add_test(places_case, test_nothing_is_made_in_another_file_system);
	return fixture_run("place", places_case);
}
