/* SPDX-License-Identifier: MIT
 *
 * Composes policies: puts a preset under the given entries, and one policy into another. After an
 * error the policy is unchanged.
 */
#include "policy/compose.h"

#include <errno.h>
#include <string.h>

#include <warmfork/policy.h>

#include "base/report.h"
#include "policy/document.h"
#include "policy/preset.h"
#include "policy/sorted.h"

int compose_preset(struct wf_policy *policy, enum policy_preset preset) {
	const struct preset *table = preset_of(preset);
	int r = 0;

	if (policy->preset >= preset)
		return 0;
	for (size_t i = 0; i < table->n_paths && r == 0; i++)
		r = sorted_insert_path(policy, table->paths[i].path, 0, table->paths[i].access);
	for (size_t i = 0; table->environment[i] && r == 0; i++)
		r = sorted_insert_environment(policy, table->environment[i], true);
	if (r == 0)
		policy->preset = preset;
	return r;
}

int wf_policy_new(const char *preset, struct wf_policy **ret) {
	struct wf_policy *policy;
	int found, r;

	if (!preset || !ret)
		return report_error(-EINVAL, "wf_policy_new(): preset or ret is NULL");
	found = preset_find(preset);
	if (found < 0)
		return report_error(
		    -EINVAL, "policy: preset: \"%.64s\" is not one of pure, stage, tests", preset);
	policy = document_blank();
	r = policy ? compose_preset(policy, (enum policy_preset)found) : -ENOMEM;
	if (r < 0) {
		wf_policy_free(policy);
		return report_internal(r, "making a policy");
	}
	document_settle(policy);
	*ret = policy;
	return 0;
}

static int compose_lists(struct wf_policy *policy, const struct wf_policy *other) {
	int r = 0;

	for (size_t i = 0; i < other->n_paths && r == 0; i++)
		if (other->paths[i].given)
			r = sorted_insert_path(policy, other->paths[i].path, other->paths[i].given,
					       0);
	for (size_t i = 0; i < other->n_environment && r == 0; i++) {
		struct document_variable variable = other->environment[i];

		variable.preset = false;
		if (variable.given)
			r = sorted_insert_variable(policy, &variable);
	}
	for (size_t i = 0; i < other->calls.n && r == 0; i++)
		r = sorted_insert_number(&policy->calls, other->calls.numbers[i]);
	for (size_t i = 0; i < other->tcp_connect.n && r == 0; i++)
		r = sorted_insert_number(&policy->tcp_connect, other->tcp_connect.numbers[i]);
	for (size_t i = 0; i < other->tcp_bind.n && r == 0; i++)
		r = sorted_insert_number(&policy->tcp_bind, other->tcp_bind.numbers[i]);
	policy->groups |= other->groups;
	policy->families |= other->families;
	return r;
}

static void compose_singles(struct wf_policy *policy, const struct wf_policy *other) {
	for (unsigned i = 0; i < N_POLICY_LIMITS; i++)
		if (document_is_set(other, (enum policy_key)(KEY_WALL + i)))
			policy->limits[i] = other->limits[i];
	if (document_is_set(other, KEY_IDENTITY)) {
		policy->uid = other->uid;
		policy->gid = other->gid;
	}
	if (document_is_set(other, KEY_NAMESPACES))
		policy->namespaces = other->namespaces;
	if (document_is_set(other, KEY_LAYERS))
		policy->layers = other->layers;
	if (document_is_set(other, KEY_STRICT))
		policy->strict = other->strict;
	if (document_is_set(other, KEY_REPORT))
		policy->report = other->report;
	if (document_is_set(other, KEY_ON_REFUSAL))
		policy->on_refusal = other->on_refusal;
	if (document_is_set(other, KEY_PROBE))
		policy->probe_workers = other->probe_workers;
	policy->set |= other->set;
}

int wf_policy_compose(struct wf_policy *policy, const struct wf_policy *other) {
	struct wf_policy *sum, former;
	int r;

	if (!policy || !other)
		return report_error(-EINVAL, "wf_policy_compose(): policy or other is NULL");
	sum = document_copy(policy);
	if (!sum)
		return report_internal(-ENOMEM, "composing policies");
	r = compose_preset(sum, other->preset);
	if (r == 0)
		r = compose_lists(sum, other);
	if (r == 0) {
		compose_singles(sum, other);
		former = *policy;
		*policy = *sum;
		*sum = former;
		document_settle(policy);
	}
	wf_policy_free(sum);
	if (r == -E2BIG)
		return report_error(r,
				    "policy: the composed policy is too large; it may have at "
				    "most %d paths, %d variables, %d calls, %d ports and %zu "
				    "bytes of text",
				    LIMIT_POLICY_PATHS, LIMIT_POLICY_ENVIRONMENT,
				    LIMIT_POLICY_CALLS, LIMIT_POLICY_PORTS, LIMIT_POLICY_TEXT);
	return r < 0 ? report_internal(r, "composing policies") : 0;
}
