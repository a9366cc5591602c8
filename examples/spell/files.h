/* SPDX-License-Identifier: MIT
 *
 * The texts that the demo reads, which every Debian machine has.
 */
#pragma once

#include <stddef.h>

#define FILES_LICENSES      "/usr/share/common-licenses"
#define FILES_DOCUMENTATION "/usr/share/doc"

struct files {
	char **paths;
	size_t n;
};

/* Finds every regular file below FILES_LICENSES and every FILES_DOCUMENTATION/PACKAGE/copyright.
 * Symbolic links are not followed, so that no text is counted twice. Returns 0 or -errno. */
int files_find(struct files *ret);
void files_clear(struct files *files);
