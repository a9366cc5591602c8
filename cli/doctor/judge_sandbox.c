/* SPDX-License-Identifier: MIT
 *
 * What sandboxes are built from: Landlock, namespaces, seccomp.
 */
#include <errno.h>
#include <string.h>

#include "cli/doctor/judge.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- Landlock ------------------------------------------------------------------------------ */

static const struct judge_rule landlock[] = {
	{ TRIAL_LANDLOCK, "files", "Landlock", USER_SANDBOXES, 0, "landlock",
	  "strict policies are refused: the layer landlock keeps a worker to the files that are "
	  "declared",
	  "a kernel with CONFIG_SECURITY_LANDLOCK=y" },
	{ TRIAL_LANDLOCK_REFER, "refer", "renames (2)", 0, USER_SANDBOXES, "landlock",
	  "files cannot be renamed or linked from one declared directory to another",
	  "Linux 5.19 or later" },
	{ TRIAL_LANDLOCK_TRUNCATE, "truncate", "truncation (3)", 0, USER_SANDBOXES, "landlock:2",
	  "Landlock does not keep a worker from truncating a file that it may only read",
	  "Linux 6.2 or later" },
	{ TRIAL_LANDLOCK_TCP, "tcp", "TCP ports (4)", 0, USER_SANDBOXES, "landlock:2",
	  "tcp_connect and tcp_bind cannot be kept to the ports that a policy lists",
	  "Linux 6.7 or later, with CONFIG_INET=y" },
	{ TRIAL_LANDLOCK_IOCTL, "ioctl", "ioctl (5)", 0, USER_SANDBOXES, "landlock:2",
	  "Landlock does not tell devices that may be controlled from those that may only be "
	  "opened",
	  "Linux 6.10 or later" },
	{ TRIAL_LANDLOCK_SCOPES, "scopes", "scopes (6)", 0, USER_SANDBOXES, "landlock:2",
	  "signals to other processes, and abstract Unix sockets, are kept off by namespaces and "
	  "seccomp alone",
	  "Linux 6.12 or later" },
	{ TRIAL_LANDLOCK_AUDIT, "audit", "audit (7)", 0, USER_SANDBOXES, "landlock:2",
	  "the audit log of the machine, where there is one, cannot be spared the refusals of "
	  "programs that a worker executes",
	  "Linux 6.15 or later" },
};

static const char *landlock_remedy(int error) {
	if (error == EOPNOTSUPP)
		return "it is off at boot: add landlock to lsm= on the kernel's command line, "
		       "before the modules that are listed there (lsm=landlock,...)";
	if (error == EPERM)
		return "a seccomp filter around us refuses it: let the container's profile allow "
		       "landlock_create_ruleset, landlock_add_rule, landlock_restrict_self";
	return "a kernel with CONFIG_SECURITY_LANDLOCK=y";
}

/* If there is no Landlock at all, its levels need no sentence each. */
void judge_landlock(struct findings *findings, const struct probe_facts *facts) {
	size_t first = findings->n;
	struct finding *whole;

	judge_rules(findings, facts, "landlock", landlock, COUNT(landlock));
	whole = &findings->list[first];
	if (whole->state == FINDING_HERE)
		finding_value(whole, "ABI %d", facts->landlock_abi);
	if (whole->state == FINDING_MISSING)
		finding_remedy(whole, "%s", landlock_remedy(facts->trials[TRIAL_LANDLOCK]));
	for (size_t i = first + 1; i < findings->n && whole->state != FINDING_HERE; i++) {
		findings->list[i].state = whole->state;
		finding_value(&findings->list[i], "there is no Landlock");
		finding_costs(&findings->list[i], "%s", "");
		finding_remedy(&findings->list[i], "%s", "");
	}
}

/* --- namespaces ---------------------------------------------------------------------------- */

static const struct judge_rule user_namespaces[] = {
	{ TRIAL_USER_NAMESPACE, "user", "user namespaces", USER_SANDBOXES, 0, "userns",
	  "strict policies are refused: ordinary users need one for every other namespace, and "
	  "for limits.processes unless there is a pids control group; to do without, name the "
	  "others under `namespaces` in the policy",
	  "" },
	{ TRIAL_USER_MAP, "user_map", "identities in them", USER_SANDBOXES, 0, "userns",
	  "strict policies are refused: files that a worker writes would belong to the user "
	  "nobody",
	  "" },
};

