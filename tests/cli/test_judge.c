/* SPDX-License-Identifier: MIT
 *
 * From facts to findings to a verdict, on machines that we do not have.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor/judge.h"
#include "cli/doctor/verdict.h"
#include "tests/support/fixture.h"

/* A machine on which everything works, seen by an ordinary user. */
static struct probe_facts whole(void) {
	return (struct probe_facts){
		.landlock_abi = 7,
		.system = "Linux",
		.release = "6.18.2-debian",
		.machine = "x86_64",
		.uid = 1000,
		.cpus = 8,
		.memory_bytes = (uint64_t)16 << 30,
		.userns_clone = PROBE_NO_NUMBER,
		.userns_apparmor = PROBE_NO_NUMBER,
		.yama = 0,
		.tiocsti = 0,
		.pid_max = 4194304,
		.descriptors = 1024,
		.descriptors_most = 524288,
		.processes = 60000,
		.huge_pages = "madvise",
		.huge_shared = "never",
		.core_pattern = "core",
		.cgroup = "/sys/fs/cgroup/user.slice/run-1.scope",
		.cgroup_controllers = "cpu memory pids",
		.version = "0.1.0",
	};
}

static struct findings judged(const struct probe_facts *facts) {
	struct findings findings;

	judge(facts, &findings);
	ck_assert_uint_lt(findings.n, FINDINGS_MAX);
	return findings;
}

static const struct finding *found(const struct findings *findings, const char *section,
				   const char *key) {
	const struct finding *finding = finding_of(findings, section, key);

	ck_assert_msg(finding != NULL, "no finding %s.%s", section, key);
	return finding;
}

#define expect_state(findings, section, key, expected)                                             \
	ck_assert_str_eq(finding_state_name(found(findings, section, key)->state),                 \
			 finding_state_name(expected))

#define expect_says(text, part)                                                                    \
	ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in: %s", part, text)

#define expect_verdict(findings, user, expected)                                                   \
	ck_assert_str_eq(verdict_name(verdict_for(findings, user).kind), verdict_name(expected))

static bool lacks(const struct findings *findings, enum finding_user user, const char *section,
		  const char *key) {
	const struct verdict verdict = verdict_for(findings, user);

	for (size_t i = 0; i < verdict.n_lacks; i++)
		if (verdict.lacks[i] == found(findings, section, key))
			return true;
	return false;
}

START_TEST(test_whole) {
	const struct probe_facts facts = whole();
	const struct findings findings = judged(&facts);

	for (size_t i = 0; i < findings.n; i++) {
		ck_assert_msg(findings.list[i].state == FINDING_HERE, "%s.%s: %s",
			      findings.list[i].section, findings.list[i].key,
			      findings.list[i].value);
		ck_assert_str_eq(findings.list[i].costs, "");
		ck_assert_str_eq(findings.list[i].remedy, "");
	}
	expect_verdict(&findings, USER_PLAIN, VERDICT_WORKS);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_WORKS);
	expect_verdict(&findings, USER_TESTS, VERDICT_WORKS);
	ck_assert_str_eq(found(&findings, "landlock", "files")->value, "ABI 7");
}
END_TEST

/* Every key once, and each section in one piece: both forms of the report rely on it. */
START_TEST(test_keys) {
	const struct probe_facts facts = whole();
	const struct findings findings = judged(&facts);

	for (size_t i = 0; i < findings.n; i++) {
		const struct finding *one = &findings.list[i];

		ck_assert_ptr_eq(finding_of(&findings, one->section, one->key), one);
		ck_assert_uint_le(strlen(one->label), 18);
		for (size_t j = i + 2; j < findings.n; j++)
			if (strcmp(findings.list[j].section, one->section) == 0)
				ck_assert_str_eq(findings.list[j - 1].section, one->section);
	}
}
END_TEST

/* Whatever fails: it is said why, and if a verdict rests on it, what it costs and how to get it. */
START_TEST(test_every_trial_that_fails) {
	static const int errors[] = { EPERM, ENOSYS, EINVAL, ENOSPC, EBUSY, EOPNOTSUPP };

	for (size_t i = 0; i < N_TRIALS * (sizeof errors / sizeof errors[0]); i++) {
		struct probe_facts facts = whole();
		struct findings findings;

		facts.trials[i % N_TRIALS] = errors[i / N_TRIALS];
		findings = judged(&facts);
		for (size_t j = 0; j < findings.n; j++) {
			const struct finding *one = &findings.list[j];

			if (one->state == FINDING_HERE)
				continue;
			ck_assert_str_ne(one->value, "");
			ck_assert_msg(!(one->needs | one->helps) ||
					  (one->costs[0] && one->remedy[0]) ||
					  strcmp(one->section, "landlock") == 0,
				      "%s.%s, %s: what to do?", one->section, one->key, one->value);
		}
	}
}
END_TEST

