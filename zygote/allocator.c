/* SPDX-License-Identifier: MIT
 *
 * An allocator is recognized by a function that only it exports. These allocators keep track of the
 * pages that they have given back, and calloc() assumes that those are zero. None of them can be
 * told not to once it runs. jemalloc's decay times do not help: its large calloc() clears with
 * MADV_DONTNEED whatever they are set to.
 */
#include "zygote/allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* Searching the global scope is not enough: a module's own libraries are local to it
 * (RTLD_LOCAL). */
struct search {
	const char *found;
};

static int search_object(struct dl_phdr_info *info, size_t size, void *context) {
	struct search *search = context;
	void *object = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);

	(void)size;
	for (size_t i = 0; object && i < sizeof allocators / sizeof allocators[0]; i++)
		if (dlsym(object, allocators[i].symbol))
			search->found = allocators[i].name;
	if (object)
		(void)dlclose(object);
	return search->found != NULL;
}

/* A program that an allocator is linked into exports malloc(), because its libraries need it. */
static bool malloc_is_the_library_s(void) {
	Dl_info malloc_info, library_info;

	return dladdr((void *)(uintptr_t)malloc, &malloc_info) == 0 ||
	       dladdr((void *)(uintptr_t)getpid, &library_info) == 0 ||
	       malloc_info.dli_fbase == library_info.dli_fbase;
}

int allocator_check(char *text, size_t size) {
	struct search search = { .found = NULL };

	(void)dl_iterate_phdr(search_object, &search);
	if (!search.found && malloc_is_the_library_s())
		return 0;
	(void)snprintf(text, size,
		       "the image uses %s, which may give pages back and then expect zeroes in "
		       "them, but frozen memory would show what the image had there; use the C "
		       "library's allocator",
		       search.found ? search.found : "an allocator of its own");
	return error_origin(-EBUSY);
}
