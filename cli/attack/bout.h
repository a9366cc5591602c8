/* SPDX-License-Identifier: MIT
 *
 * One attempt of one attacker, from the host's side.
 */
#pragma once

#include "cli/attack/attack.h"

/* Opens the pool for the attempts; `policy` may be NULL. Returns 0, or the error of
 * wf_executor_open(). */
int attack_open(struct attack_ground *ground, const struct wf_policy *policy);
void attack_close(struct attack_ground *ground);

enum attack_verdict attack_try(struct attack_ground *ground, const struct attack *attack);

/* Tells whether the pool still works, and has lost nothing since the attempt began. */
bool attack_pool_works(struct attack_ground *ground);
bool attack_pool_is_whole(struct attack_ground *ground);

/* For rows with more than one task: starts the attacker, waits until it holds or is gone, has
 * `look` look, lets go, and waits for the outcome. Returns false, with *ret unchanged, if it could
 * not be started. */
bool attack_run(struct attack_ground *ground, const struct attack *attack, struct attack_bout *ret);
/* Only starts the attacker, with a line of the caller's. */
bool attack_submit(struct attack_ground *ground, const struct attack *attack, int line,
		   struct wf_future **ret);
