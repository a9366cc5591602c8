/* SPDX-License-Identifier: MIT
 *
 * The time comes through one replaceable pointer, so that tests never wait for it to pass.
 *
 * Everything here saturates: a deadline that overflowed into the past would kill a task that has
 * years left.
 */
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "base/error.h"

static nsec_t clock_monotonic(void) {
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists, now is ours */
	return (nsec_t)now.tv_sec * NSEC_PER_SEC + (nsec_t)now.tv_nsec;
}

nsec_t (*clock_source)(void) = clock_monotonic;

nsec_t clock_after_ms(nsec_t now, int ms) {
	nsec_t delta;

	if (ms < 0 || now == NSEC_NEVER)
		return NSEC_NEVER;
	delta = (nsec_t)ms * NSEC_PER_MSEC;
	return delta >= NSEC_NEVER - now ? NSEC_NEVER : now + delta;
}

int clock_until_ms(nsec_t now, nsec_t at) {
	nsec_t ms;

	if (at == NSEC_NEVER)
		return -1;
	if (at <= now)
		return 0;
	/* Rounded up: waking too early would make the caller spin until the moment has come. */
	ms = (at - now - 1) / NSEC_PER_MSEC + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

nsec_t clock_in_ms(int ms) {
	return ms < 0 ? NSEC_NEVER : clock_after_ms(clock_now(), ms);
}

int clock_left_ms(nsec_t at) {
	return at == NSEC_NEVER ? -1 : clock_until_ms(clock_now(), at);
}

int clock_condition_init(pthread_cond_t *condition) {
	pthread_condattr_t attribute;
	int r = pthread_condattr_init(&attribute);

	if (r)
		return error_origin(-r);
	r = pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
	r = r ? r : pthread_cond_init(condition, &attribute);
	(void)pthread_condattr_destroy(&attribute);
	return r ? error_origin(-r) : 0;
}

int clock_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, nsec_t at) {
	struct timespec time = { .tv_sec = (time_t)(at / NSEC_PER_SEC),
				 .tv_nsec = (long)(at % NSEC_PER_SEC) };

	if (at == NSEC_NEVER)
		return -pthread_cond_wait(condition, lock);
	return -pthread_cond_timedwait(condition, lock, &time);
}
