/* SPDX-License-Identifier: MIT
 *
 * A step of a pipeline: sort(1), which reads what is in ./in, writes to ./out, and can
 * do nothing else.
 */
#include <stdio.h>
#include <unistd.h>
#include <warmfork/executor.h>
#include <warmfork/policy.h>

static int open_step(struct wf_executor **ret) {
	struct wf_policy *policy;
	int r = wf_policy_new("stage", &policy);

	if (r < 0)
		return r;
	r = wf_policy_add(policy, "read", "./in");
	if (r == 0)
		r = wf_policy_add(policy, "write", "./out");
	if (r == 0)
		r = wf_executor_open(
		    &WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_COMMAND, .policy = policy), ret);
	wf_policy_free(policy);
	return r;
}

static void tell(const struct wf_outcome *outcome) {
	char line[200];

	(void)wf_outcome_describe(outcome, line, sizeof line);
	(void)printf("%s\n", line);
	for (size_t i = 0; i < outcome->n_refusals; i++)
		(void)printf("refused: %s(%s); to allow it: %s\n", outcome->refusals[i].call,
			     outcome->refusals[i].arguments, outcome->refusals[i].allow);
}

int main(void) {
	const char *const argv[] = { "sort", "-o", "out/sorted.txt", "in/names.txt", NULL };
	struct wf_executor *executor = NULL;
	struct wf_future *future = NULL;
	char here[4096];
	int status = 1;

	if (!getcwd(here, sizeof here))
		return 1;

	struct wf_context context = WF_CONTEXT(.directory = here); /* else: / */
	if (open_step(&executor) < 0 ||
	    wf_submit(executor, &WF_TASK(.argv = argv, .context = &context), &future) < 0) {
		(void)fprintf(stderr, "step: %s\n", wf_last_error());
	} else {
		const struct wf_outcome *outcome = wf_future_wait(future, WF_FOREVER);

		tell(outcome);
		status = outcome->kind == WF_EXITED ? outcome->exited.code : 1;
	}
	wf_future_free(future);
	wf_executor_free(executor);
	return status;
}
