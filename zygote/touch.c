/* SPDX-License-Identifier: MIT
 *
 * A page that more than half of the first workers wrote to counts as usual. Each writes its list
 * into its cell, which only the worker and the executor see otherwise, and the zygote reads it
 * there. The list is not trusted: addresses outside of the frozen ranges are ignored, and the worst
 * that a false one causes is a page copied in vain.
 *
 * Copying ahead uses MADV_POPULATE_WRITE (Linux 5.14), one system call for a run of pages instead
 * of a fault for each.
 */
#include "zygote/touch.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/uninitialized.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void touch_begin(struct touch *touch, const struct freeze *freeze) {
	uintptr_t start, end;

	touch->n_ranges = 0;
	for (size_t i = 0; touch->n_ranges < TOUCH_RANGES; i++) {
		if (!freeze_range(freeze, i, &start, &end))
			break;
		touch->ranges[touch->n_ranges++] = (struct page_run){ start, end };
	}
	touch->wanted = touch->n_ranges > 0;
}

/* --- in a worker --------------------------------------------------------------------------- */

static size_t tell_range(const struct pages *pages, const struct page_run *range, struct cell *cell,
			 size_t n) {
	struct page_run runs[CELL_TOUCHED] uninitialized;
	uintptr_t next = range->start;
	int n_runs = pages_private(pages, range->start, range->end, runs, CELL_TOUCHED - n, &next);

	for (int i = 0; i < n_runs; i++) {
		uintptr_t n_pages = (runs[i].end - runs[i].start) / PAGE_BYTES;

		cell->touched[n++] = cell_touched_pack(runs[i].start / PAGE_BYTES,
						       n_pages < UINT16_MAX ? n_pages : UINT16_MAX);
	}
	return n;
}

void touch_tell(const struct touch *touch, struct cell *cell) {
	struct pages pages;
	size_t n = 0;

	if (!touch_learns(touch) || pages_open(&pages) < 0)
		return;
	for (size_t i = 0; i < touch->n_ranges && n < CELL_TOUCHED; i++)
		n = tell_range(&pages, &touch->ranges[i], cell, n);
	atomic_store(&cell->n_touched, (uint32_t)n);
	pages_close(&pages);
}

void touch_ahead(const struct touch *touch) {
	for (size_t i = 0; i < touch->n_runs; i++)
		(void)madvise((void *)touch->runs[i].start,
			      touch->runs[i].end - touch->runs[i].start, MADV_POPULATE_WRITE);
}

/* --- in the zygote ------------------------------------------------------------------------- */

static bool is_frozen(const struct touch *touch, uintptr_t address) {
	for (size_t i = 0; i < touch->n_ranges; i++)
		if (address >= touch->ranges[i].start && address < touch->ranges[i].end)
			return true;
	return false;
}

static void count_page(struct touch_count *count, uint64_t page) {
	for (size_t i = 0; i < count->n; i++)
		if (count->pages[i] == page) {
			count->hits[i]++;
			return;
		}
	if (count->n == TOUCH_PAGES)
		return;
	count->pages[count->n] = page;
	count->hits[count->n++] = 1;
}

static void add_usual(struct touch *touch, uintptr_t start) {
	if (touch->n_runs > 0 && touch->runs[touch->n_runs - 1].end == start)
		touch->runs[touch->n_runs - 1].end += PAGE_BYTES;
	else if (touch->n_runs < CELL_TOUCHED)
		touch->runs[touch->n_runs++] = (struct page_run){ start, start + PAGE_BYTES };
}

void touch_learn(struct touch *touch, struct touch_count *count, int cells, size_t cell_index) {
	struct cell cell uninitialized;

	if (pread(cells, &cell, sizeof cell, (off_t)(cell_index * CELL_SIZE)) != sizeof cell ||
	    cell.n_touched == 0 || cell.n_touched > CELL_TOUCHED)
		return;
	for (size_t i = 0; i < cell.n_touched; i++) {
		uint64_t page = cell_touched_page(cell.touched[i]);
		unsigned n = cell_touched_n(cell.touched[i]);

		for (unsigned j = 0; j < n && j < TOUCH_PAGES; j++)
			if (is_frozen(touch, (uintptr_t)(page + j) * PAGE_BYTES))
				count_page(count, page + j);
	}
	if (++touch->n_workers < TOUCH_WORKERS)
		return;
	for (size_t i = 0; i < count->n; i++)
		if (count->hits[i] > TOUCH_WORKERS / 2)
			add_usual(touch, (uintptr_t)count->pages[i] * PAGE_BYTES);
}
