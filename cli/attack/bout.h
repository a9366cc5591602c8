/* SPDX-License-Identifier: MIT
 *
 * One attempt of one attacker, from the host's side.
 */
#pragma once

#include "cli/attack/attack.h"

/* The pool on which attempts are made. `policy` NULL: none. 0, or what wf_executor_open() gave. */
int attack_open(struct attack_ground *ground, const struct wf_policy *policy);
void attack_close(struct attack_ground *ground);

enum attack_verdict attack_try(struct attack_ground *ground, const struct attack *attack);

/* Does the pool still do what it is for? And has it lost nothing since the attempt began? */
bool attack_pool_works(struct attack_ground *ground);
bool attack_pool_is_whole(struct attack_ground *ground);

/* For rows that are more than one task: starts the attacker, waits until it holds or is gone, lets
 * `look` look, lets go, and waits for the outcome. False: it could not be started, and *ret is as
 * before. */
bool attack_run(struct attack_ground *ground, const struct attack *attack, struct attack_bout *ret);
/* Only starts it, with a line of the caller's. */
bool attack_submit(struct attack_ground *ground, const struct attack *attack, int line,
		   struct wf_future **ret);
