/* SPDX-License-Identifier: MIT
 *
 * The pages of a frozen image that tasks usually write to, copied ahead by workers that have nothing to do
 * yet (options.touch_ahead).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/cell.h"
#include "zygote/freeze.h"
#include "zygote/pages.h"

#define TOUCH_RANGES  64  /* of the image, the first ones: there is seldom more */
#define TOUCH_PAGES   512 /* that are counted */
#define TOUCH_WORKERS 8   /* whose tasks are looked at */

/* Inherited by workers. */
struct touch {
	bool wanted;
	struct page_run ranges[TOUCH_RANGES];
	size_t n_ranges;
	unsigned n_workers; /* that have told; TOUCH_WORKERS: it is known what is usual */
	struct page_run runs[CELL_TOUCHED];
	size_t n_runs;
};

/* In the zygote's own memory. */
struct touch_count {
	uint64_t pages[TOUCH_PAGES];
	uint8_t hits[TOUCH_PAGES];
	size_t n;
};

/* In the zygote: once the image is frozen. */
void touch_begin(struct touch *touch, const struct freeze *freeze);
static inline bool touch_learns(const struct touch *touch) {
	return touch->wanted && touch->n_workers < TOUCH_WORKERS;
}
/* In a fresh worker that has done its task: writes what it touched into its cell. */
void touch_tell(const struct touch *touch, struct cell *cell);
/* In the zygote, when that worker has ended. */
void touch_learn(struct touch *touch, struct touch_count *count, int cells, size_t cell_index);
/* In a fresh worker that is about to be parked. */
void touch_ahead(const struct touch *touch);
