/* SPDX-License-Identifier: MIT
 *
 * All that is judged, in the order of the report.
 */
#include "cli/doctor/judge.h"

void judge(const struct probe_facts *facts, struct findings *ret) {
	ret->n = 0;
	judge_machine(ret, facts);
	judge_landlock(ret, facts);
	judge_namespaces(ret, facts);
	judge_seccomp(ret, facts);
	judge_cgroups(ret, facts);
	judge_processes(ret, facts);
	judge_memory(ret, facts);
	judge_settings(ret, facts);
}
