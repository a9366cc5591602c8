/* SPDX-License-Identifier: MIT
 *
 * Assertions of host programs, which do not run under Check: the first that does not hold is told
 * on stderr, and ends the program.
 */
#pragma once

#include <stdio.h>
#include <unistd.h>
#include <warmfork/executor.h>

/* A safety net for waits that end by an event, in milliseconds; reaching it is a failure. */
#define CAP_MS 30000

#define complain(what) complain_of(__FILE__, __LINE__, what)
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			complain(#condition);                                                      \
	} while (0)

_Noreturn static inline void complain_of(const char *file, int line, const char *what) {
	fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", file, line, what, wf_last_error());
	_exit(1);
}
