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
	pid_t pid;               /* 0: free */
	int32_t next;            /* in its chain, or of the free ones; -1: none */
	enum child_state report; /* not sent yet: it has stopped or gone on; else CHILD_RUNS */
};

struct table {
	size_t n;
	size_t n_used; /* entries that are, or have been, in use: the first ones */
	int32_t free;
	int32_t chains[TABLE_CHAINS];
	struct table_entry entries[LIMIT_WORKERS];
};

void table_init(struct table *table);
bool table_is_full(const struct table *table);
/* It must not be full. */
void table_add(struct table *table, pid_t pid, uint64_t worker_id, uint32_t cell);
/* NULL: no worker. */
struct table_entry *table_find(struct table *table, pid_t pid);
/* One after the other, round and round: *at says where. NULL: there is none. */
struct table_entry *table_next(struct table *table, size_t *at);
void table_remove(struct table *table, struct table_entry *entry);
