/* SPDX-License-Identifier: MIT
 *
 * A task may do what it likes with its own process. With ptrace(PTRACE_TRACEME) it makes its
 * parent, the zygote or the keeper, its tracer, although neither wants to be one. From then on each
 * signal stops the thread until the tracer has decided what becomes of it, and waitid(2) reports
 * such a stop whatever it was asked for, with WNOWAIT again and again. So a tracee that is waiting
 * is let go: it is detached with its signal, and goes on as it would have without a tracer.
 *
 * __WALL is needed because clone(2) may have been called with a signal other than SIGCHLD.
 */
#include "zygote/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

#define CHILD_CHANGES (WSTOPPED | WCONTINUED)

/* The C library's waitid(2) lacks the fifth argument: the usage of this child alone. Returns 1, 0
 * or -errno. */
static int ask(idtype_t type, pid_t child, int options, siginfo_t *info, struct rusage *usage) {
	long r;

	info->si_pid = 0;
	do {
		r = syscall(SYS_waitid, type, child, info, options | __WALL, usage);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == ECHILD ? -ECHILD : error_origin(-errno);
	return info->si_pid != 0;
}

static bool is_end(const siginfo_t *info) {
	return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
	       info->si_code == CLD_DUMPED;
}

/* exec(2) sends SIGTRAP to a tracee and to no other process, and the tracee itself is
 * the sender. */
static bool is_from_exec(pid_t child, int signal) {
	siginfo_t info;

	return signal == SIGTRAP && ptrace(PTRACE_GETSIGINFO, child, NULL, &info) == 0 &&
	       info.si_code == SI_USER && info.si_pid == child;
}

static void let_go(pid_t child, int status) {
	uintptr_t signal = (uintptr_t)status & 0x7f;
	siginfo_t info;

	if (is_from_exec(child, (int)signal))
		signal = 0;
	/* A tracee that has been killed meanwhile cannot be detached; its stop is consumed so that
	 * it does not hide what others have to report. */
	if (ptrace(PTRACE_DETACH, child, NULL, (void *)signal) < 0)
		(void)ask(P_PID, child, WSTOPPED | WNOHANG, &info, NULL);
}

int child_has_ended(pid_t child, struct exit_status *ret) {
	siginfo_t info = { 0 };
	struct rusage usage = { 0 };
	int r = ask(P_PID, child, WEXITED | WNOHANG | WNOWAIT, &info, &usage);

	if (r <= 0 || !is_end(&info))
		return r < 0 ? r : 0;
	if (ret)
		exit_status_fill(ret, &info, &usage);
	return 1;
}

int child_look(pid_t child, struct exit_status *ret) {
	siginfo_t info = { 0 };
	int r = child_has_ended(child, ret);

	if (r != 0)
		return r < 0 ? r : CHILD_ENDED;
	r = ask(P_PID, child, CHILD_CHANGES | WNOHANG | WNOWAIT, &info, NULL);
	if (r <= 0)
		return r;
	if (info.si_code == CLD_TRAPPED) {
		let_go(child, info.si_status);
		return CHILD_RUNS;
	}
	/* the state may have changed again: take the latest */
	if (ask(P_PID, child, CHILD_CHANGES | WNOHANG, &info, NULL) <= 0)
		return CHILD_RUNS;
	return info.si_code == CLD_CONTINUED ? CHILD_WENT_ON : CHILD_STOPPED;
}

int child_next(bool changes, pid_t *ret) {
	siginfo_t info = { 0 };
	int wanted = changes ? WEXITED | CHILD_CHANGES : WEXITED;
	int r = ask(P_ALL, 0, wanted | WNOHANG | WNOWAIT, &info, NULL);

	if (r > 0)
		*ret = info.si_pid;
	return r;
}

bool child_exists(void) {
	siginfo_t info = { 0 };

	return ask(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT, &info, NULL) != -ECHILD;
}

int child_signals(void) {
	sigset_t child;
	int fd;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? error_origin(-errno) : fd;
}

bool child_is_thread(pid_t child) {
	pid_t process = (pid_t)process_status(child, "Tgid:");

	return process > 0 && process != child;
}
