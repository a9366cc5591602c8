/* SPDX-License-Identifier: MIT
 *
 * The view is an empty tmpfs in which each path of the policy is mounted where it is outside. A
 * path without a rule does not exist in it, so a task cannot even ask whether it exists (Landlock
 * does not cover stat(2)). Everything is read-only except what is declared for writing; there chmod
 * and utime work, because tar and ld need them.
 *
 * All sources are opened as detached trees first, because the new root covers some of them. They
 * are attached parents first: a path below another one finds its mount point in it.
 *
 * A symbolic link on the way to a path is made again, and the path that it leads to is mounted:
 * /bin/sh works where only /bin is declared, and /bin is a link to usr/bin.
 *
 * "/" stands for each of its entries: the root itself is ours.
 *
 * /proc is mounted anew for the pid namespace of the workers, which see no process of the host.
 * What a task can write it can never execute, unless another rule says so: the loader maps what
 * Landlock would not let execve(2) start.
 */
#include "sandbox/view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"

/* The longest chain of links. */
#define VIEW_LINKS 16
/* The most rules below a /tmp that is each worker's own, which mounts them itself. */
#define VIEW_BELOW_MAX 16

enum node_kind { NODE_TREE, NODE_LINK, NODE_PROC };

struct node {
	enum node_kind kind;
	char *path;   /* where it is in the view */
	char *target; /* of a link */
	int tree;     /* detached, or -1 */
	bool directory, optional;
	uint32_t access;
};

struct view {
	struct node nodes[2 * LIMIT_POLICY_PATHS];
	size_t n;
	const struct policy *policy;
	bool pid_namespace, scratch;
	struct sandbox_trouble *trouble;
};

static int view_fail(struct view *view, int error, const char *what, const char *path) {
	return trouble_fail(view->trouble, LAYER_MOUNT, error, "%s %s: %s", what, path,
			    strerrordesc_np(error));
}

/* No layer is missing: the policy itself is wrong, and best effort does not help. */
static int view_name_fail(struct view *view, int error, const char *path) {
	return trouble_fail(view->trouble, 0, error, "the policy names %s: %s%s", path,
			    strerrordesc_np(error),
			    error == ENOENT ? "; make it first, or take it out" : "");
}

/* --- collecting ---------------------------------------------------------------------------- */

static struct node *node_find(struct view *view, const char *path) {
	for (size_t i = 0; i < view->n; i++)
		if (strcmp(view->nodes[i].path, path) == 0)
			return &view->nodes[i];
	return NULL;
}

static struct node *node_add(struct view *view, enum node_kind kind, const char *path) {
	struct node *node;

	if (view->n == sizeof view->nodes / sizeof view->nodes[0])
		return NULL;
	node = &view->nodes[view->n];
	*node = (struct node){ .kind = kind, .path = strdup(path), .tree = -1 };
	if (!node->path)
		return NULL;
	view->n++;
	return node;
}

static bool is_below_tmp(const char *path) {
	return path_is_below(path, "/tmp");
}

/* True for a path strictly below one that the policy lets tasks write to: a task of an earlier pool
 * may have replaced it with a link to what it would like to see. "/" does not count, because a
 * policy that declares it for writing hides nothing. */
bool view_is_writable(const struct policy *policy, const char *path) {
	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct policy_path *rule = &policy->paths[i];
		if (rule->access & POLICY_WRITE && rule->path[1] && path_is_below(path, rule->path))
			return true;
	}
	return false;
}

/* The first symbolic link of the path is at [0, end). It becomes a node, and resolving continues
 * with its target. */
static int follow_link(struct view *view, const char *path, size_t end, char *ret) {
	char link[PATH_MAX], target[PATH_MAX];
	struct node *node;
	ssize_t n;

	memcpy(link, path, end);
	link[end] = '\0';
	if (view_is_writable(view->policy, link))
		return error_origin(-ELOOP);
	if (view->scratch && is_below_tmp(link))
		return error_origin(-EXDEV);
	n = readlink(link, target, sizeof target - 1);
	if (n < 0)
		return error_origin(-errno);
	target[n] = '\0';
	if (!node_find(view, link)) {
		node = node_add(view, NODE_LINK, link);
		if (!node || !(node->target = strdup(target)))
			return error_origin(-ENOMEM);
	}
	if (target[0] == '/')
		n = snprintf(ret, PATH_MAX, "%s%s", target, path + end);
	else
		n = snprintf(ret, PATH_MAX, "%.*s/%s%s", (int)(strrchr(link, '/') - link), link,
			     target, path + end);
	return n < PATH_MAX ? 0 : error_origin(-ENAMETOOLONG);
}

