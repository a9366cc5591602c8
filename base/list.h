/* SPDX-License-Identifier: MIT
 *
 * A doubly linked list through its elements; the head is a link too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *previous; /* NULL: in no list */
};

static inline void list_init(struct link *head) {
	head->next = head->previous = head;
}

static inline bool list_is_empty(const struct link *head) {
	return head->next == head;
}

static inline bool link_is_linked(const struct link *link) {
	return link->next;
}

static inline void list_insert(struct link *before, struct link *link) {
	link->next = before;
	link->previous = before->previous;
	before->previous->next = link;
	before->previous = link;
}

static inline void list_append(struct link *head, struct link *link) {
	list_insert(head, link);
}

static inline void list_prepend(struct link *head, struct link *link) {
	list_insert(head->next, link);
}

/* Does nothing if it is in no list. */
static inline void list_remove(struct link *link) {
	if (!link->next)
		return;
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = link->previous = NULL;
}

/* Moves all elements of `from` to the end of `head`. */
static inline void list_take(struct link *head, struct link *from) {
	if (list_is_empty(from))
		return;
	from->next->previous = head->previous;
	head->previous->next = from->next;
	from->previous->next = head;
	head->previous = from->previous;
	list_init(from);
}

#define list_first(head, type, member) container_of((head)->next, type, member)
#define list_foreach_safe(cursor, after, head)                                                     \
	for (struct link *cursor = (head)->next, *after = cursor->next; cursor != (head);          \
	     cursor = after, after = after->next)