START_TEST(test_no_landlock) {
	struct probe_facts facts = whole();
	struct findings findings;

	for (int i = TRIAL_LANDLOCK; i <= TRIAL_LANDLOCK_AUDIT; i++)
		facts.trials[i] = EOPNOTSUPP;
	findings = judged(&facts);
	expect_state(&findings, "landlock", "files", FINDING_MISSING);
	expect_says(found(&findings, "landlock", "files")->remedy, "lsm=landlock");
	expect_verdict(&findings, USER_PLAIN, VERDICT_WORKS);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_REFUSED);
	ck_assert(lacks(&findings, USER_SANDBOX, "landlock", "files"));
	facts.trials[TRIAL_LANDLOCK] = ENOSYS;
	findings = judged(&facts);
	expect_says(found(&findings, "landlock", "files")->remedy, "CONFIG_SECURITY_LANDLOCK");
}
END_TEST

/* The oldest kernel that we promise to run on. */
START_TEST(test_the_floor) {
	struct probe_facts facts = whole();
	struct findings findings;

	(void)snprintf(facts.release, sizeof facts.release, "6.1.0-18-amd64");
	facts.landlock_abi = 2;
	for (int i = TRIAL_LANDLOCK_TRUNCATE; i <= TRIAL_LANDLOCK_AUDIT; i++)
		facts.trials[i] = EINVAL;
	facts.trials[TRIAL_PIDFD_INFO] = facts.trials[TRIAL_PAGEMAP_SCAN] = ENOTTY;
	facts.trials[TRIAL_MEMFD_NOEXEC] = EINVAL;
	findings = judged(&facts);
	expect_state(&findings, "machine", "kernel", FINDING_HERE);
	expect_verdict(&findings, USER_PLAIN, VERDICT_LESS);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_LESS);
	ck_assert(lacks(&findings, USER_SANDBOX, "landlock", "scopes"));
	ck_assert(!lacks(&findings, USER_SANDBOX, "landlock", "refer"));
}
END_TEST

START_TEST(test_other_kernels) {
	struct probe_facts facts = whole();
	struct findings findings;

	(void)snprintf(facts.release, sizeof facts.release, "5.15.0");
	findings = judged(&facts);
	expect_state(&findings, "machine", "kernel", FINDING_PARTLY);
	expect_verdict(&findings, USER_PLAIN, VERDICT_WORKS);
	(void)snprintf(facts.release, sizeof facts.release, "10.0");
	(void)snprintf(facts.machine, sizeof facts.machine, "aarch64");
	findings = judged(&facts);
	expect_verdict(&findings, USER_PLAIN, VERDICT_REFUSED);
}
END_TEST

static struct findings without_namespaces(struct probe_facts *facts, int first, int others) {
	for (int i = TRIAL_USER_NAMESPACE; i <= TRIAL_LOOPBACK; i++)
		facts->trials[i] = i <= TRIAL_USER_MAP ? first : others;
	return judged(facts);
}

START_TEST(test_what_refuses_namespaces) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.userns_clone = 0;
	findings = without_namespaces(&facts, EPERM, EPERM);
	expect_says(found(&findings, "namespaces", "user")->remedy,
		    "sysctl kernel.unprivileged_userns_clone=1");
	ck_assert_str_eq(found(&findings, "namespaces", "net")->remedy, "as for user namespaces");
	ck_assert(lacks(&findings, USER_SANDBOX, "namespaces", "user"));
	facts.userns_clone = 1;
	facts.filtered = true;
	findings = without_namespaces(&facts, EPERM, EPERM);
	expect_says(found(&findings, "namespaces", "user")->remedy, "seccomp");
	facts.filtered = false;
	findings = without_namespaces(&facts, EPERM, EPERM);
	expect_says(found(&findings, "namespaces", "user")->remedy, "chroot");
	findings = without_namespaces(&facts, ENOSPC, EPERM);
	expect_says(found(&findings, "namespaces", "user")->remedy, "user.max_user_namespaces");
	ck_assert_str_eq(found(&findings, "namespaces", "net")->remedy, "as for user namespaces");
}
END_TEST