static const struct judge_rule namespaces[] = {
	{ TRIAL_MOUNT_NAMESPACE, "mount", "mount namespaces", USER_SANDBOXES, 0, "mount_view",
	  "strict policies are refused: files outside of the declared writes could be changed by "
	  "calls that Landlock does not see (chmod, utime, setxattr)",
	  "" },
	{ TRIAL_PID_NAMESPACE, "pid", "pid namespaces", USER_SANDBOXES, 0, NULL,
	  "strict policies are refused: workers would see, and could name, other processes", "" },
	{ TRIAL_NET_NAMESPACE, "net", "net namespaces", USER_SANDBOXES, 0, NULL,
	  "strict policies are refused: seccomp alone would keep workers off the network", "" },
	{ TRIAL_IPC_NAMESPACE, "ipc", "ipc namespaces", USER_SANDBOXES, 0, NULL,
	  "strict policies are refused: System V IPC and message queues would be shared", "" },
	{ TRIAL_UTS_NAMESPACE, "uts", "uts namespaces", USER_SANDBOXES, 0, NULL,
	  "strict policies are refused: a worker would share the host name of the machine", "" },
	{ TRIAL_VIEW, "view", "a read-only view", USER_SANDBOXES, 0, "mount_view",
	  "strict policies with the mount namespace are refused: the tree cannot be copied "
	  "(open_tree), made read-only (mount_setattr) and put in place (move_mount)",
	  "" },
	{ TRIAL_TMPFS, "tmpfs", "tmpfs", USER_TESTS, USER_SANDBOXES, NULL,
	  "a worker has no /tmp of its own: `tests` and limits.scratch are refused",
	  "a kernel with CONFIG_TMPFS=y" },
	{ TRIAL_PROC, "proc", "a new /proc", 0, USER_SANDBOXES, NULL,
	  "workers in a pid namespace cannot be shown a /proc of their own processes",
	  "run where all of /proc is visible (containers mask parts of it): podman run "
	  "--security-opt unmask=ALL, docker run --security-opt systempaths=unconfined" },
	{ TRIAL_LOOPBACK, "loopback", "own loopback", USER_TESTS, 0, NULL,
	  "`tests` is refused: its workers may talk to each other over 127.0.0.1 in a network of "
	  "their own",
	  "" },
};

/* The settings that make the kernel refuse ordinary users, one by one; "" if none does. */
static const char *refusing_setting(const struct probe_facts *facts) {
	if (facts->userns_clone == 0)
		return "sysctl kernel.unprivileged_userns_clone=1";
	if (facts->userns_apparmor > 0)
		return "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor "
		       "profile with `userns,` for the program";
	return "";
}

static const char *refusal_remedy(const struct probe_facts *facts) {
	const char *setting = facts->uid != 0 ? refusing_setting(facts) : "";

	if (setting[0])
		return setting;
	if (facts->filtered)
		return "a seccomp filter around us refuses it, as those of containers do: podman "
		       "or docker run --security-opt seccomp=unconfined, or a profile that allows "
		       "clone, unshare and mount";
	return "a security module refuses it, or we are in a chroot, where no user namespace "
	       "can be made: run outside of it";
}

static const char *namespace_remedy(const struct probe_facts *facts, int error) {
	switch (error) {
	case ENOSPC:
	case EUSERS:
		return "sysctl user.max_user_namespaces=10000 (and see the other "
		       "user.max_*_namespaces)";
	case EPERM:
	case EACCES:
		return refusal_remedy(facts);
	case EINVAL:
	case ENOSYS:
		return "a kernel with CONFIG_NAMESPACES=y, and USER_NS, PID_NS, NET_NS, IPC_NS, "
		       "UTS_NS";
	case ENOENT:
		return "mount -t proc proc /proc";
	default:
		return "the kernel's log may say why: dmesg";
	}
}

/* What is reached through a user namespace is not available without one. */
static void hide(struct findings *findings, size_t first) {
	for (size_t i = first; i < findings->n; i++) {
		findings->list[i].state = FINDING_HIDDEN;
		finding_value(&findings->list[i], "it takes a user namespace");
		finding_costs(&findings->list[i], "%s", namespaces[i - first].costs);
		finding_remedy(&findings->list[i], "unset WF_ABSENT");
	}
}

