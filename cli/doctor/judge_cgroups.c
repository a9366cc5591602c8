/* SPDX-License-Identifier: MIT
 *
 * Control groups: two ways to get them, and two limits that replace them.
 */
#include <errno.h>
#include <string.h>

#include "cli/absent.h"
#include "cli/doctor/judge.h"

#define DELEGATION "systemd-run --user --scope -p Delegate=yes PROGRAM"

static bool works(const struct probe_facts *facts, enum probe_trial trial) {
	return facts->trials[trial] == PROBE_WORKS;
}

static bool hidden(const struct probe_facts *facts) {
	return absent_hides(facts->absent, "cgroup");
}

static enum finding_state state_of(const struct probe_facts *facts, enum probe_trial trial) {
	if (hidden(facts))
		return FINDING_HIDDEN;
	return works(facts, trial) ? FINDING_HERE : FINDING_MISSING;
}

/* A group below ours. The consequences are judged below. */
static void judge_delegated(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "cgroups", "v2", "version 2", state_of(facts, TRIAL_CGROUP_MAKE));

	if (!facts->cgroup[0])
		finding_value(finding, "not mounted");
	else if (works(facts, TRIAL_CGROUP_MAKE))
		finding_value(finding, "groups can be made in %s", facts->cgroup);
	else
		finding_value(finding, "no group can be made in %s: %s", facts->cgroup,
			      strerrordesc_np(facts->trials[TRIAL_CGROUP_MAKE]));
	if (finding->state == FINDING_HERE)
		return;
	finding_costs(finding, "limits of memory and processes need version 1, or other means: "
			       "see below");
	if (!facts->cgroup[0])
		finding_remedy(finding, "mount -t cgroup2 none /sys/fs/cgroup, or on the kernel's "
					"command line: systemd.unified_cgroup_hierarchy=1");
	else if (facts->uid == 0)
		finding_remedy(finding, "run where /sys/fs/cgroup is writable: docker run "
					"--cgroupns private with it mounted so");
	else
		finding_remedy(finding, DELEGATION);
}

/* Groups below ours have `name` only if ours passes it on; if ours merely could, that is
 * FINDING_PARTLY. */
static void judge_controller(struct findings *findings, const struct probe_facts *facts,
			     const char *name, const char *label, enum probe_trial trial) {
	bool could = strstr(facts->cgroup_controllers, name) != NULL;
	enum finding_state state = state_of(facts, trial);
	struct finding *finding;

	if (state == FINDING_MISSING && could && works(facts, TRIAL_CGROUP_MAKE))
		state = FINDING_PARTLY;
	finding = finding_add(findings, "cgroups", name, label, state);
	if (state == FINDING_HERE)
		return;
	finding_costs(finding, "groups of version 2 cannot keep limits.%s",
		      strcmp(name, "pids") == 0 ? "processes" : name);
	if (state == FINDING_PARTLY) {
		finding_value(finding, "our group has the controller, but does not hand it on");
		finding_remedy(finding,
			       "move all processes of the group into a group below it, then "
			       "echo +%s > %s/cgroup.subtree_control",
			       name, facts->cgroup);
	} else if (could) {
		finding_value(finding, "our group has the controller, but we may not use the "
				       "group");
		finding_remedy(finding, DELEGATION);
	} else {
		finding_value(finding, "our group does not have the controller");
		finding_remedy(finding,
			       "have it handed down from the root group (systemd: " DELEGATION
			       "); version 2 cannot have a controller that version 1 has mounted");
	}
}

static void judge_kill(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding = finding_add(findings, "cgroups", "kill", "killing a group",
					      state_of(facts, TRIAL_CGROUP_KILL));

	finding->helps = USER_SANDBOXES;
	if (finding->state == FINDING_HERE)
		return;
	finding_value(finding, "no cgroup.kill in groups of ours");
	finding_costs(finding, "processes that a task leaves behind are found and killed one by "
			       "one");
	finding_remedy(finding, "as for version 2; Linux 5.14 or later");
}

