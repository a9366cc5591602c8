/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>
#include <warmfork/executor.h>
#include <warmfork/task.h>

static int upper(struct wf_call *call) {
	size_t size;
	const unsigned char *input = wf_call_input(call, &size);
	unsigned char *output = wf_return_buffer(call, size);

	if (!output)
		return wf_fail(call, 1, "no memory for %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		output[i] = (unsigned char)toupper(input[i]);
	return 0;
}

static const struct wf_module image = {
	.size = sizeof image,
	.functions = WF_FUNCTIONS({ "upper", upper }),
};

int main(int argc, char **argv) {
	if (wf_init(argc, argv, &image) < 0) /* in the zygote it does not return */
		return 1;

	struct wf_executor *executor;
	int r = wf_executor_open(&WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_SELF), &executor);
	if (r < 0) {
		(void)fprintf(stderr, "self: %s\n", wf_last_error());
		return 1;
	}

	struct wf_task task = WF_TASK(.function = "upper", .input = "be both", .input_size = 7);
	struct wf_future *future = NULL;
	const struct wf_outcome *outcome = NULL;
	int status = 1;

	if (wf_submit(executor, &task, &future) == 0)
		outcome = wf_future_wait(future, WF_FOREVER);
	if (!outcome) {
		(void)fprintf(stderr, "self: %s\n", wf_last_error());
	} else if (outcome->kind == WF_RETURNED) {
		(void)printf("%.*s\n", (int)outcome->returned.size,
			     (const char *)outcome->returned.data);
		status = 0;
	} else {
		char line[200];
		(void)wf_outcome_describe(outcome, line, sizeof line);
		(void)fprintf(stderr, "self: %s\n", line);
	}
	wf_future_free(future);
	wf_executor_free(executor);
	return status;
}
