/* SPDX-License-Identifier: MIT
 *
 * Forks a child that does nothing, to see what the C library and the image's own atfork handlers do
 * to memory, and how long a fork takes.
 */
#pragma once

#include <stdint.h>

/* Forks and waits until the child has exited. *ret_ns (may be NULL) is how long all of it took.
 * Returns 0 or -errno. */
int trial_fork(uint64_t *ret_ns);
/* The fastest of `n` forks, because other load makes one slower, never faster. 0 if
 * none succeeded. */
uint64_t trial_fastest(unsigned n);
