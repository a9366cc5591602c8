/* SPDX-License-Identifier: MIT
 *
 * A program that brings, and exports, functions of other libraries under the names that the library
 * uses itself, as a program does that bundles another version of one. It is its own image, and its
 * policy has the library read YAML and build a filter, in host and zygote: whoever calls one of its
 * functions for one of the real ones is aborted. Prints "main" when it gets past wf_init().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <warmfork/executor.h>
#include <warmfork/policy.h>
#include <warmfork/task.h>

#define IMPOSTOR(name)                                                                             \
	WF_EXPORT void name(void);                                                                 \
	void name(void) {                                                                          \
		abort();                                                                           \
	}

IMPOSTOR(protobuf_c_message_free_unpacked)
IMPOSTOR(protobuf_c_message_get_packed_size)
IMPOSTOR(protobuf_c_message_init)
IMPOSTOR(protobuf_c_message_pack)
IMPOSTOR(protobuf_c_message_pack_to_buffer)
IMPOSTOR(protobuf_c_message_unpack)
IMPOSTOR(protobuf_c_message_check)
IMPOSTOR(seccomp_attr_set)
IMPOSTOR(seccomp_export_bpf)
IMPOSTOR(seccomp_init)
IMPOSTOR(seccomp_release)
IMPOSTOR(seccomp_rule_add_array)
IMPOSTOR(yaml_emitter_initialize)
IMPOSTOR(yaml_emitter_emit)
IMPOSTOR(yaml_emitter_delete)
IMPOSTOR(yaml_event_delete)
IMPOSTOR(yaml_mapping_start_event_initialize)
IMPOSTOR(yaml_parser_delete)
IMPOSTOR(yaml_parser_initialize)
IMPOSTOR(yaml_parser_parse)
IMPOSTOR(yaml_parser_set_encoding)
IMPOSTOR(yaml_parser_set_input_string)
IMPOSTOR(yaml_scalar_event_initialize)
/* the library calls its own function of that name, not this one */
IMPOSTOR(wf_private_helper_main)
IMPOSTOR(message_unpack)
IMPOSTOR(wire_send)

/* Data that is read instead of called: nothing that a message with all defaults could be. */
WF_EXPORT extern const char protobuf_c_empty_string[];
const char protobuf_c_empty_string[] = "not empty";

static int answer(struct wf_call *call) {
	return wf_return(call, "genuine", 7);
}

static const struct wf_module image = {
	.size = sizeof image,
	.functions = WF_FUNCTIONS({ "answer", answer }),
};

/* A policy that was read, printed and read again, so that libyaml is used in both directions. */
static struct wf_policy *policy(void) {
	static const char text[] = "preset: stage\ncalls: [threads]\nstrict: no\n";
	struct wf_policy *read = NULL, *again = NULL;
	char *printed = NULL;

	if (wf_policy_parse(text, strlen(text), "policy", &read) < 0 ||
	    wf_policy_print(read, &printed) < 0 ||
	    wf_policy_parse(printed, strlen(printed), "printed", &again) < 0)
		(void)fprintf(stderr, "impostor: %s\n", wf_last_error());
	free(printed);
	(void)wf_policy_free(read);
	return again;
}

static int fail(const char *what) {
	(void)fprintf(stderr, "impostor: %s: %s\n", what, wf_last_error());
	return 1;
}

static int run_one(const struct wf_policy *allowed) {
	const struct wf_executor_options options =
	    WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_SELF, .helper = getenv("WARMFORK_HELPER"),
				.workers = 1, .policy = allowed);
	const struct wf_outcome *outcome;
	struct wf_executor *executor;
	struct wf_future *future;
	char line[512];
	int r;

	if (wf_executor_open(&options, &executor) < 0)
		return fail("opening");
	if (wf_submit(executor, &WF_TASK(.function = "answer"), &future) < 0)
		return fail("submitting");
	outcome = wf_future_wait(future, 60000);
	if (!outcome)
		return fail("waiting");
	r = outcome->kind == WF_RETURNED && outcome->returned.size == 7 ? 0 : 1;
	(void)wf_outcome_describe(outcome, line, sizeof line);
	if (r)
		(void)fprintf(stderr, "impostor: %s\n", line);
	(void)wf_future_free(future);
	(void)wf_executor_free(executor);
	return r;
}

int main(int argc, char **argv) {
	struct wf_policy *allowed;
	int r;

	if (wf_init(argc, argv, &image) < 0)
		return 1;
	(void)puts("main");
	(void)fflush(stdout);
	r = run_one(NULL);
	allowed = policy();
	if (r == 0)
		r = allowed ? run_one(allowed) : 1;
	(void)wf_policy_free(allowed);
	return r;
}
