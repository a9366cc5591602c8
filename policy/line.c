/* SPDX-License-Identifier: MIT
 *
 * The line that a policy lacks. A suggestion is the least that helps: a group if programs need its
 * calls together, the call by name if the group allows more than anyone wants (debug, privileged),
 * and none if no line would change the answer: the refusal then came from a rule about arguments,
 * or the call cannot be allowed.
 */
#include "policy/line.h"

#include <stdio.h>
#include <string.h>

#include "policy/cover.h"
#include "policy/print.h"
#include "policy/value.h"

static void put_line(enum policy_key key, const char *value, char *text, size_t size) {
	if (print_line(key, value, text, size) < 0 && size > 0)
		text[0] = '\0';
}

void line_for_path(const struct policy *policy, const char *path, uint32_t access, char *text,
		   size_t size) {
	uint32_t missing;

	if (size > 0)
		text[0] = '\0';
	if (!policy_path_valid(path))
		return;
	missing = access & ~cover_path(policy, path);
	if (missing & POLICY_DEVICE)
		put_line(KEY_DEVICE, path, text, size);
	else if (missing & POLICY_WRITE)
		put_line(KEY_WRITE, path, text, size);
	else if (missing & POLICY_EXECUTE)
		put_line(KEY_EXECUTE, path, text, size);
	else if (missing & POLICY_READ)
		put_line(KEY_READ, path, text, size);
}

/* The address family is the first argument of socket(2) and socketpair(2). NULL: a policy cannot
 * allow it. */
static const char *family_name(uint64_t argument, uint32_t *ret) {
	static const struct {
		/* AF_UNIX ..., as numbers, because they come from another process */
		uint64_t number;
		uint32_t family;
	} families[] = {
		{ 1, POLICY_FAMILY_UNIX },
		{ 2, POLICY_FAMILY_INET },
		{ 10, POLICY_FAMILY_INET6 },
		{ 16, POLICY_FAMILY_NETLINK },
	};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if ((uint32_t)argument == families[i].number) {
			*ret = families[i].family;
			return value_family_name(families[i].family);
		}
	return NULL;
}

static bool makes_sockets(const struct call *call) {
	return strcmp(call->name, "socket") == 0 || strcmp(call->name, "socketpair") == 0;
}

static bool call_is_named(const struct policy *policy, const struct call *call) {
	for (size_t i = 0; i < policy->n_calls; i++)
		if (policy->calls[i] == call->number)
			return true;
	return false;
}

static bool call_allowed(const struct policy *policy, const struct call *call) {
	return policy->groups & (UINT64_C(1) << call->group) || call_is_named(policy, call);
}

static void line_for_socket(const struct policy *policy, uint64_t argument, char *text,
			    size_t size) {
	uint32_t family = 0;
	const char *name = family_name(argument, &family);

	if (name && !(policy->families & family))
		put_line(KEY_SOCKET, name, text, size);
}

/* Calls that every program has, and whose arguments another group allows. */
static bool line_for_arguments(const struct policy *policy, const struct call *call,
			       const uint64_t arguments[CALL_ARGUMENTS], char *text, size_t size) {
	static const char *const executable[] = { "mmap", "mprotect", "pkey_mprotect",
						  "memfd_create" };
	const uint64_t thread = 0x10000; /* CLONE_THREAD */
	enum call_group group = N_CALL_GROUPS;

	/* without a control group, shared memory would escape the limit */
	if (strcmp(call->name, "mmap") == 0 && !(arguments[2] & 4 /* PROT_EXEC */)) {
		if (policy->limits[POLICY_MEMORY] != POLICY_NO_LIMIT &&
		    !(arguments[3] & 0x40000 /* MAP_HUGETLB */))
			(void)snprintf(text, size, "limits: {memory: none}");
		return true;
	}
	if (strcmp(call->name, "clone") == 0 && arguments[0] & thread)
		group = CALLS_THREADS;
	for (size_t i = 0; i < sizeof executable / sizeof executable[0]; i++)
		if (strcmp(call->name, executable[i]) == 0)
			group = CALLS_JIT;
	if (group == N_CALL_GROUPS || policy->groups & UINT64_C(1) << group)
		return false;
	put_line(KEY_CALLS, call_group_name(group), text, size);
	return true;
}

void line_for_call(const struct policy *policy, const struct call *call,
		   const uint64_t arguments[CALL_ARGUMENTS], char *text, size_t size) {
	if (size > 0)
		text[0] = '\0';
	if (call->group == CALLS_NEVER)
		return;
	if (line_for_arguments(policy, call, arguments, text, size))
		return;
	if (makes_sockets(call))
		line_for_socket(policy, arguments[0], text, size);
	else if (strcmp(call->name, "listen") == 0 && call_allowed(policy, call) &&
		 !policy_may_listen(policy) && !call_is_named(policy, call))
		put_line(KEY_CALLS, call->name, text, size);
	else if (call_allowed(policy, call))
		return;
	else if (call->group == CALLS_DEBUG || call->group == CALLS_PRIVILEGED)
		put_line(KEY_CALLS, call->name, text, size);
	else
		put_line(KEY_CALLS, call_group_name(call->group), text, size);
}
