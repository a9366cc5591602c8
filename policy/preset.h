/* SPDX-License-Identifier: MIT
 *
 * What each preset allows.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"

struct preset {
	const char *name;
	uint64_t groups;
	uint32_t families;
	const struct policy_path *paths;
	size_t n_paths;
	const char *const *environment; /* names; ends with NULL */
	uint64_t limits[N_POLICY_LIMITS];
	enum policy_report report;
	enum policy_refusal on_refusal;
};
const struct preset *preset_of(enum policy_preset preset);
/* Returns an enum policy_preset, or -ENOENT. */
int preset_find(const char *name);
