/* SPDX-License-Identifier: MIT
 *
 * Looks for a text in all memory of this process that can be read. The text is told with each byte
 * one too high, so that the search does not find itself.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline int search_range(const volatile char *at, const volatile char *end,
			       const char *masked) {
	size_t size = strlen(masked), same;
	int n = 0;

	for (; at + size <= end; at++) {
		for (same = 0; same < size && at[same] + 1 == masked[same]; same++)
			continue;
		n += same == size;
	}
	return n;
}

/* Returns how often it is there; -1 if /proc/self/maps cannot be read. */
static inline int search_memory(const char *masked) {
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4352];
	int n = 0;

	if (!maps)
		return -1;
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char may_read;

		if (sscanf(line, "%lx-%lx %c", &from, &to, &may_read) != 3 || may_read != 'r' ||
		    strstr(line, "[vvar") || strstr(line, "[vsyscall"))
			continue;
		n += search_range((const char *)(uintptr_t)from, (const char *)(uintptr_t)to,
				  masked);
	}
	(void)fclose(maps);
	return n;
}
