/* SPDX-License-Identifier: MIT
 *
 * Loads a shared object that declares an image.
 */
#pragma once

#include "base/log.h"
#include "zygote/image.h"

/* Returns 0; or -errno, "open" or "module" in *ret_step, and a sentence in `text`. */
int module_load(const char *path, const struct log *log, struct image *image, const char **ret_step,
		char *text, size_t text_size);
