/* SPDX-License-Identifier: MIT */
#include "sandbox/point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

static int open_beneath(int directory, const char *name) {
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH };
	int fd = (int)syscall(SYS_openat2, directory, *name ? name : ".", &how, sizeof how);

	return fd < 0 ? error_origin(-errno) : fd;
}

static int make(int directory, const char *name, bool is_directory) {
	cleanup_close int fd = -1;

	if (is_directory)
		return mkdirat(directory, name, 0755) < 0 ? error_origin(-errno) : 0;
	fd = openat(directory, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	return fd < 0 ? error_origin(-errno) : 0;
}

static bool same_device(int one, int other) {
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev;
}

/* One component below what is open. */
static int open_or_make(int root, int directory, const char *name, bool is_directory) {
	int fd = open_beneath(directory, name), r;

	if (fd != -ENOENT || !same_device(root, directory))
		return fd < 0 ? error_trace(fd) : fd;
	r = make(directory, name, is_directory);
	return r < 0 ? error_trace(r) : open_beneath(directory, name);
}

int point_open(int root, const char *path, bool directory) {
	cleanup_close int at = open_beneath(root, ".");

	while (at >= 0 && *path) {
		const char *from = path + strspn(path, "/");
		size_t size = strcspn(from, "/");
		char name[NAME_MAX + 1];
		int next;

		if (size == 0)
			break;
		if (size > NAME_MAX)
			return error_origin(-ENAMETOOLONG);
		memcpy(name, from, size);
		name[size] = '\0';
		path = from + size;
		next = open_or_make(root, at, name, *path ? true : directory);
		(void)fd_close(at);
		at = next;
	}
	return at < 0 ? error_trace(at) : fd_steal(&at);
}

int point_attach(int point, int tree) {
	return syscall(SYS_move_mount, tree, "", point, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
		   ? error_origin(-errno)
		   : 0;
}
