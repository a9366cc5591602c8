/* SPDX-License-Identifier: MIT
 *
 * Looking again and again, for what has no event: the statistics of an executor, and what the
 * kernel tells about other processes in /proc alone. All else is waited for: a process by its
 * pidfd, a task by its future or its cord, a thread by a semaphore.
 *
 *     struct look look = look_begin(FIXTURE_CAP_MS);
 *
 *     while (!it_is_so() && look_again(&look))
 *             ;
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct look {
	int64_t end_ms;
};

static inline int64_t look_now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct look look_begin(int cap_ms) {
	return (struct look){ look_now_ms() + cap_ms };
}

/* Lets the others run, and returns true while there is time for another look. */
static inline bool look_again(const struct look *look) {
	sched_yield();
	return look_now_ms() < look->end_ms;
}
