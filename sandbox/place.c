/* SPDX-License-Identifier: MIT
 *
 * A symbolic link may be followed if whoever wrote the policy put it there, but not if a task may
 * have done so: a task of an earlier run could have replaced what it was allowed to write to with a
 * link to what it would like to see. Names do not tell which is which, because one directory can
 * have many: /var/run, a home that is a link, a bind mount. So the files that tasks may write to
 * are found first, and whoever passes one of these on the way to another path follows no more
 * links, whatever the path says.
 *
 * Most paths have no links, and one openat2(2) with RESOLVE_NO_SYMLINKS (Linux 5.6) settles them.
 */
#include "sandbox/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/path.h"

#define PLACE_LINKS 40 /* as many as the kernel follows */

/* Opening the paths of one policy. */
struct survey {
	const struct policy *policy;
	const struct place_request *request;
	struct places *places;
	struct fd_file writable[LIMIT_POLICY_PATHS];
	size_t n_writable;
	bool writable_known;
	struct sandbox_trouble *trouble;
};

/* --- walking ------------------------------------------------------------------------------- */

/* A path of which a part has been walked. */
struct walk {
	int fd; /* what the part leads to; O_PATH */
	mode_t mode;
	struct fd_file file;
	char path[PATH_MAX]; /* the part, without links */
	char rest[PATH_MAX];
	unsigned n_links;
	bool below_writable;
};

static bool is_below_tmp(const char *path) {
	return path_is_below(path, "/tmp");
}

bool place_is_below_tmp(const struct place *place) {
	return is_below_tmp(place->path);
}

/* Takes ownership of `fd`. */
static int walk_set(struct walk *walk, int fd) {
	struct stat status;

	if (fd < 0)
		return error_origin(-errno);
	(void)fd_close(walk->fd);
	walk->fd = fd;
	if (fstat(fd, &status) < 0)
		return error_origin(-errno);
	walk->mode = status.st_mode;
	walk->file = (struct fd_file){ status.st_dev, status.st_ino };
	return 0;
}

static int walk_to_root(struct walk *walk) {
	(void)snprintf(walk->path, sizeof walk->path, "/");
	return error_trace(walk_set(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)));
}

static int walk_up(struct walk *walk) {
	char *slash = strrchr(walk->path, '/');

	slash[slash == walk->path] = '\0';
	return error_trace(
	    walk_set(walk, openat(walk->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC)));
}

static bool tasks_may_write(const struct survey *survey, const struct fd_file *file) {
	for (size_t i = 0; i < survey->n_writable; i++)
		if (survey->writable[i].device == file->device &&
		    survey->writable[i].inode == file->inode)
			return true;
	return false;
}

static int note_link(struct survey *survey, const char *path, const char *target) {
	struct places *places = survey->places;
	struct place_link *link = &places->links[places->n_links];

	for (size_t i = 0; i < places->n_links; i++)
		if (strcmp(places->links[i].path, path) == 0)
			return 0;
	if (places->n_links == PLACES_MAX)
		return error_origin(-ENOMEM);
	*link = (struct place_link){ strdup(path), strdup(target) };
	if (!link->path || !link->target)
		return error_origin(-ENOMEM);
	places->n_links++;
	return 0;
}

/* What the kernel would not follow, because another user planted it in a directory that everybody
 * may write to (fs.protected_symlinks), is not followed here either. */
static bool kernel_follows(const struct walk *walk, const char *name) {
	cleanup_close int fd = openat(walk->fd, name, O_PATH | O_CLOEXEC);

	return fd >= 0 || errno != EACCES;
}

/* `link` is `name` in what was walked, and `path` its whole path. */
static int walk_link(struct survey *survey, struct walk *walk, int link, const char *name,
		     const char *path) {
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n;
	int r;

	if (walk->below_writable || ++walk->n_links > PLACE_LINKS)
		return error_origin(-ELOOP);
	if (survey->request->scratch && is_below_tmp(path))
		return error_origin(-EXDEV);
	if (!kernel_follows(walk, name))
		return error_origin(-EACCES);
	n = readlinkat(link, "", target, sizeof target - 1);
	if (n < 0)
		return error_origin(-errno);
	target[n] = '\0';
	r = survey->writable_known ? note_link(survey, path, target) : 0;
	if (r < 0)
		return error_trace(r);
	n = snprintf(rest, sizeof rest, "%s/%s", target, walk->rest);
	if (n >= PATH_MAX)
		return error_origin(-ENAMETOOLONG);
	memcpy(walk->rest, rest, (size_t)n + 1);
	return target[0] == '/' ? error_trace(walk_to_root(walk)) : 0;
}

