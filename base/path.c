/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

char *path_absolute(const char *directory, const char *path) {
	char *working = NULL, *joined = NULL;

	if (path[0] == '/')
		return strdup(path);
	if (!directory)
		directory = working = getcwd(NULL, 0);
	if (directory && asprintf(&joined, "%s/%s", directory, path) < 0)
		joined = NULL;
	free(working);
	return joined;
}

bool path_is_below(const char *path, const char *directory) {
	size_t size = strlen(directory);

	return strncmp(path, directory, size) == 0 && path[size] == '/';
}

void path_parent(const char *path, char *ret, size_t size) {
	const char *slash = strrchr(path, '/');

	(void)snprintf(ret, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}