static bool is_link(const char *path, size_t end) {
	char prefix[PATH_MAX];
	struct stat status;

	memcpy(prefix, path, end);
	prefix[end] = '\0';
	return lstat(prefix, &status) == 0 && S_ISLNK(status.st_mode);
}

/* Turns links into nodes until `real` has none left. Returns 1 if there was one. */
static int resolve_step(struct view *view, char *real) {
	size_t size = strlen(real);

	for (size_t end = 1; end <= size; end++) {
		char next[PATH_MAX];
		int r;

		if ((end < size && real[end] != '/') || !is_link(real, end))
			continue;
		r = follow_link(view, real, end, next);
		if (r < 0)
			return error_trace(r);
		memcpy(real, next, strlen(next) + 1);
		/* ".." after a link is relative to the link's target, so only what is before it is
		 * resolved by now */
		path_simplify(real);
		return 1;
	}
	return 0;
}

/* Settles the common case with one call. */
static bool has_no_links(const char *path) {
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	cleanup_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

	return fd >= 0;
}

static int resolve(struct view *view, const char *path, char *real) {
	int r = 1;

	(void)snprintf(real, PATH_MAX, "%s", path);
	if (has_no_links(real))
		return 0;
	for (int i = 0; i < VIEW_LINKS && r == 1; i++)
		r = resolve_step(view, real);
	return r == 1 ? error_origin(-ELOOP) : error_trace(r);
}

static int open_tree_at(const char *path) {
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	return fd < 0 ? error_origin(-errno) : fd;
}

/* Puts a path where it is outside, except for what workers mount into their own /tmp. */
void view_place(size_t number, bool scratch, const char *real, char *ret) {
	if (scratch && is_below_tmp(real))
		(void)snprintf(ret, PATH_MAX, VIEW_BELOW_TMP "/%zu", number);
	else
		(void)snprintf(ret, PATH_MAX, "%s", real);
}

static int add_tree(struct view *view, const struct policy_path *rule, const char *real) {
	char where[PATH_MAX];
	struct node *node;
	struct stat status;

	view_place((size_t)(rule - view->policy->paths), view->scratch, real, where);
	node = node_find(view, where);
	if (!node && !(node = node_add(view, NODE_TREE, where)))
		return view_fail(view, ENOMEM, "too many paths at", real);
	node->access |= rule->access;
	node->optional = rule->optional && (node->optional || node->tree < 0);
	if (view->pid_namespace && strcmp(real, "/proc") == 0)
		node->kind = NODE_PROC;
	if (node->tree >= 0)
		return 0;
	node->tree = open_tree_at(real);
	if (node->tree < 0 || fstat(node->tree, &status) < 0)
		return view_fail(view, errno, "cannot mount", real);
	node->directory = S_ISDIR(status.st_mode);
	return 0;
}

