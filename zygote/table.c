/* SPDX-License-Identifier: MIT
 *
 * A chained hash in memory of fixed size, because the zygote calls no malloc once it serves.
 * Entries are taken from the front, so that a small pool dirties little memory.
 */
#include "zygote/table.h"

#include "base/error.h"

#define CHAIN(pid) ((size_t)(pid) % TABLE_CHAINS)

void table_init(struct table *table) {
	table->n = table->n_used = 0;
	table->free = -1;
	for (size_t i = 0; i < TABLE_CHAINS; i++)
		table->chains[i] = -1;
}

bool table_is_full(const struct table *table) {
	return table->n == LIMIT_WORKERS;
}

static int32_t entry_take(struct table *table) {
	int32_t index = table->free;

	if (index < 0)
		return (int32_t)table->n_used++;
	table->free = table->entries[index].next;
	return index;
}

void table_add(struct table *table, pid_t pid, uint64_t worker_id, uint32_t cell) {
	int32_t index, *chain = &table->chains[CHAIN(pid)];

	must(!table_is_full(table));
	index = entry_take(table);
	table->entries[index] = (struct table_entry){
		.worker_id = worker_id,
		.cell = cell,
		.pid = pid,
		.next = *chain,
		.report = CHILD_RUNS,
	};
	*chain = index;
	table->n++;
}

struct table_entry *table_find(struct table *table, pid_t pid) {
	for (int32_t i = table->chains[CHAIN(pid)]; i >= 0; i = table->entries[i].next)
		if (table->entries[i].pid == pid)
			return &table->entries[i];
	return NULL;
}

struct table_entry *table_next(struct table *table, size_t *at) {
	for (size_t i = 0; i < table->n_used; i++) {
		struct table_entry *entry = &table->entries[(*at)++ % table->n_used];

		if (entry->pid != 0)
			return entry;
	}
	return NULL;
}

void table_remove(struct table *table, struct table_entry *entry) {
	int32_t index = (int32_t)(entry - table->entries);
	int32_t *link = &table->chains[CHAIN(entry->pid)];

	while (*link != index)
		link = &table->entries[*link].next;
	*link = entry->next;
	entry->pid = 0;
	entry->next = table->free;
	table->free = index;
	table->n--;
}
