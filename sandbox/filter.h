/* SPDX-License-Identifier: MIT
 *
 * The seccomp filter: which system calls a worker may make, and with which arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/policy.h"
#include "sandbox/filter_key.h"

/* A compiled program, mapped; struct sock_filter. */
struct sandbox_filter {
	const void *program;
	size_t n; /* instructions; 0 if there is no filter */
};

/* True if the policy allows all that the zygote's loop needs. Then the filter is installed in the
 * zygote, and workers inherit it at no cost. */
bool filter_suits_zygote(const struct policy *policy);

/* A filter that was compiled when the library was built, with this identity filled in. Returns false
 * if there is none with this key. */
bool filter_find(const struct filter_key *key, uint32_t uid, uint32_t gid,
		 struct sandbox_filter *ret);

/* Maps what filter_compile() has written. Returns 0 or -errno. */
int filter_map(int memfd, struct sandbox_filter *ret);

/* Installs the filter for this process. Returns the listener's descriptor with `listen`, else 0;
 * or -errno. */
int filter_install(const struct sandbox_filter *filter, bool listen);

/* Returns 0 if a filter of ours is in force, else -ENOENT. */
int filter_probe(void);
