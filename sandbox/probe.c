/* SPDX-License-Identifier: MIT
 *
 * Each probe tests one layer: what it tries would succeed without that layer, or fail in another
 * way. The probe of Landlock runs twice, before Landlock is entered and after.
 */
#include "sandbox/probe.h"

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
#include "sandbox/filter.h"
#include "sandbox/view.h"

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

void probe_prepare(struct sandbox *sandbox, const struct policy *policy) {
	struct stat root = { 0 };

	(void)stat("/", &root);
	sandbox->root_device = root.st_dev;
	sandbox->root_inode = root.st_ino;
	sandbox->probe_landlock =
	    sandbox_has(sandbox, LAYER_LANDLOCK) && !declares_object(sandbox, policy);
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

	/* whatever it returns: the filter says that this is done, and does nothing */
	(void)setrlimit(RLIMIT_CORE, &raised);
	return getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max > 1;
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

/* --- on the way in ------------------------------------------------------------------------- */

static bool is_other_root(const struct sandbox *sandbox) {
	struct stat status;

	return stat("/", &status) == 0 &&
	       (status.st_dev != sandbox->root_device || status.st_ino != sandbox->root_inode);
}

uint32_t probe_view(const struct sandbox *sandbox, bool *ret_opens) {
	*ret_opens = landlock_object_opens(sandbox);
	return sandbox_has(sandbox, LAYER_MOUNT) && !is_other_root(sandbox) ? LAYER_MOUNT : 0;
}

uint32_t probe_before_filter(const struct sandbox *sandbox, bool opened) {
	if (sandbox_has(sandbox, LAYER_IDENTITY) && sandbox->change_identity &&
	    (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || geteuid() != sandbox->uid))
		return LAYER_IDENTITY;
	if (sandbox_has(sandbox, LAYER_CAPABILITIES) && chroot("/") == 0)
		return LAYER_CAPABILITIES;
	if (sandbox->probe_landlock && (!opened || landlock_object_opens(sandbox)))
		return LAYER_LANDLOCK;
	return 0;
}
