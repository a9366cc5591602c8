/* SPDX-License-Identifier: MIT
 *
 * The zygote enters its namespaces after the preload, so that loading needs no exception. From a
 * user namespace of our own, all others can be entered without privileges. Root enters one all the
 * same, because it limits what a capability is good for.
 *
 * A pid namespace holds processes that are forked after it was unshared: the zygote itself stays
 * outside, and sees its workers under the numbers of the host. The first process in it is its init,
 * which must outlive all others and must not be a worker, because the kernel kills the whole
 * namespace with it. What a dying worker leaves behind becomes a child of that init, not of the
 * zygote, and the zygote finds it there. Signals that a lifeline raises do not reach an init, so it
 * polls its own.
 *
 * Root maps all identities that it has itself, since its policy may name any; others may map
 * only themselves.
 */
#include "sandbox/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "base/process.h"

static const struct {
	uint32_t layer;
	int flag;
	const char *link;
} namespaces[] = {
	{ LAYER_USER, CLONE_NEWUSER, "/proc/self/ns/user" },
	{ LAYER_NET, CLONE_NEWNET, "/proc/self/ns/net" },
	{ LAYER_IPC, CLONE_NEWIPC, "/proc/self/ns/ipc" },
	{ LAYER_UTS, CLONE_NEWUTS, "/proc/self/ns/uts" },
	{ LAYER_PID, CLONE_NEWPID, "/proc/self/ns/pid_for_children" },
	/* the builder of the view unshares the mount namespace */
};
#define N_NAMESPACES (sizeof namespaces / sizeof namespaces[0])

/* --- identities ---------------------------------------------------------------------------- */

static int write_file(int directory, const char *path, const char *text) {
	cleanup_close int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return error_origin(-errno);
	return write(fd, text, strlen(text)) < 0 ? error_origin(-errno) : 0;
}

/* `self` is /proc/self. */
static int map_self(int self, uid_t uid, gid_t gid) {
	char text[64];
	int r;

	(void)snprintf(text, sizeof text, "%u %u 1\n", uid, uid);
	r = write_file(self, "uid_map", text);
	if (r == 0)
		r = write_file(self, "setgroups", "deny");
	(void)snprintf(text, sizeof text, "%u %u 1\n", gid, gid);
	return r == 0 ? error_trace(write_file(self, "gid_map", text)) : error_trace(r);
}

/* Maps each range that we have to itself: root of a container does not have all ids. */
static int map_all(pid_t zygote, const char *name) {
	char path[64], text[4096] = "";
	unsigned first, outside, count;
	size_t used = 0;
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/self/%s", name);
	file = fopen(path, "re");
	if (!file)
		return error_origin(-errno);
	while (used < sizeof text && fscanf(file, "%u %u %u", &first, &outside, &count) == 3)
		used += (size_t)snprintf(text + used, sizeof text - used, "%u %u %u\n", first,
					 first, count);
	(void)fclose(file);
	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)zygote, name);
	return error_trace(write_file(AT_FDCWD, path, text));
}

/* Only a process of the parent namespace may map more than itself. The mapper waits until the
 * namespace exists. */
static _Noreturn void mapper_run(pid_t zygote, int go) {
	char byte;
	int r;

	if (TEMP_FAILURE_RETRY(recv(go, &byte, 1, 0)) != 1)
		leave(EPIPE);
	r = map_all(zygote, "uid_map");
	if (r == 0)
		r = map_all(zygote, "gid_map");
	leave(r == 0 ? 0 : -r);
}

/* A mapper that has died, for whatever reason, has mapped nothing. */
static int mapper_finish(pid_t mapper, int go, bool entered) {
	bool told = entered && send(go, "", 1, MSG_NOSIGNAL) == 1;
	struct exit_status status;
	int r;

	(void)fd_close(go);
	r = process_reap(mapper, &status);
	if (r < 0 || !entered)
		return error_trace(r);
	if (!told || !status.exited)
		return error_origin(-EIO);
	return status.code != 0 ? error_origin(-status.code) : 0;
}

static int enter_user_mapping_all(void) {
	pid_t self = getpid(), mapper;
	int go[2], r;

	r = fd_seqpacket_pair(go);
	if (r < 0)
		return error_trace(r);
	mapper = fork();
	if (mapper == 0) {
		(void)fd_close(go[1]);
		mapper_run(self, go[0]);
	}
	(void)fd_close(go[0]);
	if (mapper < 0) {
		r = error_origin(-errno);
		(void)fd_close(go[1]);
		return r;
	}
	r = unshare(CLONE_NEWUSER) < 0 ? error_origin(-errno) : 0;
	return r < 0 ? (void)mapper_finish(mapper, go[1], false),
	       r     : error_trace(mapper_finish(mapper, go[1], true));
}

int namespace_open_self(void) {
	int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return self < 0 ? error_origin(-errno) : self;
}

static int enter_user(void) {
	cleanup_close int self = -1;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (uid == 0)
		return error_trace(enter_user_mapping_all());
	self = namespace_open_self();
	if (self < 0)
		return error_trace(self);
	if (unshare(CLONE_NEWUSER) < 0)
		return error_origin(-errno);
	return error_trace(map_self(self, uid, gid));
}

