/* SPDX-License-Identifier: MIT
 *
 * All attacks.
 */
#pragma once

#include "cli/attack/attack.h"

/* NULL if no attack has that number. */
const struct attack *attack_find(unsigned number);
