/* SPDX-License-Identifier: MIT
 *
 * Control groups: whether one can be made below our own, and what it has. Only this trial changes
 * the machine, for the time between two calls; signals wait until the change is undone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

#define LINE 4096

enum hierarchy { UNIFIED, V1_MEMORY, V1_PIDS, N_HIERARCHIES };
static const char *const controllers[N_HIERARCHIES] = { "", "memory", "pids" };

/* --- where we are -------------------------------------------------------------------------- */

static bool has_word(const char *words, const char *word) {
	size_t size = strlen(word);

	for (words += strspn(words, ", "); *words; words += strspn(words, ", ")) {
		size_t length = strcspn(words, ", ");

		if (length == size && memcmp(words, word, size) == 0)
			return true;
		words += length;
	}
	return false;
}

/* /proc/self/cgroup: "0::/path", "4:cpu,memory:/path". */
static bool find_path(enum hierarchy hierarchy, char *ret, size_t size) {
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[LINE];
	bool found = false;

	while (file && !found && fgets(line, sizeof line, file)) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		found = hierarchy == UNIFIED ? names[1] == '\0'
					     : has_word(names + 1, controllers[hierarchy]);
		if (found)
			(void)snprintf(ret, size, "%s", path);
	}
	if (file)
		(void)fclose(file);
	return found;
}

/* A line of /proc/self/mountinfo: "36 35 0:30 ROOT POINT ... - TYPE SOURCE OPTIONS". */
static bool is_mount_of(enum hierarchy hierarchy, char *line, char **ret_root, char **ret_point) {
	char *fields = strstr(line, " - "), *rest = NULL, *type, *options;

	if (!fields)
		return false;
	*fields = '\0';
	type = strtok_r(fields + 3, " \n", &rest);
	(void)strtok_r(NULL, " \n", &rest);
	options = strtok_r(NULL, " \n", &rest);
	for (int i = 0; i < 3; i++)
		(void)strtok_r(i == 0 ? line : NULL, " ", &rest);
	*ret_root = strtok_r(NULL, " ", &rest);
	*ret_point = strtok_r(NULL, " ", &rest);
	if (!type || !options || !*ret_root || !*ret_point)
		return false;
	if (hierarchy == UNIFIED)
		return strcmp(type, "cgroup2") == 0;
	return strcmp(type, "cgroup") == 0 && has_word(options, controllers[hierarchy]);
}

/* Containers see part of the tree, and sometimes a path of the whole tree. */
static void join(char *ret, size_t size, const char *root, const char *point, const char *path) {
	size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, length) == 0)
		path += length;
	(void)snprintf(ret, size, "%s%s", point, strcmp(path, "/") == 0 ? "" : path);
}

/* Finds our own group, as a directory; "" if there is none. */
static void find_group(enum hierarchy hierarchy, char *ret, size_t size) {
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[LINE], path[PROBE_PATH], *root, *point;

	ret[0] = '\0';
	while (file && !ret[0] && fgets(line, sizeof line, file))
		if (is_mount_of(hierarchy, line, &root, &point) &&
		    find_path(hierarchy, path, sizeof path))
			join(ret, size, root, point, path);
	if (file)
		(void)fclose(file);
}

/* --- what can be made there ---------------------------------------------------------------- */

static int has_file(const char *group, const char *name) {
	char path[2 * PROBE_PATH];

	(void)snprintf(path, sizeof path, "%s/%s", group, name);
	return access(path, W_OK) == 0 ? PROBE_WORKS : errno;
}

static void look_at(const char *group, struct probe_facts *ret) {
	ret->trials[TRIAL_CGROUP_MEMORY] = has_file(group, "memory.max");
	ret->trials[TRIAL_CGROUP_PIDS] = has_file(group, "pids.max");
	ret->trials[TRIAL_CGROUP_KILL] = has_file(group, "cgroup.kill");
}

