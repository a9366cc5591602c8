/* SPDX-License-Identifier: MIT
 *
 * What keeps a sandbox from being had.
 */
#pragma once

#include <stdint.h>

#include "proto/limits.h"
#include "proto/policy.h"

/* Which layer cannot be had, and why. */
struct sandbox_trouble {
	uint32_t
	    layer; /* enum policy_layer; 0: no layer's, the policy cannot be carried out at all */
	char text[LIMIT_TEXT];
};

/* Fills trouble; returns -error. */
int trouble_fail(struct sandbox_trouble *trouble, uint32_t layer, int error, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));
