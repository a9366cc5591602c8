/* SPDX-License-Identifier: MIT
 *
 * A layer is shown to be in force by something that must fail under it, not by what
 * installing it returned. Each probe returns 0, or the layer that is not in force.
 */
#pragma once

#include "sandbox/sandbox.h"

/* In the zygote: notes what the probes compare with. */
void probe_prepare(struct sandbox *sandbox, const struct policy *policy);

/* In the view, before Landlock: *ret_opens is for the next one. */
uint32_t probe_view(const struct sandbox *sandbox, bool *ret_opens);
/* Probes that would reach the listener, before the filter. */
uint32_t probe_before_filter(const struct sandbox *sandbox, bool opened);
/* What a worker can probe once it has entered, without involving the listener. */
uint32_t probe_self(const struct sandbox *sandbox);