/* `look` may be NULL. */
static int try_make(const char *parent, void (*look)(const char *, struct probe_facts *),
		    struct probe_facts *facts) {
	char path[PROBE_PATH + 64];
	sigset_t all, before;
	int r = PROBE_WORKS;

	if (!parent[0])
		return ENOENT;
	(void)snprintf(path, sizeof path, "%s/warmfork-doctor-%d", parent, (int)getpid());
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	if (mkdir(path, 0700) < 0) {
		r = errno;
	} else {
		if (look)
			look(path, facts);
		if (rmdir(path) < 0)
			r = errno;
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static void try_below(struct probe_facts *ret) {
	char path[2 * PROBE_PATH];

	(void)snprintf(path, sizeof path, "%s/cgroup.controllers", ret->cgroup);
	(void)probe_read(path, ret->cgroup_controllers, sizeof ret->cgroup_controllers);
	ret->trials[TRIAL_CGROUP_MAKE] = try_make(ret->cgroup, look_at, ret);
	/* moving a process between two groups needs this file of the group above both */
	if (ret->trials[TRIAL_CGROUP_MAKE] == PROBE_WORKS)
		ret->trials[TRIAL_CGROUP_MAKE] = has_file(ret->cgroup, "cgroup.procs");
}

/* Returns false if ours is the topmost group that we can see. */
static bool go_up(char *group) {
	char path[2 * PROBE_PATH], *slash = strrchr(group, '/');

	if (!slash)
		return false;
	*slash = '\0';
	(void)snprintf(path, sizeof path, "%s/cgroup.procs", group);
	return access(path, F_OK) == 0;
}

/* Tries our own group and the one above it: a group with processes passes no controller on, so the
 * delegated one is usually above. */
static void try_unified(struct probe_facts *ret) {
	struct probe_facts above = *ret;

	try_below(ret);
	if (!go_up(above.cgroup) || (ret->trials[TRIAL_CGROUP_MEMORY] == PROBE_WORKS &&
				     ret->trials[TRIAL_CGROUP_PIDS] == PROBE_WORKS))
		return;
	try_below(&above);
	if (above.trials[TRIAL_CGROUP_MAKE] == PROBE_WORKS &&
	    (above.trials[TRIAL_CGROUP_MEMORY] == PROBE_WORKS ||
	     ret->trials[TRIAL_CGROUP_MAKE] != PROBE_WORKS))
		*ret = above;
}

/* --- the counter of those killed for memory ------------------------------------------------ */

static int counts_kills(const char *group, const char *name) {
	char path[2 * PROBE_PATH], line[PROBE_TEXT];
	int r = ENOENT;
	FILE *file;

	if (!group[0])
		return ENOENT;
	(void)snprintf(path, sizeof path, "%s/%s", group, name);
	file = fopen(path, "re");
	if (!file)
		return errno;
	while (r != PROBE_WORKS && fgets(line, sizeof line, file))
		if (strncmp(line, "oom_kill ", strlen("oom_kill ")) == 0)
			r = PROBE_WORKS;
	(void)fclose(file);
	return r;
}

static int try_kills(const char *own, const struct probe_facts *facts) {
	int r = counts_kills(own, "memory.events");

	return r == PROBE_WORKS ? r : counts_kills(facts->cgroup_v1_memory, "memory.oom_control");
}

void probe_cgroups(struct probe_facts *ret) {
	char own[PROBE_PATH];

	find_group(UNIFIED, ret->cgroup, sizeof ret->cgroup);
	find_group(V1_MEMORY, ret->cgroup_v1_memory, sizeof ret->cgroup_v1_memory);
	find_group(V1_PIDS, ret->cgroup_v1_pids, sizeof ret->cgroup_v1_pids);
	(void)snprintf(own, sizeof own, "%s", ret->cgroup);
	try_unified(ret);
	ret->trials[TRIAL_CGROUP_V1_MEMORY] = try_make(ret->cgroup_v1_memory, NULL, ret);
	ret->trials[TRIAL_CGROUP_V1_PIDS] = try_make(ret->cgroup_v1_pids, NULL, ret);
	ret->trials[TRIAL_CGROUP_KILLS] = try_kills(own, ret);
}
