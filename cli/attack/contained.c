/* SPDX-License-Identifier: MIT
 *
 * The command starts itself again, with the same preset and policy, for one attack and one column
 * of the table. The exit status is the result of that attempt.
 *
 * Contained, it is the first process of a pid namespace with a /proc of its own. That process
 * cannot be signalled from inside, and when it ends, the kernel ends all others in the namespace.
 * Without root it gets there through a user namespace.
 */
#include "cli/attack/contained.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attack/options.h"

struct inner {
	char what[ATTACK_PATH + 32]; /* see struct attack_inner */
	char *arguments[16];
};

/* Called before the fork: after it, in a process with threads, nothing may be allocated. */
static void make_inner(struct inner *inner, const struct attack_ground *ground,
		       const struct attack *attack, bool contained) {
	static char name[] = "warmfork", command[] = "attack", option[] = "--" ATTACK_INNER,
		    preset[] = "--preset", policy[] = "--policy";
	size_t n = 0;

	(void)snprintf(inner->what, sizeof inner->what, "%u:%d:%s", attack->number, ground->column,
		       contained ? "" : ground->root);
	inner->arguments[n++] = name;
	inner->arguments[n++] = command;
	inner->arguments[n++] = option;
	inner->arguments[n++] = inner->what;
	if (ground->setting->preset) {
		inner->arguments[n++] = preset;
		inner->arguments[n++] = (char *)(uintptr_t)ground->setting->preset;
	}
	if (ground->setting->policy) {
		inner->arguments[n++] = policy;
		inner->arguments[n++] = (char *)(uintptr_t)ground->setting->policy;
	}
	inner->arguments[n] = NULL;
}

/* --- containment --------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return written;
}

/* Maps us to ourselves: only the namespace is new, not the identity. */
static bool enter_user_namespace(uid_t uid, gid_t gid) {
	char users[64], groups[64];

	(void)snprintf(users, sizeof users, "%u %u 1\n", (unsigned)uid, (unsigned)uid);
	(void)snprintf(groups, sizeof groups, "%u %u 1\n", (unsigned)gid, (unsigned)gid);
	return unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/uid_map", users) &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/gid_map", groups);
}

static bool enter_namespaces(void) {
	if (geteuid() != 0 && !enter_user_namespace(geteuid(), getegid()))
		return false;
	return unshare(CLONE_NEWPID | CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool mount_proc(void) {
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* Returns the status of the first process in the namespace. */
static int contain(bool (*work)(void *), void *context) {
	siginfo_t info = { 0 };
	pid_t pid;

	if (!enter_namespaces())
		return ATTACK_ERROR;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		_exit(mount_proc() && work(context) ? ATTACK_STOPPED : ATTACK_ERROR);
	}
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 || info.si_code != CLD_EXITED)
		return ATTACK_ERROR;
	return info.si_status;
}

static bool execute_inner(void *context) {
	struct inner *inner = context;

	(void)execve("/proc/self/exe", inner->arguments, environ);
	return false;
}

static bool do_nothing(void *context) {
	(void)context;
	return true;
}

static int run_contained(bool (*work)(void *), void *context) {
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0)
		_exit(contain(work, context));
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 || info.si_code != CLD_EXITED)
		return ATTACK_ERROR;
	return info.si_status;
}

enum attack_verdict attack_contained(struct attack_ground *ground, const struct attack *attack) {
	struct inner inner;
	int status;

	make_inner(&inner, ground, attack, true);
	status = run_contained(execute_inner, &inner);
	return status >= ATTACK_STOPPED && status <= ATTACK_ERROR ? (enum attack_verdict)status
								  : ATTACK_ERROR;
}

const char *attack_not_contained(void) {
	if (run_contained(do_nothing, NULL) == ATTACK_STOPPED)
		return NULL;
	return "a signal to everybody is only sent in a pid namespace with a /proc of its own, and "
	       "we may not make one (user.max_user_namespaces, or a masked /proc)";
}

/* --- another executor ------------------------------------------------------------------------ */

pid_t attack_inner_start(struct attack_ground *ground, const struct attack *attack, int line) {
	struct inner inner;
	pid_t pid;

	make_inner(&inner, ground, attack, false);
	pid = fork();
	if (pid == 0) {
		if (dup2(line, STDIN_FILENO) == STDIN_FILENO)
			(void)execute_inner(&inner);
		_exit(ATTACK_ERROR);
	}
	return pid;
}
