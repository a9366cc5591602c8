/* SPDX-License-Identifier: MIT */
#include "cli/run/witness.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A task may have stopped it, again and again. */
#define PATIENCE_MS 200

/* After a fork in a process that may have threads: system calls only. Its exit code is what it has
 * heard. */
static _Noreturn void listen_to(pid_t group, pid_t parent) {
	siginfo_t info = { .si_signo = 0 };
	sigset_t set;
	int typed = 0;

	(void)sigfillset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGRTMAX);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* it holds nothing of the caller's */
	(void)syscall(SYS_close_range, 0, UINT_MAX, 0);
	if (getppid() != parent || setpgid(0, group) < 0)
		_exit(0);
	/* The lower number comes first, so all that was typed before that has been heard. Signals of
	 * this kind are queued, and none is passed on to the program's group. */
	while (info.si_signo != SIGRTMAX || info.si_pid != parent) {
		if (sigwaitinfo(&set, &info) < 0)
			info.si_signo = 0;
		else if (info.si_code == SI_KERNEL)
			typed = info.si_signo;
	}
	_exit(typed);
}

pid_t run_witness_start(pid_t group) {
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		listen_to(group, parent);
	return pid > 0 ? pid : 0;
}

int run_witness_end(pid_t witness) {
	struct pollfd poll_fd = { .fd = (int)syscall(SYS_pidfd_open, witness, 0),
				  .events = POLLIN };
	siginfo_t info = { .si_status = 0 };

	/* our child, which nobody else reaps */
	(void)kill(witness, SIGRTMAX);
	(void)kill(witness, SIGCONT);
	if (poll_fd.fd >= 0)
		(void)poll(&poll_fd, 1, PATIENCE_MS);
	(void)kill(witness, SIGKILL);
	while (waitid(P_PID, (id_t)witness, &info, WEXITED) < 0 && errno == EINTR)
		continue;
	if (poll_fd.fd >= 0)
		(void)close(poll_fd.fd);
	return info.si_code == CLD_EXITED ? info.si_status : 0;
}
