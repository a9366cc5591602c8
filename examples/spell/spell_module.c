/* SPDX-License-Identifier: MIT
 *
 * The task module of the spelling demo. The dictionary is loaded once, in the zygote; every worker
 * is a fork of that and has it from the start. Four functions misbehave on purpose.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <warmfork/task.h>

#include "spell.h"

static struct spell_dictionary *dictionary;

static int load(const struct wf_preload_info *info) {
	(void)info;
	dictionary = spell_load();
	return dictionary ? 0 : 1;
}

/* Input: a path. Result: a struct spell_count. */
static int check(struct wf_call *call) {
	struct spell_count count;
	char path[4096];
	size_t size;
	const char *input = wf_call_input(call, &size);
	int r;

	if (size >= sizeof path)
		return wf_fail(call, 1, "a path of %zu bytes", size);
	memcpy(path, input, size);
	path[size] = '\0';
	r = spell_file(dictionary, path, &count);
	if (r < 0)
		return wf_fail(call, -r, "%s: %s", path, strerrordesc_np(-r));
	return wf_return(call, &count, sizeof count);
}

/* A sanitizer would report this instead of letting it happen. */
__attribute__((no_sanitize("undefined"))) static int crash(struct wf_call *call) {
	volatile int *volatile nowhere = NULL;

	(void)call;
	*nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): on purpose */
	return 0;
}

static int hang(struct wf_call *call) {
	volatile int for_ever = 1;

	(void)call;
	while (for_ever)
		;
	return 0;
}

static int leave(struct wf_call *call) {
	(void)call;
	exit(0); /* NOLINT(concurrency-mt-unsafe): a worker has one thread */
}

/* Something that a spell checker has no need to do. */
static int peek(struct wf_call *call) {
	int fd = open("/etc/shadow", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? wf_fail(call, errno, "/etc/shadow cannot be opened")
		      : wf_return(call, &fd, sizeof fd);
}

WF_MODULE(.preload = load,
	  .functions = WF_FUNCTIONS({ "check", check }, { "crash", crash }, { "hang", hang },
				    { "leave", leave }, { "peek", peek }));
