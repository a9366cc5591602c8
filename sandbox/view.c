/* SPDX-License-Identifier: MIT
 *
 * The view is an empty tmpfs in which each path of the policy is mounted where it is outside. A
 * path without a rule does not exist in it, so a task cannot even ask whether it exists (Landlock
 * does not cover stat(2)). Everything is read-only except what is declared for writing; there chmod
 * and utime work, because tar and ld need them.
 *
 * Places are opened as detached trees first, because the new root covers some of them. They are
 * attached parents first: a path below another one finds its mount point in it.
 *
 * A symbolic link on the way to a path is made again, and the path that it leads to is mounted:
 * /bin/sh works where only /bin is declared, and /bin is a link to usr/bin.
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
#include "base/memory.h"
#include "base/path.h"
#include "sandbox/point.h"

/* The most rules below a /tmp that is each worker's own, which mounts them itself. */
#define VIEW_BELOW_MAX 16

#define SCRATCH_BYTES_PER_FILE 4096
#define SCRATCH_FILES_LEAST    256

/* Lie in the view's root, and are mounted over what must not be seen. */
#define VIEW_NO_DIRECTORY ".warmfork-nothing"
#define VIEW_NO_FILE      ".warmfork-nothing-file"

enum node_kind { NODE_TREE, NODE_LINK, NODE_PROC };

struct node {
	enum node_kind kind;
	const char *path;    /* where it is in the view */
	const char *target;  /* of a link */
	struct place *place; /* of a tree */
	uint32_t access;
	bool optional, covered;
};

struct view {
	struct node nodes[2 * PLACES_MAX];
	size_t n;
	const struct view_request *request;
	int root; /* the tmpfs */
	struct sandbox_trouble *trouble;
};

static int view_fail(struct view *view, int error, const char *what, const char *path) {
	return trouble_fail(view->trouble, LAYER_MOUNT, error, "%s %s: %s", what, path,
			    strerrordesc_np(error));
}

/* --- collecting ---------------------------------------------------------------------------- */

static struct node *node_add(struct view *view, enum node_kind kind, const char *path) {
	struct node *node = &view->nodes[view->n++];

	*node = (struct node){ .kind = kind, .path = path };
	return node;
}

static void collect_links(struct view *view, const struct places *places) {
	for (size_t i = 0; i < places->n_links; i++)
		node_add(view, NODE_LINK, places->links[i].path)->target = places->links[i].target;
}

/* Places are where they are outside, except for those that workers mount into their own /tmp. */
static const char *path_in_view(const struct view *view, const struct place *place) {
	char *path;

	if (!view->request->scratch || !place_is_below_tmp(place))
		return place->path;
	return asprintf(&path, VIEW_BELOW_TMP "/%zu", place->number) < 0 ? NULL : path;
}

static int collect_places(struct view *view, struct places *places) {
	for (size_t i = 0; i < places->n; i++) {
		struct place *place = &places->list[i];
		const char *path = path_in_view(view, place);
		struct node *node;

		if (!path)
			return view_fail(view, ENOMEM, "cannot mount", place->path);
		if (!place->path[1] || (view->request->scratch && strcmp(place->path, "/tmp") == 0))
			continue;
		node = node_add(view, NODE_TREE, path);
		node->place = place;
		node->access = place->access;
		node->optional = place->optional;
		if (view->request->own_proc && strcmp(path, VIEW_PROC) == 0)
			node->kind = NODE_PROC;
	}
	return 0;
}

/* Workers look there for children that a task left, before Landlock closes /proc to tasks. */
static void collect_proc(struct view *view) {
	struct node *node;

	if (!view->request->own_proc)
		return;
	for (size_t i = 0; i < view->n; i++)
		if (view->nodes[i].kind == NODE_PROC)
			return;
	node = node_add(view, NODE_PROC, VIEW_PROC);
	node->access = POLICY_READ;
	node->optional = true;
}

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

/* Takes the place's descriptor in exchange for one of a detached copy of what is mounted there. */
static int open_tree_of(struct view *view, struct node *node) {
	struct mount_attr attributes = { .attr_set = flags_of(node->access) };
	struct place *place = node->place;
	int tree = (int)syscall(SYS_open_tree, place->fd, "",
				AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return view_fail(view, errno, "cannot mount", place->path);
	(void)fd_close(place->fd);
	place->fd = tree;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
		    sizeof attributes) < 0)
		return view_fail(view, errno, "cannot restrict the mount of", place->path);
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

