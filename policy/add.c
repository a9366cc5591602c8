/* SPDX-License-Identifier: MIT
 *
 * The keys of a policy: one table for files, for wf_policy_add(), and for printing.
 *
 * Lists of layers are the odd ones: all are in force unless said otherwise, so the first value given
 * takes the place of that "all", and the next ones add to it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/report.h"
#include "policy/document.h"

#define SHOWN        64 /* of a value, in a sentence */
#define SENTENCE     6144
#define NAME_SIZE    32 /* of keys that are compared */
#define KEY_BIT(key) (UINT32_C(1) << (key))

int policy_refuse(const struct policy_value *value, int code, const char *format, ...) {
	const struct policy_place *place = value->place;
	char text[SENTENCE];
	va_list arguments;

	va_start(arguments, format);
	/* va_start() is the line above */
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!place->file)
		return report_error(code, "policy: %s: %s", policy_key_name(value->key), text);
	return report_error(code, "%s:%u: %s: %s", place->file, place->line,
			    policy_key_name(value->key), text);
}

static int refuse_word(const struct policy_value *value, const char *words) {
	return policy_refuse(value, -EINVAL, "\"%.*s\" is not one of %s", SHOWN, value->text,
			     words);
}

/* What policy_insert_...() returned. */
static int refuse_insert(const struct policy_value *value, int r, size_t limit) {
	if (r == -E2BIG && limit)
		return policy_refuse(value, r,
				     "there are too many; a policy has room for %zu of them, and "
				     "%zu bytes of paths and environment",
				     limit, LIMIT_POLICY_TEXT);
	return r < 0 ? report_internal(r, "adding to a policy") : 0;
}

/* --- lists --- */

static int put_path(struct wf_policy *policy, const struct policy_value *value) {
	static const uint32_t access[] = {
		[KEY_READ] = POLICY_READ,
		[KEY_WRITE] = POLICY_READ | POLICY_WRITE,
		[KEY_EXECUTE] = POLICY_READ | POLICY_EXECUTE,
		[KEY_DEVICE] = POLICY_READ | POLICY_WRITE | POLICY_DEVICE,
	};
	char *path = NULL;
	int r = policy_path_resolve(value, &path);

	if (r < 0)
		return r;
	r = policy_insert_path(policy, path, access[value->key], 0);
	free(path);
	return refuse_insert(value, r, LIMIT_POLICY_PATHS);
}

static int put_group(struct wf_policy *policy, const struct policy_value *value, int group) {
	if (group == CALLS_NEVER)
		return policy_refuse(value, -EINVAL,
				     "\"never\" is the group of calls that no policy can allow");
	policy->groups |= UINT64_C(1) << group;
	return 0;
}

static int put_call(struct wf_policy *policy, const struct policy_value *value) {
	int group = call_group_find(value->text);
	const struct call *call;

	if (group >= 0)
		return put_group(policy, value, group);
	call = call_by_name(value->text);
	if (!call)
		return policy_refuse(
		    value, -EINVAL,
		    "\"%.*s\" is no system call of x86-64, and no group of them: "
		    "files, processes, threads, sockets, events, inotify, scheduling, "
		    "ipc, jit, debug, sanitizer, privileged",
		    SHOWN, value->text);
	if (call->group == CALLS_NEVER)
		return policy_refuse(value, -EINVAL,
				     "%s cannot be allowed: it is of no use to a worker, and opens "
				     "much of the kernel; leave it out",
				     call->name);
	return refuse_insert(value, policy_insert_number(&policy->calls, call->number),
			     LIMIT_POLICY_CALLS);
}

static int put_family(struct wf_policy *policy, const struct policy_value *value) {
	uint32_t family;

	if (policy_family_read(value->text, &family) < 0)
		return refuse_word(value, "unix, inet, inet6, netlink");
	policy->families |= family;
	return 0;
}

static int put_port(struct wf_policy *policy, const struct policy_value *value) {
	struct policy_numbers *ports =
	    value->key == KEY_TCP_BIND ? &policy->tcp_bind : &policy->tcp_connect;
	uint64_t port;

	if (policy_number(value->text, UINT16_MAX, &port) < 0 || port == 0)
		return policy_refuse(value, -EINVAL,
				     "\"%.*s\" is no port; write a number from 1 to 65535", SHOWN,
				     value->text);
	return refuse_insert(value, policy_insert_number(ports, (uint16_t)port),
			     LIMIT_POLICY_PORTS);
}

