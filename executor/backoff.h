/* SPDX-License-Identifier: MIT
 *
 * Failing starts of workers or zygotes. Each failure in a row doubles the time until the next try;
 * after too many, only new work brings another one.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct backoff {
	int first_ms, most_ms; /* the delay: from, up to */
	unsigned budget;       /* failures in a row */

	unsigned failures; /* in a row */
	bool spent;        /* the budget is used up: only work brings another try */
	int delay_ms;
	nsec_t not_before; /* 0: at once */
};

void backoff_init(struct backoff *backoff, int first_ms, int most_ms, unsigned budget);

/* Counts a failure. Failures before `not_before` belong to the previous one: eight workers of a
 * batch that all fail in their initializer tell no more than one of them does. Returns true if this
 * failure has used up the budget. */
bool backoff_failed(struct backoff *backoff, nsec_t now);
/* A success: the next failure is the first in a row again, and the next try may come at once. */
void backoff_worked(struct backoff *backoff);
/* What had started has ended `lived` later: for so long that this is a success? */
bool backoff_outlived(const struct backoff *backoff, nsec_t lived);
/* Restores the budget, but keeps the pace. */
void backoff_renew(struct backoff *backoff);

/* May a start be tried now? `wanted`: there is work waiting for it. */
bool backoff_allows(const struct backoff *backoff, nsec_t now, bool wanted);
