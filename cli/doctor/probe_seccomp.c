/* SPDX-License-Identifier: MIT
 *
 * Filters of three instructions, on a call that the child itself does not need. Only the sandbox
 * uses the kernel's header of filters, so the few numbers needed are defined here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

#define SET_FILTER 1u
#define HAS_ACTION 2u

#define FLAG_LISTENER      (1u << 3)
#define FLAG_WAIT_KILLABLE (1u << 5) /* 5.19 */

#define ACTION_KILL   0x80000000u
#define ACTION_ERRNO  0x00050000u
#define ACTION_NOTIFY 0x7fc00000u
#define ACTION_LOG    0x7ffc0000u
#define ACTION_ALLOW  0x7fff0000u

struct notification {
	uint64_t id;
	uint32_t pid, flags;
	int32_t number;
	uint32_t architecture;
	uint64_t at, arguments[6];
};
struct answer {
	uint64_t id;
	int64_t value;
	int32_t error;
	uint32_t flags;
};
#define NOTIFY_RECEIVE  _IOWR('!', 0, struct notification)
#define NOTIFY_ANSWER   _IOWR('!', 1, struct answer)
#define ANSWER_CONTINUE 1u

/* A call that nothing makes by accident. */
#define FILTERED_CALL SYS_getppid

/* Returns a listener, 0, or -errno. */
static int install(uint32_t action, unsigned flags) {
	struct sock_filter instructions[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the call's number */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTERED_CALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, ACTION_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof instructions / sizeof instructions[0],
		.filter = instructions,
	};
	long r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = syscall(SYS_seccomp, SET_FILTER, flags, &program);
	return r < 0 ? -errno : (int)r;
}

static int try_filter(int unused) {
	int r = install(ACTION_ERRNO | ENOTRECOVERABLE, 0);

	(void)unused;
	if (r < 0)
		return -r;
	return syscall(FILTERED_CALL) < 0 && errno == ENOTRECOVERABLE ? PROBE_WORKS : EIO;
}

static int try_action(int action) {
	uint32_t argument = (uint32_t)action;

	return syscall(SYS_seccomp, HAS_ACTION, 0u, &argument) < 0 ? errno : PROBE_WORKS;
}

static int try_listener(int flags) {
	int r = install(ACTION_NOTIFY, FLAG_LISTENER | (unsigned)flags);

	return r < 0 ? -r : PROBE_WORKS;
}

/* The descriptor table is shared with the process that answers, so it needs only the number. */
static _Noreturn void ask(int tell, pid_t parent) {
	int listener;

	/* If our parent is gone nothing answers, and the call would wait for ever: the listener is
	 * open in this process too. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EIO);
	listener = install(ACTION_NOTIFY, FLAG_LISTENER);
	if (write(tell, &listener, sizeof listener) != sizeof listener || listener < 0)
		_exit(EIO);
	_exit(syscall(FILTERED_CALL) == parent ? PROBE_WORKS : ENOTRECOVERABLE);
}

static int answer(int listener) {
	struct notification notification = { .id = 0 };
	struct answer reply = { .flags = ANSWER_CONTINUE };

	if (ioctl(listener, NOTIFY_RECEIVE, &notification) < 0)
		return errno;
	reply.id = notification.id;
	return ioctl(listener, NOTIFY_ANSWER, &reply) < 0 ? errno : PROBE_WORKS;
}

static int try_continue(int unused) {
	siginfo_t info = { .si_code = 0 };
	pid_t parent = getpid(), pid;
	int ends[2], listener, r;

	(void)unused;
	if (pipe2(ends, O_CLOEXEC) < 0) /* they end with us */
		return errno;
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		ask(ends[1], parent);
	if (pid < 0)
		return errno;
	if (read(ends[0], &listener, sizeof listener) != sizeof listener)
		return EIO;
	if (listener < 0)
		return -listener;
	r = answer(listener);
	if (r != PROBE_WORKS)
		return r;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return errno;
	return info.si_code == CLD_EXITED ? info.si_status : EIO;
}

void probe_seccomp(struct probe_facts *ret) {
	static const struct {
		enum probe_trial trial;
		probe_function function;
		unsigned argument;
	} table[] = {
		{ TRIAL_FILTER, try_filter, 0 },
		{ TRIAL_ACTION_ERRNO, try_action, ACTION_ERRNO },
		{ TRIAL_ACTION_KILL, try_action, ACTION_KILL },
		{ TRIAL_ACTION_LOG, try_action, ACTION_LOG },
		{ TRIAL_ACTION_NOTIFY, try_action, ACTION_NOTIFY },
		{ TRIAL_LISTENER, try_listener, 0 },
		{ TRIAL_CONTINUE, try_continue, 0 },
		{ TRIAL_WAIT_KILLABLE, try_listener, FLAG_WAIT_KILLABLE },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		ret->trials[table[i].trial] = probe_try(table[i].function, (int)table[i].argument);
}
