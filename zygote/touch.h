/* SPDX-License-Identifier: MIT
 *
 * Finds the pages of a frozen image that tasks usually write to, and has idle workers copy them
 * ahead (options.touch_ahead).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/cell.h"
#include "zygote/freeze.h"
#include "zygote/pages.h"

#define TOUCH_RANGES  64  /* the first ones of the image; there are seldom more */
#define TOUCH_PAGES   512 /* the most that are counted */
#define TOUCH_WORKERS 8   /* whose tasks are looked at */

/* Inherited by workers. */
struct touch {
	bool wanted;
	struct page_run ranges[TOUCH_RANGES];
	size_t n_ranges;
	unsigned n_workers; /* that have reported; the usual is known at TOUCH_WORKERS */
	struct page_run runs[CELL_TOUCHED];
	size_t n_runs;
};

/* Lies in the zygote's own memory. */
struct touch_count {
	uint64_t pages[TOUCH_PAGES];
	uint8_t hits[TOUCH_PAGES];
	size_t n;
};

/* Called in the zygote once the image is frozen. */
void touch_begin(struct touch *touch, const struct freeze *freeze);
static inline bool touch_learns(const struct touch *touch) {
	return touch->wanted && touch->n_workers < TOUCH_WORKERS;
}
/* Called in a fresh worker that has run its task: writes what it touched into its cell. */
void touch_tell(const struct touch *touch, struct cell *cell);
/* Called in the zygote when that worker has ended. */
void touch_learn(struct touch *touch, struct touch_count *count, int cells, size_t cell_index);
/* Called in a fresh worker that is about to be parked. */
void touch_ahead(const struct touch *touch);
