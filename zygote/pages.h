/* SPDX-License-Identifier: MIT
 *
 * Finds the pages of a mapping that belong to this process alone: neither its file's nor untouched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES ((uintptr_t)4096) /* x86-64 */

struct page_run {
	uintptr_t start, end;
};

/* With PAGEMAP_SCAN (Linux 6.7) the cost of a query depends on the pages that are present; before
 * that, eight bytes are read for each page of a range. */
struct pages {
	int pagemap; /* /proc/self/pagemap */
	bool scan;   /* the kernel has PAGEMAP_SCAN */
};

int pages_open(struct pages *pages);
void pages_close(struct pages *pages);
/* Returns how many runs were filled, from the lowest address, or -errno. *ret_next is where to go
 * on, or `end`. */
int pages_private(const struct pages *pages, uintptr_t start, uintptr_t end, struct page_run *runs,
		  size_t n_runs, uintptr_t *ret_next);
/* Tells whether there is a guard region (MADV_GUARD_INSTALL, Linux 6.13) in the range. Only kernels
 * from 6.15 on can tell. */
bool pages_have_guard(const struct pages *pages, uintptr_t start, uintptr_t end);
