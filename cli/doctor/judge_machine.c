/* SPDX-License-Identifier: MIT
 *
 * What every pool depends on: the machine, processes, memory, and the administrator's settings.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor/judge.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- the machine --------------------------------------------------------------------------- */

#define FLOOR_MAJOR 6
#define FLOOR_MINOR 1

static bool is_below_floor(const char *release) {
	unsigned major = 0, minor = 0;
	const char *at = release;

	for (; *at >= '0' && *at <= '9'; at++)
		major = major * 10 + (unsigned)(*at - '0');
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9'; at++)
			minor = minor * 10 + (unsigned)(*at - '0');
	return major < FLOOR_MAJOR || (major == FLOOR_MAJOR && minor < FLOOR_MINOR);
}

/* A version number refuses nothing: what an older kernel lacks is found missing by itself. */
static void judge_kernel(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "machine", "kernel", "kernel", FINDING_HERE);

	finding_value(finding, "%s %s, %s", facts->system, facts->release, facts->machine);
	finding->needs = USER_ALL;
	if (strcmp(facts->machine, "x86_64") != 0) {
		finding->state = FINDING_MISSING;
		finding_costs(finding, "warmfork is made for x86-64: system calls have other "
				       "numbers elsewhere");
		finding_remedy(finding, "a machine with an x86-64 processor");
	} else if (is_below_floor(facts->release)) {
		finding->state = FINDING_PARTLY;
		finding_costs(finding, "warmfork is not tested with kernels older than Linux %d.%d",
			      FLOOR_MAJOR, FLOOR_MINOR);
		finding_remedy(finding, "Linux %d.%d or later", FLOOR_MAJOR, FLOOR_MINOR);
	}
}

static void judge_surroundings(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding = finding_add(findings, "machine", "user", "user", FINDING_HERE);

	if (facts->uid == 0)
		finding_value(finding, "root");
	else
		finding_value(finding, "uid %u, an ordinary user", facts->uid);
	finding = finding_add(findings, "machine", "container", "container", FINDING_HERE);
	if (facts->container[0])
		finding_value(finding, "it looks like one (%s): settings may be the host's",
			      facts->container);
	else
		finding_value(finding, "none that can be seen");
	finding = finding_add(findings, "machine", "filtered", "seccomp around us", FINDING_HERE);
	finding_value(finding,
		      facts->filtered ? "yes: somebody else has installed a filter" : "no");
	finding = finding_add(findings, "machine", "cpus", "CPUs", FINDING_HERE);
	finding_value(finding, "%u", facts->cpus);
	finding = finding_add(findings, "machine", "memory", "memory", FINDING_HERE);
	finding_value(finding, "%" PRIu64 " MiB", facts->memory_bytes >> 20);
}

static void judge_library(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "machine", "helper", "helper program",
			facts->helper == PROBE_WORKS ? FINDING_HERE : FINDING_MISSING);

	finding->needs = USER_ALL;
	if (facts->helper == PROBE_WORKS) {
		finding_value(finding, "version %s, like the library", facts->version);
		return;
	}
	finding_value(finding, "%s", facts->helper_words);
	finding_costs(finding, "no pool can be opened");
	finding_remedy(finding,
		       "install warmfork as a whole, or set WARMFORK_HELPER to the path "
		       "of warmfork-zygote of version %s",
		       facts->version);
}

static void judge_absent(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding = finding_add(findings, "machine", "absent", "WF_ABSENT",
					      facts->absent[0] ? FINDING_PARTLY : FINDING_HERE);

	finding_value(finding, "%s", facts->absent[0] ? facts->absent : "not set");
	if (!facts->absent[0])
		return;
	finding_costs(finding, "this variable is for tests: the library does without these "
			       "features, although the kernel has them");
	finding_remedy(finding, "unset WF_ABSENT");
}

void judge_machine(struct findings *findings, const struct probe_facts *facts) {
	judge_kernel(findings, facts);
	judge_surroundings(findings, facts);
	judge_library(findings, facts);
	judge_absent(findings, facts);
}

/* --- processes ----------------------------------------------------------------------------- */

