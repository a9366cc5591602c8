/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int files_add(struct files *files, const char *path) {
	char **grown = realloc(files->paths, (files->n + 1) * sizeof *grown);
	char *copy = strdup(path);

	if (grown)
		files->paths = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	files->paths[files->n++] = copy;
	return 0;
}

static int by_path(const FTSENT **a, const FTSENT **b) {
	return strcmp((*a)->fts_path, (*b)->fts_path);
}

static bool is_wanted(const FTSENT *entry, bool documentation) {
	if (entry->fts_info != FTS_F)
		return false;
	return !documentation || (entry->fts_level == 2 && !strcmp(entry->fts_name, "copyright"));
}

static int walk(struct files *files, const char *root, bool documentation) {
	char *root_copy = strdup(root); /* fts_open() wants a writable string */
	char *roots[] = { root_copy, NULL };
	FTS *fts = root_copy ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_path) : NULL;
	FTSENT *entry;
	int r = fts ? 0 : -ENOMEM;

	while (r == 0 && (entry = fts_read(fts))) {
		if (documentation && entry->fts_info == FTS_D && entry->fts_level > 1)
			(void)fts_set(fts, entry, FTS_SKIP);
		if (is_wanted(entry, documentation))
			r = files_add(files, entry->fts_path);
	}
	if (fts)
		(void)fts_close(fts);
	free(root_copy);
	return r;
}

int files_find(struct files *ret) {
	struct files files = { 0 };
	int r = walk(&files, FILES_LICENSES, false);

	if (r == 0)
		r = walk(&files, FILES_DOCUMENTATION, true);
	if (r < 0) {
		files_clear(&files);
		return r;
	}
	*ret = files;
	return 0;
}

void files_clear(struct files *files) {
	for (size_t i = 0; i < files->n; i++)
		free(files->paths[i]);
	free(files->paths);
	*files = (struct files){ 0 };
}
