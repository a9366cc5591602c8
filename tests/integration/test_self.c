/* SPDX-License-Identifier: MIT
 *
 * Story: a program that is its own image (tests/support/self_host.c).
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
	{ "loses-its-table", "main\n" },
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

/* tests/support/impostor.c: protobuf-c, libyaml and libseccomp of another make. */
/* What has a policy has a view. */
#ifdef __SANITIZE_THREAD__
#define VIEW_IS_BARRED true
#else
#define VIEW_IS_BARRED false
#endif

START_TEST(test_the_library_calls_its_own) {
	if (!getenv("IMPOSTOR") || VIEW_IS_BARRED) {
		program_skipped("test_the_library_calls_its_own",
				VIEW_IS_BARRED ? "the thread sanitizer bars mount namespaces"
					       : "built without archives");
		return;
	}
	struct program program = program_start(getenv("IMPOSTOR"), (const char *const[]){ NULL });
	char output[256];

	program_read(&program, output, sizeof output);
	ck_assert_int_eq(program_end(&program), 0);
	ck_assert_str_eq(output, "main\n");
}
END_TEST

START_TEST(test_secrets_stay_with_the_host) {
	struct program program;
	char output[256];

	if (POOL_SANITIZED) {
		program_skipped("test_secrets_stay_with_the_host",
				"a sanitizer's memory is too much to search");
		return;
	}
	program = program_start(getenv("SELF_HOST"), (const char *const[]){ "has-a-secret", NULL });
	program_read(&program, output, sizeof output);
	ck_assert_int_eq(program_end(&program), 0);
}
END_TEST

/* What a keeper gives a zygote that runs this program: a socket at 3, a place for what it says at
 * 5. */
static pid_t start_as_zygote(int control, int output) {
	posix_spawn_file_actions_t actions;
	char *const argv[] = { getenv("SELF_HOST"), (char[]){ "runs-tasks" }, NULL };
	char *const variables[] = {
		(char[]){ "WARMFORK_ZYGOTE=3:0123456789abcdef0123456789abcdef" },
		NULL,
	};
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, control, 3);
	posix_spawn_file_actions_adddup2(&actions, output, 5);
	ck_assert_int_eq(posix_spawn(&pid, argv[0], &actions, NULL, argv, variables), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* One that a newer, older or foreign library sent, or that is for somebody else. */
static const struct {
	const char *frame;
	size_t size;
	const char *sentence;
} greetings[] = {
	{ "\40\0\0\0\4\0\0\0\377\377\377\377", 12, "cannot be read" },
	{ "\40\0\0\0\46\0\0\0\10\1\20\1\32\40aaaaaaaabbbbbbbbccccccccdddddddd", 46,
	  "another process" },
};

START_TEST(test_main_never_runs_in_a_zygote) {
	int control[2], output[2], status;
	char text[512];
	ssize_t n;

	/* above those that the child gets: posix_spawn(3) must not overwrite one with another */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
	ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
	const int ours = fcntl(control[1], F_DUPFD_CLOEXEC, 20);
	const int writer = fcntl(output[1], F_DUPFD_CLOEXEC, 20);
	ck_assert_int_eq(send(control[0], greetings[_i].frame, greetings[_i].size, 0),
			 (ssize_t)greetings[_i].size);
	const pid_t pid = start_as_zygote(ours, writer);
	close(control[1]), close(ours), close(output[1]), close(writer);
	n = read(output[0], text, sizeof text - 1);
	text[n < 0 ? 0 : n] = '\0';
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 2, "status %d", status);
	ck_assert_msg(strstr(text, greetings[_i].sentence), "it said: %s", text);
	ck_assert_ptr_null(strstr(text, "main"));
	close(control[0]), close(output[0]);
}
END_TEST

START_TEST(test_set_uid_is_refused) {
	char path[512], output[256];

	if (program_needs_root("test_set_uid_is_refused"))
		return;
	snprintf(path, sizeof path, "%s/set-uid", fixture_scratch());
	ck_assert_int_eq(chmod(fixture_scratch(), 0755), 0);
	fixture_copy_file(getenv("SELF_HOST"), path, O_EXCL, 04755);
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
	tcase_add_test(test_case, test_the_library_calls_its_own);
	tcase_add_test(test_case, test_secrets_stay_with_the_host);
	tcase_add_loop_test(test_case, test_main_never_runs_in_a_zygote, 0, (int)N_OF(greetings));
	tcase_add_test(test_case, test_set_uid_is_refused);
	return fixture_run("self", test_case);
}
