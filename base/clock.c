/* SPDX-License-Identifier: MIT
 *
 * The time comes through one replaceable pointer, so that tests never wait for it to pass.
 *
 * Everything here saturates: a deadline that overflowed into the past would kill a task that has
 * years left.
 */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

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
