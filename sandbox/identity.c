/* SPDX-License-Identifier: MIT
 *
 * The user and group that a worker runs as.
 */
#include "sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "base/error.h"

/* The user that owns nothing, in Debian and in the kernel (overflowuid). */
#define NOBODY 65534

int identity_settle(struct sandbox *sandbox, struct policy *policy,
		    struct sandbox_trouble *trouble) {
	bool root = geteuid() == 0;

	sandbox->uid = policy->has_identity ? policy->uid : root ? NOBODY : geteuid();
	sandbox->gid = policy->has_identity ? policy->gid : root ? NOBODY : getegid();
	policy->uid = sandbox->uid;
	policy->gid = sandbox->gid;
	if (!(policy->layers & LAYER_IDENTITY))
		return 0;
	if (!root && (sandbox->uid != geteuid() || sandbox->gid != getegid()))
		return trouble_fail(trouble, LAYER_IDENTITY, EPERM,
				    "identity %u:%u can only be taken by root", sandbox->uid,
				    sandbox->gid);
	sandbox->change_identity = root && (sandbox->uid != 0 || sandbox->gid != 0);
	sandbox->layers |= LAYER_IDENTITY;
	return 0;
}

int identity_enter(const struct sandbox *sandbox) {
	if (!sandbox->change_identity)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(sandbox->gid, sandbox->gid, sandbox->gid) < 0 ||
	    setresuid(sandbox->uid, sandbox->uid, sandbox->uid) < 0)
		return error_origin(-errno);
	return 0;
}