/* Finds where a rule leads. Returns 1 if nothing is there but may be missing, or -errno. */
static int find(struct view *view, const struct policy_path *rule, char *real) {
	struct stat status;
	int r = resolve(view, rule->path, real);

	/* of a preset: it is below a path declared for writing, which covers it */
	if (r == -ELOOP && rule->optional)
		return 1;
	if (r == -EXDEV ||
	    (r == 0 && view->scratch && is_below_tmp(real) && strcmp(real, rule->path) != 0))
		return trouble_fail(
		    view->trouble, 0, EXDEV,
		    "%s leads through a symbolic link below or to /tmp, which is each "
		    "worker's own (limits.scratch): name where it leads",
		    rule->path);
	if (r == -ELOOP)
		return trouble_fail(
		    view->trouble, 0, ELOOP,
		    "%s leads through too many symbolic links, or through one in a place that "
		    "tasks may write to: name where it leads",
		    rule->path);
	if (r < 0)
		return view_name_fail(view, -r, rule->path);
	if (lstat(real, &status) == 0)
		return 0;
	if (rule->optional && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 1;
	return view_name_fail(view, errno, rule->path);
}

static int add_found(struct view *view, const struct policy_path *rule, const char *real) {
	if (view->scratch && strcmp(real, "/tmp") == 0)
		return 0;
	return error_trace(add_tree(view, rule, real));
}

static int add_entry(struct view *view, const struct policy_path *rule) {
	char real[PATH_MAX];
	int r = find(view, rule, real);

	/* an entry that leads back to the root adds nothing to the others */
	if (r != 0 || strcmp(real, "/") == 0)
		return r < 0 ? error_trace(r) : 0;
	return error_trace(add_found(view, rule, real));
}

static int add_root(struct view *view, uint32_t access) {
	DIR *root = opendir("/");
	struct dirent *entry;
	int r = 0;

	if (!root)
		return view_fail(view, errno, "cannot list", "/");
	while (r == 0 && (entry = readdir(root))) {
		char path[NAME_MAX + 2];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof path, "/%s", entry->d_name);
		r = add_entry(view, &(struct policy_path){ path, access, true });
	}
	(void)closedir(root);
	return r;
}

static int add_rule(struct view *view, const struct policy_path *rule) {
	char real[PATH_MAX];
	int r = find(view, rule, real);

	if (r != 0)
		return r < 0 ? error_trace(r) : 0;
	return error_trace(strcmp(real, "/") == 0 ? add_root(view, rule->access)
						  : add_found(view, rule, real));
}

/* --- building ------------------------------------------------------------------------------ */

static int compare_nodes(const void *one, const void *other) {
	const struct node *a = one, *b = other;

	return strcmp(a->path, b->path); /* a parent comes before what is below it */
}

static uint64_t flags_of(uint32_t access) {
	uint64_t flags = MOUNT_ATTR_NOSUID;

	if (!(access & POLICY_WRITE))
		flags |= MOUNT_ATTR_RDONLY;
	if (!(access & POLICY_DEVICE))
		flags |= MOUNT_ATTR_NODEV;
	if ((access & (POLICY_WRITE | POLICY_EXECUTE)) == POLICY_WRITE)
		flags |= MOUNT_ATTR_NOEXEC;
	return flags;
}

static int set_flags(const struct node *node) {
	struct mount_attr attributes = { .attr_set = flags_of(node->access) };

	return syscall(SYS_mount_setattr, node->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
		       sizeof attributes) < 0
		   ? error_origin(-errno)
		   : 0;
}

static int make_parents(const char *path) {
	char prefix[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t size = (size_t)(slash - path);

		memcpy(prefix, path, size);
		prefix[size] = '\0';
		if (mkdir(prefix + 1, 0755) < 0 && errno != EEXIST)
			return error_origin(-errno);
	}
	return 0;
}

/* The mount point may exist already as part of what was mounted above it; then it cannot
 * be made. */
static int make_point(const struct node *node) {
	const char *name = node->path + 1;
	struct stat status;
	int fd;

	if (*name == '\0' || lstat(name, &status) == 0)
		return 0;
	if (node->directory)
		return mkdir(name, 0755) < 0 ? error_origin(-errno) : 0;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return error_origin(-errno);
	(void)fd_close(fd);
	return 0;
}

static int mount_new(const char *type, const char *const options[][2], int flags) {
	cleanup_close int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	int fd;

	if (context < 0)
		return error_origin(-errno);
	for (size_t i = 0; options && options[i][0]; i++)
		if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[i][0],
			    options[i][1], 0) < 0)
			return error_origin(-errno);
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_origin(-errno);
	fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, flags);
	return fd < 0 ? error_origin(-errno) : fd;
}

static int attach(int tree, const char *path) {
	return syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0
		   ? error_origin(-errno)
		   : 0;
}

