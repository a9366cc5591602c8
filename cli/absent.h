/* SPDX-License-Identifier: MIT
 *
 * WF_ABSENT, as the library reads it: a feature that is hidden from the library is hidden from
 * the commands too.
 */
#pragma once

#include <stdbool.h>

/* Tells whether `words` (the value of WF_ABSENT, or NULL if it is not set) hides this feature.
 * "linux-6.1" hides all newer features. */
bool absent_hides(const char *words, const char *feature);