int namespace_own_user(int self) {
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER) < 0)
		return error_origin(-errno);
	/* after a change of identity the files of /proc/self belong to root */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return error_trace(map_self(self, uid, gid));
}

/* --- entering ------------------------------------------------------------------------------ */

static uint64_t namespace_inode(const char *link) {
	struct stat status;

	return stat(link, &status) < 0 ? 0 : status.st_ino;
}

static const char *remedy(uint32_t layer, int error) {
	if (layer != LAYER_USER)
		return error == EPERM ? "it takes a user namespace or root" : "";
	if (error == ENOSPC || error == EUSERS)
		return "sysctl user.max_user_namespaces is too low";
	if (error == EINVAL)
		return "threads that the preload left running keep it from entering one";
	return "see sysctl kernel.unprivileged_userns_clone and "
	       "kernel.apparmor_restrict_unprivileged_userns";
}

static int enter_one(size_t i, struct sandbox_trouble *trouble) {
	uint32_t layer = namespaces[i].layer;
	int r;

	if (layer == LAYER_USER && feature_hidden(FEATURE_USERNS))
		r = -EPERM;
	else if (layer == LAYER_USER)
		r = enter_user();
	else
		r = unshare(namespaces[i].flag) < 0 ? error_origin(-errno) : 0;
	if (r < 0)
		return trouble_fail(trouble, layer, -r, "no %s namespace can be made: %s (%s)",
				    policy_layer_name(layer), strerrordesc_np(-r),
				    remedy(layer, -r));
	return 0;
}

/* The loopback of a new network is down. */
static int loopback_up(struct sandbox_trouble *trouble) {
	struct ifreq request = { .ifr_name = "lo" };
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	request.ifr_flags = IFF_UP;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return trouble_fail(trouble, LAYER_NET, errno,
				    "the loopback of the worker's network cannot be used: %s",
				    strerrordesc_np(errno));
	return 0;
}

int namespace_finish_network(const struct sandbox *sandbox, uint32_t families,
			     struct sandbox_trouble *trouble) {
	const uint32_t internet = POLICY_FAMILY_INET | POLICY_FAMILY_INET6;

	return sandbox->layers & LAYER_NET && families & internet ? loopback_up(trouble) : 0;
}

int namespace_enter(struct sandbox *sandbox, uint32_t layers, bool strict,
		    struct sandbox_trouble *trouble) {
	for (size_t i = 0; i < N_NAMESPACES; i++) {
		int r;

		sandbox->namespace_inodes[i] = namespace_inode(namespaces[i].link);
		if (!(layers & namespaces[i].layer))
			continue;
		r = enter_one(i, trouble);
		if (r < 0 && strict)
			return error_trace(r);
		if (r < 0)
			sandbox->missing |= namespaces[i].layer;
		else
			sandbox->layers |= namespaces[i].layer;
	}
	return 0;
}

static bool is_other(const struct sandbox *sandbox, uint32_t layer) {
	for (size_t i = 0; i < N_NAMESPACES; i++)
		if (namespaces[i].layer == layer)
			return namespace_inode(namespaces[i].link) != sandbox->namespace_inodes[i];
	return false;
}

int namespace_check(const struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	static const uint32_t layers[] = { LAYER_USER, LAYER_NET, LAYER_IPC, LAYER_UTS };

	for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
		if (sandbox_has(sandbox, layers[i]) && !is_other(sandbox, layers[i]))
			return trouble_fail(trouble, layers[i], EIO,
					    "the %s namespace is still that of the host",
					    policy_layer_name(layers[i]));
	return 0;
}

/* --- init ---------------------------------------------------------------------------------- */

/* SIGCHLD is ignored, so the kernel reaps its children. */
static _Noreturn void init_run(int lifeline) {
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct pollfd keeper = { .fd = lifeline };

	(void)sigaction(SIGCHLD, &ignore, NULL);
	(void)setpgid(0, 0);
	/* /proc/1/root is the host's root: no other process may follow it */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (fd_close_others(&lifeline, 1) < 0)
		leave(1);
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	process_title("warmfork: init");
	while (keeper.revents == 0)
		(void)poll(&keeper, 1, -1);
	leave(0);
}

int namespace_start_init(struct sandbox *sandbox, void (*work)(void *), void *context,
			 struct sandbox_trouble *trouble) {
	char path[64];
	pid_t pid = fork();

	if (pid == 0 && work)
		work(context);
	if (pid == 0)
		init_run(sandbox->lifeline);
	if (pid < 0)
		return trouble_fail(trouble, LAYER_PID, errno,
				    "the init of the pid namespace cannot be forked: %s",
				    strerrordesc_np(errno));
	sandbox->init = pid;
	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	sandbox->init_children = open(path, O_RDONLY | O_CLOEXEC);
	if (sandbox->init_children < 0)
		return trouble_fail(trouble, LAYER_PID, errno, "%s cannot be opened: %s", path,
				    strerrordesc_np(errno));
	return 0;
}
