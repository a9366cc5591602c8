/* SPDX-License-Identifier: MIT */
#include "cli/run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/run/options.h"

/* No program can have made these, some of which are links themselves: what is in /dev itself, and
 * descriptors. */
static bool is_of_the_system(const char *name) {
	static const char *const descriptors[] = { "/dev/fd/", "/proc/self/fd/" };

	for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
		size_t size = strlen(descriptors[i]);

		if (strncmp(name, descriptors[i], size) == 0)
			return name[size] &&
			       strspn(name + size, "0123456789") == strlen(name + size);
	}
	return strncmp(name, "/dev/", 5) == 0 && !strchr(name + 5, '/');
}

static const char *last_name(const char *path) {
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- before -------------------------------------------------------------------------------- */

static bool complain(const struct run_file *file, int error) {
	run_say("--%s: %s cannot be written: %s", file->option, file->name,
		error == ELOOP   ? "a symbolic link is on the way to it; name where that leads"
		: error == ENXIO ? "nobody reads this FIFO"
				 : strerrordesc_np(error));
	return false;
}

static int open_directory(const char *path) {
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS };
	char directory[PATH_MAX] = ".";
	size_t size = (size_t)(last_name(path) - path);
	long fd;

	if (size >= sizeof directory || !*last_name(path))
		return size >= sizeof directory ? -ENAMETOOLONG : -EISDIR;
	if (size > 0)
		(void)snprintf(directory, sizeof directory, "%.*s", (int)size, path);
	fd = syscall(SYS_openat2, AT_FDCWD, directory, &how, sizeof how);
	return fd < 0 ? -errno : (int)fd;
}

/* Returns 0 or -errno. */
static int open_place(struct run_file *file) {
	struct stat status;

	if (is_of_the_system(file->name)) {
		file->fd = open(file->name, O_WRONLY | O_CLOEXEC);
		return file->fd < 0 ? -errno : 0;
	}
	file->directory = open_directory(file->name);
	if (file->directory < 0)
		return file->directory;
	if (faccessat(file->directory, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return -errno;
	if (fstatat(file->directory, last_name(file->name), &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode))
		return 0;
	/* a program may have left a FIFO that nobody reads */
	file->fd = openat(file->directory, last_name(file->name),
			  O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (file->fd < 0 || fcntl(file->fd, F_SETFL, O_WRONLY) < 0)
		return -errno;
	return 0;
}

bool run_file_open(struct run_file *ret, const char *option, const char *name) {
	int r;

	*ret = (struct run_file){ .option = option, .name = name, .directory = -1, .fd = -1 };
	if (!name)
		return true;
	r = *name ? open_place(ret) : 0;
	if (r < 0)
		return complain(ret, -r);
	ret->stream = *name ? open_memstream(&ret->text, &ret->size) : stderr;
	return ret->stream || complain(ret, errno);
}

/* --- after --------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t size) {
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A file that is replaced keeps its mode. */
static int make(const struct run_file *file, const char *temporary) {
	const char *name = last_name(file->name);
	struct stat status;
	int fd = openat(file->directory, temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	int r;

	if (fd < 0)
		return -errno;
	if (fstatat(file->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(status.st_mode))
		(void)fchmod(fd, status.st_mode & 0777);
	r = write_all(fd, file->text, file->size);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int replace(const struct run_file *file) {
	const char *name = last_name(file->name);
	char temporary[64];
	uint64_t random;
	int r;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -errno;
	(void)snprintf(temporary, sizeof temporary, ".warmfork-%016llx",
		       (unsigned long long)random);
	r = make(file, temporary);
	if (r == 0 && renameat(file->directory, temporary, file->directory, name) < 0)
		r = -errno;
	if (r < 0 && r != -EEXIST)
		(void)unlinkat(file->directory, temporary, 0);
	return r;
}

static int finish(struct run_file *file) {
	bool good = !ferror(file->stream);

	if (file->stream == stderr)
		return fflush(stderr) == 0 && good ? 0 : -EIO;
	if (fclose(file->stream) != 0 || !good)
		return -ENOMEM;
	return file->fd >= 0 ? write_all(file->fd, file->text, file->size) : replace(file);
}

bool run_file_close(struct run_file *file) {
	int r = file->stream ? finish(file) : 0;

	if (r < 0)
		run_say("--%s: %s cannot be written: %s", file->option,
			*file->name ? file->name : "standard error", strerrordesc_np(-r));
	if (file->fd >= 0)
		(void)close(file->fd);
	if (file->directory >= 0)
		(void)close(file->directory);
	free(file->text);
	*file = (struct run_file){ .directory = -1, .fd = -1 };
	return r == 0;
}
