/* SPDX-License-Identifier: MIT
 *
 * An allocator is known by a function that only it exports. They keep a note of which pages they have
 * given back, and take those for zeroes in calloc(); none of them can be told not to once it runs.
 * jemalloc's decay times are no help: its large calloc() clears by MADV_DONTNEED whatever they are.
 */
#include "zygote/allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "base/error.h"

static const struct {
	const char *symbol, *name;
} allocators[] = {
	{ "mallctl", "jemalloc" },
	{ "mi_malloc", "mimalloc" },
	{ "MallocExtension_ReleaseFreeMemory", "tcmalloc" },
	{ "TCMalloc_Internal_GetNumericProperty", "tcmalloc" },
	{ "rpmalloc", "rpmalloc" },
	{ "je_scudo_malloc", "scudo" },
};

int allocator_check(char *text, size_t size) {
	for (size_t i = 0; i < sizeof allocators / sizeof allocators[0]; i++) {
		if (!dlsym(RTLD_DEFAULT, allocators[i].symbol))
			continue;
		(void)snprintf(text, size,
			       "the image uses %s, which gives pages back and takes them for "
			       "zeroes: in frozen memory it would find the image; use the C "
			       "library's allocator",
			       allocators[i].name);
		return error_origin(-EBUSY);
	}
	return 0;
}
