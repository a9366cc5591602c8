/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <stdio.h>
#include <string.h>

void path_simplify(char *path) {
	char *to = path;

	for (const char *from = path; *from;) {
		size_t size = strcspn(from + 1, "/");

		if (size == 2 && from[1] == '.' && from[2] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (size > 0 && !(size == 1 && from[1] == '.')) {
			memmove(to, from, size + 1);
			to += size + 1;
		}
		from += size + 1;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

void path_parent(const char *path, char *ret, size_t size) {
	const char *slash = strrchr(path, '/');

	(void)snprintf(ret, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}
