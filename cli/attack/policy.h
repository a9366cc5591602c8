/* SPDX-License-Identifier: MIT
 *
 * The policies for the attacks.
 */
#pragma once

#include <warmfork/policy.h>

#include "cli/attack/attack.h"

/* "landlock", ... */
const char *attack_layer_name(enum attack_layer layer);

/* The preset, the file, or the file on top of the preset. Owned by the caller, with errors
 * as below. */
int attack_base_policy(const struct attack_setting *setting, struct wf_policy **ret);
/* The policy of a column. Owned by the caller. Errors are those of <warmfork/policy.h>, as in
 * wf_last_error(). */
int attack_policy(const struct attack_ground *ground, int column, struct wf_policy **ret);
/* Tells whether an outcome reports the layer as in force. Of the namespaces, any or all of them. */
bool attack_layer_is_in_force(enum attack_layer layer, const char *in_force);
bool attack_has_all_namespaces(const char *in_force);
/* Its ABI, or 0 if it is not in force. */
int attack_landlock_abi(const char *in_force);
