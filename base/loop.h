/* SPDX-License-Identifier: MIT
 *
 * An event loop: epoll(7) for descriptors, one timerfd for a heap of timers.
 *
 * Not thread-safe by itself: the owner's lock protects everything but loop_wait(), which only
 * blocks in epoll_wait(2). Adding sources and timers while another thread is in loop_wait() is
 * fine, that is what the kernel objects are for. A source may be removed from any handler; events
 * that were already fetched for it are dropped (their token is no longer that of a source).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct loop;
struct source;
struct timer;

typedef void (*source_handler)(struct source *source, uint32_t events);
typedef void (*timer_handler)(struct timer *timer, nsec_t now);

/* Embedded in its owner; found again with container_of(). fd is borrowed. */
struct source {
	struct loop *loop; /* NULL: not added */
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT */
	source_handler handler;
	uint64_t token; /* names this adding of this source; see loop.c */
};

struct timer {
	struct loop *loop; /* NULL: not armed */
	nsec_t at;
	size_t index; /* in the heap */
	timer_handler handler;
};

#define LOOP_BATCH 64

/* What loop_wait() fetched; lives on the stack of whoever dispatches. */
struct loop_batch {
	int n;
	struct {
		struct source *source; /* NULL until dispatched, and if it has been removed */
		uint32_t events;
		uint64_t token;
	} events[LOOP_BATCH];
};

int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *loop); /* NULL is fine; sources and timers must be gone */
int loop_fd(const struct loop *loop);      /* readable when there is something to do */
/* Are its descriptors still what they were? False: the process has closed one (closefrom(3)), and
 * the number may be somebody else's by now. */
bool loop_is_intact(const struct loop *loop);
/* Forgets all its sources and timers, and its descriptors without closing them. */
void loop_abandon(struct loop *loop);

/* Blocks (without any lock) up to timeout_ms for events and fetches them. 0, or -errno; EINTR gives
 * an empty batch. */
int loop_wait(struct loop *loop, int timeout_ms, struct loop_batch *ret);
/* Calls the handlers of a batch, then of the timers that are due. Under the owner's lock. */
void loop_dispatch(struct loop *loop, struct loop_batch *batch);

int source_add(struct loop *loop, struct source *source, int fd, uint32_t events,
	       source_handler handler);
int source_modify(struct source *source, uint32_t events);
void source_remove(struct source *source); /* also if it was never added */

/* Room for `n` more timers to be armed at once: with that, timer_set() cannot fail. -ENOMEM. */
int loop_reserve(struct loop *loop, size_t n);
void loop_release(struct loop *loop, size_t n);

/* Arms or re-arms. -ENOMEM leaves it as it was; it cannot come while no more timers are armed than
 * there is room reserved for. */
int timer_set(struct loop *loop, struct timer *timer, nsec_t at, timer_handler handler);
void timer_clear(struct timer *timer); /* also if it is not armed */

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