static int put_environment(struct wf_policy *policy, const struct policy_value *value) {
	if (value->text[0] == '=' || value->text[0] == '\0')
		return policy_refuse(value, -EINVAL,
				     "\"%.*s\" has no name; write NAME, or NAME=value", SHOWN,
				     value->text);
	return refuse_insert(value, policy_insert_environment(policy, value->text, false),
			     LIMIT_POLICY_ENVIRONMENT);
}

/* "all", "none", or one of the bits in `all`. */
static int read_layer(const char *text, uint32_t all, uint32_t *ret) {
	*ret = strcmp(text, "all") == 0 ? all : 0;
	if (*ret || strcmp(text, "none") == 0)
		return 0;
	for (unsigned i = 0; i < N_LAYERS; i++)
		if ((all & (UINT32_C(1) << i)) &&
		    strcmp(text, policy_layer_name(UINT32_C(1) << i)) == 0) {
			*ret = UINT32_C(1) << i;
			return 0;
		}
	return -EINVAL;
}

static int put_layer(struct wf_policy *policy, const struct policy_value *value) {
	bool is_namespace = value->key == KEY_NAMESPACES;
	uint32_t *layers = is_namespace ? &policy->namespaces : &policy->layers;
	uint32_t layer;

	if (read_layer(value->text, is_namespace ? LAYER_NAMESPACES : LAYER_ALL & ~LAYER_NAMESPACES,
		       &layer) < 0)
		return refuse_word(value, is_namespace
					      ? "user, mount, pid, net, ipc, uts, all, none"
					      : "descriptors, limits, cgroup, identity, "
						"capabilities, no_new_privs, landlock, seccomp, "
						"all, none");
	if (!(policy->set & KEY_BIT(value->key)) || layer == 0)
		*layers = 0;
	*layers |= layer;
	return 0;
}

/* --- single values --- */

static int put_identity(struct wf_policy *policy, const struct policy_value *value) {
	if (policy_identity_read(value->text, &policy->uid, &policy->gid) < 0)
		return policy_refuse(value, -EINVAL,
				     "\"%.*s\" is no identity; write UID or UID:GID as numbers: "
				     "65534:65534",
				     SHOWN, value->text);
	return 0;
}

static int put_limit(struct wf_policy *policy, const struct policy_value *value) {
	enum policy_limit limit = (enum policy_limit)(value->key - KEY_WALL);
	uint64_t minimum = policy_limit_minimum(limit), number;
	char text[POLICY_VALUE_SIZE];

	if (policy_limit_read(limit, value->text, &number) < 0)
		return policy_refuse(value, -EINVAL, "\"%.*s\" is no such limit; write %s", SHOWN,
				     value->text, policy_limit_form(limit));
	if (number < minimum) {
		policy_limit_print(limit, minimum, text);
		return policy_refuse(value, -EINVAL, "\"%.*s\" is too little; write at least %s",
				     SHOWN, value->text, text);
	}
	policy->limits[limit] = number;
	return 0;
}

static int put_strict(struct wf_policy *policy, const struct policy_value *value) {
	bool strict;

	if (policy_boolean_read(value->text, &strict) < 0)
		return refuse_word(value, "yes, no");
	policy->strict = strict;
	return 0;
}

static int put_report(struct wf_policy *policy, const struct policy_value *value) {
	if (strcmp(value->text, "none") == 0)
		policy->report = POLICY_REPORT_NONE;
	else if (strcmp(value->text, "calls") == 0)
		policy->report = POLICY_REPORT_CALLS;
	else if (strcmp(value->text, "paths") == 0)
		policy->report = POLICY_REPORT_PATHS;
	else
		return refuse_word(value, "none, calls, paths");
	return 0;
}

static int put_refusal(struct wf_policy *policy, const struct policy_value *value) {
	if (strcmp(value->text, "continue") == 0)
		policy->on_refusal = POLICY_CONTINUE;
	else if (strcmp(value->text, "end") == 0)
		policy->on_refusal = POLICY_END;
	else
		return refuse_word(value, "continue, end");
	return 0;
}

