/* SPDX-License-Identifier: MIT
 *
 * A trial forks and ends. Namespaces, filters, mappings and descriptors end with the child, so
 * nothing has to be undone, and a filter around us that kills for a call kills only the child.
 */
#include "cli/doctor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A safety net: a trial waits only for its own children. */
#define TRIAL_SECONDS 10

static _Noreturn void child_run(probe_function function, int argument) {
	const struct rlimit no_core = { 0, 0 };
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)alarm(TRIAL_SECONDS);
	r = function(argument);
	_exit(r >= 0 && r <= UINT8_MAX ? r : EIO);
}

int probe_try(probe_function function, int argument) {
	siginfo_t info = { .si_code = 0 };
	/* Not the library's fork: there, ThreadSanitizer starts a thread in the child, and a
	 * process with threads cannot enter a user namespace. No other thread runs that could hold
	 * a lock. */
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		child_run(function, argument);
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return PROBE_UNTRIED;
	if (info.si_code == CLD_EXITED)
		return info.si_status;
	return info.si_status == SIGSYS ? EPERM : PROBE_UNTRIED;
}

bool probe_read(const char *path, char *ret, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (fd >= 0)
		(void)close(fd);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return n >= 0;
}
