/* SPDX-License-Identifier: MIT
 *
 * Attempts that may kill the command, or have to be kept away from it: it starts itself again for
 * each of them.
 */
#pragma once

#include "cli/attack/attack.h"

/* Makes the same attempt, on the same kind of pool, in a pid namespace that holds nothing else. */
enum attack_verdict attack_contained(struct attack_ground *ground, const struct attack *attack);
/* Why this machine cannot do that, or NULL if it can. */
const char *attack_not_contained(void);

/* Starts an executor in a process of its own, which runs the attack with `line` as the attacker's
 * line; it ends by a signal or when stdin ends. Returns its pid, or -1. */
pid_t attack_inner_start(struct attack_ground *ground, const struct attack *attack, int line);
