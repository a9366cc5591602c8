/* SPDX-License-Identifier: MIT
 *
 * The executor already starts the zygote with the policy's environment, so that nothing that is
 * preloaded has seen another. A few variables come besides, for the loader and for ourselves
 * (executor/surroundings.c). They are wiped here.
 */
#include "sandbox/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"

/* Where the kernel put the strings: fields 50 and 51 of /proc/PID/stat, of which the second, the
 * name, is in parentheses and may contain anything (proc(5)). */
static int find_strings(char **ret_start, char **ret_end) {
	char text[4096];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	const char *at;
	uintptr_t start, end;

	if (!file)
		return error_origin(-errno);
	(void)fclose(file);
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 50; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%ju %ju", &start, &end) != 2)
		return error_origin(-EPROTO);
	*ret_start = (char *)start;
	*ret_end = (char *)end;
	return 0;
}

static bool has(const struct policy *policy, const char *string) {
	for (size_t i = 0; i < policy->n_environment; i++)
		if (strcmp(policy->environment[i], string) == 0)
			return true;
	return false;
}

/* What the policy has as well stays, since what was preloaded may have kept a pointer to it. */
static int wipe_strings(const struct policy *policy) {
	char *at, *end;
	int r = find_strings(&at, &end);

	if (r < 0)
		return error_trace(r);
	while (at < end) {
		size_t size = strnlen(at, (size_t)(end - at));

		if (!has(policy, at))
			memset(at, 0, size);
		at += size + 1;
	}
	return 0;
}

int environment_replace(const struct policy *policy) {
	size_t size = strings_size(policy->environment, policy->n_environment);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return error_origin(-errno);
	environ = strings_pack(memory, policy->environment, policy->n_environment);
	return error_trace(wipe_strings(policy));
}
