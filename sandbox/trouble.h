/* SPDX-License-Identifier: MIT
 *
 * The reason why a sandbox cannot be set up.
 */
#pragma once

#include <stdint.h>

#include "proto/limits.h"
#include "proto/policy.h"

/* The layer that is not available, and why. */
struct sandbox_trouble {
	uint32_t layer; /* enum policy_layer; 0 if the policy itself cannot be carried out */
	char text[LIMIT_TEXT];
};

/* Fills `trouble` and returns -error. */
int trouble_fail(struct sandbox_trouble *trouble, uint32_t layer, int error, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));