static void judge_v1(struct findings *findings, const struct probe_facts *facts, const char *key,
		     const char *label, const char *path, enum probe_trial trial) {
	struct finding *finding =
	    finding_add(findings, "cgroups", key, label, state_of(facts, trial));

	if (!path[0])
		finding_value(finding, "not mounted");
	else if (works(facts, trial))
		finding_value(finding, "groups can be made in %s", path);
	else
		finding_value(finding, "no group can be made in %s: %s", path,
			      strerrordesc_np(facts->trials[trial]));
	if (finding->state == FINDING_MISSING && path[0])
		finding_remedy(finding, "%s",
			       facts->trials[trial] == EROFS
				   ? "have the container mount it writable"
				   : "chown the directory to whoever runs pools");
}

/* --- what it comes to ---------------------------------------------------------------------- */

static void judge_process_limit(struct findings *findings, const struct probe_facts *facts) {
	bool group = !hidden(facts) &&
		     (works(facts, TRIAL_CGROUP_PIDS) || works(facts, TRIAL_CGROUP_V1_PIDS));
	bool user = !absent_hides(facts->absent, "userns") && works(facts, TRIAL_USER_MAP);
	struct finding *finding =
	    finding_add(findings, "cgroups", "process_limit", "limits.processes",
			group || user ? FINDING_HERE : FINDING_MISSING);

	finding->helps = USER_SANDBOXES;
	if (group || user) {
		finding_value(finding, "%s",
			      group
				  ? "by a pids control group"
				  : "by a user namespace for each worker, and RLIMIT_NPROC in it");
		return;
	}
	finding_value(finding, "neither a pids control group nor a user namespace for each worker");
	finding_costs(finding, "strict policies with limits.processes are refused");
	finding_remedy(finding, DELEGATION ", or allow user namespaces");
}

static void judge_memory_limit(struct findings *findings, const struct probe_facts *facts) {
	bool v2 = !hidden(facts) && works(facts, TRIAL_CGROUP_MEMORY);
	bool v1 = !hidden(facts) && works(facts, TRIAL_CGROUP_V1_MEMORY);
	struct finding *finding = finding_add(findings, "cgroups", "memory_limit", "limits.memory",
					      v2 || v1 ? FINDING_HERE : FINDING_PARTLY);

	finding->helps = USER_SANDBOXES;
	if (v2 || v1) {
		finding_value(finding, "by a memory control group of version %d", v2 ? 2 : 1);
		return;
	}
	finding_value(finding, "by RLIMIT_DATA");
	finding_costs(finding, "memory is limited for each process of a worker, not for all "
			       "together; shared memory and files in tmpfs do not count");
	finding_remedy(finding, DELEGATION);
}

static void judge_kills(struct findings *findings, const struct probe_facts *facts) {
	bool here = works(facts, TRIAL_CGROUP_KILLS);
	struct finding *finding = finding_add(findings, "cgroups", "oom_kill", "killed for memory",
					      here ? FINDING_HERE : FINDING_MISSING);

	finding->helps = USER_ALL;
	if (here)
		return;
	finding_value(finding, "the counter oom_kill of our own group cannot be read");
	finding_costs(finding, "a worker that the kernel kills for memory is reported as "
			       "`signalled` by SIGKILL, not as `memory limit`");
	finding_remedy(finding, "run in a group with the memory controller: " DELEGATION);
}

void judge_cgroups(struct findings *findings, const struct probe_facts *facts) {
	judge_delegated(findings, facts);
	judge_controller(findings, facts, "memory", "its memory", TRIAL_CGROUP_MEMORY);
	judge_controller(findings, facts, "pids", "its pids", TRIAL_CGROUP_PIDS);
	judge_kill(findings, facts);
	judge_v1(findings, facts, "v1_memory", "version 1, memory", facts->cgroup_v1_memory,
		 TRIAL_CGROUP_V1_MEMORY);
	judge_v1(findings, facts, "v1_pids", "version 1, pids", facts->cgroup_v1_pids,
		 TRIAL_CGROUP_V1_PIDS);
	judge_process_limit(findings, facts);
	judge_memory_limit(findings, facts);
	judge_kills(findings, facts);
}
