/* SPDX-License-Identifier: MIT
 *
 * A page is private if it is present or swapped out and belongs to no file. On a frozen mapping
 * that means that it was written to since the freeze, so writes need not be tracked.
 *
 * Reading untouched memory maps the zero page. It is left out where the kernel can tell it apart,
 * because a hole reads as zeroes too. /proc/PID/pagemap alone cannot tell; then some pages of
 * zeroes are copied.
 */
#include "zygote/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"

/* <linux/fs.h> of 6.7 */
struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
	uint64_t inverted, all_of, any_of, returned;
};
struct scan_region {
	uint64_t start, end, categories;
};
#define SCAN_PAGEMAP _IOWR('f', 16, struct scan_argument)
#define SCAN_FILE    (1U << 2)
#define SCAN_PRESENT (1U << 3)
#define SCAN_SWAPPED (1U << 4)
#define SCAN_ZERO    (1U << 5)
#define SCAN_GUARD   (1U << 8) /* 6.15 */
#define SCAN_REGIONS 64

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE    (UINT64_C(1) << 61)
#define PAGEMAP_WINDOW  512

static int scan(const struct pages *pages, struct scan_argument *argument) {
	int r = ioctl(pages->pagemap, SCAN_PAGEMAP, argument);

	return r < 0 ? -errno : r;
}

int pages_open(struct pages *pages) {
	struct scan_argument nothing = {
		.size = sizeof nothing,
		.all_of = SCAN_PRESENT,
		.returned = SCAN_PRESENT,
	};

	pages->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pages->pagemap < 0)
		return error_origin(-errno);
	pages->scan = !feature_hidden(FEATURE_PAGEMAP_SCAN) && scan(pages, &nothing) >= 0;
	return 0;
}

void pages_close(struct pages *pages) {
	pages->pagemap = fd_close(pages->pagemap);
}

static int private_by_scan(const struct pages *pages, uintptr_t start, uintptr_t end,
			   struct page_run *runs, size_t n_runs, uintptr_t *ret_next) {
	struct scan_region regions[SCAN_REGIONS];
	struct scan_argument argument = {
		.size = sizeof argument,
		.start = start,
		.end = end,
		.vector = (uintptr_t)regions,
		.vector_length = n_runs < SCAN_REGIONS ? n_runs : SCAN_REGIONS,
		.inverted = SCAN_FILE | SCAN_ZERO,
		.all_of = SCAN_FILE | SCAN_ZERO,
		.any_of = SCAN_PRESENT | SCAN_SWAPPED,
		.returned = SCAN_FILE, /* one value for all, so that neighbours become one region */
	};
	int n = scan(pages, &argument);

	if (n < 0)
		return error_origin(n);
	for (int i = 0; i < n; i++)
		runs[i] = (struct page_run){ regions[i].start, regions[i].end };
	*ret_next = argument.walk_end;
	return n;
}

static bool is_private(uint64_t entry) {
	return entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED) && !(entry & PAGEMAP_FILE);
}

static int private_by_reading(const struct pages *pages, uintptr_t start, uintptr_t end,
			      struct page_run *runs, size_t n_runs, uintptr_t *ret_next) {
	uint64_t window[PAGEMAP_WINDOW];
	size_t n = 0;

	while (start < end) {
		size_t count = (end - start) / PAGE_BYTES;
		ssize_t size;

		if (count > PAGEMAP_WINDOW)
			count = PAGEMAP_WINDOW;
		size = pread(pages->pagemap, window, count * sizeof window[0],
			     (off_t)(start / PAGE_BYTES * sizeof window[0]));
		if (size < (ssize_t)sizeof window[0])
			return error_origin(size < 0 ? -errno : -EIO);
		for (size_t i = 0; i < (size_t)size / sizeof window[0]; i++, start += PAGE_BYTES) {
			if (!is_private(window[i]))
				continue;
			if (n > 0 && runs[n - 1].end == start) {
				runs[n - 1].end += PAGE_BYTES;
				continue;
			}
			if (n == n_runs) {
				*ret_next = start;
				return (int)n;
			}
			runs[n++] = (struct page_run){ start, start + PAGE_BYTES };
		}
	}
	*ret_next = end;
	return (int)n;
}

int pages_private(const struct pages *pages, uintptr_t start, uintptr_t end, struct page_run *runs,
		  size_t n_runs, uintptr_t *ret_next) {
	if (pages->scan)
		return private_by_scan(pages, start, end, runs, n_runs, ret_next);
	return private_by_reading(pages, start, end, runs, n_runs, ret_next);
}

bool pages_have_guard(const struct pages *pages, uintptr_t start, uintptr_t end) {
	struct scan_region region;
	struct scan_argument argument = {
		.size = sizeof argument,
		.start = start,
		.end = end,
		.vector = (uintptr_t)&region,
		.vector_length = 1,
		.all_of = SCAN_GUARD,
		.returned = SCAN_GUARD,
	};

	return pages->scan && scan(pages, &argument) > 0;
}
