/* SPDX-License-Identifier: MIT
 *
 * How processes are identified, waited for and found. Numbers that Debian 12's headers lack
 * are defined here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

/* struct pidfd_info, 6.13 */
struct process_information {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define GET_INFORMATION  _IOWR(0xff, 11, struct process_information)
#define INFORMATION_EXIT (UINT64_C(1) << 3) /* 6.15 */
#define EXIT_CODE        7

/* Makes a child that ends with EXIT_CODE, and waits for it by its pidfd. Returns the pidfd,
 * or -errno. */
static int reap_child(siginfo_t *info) {
	pid_t pid = fork();
	struct pollfd wait = { .events = POLLIN };

	if (pid == 0)
		_exit(EXIT_CODE);
	wait.fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0u);
	if (wait.fd < 0 || poll(&wait, 1, -1) < 0 ||
	    waitid(P_PIDFD, (id_t)wait.fd, info, WEXITED) < 0)
		return -errno;
	return wait.fd;
}

static int try_pidfd(int unused) {
	siginfo_t info = { .si_code = 0 };
	int pidfd = reap_child(&info);

	(void)unused;
	if (pidfd < 0)
		return -pidfd;
	if (info.si_status != EXIT_CODE)
		return ENOTRECOVERABLE;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0u) == 0)
		return ENOTRECOVERABLE;
	return errno == ESRCH ? PROBE_WORKS : errno;
}

/* The pidfd of a child that another process has reaped still tells how it ended. */
static int try_pidfd_info(int unused) {
	struct process_information information = { .mask = INFORMATION_EXIT };
	siginfo_t info = { .si_code = 0 };
	int pidfd = reap_child(&info);

	(void)unused;
	if (pidfd < 0)
		return -pidfd;
	if (ioctl(pidfd, GET_INFORMATION, &information) < 0)
		return errno;
	return information.mask & INFORMATION_EXIT ? PROBE_WORKS : ENOSYS;
}

static int try_close_range(int unused) {
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 100);

	(void)unused;
	if (syscall(SYS_close_range, 100u, ~0u, 0u) < 0)
		return errno;
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0 ? ENOTRECOVERABLE : PROBE_WORKS;
}

static int try_subreaper(int unused) {
	(void)unused;
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? errno : PROBE_WORKS;
}

static int try_proc_self(int unused) {
	static const char *const files[] = {
		"/proc/self/maps", "/proc/self/smaps", "/proc/self/pagemap",
		"/proc/self/fd",   "/proc/self/task",  "/proc/self/status",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		if (open(files[i], O_RDONLY | O_CLOEXEC) < 0)
			return errno;
	return PROBE_WORKS;
}

static int try_proc_children(int unused) {
	char path[64];

	(void)unused;
	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	return open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : PROBE_WORKS;
}

void probe_processes(struct probe_facts *ret) {
	ret->trials[TRIAL_PIDFD] = probe_try(try_pidfd, 0);
	ret->trials[TRIAL_PIDFD_INFO] = probe_try(try_pidfd_info, 0);
	ret->trials[TRIAL_CLOSE_RANGE] = probe_try(try_close_range, 0);
	ret->trials[TRIAL_SUBREAPER] = probe_try(try_subreaper, 0);
	ret->trials[TRIAL_PROC_SELF] = probe_try(try_proc_self, 0);
	ret->trials[TRIAL_PROC_CHILDREN] = probe_try(try_proc_children, 0);
}
