/* SPDX-License-Identifier: MIT
 *
 * What the keeper says of zygotes and of workers that it has adopted, and what follows from its own
 * end, become facts of generations and workers.
 */
#pragma once

#include "executor/keeper_link.h"

/* For a keeper whose context is the `struct generations` that it serves. */
extern const struct keeper_events custody_events;
