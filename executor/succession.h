/* SPDX-License-Identifier: MIT
 *
 * Which generation is the newest, what becomes of one whose zygote has ended, and when keeper and
 * zygote are started again.
 */
#pragma once

#include "executor/backoff.h"
#include "executor/keeper_link.h"
#include "executor/pool.h"

struct succession {
	struct engine *engine;
	struct generations *generations;
	struct keeper *keeper;
	struct pool *pool;
	struct backoff launch; /* for starts of keeper and zygotes */
	struct timer launch_timer;
	int program; /* of kind self: what zygotes are started from until the next reload; -1 */
};

void succession_init(struct succession *succession, struct generations *generations,
		     struct keeper *keeper, struct pool *pool);

/* Under the lock: takes over `program`. */
void succession_set_program(struct succession *succession, int program);

/* Acts on everything that has happened to generations; frees those that are gone. Returns true if
 * something has changed, which may affect workers. */
bool succession_settle(struct succession *succession);
/* Starts keeper and zygote if they are missing and wanted. */
void succession_plan(struct succession *succession);
/* May an image be loaded? Only one at a time, and no keeper is started beside the rest of
 * another. */
bool succession_may_start(const struct succession *succession);
/* Starts keeper and zygote if they are missing and may be started. Returns 0 or -errno. */
int succession_start(struct succession *succession);
