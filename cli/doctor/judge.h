/* SPDX-License-Identifier: MIT
 *
 * Turns facts into findings, without looking at the machine.
 */
#pragma once

#include "cli/doctor/finding.h"
#include "cli/doctor/probe.h"

/* A trial about which there is no more to say than whether it works. */
struct judge_rule {
	enum probe_trial trial;
	const char *key, *label;
	unsigned needs, helps; /* enum finding_user, or-ed */
	const char *feature;   /* the word of WF_ABSENT that hides it, or NULL */
	const char *costs, *remedy;
};

/* Adds all of them to `section`. */
void judge_rules(struct findings *findings, const struct probe_facts *facts, const char *section,
		 const struct judge_rule *rules, size_t n);

/* Sections in the order of the report. */
void judge_machine(struct findings *findings, const struct probe_facts *facts);
void judge_landlock(struct findings *findings, const struct probe_facts *facts);
void judge_namespaces(struct findings *findings, const struct probe_facts *facts);
void judge_seccomp(struct findings *findings, const struct probe_facts *facts);
void judge_cgroups(struct findings *findings, const struct probe_facts *facts);
void judge_processes(struct findings *findings, const struct probe_facts *facts);
void judge_memory(struct findings *findings, const struct probe_facts *facts);
void judge_settings(struct findings *findings, const struct probe_facts *facts);

/* Judges all of them. */
void judge(const struct probe_facts *facts, struct findings *ret);