static int put_probe(struct wf_policy *policy, const struct policy_value *value) {
	bool worker = strcmp(value->text, "worker") == 0;

	if (!worker && strcmp(value->text, "once") != 0)
		return refuse_word(value, "once, worker");
	policy->probe_workers = worker;
	return 0;
}

/* --- the table --- */

struct key {
	const char *name;
	bool list;
	int (*put)(struct wf_policy *policy, const struct policy_value *value);
};

static const struct key keys[N_KEYS] = {
	[KEY_PRESET] = { "preset", false, NULL },
	[KEY_READ] = { "read", true, put_path },
	[KEY_WRITE] = { "write", true, put_path },
	[KEY_EXECUTE] = { "execute", true, put_path },
	[KEY_DEVICE] = { "device", true, put_path },
	[KEY_CALLS] = { "calls", true, put_call },
	[KEY_SOCKET] = { "socket", true, put_family },
	[KEY_TCP_CONNECT] = { "tcp_connect", true, put_port },
	[KEY_TCP_BIND] = { "tcp_bind", true, put_port },
	[KEY_ENVIRONMENT] = { "environment", true, put_environment },
	[KEY_IDENTITY] = { "identity", false, put_identity },
	[KEY_WALL] = { KEY_LIMITS "wall", false, put_limit },
	[KEY_CPU] = { KEY_LIMITS "cpu", false, put_limit },
	[KEY_MEMORY] = { KEY_LIMITS "memory", false, put_limit },
	[KEY_PROCESSES] = { KEY_LIMITS "processes", false, put_limit },
	[KEY_DESCRIPTORS] = { KEY_LIMITS "descriptors", false, put_limit },
	[KEY_FILE_SIZE] = { KEY_LIMITS "file_size", false, put_limit },
	[KEY_OUTPUT] = { KEY_LIMITS "output", false, put_limit },
	[KEY_SCRATCH] = { KEY_LIMITS "scratch", false, put_limit },
	[KEY_NAMESPACES] = { "namespaces", true, put_layer },
	[KEY_LAYERS] = { "layers", true, put_layer },
	[KEY_STRICT] = { "strict", false, put_strict },
	[KEY_REPORT] = { "report", false, put_report },
	[KEY_ON_REFUSAL] = { "on_refusal", false, put_refusal },
	[KEY_PROBE] = { "probe", false, put_probe },
};
_Static_assert(N_KEYS <= 32, "one bit for each in struct wf_policy");
_Static_assert(KEY_SCRATCH - KEY_WALL + 1 == N_POLICY_LIMITS, "a key for each limit");

const char *policy_key_name(enum policy_key key) {
	return keys[key].name;
}

bool policy_key_is_list(enum policy_key key) {
	return keys[key].list;
}

int policy_key_find(const char *name) {
	for (int i = 0; i < N_KEYS; i++)
		if (strcmp(name, keys[i].name) == 0)
			return i;
	return -ENOENT;
}

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

/* How many characters to add, drop or change (Levenshtein), of the first NAME_SIZE. */
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

const char *policy_key_nearest(const char *name, const char *group) {
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

int policy_put(struct wf_policy *policy, const struct policy_value *value) {
	int r = keys[value->key].put(policy, value);

	if (r == 0)
		policy->set |= KEY_BIT(value->key);
	return r;
}

int wf_policy_add(struct wf_policy *policy, const char *key, const char *value) {
	static const struct policy_place place = { .file = NULL };
	int found, r;

	if (!policy || !key || !value)
		return report_error(-EINVAL, "wf_policy_add(): policy, key or value is NULL");
	found = policy_key_find(key);
	if (found < 0)
		return report_error(-EINVAL, "policy: \"%.*s\" is no key; did you mean %s?", SHOWN,
				    key, policy_key_nearest(key, NULL));
	if (found == KEY_PRESET)
		return report_error(-EINVAL, "policy: preset: it is given to wf_policy_new(); "
					     "to allow more, wf_policy_compose() with another");
	r = policy_put(policy, &(struct policy_value){ &place, (enum policy_key)found, value });
	if (r == 0)
		policy_settle(policy);
	return r;
}