/* If the host's /proc is masked, as in some containers, the kernel refuses another one. */
static int attach_proc(struct view *view, const struct node *node, const char *name) {
	static const char *const options[][2] = { { "hidepid", "ptraceable" }, { NULL, NULL } };
	cleanup_close int proc =
	    mount_new("proc", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int r;

	if (proc < 0 && node->optional)
		return 0;
	if (proc < 0)
		return view_fail(
		    view, -proc,
		    "cannot mount a /proc for the pid namespace, perhaps because the host's own "
		    "is masked, at",
		    node->path);
	r = attach(proc, name);
	return r < 0 ? view_fail(view, -r, "cannot mount", node->path) : 0;
}

static int place_node(struct view *view, struct node *node) {
	const char *name = *(node->path + 1) ? node->path + 1 : ".";
	int r = make_parents(node->path);

	if (r < 0)
		return view_fail(view, -r, "cannot make the way to", node->path);
	if (node->kind == NODE_LINK) {
		if (symlink(node->target, name) < 0 && errno != EEXIST && errno != EROFS)
			return view_fail(view, errno, "cannot make the link", node->path);
		return 0;
	}
	r = make_point(node);
	if (r < 0)
		return view_fail(view, -r, "cannot make a mount point for", node->path);
	if (node->kind == NODE_PROC)
		return attach_proc(view, node, name);
	r = set_flags(node);
	if (r < 0)
		return view_fail(view, -r, "cannot restrict the mount of", node->path);
	r = attach(node->tree, name);
	return r < 0 ? view_fail(view, -r, "cannot mount", node->path) : 0;
}

/* The new root is mounted over a directory that always exists, and then becomes the root. */
static int root_begin(struct view *view) {
	static const char *const options[][2] = { { "mode", "0755" },
						  { "size", "1M" },
						  { NULL, NULL } };
	cleanup_close int root =
	    mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int r;

	if (root < 0)
		return view_fail(view, -root, "cannot make", "a tmpfs for the view");
	r = attach(root, "/proc");
	if (r < 0)
		return view_fail(view, -r, "cannot mount the view over", "/proc");
	return fchdir(root) < 0 ? view_fail(view, errno, "cannot enter", "the view") : 0;
}

/* pivot_root(".", ".") puts the old root over the new one, from where it is unmounted, so it needs
 * no directory (pivot_root(2), NOTES). */
static int root_finish(struct view *view) {
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mkfifo(&VIEW_PROBE[1], 0666) < 0 || chmod(&VIEW_PROBE[1], 0666) < 0)
		return view_fail(view, errno, "cannot make", VIEW_PROBE);
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return view_fail(view, errno, "cannot change", "the root");
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof attributes) < 0)
		return view_fail(view, errno, "cannot make read-only", "the root of the view");
	return 0;
}

static int make_scratch(struct view *view) {
	if (mkdir(&VIEW_SCRATCH_PARENT[1], 0755) < 0 || mkdir(&VIEW_SCRATCH[1], 0777) < 0 ||
	    symlink(VIEW_SCRATCH, "tmp") < 0)
		return view_fail(view, errno, "cannot make", VIEW_SCRATCH);
	return 0;
}

/* Tells whether the node is part of what is mounted above it, with at least these rights. Parents
 * come first. */
static bool is_covered(const struct view *view, const struct node *node) {
	for (const struct node *other = view->nodes; other < node; other++)
		if (other->kind == NODE_TREE && (other->access & node->access) == node->access &&
		    path_is_below(node->path, other->path))
			return true;
	return false;
}

/* Rules add up: a narrower one does not take back what a wider one allows. Parents come first. */
static void inherit_access(struct view *view) {
	for (size_t i = 0; i < view->n; i++)
		for (size_t k = 0; k < i; k++)
			if (view->nodes[k].kind == NODE_TREE &&
			    path_is_below(view->nodes[i].path, view->nodes[k].path))
				view->nodes[i].access |= view->nodes[k].access;
}

static int view_populate(struct view *view) {
	int r = 0;

	qsort(view->nodes, view->n, sizeof view->nodes[0], compare_nodes);
	inherit_access(view);
	if (view->scratch)
		r = make_scratch(view);
	for (size_t i = 0; i < view->n && r == 0; i++)
		if (view->nodes[i].kind != NODE_TREE || !is_covered(view, &view->nodes[i]))
			r = place_node(view, &view->nodes[i]);
	return r;
}

