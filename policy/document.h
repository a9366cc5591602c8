/* SPDX-License-Identifier: MIT
 *
 * Between policy*.c only.
 *
 * A policy remembers what came from its preset and what was given beyond it: so a larger preset can
 * take the place of a smaller one at any time, in whichever order the keys of a file stand, and what
 * is printed is the smallest file. Lists are sorted and have no two entries for the same thing: so
 * two policies can be compared, and of two paths the outer comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/line.h"

/* In the order of <warmfork/policy.h>, which is the order of printing. */
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
#define KEY_LIMITS "limits." /* how the names of their keys begin */

struct policy_entry_path {
	char *path;
	uint32_t given, preset; /* enum policy_access, or-ed */
};

struct policy_variable {
	char *text;  /* NAME=value; NAME alone: the executor's process has none */
	size_t name; /* its length */
	bool given, preset;
	bool from_host; /* the value is what the executor's process had */
};

struct policy_numbers {
	uint16_t numbers[LIMIT_POLICY_CALLS];
	size_t n, limit;
};

struct wf_policy {
	enum policy_preset preset; /* 0: not known yet */
	struct policy_entry_path paths[LIMIT_POLICY_PATHS];
	size_t n_paths;
	struct policy_variable environment[LIMIT_POLICY_ENVIRONMENT];
	size_t n_environment;
	size_t text; /* bytes of all strings, with their NULs */

	/* given; the preset's is beside it in policy_preset.c */
	uint32_t set; /* 1 << enum policy_key, of keys that have one value, and of layers */
	uint64_t groups;
	uint32_t families;
	struct policy_numbers calls, tcp_connect, tcp_bind;
	uint32_t uid, gid;
	uint64_t limits[N_POLICY_LIMITS];
	uint32_t namespaces, layers;
	bool strict, probe_workers;
	enum policy_report report;
	enum policy_refusal on_refusal;

	/* what it comes to: policy_settle() */
	struct policy view;
	struct policy_path view_paths[LIMIT_POLICY_PATHS];
	const char *view_environment[LIMIT_POLICY_ENVIRONMENT];
};
_Static_assert(LIMIT_POLICY_PORTS <= LIMIT_POLICY_CALLS, "ports and calls share a list");

/* Where a value stands, for sentences. */
struct policy_place {
	const char *file; /* NULL: a call of wf_policy_add() */
	unsigned line;
	const char *directory; /* that paths are relative to; NULL: the working directory */
};
struct policy_value {
	const struct policy_place *place;
	enum policy_key key;
	const char *text;
};

/* Reports "FILE:LINE: KEY: ..." and returns `code`. */
int policy_refuse(const struct policy_value *value, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* policy.c */
struct wf_policy *policy_blank(void); /* without a preset; NULL: no memory */
void policy_settle(struct wf_policy *policy);
/* Two keys that do not fit together: the sentence about *ret_key, or NULL. */
const char *policy_conflict(const struct wf_policy *policy, enum policy_key *ret_key);

/* policy_key.c */
const char *policy_key_name(enum policy_key key);
bool policy_key_is_list(enum policy_key key);
/* -ENOENT. */
int policy_key_find(const char *name);
/* The nearest name, for "did you mean", of those that a file has at its top (`group` ""), or below
 * limits ("limits."), or of all (NULL). Never NULL. */
const char *policy_key_nearest(const char *name, const char *group);
/* Adds or sets, without policy_settle(). 0 or a public error, reported. */
int policy_put(struct wf_policy *policy, const struct policy_value *value);

/* policy_list.c: entries come in sorted. 0, -E2BIG (that many, or that much text), -ENOMEM; not
 * reported. `path` is copied. */
int policy_insert_path(struct wf_policy *policy, const char *path, uint32_t given, uint32_t preset);
int policy_insert_number(struct policy_numbers *numbers, uint16_t number);
/* Takes the place of an entry of the same name, unless it is of a preset. */
int policy_insert_variable(struct wf_policy *policy, const struct policy_variable *variable);
/* NAME or NAME=value; not reported. */
int policy_insert_environment(struct wf_policy *policy, const char *text, bool of_preset);

/* policy_path.c: `path` without ".", "..", and empty components, absolute; 0 or a public error,
 * reported. The caller frees. */
int policy_path_resolve(const struct policy_value *value, char **ret);

/* policy_preset.c */
struct policy_preset_table {
	const char *name;
	uint64_t groups;
	uint32_t families;
	const struct policy_path *paths;
	size_t n_paths;
	const char *const *environment; /* names; ends with NULL */
	uint64_t limits[N_POLICY_LIMITS];
	enum policy_report report;
	enum policy_refusal on_refusal;
};
const struct policy_preset_table *policy_preset(enum policy_preset preset);
/* -ENOENT. */
int policy_preset_find(const char *name);
/* Puts it in place of a smaller one; 0, -E2BIG, -ENOMEM; not reported. */
int policy_preset_apply(struct wf_policy *policy, enum policy_preset preset);

/* policy_value.c: values that have a form of their own, there and back. -EINVAL: not of that form,
 * or too large; not reported. */
#define POLICY_VALUE_SIZE 48
int policy_number(const char *text, uint64_t maximum, uint64_t *ret);
int policy_limit_read(enum policy_limit limit, const char *text, uint64_t *ret);
void policy_limit_print(enum policy_limit limit, uint64_t value, char text[POLICY_VALUE_SIZE]);
const char *policy_limit_form(enum policy_limit limit); /* "10s, 500ms, 2m, 1h or none" */
int policy_identity_read(const char *text, uint32_t *ret_uid, uint32_t *ret_gid);
int policy_boolean_read(const char *text, bool *ret);
int policy_family_read(const char *text, uint32_t *ret);
const char *policy_family_name(uint32_t family); /* of one bit */

/* policy_print.c: "KEY: [VALUE]" as YAML, without a newline; -EINVAL: YAML cannot say it, or it does
 * not fit. */
int policy_print_line(enum policy_key key, const char *value, char *text, size_t size);