static const struct judge_rule processes[] = {
	{ TRIAL_PIDFD, "pidfd", "pidfds", USER_ALL, 0, NULL,
	  "no pool can be opened: workers are waited for and killed by pidfd, never by number",
	  "Linux 5.4 or later; in a container, a seccomp profile that allows pidfd_open and "
	  "pidfd_send_signal" },
	{ TRIAL_SUBREAPER, "subreaper", "subreapers", USER_ALL, 0, NULL,
	  "no pool can be opened: what tasks leave behind could not be found",
	  "Linux 3.4 or later" },
	{ TRIAL_PROC_SELF, "proc_self", "/proc/self", USER_ALL, 0, NULL,
	  "no pool can be opened: images are audited, and frozen, by what /proc says of them",
	  "mount -t proc proc /proc" },
	{ TRIAL_CLOSE_RANGE, "close_range", "close_range", USER_ALL, 0, NULL,
	  "no pool can be opened: workers could not close the descriptors that are not theirs",
	  "Linux 5.9 or later; in a container, a seccomp profile that allows close_range" },
	{ TRIAL_PROC_CHILDREN, "proc_children", "lists of children", USER_SANDBOXES, USER_PLAIN,
	  "proc_children",
	  "strict policies with the pid namespace are refused; elsewhere all of /proc is read to "
	  "find what a task has left behind",
	  "a kernel with CONFIG_PROC_CHILDREN=y" },
	{ TRIAL_PIDFD_INFO, "pidfd_info", "status when reaped", 0, USER_ALL, "pidfd_info",
	  "in programs that reap children which are not theirs, or ignore SIGCHLD, how a worker "
	  "ended may be lost",
	  "Linux 6.15 or later" },
};

void judge_processes(struct findings *findings, const struct probe_facts *facts) {
	judge_rules(findings, facts, "processes", processes, COUNT(processes));
}

/* --- memory -------------------------------------------------------------------------------- */

static const struct judge_rule memory[] = {
	{ TRIAL_MEMFD_SEALS, "seals", "sealed memfds", USER_ALL, 0, NULL,
	  "images cannot be frozen, and large inputs and results cannot be handed over",
	  "a kernel with CONFIG_MEMFD_CREATE=y and CONFIG_SHMEM=y" },
	{ TRIAL_MEMFD_NOEXEC, "noexec", "noexec memfds", 0, USER_ALL, "memfd_noexec",
	  "what is in a memfd could be executed", "Linux 6.3 or later" },
	{ TRIAL_COLLAPSE, "collapse", "collapsing", 0, USER_ALL, "collapse",
	  "frozen images stay in pages of 4 KiB: the first touches of a new worker take longer, "
	  "the more memory it uses",
	  "a kernel with CONFIG_TRANSPARENT_HUGEPAGE=y" },
	{ TRIAL_PAGEMAP_SCAN, "pagemap_scan", "PAGEMAP_SCAN", 0, USER_ALL, "pagemap_scan",
	  "a freeze takes longer: each page has to be looked at to find those that changed",
	  "Linux 6.7 or later" },
	{ TRIAL_SYSCALL_DISPATCH, "syscall_dispatch", "syscall dispatch", 0, USER_PLAIN,
	  "syscall_dispatch",
	  "a worker is put back after every task, also after those that made no system call",
	  "Linux 5.11 or later on x86-64" },
};

#define HUGE_SETTING "/sys/kernel/mm/transparent_hugepage/"

static void judge_huge(struct findings *findings, const char *key, const char *label,
		       const char *word, const char *off, const char *costs, const char *remedy) {
	bool is_off = !word[0] || strcmp(word, off) == 0;
	struct finding *finding =
	    finding_add(findings, "memory", key, label, is_off ? FINDING_MISSING : FINDING_HERE);

	finding->helps = USER_ALL;
	finding_value(finding, "%s", word[0] ? word : "not in this kernel");
	if (!is_off)
		return;
	finding_costs(finding, "%s", costs);
	finding_remedy(finding, "%s", remedy);
}

static void judge_overcommit(struct findings *findings, const struct probe_facts *facts) {
	static const char *const words[] = { "guessed", "always", "strict" };
	struct finding *finding =
	    finding_add(findings, "memory", "overcommit", "overcommit",
			facts->overcommit == PROBE_NO_NUMBER ? FINDING_UNKNOWN : FINDING_HERE);

	if (facts->overcommit == PROBE_NO_NUMBER) {
		finding_value(finding, "/proc/sys/vm/overcommit_memory cannot be read");
		return;
	}
	finding_value(finding, "%" PRId64 " (%s)", facts->overcommit,
		      facts->overcommit >= 0 && facts->overcommit < 3 ? words[facts->overcommit]
								      : "unknown");
	if (facts->overcommit != 2)
		return;
	finding->state = FINDING_PARTLY;
	finding->helps = USER_ALL;
	finding_costs(finding, "every worker is counted as if it wrote to the whole image, so a "
			       "large pool may be refused memory although there is enough");
	finding_remedy(finding, "sysctl vm.overcommit_memory=0");
}

void judge_memory(struct findings *findings, const struct probe_facts *facts) {
	size_t first = findings->n;

	judge_rules(findings, facts, "memory", memory, COUNT(memory));
	for (size_t i = first; i < findings->n; i++)
		if (memory[i - first].trial == TRIAL_COLLAPSE &&
		    findings->list[i].state == FINDING_MISSING &&
		    strcmp(facts->huge_shared, "deny") == 0)
			finding_remedy(&findings->list[i],
				       "echo never > " HUGE_SETTING "shmem_enabled");
	judge_huge(findings, "huge_pages", "huge pages", facts->huge_pages, "never",
		   "an image that asks for huge pages does not get them: where it is not frozen, a "
		   "fork of it takes up to 30 times as long",
		   "echo madvise > " HUGE_SETTING "enabled");
	judge_huge(findings, "huge_shared", "huge shared pages", facts->huge_shared, "deny",
		   "frozen images stay in pages of 4 KiB",
		   "echo never > " HUGE_SETTING
		   "shmem_enabled (with never, programs that ask for huge pages get them; with "
		   "deny they do not)");
	judge_overcommit(findings, facts);
}

