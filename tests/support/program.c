/* SPDX-License-Identifier: MIT
 *
 * Host programs as children of a test.
 */
#include "tests/support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fixture.h"

#define ARGUMENTS_MAX 3

struct program program_start(const char *path, const char *const *arguments) {
	const char *argv[ARGUMENTS_MAX + 2] = { path };
	posix_spawn_file_actions_t actions;
	struct program program;
	int in[2], out[2];

	ck_assert_ptr_nonnull(path);
	for (size_t i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	ck_assert_int_eq(posix_spawn(&program.pid, path, &actions, NULL,
				     (char *const *)(const void *)argv, environ),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	program.in = in[1];
	program.out = out[0];
	return program;
}

void program_read(const struct program *program, char *text, size_t size) {
	size_t used = 0;
	ssize_t n;

	while ((n = read(program->out, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
}

void program_read_line(int fd, char *line, size_t size) {
	struct pollfd event = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < size - 1 && (n == 0 || line[n - 1] != '\n')) {
		ck_assert_msg(poll(&event, 1, FIXTURE_CAP_MS) == 1, "no word from the process");
		if (read(fd, line + n, 1) != 1)
			break;
		n++;
	}
	line[n] = '\0';
}

int program_end(struct program *program) {
	int status;

	close(program->in);
	close(program->out);
	ck_assert_int_eq(waitpid(program->pid, &status, 0), program->pid);
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_msg(WIFEXITED(status), "the program was ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

bool program_skipped(const char *test, const char *reason) {
	fprintf(stderr, "SKIP %s: %s\n", test, reason);
	return true;
}

bool program_needs_root(const char *test) {
	return geteuid() != 0 && program_skipped(test, "only root can become another user");
}