static int walk_down(struct survey *survey, struct walk *walk, const char *name) {
	cleanup_close int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[PATH_MAX];
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_origin(-errno);
	if (snprintf(path, sizeof path, "%s/%s", walk->path[1] ? walk->path : "", name) >= PATH_MAX)
		return error_origin(-ENAMETOOLONG);
	walk->below_writable |= tasks_may_write(survey, &walk->file);
	if (S_ISLNK(status.st_mode))
		return error_trace(walk_link(survey, walk, fd, name, path));
	memcpy(walk->path, path, sizeof path);
	return error_trace(walk_set(walk, fd_steal(&fd)));
}

/* Cuts the first component off. Returns false if there is none. */
static bool next_name(struct walk *walk, char *ret) {
	const char *from = walk->rest + strspn(walk->rest, "/");
	size_t size = strcspn(from, "/");

	if (size == 0)
		return false;
	memcpy(ret, from, size);
	ret[size] = '\0';
	memmove(walk->rest, from + size, strlen(from + size) + 1);
	return true;
}

static int walk_by_name(struct survey *survey, struct walk *walk, const char *path) {
	char name[PATH_MAX];
	int r = walk_to_root(walk);

	(void)snprintf(walk->rest, sizeof walk->rest, "%s", path);
	while (r == 0 && next_name(walk, name)) {
		if (strcmp(name, "..") == 0)
			r = walk_up(walk);
		else if (strcmp(name, ".") != 0)
			r = walk_down(survey, walk, name);
	}
	return error_trace(r);
}

