/* SPDX-License-Identifier: MIT
 *
 * What each key does with a value, for files and for wf_policy_add().
 *
 * Lists of layers are special: all layers are in force by default, so the first value given
 * replaces that "all", and later ones add to it.
 */
#include "policy/add.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/report.h"
#include "policy/document.h"
#include "policy/resolve.h"
#include "policy/sorted.h"
#include "policy/value.h"
#include "proto/calls.h"

#define SHOWN 64 /* how much of a value a sentence quotes */

static int refuse_word(const struct value *value, const char *words) {
	return value_refuse(value, -EINVAL, "\"%.*s\" is not one of %s", SHOWN, value->text, words);
}

/* Reports what sorted_insert_...() returned. */
static int refuse_insert(const struct value *value, int r, size_t limit) {
	if (r == -E2BIG && limit)
		return value_refuse(value, r,
				    "there are too many; a policy has room for %zu of them, and "
				    "%zu bytes of paths and environment",
				    limit, LIMIT_POLICY_TEXT);
	return r < 0 ? report_internal(r, "adding to a policy") : 0;
}

/* --- lists --- */

static int put_path(struct wf_policy *policy, const struct value *value) {
	static const uint32_t access[] = {
		[KEY_READ] = POLICY_READ,
		[KEY_WRITE] = POLICY_READ | POLICY_WRITE,
		[KEY_EXECUTE] = POLICY_READ | POLICY_EXECUTE,
		[KEY_DEVICE] = POLICY_READ | POLICY_WRITE | POLICY_DEVICE,
	};
	char *path = NULL;
	int r = resolve_path(value, &path);

	if (r < 0)
		return r;
	r = sorted_insert_path(policy, path, access[value->key], 0);
	free(path);
	return refuse_insert(value, r, LIMIT_POLICY_PATHS);
}

static int put_group(struct wf_policy *policy, const struct value *value, int group) {
	if (group == CALLS_NEVER)
		return value_refuse(value, -EINVAL,
				    "\"never\" is the group of calls that no policy can allow");
	policy->groups |= UINT64_C(1) << group;
	return 0;
}

static int put_call(struct wf_policy *policy, const struct value *value) {
	int group = call_group_find(value->text);
	const struct call *call;

	if (group >= 0)
		return put_group(policy, value, group);
	call = call_by_name(value->text);
	if (!call)
		return value_refuse(
		    value, -EINVAL,
		    "\"%.*s\" is neither a system call of x86-64 nor a group of them: files, "
		    "processes, threads, sockets, events, inotify, scheduling, ipc, jit, debug, "
		    "sanitizer, privileged",
		    SHOWN, value->text);
	if (call->group == CALLS_NEVER)
		return value_refuse(value, -EINVAL,
				    "%s cannot be allowed: it is of no use to a worker, and "
				    "exposes much of the kernel; leave it out",
				    call->name);
	return refuse_insert(value, sorted_insert_number(&policy->calls, call->number),
			     LIMIT_POLICY_CALLS);
}

static int put_family(struct wf_policy *policy, const struct value *value) {
	uint32_t family;

	if (value_read_family(value->text, &family) < 0)
		return refuse_word(value, "unix, inet, inet6, netlink");
	policy->families |= family;
	return 0;
}

static int put_port(struct wf_policy *policy, const struct value *value) {
	struct document_numbers *ports =
	    value->key == KEY_TCP_BIND ? &policy->tcp_bind : &policy->tcp_connect;
	uint64_t port;

	if (value_number(value->text, UINT16_MAX, &port) < 0 || port == 0)
		return value_refuse(value, -EINVAL,
				    "\"%.*s\" is no port; write a number from 1 to 65535", SHOWN,
				    value->text);
	return refuse_insert(value, sorted_insert_number(ports, (uint16_t)port),
			     LIMIT_POLICY_PORTS);
}

static int put_environment(struct wf_policy *policy, const struct value *value) {
	if (value->text[0] == '=' || value->text[0] == '\0')
		return value_refuse(value, -EINVAL,
				    "\"%.*s\" has no name; write NAME, or NAME=value", SHOWN,
				    value->text);
	return refuse_insert(value, sorted_insert_environment(policy, value->text, false),
			     LIMIT_POLICY_ENVIRONMENT);
}

/* Reads "all", "none", or the name of one of the bits in `all`. */
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

