/* SPDX-License-Identifier: MIT
 *
 * There are at most WF_MAX_FUNCTIONS names per image, and the images of one executor mostly have
 * the same ones.
 */
#include "executor/names.h"

#include <stdlib.h>
#include <string.h>

const char *names_find(const struct names *names, const char *text) {
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->names[i], text) == 0)
			return names->names[i];
	return NULL;
}

const char *names_intern(struct names *names, const char *text) {
	const char *known = names_find(names, text);
	char **grown, *copy;

	if (known)
		return known;
	grown = reallocarray(names->names, names->n + 1, sizeof names->names[0]);
	if (!grown)
		return NULL;
	names->names = grown;
	copy = strdup(text);
	if (copy)
		names->names[names->n++] = copy;
	return copy;
}

void names_clear(struct names *names) {
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct names){ .n = 0 };
}
