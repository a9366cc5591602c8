/* SPDX-License-Identifier: MIT
 *
 * Attacks through descriptors: those left open by mistake (the image's preload leaves three), and
 * too many of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

#define SEARCHED    1024 /* descriptors */
#define FAR_AWAY    777
#define CHANGED     "changed by an attacker\n"
#define USUAL_LIMIT 1024 /* of open files */

/* Finds the next inherited regular file or directory after `fd`; -1 if there are no more. */
static int next_of_kind(int fd, mode_t kind) {
	struct stat info;

	for (fd++; fd < SEARCHED; fd++)
		if (fd > STDERR_FILENO && fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == kind)
			return fd;
	return -1;
}

/* --- 3: a directory ------------------------------------------------------------------------ */

static int leave_directory(struct wf_call *call) {
	char data[4096];
	ssize_t n = -1;
	int file;

	for (int fd = next_of_kind(-1, S_IFDIR); fd >= 0 && n < 0; fd = next_of_kind(fd, S_IFDIR)) {
		file = openat(fd, "../outside/secret", O_RDONLY | O_CLOEXEC);
		if (file < 0)
			file = openat(fd, "secret", O_RDONLY | O_CLOEXEC);
		n = read(file, data, sizeof data);
	}
	return attack_answer(call, n > 0, data, n > 0 ? (size_t)n : 0);
}

/* --- 10: a file that is open for writing ---------------------------------------------------- */

static int write_inherited(struct wf_call *call) {
	bool done = false;

	for (int fd = next_of_kind(-1, S_IFREG); fd >= 0; fd = next_of_kind(fd, S_IFREG))
		done |= (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR && attack_overwrite(fd, CHANGED);
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_inherited(struct attack_ground *ground,
					   const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(!attack_is(ground, "outside/held", "held\n"));
}

/* --- 11: the offset of an input ------------------------------------------------------------- */

/* The first task moves it; the second one, in another worker, reports where it is. */
static int move_offset(struct wf_call *call) {
	uint64_t offset = 0;

	for (int fd = next_of_kind(-1, S_IFREG); fd >= 0; fd = next_of_kind(fd, S_IFREG)) {
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
			continue;
		if (attack_brief(call)->detail == 0)
			(void)lseek(fd, FAR_AWAY, SEEK_SET);
		offset = (uint64_t)lseek(fd, 0, SEEK_CUR);
		if (offset == FAR_AWAY)
			break;
	}
	attack_say(call, 't', &offset, sizeof offset);
	return attack_answer(call, offset == FAR_AWAY, NULL, 0);
}

static enum attack_verdict run_offset(struct attack_ground *ground, const struct attack *attack) {
	struct attack_bout bout = { .held = false };

	for (uint64_t i = 0; i < 2; i++) {
		ground->brief.detail = i;
		if (!attack_run(ground, attack, &bout))
			return ATTACK_ERROR;
	}
	return attack_verdict(bout.told == FAR_AWAY);
}

/* --- 12: a lock that outlives its holder ---------------------------------------------------- */

static int hold_lock(struct wf_call *call) {
	bool done = false;

	for (int fd = next_of_kind(-1, S_IFREG); fd >= 0; fd = next_of_kind(fd, S_IFREG))
		done |= flock(fd, LOCK_EX | LOCK_NB) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_lock(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	int fd = openat(ground->root_fd, "in/held", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	(void)bout;
	if (fd >= 0)
		(void)close(fd);
	return attack_verdict(locked);
}

/* --- 23: too many --------------------------------------------------------------------------- */

/* Counts those that are in flight and in no table, too. */
static int exhaust_descriptors(struct wf_call *call) {
	unsigned own = 0, flying = 0;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0)
		while (flying < 8 && attack_send_rights(ends[0], ends[1], ATTACK_RIGHTS))
			flying++;
	while (own < ATTACK_DESCRIPTORS_TRIED && fcntl(attack_line(call), F_DUPFD_CLOEXEC, 0) >= 0)
		own++;
	attack_say(call, 't', (uint64_t[]){ own * UINT64_C(1000) + flying }, sizeof(uint64_t));
	attack_hold(call);
	return attack_answer(call, own >= ATTACK_DESCRIPTORS_MOST || flying > 1, NULL, 0);
}

/* One more than the limit proves nothing, because the worker has some from before it was set. */
static void count_theirs(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_count_descriptors(bout->pid, "") > 2 * ATTACK_DESCRIPTORS_MOST;
}

/* --- 75: too many in flight ----------------------------------------------------------------- */

/* What is sent and not received counts for the user, and who has more than his own limit of open
 * files may send no more. So one task that keeps many stops all programs of its user. */
static int keep_in_flight(struct wf_call *call) {
	unsigned flying = 0;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
		while (flying <= USUAL_LIMIT &&
		       attack_send_rights(ends[0], STDERR_FILENO, ATTACK_RIGHTS))
			flying += ATTACK_RIGHTS;
	attack_hold(call);
	return attack_answer(call, flying > USUAL_LIMIT, NULL, 0);
}

/* For a moment, the host is a program with the usual limit. */
static void send_one(struct attack_ground *ground, struct attack_bout *bout) {
	struct rlimit limit, usual;
	int ends[2];

	(void)ground;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	usual = limit;
	if (usual.rlim_cur > USUAL_LIMIT)
		usual.rlim_cur = USUAL_LIMIT;
	(void)setrlimit(RLIMIT_NOFILE, &usual);
	bout->seen = !attack_send_rights(ends[0], STDERR_FILENO, 1) && errno == ETOOMANYREFS;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static const char *no_limit_in_flight(void) {
	return geteuid() == 0 ? "root may have as many in flight as it likes" : NULL;
}

/* ------------------------------------------------------------------------------------------- */

#define LIMITS      (1U << ATTACK_LIMITS)
#define DESCRIPTORS (1U << ATTACK_DESCRIPTOR_LAYER)

static const struct attack rows[] = {
	{ 3, "leave by an inherited directory", "leave_directory", leave_directory,
	  .stops = DESCRIPTORS, .judge = attack_judge_secret },
	{ 10, "write to a file that was left open", "write_inherited", write_inherited,
	  .stops = DESCRIPTORS, .judge = judge_inherited },
	{ 11, "move the offset of a shared input", "move_offset", move_offset, .stops = DESCRIPTORS,
	  .run = run_offset },
	{ 12, "hold a lock of an inherited file for ever", "hold_lock", hold_lock,
	  .stops = DESCRIPTORS, .judge = judge_lock },
	{ 23, "exhaust descriptors, also in flight", "exhaust_descriptors", exhaust_descriptors,
	  .look = count_theirs, .judge = attack_judge_seen },
	{ 75, "descriptors in flight that stop another pool", "keep_in_flight", keep_in_flight,
	  .stops = LIMITS, .look = send_one, .judge = attack_judge_seen,
	  .inapplicable = no_limit_in_flight },
};

const struct attack_rows attack_descriptors = { rows, sizeof rows / sizeof rows[0] };
