/* SPDX-License-Identifier: MIT
 *
 * A NULL, or a handle inherited over a fork, is rejected before anything is touched.
 */
#include "executor/entry.h"

#include <errno.h>

#include "base/report.h"
#include "executor/claim.h"
#include "executor/executor.h"

int entry_executor(const struct wf_executor *executor, const char *function) {
	if (!executor)
		return report_error(-EINVAL, "%s: executor is NULL", function);
	if (!executor_is_ours(executor))
		return report_error(-ECHILD,
				    "%s: the executor belongs to another process: this one is "
				    "a fork of its owner",
				    function);
	return 0;
}

int entry_future(const struct wf_future *future, const char *function) {
	if (!future)
		return report_error(-EINVAL, "%s: future is NULL", function);
	return entry_executor(executor_of(future->engine), function);
}

int entry_running(const struct wf_future *future) {
	if (future->state == FUTURE_RESOLVED || future->result_here)
		return report_error(-EALREADY, "the task has ended");
	if (!claim_has_started(future))
		return report_error(-EBUSY, "the task has not started");
	return 0;
}