/* --- settings ------------------------------------------------------------------------------ */

#define FEW_DESCRIPTORS 1024
#define FEW_PROCESSES   256

static void judge_yama(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "settings", "ptrace_scope", "Yama", FINDING_HERE);

	if (facts->yama == PROBE_NO_NUMBER)
		finding_value(finding, "not in this kernel");
	else
		finding_value(finding, "ptrace_scope %" PRId64, facts->yama);
	if (facts->yama <= 0 || facts->uid == 0)
		return;
	finding->state = FINDING_PARTLY;
	finding_costs(finding, "a debugger cannot attach to a worker that was left stopped for it");
	finding_remedy(finding, "run it as root, or, while it is needed, sysctl "
				"kernel.yama.ptrace_scope=0");
}

static void judge_terminal(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "settings", "legacy_tiocsti", "TIOCSTI", FINDING_HERE);

	if (facts->tiocsti == 0) {
		finding_value(finding, "refused by the kernel");
		return;
	}
	finding->state = FINDING_PARTLY;
	finding_value(finding, "allowed by the kernel");
	finding_costs(finding, "a task without a policy that has your terminal can type into it");
	finding_remedy(finding, facts->tiocsti == PROBE_NO_NUMBER
				    ? "Linux 6.2 or later, and sysctl dev.tty.legacy_tiocsti=0"
				    : "sysctl dev.tty.legacy_tiocsti=0");
}

static void judge_descriptors(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "settings", "descriptors", "open descriptors", FINDING_HERE);

	if (facts->descriptors == UINT64_MAX)
		finding_value(finding, "without limit");
	else
		finding_value(finding, "%" PRIu64 ", at most %" PRIu64, facts->descriptors,
			      facts->descriptors_most);
	if (facts->descriptors >= FEW_DESCRIPTORS)
		return;
	finding->state = FINDING_PARTLY;
	finding->helps = USER_ALL;
	finding_costs(finding, "large pools cannot be opened: each worker takes some "
			       "descriptors of the program that has the pool");
	finding_remedy(finding,
		       facts->descriptors_most >= FEW_DESCRIPTORS
			   ? "ulimit -n %d"
			   : "`* hard nofile %d` in /etc/security/limits.conf, or "
			     "LimitNOFILE= of the service",
		       FEW_DESCRIPTORS * 4);
}

static void judge_count(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "settings", "processes", "processes", FINDING_HERE);

	if (facts->processes == UINT64_MAX)
		finding_value(finding, "without limit");
	else
		finding_value(finding, "%" PRIu64 " of the same user", facts->processes);
	if (facts->processes < FEW_PROCESSES && facts->uid != 0) {
		finding->state = FINDING_PARTLY;
		finding->helps = USER_ALL;
		finding_costs(finding, "some workers may not be forked: they share this number "
				       "with all other processes of the user");
		finding_remedy(finding, "ulimit -u 4096, or nproc in /etc/security/limits.conf");
	}
	finding = finding_add(findings, "settings", "pid_max", "process numbers", FINDING_HERE);
	if (facts->pid_max == PROBE_NO_NUMBER)
		finding_value(finding, "/proc/sys/kernel/pid_max cannot be read");
	else
		finding_value(finding, "%" PRId64 " on the machine", facts->pid_max);
	if (facts->pid_max == PROBE_NO_NUMBER)
		finding->state = FINDING_UNKNOWN;
}

/* A core that is piped is written whatever the limit of its size. */
static void judge_core(struct findings *findings, const struct probe_facts *facts) {
	struct finding *finding =
	    finding_add(findings, "settings", "core_pattern", "cores of crashes", FINDING_HERE);

	finding_value(finding, "%s", facts->core_pattern[0] ? facts->core_pattern : "none");
	if (facts->core_pattern[0] != '|')
		return;
	finding->state = FINDING_PARTLY;
	finding_costs(finding, "the outcome of a crash comes only when that program has read "
			       "the core, which contains the image");
	finding_remedy(finding,
		       "start the program that has the pool with prlimit --core=1 PROGRAM; or "
		       "sysctl kernel.core_pattern=core");
}

void judge_settings(struct findings *findings, const struct probe_facts *facts) {
	judge_descriptors(findings, facts);
	judge_count(findings, facts);
	judge_core(findings, facts);
	judge_yama(findings, facts);
	judge_terminal(findings, facts);
}