/* For ordinary users, the cause that bars a user namespace bars the others too, perhaps with
 * another errno. */
static bool follows_from_first(const struct probe_facts *facts, int error) {
	int first = facts->trials[TRIAL_USER_NAMESPACE];

	return first != PROBE_WORKS && (facts->uid != 0 || error == first);
}

void judge_namespaces(struct findings *findings, const struct probe_facts *facts) {
	size_t first = findings->n;

	judge_rules(findings, facts, "namespaces", user_namespaces, COUNT(user_namespaces));
	judge_rules(findings, facts, "namespaces", namespaces, COUNT(namespaces));
	if (findings->list[first].state == FINDING_HIDDEN && facts->uid != 0)
		hide(findings, first + COUNT(user_namespaces));
	for (size_t i = first; i < findings->n; i++) {
		size_t rule = i - first;
		struct finding *finding = &findings->list[i];
		int error = facts->trials[rule < COUNT(user_namespaces)
					      ? user_namespaces[rule].trial
					      : namespaces[rule - COUNT(user_namespaces)].trial];

		if (finding->state != FINDING_MISSING)
			continue;
		if (i > first && follows_from_first(facts, error))
			finding_remedy(finding, "as for user namespaces");
		else if (!finding->remedy[0] || error == ENOSPC)
			finding_remedy(finding, "%s", namespace_remedy(facts, error));
	}
}

/* --- seccomp ------------------------------------------------------------------------------- */

#define SECCOMP_KERNEL "a kernel with CONFIG_SECCOMP_FILTER=y"

static const struct judge_rule seccomp[] = {
	{ TRIAL_FILTER, "filter", "filters", USER_SANDBOXES, 0, "seccomp",
	  "strict policies are refused: system calls cannot be kept to those of the policy",
	  SECCOMP_KERNEL },
	{ TRIAL_ACTION_ERRNO, "errno", "refusing calls", USER_SANDBOXES, 0, "seccomp",
	  "strict policies are refused: a call cannot be answered with an error", SECCOMP_KERNEL },
	{ TRIAL_ACTION_KILL, "kill", "killing for calls", USER_SANDBOXES, 0, "seccomp",
	  "strict policies are refused: calls of foreign ABIs could not end the process",
	  "Linux 4.14 or later" },
	{ TRIAL_ACTION_LOG, "log", "logging calls", 0, USER_SANDBOXES, "seccomp",
	  "refusals cannot be found in the audit log", "Linux 4.14 or later" },
	{ TRIAL_ACTION_NOTIFY, "notify", "notification", USER_SANDBOXES, 0, "seccomp",
	  "strict policies that report refusals are refused (`report: none` needs none)",
	  "Linux 5.0 or later" },
	{ TRIAL_LISTENER, "listener", "a listener", USER_SANDBOXES, 0, "seccomp",
	  "strict policies that report refusals are refused (`report: none` needs none)", "" },
	{ TRIAL_CONTINUE, "continue", "letting calls pass", USER_SANDBOXES, 0, "seccomp",
	  "strict policies with `report: paths` and --learn are refused: the listener cannot "
	  "let a call pass that it has seen",
	  "Linux 5.5 or later" },
	{ TRIAL_WAIT_KILLABLE, "wait_killable", "waiting killably", 0, USER_SANDBOXES, "seccomp",
	  "signals that a program handles may interrupt a call that is being reported, which is "
	  "then reported twice",
	  "Linux 5.19 or later" },
};

/* A process has at most one listener, among all filters that apply to it. */
void judge_seccomp(struct findings *findings, const struct probe_facts *facts) {
	size_t first = findings->n;

	judge_rules(findings, facts, "seccomp", seccomp, COUNT(seccomp));
	for (size_t i = first; i < findings->n; i++) {
		struct finding *finding = &findings->list[i];

		if (finding->state == FINDING_MISSING &&
		    facts->trials[seccomp[i - first].trial] == EBUSY)
			finding_remedy(finding, "whatever contains us already has a listener, "
						"and there can be only one: run outside of it");
		else if (finding->state == FINDING_MISSING && !finding->remedy[0])
			finding_remedy(finding, "Linux 5.0 or later");
	}
}
