/* SPDX-License-Identifier: MIT
 *
 * A worker enters its sandbox.
 */
#pragma once

#include "sandbox/sandbox.h"

struct sandbox_entry {
	const char *step;  /* that has failed */
	uint32_t unproven; /* a layer whose probe has failed, which is -EIO; 0: none */
	int listener;      /* of the worker's own filter, or -1 */
	bool opened;       /* between the two: Landlock has to stop this */
};
/* For printf: what to say of such a layer. */
#define SANDBOX_UNPROVEN "%s was set up, but a probe that it must stop was not stopped"

/* Called first in a worker: enters the control group, the view and the identity. Before
 * sandbox_enter_rest() the worker opens what it needs itself and tasks may not open. Returns 0; or
 * -errno and what `entry` says. */
int sandbox_enter_view(const struct sandbox *sandbox, const struct sandbox_cgroup_entry *group,
		       struct sandbox_entry *entry);
/* Enters all other layers, and runs the probes. Likewise. */
int sandbox_enter_rest(const struct sandbox *sandbox, struct sandbox_entry *entry);
