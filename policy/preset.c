/* SPDX-License-Identifier: MIT
 *
 * The only place that says what presets allow. Each is a superset of the one before it, so a larger
 * one can replace a smaller one.
 *
 * Some things are deliberately in none of them: limits of memory, time and processes (no number
 * fits both a compiler and a thumbnail, and a limit of processes makes every fork slower), any file
 * of a user, and any network except the worker's own loopback.
 */
#include "policy/preset.h"

#include <errno.h>
#include <string.h>

#include "proto/calls.h"

#define GROUP(name) (UINT64_C(1) << CALLS_##name)

#define GROUPS_PURE GROUP(BASE)
/* Programs are started, poll for events, and set their own priority. Threads have to be asked for,
 * because sequential programs are easier to stop, to limit and to understand. */
#define GROUPS_STAGE                                                                               \
	(GROUPS_PURE | GROUP(FILES) | GROUP(PROCESSES) | GROUP(EVENTS) | GROUP(SCHEDULING))
/* A test suite brings its own programs: servers on loopback, thread pools, queues. */
#define GROUPS_TESTS (GROUPS_STAGE | GROUP(THREADS) | GROUP(SOCKETS) | GROUP(IPC))

#define FAMILIES_TESTS (POLICY_FAMILY_UNIX | POLICY_FAMILY_INET | POLICY_FAMILY_INET6)

#define SYSTEM_READ(path)                                                                          \
	{ path, POLICY_READ, true }
#define SYSTEM_EXECUTE(path)                                                                       \
	{ path, POLICY_READ | POLICY_EXECUTE, true }
#define SYSTEM_DEVICE(path)                                                                        \
	{ path, POLICY_READ | POLICY_WRITE | POLICY_DEVICE, true }

/* All are optional: a machine may have no /libx32. /opt, /home and /etc as a whole are left out,
 * because they hold files that belong to someone. */
static const struct policy_path system_paths[] = {
	/* programs and their libraries, as a package manager installs them */
	SYSTEM_EXECUTE("/usr"),
	SYSTEM_EXECUTE("/bin"),
	SYSTEM_EXECUTE("/sbin"),
	SYSTEM_EXECUTE("/lib"),
	SYSTEM_EXECUTE("/lib32"),
	SYSTEM_EXECUTE("/lib64"),
	SYSTEM_EXECUTE("/libx32"),
	/* what the loader reads, and which of several programs is meant */
	SYSTEM_READ("/etc/ld.so.cache"),
	SYSTEM_READ("/etc/ld.so.conf"),
	SYSTEM_READ("/etc/ld.so.conf.d"),
	SYSTEM_READ("/etc/alternatives"),
	/* what libc reads: the local time, and user names, which are public */
	SYSTEM_READ("/etc/localtime"),
	SYSTEM_READ("/etc/nsswitch.conf"),
	SYSTEM_READ("/etc/passwd"),
	SYSTEM_READ("/etc/group"),
	/* shows the worker's own pid namespace: itself and its children */
	SYSTEM_READ("/proc"),
	/* devices that have no state to share */
	SYSTEM_DEVICE("/dev/null"),
	SYSTEM_DEVICE("/dev/zero"),
	SYSTEM_DEVICE("/dev/full"),
	SYSTEM_DEVICE("/dev/random"),
	SYSTEM_DEVICE("/dev/urandom"),
};
#define N_SYSTEM_PATHS (sizeof system_paths / sizeof system_paths[0])

/* The language and the time zone; other variables reveal something about the user, or lead
 * somewhere. */
static const char *const environment_pure[] = { "LANG", "LC_ALL", "TZ", NULL };
static const char *const environment_stage[] = { "LANG", "LC_ALL", "PATH", "TERM", "TZ", NULL };

/* What tasks have in flight in sockets counts against the limit of everybody with the same user, and
 * nobody can send descriptors beyond a limit of his own. With half of what hosts usually have, tasks
 * cannot keep the host of another pool from sending any (unix(7), ETOOMANYREFS). */
#define DESCRIPTORS_MOST 512

#define NO_LIMITS                                                                                  \
	[POLICY_WALL] = POLICY_NO_LIMIT, [POLICY_CPU] = POLICY_NO_LIMIT,                           \
	[POLICY_MEMORY] = POLICY_NO_LIMIT, [POLICY_PROCESSES] = POLICY_NO_LIMIT,                   \
	[POLICY_FILE_SIZE] = POLICY_NO_LIMIT, [POLICY_OUTPUT] = POLICY_NO_LIMIT

static const struct preset presets[] = {
	[POLICY_PURE] = {
		.name = "pure",
		.groups = GROUPS_PURE,
		.environment = environment_pure,
		/* enough for its channel and for the files of tasks that bring some */
		.limits = { NO_LIMITS, [POLICY_DESCRIPTORS] = 64,
			    [POLICY_SCRATCH] = POLICY_NO_LIMIT },
		.report = POLICY_REPORT_PATHS,
		/* pure computation has no reason to try: it is a fault or an attack */
		.on_refusal = POLICY_END,
	},
	[POLICY_STAGE] = {
		.name = "stage",
		.groups = GROUPS_STAGE,
		.paths = system_paths,
		.n_paths = N_SYSTEM_PATHS,
		.environment = environment_stage,
		.limits = { NO_LIMITS, [POLICY_DESCRIPTORS] = DESCRIPTORS_MOST,
			    [POLICY_SCRATCH] = POLICY_NO_LIMIT },
		.report = POLICY_REPORT_PATHS,
		/* programs look for files that they can do without */
		.on_refusal = POLICY_CONTINUE,
	},
	[POLICY_TESTS] = {
		.name = "tests",
		.groups = GROUPS_TESTS,
		.families = FAMILIES_TESTS,
		.paths = system_paths,
		.n_paths = N_SYSTEM_PATHS,
		.environment = environment_stage,
		.limits = { NO_LIMITS, [POLICY_DESCRIPTORS] = DESCRIPTORS_MOST,
			    [POLICY_SCRATCH] = UINT64_C(256) << 20 },
		.report = POLICY_REPORT_PATHS,
		.on_refusal = POLICY_CONTINUE,
	},
};

const struct preset *preset_of(enum policy_preset preset) {
	return &presets[preset];
}

int preset_find(const char *name) {
	for (int i = POLICY_PURE; i <= POLICY_TESTS; i++)
		if (strcmp(name, presets[i].name) == 0)
			return i;
	return -ENOENT;
}
