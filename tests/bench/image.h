/* SPDX-License-Identifier: MIT
 *
 * What the image of the benchmark is asked to preload: options.preload_argument.
 */
#pragma once

#include <stdint.h>

struct image_request {
	uint64_t bytes;  /* of memory, each page written to */
	uint32_t cpu_ms; /* of CPU time, that of the memory included */
};