static int put_layer(struct wf_policy *policy, const struct value *value) {
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

static int put_identity(struct wf_policy *policy, const struct value *value) {
	if (value_read_identity(value->text, &policy->uid, &policy->gid) < 0)
		return value_refuse(value, -EINVAL,
				    "\"%.*s\" is no identity; write UID or UID:GID as numbers: "
				    "65534:65534",
				    SHOWN, value->text);
	return 0;
}

static int put_limit(struct wf_policy *policy, const struct value *value) {
	enum policy_limit limit = (enum policy_limit)(value->key - KEY_WALL);
	uint64_t minimum = policy_limit_minimum(limit), number;
	char text[VALUE_SIZE];

	if (value_read_limit(limit, value->text, &number) < 0)
		return value_refuse(value, -EINVAL, "\"%.*s\" is no such limit; write %s", SHOWN,
				    value->text, value_limit_form(limit));
	if (number < minimum) {
		value_print_limit(limit, minimum, text);
		return value_refuse(value, -EINVAL, "\"%.*s\" is too little; write at least %s",
				    SHOWN, value->text, text);
	}
	policy->limits[limit] = number;
	return 0;
}

static int put_strict(struct wf_policy *policy, const struct value *value) {
	bool strict;

	if (value_read_boolean(value->text, &strict) < 0)
		return refuse_word(value, "yes, no");
	policy->strict = strict;
	return 0;
}

static int put_report(struct wf_policy *policy, const struct value *value) {
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

static int put_refusal(struct wf_policy *policy, const struct value *value) {
	if (strcmp(value->text, "continue") == 0)
		policy->on_refusal = POLICY_CONTINUE;
	else if (strcmp(value->text, "end") == 0)
		policy->on_refusal = POLICY_END;
	else
		return refuse_word(value, "continue, end");
	return 0;
}

static int put_probe(struct wf_policy *policy, const struct value *value) {
	bool worker = strcmp(value->text, "worker") == 0;

	if (!worker && strcmp(value->text, "once") != 0)
		return refuse_word(value, "once, worker");
	policy->probe_workers = worker;
	return 0;
}

/* --- the table --- */

/* The function of each key; the preset is not added, but composed. */
static int (*const put[N_KEYS])(struct wf_policy *policy, const struct value *value) = {
	[KEY_READ] = put_path,
	[KEY_WRITE] = put_path,
	[KEY_EXECUTE] = put_path,
	[KEY_DEVICE] = put_path,
	[KEY_CALLS] = put_call,
	[KEY_SOCKET] = put_family,
	[KEY_TCP_CONNECT] = put_port,
	[KEY_TCP_BIND] = put_port,
	[KEY_ENVIRONMENT] = put_environment,
	[KEY_IDENTITY] = put_identity,
	[KEY_WALL] = put_limit,
	[KEY_CPU] = put_limit,
	[KEY_MEMORY] = put_limit,
	[KEY_PROCESSES] = put_limit,
	[KEY_DESCRIPTORS] = put_limit,
	[KEY_FILE_SIZE] = put_limit,
	[KEY_OUTPUT] = put_limit,
	[KEY_SCRATCH] = put_limit,
	[KEY_NAMESPACES] = put_layer,
	[KEY_LAYERS] = put_layer,
	[KEY_STRICT] = put_strict,
	[KEY_REPORT] = put_report,
	[KEY_ON_REFUSAL] = put_refusal,
	[KEY_PROBE] = put_probe,
};

int add_value(struct wf_policy *policy, const struct value *value) {
	int r = put[value->key](policy, value);

	if (r == 0)
		policy->set |= KEY_BIT(value->key);
	return r;
}

int wf_policy_add(struct wf_policy *policy, const char *key, const char *value) {
	static const struct value_place place = { .file = NULL };
	int found, r;

	if (!policy || !key || !value)
		return report_error(-EINVAL, "wf_policy_add(): policy, key or value is NULL");
	found = key_find(key);
	if (found < 0)
		return report_error(-EINVAL, "policy: \"%.*s\" is no key; did you mean %s?", SHOWN,
				    key, key_nearest(key, NULL));
	if (found == KEY_PRESET)
		return report_error(-EINVAL, "policy: preset: it is chosen with "
					     "wf_policy_new(); to allow more, add a policy with "
					     "another preset by wf_policy_compose()");
	r = add_value(policy, &(struct value){ &place, (enum policy_key)found, value });
	if (r == 0)
		document_settle(policy);
	return r;
}
