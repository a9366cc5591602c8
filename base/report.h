/* SPDX-License-Identifier: MIT
 *
 * The text of wf_last_error(): one sentence per thread.
 */
#pragma once

/* Keeps the sentence and returns `code` (a negative errno of the public list). */
int report_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *report_text(void);

/* Maps an internal error onto the closed public list, with a sentence that names the step. */
int report_internal(int r, const char *step);

#ifdef __clang_analyzer__
/* See base/error.h. */
#define report_error(code, ...)  (report_error((code), __VA_ARGS__), -1)
#define report_internal(r, step) (report_internal((r), (step)), -1)
#endif
