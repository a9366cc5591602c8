/* SPDX-License-Identifier: MIT
 *
 * The policy as an object. It is one allocation with room for the largest policy, and one for each
 * string, so that the view can be put together after each change and cannot fail.
 */
#include "policy/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/preset.h"
#include "policy/value.h"

#define GROUP(name) (UINT64_C(1) << CALLS_##name)

struct wf_policy *document_blank(void) {
	struct wf_policy *policy = calloc(1, sizeof *policy);

	if (policy) {
		policy->calls.limit = LIMIT_POLICY_CALLS;
		policy->tcp_connect.limit = LIMIT_POLICY_PORTS;
		policy->tcp_bind.limit = LIMIT_POLICY_PORTS;
	}
	return policy;
}

struct wf_policy *wf_policy_free(struct wf_policy *policy) {
	if (!policy)
		return NULL;
	for (size_t i = 0; i < policy->n_paths; i++)
		free(policy->paths[i].path);
	for (size_t i = 0; i < policy->n_environment; i++)
		free(policy->environment[i].text);
	free(policy);
	return NULL;
}

struct wf_policy *document_copy(const struct wf_policy *policy) {
	struct wf_policy *copy = policy ? document_blank() : NULL;
	bool whole = true;

	if (!copy)
		return NULL;
	*copy = *policy;
	for (size_t i = 0; i < copy->n_paths; i++) {
		copy->paths[i].path = strdup(policy->paths[i].path);
		whole &= copy->paths[i].path != NULL;
	}
	for (size_t i = 0; i < copy->n_environment; i++) {
		copy->environment[i].text = strdup(policy->environment[i].text);
		whole &= copy->environment[i].text != NULL;
	}
	if (!whole)
		return wf_policy_free(copy);
	document_settle(copy);
	return copy;
}

/* --- the view --- */

static void settle_paths(struct wf_policy *policy) {
	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct document_path *entry = &policy->paths[i];

		policy->view_paths[i] = (struct policy_path){
			.path = entry->path,
			.access = entry->given | entry->preset,
			.optional = !entry->given,
		};
	}
	policy->view.paths = policy->view_paths;
	policy->view.n_paths = policy->n_paths;
}

static void settle_environment(struct wf_policy *policy) {
	size_t n = 0;

	for (size_t i = 0; i < policy->n_environment; i++) {
		const struct document_variable *variable = &policy->environment[i];

		if (variable->text[variable->name] == '=')
			policy->view_environment[n++] = variable->text;
	}
	policy->view.environment = policy->view_environment;
	policy->view.n_environment = n;
}

static void settle_numbers(struct wf_policy *policy) {
	struct policy *view = &policy->view;

	view->calls = policy->calls.numbers;
	view->n_calls = policy->calls.n;
	view->tcp_connect = policy->tcp_connect.numbers;
	view->n_tcp_connect = policy->tcp_connect.n;
	view->tcp_bind = policy->tcp_bind.numbers;
	view->n_tcp_bind = policy->tcp_bind.n;
}

/* A path, a program or a socket is of no use without the calls that take it, so it adds their
 * group. */
static uint64_t groups_of(const struct wf_policy *policy) {
	uint64_t groups = policy->groups;

	for (size_t i = 0; i < policy->n_paths; i++) {
		if (policy->paths[i].given)
			groups |= GROUP(FILES);
		if (policy->paths[i].given & POLICY_EXECUTE)
			groups |= GROUP(PROCESSES);
	}
	if (policy->families)
		groups |= GROUP(SOCKETS);
	return groups;
}

static void settle_singles(struct wf_policy *policy, const struct preset *preset) {
	struct policy *view = &policy->view;

	for (unsigned i = 0; i < N_POLICY_LIMITS; i++)
		view->limits[i] = document_is_set(policy, (enum policy_key)(KEY_WALL + i))
				      ? policy->limits[i]
				      : preset->limits[i];
	view->has_identity = document_is_set(policy, KEY_IDENTITY);
	view->uid = policy->uid;
	view->gid = policy->gid;
	view->layers =
	    (document_is_set(policy, KEY_NAMESPACES) ? policy->namespaces : LAYER_NAMESPACES) |
	    (document_is_set(policy, KEY_LAYERS) ? policy->layers : LAYER_ALL & ~LAYER_NAMESPACES);
	view->strict = document_is_set(policy, KEY_STRICT) ? policy->strict : true;
	view->report = document_is_set(policy, KEY_REPORT) ? policy->report : preset->report;
	view->on_refusal =
	    document_is_set(policy, KEY_ON_REFUSAL) ? policy->on_refusal : preset->on_refusal;
	view->probe_workers = policy->probe_workers;
}

