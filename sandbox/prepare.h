/* SPDX-License-Identifier: MIT
 *
 * Prepares the sandbox, once, in the zygote.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/trouble.h"

/* Called in the zygote when the image is loaded and frozen. `given` is borrowed. Returns 0; or a
 * negative value, with the reason in `trouble`. */
int sandbox_prepare(struct sandbox *sandbox, const struct policy *given,
		    struct sandbox_trouble *trouble);

/* Installs the zygote's own filter, if it can run under one. This is last, when nothing is left to
 * be set up. Returns 0; or a negative value and `trouble`. */
int sandbox_close(struct sandbox *sandbox, struct sandbox_trouble *trouble);
