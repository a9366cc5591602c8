/* SPDX-License-Identifier: MIT
 *
 * The sandbox is prepared, once, in the zygote.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* In the zygote, when the image is loaded and frozen. `given` is borrowed. 0; or negative, and `trouble`
 * says what is wrong. */
int sandbox_prepare(struct sandbox *sandbox, const struct policy *given,
		    struct sandbox_trouble *trouble);

/* The zygote's own filter, if it can live under one: last of all, when nothing is left to be set up. 0; or negative
 * and `trouble`. */
int sandbox_close(struct sandbox *sandbox, struct sandbox_trouble *trouble);

/* The environment of the policy, in place of the one that the preload had. Before the freeze. 0 or -errno. */
int sandbox_environment(const struct policy *policy);