int view_build(const struct policy *policy, bool pid_namespace, struct sandbox_trouble *trouble) {
	struct view *view = calloc(1, sizeof *view);
	cleanup_close int namespace = -1;
	int r = 0;

	if (!view)
		return trouble_fail(trouble, LAYER_MOUNT, ENOMEM, "no memory for the view");
	view->policy = policy;
	view->pid_namespace = pid_namespace;
	view->scratch = policy->limits[POLICY_SCRATCH] != POLICY_NO_LIMIT;
	view->trouble = trouble;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = trouble_fail(trouble, LAYER_MOUNT, errno,
				 "no mount namespace can be made: %s (it takes a user namespace "
				 "or root)",
				 strerrordesc_np(errno));
	if (r == 0 && (namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) < 0)
		r = view_fail(view, errno, "cannot open", "/proc/self/ns/mnt");
	for (size_t i = 0; i < policy->n_paths && r == 0; i++)
		r = add_rule(view, &policy->paths[i]);
	/* for workers, which look for children that a task left before Landlock closes /proc
	 * to tasks */
	if (r == 0 && pid_namespace)
		r = add_rule(view, &(struct policy_path){ "/proc", POLICY_READ, true });
	if (r == 0)
		r = root_begin(view);
	if (r == 0)
		r = view_populate(view);
	if (r == 0)
		r = root_finish(view);
	free(view); /* the memory of its nodes goes with this process, which is about to exit */
	return r < 0 ? error_trace(r) : fd_steal(&namespace);
}

int view_enter(int view) {
	return setns(view, CLONE_NEWNS) < 0 ? error_origin(-errno) : 0;
}

struct view_below *view_list_below(const struct policy *policy, size_t *ret_n) {
	struct view_below *list = mmap(NULL, VIEW_BELOW_MAX * sizeof *list, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t n = 0;

	if (list == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < policy->n_paths; i++) {
		const char *path = policy->paths[i].path;
		struct stat status;

		if (!is_below_tmp(path) || stat(path, &status) < 0)
			continue;
		if (n == VIEW_BELOW_MAX || strlen(path) >= sizeof list[n].path) {
			(void)munmap(list, VIEW_BELOW_MAX * sizeof *list);
			return NULL;
		}
		list[n].number = (unsigned)i;
		list[n].directory = S_ISDIR(status.st_mode);
		(void)snprintf(list[n].path, sizeof list[n].path, "%s", path);
		n++;
	}
	*ret_n = n;
	return list;
}

static int mount_below(const struct view_below *below) {
	char from[64];
	int fd;

	(void)snprintf(from, sizeof from, VIEW_BELOW_TMP "/%u", below->number);
	if (make_parents(below->path) < 0)
		return error_origin(-errno);
	if (below->directory) {
		if (mkdir(below->path, 0755) < 0 && errno != EEXIST)
			return error_origin(-errno);
	} else {
		fd = open(below->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
		if (fd < 0)
			return error_origin(-errno);
		(void)fd_close(fd);
	}
	return mount(from, below->path, NULL, MS_BIND | MS_REC, NULL) < 0 ? error_origin(-errno)
									  : 0;
}

/* The mount namespace is the worker's own, so that its siblings do not see the scratch. A bind
 * mount keeps the restrictions of its source's flags. */
static int mount_scratch(uint64_t size, const struct view_below *below, size_t n_below) {
	char options[64];
	int r = 0;

	(void)snprintf(options, sizeof options, "mode=1777,size=%llu", (unsigned long long)size);
	if (unshare(CLONE_NEWNS) < 0)
		return error_origin(-errno);
	if (mount("tmpfs", VIEW_SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return error_origin(-errno);
	for (size_t i = 0; i < n_below && r == 0; i++)
		r = mount_below(&below[i]);
	return error_trace(r);
}

/* The umask is that of the tasks, whose files these are not. */
int view_mount_scratch(uint64_t size, const struct view_below *below, size_t n_below) {
	mode_t before = umask(0);
	int r = mount_scratch(size, below, n_below);

	(void)umask(before);
	return error_trace(r);
}
