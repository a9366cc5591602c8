/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <warmfork/executor.h>

int main(void) {
	struct wf_task task = WF_TASK(.function = "upper", .input = "load once", .input_size = 9);
	const struct wf_outcome *outcome;
	struct wf_executor *executor;
	struct wf_future *future;

	if (wf_executor_open(&WF_EXECUTOR_OPTIONS(.module = "./upper.so"), &executor) < 0 ||
	    wf_submit(executor, &task, &future) < 0 ||
	    !(outcome = wf_future_wait(future, WF_FOREVER))) {
		(void)fprintf(stderr, "hello: %s\n", wf_last_error());
		return 1;
	}

	if (outcome->kind == WF_RETURNED) {
		(void)printf("%.*s\n", (int)outcome->returned.size,
			     (const char *)outcome->returned.data);
	} else { /* crashed, exited, timed out, ...: never silence, never a hang */
		char line[200];
		(void)wf_outcome_describe(outcome, line, sizeof line);
		(void)printf("%s\n", line);
	}
	wf_future_free(future);
	wf_executor_free(executor);
	return 0;
}
