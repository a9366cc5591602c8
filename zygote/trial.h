/* SPDX-License-Identifier: MIT
 *
 * A fork that does nothing: what the C library and the image's own atfork handlers do to memory, and how
 * long it takes.
 */
#pragma once

#include <stdint.h>

/* Forks, waits until the child has left. *ret_ns (may be NULL): how long all of it took. 0, -errno. */
int trial_fork(uint64_t *ret_ns);
/* Of `n`: what else the machine does makes one slower, never faster. 0: none succeeded. */
uint64_t trial_fastest(unsigned n);
