/* SPDX-License-Identifier: MIT
 *
 * The switch that hides kernel features, so that the paths for older kernels are tested on newer
 * ones. Only the switch lives here. Callers find out whether the kernel has a feature by using it,
 * because a version number says nothing about a sandbox that forbids the call.
 */
#include "base/feature.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	bool after_floor; /* "linux-6.1" hides it too */
} features[FEATURE_COUNT] = {
	[FEATURE_MEMFD_NOEXEC] = { "memfd_noexec", true },
	[FEATURE_PAGEMAP_SCAN] = { "pagemap_scan", true },
	[FEATURE_COLLAPSE] = { "collapse", false }, /* depends on the kernel's configuration */
	[FEATURE_SYSCALL_DISPATCH] = { "syscall_dispatch", false },
	/* depend on configuration, privileges and containers */
	[FEATURE_LANDLOCK] = { "landlock", false },
	[FEATURE_LANDLOCK_NEW] = { "landlock:2", true },
	[FEATURE_USERNS] = { "userns", false },
	[FEATURE_MOUNT_VIEW] = { "mount_view", false },
	[FEATURE_CGROUP] = { "cgroup", false },
	[FEATURE_SECCOMP] = { "seccomp", false },
	[FEATURE_DUPFD_QUERY] = { "dupfd_query", true },
	[FEATURE_MSEAL] = { "mseal", true },
	[FEATURE_PIDFD_INFO] = { "pidfd_info", true },
	/* depends on the kernel's configuration */
	[FEATURE_PROC_CHILDREN] = { "proc_children", false },
};

#define PARSED (1u << 31)
_Static_assert(FEATURE_COUNT < 31, "one bit for each feature, one for PARSED");

static bool word_is(const char *word, size_t length, const char *name) {
	return strlen(name) == length && !memcmp(word, name, length);
}

static unsigned word_mask(const char *word, size_t length) {
	bool floor = word_is(word, length, "linux-6.1");
	unsigned mask = 0;

	for (unsigned i = 0; i < FEATURE_COUNT; i++)
		if ((floor && features[i].after_floor) || word_is(word, length, features[i].name))
			mask |= 1u << i;
	return mask;
}

/* Unknown words are ignored: they name features of other versions of this library. */
static unsigned parse(const char *words) {
	unsigned mask = PARSED;

	while (words && *words) {
		size_t length = strcspn(words, ",");

		mask |= word_mask(words, length);
		words += length;
		words += *words == ',';
	}
	return mask;
}

bool feature_hidden(enum feature feature) {
	static _Atomic unsigned hidden; /* if two threads parse at once, they get the same result */
	unsigned mask = atomic_load_explicit(&hidden, memory_order_relaxed);

	if (!mask) {
		mask = parse(getenv("WF_ABSENT"));
		atomic_store_explicit(&hidden, mask, memory_order_relaxed);
	}
	return mask & 1u << (unsigned)feature;
}

const char *feature_name(enum feature feature) {
	return (unsigned)feature < FEATURE_COUNT ? features[feature].name : "unknown";
}
