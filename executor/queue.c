/* SPDX-License-Identifier: MIT
 *
 * Thirty-two levels and a bitmap: there is no heap to sift and no memory to shrink.
 */
#include "executor/queue.h"

static unsigned level_of(int priority) {
	return (unsigned)(priority - WF_PRIORITY_MIN);
}

void queue_init(struct queue *queue) {
	*queue = (struct queue){ .size = 0 };
	for (unsigned i = 0; i < QUEUE_LEVELS; i++)
		list_init(&queue->levels[i]);
}

static void note_added(struct queue *queue, unsigned level) {
	queue->occupied |= 1u << level;
	queue->size++;
}

void queue_push(struct queue *queue, struct list_node *link, int priority) {
	list_append(&queue->levels[level_of(priority)], link);
	note_added(queue, level_of(priority));
}

void queue_push_front(struct queue *queue, struct list_node *link, int priority) {
	list_prepend(&queue->levels[level_of(priority)], link);
	note_added(queue, level_of(priority));
}

void queue_remove(struct queue *queue, struct list_node *link, int priority) {
	unsigned level = level_of(priority);

	list_remove(link);
	queue->size--;
	if (list_is_empty(&queue->levels[level]))
		queue->occupied &= ~(1u << level);
}

struct list_node *queue_peek(const struct queue *queue) {
	unsigned level;

	if (!queue->occupied)
		return NULL;
	level = 31u - (unsigned)__builtin_clz(queue->occupied);
	return queue->levels[level].next;
}
