/* SPDX-License-Identifier: MIT
 *
 * The zygote's living workers, found by pid.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/limits.h"
#include "zygote/child.h"

#define TABLE_CHAINS 1024

struct table_entry {
	uint64_t worker_id;
	uint32_t cell;
	pid_t pid;               /* 0 if free */
	int32_t next;            /* in its chain or in the list of free entries; -1 for none */
	enum child_state report; /* CHILD_STOPPED or CHILD_WENT_ON until sent; else CHILD_RUNS */
};

struct table {
	size_t n;
	size_t n_used; /* entries from the first one on that are, or have been, in use */
	int32_t free;
	int32_t chains[TABLE_CHAINS];
	struct table_entry entries[LIMIT_WORKERS];
};

void table_init(struct table *table);
bool table_is_full(const struct table *table);
/* The table must not be full. */
void table_add(struct table *table, pid_t pid, uint64_t worker_id, uint32_t cell);
/* NULL if the pid is no worker's. */
struct table_entry *table_find(struct table *table, pid_t pid);
/* Goes round the entries; *at keeps the place. NULL if the table is empty. */
struct table_entry *table_next(struct table *table, size_t *at);
void table_remove(struct table *table, struct table_entry *entry);
