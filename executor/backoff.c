/* SPDX-License-Identifier: MIT
 *
 * A backoff has no timer of its own: its owner arms one for `not_before`.
 */
#include "executor/backoff.h"

/* What has lived for this many times the longest delay is not one of those that keep failing. */
#define LIVED_LONG 10

void backoff_init(struct backoff *backoff, int first_ms, int most_ms, unsigned budget) {
	*backoff = (struct backoff){ .first_ms = first_ms, .most_ms = most_ms, .budget = budget };
}

static int next_delay(const struct backoff *backoff) {
	if (backoff->delay_ms == 0)
		return backoff->first_ms < backoff->most_ms ? backoff->first_ms : backoff->most_ms;
	return backoff->delay_ms < backoff->most_ms / 2 ? backoff->delay_ms * 2 : backoff->most_ms;
}

bool backoff_failed(struct backoff *backoff, nsec_t now) {
	if (now < backoff->not_before)
		return false;
	backoff->delay_ms = next_delay(backoff);
	backoff->not_before = clock_after_ms(now, backoff->delay_ms);
	if (++backoff->failures < backoff->budget)
		return false;
	backoff->failures = 0;
	backoff->spent = true;
	return true;
}

void backoff_worked(struct backoff *backoff) {
	backoff->failures = 0;
	backoff->delay_ms = 0;
	backoff->spent = false;
}

/* The delay is an option that may be as large as an int. */
bool backoff_outlived(const struct backoff *backoff, nsec_t lived) {
	return lived > LIVED_LONG * (nsec_t)backoff->most_ms * NSEC_PER_MSEC;
}

void backoff_renew(struct backoff *backoff) {
	backoff->failures = 0;
	backoff->spent = false;
}

bool backoff_allows(const struct backoff *backoff, nsec_t now, bool wanted) {
	return now >= backoff->not_before && (wanted || !backoff->spent);
}
