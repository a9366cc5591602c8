/* SPDX-License-Identifier: MIT
 *
 * Attacks that try to gain privileges: namespaces in which a task would be root, mounts, and the
 * administrator's calls.
 *
 * The administrator's calls are made in a way that has no effect when they succeed: a quota sync,
 * setting the time to nothing, a read of the kernel's log.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attack/host.h"

#define LOG_READ_ALL 3
#define LOG_SIZE     1024

/* --- 45: a user namespace ------------------------------------------------------------------ */

/* Makes a child in one, by either call that makes children. */
static bool clone_user(void) {
	struct clone_args arguments = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid < 0)
		pid = syscall(SYS_clone3, &arguments, sizeof arguments);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static int unshare_user(struct wf_call *call) {
	bool done = unshare(CLONE_NEWUSER) == 0 || clone_user();

	attack_hold(call);
	return attack_answer(call, done, NULL, 0);
}

/* A new user namespace has no users yet. */
static void look_at_users(struct attack_ground *ground, struct attack_bout *bout) {
	char map[256];

	(void)ground;
	attack_proc(bout->pid, "uid_map", map, sizeof map);
	bout->seen = map[0] == '\0';
}

static const char *no_user_namespace(void) {
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 || info.si_status != 0)
		return "user namespaces are forbidden to us (user.max_user_namespaces, "
		       "kernel.unprivileged_userns_clone, AppArmor)";
	return NULL;
}

/* --- 46: mounts ---------------------------------------------------------------------------- */

/* Mounts as root, or as the root of a namespace of its own. Root's mount is kept out of the host's
 * mounts, if that is allowed. */
static bool mount_over(const char *path) {
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0)
		return true;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0;
}

/* Tries the newer calls, which need no mount point, and another root. */
static bool mount_nowhere(const char *path) {
	return syscall(SYS_fsopen, "tmpfs", 0) >= 0 ||
	       syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) >= 0 ||
	       chroot(path) == 0;
}

static int mount_something(struct wf_call *call) {
	const char *out = attack_brief(call)->out;
	struct stat before = { 0 }, after = { 0 };
	bool done = stat(out, &before) == 0 && mount_over(out) && stat(out, &after) == 0 &&
		    before.st_dev != after.st_dev;

	if (!done)
		done = mount_nowhere(out);
	attack_hold(call);
	return attack_answer(call, done, NULL, 0);
}

static void look_at_mounts(struct attack_ground *ground, struct attack_bout *bout) {
	static char mounts[1 << 16];
	char line[ATTACK_PATH + 16];

	attack_proc(bout->pid, "mounts", mounts, sizeof mounts);
	(void)snprintf(line, sizeof line, "%s tmpfs", ground->brief.out);
	bout->seen = strstr(mounts, line) != NULL;
}

/* Root's mount may be in our own namespace. */
static void clean_mounts(struct attack_ground *ground) {
	(void)umount2(ground->brief.out, MNT_DETACH | UMOUNT_NOFOLLOW);
}

static const char *no_mount(void) {
	return geteuid() == 0 ? NULL : no_user_namespace();
}

/* --- 47: a namespace that it was given ----------------------------------------------------- */

static int join_namespace(struct wf_call *call) {
	struct utsname name = { 0 };
	bool done;

	(void)setns(wf_call_descriptor(call, 1), CLONE_NEWUSER);
	done = setns(wf_call_descriptor(call, 2), CLONE_NEWUTS) == 0;
	(void)uname(&name);
	return attack_answer(call, done, name.nodename, strlen(name.nodename));
}

/* A child of ours in namespaces of its own, with a token as host name. */
__attribute__((noreturn)) static void live_elsewhere(const char *name, int ready, int over) {
	char byte = 'y';

	if (unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0 && sethostname(name, strlen(name)) == 0) {
		(void)!write(ready, &byte, 1);
		(void)!read(over, &byte, 1);
	}
	_exit(0);
}

