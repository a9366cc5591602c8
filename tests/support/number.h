/* SPDX-License-Identifier: MIT
 *
 * Numbers in the lines that tasks and tests exchange.
 */
#pragma once

#include <limits.h>
#include <stddef.h>

/* The decimal number at `text` after blanks, or -1; `*end` (may be NULL) is what follows it. */
static inline long number_at(const char *text, const char **end) {
	long value = 0;
	const char *at = text + __builtin_strspn(text, " ");
	const char *first = at;

	for (; *at >= '0' && *at <= '9' && value < LONG_MAX / 10 - 1; at++)
		value = value * 10 + (*at - '0');
	if (end != NULL)
		*end = at;
	return at == first ? -1 : value;
}