/* A user namespace can be made, but gives no privileges. */
START_TEST(test_apparmor) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.userns_apparmor = 1;
	facts.trials[TRIAL_USER_MAP] = EACCES;
	facts.trials[TRIAL_MOUNT_NAMESPACE] = EPERM;
	findings = judged(&facts);
	expect_state(&findings, "namespaces", "user", FINDING_HERE);
	expect_says(found(&findings, "namespaces", "user_map")->remedy,
		    "kernel.apparmor_restrict_unprivileged_userns=0");
	expect_says(found(&findings, "namespaces", "mount")->remedy,
		    "kernel.apparmor_restrict_unprivileged_userns=0");
}
END_TEST

/* These settings are for others; root's trouble is another. */
START_TEST(test_root_without_namespaces) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.uid = 0;
	facts.userns_clone = 0;
	facts.filtered = true;
	findings = without_namespaces(&facts, EPERM, PROBE_WORKS);
	expect_says(found(&findings, "namespaces", "user")->remedy, "seccomp");
	expect_state(&findings, "namespaces", "mount", FINDING_HERE);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_REFUSED);
}
END_TEST

START_TEST(test_only_the_preset_tests) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.trials[TRIAL_LOOPBACK] = EPERM;
	findings = judged(&facts);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_WORKS);
	expect_verdict(&findings, USER_TESTS, VERDICT_REFUSED);
	facts.trials[TRIAL_LOOPBACK] = PROBE_WORKS;
	facts.trials[TRIAL_PROC] = EPERM;
	findings = judged(&facts);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_LESS);
	expect_says(found(&findings, "namespaces", "proc")->remedy, "containers");
}
END_TEST

START_TEST(test_a_second_listener) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.trials[TRIAL_LISTENER] = EBUSY;
	findings = judged(&facts);
	ck_assert(lacks(&findings, USER_SANDBOX, "seccomp", "listener"));
	expect_says(found(&findings, "seccomp", "listener")->remedy, "outside");
}
END_TEST

static struct findings without_groups(struct probe_facts *facts, int error) {
	for (int i = TRIAL_CGROUP_MAKE; i <= TRIAL_CGROUP_V1_PIDS; i++)
		facts->trials[i] = error;
	return judged(facts);
}

START_TEST(test_limits) {
	struct probe_facts facts = whole();
	struct findings findings = without_groups(&facts, EACCES);

	expect_says(found(&findings, "cgroups", "v2")->remedy, "Delegate=yes");
	expect_says(found(&findings, "cgroups", "process_limit")->value, "user namespace");
	expect_state(&findings, "cgroups", "memory_limit", FINDING_PARTLY);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_LESS);
	facts.trials[TRIAL_USER_MAP] = EPERM;
	findings = judged(&facts);
	expect_state(&findings, "cgroups", "process_limit", FINDING_MISSING);
	expect_says(found(&findings, "cgroups", "process_limit")->costs, "refused");
	facts.trials[TRIAL_CGROUP_V1_PIDS] = facts.trials[TRIAL_CGROUP_V1_MEMORY] = PROBE_WORKS;
	findings = judged(&facts);
	expect_says(found(&findings, "cgroups", "process_limit")->value, "pids control group");
	expect_says(found(&findings, "cgroups", "memory_limit")->value, "version 1");
}
END_TEST

START_TEST(test_a_controller_that_is_not_handed_on) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.trials[TRIAL_CGROUP_MEMORY] = ENOENT;
	findings = judged(&facts);
	expect_state(&findings, "cgroups", "memory", FINDING_PARTLY);
	expect_says(found(&findings, "cgroups", "memory")->remedy, "cgroup.subtree_control");
	(void)snprintf(facts.cgroup_controllers, sizeof facts.cgroup_controllers, "cpu pids");
	findings = judged(&facts);
	expect_state(&findings, "cgroups", "memory", FINDING_MISSING);
}
END_TEST

