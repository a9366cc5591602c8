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
	struct backoff launch; /* of keeper and zygotes */
	struct timer launch_timer;
};

void succession_init(struct succession *succession, struct generations *generations,
		     struct keeper *keeper, struct pool *pool);

/* Does what follows from all that has happened to generations; frees those that are gone. True:
 * something has changed, which may be news for workers. */
bool succession_settle(struct succession *succession);
/* Starts keeper and zygote if there is none and one is wanted. */
void succession_plan(struct succession *succession);
/* One image after another, and no keeper beside what is left of the one before. */
bool succession_may_start(const struct succession *succession);
/* Starts what is not there of keeper and zygote, where it may. 0 or -errno. */
int succession_start(struct succession *succession);