static int open_without_links(const char *path) {
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

/* Finds where a path leads. Returns 0 or -errno; the caller closes walk->fd in any case. */
static int walk_path(struct survey *survey, struct walk *walk, const char *path) {
	int r;

	walk->fd = -1;
	walk->n_links = 0;
	walk->below_writable = false;
	r = walk_set(walk, open_without_links(path));
	if (r == -ELOOP)
		return error_trace(walk_by_name(survey, walk, path));
	(void)snprintf(walk->path, sizeof walk->path, "%s", path);
	return error_trace(r);
}

/* --- collecting ---------------------------------------------------------------------------- */

/* No layer is missing: the policy itself is wrong, and best effort does not help. */
static int name_fail(struct survey *survey, int error, const char *path) {
	return trouble_fail(survey->trouble, 0, error, "the policy names %s: %s%s", path,
			    strerrordesc_np(error),
			    error == ENOENT ? "; make it first, or take it out" : "");
}

/* Tells why a path that a policy names does not count. Returns 0 if it may be missing. */
static int judge_missing(struct survey *survey, const struct policy_path *rule, int error) {
	switch (error) {
	case EXDEV:
		return trouble_fail(survey->trouble, 0, EXDEV,
				    "%s leads through a symbolic link below or to /tmp, which is "
				    "each worker's own (limits.scratch): name where it leads",
				    rule->path);
	case ELOOP:
		/* of a preset: it is below a path declared for writing, which covers it */
		if (rule->optional)
			return 0;
		return trouble_fail(survey->trouble, 0, ELOOP,
				    "%s leads through too many symbolic links, or through one in a "
				    "place that tasks may write to: name where it leads",
				    rule->path);
	case ENOENT:
	case ENOTDIR:
	case EACCES:
		return rule->optional ? 0 : name_fail(survey, error, rule->path);
	default:
		return name_fail(survey, error, rule->path);
	}
}

static struct place *find_place(struct places *places, const char *path) {
	for (size_t i = 0; i < places->n; i++)
		if (strcmp(places->list[i].path, path) == 0)
			return &places->list[i];
	return NULL;
}

/* Takes the descriptor of the walk. */
static int add_place(struct survey *survey, struct walk *walk, const struct policy_path *rule,
		     size_t number) {
	struct places *places = survey->places;
	struct place *place = find_place(places, walk->path);

	if (place) {
		place->access |= rule->access;
		place->optional &= rule->optional;
		return 0;
	}
	if (places->n == PLACES_MAX)
		return name_fail(survey, E2BIG, rule->path);
	place = &places->list[places->n];
	*place = (struct place){ .path = strdup(walk->path),
				 .fd = walk->fd,
				 .access = rule->access,
				 .number = number,
				 .directory = S_ISDIR(walk->mode),
				 .optional = rule->optional };
	if (!place->path)
		return name_fail(survey, ENOMEM, rule->path);
	walk->fd = -1;
	places->n++;
	return 0;
}

/* Shared memory that is mapped from /dev/zero is counted nowhere. /dev/full reads the same, and
 * cannot be mapped. */
static int without_zero(const struct survey *survey, struct walk *walk) {
	struct stat status;

	if (!survey->request->private_memory || !S_ISCHR(walk->mode))
		return 0;
	if (fstat(walk->fd, &status) < 0)
		return error_origin(-errno);
	if (status.st_rdev != makedev(1, 5))
		return 0;
	(void)fd_close(walk->fd);
	walk->fd = open("/dev/full", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return walk->fd < 0 ? error_origin(-errno) : 0;
}

static int add_path(struct survey *survey, const struct policy_path *rule, size_t number) {
	struct walk walk;
	int r = walk_path(survey, &walk, rule->path);

	if (r == 0 && survey->request->scratch && is_below_tmp(walk.path) &&
	    strcmp(walk.path, rule->path) != 0)
		r = error_origin(-EXDEV);
	if (r == 0)
		r = without_zero(survey, &walk);
	r = r < 0 ? judge_missing(survey, rule, -r) : add_place(survey, &walk, rule, number);
	(void)fd_close(walk.fd);
	return error_trace(r);
}

/* The root of a view is the view's own, so "/" stands for each of its entries as well. */
static int add_entries(struct survey *survey, uint32_t access) {
	DIR *root = opendir("/");
	struct dirent *entry;
	int r = 0;

	if (!root)
		return name_fail(survey, errno, "/");
	while (r == 0 && (entry = readdir(root))) {
		char path[NAME_MAX + 2];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof path, "/%s", entry->d_name);
		r = add_path(survey, &(struct policy_path){ path, access, true },
			     survey->policy->n_paths);
	}
	(void)closedir(root);
	return error_trace(r);
}

/* "/" does not count, because a policy that declares it for writing hides nothing. */
static void note_writable(struct survey *survey, const struct policy_path *rule) {
	struct walk walk;

	if (!(rule->access & POLICY_WRITE))
		return;
	if (walk_path(survey, &walk, rule->path) == 0 && walk.path[1])
		survey->writable[survey->n_writable++] = walk.file;
	(void)fd_close(walk.fd);
}

static int survey_run(struct survey *survey) {
	const struct policy *policy = survey->policy;
	struct place *root;
	int r = 0;

	for (size_t i = 0; i < policy->n_paths; i++)
		note_writable(survey, &policy->paths[i]);
	survey->writable_known = true;
	for (size_t i = 0; i < policy->n_paths && r == 0; i++)
		r = add_path(survey, &policy->paths[i], i);
	root = find_place(survey->places, "/");
	if (r == 0 && root)
		r = add_entries(survey, root->access);
	return error_trace(r);
}

int places_open(const struct place_request *request, struct places **ret,
		struct sandbox_trouble *trouble) {
	struct survey *survey = memory_new_sparse(sizeof *survey);
	int r;

	*ret = memory_new_sparse(sizeof **ret);
	if (!*ret || !survey) {
		memory_free_sparse(survey, sizeof *survey);
		return trouble_fail(trouble, 0, ENOMEM, "no memory for the paths of the policy");
	}
	survey->policy = request->policy;
	survey->request = request;
	survey->places = *ret;
	survey->trouble = trouble;
	r = survey_run(survey);
	memory_free_sparse(survey, sizeof *survey);
	return error_trace(r);
}
