/* SPDX-License-Identifier: MIT
 *
 * The ground of the attacks: files, sockets and processes made for them.
 */
#pragma once

#include "cli/attack/attack.h"

/* Makes a directory of its own in TMPDIR or /tmp. Returns 0, or -errno with *ret empty. */
int attack_make_directory(char ret[ATTACK_PATH]);
/* Returns 0; or -errno, with a sentence on stderr. */
int attack_ground_make(struct attack_ground *ground, const struct attack_setting *setting);
/* Uses the paths of a ground that another process has made, and leaves it there. Prints nothing. */
int attack_ground_adopt(struct attack_ground *ground, const struct attack_setting *setting,
			const char *root);
/* Restores the ground before each attempt. */
bool attack_ground_reset(struct attack_ground *ground);
void attack_ground_remove(struct attack_ground *ground);
