/* SPDX-License-Identifier: MIT
 *
 * Time: CLOCK_MONOTONIC in nanoseconds, from a source that a test can replace.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

typedef uint64_t nsec_t;

#define NSEC_PER_MSEC ((nsec_t)1000000)
#define NSEC_PER_SEC  ((nsec_t)1000000000)
#define NSEC_NEVER    UINT64_MAX

extern nsec_t (*clock_source)(void); /* tests set it before the first use */

static inline nsec_t clock_now(void) {
	return clock_source();
}

/* Milliseconds from now (negative: never), saturating. */
nsec_t clock_after_ms(nsec_t now, int ms);
/* For poll(2): milliseconds until `at`, rounded up; -1 for NSEC_NEVER; 0 if it has passed. */
int clock_until_ms(nsec_t now, nsec_t at);
/* The same two from the present moment. For what never comes the clock is not read. */
nsec_t clock_in_ms(int ms);
int clock_left_ms(nsec_t at);

/* A condition whose timed waits follow this clock. Returns 0 or -errno. */
int clock_condition_init(pthread_cond_t *condition);
/* pthread_cond_timedwait(3) until `at`, which may be NSEC_NEVER. Returns 0 or -ETIMEDOUT. */
int clock_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, nsec_t at);
