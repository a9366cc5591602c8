/* SPDX-License-Identifier: MIT
 *
 * The file is sparse, and each byte lies at the file offset that equals its address. So huge
 * pages are aligned without further work, a block that mremap(2) lets grow reaches into a hole,
 * which is zeroes (or into what is frozen right behind it), and ranges that are neighbours in
 * memory become one mapping.
 *
 * What is copied depends on what the bytes are:
 *
 *     anonymous     the pages that are there; untouched ones stay holes of the file
 *     a file's      all of them, since the new mapping hides that file
 *     frozen        what its image holds, with all writes since then
 *
 * The kernel does the copying (pwrite(2) from the range itself), because it handles a page that is
 * swapped out or that we cannot read without raising a signal.
 */
#include "zygote/copier.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

#define COPIER_RUNS 64

static int copy(struct copier *copier, uintptr_t start, uintptr_t end) {
	while (start < end) {
		ssize_t n = pwrite(copier->memfd, (const void *)start, end - start, (off_t)start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EFAULT)
			return COPIER_E_UNREADABLE;
		if (n <= 0)
			return error_origin(n < 0 ? -errno : -EIO);
		start += (uintptr_t)n;
		copier->copied += (uint64_t)n;
	}
	return 0;
}

static int copy_private(struct copier *copier, uintptr_t start, uintptr_t end) {
	struct page_run runs[COPIER_RUNS];

	while (start < end) {
		int n = pages_private(copier->pages, start, end, runs, COPIER_RUNS, &start);

		if (n < 0)
			return error_trace(n);
		for (int i = 0; i < n; i++) {
			int r = copy(copier, runs[i].start, runs[i].end);

			if (r != 0)
				return r;
		}
	}
	return 0;
}

/* Copies through the mapping and not from the file, so that pages that were written to count. That
 * includes pages in holes, because the kernel adds a page to the file before it copies it. */
static int copy_previous(struct copier *copier, uintptr_t start, uintptr_t end) {
	while (start < end) {
		off_t data = lseek(copier->previous, (off_t)start, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(copier->previous, data, SEEK_HOLE);
		if (hole < 0)
			return error_origin(-errno);
		if ((uintptr_t)data >= end)
			return 0;
		start = (uintptr_t)hole < end ? (uintptr_t)hole : end;
		r = copy(copier, (uintptr_t)data, start);
		if (r != 0)
			return r;
	}
	return 0;
}

static int copy_chunk(struct copier *copier, const struct mapping *mapping, uintptr_t start,
		      uintptr_t end) {
	switch (mapping->kind) {
	case MAPPING_FILE:
		return copy(copier, start, end);
	case MAPPING_FROZEN:
		return copy_previous(copier, start, end);
	case MAPPING_ANONYMOUS:
	case MAPPING_HEAP:
		return copy_private(copier, start, end);
	case MAPPING_STACK:
	case MAPPING_SPECIAL:
		break;
	}
	return error_origin(-EINVAL);
}

static bool is_mapped(uintptr_t start, uintptr_t end) {
	return msync((void *)start, end - start, MS_ASYNC) == 0 || errno != ENOMEM;
}

/* Before Linux 6.12, a failing mmap(2) over a mapping may have removed that mapping. */
int copier_map(int memfd, const struct mapping *mapping, uintptr_t start, uintptr_t end) {
	void *map = mmap((void *)start, end - start, mapping->protection,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, memfd, (off_t)start);
	int r;

	if (map == MAP_FAILED) {
		r = -errno;
		return error_origin(is_mapped(start, end) ? r : -ENOTRECOVERABLE);
	}
	if (mapping->flags & MAPPING_NO_DUMP)
		(void)madvise(map, end - start, MADV_DONTDUMP);
	return 0;
}

int copier_move(struct copier *copier, const struct mapping *mapping, uintptr_t start,
		uintptr_t end) {
	while (start < end) {
		uintptr_t stop = end - start < COPIER_CHUNK ? end : start + COPIER_CHUNK;
		int r = copy_chunk(copier, mapping, start, stop);

		if (r == 0)
			r = copier_map(copier->memfd, mapping, start, stop);
		if (r != 0)
			return r;
		start = stop;
	}
	return 0;
}
