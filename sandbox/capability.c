/* SPDX-License-Identifier: MIT
 *
 * Capabilities.
 */
#include "sandbox/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

static int capability_set(uint32_t low, uint32_t high) {
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { low, low, 0 },
									       { high, high, 0 } };

	return syscall(SYS_capset, &header, data) < 0 ? error_origin(-errno) : 0;
}

#define CAPABILITY(name) (UINT32_C(1) << CAP_##name)

int capability_keep_few(void) {
	const uint32_t kept = CAPABILITY(SETUID) | CAPABILITY(SETGID) | CAPABILITY(KILL) |
			      CAPABILITY(SYS_CHROOT) | CAPABILITY(SYS_ADMIN);
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, now) < 0)
		return error_origin(-errno);
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0,
			    0); /* without SETPCAP: it has none */
	return error_trace(capability_set(now[0].permitted & kept, 0));
}

int capability_drop_all(void) {
	return error_trace(capability_set(0, 0));
}
