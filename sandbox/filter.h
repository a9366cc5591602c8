/* SPDX-License-Identifier: MIT
 *
 * The seccomp filter: which system calls a worker may make, and with which arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"

/* A call number that no kernel has. Our filter answers it with FILTER_PROBE_ERROR, which shows that
 * it is in force. */
#define FILTER_PROBE_CALL  1023
#define FILTER_PROBE_ERROR 131 /* ENOTRECOVERABLE; without the filter the kernel answers ENOSYS */

/* A compiled program, mapped; struct sock_filter. */
struct sandbox_filter {
	const void *program;
	size_t n; /* instructions; 0 if there is no filter */
};

/* True if the policy allows all that the zygote's loop needs. Then the filter is installed in the
 * zygote, and workers inherit it at no cost. */
bool filter_suits_zygote(const struct policy *policy);

/* Compiles the filter into a memfd. It allocates, so the zygote itself must not call it. With
 * `notify`, a call that is not allowed goes to a listener; else it gets its errno at once. With
 * `private_memory`, memory that several processes could map is refused, because it would not be
 * counted. With `no_memfd`, memfds are refused: none is needed, and one could be mapped for
 * execution. Returns a descriptor or -errno. */
int filter_compile(const struct policy *policy, bool notify, bool private_memory, bool no_memfd);

/* Maps what filter_compile() has written. Returns 0 or -errno. */
int filter_map(int memfd, struct sandbox_filter *ret);

/* Installs the filter for this process. Returns the listener's descriptor with `listen`, else 0;
 * or -errno. */
int filter_install(const struct sandbox_filter *filter, bool listen);

/* Returns 0 if a filter of ours is in force, else -ENOENT. */
int filter_probe(void);
