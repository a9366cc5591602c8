/* SPDX-License-Identifier: MIT
 *
 * A doubly linked list through its elements; the head is a node too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *next, *previous; /* NULL: in no list */
};

static inline void list_init(struct list_node *head) {
	head->next = head->previous = head;
}

static inline bool list_is_empty(const struct list_node *head) {
	return head->next == head;
}

static inline bool list_node_is_linked(const struct list_node *link) {
	return link->next;
}

static inline void list_insert(struct list_node *before, struct list_node *link) {
	link->next = before;
	link->previous = before->previous;
	before->previous->next = link;
	before->previous = link;
}

static inline void list_append(struct list_node *head, struct list_node *link) {
	list_insert(head, link);
}

static inline void list_prepend(struct list_node *head, struct list_node *link) {
	list_insert(head->next, link);
}

/* Does nothing if it is in no list. */
static inline void list_remove(struct list_node *link) {
	if (!link->next)
		return;
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = link->previous = NULL;
}

/* Moves all elements of `from` to the end of `head`. */
static inline void list_take(struct list_node *head, struct list_node *from) {
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
	for (struct list_node *cursor = (head)->next, *after = cursor->next; cursor != (head);     \
	     cursor = after, after = after->next)
