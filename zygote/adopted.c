/* SPDX-License-Identifier: MIT
 *
 * A plain array is enough: it is empty unless a zygote has died, and then a few thousand entries
 * are searched once for each worker that ends.
 */
#include "zygote/adopted.h"

struct adopted *adopted_find(struct adopted_list *list, pid_t pid) {
	for (size_t i = 0; i < list->n; i++)
		if (list->entries[i].pid == pid)
			return &list->entries[i];
	return NULL;
}

bool adopted_add(struct adopted_list *list, pid_t pid) {
	if (adopted_find(list, pid))
		return true;
	if (list->n == ADOPTED_MAX)
		return false;
	list->entries[list->n++] = (struct adopted){ .pid = pid, .report = CHILD_RUNS };
	return true;
}

void adopted_remove(struct adopted_list *list, struct adopted *entry) {
	*entry = list->entries[--list->n];
}
