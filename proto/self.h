/* SPDX-License-Identifier: MIT
 *
 * What an executor of image kind "self" must know about the zygote's side in its own process:
 * whether wf_init() has been called. Defined in zygote/self.c; declared here because the two never
 * include each other.
 */
#pragma once

#include <stdbool.h>

bool self_is_ready(void);
