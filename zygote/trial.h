/* SPDX-License-Identifier: MIT
 *
 * A fork that does nothing: what the C library and the image's own atfork handlers do to memory, and how
 * long it takes.
 */
#pragma once

#include <stdint.h>

/* Forks, waits until the child has left. *ret_ns (may be NULL): how long all of it took. 0, -errno. */
int trial_fork(uint64_t *ret_ns);
/* The median of `n` (at most TRIAL_FORKS_MAX). 0: none succeeded. */
uint64_t trial_median(unsigned n);
#define TRIAL_FORKS_MAX 16
