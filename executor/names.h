/* SPDX-License-Identifier: MIT
 *
 * The names of functions that images of one executor have had, each stored once. A name lives as
 * long as its executor, so a queued task can keep its function across a reload, and names are equal
 * if their pointers are.
 */
#pragma once

#include <stddef.h>

struct names {
	char **names;
	size_t n;
};

/* Returns the stored name that equals `text`; NULL: no image has had it. */
const char *names_find(const struct names *names, const char *text);
/* The same, but adds a new name; NULL: out of memory. */
const char *names_intern(struct names *names, const char *text);
void names_clear(struct names *names);
