/* SPDX-License-Identifier: MIT
 *
 * Resource limits. An existing limit that is lower is strict enough, and stays.
 */
#include "sandbox/limits.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/error.h"

/* SIGXCPU comes at the limit, SIGKILL this much later. */
#define CPU_GRACE_S 1
#define STACK_MOST  (UINT64_C(8) << 20)
/* How much a byte of page tables maps: 8 bytes for each page of 4 KiB. */
#define MAPPED_BY_PAGE_TABLES UINT64_C(512)

static int limit_set(int resource, uint64_t soft, uint64_t hard) {
	struct rlimit limit = { soft, hard }, now;

	/* a hard limit cannot be raised, and an existing lower one is strict enough */
	if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < hard) {
		limit.rlim_max = now.rlim_max;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
	}
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? error_origin(-errno) : 0;
}

/* With 0, a core still goes to the pipe of a core_pattern, whose reader is started as root of the
 * host; 1 is less than any core has, and stops that as well (do_coredump() in fs/coredump.c). Where
 * the limit is 0 already, only root can set 1. */
static int limit_core(void) {
	const struct rlimit core = { 1, 1 };

	return setrlimit(RLIMIT_CORE, &core) == 0 ? 0 : error_trace(limit_set(RLIMIT_CORE, 0, 0));
}

int limits_inherited(void) {
	static const struct {
		int resource;
		uint64_t most;
	} limits[] = {
		{ RLIMIT_MEMLOCK, 1 << 16 },    { RLIMIT_MSGQUEUE, 0 }, { RLIMIT_RTPRIO, 0 },
		{ RLIMIT_SIGPENDING, 1 << 10 }, { RLIMIT_NICE, 0 },
	};
	int r = limit_core();

	for (size_t i = 0; i < sizeof limits / sizeof limits[0] && r == 0; i++)
		r = limit_set(limits[i].resource, limits[i].most, limits[i].most);
	return error_trace(r);
}

/* Without a control group. RLIMIT_DATA counts the private memory that a process may write to, but
 * neither its stack nor its page tables, which a mapping that is only read fills as well. */
static int limit_memory(const struct sandbox *sandbox) {
	const uint64_t memory = sandbox->limits[POLICY_MEMORY];
	const uint64_t data = sandbox->memory_base + memory;
	int r = limit_set(RLIMIT_DATA, data, data);

	if (r == 0)
		r = limit_set(RLIMIT_STACK, STACK_MOST, STACK_MOST);
	/* a sanitizer reserves more addresses than that for its shadow */
	if (r == 0 && memory < UINT64_MAX / 2 / MAPPED_BY_PAGE_TABLES &&
	    !sandbox_has(sandbox, LAYER_SANITIZER))
		r = limit_set(RLIMIT_AS, sandbox->address_base + memory * MAPPED_BY_PAGE_TABLES,
			      sandbox->address_base + memory * MAPPED_BY_PAGE_TABLES);
	return error_trace(r);
}

int limits_own(const struct sandbox *sandbox) {
	const uint64_t *limits = sandbox->limits;
	int r = 0;

	if (limits[POLICY_DESCRIPTORS] != POLICY_NO_LIMIT)
		r = limit_set(RLIMIT_NOFILE, limits[POLICY_DESCRIPTORS],
			      limits[POLICY_DESCRIPTORS]);
	if (r == 0 && limits[POLICY_FILE_SIZE] != POLICY_NO_LIMIT)
		r = limit_set(RLIMIT_FSIZE, limits[POLICY_FILE_SIZE], limits[POLICY_FILE_SIZE]);
	if (r == 0 && limits[POLICY_CPU] != POLICY_NO_LIMIT) {
		uint64_t seconds = (limits[POLICY_CPU] + NSEC_PER_SEC - 1) / NSEC_PER_SEC;

		r = limit_set(RLIMIT_CPU, seconds, seconds + CPU_GRACE_S);
	}
	if (r == 0 && sandbox->own_user_namespace)
		r = limit_set(RLIMIT_NPROC, limits[POLICY_PROCESSES], limits[POLICY_PROCESSES]);
	if (r == 0 && limits[POLICY_MEMORY] != POLICY_NO_LIMIT &&
	    !sandbox_has(sandbox, LAYER_CGROUP))
		r = limit_memory(sandbox);
	return error_trace(r);
}
