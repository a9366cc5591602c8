/* SPDX-License-Identifier: MIT
 *
 * The policies under which attacks are made.
 */
#pragma once

#include <warmfork/policy.h>

#include "cli/attack/attack.h"

/* "landlock", ... */
const char *attack_layer_name(enum attack_layer layer);

/* The preset, the file, or the file upon the preset. As below. */
int attack_base_policy(const struct attack_setting *setting, struct wf_policy **ret);
/* The policy of a column. Owned by the caller. Errors: of <warmfork/policy.h>, as
 * wf_last_error() has them. */
int attack_policy(const struct attack_ground *ground, int column, struct wf_policy **ret);
/* Is the layer in force, by what an outcome says? Namespaces: any of them, or all. */
bool attack_layer_is_in_force(enum attack_layer layer, const char *in_force);
bool attack_has_all_namespaces(const char *in_force);
/* Its ABI; 0: it is not in force. */
int attack_landlock_abi(const char *in_force);
