/* SPDX-License-Identifier: MIT
 *
 * All of a policy, and of the machine, that the rules of its filter depend on, except for two
 * numbers and the calls that are allowed by name (struct filter_rest).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/policy.h"

/* Compared as bytes, so it has no padding. */
struct filter_key {
	uint64_t groups;
	uint32_t families;
	uint32_t layers; /* of those that the rules depend on */
	bool notify;     /* a call that is not allowed goes to a listener; else it gets its errno */
	bool tells_paths;    /* calls with a path go to it as well */
	bool reads_all;      /* but not opens for reading */
	bool private_memory; /* none that several processes could map: it would not be counted */
	bool no_memfd;       /* none is needed, and one could be mapped for execution */
	bool sealed_memfd;   /* the kernel has memfds that cannot be executed */
	bool has_device;
	bool may_listen;
};

struct filter_key filter_key_of(const struct policy *policy, bool private_memory, bool no_memfd);
