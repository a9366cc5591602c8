/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <warmfork/task.h>

static unsigned char upper_case[256]; /* stands for what is slow to load */

static int load(const struct wf_preload_info *info) {
	(void)info;
	for (int i = 0; i < 256; i++)
		upper_case[i] = (unsigned char)toupper(i);
	return 0;
}

static int upper(struct wf_call *call) {
	size_t size;
	const unsigned char *input = wf_call_input(call, &size);
	unsigned char *output = wf_return_buffer(call, size);

	if (!output)
		return wf_fail(call, 1, "no memory for %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		output[i] = upper_case[input[i]];
	return 0;
}

WF_MODULE(.preload = load, .functions = WF_FUNCTIONS({ "upper", upper }));
