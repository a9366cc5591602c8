/* SPDX-License-Identifier: MIT
 *
 * The seccomp filter: which system calls a worker may make, and with which arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"

/* A call number that no kernel has: our filter answers it with FILTER_PROBE_ERROR, which shows that it is in
 * force. */
#define FILTER_PROBE_CALL  1023
#define FILTER_PROBE_ERROR 131 /* ENOTRECOVERABLE: the kernel itself would answer ENOSYS */

/* A compiled program, mapped; struct sock_filter. */
struct sandbox_filter {
	const void *program;
	size_t n; /* instructions; 0: none */
};

/* Does the policy allow all that the loop of the zygote needs? Then it is installed there, and workers
 * inherit it at no cost. */
bool filter_suits_zygote(const struct policy *policy);

/* Compiles the filter into a memfd. Allocates: not for the zygote itself. `notify`: what is not allowed goes to a
 * listener; else it gets its errno at once. `private_memory`: no memory that several processes could map,
 * since nothing would count it. `no_memfd`: nobody needs one, and it could be mapped to be executed. A
 * descriptor or -errno. */
int filter_compile(const struct policy *policy, bool notify, bool private_memory, bool no_memfd);

/* Maps what filter_compile() has written. 0 or -errno. */
int filter_map(int memfd, struct sandbox_filter *ret);

/* Installs it for this process. With `listen` returns the listener's descriptor, else 0; -errno. */
int filter_install(const struct sandbox_filter *filter, bool listen);

/* 0 if a filter of ours is in force, else -ENOENT. */
int filter_probe(void);
