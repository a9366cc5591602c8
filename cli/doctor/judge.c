/* SPDX-License-Identifier: MIT
 *
 * What all subjects share: a trial works, fails with an errno, proves nothing, or is hidden.
 */
#include "cli/doctor/judge.h"

#include <errno.h>
#include <string.h>

#include "cli/absent.h"

/* Sets "Operation not permitted (EPERM)" as the value of a trial that failed. */
static void judge_error(struct finding *finding, int error) {
	const char *words = strerrordesc_np(error), *name = strerrorname_np(error);

	if (error == PROBE_UNTRIED)
		finding_value(finding, "the trial did not come to an end");
	else if (error == ENOTRECOVERABLE)
		finding_value(finding, "the call succeeds, and has no effect");
	else
		finding_value(finding, "%s (%s)", words ? words : "an unknown error",
			      name ? name : "?");
}

static enum finding_state rule_state(const struct judge_rule *rule,
				     const struct probe_facts *facts) {
	if (rule->feature && absent_hides(facts->absent, rule->feature))
		return FINDING_HIDDEN;
	switch (facts->trials[rule->trial]) {
	case PROBE_WORKS:
		return FINDING_HERE;
	case PROBE_UNTRIED:
		return FINDING_UNKNOWN;
	default:
		return FINDING_MISSING;
	}
}

static void judge_rule(struct findings *findings, const struct probe_facts *facts,
		       const char *section, const struct judge_rule *rule) {
	enum finding_state state = rule_state(rule, facts);
	struct finding *finding = finding_add(findings, section, rule->key, rule->label, state);

	finding->needs = rule->needs;
	finding->helps = rule->helps;
	if (state == FINDING_HERE)
		return;
	finding_costs(finding, "%s", rule->costs);
	if (state == FINDING_HIDDEN) {
		finding_value(finding, "WF_ABSENT names it");
		finding_remedy(finding, "unset WF_ABSENT");
		return;
	}
	judge_error(finding, facts->trials[rule->trial]);
	finding_remedy(finding, "%s", rule->remedy);
}

void judge_rules(struct findings *findings, const struct probe_facts *facts, const char *section,
		 const struct judge_rule *rules, size_t n) {
	for (size_t i = 0; i < n; i++)
		judge_rule(findings, facts, section, &rules[i]);
}
