/* SPDX-License-Identifier: MIT
 *
 * Lines of /proc/self/cgroup: "N:CONTROLLERS:/path" is version 1, "0::/path" version 2.
 */
#include "base/control_group.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

bool control_group_own(const char *controller, char *ret, size_t size) {
	char text[4096], *rest = NULL;
	cleanup_close int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (strcmp(names + 1, controller) != 0)
			continue;
		if (strcmp(path, "/") == 0)
			path++;
		/* a truncated path would name another group, one above ours */
		return (size_t)snprintf(ret, size, "%s", path) < size;
	}
	return false;
}

void control_group_remove(const char *path) {
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			(void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	if (directory)
		(void)closedir(directory);
	(void)rmdir(path);
}
