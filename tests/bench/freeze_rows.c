/* SPDX-License-Identifier: MIT
 *
 * fork, exit and reap, seen by processes with and without an image, frozen and not. Timed in all of
 * them: fork(), _exit(0) in the child and waitid(), one child at a time, all on one CPU. Each
 * kind of process forks for a few milliseconds, then it is the next one's turn.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "raw.h"
#include "rows.h"
#include "zygote/collapse.h"
#include "zygote/freeze.h"

#define FORKS          100
#define FORKS_UNFROZEN 5 /* each of them takes long */
#define TURNS          5
#define PAGE           4096
#define DIRTY_PAGES    16

struct shape {
	size_t bytes; /* of the image */
	bool frozen, collapsed;
	size_t dirty; /* pages, written to after the freeze */
};

static char *build(size_t size) {
	char *image = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (image == MAP_FAILED)
		measure_die("no memory for an image of %zu bytes", size);
	memset(image, 0x5a, size);
	return image;
}

static struct freeze *freeze_all(void) {
	struct freeze *freeze = freeze_new();

	if (!freeze)
		measure_die("no memory to freeze the image");
	if (freeze_run(freeze) < 0 || freeze_settle(freeze) < 0)
		measure_die("%s", freeze_text(freeze));
	return freeze;
}

/* In the process that is going to fork. */
static void take_shape(void *argument) {
	const struct shape *shape = argument;
	struct freeze *freeze = NULL;
	char *image = build(shape->bytes);

	if (shape->frozen)
		freeze = freeze_all();
	if (shape->collapsed)
		(void)collapse_file(freeze_file(freeze));
	srandom(1);
	for (size_t i = 0; i < shape->dirty; i++)
		image[(size_t)random() % (shape->bytes / PAGE) * PAGE] = 1;
}

struct pair {
	struct raw_forker ours, reference;
	int forks_ours, forks_reference;
};

static void *pair_open(const struct shape *ours, const struct shape *reference) {
	struct pair *pair = measure_allocate(sizeof *pair);
	struct shape shape = *ours;

	pair->forks_ours = pair->forks_reference = FORKS;
	raw_forker_start(&pair->ours, measure_cpu_main(), take_shape, &shape);
	if (reference) {
		shape = *reference;
		pair->forks_reference = FORKS_UNFROZEN;
	}
	raw_forker_start(&pair->reference, measure_cpu_main(), reference ? take_shape : NULL,
			 &shape);
	/* an answer says that the process is there */
	(void)raw_forker_median(&pair->ours, 1);
	(void)raw_forker_median(&pair->reference, 1);
	return pair;
}

static void pair_round(void *state) {
	struct pair *pair = state;

	for (int i = 0; i < TURNS; i++) {
		measure_emit("ours", raw_forker_median(&pair->ours, pair->forks_ours));
		measure_emit("reference",
			     raw_forker_median(&pair->reference, pair->forks_reference));
	}
}

static void pair_close(void *state) {
	struct pair *pair = state;

	raw_forker_stop(&pair->ours);
	raw_forker_stop(&pair->reference);
	free(pair);
}

static void *fork_frozen_4g_open(bool quick) {
	const struct shape large = { .bytes = quick ? MEASURE_GIB : 4 * MEASURE_GIB,
				     .frozen = true };

	return pair_open(&large, NULL);
}

const struct row fork_frozen_4g = {
	"fork_frozen_4g",
	fork_frozen_4g_open,
	pair_round,
	pair_close,
};

static void *fork_unfrozen_1g_open(bool quick) {
	const struct shape frozen = { .bytes = MEASURE_GIB, .frozen = true };
	const struct shape unfrozen = { .bytes = MEASURE_GIB };

	(void)quick;
	return pair_open(&frozen, &unfrozen);
}

const struct row fork_unfrozen_1g = {
	"fork_unfrozen_1g",
	fork_unfrozen_1g_open,
	pair_round,
	pair_close,
};

static void *fork_dirty16_1g_open(bool quick) {
	const struct shape dirty = {
		.bytes = MEASURE_GIB,
		.frozen = true,
		.collapsed = true,
		.dirty = DIRTY_PAGES,
	};

	(void)quick;
	return pair_open(&dirty, NULL);
}

const struct row fork_dirty16_1g = {
	"fork_dirty16_1g",
	fork_dirty16_1g_open,
	pair_round,
	pair_close,
};