void document_settle(struct wf_policy *policy) {
	const struct preset *preset = preset_of(policy->preset);

	settle_paths(policy);
	settle_environment(policy);
	settle_numbers(policy);
	settle_singles(policy, preset);
	policy->view.preset = policy->preset;
	policy->view.groups = preset->groups | groups_of(policy);
	policy->view.families = preset->families | policy->families;
}

const struct policy *document_view(const struct wf_policy *policy) {
	return &policy->view;
}

/* --- comparing --- */

static bool equal_paths(const struct policy *a, const struct policy *b) {
	if (a->n_paths != b->n_paths)
		return false;
	for (size_t i = 0; i < a->n_paths; i++)
		if (strcmp(a->paths[i].path, b->paths[i].path) != 0 ||
		    a->paths[i].access != b->paths[i].access ||
		    a->paths[i].optional != b->paths[i].optional)
			return false;
	return true;
}

static bool equal_environment(const struct policy *a, const struct policy *b) {
	if (a->n_environment != b->n_environment)
		return false;
	for (size_t i = 0; i < a->n_environment; i++)
		if (strcmp(a->environment[i], b->environment[i]) != 0)
			return false;
	return true;
}

static bool equal_numbers(const struct document_numbers *a, const struct document_numbers *b) {
	return a->n == b->n && memcmp(a->numbers, b->numbers, a->n * sizeof a->numbers[0]) == 0;
}

bool document_equal(const struct wf_policy *a, const struct wf_policy *b) {
	const struct policy *x, *y;

	if (!a || !b)
		return a == b;
	x = &a->view;
	y = &b->view;
	return equal_paths(x, y) && equal_environment(x, y) &&
	       equal_numbers(&a->calls, &b->calls) &&
	       equal_numbers(&a->tcp_connect, &b->tcp_connect) &&
	       equal_numbers(&a->tcp_bind, &b->tcp_bind) &&
	       memcmp(x->limits, y->limits, sizeof x->limits) == 0 && x->preset == y->preset &&
	       x->groups == y->groups && x->families == y->families &&
	       x->has_identity == y->has_identity && x->uid == y->uid && x->gid == y->gid &&
	       x->layers == y->layers && x->strict == y->strict && x->report == y->report &&
	       x->on_refusal == y->on_refusal && x->probe_workers == y->probe_workers;
}

/* --- keys that do not fit together --- */

const char *document_conflict(const struct wf_policy *policy, enum policy_key *ret_key) {
	const uint32_t inet = POLICY_FAMILY_INET | POLICY_FAMILY_INET6;

	*ret_key = KEY_ON_REFUSAL;
	if (policy->view.on_refusal == POLICY_END && policy->view.report == POLICY_REPORT_NONE)
		return "a task can only be ended for what is reported; write report: calls or paths, "
		       "or on_refusal: continue";
	*ret_key = policy->tcp_connect.n ? KEY_TCP_CONNECT : KEY_TCP_BIND;
	if (!policy->tcp_connect.n && !policy->tcp_bind.n)
		return NULL;
	if (!(policy->view.families & inet))
		return "ports need a family of addresses; add socket: [inet], or inet6";
	if (policy->view.layers & LAYER_NET)
		return "it needs the network of the host; list namespaces without net: "
		       "namespaces: [user, mount, pid, ipc, uts]";
	return NULL;
}

int document_check(const struct wf_policy *policy) {
	static const struct value_place place = { .file = NULL };
	struct value value = { .place = &place };
	const char *sentence = document_conflict(policy, &value.key);

	return sentence ? value_refuse(&value, -EINVAL, "%s", sentence) : 0;
}
