/* SPDX-License-Identifier: MIT
 *
 * WF_ABSENT, as the library reads it: what is hidden from the library is not there for a command either.
 */
#pragma once

#include <stdbool.h>

/* Do `words` (the value of WF_ABSENT; NULL: not set) hide this feature? "linux-6.1" hides all that are
 * newer. */
bool absent_hides(const char *words, const char *feature);
