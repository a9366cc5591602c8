/* SPDX-License-Identifier: MIT
 *
 * Finds out what this machine offers by using it: a version number does not tell what a
 * configuration, a container or a sandbox around us leaves of a kernel. Nothing here judges.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Each trial runs in a child of its own, and all its effects end with that. */
enum probe_trial {
	/* Landlock */
	TRIAL_LANDLOCK, /* a rule refuses what it should */
	TRIAL_LANDLOCK_REFER,
	TRIAL_LANDLOCK_TRUNCATE,
	TRIAL_LANDLOCK_TCP,
	TRIAL_LANDLOCK_IOCTL,
	TRIAL_LANDLOCK_SCOPES,
	TRIAL_LANDLOCK_AUDIT,
	/* namespaces: all but the first from within a user namespace, if there can be one */
	TRIAL_USER_NAMESPACE,
	TRIAL_USER_MAP,
	TRIAL_MOUNT_NAMESPACE,
	TRIAL_PID_NAMESPACE,
	TRIAL_NET_NAMESPACE,
	TRIAL_IPC_NAMESPACE,
	TRIAL_UTS_NAMESPACE,
	TRIAL_VIEW, /* open_tree, mount_setattr, move_mount */
	TRIAL_TMPFS,
	TRIAL_PROC,
	TRIAL_LOOPBACK,
	/* seccomp */
	TRIAL_FILTER, /* a filter refuses what it should */
	TRIAL_ACTION_ERRNO,
	TRIAL_ACTION_KILL,
	TRIAL_ACTION_LOG,
	TRIAL_ACTION_NOTIFY,
	TRIAL_LISTENER,
	TRIAL_CONTINUE, /* a listener lets a call pass */
	TRIAL_WAIT_KILLABLE,
	/* processes */
	TRIAL_PIDFD,
	TRIAL_PIDFD_INFO,
	TRIAL_CLOSE_RANGE,
	TRIAL_SUBREAPER,
	TRIAL_PROC_SELF,
	TRIAL_PROC_CHILDREN,
	/* memory */
	TRIAL_MEMFD_SEALS,
	TRIAL_MEMFD_NOEXEC,
	TRIAL_COLLAPSE,
	TRIAL_PAGEMAP_SCAN,
	TRIAL_SYSCALL_DISPATCH,
	/* control groups, in this process: directories that are made and removed */
	TRIAL_CGROUP_MAKE,
	TRIAL_CGROUP_MEMORY,
	TRIAL_CGROUP_PIDS,
	TRIAL_CGROUP_KILL,
	TRIAL_CGROUP_V1_MEMORY,
	TRIAL_CGROUP_V1_PIDS,
	TRIAL_CGROUP_KILLS, /* the counter of processes killed for memory */
	N_TRIALS,
};

/* Instead of an errno. */
#define PROBE_WORKS   0
#define PROBE_UNTRIED (-1) /* or nothing is known */

#define PROBE_NO_NUMBER INT64_MIN
#define PROBE_TEXT      128
#define PROBE_PATH      256

struct probe_facts {
	int trials[N_TRIALS]; /* PROBE_WORKS, an errno, PROBE_UNTRIED */
	int landlock_abi;     /* of a kernel in which it works, else 0 */

	char system[PROBE_TEXT], release[PROBE_TEXT], machine[PROBE_TEXT];
	uid_t uid;
	char container[PROBE_TEXT]; /* what shows that we are in one; "" if nothing does */
	bool filtered;              /* a seccomp filter of another program applies to us */
	unsigned cpus;
	uint64_t memory_bytes;
	char absent[PROBE_PATH]; /* WF_ABSENT */

	/* Settings; PROBE_NO_NUMBER if the kernel has none. */
	int64_t userns_clone, userns_apparmor;
	int64_t yama, tiocsti, overcommit, pid_max;
	uint64_t descriptors, descriptors_most, processes;    /* UINT64_MAX for no limit */
	char huge_pages[PROBE_TEXT], huge_shared[PROBE_TEXT]; /* the word that is chosen, or "" */
	char core_pattern[PROBE_TEXT];

	/* Our own group in each hierarchy, or in version 2 the one above it if that offers more;
	 * or "". */
	char cgroup[PROBE_PATH], cgroup_v1_memory[PROBE_PATH], cgroup_v1_pids[PROBE_PATH];
	char cgroup_controllers[PROBE_TEXT]; /* that could be passed to groups below it */

	char version[32];       /* of the library */
	int helper;             /* PROBE_WORKS if it starts, else an errno */
	char helper_words[512]; /* what the library said if it did not */
};

/* Takes some milliseconds and one zygote. */
void probe_machine(struct probe_facts *ret);

/* --- the subjects -------------------------------------------------------------------------- */

/* Runs in a child; returns PROBE_WORKS or an errno. */
typedef int (*probe_function)(int argument);

/* Runs `function` in a child. Returns what it returned, EPERM if a filter killed the child for
 * trying, or PROBE_UNTRIED if it died otherwise. */
int probe_try(probe_function function, int argument);

void probe_kernel(struct probe_facts *ret); /* names, settings, limits */
void probe_landlock(struct probe_facts *ret);
void probe_namespaces(struct probe_facts *ret);
void probe_seccomp(struct probe_facts *ret);
void probe_processes(struct probe_facts *ret);
void probe_memory(struct probe_facts *ret);
void probe_cgroups(struct probe_facts *ret);
void probe_helper(struct probe_facts *ret);

/* Reads the first line of a file, truncated; "" if there is none. Returns whether the file could
 * be read. */
bool probe_read(const char *path, char *ret, size_t size);
