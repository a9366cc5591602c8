/* SPDX-License-Identifier: MIT
 *
 * Calls that are refused to whoever makes them, and submits that may be.
 */
#pragma once

#include "tests/support/pool.h"

/* Asserts the code, and that wf_last_error() has a sentence. */
#define expect_refused(call, code)                                                                 \
	do {                                                                                       \
		ck_assert_int_eq(call, code);                                                      \
		ck_assert_str_ne(wf_last_error(), "");                                             \
	} while (0)

/* Waits for what was accepted. */
static inline int submit_as(struct wf_executor *executor, const struct wf_task *task) {
	struct wf_future *future = NULL;
	int r = wf_submit(executor, task, &future);

	if (r < 0)
		ck_assert_ptr_null(future);
	else
		pool_wait(future);
	wf_future_free(future);
	return r;
}
