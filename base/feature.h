/* SPDX-License-Identifier: MIT
 *
 * Kernel features that are newer than the oldest supported kernel (Linux 6.1), or optional, probed
 * at run time; and the switch that hides them: WF_ABSENT=memfd_noexec,pidfd_info,... or
 * WF_ABSENT=linux-6.1 for all newer ones.
 */
#pragma once

#include <stdbool.h>

enum feature {
	FEATURE_MEMFD_NOEXEC, /* 6.3: MFD_NOEXEC_SEAL */
	FEATURE_PAGEMAP_SCAN, /* 6.7: tells which pages are private without reading each */
	/* 6.10: fcntl(F_DUPFD_QUERY): do two descriptors share a description? */
	FEATURE_DUPFD_QUERY,
	FEATURE_MSEAL,         /* 6.12 in this form: mseal(2) also keeps a mapping from growing */
	FEATURE_PIDFD_INFO,    /* 6.15: PIDFD_GET_INFO with PIDFD_INFO_EXIT */
	FEATURE_PROC_CHILDREN, /* CONFIG_PROC_CHILDREN: /proc/PID/task/TID/children */
	FEATURE_COLLAPSE,      /* 6.1, unless /sys/kernel/mm/transparent_hugepage denies it */
	FEATURE_SYSCALL_DISPATCH, /* 5.11; hidden for tracers, which stop at each call */
	FEATURE_LANDLOCK,         /* CONFIG_SECURITY_LANDLOCK, and enabled among the LSMs at boot */
	FEATURE_LANDLOCK_NEW,     /* its ABI 3 and later: 6.2 */
	FEATURE_USERNS,           /* may we make user namespaces? */
	FEATURE_MOUNT_VIEW,       /* a mount namespace with a root of our own */
	FEATURE_CGROUP,           /* a control group below ours that we may write to */
	FEATURE_SECCOMP,          /* filters */
	FEATURE_COUNT,
};

/* Is it hidden by WF_ABSENT? (The caller finds out by trying whether the kernel has it.) */
bool feature_hidden(enum feature feature);
const char *feature_name(enum feature feature);
