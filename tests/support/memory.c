/* SPDX-License-Identifier: MIT
 *
 * Memory as the tests of the freeze make it and look at it.
 */
#include "tests/support/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* since Linux 6.13 */
#endif

unsigned char *memory_region(size_t n_pages, int protection) {
	unsigned char *all = mmap(NULL, (n_pages + 2) * PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char *region;

	if (all == MAP_FAILED)
		return NULL;
	region = mmap(all + PAGE, n_pages * PAGE, protection,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return region == MAP_FAILED ? NULL : region;
}

struct search {
	uintptr_t address;
	struct mapping found;
};

static void search(void *context, const struct mapping *mapping) {
	struct search *search = context;

	if (search->address >= mapping->start && search->address < mapping->end)
		search->found = *mapping;
}

struct mapping memory_at(const void *address) {
	struct search wanted = {
		.address = (uintptr_t)address,
		.found = { .protection = -1, .kind = (enum mapping_kind) - 1, .flags = ~0U },
	};

	(void)mapping_each(search, &wanted);
	return wanted.found;
}

/* The kernel reads it: EFAULT is its answer, where ours would be a signal. */
bool memory_is_readable(const void *address) {
	int ends[2];
	bool done;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	done = write(ends[1], address, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return done;
}

bool memory_guard(void *memory, size_t size) {
	return madvise(memory, size, MADV_GUARD_INSTALL) == 0;
}

/* PAGEMAP_SCAN of <linux/fs.h>, asked for a category that older kernels refuse. */
bool memory_guard_is_told(void) {
	const uint64_t guard = UINT64_C(1) << 8;
	struct {
		uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
		uint64_t inverted, all_of, any_of, returned;
	} argument = { .size = sizeof argument, .all_of = guard, .returned = guard };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return false;
	r = ioctl(fd, _IOWR('f', 16, argument), &argument);
	close(fd);
	return r >= 0;
}
