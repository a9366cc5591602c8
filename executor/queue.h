/* SPDX-License-Identifier: MIT
 *
 * The waiting tasks: one first-in-first-out list for each priority, and a bitmap of the lists that
 * are not empty, so that every operation costs the same with 100,000 tasks as with one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/executor.h>

#include "base/list.h"

#define QUEUE_LEVELS (WF_PRIORITY_MAX - WF_PRIORITY_MIN + 1)

struct queue {
	struct list_node levels[QUEUE_LEVELS]; /* wf_future::link */
	uint32_t occupied;                     /* bit n: levels[n] is not empty */
	size_t size;
};

_Static_assert(QUEUE_LEVELS == 32, "one bit for each level");

void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct list_node *link, int priority);
/* Goes ahead of its equals: for tasks that have already waited. */
void queue_push_front(struct queue *queue, struct list_node *link, int priority);
void queue_remove(struct queue *queue, struct list_node *link, int priority);
/* The next link, still queued; NULL if there is none. */
struct list_node *queue_peek(const struct queue *queue);
