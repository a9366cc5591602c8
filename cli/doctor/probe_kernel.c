/* SPDX-License-Identifier: MIT
 *
 * Facts that need no trial: names, settings of the administrator, and limits.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

static int64_t setting(const char *path) {
	char text[PROBE_TEXT];
	bool negative;
	int64_t value = 0;
	const char *at;

	if (!probe_read(path, text, sizeof text) || !text[0])
		return PROBE_NO_NUMBER;
	negative = text[0] == '-';
	for (at = text + negative; *at >= '0' && *at <= '9' && value < INT64_MAX / 10 - 1; at++)
		value = value * 10 + (*at - '0');
	return negative ? -value : value;
}

/* "always [madvise] never" */
static void chosen(const char *path, char *ret, size_t size) {
	char text[PROBE_TEXT], *start;

	ret[0] = '\0';
	if (!probe_read(path, text, sizeof text) || !(start = strchr(text, '[')))
		return;
	start[strcspn(start, "]")] = '\0';
	(void)snprintf(ret, size, "%s", start + 1);
}

static uint64_t limit(rlim_t value) {
	return value == RLIM_INFINITY ? UINT64_MAX : value;
}

static void probe_names(struct probe_facts *ret) {
	struct utsname names;

	if (uname(&names) < 0)
		return;
	(void)snprintf(ret->system, sizeof ret->system, "%s", names.sysname);
	(void)snprintf(ret->release, sizeof ret->release, "%s", names.release);
	(void)snprintf(ret->machine, sizeof ret->machine, "%s", names.machine);
}

/* Container runtimes leave one of these. */
static void probe_container(struct probe_facts *ret) {
	static const char *const marks[] = { "/run/.containerenv", "/.dockerenv",
					     "/run/systemd/container" };
	const char *variable = getenv("container");

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (access(marks[i], F_OK) == 0) {
			(void)snprintf(ret->container, sizeof ret->container, "%s", marks[i]);
			return;
		}
	if (variable && variable[0])
		(void)snprintf(ret->container, sizeof ret->container, "container=%s", variable);
}

static void probe_size(struct probe_facts *ret) {
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	cpu_set_t usable;

	ret->cpus =
	    sched_getaffinity(0, sizeof usable, &usable) == 0 ? (unsigned)CPU_COUNT(&usable) : 0;
	ret->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

/* The line "Seccomp: 2". */
static bool is_filtered(void) {
	FILE *status = fopen("/proc/self/status", "re");
	char line[PROBE_TEXT];
	bool filtered = false;

	while (status && fgets(line, sizeof line, status))
		filtered |= strcmp(line, "Seccomp:\t2\n") == 0;
	if (status)
		(void)fclose(status);
	return filtered;
}

static void probe_settings(struct probe_facts *ret) {
	ret->userns_clone = setting("/proc/sys/kernel/unprivileged_userns_clone");
	ret->userns_apparmor = setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	ret->yama = setting("/proc/sys/kernel/yama/ptrace_scope");
	ret->tiocsti = setting("/proc/sys/dev/tty/legacy_tiocsti");
	ret->overcommit = setting("/proc/sys/vm/overcommit_memory");
	ret->pid_max = setting("/proc/sys/kernel/pid_max");
	chosen("/sys/kernel/mm/transparent_hugepage/enabled", ret->huge_pages,
	       sizeof ret->huge_pages);
	chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", ret->huge_shared,
	       sizeof ret->huge_shared);
	(void)probe_read("/proc/sys/kernel/core_pattern", ret->core_pattern,
			 sizeof ret->core_pattern);
}

static void probe_limits(struct probe_facts *ret) {
	struct rlimit descriptors = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit processes = { RLIM_INFINITY, RLIM_INFINITY };

	(void)getrlimit(RLIMIT_NOFILE, &descriptors);
	(void)getrlimit(RLIMIT_NPROC, &processes);
	ret->descriptors = limit(descriptors.rlim_cur);
	ret->descriptors_most = limit(descriptors.rlim_max);
	ret->processes = limit(processes.rlim_cur);
}

void probe_kernel(struct probe_facts *ret) {
	const char *absent = getenv("WF_ABSENT");

	ret->uid = geteuid();
	ret->filtered = is_filtered();
	(void)snprintf(ret->absent, sizeof ret->absent, "%s", absent ? absent : "");
	probe_names(ret);
	probe_container(ret);
	probe_size(ret);
	probe_settings(ret);
	probe_limits(ret);
}
