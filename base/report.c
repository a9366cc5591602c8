/* SPDX-License-Identifier: MIT
 *
 * The last error of each thread. A number alone does not tell the user what to do; dlerror(3) is
 * the model. In base/ because policies and the executor both report (ADR 8).
 */
#include "base/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#undef report_error
#undef report_internal

#define REPORT_SIZE 8192

static _Thread_local char report_sentence[REPORT_SIZE];

int report_error(int code, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	/* va_start() is the line above */
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	(void)vsnprintf(report_sentence, sizeof report_sentence, format, arguments);
	va_end(arguments);
	return code;
}

const char *report_text(void) {
	return report_sentence;
}

int report_internal(int r, const char *step) {
	if (r == -ENOMEM)
		return report_error(r, "%s: no memory", step);
	if (r == -EMFILE || r == -ENFILE)
		return report_error(
		    -EMFILE, "%s: no free descriptor in this %s; raise %s, or use fewer workers",
		    step, r == -EMFILE ? "process" : "system",
		    r == -EMFILE ? "RLIMIT_NOFILE (ulimit -n)" : "fs.file-max");
	if (r == -EFBIG)
		return report_error(-EIO,
				    "%s: the limit of this process for the size of files is too "
				    "low for its memory files; raise RLIMIT_FSIZE (ulimit -f)",
				    step);
	if (r == -EAGAIN)
		return report_error(-EIO,
				    "%s: %s: this user may start no more processes or threads, or "
				    "there is no memory for one; raise RLIMIT_NPROC (ulimit -u), "
				    "RLIMIT_AS, RLIMIT_DATA or pids.max",
				    step, strerrordesc_np(-r));
	return report_error(-EIO, "%s: %s (%s)", step, strerrordesc_np(-r), error_trail());
}
