/* SPDX-License-Identifier: MIT
 *
 * Filters that are compiled when the library is built. Compiling takes longer than anything else
 * that is done for a sandbox.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>

#include "sandbox/filter_key.h"

/* These stand for an identity that is not known yet. */
#define FILTER_READY_UID 0x5eed0001u
#define FILTER_READY_GID 0x5eed0002u

struct filter_ready {
	struct filter_key key;
	const struct sock_filter *code;
	size_t n;
};

extern const struct filter_ready filters_ready[];
extern const size_t filters_ready_n;
