/* SPDX-License-Identifier: MIT
 *
 * How internal functions fail.
 *
 *   0          success (or a positive count, where the contract says so)
 *   -errno     unexpected: callers do not match on it, but pass it up unchanged
 *   positive   <MODULE>_E_...: an expected event that the direct caller must handle
 *
 * error_origin() marks where a negative error originated and error_trace() where it passed, so that
 * a log line can say where it came from at no cost to the path without errors. error_fold() turns a
 * positive code that should not have got this far into -ENOTRECOVERABLE: a bug of ours.
 */
#pragma once

#include <stdbool.h>

#ifdef __clang_analyzer__
/* The analyzer cannot see that an errno is not 0 at its origin or after error_note(). */
static inline int error_negative(int r) {
	if (r >= 0)
		__builtin_unreachable();
	return r;
}
#define error_origin(r) error_negative(r)
#define error_trace(r)  (r)
#else
#define error_origin(r) error_note((r), __FILE__, __LINE__, __func__, true)
#define error_trace(r)  error_note((r), __FILE__, __LINE__, __func__, false)
#endif
#define error_fold(r) error_fold_at((r), __FILE__, __LINE__, __func__)

int error_note(int r, const char *file, int line, const char *function, bool origin);
int error_fold_at(int r, const char *file, int line, const char *function);

/* "zygote/launch.c:48 in ends_open < zygote/launch.c:165 in launch_start": the way of this thread's
 * last error; never NULL. */
const char *error_trail(void);

/* For our own bugs only, in every build: prints and aborts. Never use it for something that a peer,
 * a user or the kernel may cause. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			error_bug(#condition, __FILE__, __LINE__);                                 \
	} while (0)
_Noreturn void error_bug(const char *what, const char *file, int line);
