/* SPDX-License-Identifier: MIT
 *
 * Turns a path as written into one that a sandbox can be built from: absolute, without ".", "..",
 * and empty components.
 *
 * Symbolic links stay as they are: the zygote follows them, and shows them to the worker. But
 * "link/.." is not the directory that contains the link, so ".." cannot be removed from the text.
 * The kernel resolves everything up to the last ".." now, so that part must exist; the rest is
 * kept.
 */
#include "policy/resolve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/report.h"
#include "proto/limits.h"

#define SHOWN 256 /* how much of a value a sentence quotes */

/* Returns what follows the last ".." component; NULL: there is none. */
static char *behind_dots(char *path) {
	char *found = NULL;

	for (char *at = strstr(path, "/.."); at; at = strstr(at + 1, "/.."))
		if (at[3] == '/' || at[3] == '\0')
			found = at + 3;
	return found;
}

/* Replaces *path. */
static int resolve_dots(const struct value *value, char **path) {
	char *rest = behind_dots(*path), *real, *joined;
	char kept;
	int r;

	if (!rest)
		return 0;
	kept = *rest;
	*rest = '\0';
	real = realpath(*path, NULL);
	if (!real)
		return value_refuse(value, -EINVAL,
				    "\"%.*s\" cannot be resolved (%s: %s); write the path without "
				    "\"..\"",
				    SHOWN, value->text, *path, strerrordesc_np(errno));
	*rest = kept;
	r = asprintf(&joined, "%s%s", real, rest);
	free(real);
	if (r < 0)
		return report_internal(-ENOMEM, "adding to a policy");
	free(*path);
	*path = joined;
	return 0;
}

int resolve_path(const struct value *value, char **ret) {
	const char *text = value->text;
	char *path;
	int r;

	if (!*text)
		return value_refuse(value, -EINVAL, "is empty; write a path");
	if (text[0] == '~')
		return value_refuse(value, -EINVAL,
				    "\"%.*s\": ~ is not expanded; write the whole path, or ./~ for "
				    "a file of that name",
				    SHOWN, text);
	path = path_absolute(value->place->directory, text);
	if (!path && errno == ENOENT)
		return value_refuse(value, -EINVAL,
				    "\"%.*s\" is relative, and the working directory has been "
				    "deleted; write the whole path, or change to another directory",
				    SHOWN, text);
	if (!path)
		return report_internal(-ENOMEM, "adding to a policy");
	r = resolve_dots(value, &path);
	if (r == 0) {
		path_simplify(path);
		if (strlen(path) >= LIMIT_PATH)
			r = value_refuse(value, -E2BIG, "\"%.*s...\" is longer than %d bytes",
					 SHOWN / 8, text, LIMIT_PATH - 1);
	}
	if (r < 0)
		free(path);
	else
		*ret = path;
	return r;
}
