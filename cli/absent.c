/* SPDX-License-Identifier: MIT
 *
 * base/feature.c also lists the features that Linux 6.1 lacks; tests/cli/test_absent.c checks that
 * the two lists agree.
 */
#include "cli/absent.h"

#include <stddef.h>
#include <string.h>

static bool is_listed(const char *words, const char *word) {
	size_t size = strlen(word), length;

	for (const char *at = words; at && *at; at += length + (at[length] == ',')) {
		length = strcspn(at, ",");
		if (length == size && memcmp(at, word, size) == 0)
			return true;
	}
	return false;
}

static bool is_newer(const char *feature) {
	static const char *const newer[] = { "dupfd_query", "landlock:2",   "memfd_noexec",
					     "mseal",       "pagemap_scan", "pidfd_info" };

	for (size_t i = 0; i < sizeof newer / sizeof newer[0]; i++)
		if (strcmp(newer[i], feature) == 0)
			return true;
	return false;
}

bool absent_hides(const char *words, const char *feature) {
	return is_listed(words, feature) || (is_newer(feature) && is_listed(words, "linux-6.1"));
}
