/* SPDX-License-Identifier: MIT
 *
 * What the image of the benchmark is asked to preload (options.preload_argument), and to open.
 */
#pragma once

#include <stdint.h>

/* The input of "open": the files DIRECTORY/0 up to, but not including, DIRECTORY/n. */
struct image_files {
	char directory[256];
	uint64_t n;
};

struct image_request {
	uint64_t bytes;  /* of memory, each page written to */
	uint32_t cpu_ms; /* of CPU time, that of the memory included */
};
