/* SPDX-License-Identifier: MIT
 *
 * One process enters the sandbox like a worker, and probes it, before the first worker does.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Forks it. Returns 0; or a negative value and `trouble`. */
int rehearsal_run(const struct sandbox *sandbox, struct sandbox_trouble *trouble);
