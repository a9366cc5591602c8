/* SPDX-License-Identifier: MIT
 *
 * The trail of an error: each thread remembers where its last negative error originated and which
 * functions passed it up. Noting a place stores three words and formats nothing; the text is made
 * only when a log line asks for it. Nothing is noted for success, so the common path costs one
 * comparison.
 */
#include "base/error.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRAIL_STEPS 12 /* deeper than any of our call chains; the origin is what matters */
#define TRAIL_TEXT  768

struct trail {
	struct {
		const char *file, *function;
		int line;
	} steps[TRAIL_STEPS];
	size_t n; /* may exceed TRAIL_STEPS: then the last ones were not kept */
	int error;
	char text[TRAIL_TEXT];
};

static _Thread_local struct trail trail;

int error_note(int r, const char *file, int line, const char *function, bool origin) {
	if (__builtin_expect(r >= 0, 1))
		return r;
	/* An error that was not marked as an origin still deserves its own trail. */
	if (origin || trail.error != r)
		trail.n = 0;
	trail.error = r;
	if (trail.n < TRAIL_STEPS) {
		trail.steps[trail.n].file = file;
		trail.steps[trail.n].function = function;
		trail.steps[trail.n].line = line;
	}
	trail.n++;
	return r;
}

int error_fold_at(int r, const char *file, int line, const char *function) {
	if (r > 0)
		return error_note(-ENOTRECOVERABLE, file, line, function, true);
	return error_note(r, file, line, function, false);
}

/* Source paths are given to the compiler relative to the build directory: "../base/fd.c". */
static const char *trail_file(const char *file) {
	while (!strncmp(file, "../", 3))
		file += 3;
	return file;
}

const char *error_trail(void) {
	size_t n = trail.n < TRAIL_STEPS ? trail.n : TRAIL_STEPS, used = 0;
	int saved = errno;

	trail.text[0] = '\0';
	for (size_t i = 0; i < n && used < sizeof trail.text; i++) {
		int length = snprintf(trail.text + used, sizeof trail.text - used, "%s%s:%d in %s",
				      i ? " < " : "", trail_file(trail.steps[i].file),
				      trail.steps[i].line, trail.steps[i].function);
		if (length < 0)
			break;
		used += (size_t)length;
	}
	errno = saved;
	return trail.text;
}

_Noreturn void error_bug(const char *what, const char *file, int line) {
	char text[512];
	int length = snprintf(text, sizeof text, "warmfork: bug: %s does not hold at %s:%d\n", what,
			      trail_file(file), line);

	/* write(2) rather than stdio: the bug may be in a child that was forked with a lock held.
	 */
	if (length > 0) {
		size_t size = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
		ssize_t written = write(STDERR_FILENO, text, size);

		(void)written; /* there is nothing left to report it to */
	}
	abort();
}
