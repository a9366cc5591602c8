/* SPDX-License-Identifier: MIT
 *
 * The helper program is tested by having it load something that is no module: if it reports that,
 * it starts, speaks our version of the protocol, and has made a zygote.
 */
#include <errno.h>
#include <stdio.h>
#include <warmfork/executor.h>

#include "cli/doctor/probe.h"

#define NO_MODULE "/"

/* The missing module is what this expects, so it is not logged. */
static void say_nothing(void *context, enum wf_log_level level, const char *line) {
	(void)context;
	(void)level;
	(void)line;
}

void probe_helper(struct probe_facts *ret) {
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(&WF_EXECUTOR_OPTIONS(.module = NO_MODULE, .name = "doctor",
						      .log = say_nothing, .caller_driven = true),
				 &executor);

	(void)wf_executor_free(executor);
	(void)snprintf(ret->version, sizeof ret->version, "%s", wf_version());
	ret->helper = r == -ENOEXEC ? PROBE_WORKS : r < 0 ? -r : EIO;
	if (ret->helper != PROBE_WORKS)
		(void)snprintf(ret->helper_words, sizeof ret->helper_words, "%s", wf_last_error());
}
