/* SPDX-License-Identifier: MIT
 *
 * The keys of a policy, and their names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* In the order of <warmfork/policy.h>, which is also the order of printing. */
enum policy_key {
	KEY_PRESET,
	KEY_READ,
	KEY_WRITE,
	KEY_EXECUTE,
	KEY_DEVICE,
	KEY_CALLS,
	KEY_SOCKET,
	KEY_TCP_CONNECT,
	KEY_TCP_BIND,
	KEY_ENVIRONMENT,
	KEY_IDENTITY,
	KEY_WALL, /* limits, in the order of enum policy_limit */
	KEY_CPU,
	KEY_MEMORY,
	KEY_PROCESSES,
	KEY_DESCRIPTORS,
	KEY_FILE_SIZE,
	KEY_OUTPUT,
	KEY_SCRATCH,
	KEY_NAMESPACES,
	KEY_LAYERS,
	KEY_STRICT,
	KEY_REPORT,
	KEY_ON_REFUSAL,
	KEY_PROBE,
	N_KEYS,
};
#define KEY_LIMITS   "limits." /* the prefix of their names */
#define KEY_BIT(key) (UINT32_C(1) << (key))

const char *key_name(enum policy_key key);
bool key_is_list(enum policy_key key);
/* Returns an enum policy_key, or -ENOENT. */
int key_find(const char *name);
/* Returns the nearest name, for "did you mean": among the top-level keys of a file (`group` ""),
 * those under limits ("limits."), or all (NULL). Never NULL. */
const char *key_nearest(const char *name, const char *group);
