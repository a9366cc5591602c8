/* SPDX-License-Identifier: MIT
 *
 * A SIGKILL that we did not send may come from the kernel, for lack of memory. Only a counter can
 * tell: "oom_kill" of the control group that we and our workers live in. Without one the outcome
 * says no more than that a signal came.
 */
#include "executor/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/control_group.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/process.h"

static bool read_text(const char *path, char *text, size_t size) {
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

static bool read_kills(const char *path, uint64_t *ret) {
	char text[2048], *line;

	if (!read_text(path, text, sizeof text))
		return false;
	line = strstr(text, "oom_kill ");
	if (!line)
		return false;
	errno = 0;
	*ret = strtoull(line + strlen("oom_kill "), NULL, 10);
	return errno == 0;
}

void evidence_init(struct evidence *evidence) {
	static const struct {
		const char *controller, *tree, *file;
	} places[] = {
		{ "memory", "/sys/fs/cgroup/memory", "memory.oom_control" },
		{ "", "/sys/fs/cgroup", "memory.events" },
	};
	char group[400];

	*evidence = (struct evidence){ .path = "" };
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (!control_group_own(places[i].controller, group, sizeof group))
			continue;
		(void)snprintf(evidence->path, sizeof evidence->path, "%s%s/%s", places[i].tree,
			       group, places[i].file);
		if (read_kills(evidence->path, &evidence->kills))
			return;
	}
	evidence->path[0] = '\0';
}

/* Has the counter of the group at `path` gone on from `known`? Its value is in *ret then. */
static const char *look_at(struct evidence *evidence, const char *path, uint64_t known,
			   uint64_t *ret) {
	uint64_t kills;

	if (!read_kills(path, &kills) || kills <= known)
		return NULL;
	(void)snprintf(evidence->sentence, sizeof evidence->sentence,
		       "SIGKILL, and oom_kill in %s went from %llu to %llu", path,
		       (unsigned long long)known, (unsigned long long)kills);
	*ret = kills;
	return evidence->sentence;
}

/* Several workers may have been killed before the first of them is looked at: each takes one. */
const char *evidence_look(struct evidence *evidence, uint64_t since) {
	uint64_t known = since > evidence->used ? since : evidence->used;
	const char *sentence =
	    evidence->path[0] ? look_at(evidence, evidence->path, known, &evidence->kills) : NULL;

	if (sentence)
		evidence->used = known + 1;
	return sentence;
}

const char *evidence_group(struct evidence *evidence, const char *prefix, unsigned cell,
			   uint64_t *known) {
	static const char *const files[] = { "memory.events", "memory.oom_control" };
	const char *sentence = NULL;
	char path[512];

	for (size_t i = 0; i < sizeof files / sizeof files[0] && !sentence; i++) {
		(void)snprintf(path, sizeof path, "%s/%u/%s", prefix, cell, files[i]);
		sentence = look_at(evidence, path, *known, known);
	}
	return sentence;
}

uint64_t evidence_kills(struct evidence *evidence, uint64_t now_ns) {
	if (evidence->path[0] && now_ns - evidence->looked_ns >= 100000000u) {
		evidence->looked_ns = now_ns;
		(void)read_kills(evidence->path, &evidence->kills);
	}
	return evidence->kills;
}

/* struct pidfd_info of <linux/pidfd.h>; Debian 12's headers are older. */
struct pidfd_info_6_15 {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code; /* a wait status */
};

#define PIDFD_GET_INFO_6_13  _IOWR(0xff, 11, struct pidfd_info_6_15)
#define PIDFD_INFO_EXIT_6_15 ((uint64_t)1 << 3)

bool evidence_exit(int pidfd, struct exit_status *ret) {
	struct pidfd_info_6_15 info = { .mask = PIDFD_INFO_EXIT_6_15 };

	if (pidfd < 0 || feature_hidden(FEATURE_PIDFD_INFO) ||
	    ioctl(pidfd, PIDFD_GET_INFO_6_13, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT_6_15))
		return false;
	*ret = (struct exit_status){
		.exited = WIFEXITED(info.exit_code),
		.code = WIFEXITED(info.exit_code) ? WEXITSTATUS(info.exit_code) : 0,
		.signal = WIFSIGNALED(info.exit_code) ? WTERMSIG(info.exit_code) : 0,
		.core = WIFSIGNALED(info.exit_code) && WCOREDUMP(info.exit_code),
	};
	return true;
}
