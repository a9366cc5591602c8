/* SPDX-License-Identifier: MIT
 *
 * Starts that fail, of workers or of zygotes: each failure in a row doubles the time until the next
 * try, and after too many only new work brings another one.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct backoff {
	int first_ms, most_ms; /* the delay: from, up to */
	unsigned budget;       /* failures in a row */

	unsigned failures; /* in a row */
	bool spent;        /* the budget: only work brings another try */
	int delay_ms;
	nsec_t not_before; /* 0: at once */
};

void backoff_init(struct backoff *backoff, int first_ms, int most_ms, unsigned budget);

/* Another failure. What fails before `not_before` is the same failure: a batch of eight workers
 * that all fail in their initializer says no more than one of them. True: this one has spent the
 * budget. */
bool backoff_failed(struct backoff *backoff, nsec_t now);
/* Something has been done: failures are no longer in a row, and the next try may come at once. */
void backoff_worked(struct backoff *backoff);
/* The budget is whole again, but the pace stays as it is. */
void backoff_renew(struct backoff *backoff);

/* May a start be tried now? `wanted`: there is work that waits for it. */
bool backoff_allows(const struct backoff *backoff, nsec_t now, bool wanted);
