/* SPDX-License-Identifier: MIT
 *
 * Making a loaded module independent of its file.
 */
#pragma once

#include "base/log.h"

/* `file` is the module's file, opened before it was loaded with dlopen(3). Best effort: where it
 * cannot be done, a line is logged, and the file must not be overwritten in place. */
void module_detach(void *handle, int file, const struct log *log);
