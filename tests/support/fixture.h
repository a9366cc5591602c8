/* SPDX-License-Identifier: MIT
 *
 * The checked fixture of every test case: a test leaves no descriptor and no process behind. A
 * process that a test forks must not use ck_assert: Check cannot see it there. It reports by its
 * exit code or through a pipe.
 */
#pragma once

#include <check.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A safety net for waits that end by an event, in milliseconds; reaching it is a failure. */
#define FIXTURE_CAP_MS 30000

/* Makes the process a child-subreaper, so that no orphan escapes, and records its descriptors. */
void fixture_setup(void);

/* Asserts: no child, no descendant, the same descriptors as before. Removes the scratch directory.
 */
void fixture_teardown(void);

/* Reaps what has ended and was adopted, where a test killed what would have reaped it. Only when
 * the library has no child of its own any more. */
void fixture_reap_adopted(void);

/* How many descriptors this process has open. */
int fixture_count_descriptors(void);

/* Opens /dev/null, and returns the descriptor. */
int fixture_open_null(void);

/* The read end of a pipe that holds `text` and then ends. */
int fixture_pipe_with(const char *text);

/* Sets the limit: every new descriptor is below `n` from now on. Returns what it was. */
rlim_t fixture_limit_descriptors(rlim_t n);

/* The same, with room for `n` of them from the first that is free. */
rlim_t fixture_limit_room(rlim_t n);

/* A test case that has this fixture. */
TCase *fixture_case(const char *name);

/* Adds the test, unless the variable WF_TEST names another one. All of Check's macros that add a
 * test come here. */
void fixture_add_test(TCase *test_case, const TTest *test, int signal, int status, int start,
		      int end);
#define _tcase_add_test fixture_add_test

/* Runs one suite that has one case; the exit status of a test program. It fails if WF_TEST names no
 * test of the case. */
int fixture_run(const char *suite_name, TCase *test_case);

/* Writes all of `from`, which is not empty, into `to`: that is opened with `flags` (O_EXCL: a new
 * file; O_TRUNC: the same one) and has `mode` in the end. */
void fixture_copy_file(const char *from, const char *to, int flags, mode_t mode);

/* The path of an empty directory of this test, made at the first call. */
const char *fixture_scratch(void);
