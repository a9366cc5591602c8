/* SPDX-License-Identifier: MIT
 *
 * MADV_COLLAPSE is the way to huge pages that does not depend on the administrator's settings: by
 * default memfds get none. It rejects a range without any pages, so one byte is written first. In
 * fragmented memory the kernel moves pages to find 2 MiB, which may take milliseconds.
 */
#include "base/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/feature.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define MEMORY_SLOW_NS ((nsec_t)1000000)

void *memory_map(int fd, size_t size, int protection, int flags, off_t offset) {
	uintptr_t room, start, wanted = (uintptr_t)offset % MEMORY_HUGE;
	void *reserve, *map;

	if (size < MEMORY_HUGE)
		return mmap(NULL, size, protection, flags, fd, offset);
	reserve = mmap(NULL, size + MEMORY_HUGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserve == MAP_FAILED)
		return reserve;
	room = (uintptr_t)reserve;
	start = room + (wanted + MEMORY_HUGE - room % MEMORY_HUGE) % MEMORY_HUGE;
	map = mmap((void *)start, size, protection, flags | MAP_FIXED, fd, offset);
	if (map == MAP_FAILED) {
		int saved = errno;

		(void)munmap(reserve, size + MEMORY_HUGE);
		errno = saved;
		return map;
	}
	if (start > room)
		(void)munmap(reserve, start - room);
	size = (size + 4095) & ~(size_t)4095;
	(void)munmap((void *)(start + size), room + MEMORY_HUGE - start);
	return map;
}

int memory_make_huge(int fd, void *address, off_t offset) {
	nsec_t before = clock_now();

	if (feature_hidden(FEATURE_COLLAPSE))
		return error_origin(-EOPNOTSUPP);
	if (pwrite(fd, "", 1, offset) != 1 || madvise(address, MEMORY_HUGE, MADV_COLLAPSE) < 0)
		return error_origin(-errno);
	return clock_now() - before > MEMORY_SLOW_NS ? -ETIME : 0;
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer looks for pointers in what it has allocated itself. */
void *memory_new_sparse(size_t size) {
	return calloc(1, size);
}

void memory_free_sparse(void *memory, size_t size) {
	(void)size;
	free(memory);
}
#else
void *memory_new_sparse(size_t size) {
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void memory_free_sparse(void *memory, size_t size) {
	if (memory)
		(void)munmap(memory, size);
}
#endif
