/* SPDX-License-Identifier: MIT
 *
 * Makes a loaded module independent of its file.
 */
#pragma once

#include "base/log.h"

/* `file` is the module's file, opened before dlopen(3) loaded it. Best effort: if the module cannot
 * be detached a line is logged, and the file must not be overwritten in place. */
void module_detach(void *handle, int file, const struct log *log);
