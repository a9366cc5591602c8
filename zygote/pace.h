/* SPDX-License-Identifier: MIT
 *
 * Limits work that takes longer the more there is: with many items it is repeated only after a
 * multiple of the time that it took, so that it never takes more than its share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

/* Below this number of items the work is cheap. */
#define PACE_FEW   128
#define PACE_SHARE 12

struct pace {
	nsec_t not_before;
};

static inline void pace_not_before(struct pace *pace, nsec_t at) {
	if (pace->not_before < at)
		pace->not_before = at;
}

static inline void pace_took(struct pace *pace, nsec_t now, nsec_t took) {
	pace->not_before = now + PACE_SHARE * took;
}

static inline bool pace_allows(const struct pace *pace, size_t n, nsec_t now) {
	return n < PACE_FEW || now >= pace->not_before;
}

/* Milliseconds until the work may be done; `few` if it is cheap. */
static inline int pace_timeout(const struct pace *pace, size_t n, int few) {
	return n < PACE_FEW ? few : clock_left_ms(pace->not_before);
}
