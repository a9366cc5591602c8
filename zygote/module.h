/* SPDX-License-Identifier: MIT
 *
 * Loading a shared object that declares an image.
 */
#pragma once

#include "base/log.h"
#include "zygote/image.h"

/* 0; or -errno, *ret_step "open" or "module", and a sentence in `text`. */
int module_load(const char *path, const struct log *log, struct image *image, const char **ret_step,
		char *text, size_t text_size);
