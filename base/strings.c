/* SPDX-License-Identifier: MIT */
#include "base/strings.h"

#include <string.h>

size_t strings_size(const char *const *strings, size_t n) {
	size_t size = (n + 1) * sizeof(char *);

	for (size_t i = 0; i < n; i++)
		size += strlen(strings[i]) + 1;
	return size;
}

char **strings_pack(void *memory, const char *const *strings, size_t n) {
	char **vector = memory, *to = (char *)(vector + n + 1);

	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(strings[i]) + 1;

		vector[i] = memcpy(to, strings[i], length);
		to += length;
	}
	vector[n] = NULL;
	return vector;
}
