/* SPDX-License-Identifier: MIT
 *
 * Is a thread in this system call now? No event tells, so it is looked at again and again (look.h).
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* `path`: /proc/PID/syscall, or that of a thread. Its fourth argument is *argument, unless that is
 * NULL. */
static inline bool is_in_call(const char *path, long number, const unsigned *argument) {
	long found = -1;
	unsigned long long arguments[4] = { 0 };
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	const int n = fscanf(file, "%ld %llx %llx %llx %llx", &found, &arguments[0], &arguments[1],
			     &arguments[2], &arguments[3]);
	(void)fclose(file);
	return n == 5 && found == number && (!argument || (unsigned)arguments[3] == *argument);
}
