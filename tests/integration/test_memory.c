/* SPDX-License-Identifier: MIT
 *
 * A worker that the kernel ends for memory: the outcome says so because a counter has moved, and a
 * SIGKILL without that evidence is said to be nobody's. In a control group of the test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/more.h"

#define LIMIT_BYTES ((size_t)512 << 20)

/* Where this process is accounted, and the group that is made below it; "" when it cannot be. */
struct group {
	char parent[300], path[350];
};

static bool write_text(const char *folder, const char *file, const char *text) {
	char path[400];
	int fd;
	bool done;

	(void)snprintf(path, sizeof path, "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		(void)close(fd);
	return done;
}

/* The line of /proc/self/cgroup that names memory (v1), else the one of v2. */
static bool find_parent(struct group *group) {
	char line[256], found[256] = "";
	const char *root = "/sys/fs/cgroup";
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file && fgets(line, sizeof line, file)) {
		char *path = strstr(line, ":memory:");

		line[strcspn(line, "\n")] = '\0';
		if (path) {
			root = "/sys/fs/cgroup/memory";
			(void)snprintf(found, sizeof found, "%s", path + strlen(":memory:"));
			break;
		}
		if (strncmp(line, "0::", 3) == 0)
			(void)snprintf(found, sizeof found, "%s", line + 3);
	}
	if (file)
		(void)fclose(file);
	(void)snprintf(group->parent, sizeof group->parent, "%s%s", root, found);
	return found[0] != '\0';
}

static bool limit(const struct group *group) {
	char bytes[32];

	(void)snprintf(bytes, sizeof bytes, "%zu", LIMIT_BYTES);
	return write_text(group->path, "memory.limit_in_bytes", bytes) ||
	       write_text(group->path, "memory.max", bytes);
}

static void group_leave(const struct group *group) {
	if (!group->path[0])
		return;
	(void)write_text(group->parent, "cgroup.procs", "0");
	(void)rmdir(group->path);
}

static bool group_enter(struct group *group) {
	if (!find_parent(group))
		return false;
	(void)snprintf(group->path, sizeof group->path, "%s/warmfork-test-%d", group->parent,
		       (int)getpid());
	if (mkdir(group->path, 0755) == 0) {
		if (limit(group) && write_text(group->path, "cgroup.procs", "0"))
			return true;
		group_leave(group);
	}
	group->path[0] = '\0';
	return false;
}

START_TEST(test_worker_beyond_the_memory_limit) {
	const size_t bytes = 2 * LIMIT_BYTES;
	struct group group = { "", "" };

	if (!group_enter(&group)) {
		(void)printf("# skipped: no memory control group of our own can be made here\n");
		return;
	}
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = more_call(executor, "grow", &bytes, sizeof bytes);
	const struct wf_outcome *outcome = pool_wait(future);
	expect_kind(outcome, WF_MEMORY_LIMIT);
	ck_assert_ptr_nonnull(strstr(outcome->evidence, "oom_kill"));
	wf_future_free(future);
	(void)more_where(executor);
	pool_close(executor);
	group_leave(&group);
}
END_TEST

/* A counter that moved for an earlier death is no evidence for this one. */
START_TEST(test_evidence_is_used_once) {
	const size_t bytes = 2 * LIMIT_BYTES;
	struct group group = { "", "" };
	struct wf_future *future;
	struct cord cord;

	if (!group_enter(&group)) {
		(void)printf("# skipped: no memory control group of our own can be made here\n");
		return;
	}
	struct wf_executor *executor = more_open(_i);
	future = more_call(executor, "grow", &bytes, sizeof bytes);
	expect_kind(pool_wait(future), WF_MEMORY_LIMIT);
	wf_future_free(future);
	future = more_gate(&cord, executor);
	ck_assert_int_eq(kill(more_gate_started(&cord).pid, SIGKILL), 0);
	expect_kind(pool_wait(future), WF_SIGNALLED);
	ck_assert_ptr_nonnull(
	    strstr(wf_future_outcome(future)->evidence, "which this library did not send"));
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
	group_leave(&group);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("memory");

	add_for_both(test_case, test_worker_beyond_the_memory_limit);
	add_for_both(test_case, test_evidence_is_used_once);
	return fixture_run("memory", test_case);
}