START_TEST(test_hidden) {
	struct probe_facts facts = whole();
	struct findings findings;

	(void)snprintf(facts.absent, sizeof facts.absent, "linux-6.1,landlock,userns,cgroup,x");
	findings = judged(&facts);
	expect_state(&findings, "machine", "absent", FINDING_PARTLY);
	expect_state(&findings, "memory", "pagemap_scan", FINDING_HIDDEN);
	expect_state(&findings, "memory", "collapse", FINDING_HERE);
	expect_state(&findings, "landlock", "files", FINDING_HIDDEN);
	expect_state(&findings, "cgroups", "v2", FINDING_HIDDEN);
	expect_state(&findings, "cgroups", "process_limit", FINDING_MISSING);
	ck_assert(lacks(&findings, USER_SANDBOX, "namespaces", "user"));
	expect_verdict(&findings, USER_PLAIN, VERDICT_LESS);
	expect_state(&findings, "namespaces", "pid", FINDING_HIDDEN);
	/* root needs no user namespace for the others */
	facts.uid = 0;
	findings = judged(&facts);
	expect_state(&findings, "namespaces", "user", FINDING_HIDDEN);
	expect_state(&findings, "namespaces", "pid", FINDING_HERE);
	/* older versions of Landlock */
	(void)snprintf(facts.absent, sizeof facts.absent, "landlock:2");
	findings = judged(&facts);
	expect_state(&findings, "landlock", "refer", FINDING_HERE);
	expect_state(&findings, "landlock", "truncate", FINDING_HIDDEN);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_LESS);
	/* a part of a name is not that name */
	(void)snprintf(facts.absent, sizeof facts.absent, "collapsed,coll,");
	findings = judged(&facts);
	expect_state(&findings, "memory", "collapse", FINDING_HERE);
}
END_TEST

START_TEST(test_huge_pages) {
	struct probe_facts facts = whole();
	struct findings findings;

	(void)snprintf(facts.huge_pages, sizeof facts.huge_pages, "never");
	(void)snprintf(facts.huge_shared, sizeof facts.huge_shared, "deny");
	facts.trials[TRIAL_COLLAPSE] = EINVAL;
	findings = judged(&facts);
	ck_assert_str_eq(found(&findings, "memory", "huge_pages")->remedy,
			 "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
	expect_says(found(&findings, "memory", "collapse")->remedy, "shmem_enabled");
	expect_verdict(&findings, USER_PLAIN, VERDICT_LESS);
}
END_TEST

START_TEST(test_settings) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.yama = 1;
	facts.tiocsti = PROBE_NO_NUMBER;
	facts.descriptors = 256;
	facts.overcommit = 2;
	(void)snprintf(facts.core_pattern, sizeof facts.core_pattern,
		       "|/usr/bin/collect %%p\x1b[0m");
	findings = judged(&facts);
	expect_says(found(&findings, "settings", "ptrace_scope")->remedy, "kernel.yama");
	expect_says(found(&findings, "settings", "legacy_tiocsti")->remedy, "Linux 6.2");
	expect_says(found(&findings, "settings", "descriptors")->remedy, "ulimit -n 4096");
	expect_says(found(&findings, "memory", "overcommit")->remedy, "vm.overcommit_memory=0");
	ck_assert_str_eq(found(&findings, "settings", "core_pattern")->value,
			 "|/usr/bin/collect %p?[0m");
	expect_verdict(&findings, USER_PLAIN, VERDICT_LESS);
}
END_TEST

/* What could not be found out is no reason to refuse. */
START_TEST(test_untried) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.trials[TRIAL_CONTINUE] = facts.trials[TRIAL_COLLAPSE] = PROBE_UNTRIED;
	findings = judged(&facts);
	expect_state(&findings, "seccomp", "continue", FINDING_UNKNOWN);
	expect_verdict(&findings, USER_SANDBOX, VERDICT_WORKS);
}
END_TEST

START_TEST(test_no_helper) {
	struct probe_facts facts = whole();
	struct findings findings;

	facts.helper = EIO;
	(void)snprintf(facts.helper_words, sizeof facts.helper_words, "it cannot be started");
	findings = judged(&facts);
	ck_assert_str_eq(found(&findings, "machine", "helper")->value, "it cannot be started");
	expect_verdict(&findings, USER_PLAIN, VERDICT_REFUSED);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("machines");

	tcase_add_test(test_case, test_whole);
	tcase_add_test(test_case, test_keys);
	tcase_add_test(test_case, test_every_trial_that_fails);
	tcase_add_test(test_case, test_no_landlock);
	tcase_add_test(test_case, test_the_floor);
	tcase_add_test(test_case, test_other_kernels);
	tcase_add_test(test_case, test_what_refuses_namespaces);
	tcase_add_test(test_case, test_apparmor);
	tcase_add_test(test_case, test_root_without_namespaces);
	tcase_add_test(test_case, test_only_the_preset_tests);
	tcase_add_test(test_case, test_a_second_listener);
	tcase_add_test(test_case, test_limits);
	tcase_add_test(test_case, test_a_controller_that_is_not_handed_on);
	tcase_add_test(test_case, test_hidden);
	tcase_add_test(test_case, test_huge_pages);
	tcase_add_test(test_case, test_settings);
	tcase_add_test(test_case, test_untried);
	tcase_add_test(test_case, test_no_helper);
	return fixture_run("judge", test_case);
}
