/* SPDX-License-Identifier: MIT
 *
 * The keys of a policy: one table for files, wf_policy_add() and printing.
 */
#include "policy/key.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "proto/policy.h"

#define NAME_SIZE 32 /* how much of two keys is compared */

struct key {
	const char *name;
	bool list;
};

static const struct key keys[N_KEYS] = {
	[KEY_PRESET] = { "preset", false },
	[KEY_READ] = { "read", true },
	[KEY_WRITE] = { "write", true },
	[KEY_EXECUTE] = { "execute", true },
	[KEY_DEVICE] = { "device", true },
	[KEY_CALLS] = { "calls", true },
	[KEY_SOCKET] = { "socket", true },
	[KEY_TCP_CONNECT] = { "tcp_connect", true },
	[KEY_TCP_BIND] = { "tcp_bind", true },
	[KEY_ENVIRONMENT] = { "environment", true },
	[KEY_IDENTITY] = { "identity", false },
	[KEY_WALL] = { KEY_LIMITS "wall", false },
	[KEY_CPU] = { KEY_LIMITS "cpu", false },
	[KEY_MEMORY] = { KEY_LIMITS "memory", false },
	[KEY_PROCESSES] = { KEY_LIMITS "processes", false },
	[KEY_DESCRIPTORS] = { KEY_LIMITS "descriptors", false },
	[KEY_FILE_SIZE] = { KEY_LIMITS "file_size", false },
	[KEY_OUTPUT] = { KEY_LIMITS "output", false },
	[KEY_SCRATCH] = { KEY_LIMITS "scratch", false },
	[KEY_NAMESPACES] = { "namespaces", true },
	[KEY_LAYERS] = { "layers", true },
	[KEY_STRICT] = { "strict", false },
	[KEY_REPORT] = { "report", false },
	[KEY_ON_REFUSAL] = { "on_refusal", false },
	[KEY_PROBE] = { "probe", false },
};
_Static_assert(N_KEYS <= 32, "KEY_BIT()");
_Static_assert(KEY_SCRATCH - KEY_WALL + 1 == N_POLICY_LIMITS, "a key for each limit");

const char *key_name(enum policy_key key) {
	return keys[key].name;
}

bool key_is_list(enum policy_key key) {
	return keys[key].list;
}

int key_find(const char *name) {
	for (int i = 0; i < N_KEYS; i++)
		if (strcmp(name, keys[i].name) == 0)
			return i;
	return -ENOENT;
}

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

/* The number of characters to add, drop or change (Levenshtein), in the first NAME_SIZE. */
static unsigned distance(const char *a, const char *b) {
	unsigned row[NAME_SIZE + 1];
	size_t n = strnlen(a, NAME_SIZE), m = strnlen(b, NAME_SIZE);

	for (unsigned j = 0; j <= NAME_SIZE; j++)
		row[j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[m];
}

const char *key_nearest(const char *name, const char *group) {
	const size_t prefix = strlen(KEY_LIMITS);
	unsigned nearest = group && !*group ? distance(name, "limits") : UINT32_MAX;
	const char *found = "limits";

	for (int i = 0; i < N_KEYS; i++) {
		bool is_limit = strncmp(keys[i].name, KEY_LIMITS, prefix) == 0;
		const char *tail = keys[i].name + (is_limit ? prefix : 0);
		unsigned far = distance(name, tail);

		if (group && is_limit != (*group != '\0'))
			continue;
		if (!group)
			far = least(far, distance(name, keys[i].name));
		if (far >= nearest)
			continue;
		nearest = far;
		found = group ? tail : keys[i].name;
	}
	return found;
}
