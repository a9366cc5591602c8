/* SPDX-License-Identifier: MIT
 *
 * All attacks.
 */
#pragma once

#include "cli/attack/attack.h"

/* NULL: there is no attack of that number. */
const struct attack *attack_find(unsigned number);
