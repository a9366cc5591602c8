/* SPDX-License-Identifier: MIT
 *
 * An event loop: epoll(7) for descriptors, one timerfd for a heap of timers.
 *
 * Not thread-safe by itself: the owner's lock protects everything but loop_wait(), which only
 * blocks in epoll_wait(2). You may add sources and timers while another thread is in loop_wait();
 * the kernel objects support that. You may remove a source in any handler; events that were already
 * fetched for it are dropped (their token no longer names a source).
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

/* Embedded in its owner, which handlers get with container_of(). `fd` is borrowed. */
struct source {
	struct loop *loop; /* NULL: not added */
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLONESHOT */
	source_handler handler;
	uint64_t token; /* identifies this registration of the source; see loop.c */
};

struct timer {
	struct loop *loop; /* NULL: not armed */
	nsec_t at;
	size_t index; /* in the heap */
	timer_handler handler;
};

#define LOOP_BATCH 64

/* What loop_wait() fetched. Lives on the dispatching thread's stack. */
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
/* Are its descriptors still the same? False if the process has closed one (closefrom(3)), whose
 * number may be in use for something else by now. */
bool loop_is_intact(const struct loop *loop);
/* The same for that of a source; true if it was never added. Changes nothing. */
bool source_is_intact(const struct source *source);
/* Forgets all sources and timers, and its descriptors without closing them. */
void loop_abandon(struct loop *loop);

/* Blocks (without any lock) up to `timeout_ms` for events and fetches them. `fd`: loop_fd(), got
 * under the lock, since loop_abandon() changes it. Returns 0 or -errno; EINTR yields an empty
 * batch. */
int loop_wait(int fd, int timeout_ms, struct loop_batch *ret);
/* Under the owner's lock: calls the handlers of a batch, then those of timers that are due. */
void loop_dispatch(struct loop *loop, struct loop_batch *batch);

int source_add(struct loop *loop, struct source *source, int fd, uint32_t events,
	       source_handler handler);
int source_modify(struct source *source, uint32_t events); /* arms EPOLLONESHOT again */
void source_remove(struct source *source);                 /* also if it was never added */

/* Makes room for `n` more timers to be armed at once: within that, timer_set() cannot fail. Returns
 * 0 or -ENOMEM. */
int loop_reserve(struct loop *loop, size_t n);
void loop_release(struct loop *loop, size_t n);

/* Arms or re-arms a timer. -ENOMEM leaves it as it was; this cannot happen while no more timers are
 * armed than room has been reserved for. */
int timer_set(struct loop *loop, struct timer *timer, nsec_t at, timer_handler handler);
void timer_clear(struct timer *timer); /* also if it is not armed */

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
