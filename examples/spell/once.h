/* SPDX-License-Identifier: MIT
 *
 * The same work without a zygote: a program is started for each file.
 */
#pragma once

#include <stddef.h>

#include "spell.h"

/* Runs `program PATH` for each of `n` paths, `at_once` of them in parallel, and reads the
 * counts that it prints into counts[0 .. n-1]. Returns 0, or -errno if one could not be started
 * or failed. */
int once_run(const char *program, char *const *paths, size_t n, size_t at_once,
	     struct spell_count *counts);
