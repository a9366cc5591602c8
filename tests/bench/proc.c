/* SPDX-License-Identifier: MIT
 *
 * Reading /proc. A file that is not there means that the process to be measured is not, either:
 * that is the end of the measurement.
 */
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

long proc_number(pid_t pid, const char *file, const char *key) {
	size_t length = strlen(key);
	char path[64], line[256];
	long number = -1;
	FILE *stream;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	stream = fopen(path, "re");
	while (stream && number < 0 && fgets(line, sizeof line, stream))
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			number = strtol(line + length + 1, NULL, 10);
	if (stream)
		(void)fclose(stream);
	if (number < 0)
		measure_die("%s has no %s", path, key);
	return number;
}

size_t proc_children(pid_t pid, pid_t *ret, size_t room) {
	char path[64];
	FILE *stream;
	size_t n = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	stream = fopen(path, "re");
	while (stream && n < room && fscanf(stream, "%d", &ret[n]) == 1)
		n++;
	if (stream)
		(void)fclose(stream);
	return n;
}
