/* SPDX-License-Identifier: MIT
 *
 * Each probe tests one layer: what it tries would succeed without that layer, or fail in another
 * way. The probe of Landlock runs twice, before Landlock is entered and after.
 */
#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/leave.h"
#include "base/process.h"
#include "sandbox/enter.h"
#include "sandbox/filter.h"
#include "sandbox/namespace.h"
#include "sandbox/view.h"

/* What the probing process reports, in memory that it shares. */
struct probe_report {
	bool done;
	uint32_t layer; /* the layer that is not in force, or 0 */
	int error;      /* of the step of entering that failed */
	char step[64];
};

static bool opens(const char *path, int flags) {
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);

	(void)fd_close(fd);
	return fd >= 0;
}

/* Opens a FIFO, because opening one for writing needs no writable mount. Without a view it opens
 * the root directory, unless that is declared. */
static bool landlock_object_opens(const struct sandbox *sandbox) {
	return sandbox_has(sandbox, LAYER_MOUNT) ? opens(VIEW_PROBE, O_RDWR)
						 : opens("/", O_RDONLY | O_DIRECTORY);
}

/* Tells whether a rule for everything declares the object of the probe. */
static bool declares_object(const struct sandbox *sandbox, const struct policy *policy) {
	uint32_t access = sandbox_has(sandbox, LAYER_MOUNT) ? POLICY_WRITE : POLICY_READ;

	for (size_t i = 0; i < policy->n_paths; i++)
		if (strcmp(policy->paths[i].path, "/") == 0 && policy->paths[i].access & access)
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

/* So small a limit is not set by chance, and cannot be raised without a capability. */
static bool may_dump_core(void) {
	const struct rlimit raised = { 0, 2 };
	struct rlimit limit;

	return getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max > 1 ||
	       setrlimit(RLIMIT_CORE, &raised) == 0;
}

uint32_t probe_self(const struct sandbox *sandbox) {
	if (sandbox_has(sandbox, LAYER_PID) && getppid() != 0)
		return LAYER_PID;
	if (sandbox_has(sandbox, LAYER_CAPABILITIES) && has_capabilities())
		return LAYER_CAPABILITIES;
	if (sandbox_has(sandbox, LAYER_NO_NEW_PRIVS) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return LAYER_NO_NEW_PRIVS;
	if (sandbox_has(sandbox, LAYER_LIMITS) && may_dump_core())
		return LAYER_LIMITS;
	if (sandbox_has(sandbox, LAYER_SECCOMP) && filter_probe() < 0)
		return LAYER_SECCOMP;
	return 0;
}

/* Probes that would reach the listener, which does not exist yet, run before the filter. */
static uint32_t probe_before_filter(const struct sandbox *sandbox, const struct policy *policy,
				    bool opened) {
	if (sandbox_has(sandbox, LAYER_IDENTITY) && sandbox->change_identity &&
	    (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || geteuid() != sandbox->uid))
		return LAYER_IDENTITY;
	if (sandbox_has(sandbox, LAYER_CAPABILITIES) && chroot("/") == 0)
		return LAYER_CAPABILITIES;
	if (sandbox_has(sandbox, LAYER_LANDLOCK) && !declares_object(sandbox, policy) &&
	    (!opened || landlock_object_opens(sandbox)))
		return LAYER_LANDLOCK;
	return 0;
}

static bool is_other_root(dev_t device, ino_t inode) {
	struct stat status;

	return stat("/", &status) == 0 && (status.st_dev != device || status.st_ino != inode);
}

static int enter_and_try(const struct sandbox *sandbox, const struct policy *policy,
			 const char **ret_step, uint32_t *ret_layer) {
	struct sandbox bare = *sandbox;
	struct stat root = { 0 };
	int listener, r;
	bool opened;

	(void)stat("/", &root);
	bare.filter.n = 0;
	r = sandbox_enter_view(sandbox, NULL, ret_step);
	if (r < 0)
		return error_trace(r);
	opened = landlock_object_opens(sandbox);
	if (sandbox_has(sandbox, LAYER_MOUNT) && !is_other_root(root.st_dev, root.st_ino)) {
		*ret_layer = LAYER_MOUNT;
		return 0;
	}
	r = sandbox_enter_rest(&bare, &listener, ret_step);
	if (r < 0)
		return error_trace(r);
	*ret_layer = probe_before_filter(sandbox, policy, opened);
	*ret_step = "system call filter";
	r = *ret_layer == 0 && sandbox->filter.n > 0 ? filter_install(&sandbox->filter, false) : 0;
	if (r == 0 && *ret_layer == 0)
		*ret_layer = probe_self(sandbox);
	return error_trace(r);
}

static _Noreturn void child_run(const struct sandbox *sandbox, const struct policy *policy,
				struct probe_report *report) {
	const char *step = "";

	report->error = -enter_and_try(sandbox, policy, &step, &report->layer);
	(void)snprintf(report->step, sizeof report->step, "%s", step);
	report->done = true;
	leave(0);
}

static int judge(const struct exit_status *status, const struct probe_report *report,
		 struct sandbox_trouble *trouble) {
	if (!report->done)
		return trouble_fail(trouble, 0, EIO,
				    "the process that probes the sandbox was ended by SIG%s",
				    sigabbrev_np(status->signal));
	if (report->error)
		return trouble_fail(trouble, 0, report->error,
				    "the %s of a worker cannot be entered: %s", report->step,
				    strerrordesc_np(report->error));
	if (report->layer)
		return trouble_fail(trouble, report->layer, EIO,
				    "%s was set up, but a probe that it must stop was not stopped",
				    policy_layer_name(report->layer));
	return 0;
}

/* Checks the layers that the zygote itself is in. */
static int check_namespaces(const struct sandbox *sandbox, struct sandbox_trouble *trouble) {
	static const uint32_t layers[] = { LAYER_USER, LAYER_NET, LAYER_IPC, LAYER_UTS };

	for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
		if (sandbox_has(sandbox, layers[i]) && !namespace_is_other(sandbox, layers[i]))
			return trouble_fail(trouble, layers[i], EIO,
					    "the %s namespace is still that of the host",
					    policy_layer_name(layers[i]));
	return 0;
}

static int probe_in_child(const struct sandbox *sandbox, const struct policy *policy,
			  struct probe_report *report, struct sandbox_trouble *trouble) {
	struct exit_status status = { 0 };
	pid_t pid = fork();
	int r;

	if (pid == 0)
		child_run(sandbox, policy, report);
	if (pid < 0)
		return trouble_fail(trouble, 0, errno, "a process to probe with: %s",
				    strerrordesc_np(errno));
	r = process_reap(pid, &status);
	return r < 0 ? trouble_fail(trouble, 0, -r, "the probe: %s", strerrordesc_np(-r))
		     : judge(&status, report, trouble);
}

int probe_run(const struct sandbox *sandbox, const struct policy *policy,
	      struct sandbox_trouble *trouble) {
	struct probe_report *report;
	int r = check_namespaces(sandbox, trouble);

	if (r < 0)
		return error_trace(r);
	report =
	    mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return trouble_fail(trouble, 0, errno, "no memory for a probe");
	r = probe_in_child(sandbox, policy, report, trouble);
	(void)munmap(report, sizeof *report);
	return error_trace(r);
}
