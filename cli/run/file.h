/* SPDX-License-Identifier: MIT
 *
 * A file that the command writes after the program has run. A program may have been able to write
 * to its directory, now or in an earlier run, and may have put a symbolic link there. So no link is
 * followed, and what is there is replaced by rename(2).
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct run_file {
	const char *option; /* for messages */
	const char *name;   /* as on the command line; "": standard error; NULL: not wanted */
	FILE *stream;       /* to write to; NULL if it is not wanted */
	char *text;         /* what has been written, until the end */
	size_t size;
	int directory; /* that it lies in; -1 if there is nothing to replace */
	int fd;        /* of a pipe or a device; -1 */
};

/* Before the program runs, as afterwards it would be too late for an error, which is reported
 * here, also if it is a FIFO that nobody reads. `name` is borrowed. */
bool run_file_open(struct run_file *ret, const char *option, const char *name);
/* Returns whether everything was written; an error is reported. */
bool run_file_close(struct run_file *file);