/* What a /proc shows of the machine, besides processes, to the user root alone. */
static const struct {
	const char *path;
	bool directory;
} root_only[] = {
	{ "/proc/acpi", true },
	{ "/proc/bus", true },
	{ "/proc/driver", true },
	{ "/proc/fs", true },
	{ "/proc/irq", true },
	{ "/proc/scsi", true },
	{ "/proc/tty", true },
	{ "/proc/iomem", false },
	{ "/proc/ioports", false },
	{ "/proc/kcore", false },
	{ "/proc/key-users", false },
	{ "/proc/keys", false },
	{ "/proc/kmsg", false },
	{ "/proc/kpagecgroup", false },
	{ "/proc/kpagecount", false },
	{ "/proc/kpageflags", false },
	{ "/proc/latency_stats", false },
	{ "/proc/mtrr", false },
	{ "/proc/pagetypeinfo", false },
	{ "/proc/sched_debug", false },
	{ "/proc/slabinfo", false },
	{ "/proc/sysrq-trigger", false },
	{ "/proc/timer_list", false },
	{ "/proc/vmallocinfo", false },
};

static int mask(struct view *view, const char *path, const char *by) {
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	cleanup_close int point = point_open(view->root, path, true), nothing = -1;
	int r;

	if (point == -ENOENT) /* this kernel does not have it */
		return 0;
	nothing = (int)syscall(SYS_open_tree, view->root, by, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	r = point < 0 ? point : nothing < 0 ? error_origin(-errno) : 0;
	if (r == 0 && syscall(SYS_mount_setattr, nothing, "", AT_EMPTY_PATH, &attributes,
			      sizeof attributes) < 0)
		r = error_origin(-errno);
	if (r == 0)
		r = point_attach(point, nothing);
	return r < 0 ? view_fail(view, -r, "cannot hide", path) : 0;
}

static int mask_all(struct view *view) {
	cleanup_close int file = openat(view->root, VIEW_NO_FILE, O_CREAT | O_CLOEXEC, 0);
	int r = 0;

	if (file < 0 || mkdirat(view->root, VIEW_NO_DIRECTORY, 0) < 0)
		return view_fail(view, errno, "cannot make", VIEW_NO_DIRECTORY);
	for (size_t i = 0; i < sizeof root_only / sizeof root_only[0] && r == 0; i++)
		r = mask(view, root_only[i].path,
			 root_only[i].directory ? VIEW_NO_DIRECTORY : VIEW_NO_FILE);
	return error_trace(r);
}

/* If the host's /proc is masked, as in some containers, the kernel refuses another one. */
static int attach_proc(struct view *view, const struct node *node, int point) {
	static const char *const options[][2] = { { "hidepid", "ptraceable" }, { NULL, NULL } };
	const int flags = node->access & POLICY_WRITE ? 0 : MOUNT_ATTR_RDONLY;
	cleanup_close int proc = mount_new(
	    "proc", options, flags | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int r;

	if (proc < 0 && node->optional)
		return 0;
	if (proc < 0)
		return view_fail(
		    view, -proc,
		    "cannot mount a /proc for the pid namespace, perhaps because the host's own "
		    "is masked, at",
		    node->path);
	r = point_attach(point, proc);
	if (r < 0)
		return view_fail(view, -r, "cannot mount", node->path);
	return view->request->root ? error_trace(mask_all(view)) : 0;
}

/* A link that is part of what is mounted above it need not be made, and cannot be. */
static int place_link(struct view *view, const struct node *node) {
	char parent[PATH_MAX];
	cleanup_close int directory = -1;

	path_parent(node->path, parent, sizeof parent);
	directory = point_open(view->root, parent, true);
	if (directory < 0)
		return view_fail(view, -directory, "cannot make the way to", node->path);
	if (symlinkat(node->target, directory, strrchr(node->path, '/') + 1) < 0 &&
	    errno != EEXIST && errno != EROFS)
		return view_fail(view, errno, "cannot make the link", node->path);
	return 0;
}

static int place_node(struct view *view, struct node *node) {
	cleanup_close int point = -1;
	int r;

	if (node->kind == NODE_LINK)
		return error_trace(place_link(view, node));
	point =
	    point_open(view->root, node->path, node->kind == NODE_PROC || node->place->directory);
	if (point == -ELOOP || point == -ENOENT)
		return trouble_fail(view->trouble, 0, -point,
				    "%s was replaced while the sandbox was built", node->path);
	if (point < 0)
		return view_fail(view, -point, "cannot make a mount point for", node->path);
	if (node->kind == NODE_PROC)
		return error_trace(attach_proc(view, node, point));
	r = point_attach(point, node->place->fd);
	return r < 0 ? view_fail(view, -r, "cannot mount", node->path) : 0;
}

/* The new root is mounted over a directory that always exists, and then becomes the root. */
static int root_begin(struct view *view) {
	static const char *const options[][2] = { { "mode", "0755" },
						  { "size", "1M" },
						  { NULL, NULL } };
	cleanup_close int root =
	    mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	if (root < 0)
		return view_fail(view, -root, "cannot make", "a tmpfs for the view");
	if (syscall(SYS_move_mount, root, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return view_fail(view, errno, "cannot mount the view over", "/proc");
	if (fchdir(root) < 0)
		return view_fail(view, errno, "cannot enter", "the view");
	view->root = fd_steal(&root);
	return 0;
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

/* Marks what needs no mount of its own. Copies are made before the new root is mounted, which
 * would be part of one of /proc. */
static int view_settle(struct view *view) {
	int r = 0;

	qsort(view->nodes, view->n, sizeof view->nodes[0], compare_nodes);
	inherit_access(view);
	for (size_t i = 0; i < view->n && r == 0; i++) {
		struct node *node = &view->nodes[i];

		if (node->kind != NODE_TREE)
			continue;
		node->covered = is_covered(view, node);
		if (!node->covered)
			r = open_tree_of(view, node);
	}
	return error_trace(r);
}

static int view_populate(struct view *view) {
	int r = view->request->scratch ? make_scratch(view) : 0;

	for (size_t i = 0; i < view->n && r == 0; i++)
		if (!view->nodes[i].covered)
			r = place_node(view, &view->nodes[i]);
	return error_trace(r);
}

int view_begin(struct sandbox_trouble *trouble) {
	int namespace;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return trouble_fail(trouble, LAYER_MOUNT, errno,
				    "no mount namespace can be made: %s (it takes a user namespace "
				    "or root)",
				    strerrordesc_np(errno));
	namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	return namespace < 0 ? trouble_fail(trouble, LAYER_MOUNT, errno, "/proc/self/ns/mnt: %s",
					    strerrordesc_np(errno))
			     : namespace;
}

int view_build(struct places *places, const struct view_request *request,
	       struct sandbox_trouble *trouble) {
	struct view *view = memory_new_sparse(sizeof *view);
	int r;

	if (!view)
		return trouble_fail(trouble, LAYER_MOUNT, ENOMEM, "no memory for the view");
	view->request = request;
	view->root = -1;
	view->trouble = trouble;
	collect_links(view, places);
	r = collect_places(view, places);
	collect_proc(view);
	if (r == 0)
		r = view_settle(view);
	if (r == 0)
		r = root_begin(view);
	if (r == 0)
		r = view_populate(view);
	if (r == 0)
		r = root_finish(view);
	places->viewed = r == 0;
	(void)fd_close(view->root);
	memory_free_sparse(view, sizeof *view);
	return error_trace(r);
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

		if (!path_is_below(path, "/tmp") || stat(path, &status) < 0)
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

static int mount_below(int scratch, const struct view_below *below) {
	cleanup_close int point = -1, tree = -1;
	char from[64];

	(void)snprintf(from, sizeof from, VIEW_BELOW_TMP "/%u", below->number);
	point = point_open(scratch, below->path + strlen("/tmp"), below->directory);
	if (point < 0)
		return error_trace(point);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, from,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return tree < 0 ? error_origin(-errno) : error_trace(point_attach(point, tree));
}

/* The mount namespace is the worker's own, so that its siblings do not see the scratch. A copy of a
 * mount keeps the restrictions of its source. */
static int mount_scratch(uint64_t size, const struct view_below *below, size_t n_below) {
	cleanup_close int scratch = -1;
	const unsigned long long files = size / SCRATCH_BYTES_PER_FILE + SCRATCH_FILES_LEAST;
	char options[128];
	int r = 0;

	/* an empty file takes no page of the scratch, but a kilobyte of the kernel's memory */
	(void)snprintf(options, sizeof options, "mode=1777,size=%llu,nr_inodes=%llu",
		       (unsigned long long)size, files);
	if (unshare(CLONE_NEWNS) < 0)
		return error_origin(-errno);
	if (mount("tmpfs", VIEW_SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return error_origin(-errno);
	scratch = open(VIEW_SCRATCH, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (scratch < 0)
		return error_origin(-errno);
	for (size_t i = 0; i < n_below && r == 0; i++)
		r = mount_below(scratch, &below[i]);
	return error_trace(r);
}

/* The umask is that of the tasks, whose files these are not. */
int view_mount_scratch(uint64_t size, const struct view_below *below, size_t n_below) {
	mode_t before = umask(0);
	int r = mount_scratch(size, below, n_below);

	(void)umask(before);
	return error_trace(r);
}
