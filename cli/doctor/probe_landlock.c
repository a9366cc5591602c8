/* SPDX-License-Identifier: MIT
 *
 * Each level is tested by asking for what it added, because making a ruleset has no effect. That
 * Landlock is in force is shown by a directory that cannot be opened any more.
 *
 * The structures and numbers are defined here because Debian 12's headers have only
 * the first levels.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

struct ruleset_attributes {
	uint64_t files, network, scopes;
};
#define RULESET_VERSION 1u

#define FILES_READ     (UINT64_C(1) << 2)
#define FILES_LIST     (UINT64_C(1) << 3)
#define FILES_REFER    (UINT64_C(1) << 13) /* ABI 2 */
#define FILES_TRUNCATE (UINT64_C(1) << 14) /* 3 */
#define FILES_IOCTL    (UINT64_C(1) << 15) /* 5 */
#define NETWORK_TCP    UINT64_C(3)         /* 4: bind, connect */
#define SCOPES         UINT64_C(3)         /* 6: abstract sockets, signals */
#define LOG_NEW_EXEC   2u                  /* 7 */

static const struct level {
	enum probe_trial trial;
	struct ruleset_attributes adds;
} levels[] = {
	{ TRIAL_LANDLOCK_REFER, { .files = FILES_REFER } },
	{ TRIAL_LANDLOCK_TRUNCATE, { .files = FILES_TRUNCATE } },
	{ TRIAL_LANDLOCK_TCP, { .files = FILES_READ, .network = NETWORK_TCP } },
	{ TRIAL_LANDLOCK_IOCTL, { .files = FILES_IOCTL } },
	{ TRIAL_LANDLOCK_SCOPES, { .files = FILES_READ, .scopes = SCOPES } },
};
#define N_LEVELS (sizeof levels / sizeof levels[0])

/* Older kernels accept the larger struct if the rest is zero. */
static int make_ruleset(const struct ruleset_attributes *attributes) {
	return (int)syscall(SYS_landlock_create_ruleset, attributes, sizeof *attributes, 0u);
}

static int try_level(int i) {
	return make_ruleset(&levels[i].adds) < 0 ? errno : PROBE_WORKS;
}

/* The kernel checks flags before the descriptor, so one that knows this flag fails only because of
 * the descriptor. */
static int try_audit(int unused) {
	(void)unused;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno;
	(void)syscall(SYS_landlock_restrict_self, -1, LOG_NEW_EXEC);
	return errno == EBADF ? PROBE_WORKS : errno;
}

static int try_rule(int unused) {
	const struct ruleset_attributes listing = { .files = FILES_LIST };
	int ruleset = make_ruleset(&listing);

	(void)unused;
	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0u) < 0)
		return errno;
	if (open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0)
		return ENOTRECOVERABLE; /* the kernel says that it is in force, and it is not */
	return errno == EACCES ? PROBE_WORKS : errno;
}

/* The only result that is a number. It is asked in a child too, because a filter around us may kill
 * for it. */
static int ask_abi(int unused) {
	(void)unused;
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
}

void probe_landlock(struct probe_facts *ret) {
	ret->trials[TRIAL_LANDLOCK] = probe_try(try_rule, 0);
	if (ret->trials[TRIAL_LANDLOCK] == PROBE_WORKS)
		ret->landlock_abi = probe_try(ask_abi, 0);
	for (size_t i = 0; i < N_LEVELS; i++)
		ret->trials[levels[i].trial] = probe_try(try_level, (int)i);
	ret->trials[TRIAL_LANDLOCK_AUDIT] = probe_try(try_audit, 0);
}
