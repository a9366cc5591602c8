/* SPDX-License-Identifier: MIT
 *
 * A host program that a test starts, talks with, and outlives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The exit status of a host that this machine does not let try. */
#define PROGRAM_CANNOT 77

/* Our ends of its stdin and stdout. */
struct program {
	pid_t pid;
	int in, out;
};

/* `arguments` ends with NULL; at most 3. */
struct program program_start(const char *path, const char *const *arguments);

/* Reads its stdout to the end, terminated. */
void program_read(const struct program *program, char *text, size_t size);

/* Waits for a line of at most `size - 1` bytes that a process writes into `fd`, or for the end of
 * what it can say. Terminated; the newline is a part of it. */
void program_read_line(int fd, char *line, size_t size);

/* Waits for its end and for that of all it left behind, which the fixture's subreaper inherits.
 * Returns its exit status; a signal fails the test. */
int program_end(struct program *program);

/* Says that a test was skipped, and why. Returns true. */
bool program_skipped(const char *test, const char *reason);

/* True, and said, if only root can do what the test does. */
bool program_needs_root(const char *test);
