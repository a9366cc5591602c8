/* SPDX-License-Identifier: MIT
 *
 * Which pages of a mapping belong to this process alone: neither its file's, nor never touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES ((uintptr_t)4096) /* x86-64 */

struct page_run {
	uintptr_t start, end;
};

/* Where the kernel has PAGEMAP_SCAN (6.7) a question costs what is there; before that eight bytes are read for
 * each page of a range. */
struct pages {
	int pagemap; /* /proc/self/pagemap */
	bool scan;   /* the kernel has PAGEMAP_SCAN */
};

int pages_open(struct pages *pages);
void pages_close(struct pages *pages);
/* How many runs were filled, from the lowest address; *ret_next is where to go on (end: all seen).
 * -errno. */
int pages_private(const struct pages *pages, uintptr_t start, uintptr_t end, struct page_run *runs,
		  size_t n_runs, uintptr_t *ret_next);
/* Is there a guard region (MADV_GUARD_INSTALL, 6.13) in it? Asked of kernels that can tell (6.15).
 */
bool pages_have_guard(const struct pages *pages, uintptr_t start, uintptr_t end);