static int open_namespace(pid_t pid, const char *kind) {
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ground->fd keeps the child alive. */
static bool make_namespace(struct attack_ground *ground) {
	int ready[2], over[2];
	char byte;
	bool made;

	attack_make_token(ground->key_token);
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(over, O_CLOEXEC) < 0)
		return false;
	ground->pid = fork();
	if (ground->pid == 0) {
		(void)close(over[1]);
		live_elsewhere(ground->key_token, ready[1], over[0]);
	}
	(void)close(ready[1]);
	(void)close(over[0]);
	ground->fd = over[1];
	made = ground->pid > 0 && read(ready[0], &byte, 1) == 1;
	(void)close(ready[0]);
	ground->extra[0] = made ? open_namespace(ground->pid, "user") : -1;
	ground->extra[1] = made ? open_namespace(ground->pid, "uts") : -1;
	return ground->extra[0] >= 0 && ground->extra[1] >= 0;
}

static enum attack_verdict judge_joined(struct attack_ground *ground,
					const struct attack_bout *bout) {
	return attack_verdict(attack_has(bout, ground->key_token));
}

static void end_namespace(struct attack_ground *ground) {
	siginfo_t info;

	if (ground->fd >= 0)
		(void)close(ground->fd);
	ground->fd = -1;
	if (ground->pid > 0)
		(void)waitid(P_PID, (id_t)ground->pid, &info, WEXITED);
}

/* --- 55: prctl ------------------------------------------------------------------------------- */

/* Tests whether its memory can be inspected from outside, and whether capabilities survive a change
 * of the user. Adopting orphans has no row of its own: row 17 covers it. */
static int change_process(struct wf_call *call) {
	int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	bool done;

	(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, dumpable != 1, 0, 0, 0);
	done = prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 1;
	done |= prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != dumpable;
	return attack_answer(call, done, NULL, 0);
}

/* --- 64: calls of the administrator -------------------------------------------------------- */

static int administrate(struct wf_call *call) {
	char loot[LOG_SIZE];
	int n = klogctl(LOG_READ_ALL, loot, sizeof loot);
	bool done = syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL) == 0;

	done |= syscall(SYS_settimeofday, NULL, NULL) == 0;
	return attack_answer(call, done, loot, n > 0 ? (size_t)n : 0);
}

/* Compares with the end of the log as we read it ourselves; if we may not read it either, there is
 * nothing to compare. */
static enum attack_verdict judge_administrator(struct attack_ground *ground,
					       const struct attack_bout *bout) {
	char log[LOG_SIZE];
	int n = klogctl(LOG_READ_ALL, log, sizeof log);
	bool same =
	    n > 0 && bout->loot_size == (size_t)n && memcmp(bout->loot, log, (size_t)n) == 0;

	(void)ground;
	return attack_verdict(same || bout->believes);
}

/* ------------------------------------------------------------------------------------------- */

#define SECCOMP (1U << ATTACK_SECCOMP)

static const struct attack rows[] = {
	{ 45, "a user namespace of its own", "unshare_user", unshare_user, .stops = SECCOMP,
	  .look = look_at_users, .judge = attack_judge_seen, .inapplicable = no_user_namespace },
	{ 46, "mount", "mount_something", mount_something, .stops = SECCOMP, .look = look_at_mounts,
	  .judge = attack_judge_seen, .clean = clean_mounts, .inapplicable = no_mount },
	{ 47, "join a namespace that it was given", "join_namespace", join_namespace,
	  .stops = SECCOMP, .prepare = make_namespace, .judge = judge_joined,
	  .clean = end_namespace, .inapplicable = no_user_namespace },
	{ 55, "prctl: be traceable, keep capabilities", "change_process", change_process,
	  .stops = SECCOMP, .judge = attack_judge_belief, .inapplicable = attack_sanitized },
	{ 64, "quotas, clocks, the kernel's log", "administrate", administrate, .stops = SECCOMP,
	  .judge = judge_administrator },
};

const struct attack_rows attack_privileges = { rows, sizeof rows / sizeof rows[0] };
