/* SPDX-License-Identifier: MIT
 *
 * Makes a filter with libseccomp. Those that most policies have are made when the library is built
 * (filter_ready.c).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sandbox/filter_key.h"

/* A call number that no kernel has. Our filter answers it with FILTER_PROBE_ERROR, which shows that
 * it is in force. */
#define FILTER_PROBE_CALL  1023
#define FILTER_PROBE_ERROR 131 /* ENOTRECOVERABLE; without the filter the kernel answers ENOSYS */

/* What may differ between two filters with the same key. */
struct filter_rest {
	uint32_t uid, gid;     /* that a worker takes on */
	const uint16_t *calls; /* that are allowed by name */
	size_t n_calls;
};

/* Compiles the filter into a memfd. It allocates, so the zygote itself must not call it. Returns a
 * descriptor or -errno. */
int filter_compile(const struct filter_key *key, const struct filter_rest *rest);
