/* SPDX-License-Identifier: MIT
 *
 * The executor that a process shares.
 */
#pragma once

#include "executor/executor.h"

int shared_get(const struct wf_executor_options *options, struct wf_executor **ret,
	       bool *ret_reused);

/* In a forked child: the parent's executor is none of its business, and the lock may be anybody's. */
void shared_forget(void);
