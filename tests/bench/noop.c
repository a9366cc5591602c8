/* SPDX-License-Identifier: MIT
 *
 * The module of the benchmark: a task that gives its input back.
 */
#include <warmfork/task.h>

static int echo(struct wf_call *call) {
	size_t size;
	const void *input = wf_input(call, &size);

	return wf_return(call, input, size);
}

WF_MODULE(.functions = WF_FUNCTIONS({ "echo", echo }));
