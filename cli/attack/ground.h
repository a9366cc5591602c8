/* SPDX-License-Identifier: MIT
 *
 * What attacks are made on: files, sockets and processes that were made for it.
 */
#pragma once

#include "cli/attack/attack.h"

/* 0, or -errno with a sentence on stderr. */
int attack_ground_make(struct attack_ground *ground, const struct attack_setting *setting);
/* One that somebody else has made, for its paths only, and without a sentence; it is left there. */
int attack_ground_adopt(struct attack_ground *ground, const struct attack_setting *setting,
			const char *root);
/* As if nothing had happened: before each attempt. */
bool attack_ground_reset(struct attack_ground *ground);
void attack_ground_remove(struct attack_ground *ground);
