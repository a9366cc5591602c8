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
	enum child_state report; /* CHILD_STOPPED or CHILD_WENT_ON until sent; else CHILD_RUNS */
};

struct adopted_list {
	size_t n;
	struct adopted entries[ADOPTED_MAX];
};

/* NULL if no Keep has named it. */
struct adopted *adopted_find(struct adopted_list *list, pid_t pid);
/* Returns false if there is no room. */
bool adopted_add(struct adopted_list *list, pid_t pid);
/* Moves the last entry into its place. */
void adopted_remove(struct adopted_list *list, struct adopted *entry);
