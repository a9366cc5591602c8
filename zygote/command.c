/* SPDX-License-Identifier: MIT
 *
 * The worker becomes the program. All descriptors of the worker are close-on-exec, and so is the
 * channel. If the channel ends without a result while the cell says that a program is being
 * executed, the executor knows that the program runs. A failure to execute it is reported in a
 * result, so no exit code of ours can be mistaken for the program's.
 *
 * Signals need no work here: the keeper was started with all of them at their defaults, and exec
 * resets our handlers.
 */
#include "zygote/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define COMMAND_FIRST_DESCRIPTOR 3

static int never_called(struct wf_call *call) {
	return wf_fail(call, ENOSYS, "an image of kind command has no functions");
}

const struct wf_module *command_module(void) {
	static const struct wf_function_entry functions[] = { { "command", never_called },
							      { NULL, NULL } };
	static const struct wf_module module = { .size = sizeof module, .functions = functions };

	return &module;
}

/* The strings are the task's input, which nothing else reads. */
static char **unpack_arguments(const char *packed, size_t size) {
	size_t n = 0;
	char **argv;

	for (size_t i = 0; i < size; i++)
		n += packed[i] == '\0';
	if (n == 0 || packed[size - 1] != '\0')
		return NULL;
	argv = calloc(n + 1, sizeof *argv);
	for (size_t i = 0; argv && i < n; i++) {
		argv[i] = strdup(packed);
		packed += strlen(packed) + 1;
	}
	return argv;
}

/* All descriptors are moved out of the way before any is put in place. */
static int place_descriptors(const int *extra, size_t n) {
	int aside[LIMIT_TASK_DESCRIPTORS];

	for (size_t i = 0; i < n; i++) {
		aside[i] = fcntl(extra[i], F_DUPFD_CLOEXEC, COMMAND_FIRST_DESCRIPTOR + (int)n);
		if (aside[i] < 0)
			return error_origin(-errno);
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(aside[i], COMMAND_FIRST_DESCRIPTOR + (int)i) < 0)
			return error_origin(-errno);
	return 0;
}

/* A host may have ignored the C library's internal signals, which its sigaction(3) refuses
 * to touch. */
static void reset_hidden_signals(void) {
	const struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} standard = { NULL, 0, NULL, 0 };

	for (int number = 32; number <= 33; number++)
		(void)syscall(SYS_rt_sigaction, number, &standard, NULL, sizeof standard.mask);
}

static int execute_in(const char *directory, size_t size, char **argv) {
	char path[PATH_MAX];
	int error;

	if ((size_t)snprintf(path, sizeof path, "%.*s%s%s", (int)size, directory,
			     size > 0 ? "/" : "", argv[0]) >= sizeof path)
		return ENAMETOOLONG;
	(void)execve(path, argv, environ);
	/* if the directory cannot be searched, the file does not exist for us */
	error = errno;
	return error == EACCES && access(path, F_OK) < 0 ? ENOENT : error;
}

/* execvpe(3) would pass a file that is not a program to a shell. Like execvpe(3), this continues
 * after a directory that cannot be searched, and reports a file that may not be executed if nothing
 * else is found. */
static int execute(char **argv) {
	const char *list = getenv("PATH");
	int denied = 0;

	if (!argv[0])
		return ENOMEM;
	if (strchr(argv[0], '/'))
		return execute_in("", 0, argv);
	if (!list)
		list = "/usr/local/bin:/usr/bin:/bin";
	for (;;) {
		size_t size = strcspn(list, ":");
		int error = execute_in(size > 0 ? list : ".", size > 0 ? size : 1, argv);

		if (error != ENOENT && error != ENOTDIR && error != EACCES)
			return error;
		if (error == EACCES)
			denied = EACCES;
		if (list[size] == '\0')
			return denied ? denied : ENOENT;
		list += size + 1;
	}
}

static void free_arguments(char **argv) {
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

void command_execute(const void *argv, size_t size, const int *extra, size_t n_extra,
		     struct cell *cell, struct context_failure *failure) {
	char **arguments = unpack_arguments(argv, size);
	int r;

	if (!arguments) {
		failure->error = ENOMEM;
		(void)snprintf(failure->text, sizeof failure->text, "no memory for its arguments");
		return;
	}
	r = place_descriptors(extra, n_extra);
	if (r < 0) {
		failure->error = -r;
		(void)snprintf(failure->text, sizeof failure->text,
			       "its descriptors cannot be set up: %s", strerrordesc_np(-r));
		free_arguments(arguments);
		return;
	}
	atomic_store(&cell->executing, 1);
	reset_hidden_signals();
	failure->error = execute(arguments);
	atomic_store(&cell->executing, 0);
	(void)snprintf(failure->text, sizeof failure->text, "%.200s cannot be executed: %s",
		       arguments[0], strerrordesc_np(failure->error));
	free_arguments(arguments);
}
