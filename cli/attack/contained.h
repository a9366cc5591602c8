/* SPDX-License-Identifier: MIT
 *
 * Attempts of which the command itself has to be sacrificed, or kept away: it starts itself again
 * for one of them.
 */
#pragma once

#include "cli/attack/attack.h"

/* The same attempt, on the same kind of pool, in a pid namespace where nothing else is. */
enum attack_verdict attack_contained(struct attack_ground *ground, const struct attack *attack);
/* Why this machine has none; NULL: it has. */
const char *attack_not_contained(void);

/* Starts an executor in a process of its own, which runs the attack, with `line` as the attacker's;
 * it ends by a signal or with stdin. The pid, or -1. */
pid_t attack_inner_start(struct attack_ground *ground, const struct attack *attack, int line);
