/* SPDX-License-Identifier: MIT
 *
 * Each probe is of one layer: what it tries would succeed, or fail otherwise, without that layer. That of
 * Landlock is made twice, before it is entered and after.
 */
#include "zygote/sandbox_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "zygote/leave.h"
#include "zygote/sandbox_filter.h"
#include "zygote/sandbox_namespace.h"
#include "zygote/sandbox_view.h"

#define PROBE_STEP_FAILED 64

static bool is_in(const struct sandbox *sandbox, uint32_t layer) {
	return (sandbox->layers & layer) != 0;
}

static bool opens(const char *path, int flags) {
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);

	(void)fd_close(fd);
	return fd >= 0;
}

/* A FIFO, since opening one to write needs no writable mount. Without a view: the list of the root, unless that is
 * declared. */
static bool landlock_object_opens(const struct sandbox *sandbox) {
	return is_in(sandbox, LAYER_MOUNT) ? opens(VIEW_PROBE, O_RDWR)
					   : opens("/", O_RDONLY | O_DIRECTORY);
}

static bool declares_root(const struct policy *policy) {
	for (size_t i = 0; i < policy->n_paths; i++)
		if (strcmp(policy->paths[i].path, "/") == 0)
			return true;
	return false;
}

static bool has_capabilities(void) {
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return true;
	return (data[0].effective | data[0].permitted | data[1].effective | data[1].permitted) != 0;
}

static bool raises_limit(void) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
		return true;
	limit.rlim_max++;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

uint32_t probe_self(const struct sandbox *sandbox) {
	if (is_in(sandbox, LAYER_PID) && getppid() != 0)
		return LAYER_PID;
	if (is_in(sandbox, LAYER_CAPABILITIES) && has_capabilities())
		return LAYER_CAPABILITIES;
	if (is_in(sandbox, LAYER_NO_NEW_PRIVS) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return LAYER_NO_NEW_PRIVS;
	if (is_in(sandbox, LAYER_LIMITS) && raises_limit())
		return LAYER_LIMITS;
	if (is_in(sandbox, LAYER_SECCOMP) && filter_probe() < 0)
		return LAYER_SECCOMP;
	return 0;
}

/* What would reach the listener, which is not there yet: before the filter. */
static uint32_t probe_before_filter(const struct sandbox *sandbox, const struct policy *policy,
				    bool opened) {
	if (is_in(sandbox, LAYER_IDENTITY) && sandbox->change_identity &&
	    (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || geteuid() != sandbox->uid))
		return LAYER_IDENTITY;
	if (is_in(sandbox, LAYER_CAPABILITIES) && chroot("/") == 0)
		return LAYER_CAPABILITIES;
	if (is_in(sandbox, LAYER_LANDLOCK) &&
	    (is_in(sandbox, LAYER_MOUNT) || !declares_root(policy)) &&
	    (!opened || landlock_object_opens(sandbox)))
		return LAYER_LANDLOCK;
	return 0;
}

static bool is_other_root(dev_t device, ino_t inode) {
	struct stat status;

	return stat("/", &status) == 0 && (status.st_dev != device || status.st_ino != inode);
}

static int layer_number(uint32_t layer) {
	return layer ? __builtin_ctz(layer) + 1 : 0;
}

static _Noreturn void child_run(const struct sandbox *sandbox, const struct policy *policy) {
	struct sandbox bare = *sandbox;
	struct stat root = { 0 };
	const char *step = "";
	uint32_t layer;
	int listener;
	bool opened;

	(void)stat("/", &root);
	bare.filter.n = 0;
	if (sandbox_enter_view(sandbox, NULL, &step) < 0)
		leave(PROBE_STEP_FAILED);
	opened = landlock_object_opens(sandbox);
	if (is_in(sandbox, LAYER_MOUNT) && !is_other_root(root.st_dev, root.st_ino))
		leave(layer_number(LAYER_MOUNT));
	if (sandbox_enter_rest(&bare, &listener, &step) < 0)
		leave(PROBE_STEP_FAILED);
	layer = probe_before_filter(sandbox, policy, opened);
	if (layer == 0 && sandbox->filter.n > 0 && filter_install(&sandbox->filter, false) < 0)
		leave(PROBE_STEP_FAILED);
	leave(layer_number(layer ? layer : probe_self(sandbox)));
}

static int judge(const struct exit_status *status, struct sandbox_trouble *trouble) {
	if (status->exited && status->code == 0)
		return 0;
	if (!status->exited)
		return sandbox_fail(trouble, 0, EIO,
				    "the process that probes the sandbox was ended by SIG%s",
				    sigabbrev_np(status->signal));
	if (status->code == PROBE_STEP_FAILED)
		return sandbox_fail(trouble, 0, EIO, "the sandbox cannot be entered");
	return sandbox_fail(trouble, 1u << (status->code - 1), EIO,
			    "%s was set up, but a probe that it must stop was not stopped",
			    policy_layer_name(1u << (status->code - 1)));
}

int probe_run(const struct sandbox *sandbox, const struct policy *policy,
	      struct sandbox_trouble *trouble) {
	static const struct {
		uint32_t layer;
	} of_zygote[] = { { LAYER_USER }, { LAYER_NET }, { LAYER_IPC }, { LAYER_UTS } };
	struct exit_status status;
	pid_t pid;
	int r;

	for (size_t i = 0; i < sizeof of_zygote / sizeof of_zygote[0]; i++)
		if (is_in(sandbox, of_zygote[i].layer) &&
		    !namespace_is_other(sandbox, of_zygote[i].layer))
			return sandbox_fail(trouble, of_zygote[i].layer, EIO,
					    "the %s namespace is still that of the host",
					    policy_layer_name(of_zygote[i].layer));
	pid = fork();
	if (pid == 0)
		child_run(sandbox, policy);
	if (pid < 0)
		return sandbox_fail(trouble, 0, errno, "a process to probe with: %s",
				    strerrordesc_np(errno));
	r = process_reap(pid, &status);
	if (r < 0)
		return sandbox_fail(trouble, 0, -r, "the probe: %s", strerrordesc_np(-r));
	return judge(&status, trouble);
}
