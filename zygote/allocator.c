/* SPDX-License-Identifier: MIT
 *
 * An allocator is known by a function that only it exports. jemalloc can be told: pages that decay "never"
 * are not purged. The others that are listed keep a note of which pages they have purged and take
 * them for zeroes in calloc(), and have no switch that can still be thrown when they run.
 */
#include "zygote/allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"

typedef int (*mallctl_function)(const char *name, void *old, size_t *old_size, void *new,
				size_t new_size);

static const struct {
	const char *symbol, *name;
} others[] = {
	{ "mi_malloc", "mimalloc" },
	{ "MallocExtension_ReleaseFreeMemory", "tcmalloc" },
	{ "TCMalloc_Internal_GetNumericProperty", "tcmalloc" },
	{ "rpmalloc", "rpmalloc" },
	{ "je_scudo_malloc", "scudo" },
};

/* For arenas that come later, and for all that are there (MALLCTL_ARENAS_ALL is 4096). */
static int jemalloc_never_purges(mallctl_function mallctl) {
	static const char *const names[] = {
		"arenas.dirty_decay_ms",
		"arenas.muzzy_decay_ms",
	};
	size_t n_size = sizeof(unsigned);
	unsigned n_arenas = 0;
	ssize_t never = -1;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (mallctl(names[i], NULL, NULL, &never, sizeof never) != 0)
			return error_origin(-EBUSY);
	if (mallctl("arenas.narenas", &n_arenas, &n_size, NULL, 0) != 0)
		return error_origin(-EBUSY);
	for (unsigned i = 0; i < n_arenas; i++)
		for (size_t kind = 0; kind < 2; kind++) {
			char name[64];

			(void)snprintf(name, sizeof name, "arena.%u.%s_decay_ms", i,
				       kind == 0 ? "dirty" : "muzzy");
			/* an arena that has not been made yet takes the default of above */
			(void)mallctl(name, NULL, NULL, &never, sizeof never);
		}
	return 0;
}

int allocator_prepare(char *text, size_t size) {
	mallctl_function mallctl;

	/* ISO C has no conversion from dlsym()'s void pointer to a function's. */
	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (mallctl && jemalloc_never_purges(mallctl) < 0) {
		(void)snprintf(text, size,
			       "the image uses jemalloc, which cannot be told not to give pages "
			       "back: it takes them for zeroes, and finds the image");
		return error_origin(-EBUSY);
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (!dlsym(RTLD_DEFAULT, others[i].symbol))
			continue;
		(void)snprintf(text, size,
			       "the image uses %s, which gives pages back and may take them for "
			       "zeroes: in frozen memory it would find the image; use the C "
			       "library's allocator",
			       others[i].name);
		return error_origin(-EBUSY);
	}
	return 0;
}
