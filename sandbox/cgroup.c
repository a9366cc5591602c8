/* SPDX-License-Identifier: MIT
 *
 * The zygote makes one group below the one that it runs in, while it still has the privileges. In
 * that group it makes one for each cell in use, which the next worker of the cell uses again,
 * because making a group takes longer than a fork. The executor removes the groups when the zygote
 * has gone. If all processes are killed, the next zygote removes what is left: the name contains
 * the number of the process that made it.
 *
 *     v1   memory and pids are hierarchies of their own, writable by root as a rule
 *     v2   one tree, where it has been delegated: the group must have the controllers for its
 *          children already, since one that holds processes cannot be given them
 *
 * Pages of the image are charged to the process that touched them first, which is the zygote. So
 * the limit applies to what a worker has beyond the image.
 */
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/control_group.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/process.h"
#include "proto/policy.h"

/* Containers may share a tree of groups, and a process number is only valid in its own pid
 * namespace, so the name begins with the namespace. */
#define PREFIX "warmfork-%lu-"

static int write_text(const char *directory, const char *file, const char *text) {
	char path[512];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof path, "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_origin(-errno);
	return write(fd, text, strlen(text)) < 0 ? error_origin(-errno) : 0;
}

static int write_number(const char *directory, const char *file, uint64_t value) {
	char text[32];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return error_trace(write_text(directory, file, text));
}

static void name_prefix(char *text, size_t size) {
	struct stat status = { .st_ino = 0 };

	(void)stat("/proc/self/ns/pid", &status);
	(void)snprintf(text, size, PREFIX, (unsigned long)status.st_ino);
}

static void group_path(const struct sandbox_cgroup_tree *tree, unsigned cell, char *path,
		       size_t size) {
	(void)snprintf(path, size, "%s/%u", tree->base, cell);
}

/* --- where --------------------------------------------------------------------------------- */

