/* SPDX-License-Identifier: MIT
 *
 * The executor that a process shares.
 */
#pragma once

#include "executor/executor.h"

int shared_get(const struct wf_executor_options *options, struct wf_executor **ret,
	       bool *ret_reused);
