/* SPDX-License-Identifier: MIT
 *
 * The workers of dead zygotes that the executor wants to keep.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/limits.h"
#include "zygote/child.h"

#define ADOPTED_MAX ((size_t)LIMIT_KEEPER_ZYGOTES * LIMIT_WORKERS)

struct adopted {
	pid_t pid;
	enum child_state report; /* not sent yet: it has stopped or gone on; else CHILD_RUNS */
};

struct adopted_list {
	size_t n;
	struct adopted entries[ADOPTED_MAX];
};

/* NULL if it is in no Keep. */
struct adopted *adopted_find(struct adopted_list *list, pid_t pid);
/* False if there is no room. */
bool adopted_add(struct adopted_list *list, pid_t pid);
/* The last entry takes its place. */
void adopted_remove(struct adopted_list *list, struct adopted *entry);
