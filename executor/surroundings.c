/* SPDX-License-Identifier: MIT */
#include "executor/surroundings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "policy/document.h"

/* What the loader, a sanitizer's runtime and we ourselves need under a policy as well. The zygote
 * wipes these before its first worker (sandbox/environment.c). */
static const char *const needed[] = {
	"LD_LIBRARY_PATH", "LD_PRELOAD",   "WARMFORK_DEPTH", "WF_ABSENT",     "WF_LOG",
	"ASAN_OPTIONS",    "LSAN_OPTIONS", "TSAN_OPTIONS",   "UBSAN_OPTIONS",
};
#define N_NEEDED (sizeof needed / sizeof needed[0])

/* The string of this process's environment that has this name, or NULL. */
static const char *own_string(const char *name) {
	size_t length = strlen(name);

	for (char **at = environ; at && *at; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return *at;
	return NULL;
}

static bool has_name(const struct policy *policy, const char *name) {
	size_t length = strlen(name);

	for (size_t i = 0; i < policy->n_environment; i++)
		if (strncmp(policy->environment[i], name, length) == 0 &&
		    policy->environment[i][length] == '=')
			return true;
	return false;
}

static size_t list(const struct policy *policy, const char **ret) {
	size_t n = 0;

	for (; n < policy->n_environment; n++)
		ret[n] = policy->environment[n];
	for (size_t i = 0; i < N_NEEDED; i++) {
		ret[n] = own_string(needed[i]);
		n += ret[n] && !has_name(policy, needed[i]);
	}
	return n;
}

/* A copy, because the program is executed by another thread, and the host may change its environment
 * until then. */
static char **copy(const char *const *strings, size_t n) {
	void *memory = malloc(strings_size(strings, n));

	return memory ? strings_pack(memory, strings, n) : NULL;
}

int surroundings_new(const struct options *options, char ***ret) {
	const struct policy *policy;
	const char **strings;

	*ret = NULL;
	if (!options->policy)
		return 0;
	policy = document_view(options->policy);
	strings = calloc(policy->n_environment + N_NEEDED + 1, sizeof *strings);
	if (strings)
		*ret = copy(strings, list(policy, strings));
	free(strings);
	return *ret ? 0 : error_origin(-ENOMEM);
}