static int group_make(const struct sandbox_cgroup *cgroup, const struct sandbox_cgroup_tree *tree,
		      unsigned cell, int *ret_procs) {
	char path[400], procs[432];
	int r = 0;

	group_path(tree, cell, path, sizeof path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_origin(-errno);
	if (tree == &cgroup->memory && cgroup->memory_limit != POLICY_NO_LIMIT)
		r = write_number(path, cgroup->v2 ? "memory.max" : "memory.limit_in_bytes",
				 cgroup->memory_limit);
	/* with swap, a worker that runs out of memory would become slow instead; not every kernel
	 * counts swap */
	if (r == 0 && tree == &cgroup->memory && cgroup->memory_limit != POLICY_NO_LIMIT)
		(void)write_number(path,
				   cgroup->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
				   cgroup->v2 ? 0 : cgroup->memory_limit);
	if (r == 0 && (tree == &cgroup->pids || cgroup->v2) &&
	    cgroup->pids_limit != POLICY_NO_LIMIT)
		r = write_number(path, "pids.max", cgroup->pids_limit);
	if (r < 0)
		return error_trace(r);
	(void)snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
	*ret_procs = open(procs, O_WRONLY | O_CLOEXEC);
	return *ret_procs < 0 ? error_origin(-errno) : 0;
}

/* Removes what zygotes that were killed left. */
static void remove_abandoned(const char *parent) {
	DIR *directory = opendir(parent);
	struct dirent *entry;
	char prefix[48];

	name_prefix(prefix, sizeof prefix);
	while (directory && (entry = readdir(directory))) {
		char path[600];
		pid_t maker;
		cleanup_close int pidfd = -1;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		maker = (pid_t)strtol(entry->d_name + strlen(prefix), NULL, 10);
		pidfd = maker > 0 ? process_open(maker) : 0;
		if (pidfd != -ESRCH)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
		control_group_remove(path);
	}
	if (directory)
		(void)closedir(directory);
}

/* Makes our group below `parent`, and one in it to see whether that works. */
static int tree_make(const struct sandbox_cgroup *cgroup, struct sandbox_cgroup_tree *tree,
		     const char *parent) {
	int procs = -1, r = 0;
	char prefix[48];

	remove_abandoned(parent);
	name_prefix(prefix, sizeof prefix);
	(void)snprintf(tree->base, sizeof tree->base, "%s/%s%d", parent, prefix, (int)getpid());
	if (mkdir(tree->base, 0755) < 0 && errno != EEXIST)
		r = error_origin(-errno);
	if (r == 0 && cgroup->v2)
		r = write_text(tree->base, "cgroup.subtree_control", "+memory +pids");
	if (r == 0)
		r = group_make(cgroup, tree, 0, &procs);
	(void)fd_close(procs);
	if (r < 0) {
		control_group_remove(tree->base);
		tree->base[0] = '\0';
	}
	return error_trace(r);
}

static int tree_v1(const struct sandbox_cgroup *cgroup, struct sandbox_cgroup_tree *tree,
		   const char *controller) {
	char own[160], parent[200];

	if (!control_group_own(controller, own, sizeof own))
		return error_origin(-ENOENT);
	(void)snprintf(parent, sizeof parent, "/sys/fs/cgroup/%s%s", controller, own);
	return error_trace(tree_make(cgroup, tree, parent));
}

static int trees_v1(struct sandbox_cgroup *cgroup) {
	int r = 0;

	cgroup->v2 = false;
	if (cgroup->memory_limit != POLICY_NO_LIMIT)
		r = tree_v1(cgroup, &cgroup->memory, "memory");
	if (r == 0 && cgroup->pids_limit != POLICY_NO_LIMIT)
		r = tree_v1(cgroup, &cgroup->pids, "pids");
	return error_trace(r);
}

/* Tries our own group, then the one above it, as service managers delegate a subgroup. */
static int tree_v2(struct sandbox_cgroup *cgroup) {
	char own[160], parent[200], *slash;
	int r;

	cgroup->v2 = true;
	if (!control_group_own("", own, sizeof own))
		return error_origin(-ENOENT);
	(void)snprintf(parent, sizeof parent, "/sys/fs/cgroup%s", own);
	r = tree_make(cgroup, &cgroup->memory, parent);
	slash = strrchr(own, '/');
	if (r == 0 || !slash)
		return error_trace(r);
	*slash = '\0';
	(void)snprintf(parent, sizeof parent, "/sys/fs/cgroup%s", own);
	return error_trace(tree_make(cgroup, &cgroup->memory, parent));
}

int cgroup_prepare(struct sandbox_cgroup *cgroup, uint64_t memory_limit, uint64_t pids_limit,
		   char *text, size_t size) {
	int r, r_v1;

	*cgroup = (struct sandbox_cgroup){ .memory_limit = memory_limit, .pids_limit = pids_limit };
	if (feature_hidden(FEATURE_CGROUP)) {
		(void)snprintf(text, size, "no control group can be made (hidden)");
		return error_origin(-ENOENT);
	}
	r = tree_v2(cgroup);
	if (r == 0)
		return 0;
	r_v1 = trees_v1(cgroup);
	if (r_v1 == 0)
		return 0;
	cgroup->memory.base[0] = cgroup->pids.base[0] = '\0';
	(void)snprintf(
	    text, size,
	    "no control group can be made (v2: %s, v1: %s); one is available under systemd-run "
	    "--user --scope -p Delegate=yes",
	    strerrordesc_np(-r), strerrordesc_np(-r_v1));
	return error_origin(-ENOENT);
}

/* --- for a worker -------------------------------------------------------------------------- */

int cgroup_open(const struct sandbox_cgroup *cgroup, unsigned cell,
		struct sandbox_cgroup_entry *ret) {
	const struct sandbox_cgroup_tree *const trees[] = { &cgroup->memory, &cgroup->pids };
	int r = 0;

	*ret = (struct sandbox_cgroup_entry){ { -1, -1 } };
	for (size_t i = 0; i < 2 && r == 0; i++)
		if (trees[i]->base[0])
			r = group_make(cgroup, trees[i], cell, &ret->fds[i]);
	if (r < 0)
		cgroup_close(ret);
	return error_trace(r);
}

void cgroup_close(struct sandbox_cgroup_entry *entry) {
	for (size_t i = 0; i < 2; i++)
		entry->fds[i] = fd_close(entry->fds[i]);
}

int cgroup_enter(const struct sandbox_cgroup_entry *entry) {
	for (size_t i = 0; i < 2; i++)
		if (entry->fds[i] >= 0 && write(entry->fds[i], "0", 1) < 0)
			return error_origin(-errno);
	return 0;
}
