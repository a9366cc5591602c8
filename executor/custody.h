/* SPDX-License-Identifier: MIT
 *
 * Turns what the keeper says about zygotes and adopted workers, and what follows from its own end,
 * into facts about generations and workers.
 */
#pragma once

#include "executor/keeper_link.h"

/* For a keeper whose context is the `struct generations` it serves. */
extern const struct keeper_events custody_events;
