/* SPDX-License-Identifier: MIT
 *
 * The names of functions that images of one executor have had, each once. A name lives as long as
 * its executor, so that a queued task can name its function over a reload, and two names are the
 * same if their pointers are.
 */
#pragma once

#include <stddef.h>

struct names {
	char **names;
	size_t n;
};

/* The name that equals `text`; NULL: no image has had it. */
const char *names_find(const struct names *names, const char *text);
/* The same, added if it is new; NULL: no memory. */
const char *names_intern(struct names *names, const char *text);
void names_clear(struct names *names);
