/* SPDX-License-Identifier: MIT
 *
 * Enters namespaces as a sandbox would: a user namespace first, with our own identity mapped, and
 * the others from within it. If there is none, root tries them directly.
 *
 * Having entered one is not enough: AppArmor lets any user make a user namespace in which
 * every capability is refused, and a container that hides parts of /proc forbids a new one. So
 * each is used.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

/* --- a user namespace ---------------------------------------------------------------------- */

static int write_text(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = PROBE_WORKS;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		r = errno;
	(void)close(fd);
	return r;
}

static int try_user(int unused) {
	(void)unused;
	return unshare(CLONE_NEWUSER) < 0 ? errno : PROBE_WORKS;
}

static int try_map(int unused) {
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char text[64];
	int r;

	(void)unused;
	if (unshare(CLONE_NEWUSER) < 0)
		return errno;
	(void)snprintf(text, sizeof text, "%u %u 1\n", uid, uid);
	r = write_text("/proc/self/uid_map", text);
	if (r == PROBE_WORKS)
		r = write_text("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof text, "%u %u 1\n", gid, gid);
	return r == PROBE_WORKS ? write_text("/proc/self/gid_map", text) : r;
}

/* If the mapping failed, the namespace is ours nevertheless; what follows shows what it
 * is worth. */
static int enter(int flags) {
	(void)try_map(0);
	return unshare(flags) < 0 ? errno : PROBE_WORKS;
}

/* --- the others ---------------------------------------------------------------------------- */

/* Mounts must not reach the namespace that we came from. */
static int enter_mount(int flags) {
	int r = enter(CLONE_NEWNS | flags);

	if (r == PROBE_WORKS && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = errno;
	return r;
}

/* <linux/mount.h> cannot be included together with <sys/mount.h>. */
struct mount_attributes {
	uint64_t set, clear, propagation, user_namespace;
};
#define TREE_CLONE     1u
#define TREE_RECURSIVE 0x8000u
#define FROM_EMPTY     0x4u
#define READ_ONLY      1u

/* Mounts a copy of everything, read-only. */
static int try_view(int unused) {
	const struct mount_attributes read_only = { .set = READ_ONLY };
	int r = enter_mount(0);
	long tree;

	(void)unused;
	if (r != PROBE_WORKS)
		return r;
	tree = syscall(SYS_open_tree, AT_FDCWD, "/", TREE_CLONE | TREE_RECURSIVE | O_CLOEXEC);
	if (tree < 0 ||
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | TREE_RECURSIVE, &read_only,
		    sizeof read_only) < 0 ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, "/proc", FROM_EMPTY) < 0)
		return errno;
	return PROBE_WORKS;
}

static int try_tmpfs(int unused) {
	int r = enter_mount(0);

	(void)unused;
	if (r == PROBE_WORKS && mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=4k"))
		r = errno;
	return r;
}

static int in_child(int (*function)(void)) {
	siginfo_t info = { .si_code = 0 };
	pid_t pid = fork();

	if (pid == 0)
		_exit(function());
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return errno;
	return info.si_code == CLD_EXITED ? info.si_status : EIO;
}

static int is_first(void) {
	return getpid() == 1 ? PROBE_WORKS : ENOTRECOVERABLE;
}

static int mount_proc(void) {
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
		   ? errno
		   : PROBE_WORKS;
}

/* The namespace applies to the children. */
static int try_pid(int unused) {
	int r = enter(CLONE_NEWPID);

	(void)unused;
	return r == PROBE_WORKS ? in_child(is_first) : r;
}

static int try_proc(int unused) {
	int r = enter_mount(CLONE_NEWPID);

	(void)unused;
	return r == PROBE_WORKS ? in_child(mount_proc) : r;
}

static int try_loopback(int unused) {
	struct ifreq request = { .ifr_name = "lo" };
	int r = enter(CLONE_NEWNET), fd;

	(void)unused;
	if (r != PROBE_WORKS)
		return r;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return errno;
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : PROBE_WORKS;
}

void probe_namespaces(struct probe_facts *ret) {
	static const struct {
		enum probe_trial trial;
		probe_function function;
		int flags;
	} table[] = {
		{ TRIAL_USER_NAMESPACE, try_user, 0 },
		{ TRIAL_USER_MAP, try_map, 0 },
		{ TRIAL_MOUNT_NAMESPACE, enter_mount, 0 },
		{ TRIAL_PID_NAMESPACE, try_pid, 0 },
		{ TRIAL_NET_NAMESPACE, enter, CLONE_NEWNET },
		{ TRIAL_IPC_NAMESPACE, enter, CLONE_NEWIPC },
		{ TRIAL_UTS_NAMESPACE, enter, CLONE_NEWUTS },
		{ TRIAL_VIEW, try_view, 0 },
		{ TRIAL_TMPFS, try_tmpfs, 0 },
		{ TRIAL_PROC, try_proc, 0 },
		{ TRIAL_LOOPBACK, try_loopback, 0 },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		ret->trials[table[i].trial] = probe_try(table[i].function, table[i].flags);
}
