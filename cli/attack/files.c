/* SPDX-License-Identifier: MIT
 *
 * Attacks on files: reading what was not declared, changing what was declared readable, and making
 * output that is a trap for the program that collects it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/attack/ground.h"
#include "cli/attack/host.h"
#include "cli/attack/program.h"

#define CHANGED "changed by an attacker\n"
/* A time that no file has by accident. */
#define LONG_AGO 1000000000

/* `name` in the directory for outputs. */
static const char *in_out(struct wf_call *call, const char *name) {
	static char path[ATTACK_PATH + 32];

	(void)snprintf(path, sizeof path, "%s/%s", attack_brief(call)->out, name);
	return path;
}

/* --- 1: a file that is not declared -------------------------------------------------------- */

/* Tries its name, and the roots of other processes: of the first one in the namespace, and
 * of siblings. */
static int open_outside(struct wf_call *call) {
	static const char *const roots[] = { "", "/proc/1/root", "/proc/self/root", "/proc/2/root",
					     "/proc/3/root" };
	const struct attack_brief *brief = attack_brief(call);
	char path[2 * ATTACK_PATH], data[4096];
	ssize_t n = -1;

	for (size_t i = 0; i < sizeof roots / sizeof roots[0] && n < 0; i++) {
		(void)snprintf(path, sizeof path, "%s%s", roots[i], brief->secret);
		n = attack_read(path, data, sizeof data);
	}
	(void)snprintf(path, sizeof path, "%s/../outside/secret", brief->out);
	if (n < 0)
		n = attack_read(path, data, sizeof data);
	return attack_answer(call, n > 0, data, n > 0 ? (size_t)n : 0);
}

/* --- 2: an input again, for writing -------------------------------------------------------- */

static int reopen_input(struct wf_call *call) {
	int fd = open(attack_brief(call)->input, O_RDONLY | O_CLOEXEC);
	char path[64];
	bool done;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	done = attack_overwrite(open(path, O_RDWR | O_CLOEXEC), CHANGED);
	if (!done)
		done =
		    attack_overwrite(open(attack_brief(call)->input, O_RDWR | O_CLOEXEC), CHANGED);
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_input(struct attack_ground *ground,
				       const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(!attack_is(ground, "in/data", "input\n"));
}

/* --- 4: through a symbolic link in the output ----------------------------------------------- */

static int write_through_link(struct wf_call *call) {
	const char *link = in_out(call, "link");
	bool done = symlink(attack_brief(call)->secret, link) == 0 &&
		    attack_overwrite(open(link, O_WRONLY | O_CLOEXEC), CHANGED);

	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_secret_changed(struct attack_ground *ground,
						const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(!attack_is(ground, "outside/secret", ground->secret));
}

/* --- 5: a trap for the collector ------------------------------------------------------------ */

static int lay_traps(struct wf_call *call) {
	const char *secret = attack_brief(call)->secret;
	unsigned n = 0;

	n += symlink(secret, in_out(call, "symlink")) == 0;
	n += link(secret, in_out(call, "hardlink")) == 0;
	n += mkfifo(in_out(call, "fifo"), 0666) == 0;
	n += mknod(in_out(call, "device"), S_IFCHR | 0666, makedev(1, 5)) == 0;
	n += symlink(attack_brief(call)->outside, in_out(call, "directory")) == 0;
	return attack_answer(call, n > 0, NULL, 0);
}

/* Opens a file as untrusted outputs must be collected: beneath the directory, without links,
 * without blocking, and only regular files with no other name. */
static int collect_open(int directory, const char *name) {
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
	struct stat info;

	if (fd >= 0 && (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_nlink > 1)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool leads_to_secret(const struct attack_ground *ground, int directory, const char *name) {
	char found[64] = "";
	int fd = collect_open(directory, name);

	if (fd < 0)
		return false;
	(void)!read(fd, found, sizeof found - 1);
	(void)close(fd);
	return strcmp(found, ground->secret) == 0;
}

static enum attack_verdict judge_traps(struct attack_ground *ground,
				       const struct attack_bout *bout) {
	DIR *directory = opendir(ground->brief.out);
	struct dirent *entry;
	bool deceived = false;
	unsigned n = 0;

	(void)bout;
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		deceived |= leads_to_secret(ground, dirfd(directory), entry->d_name);
		deceived |= leads_to_secret(ground, dirfd(directory), "directory/secret");
	}
	if (directory)
		(void)closedir(directory);
	return n == 0 ? ATTACK_NOTHING : attack_verdict(deceived);
}

/* --- 6: an input by another name ------------------------------------------------------------ */

static int rename_input(struct wf_call *call) {
	const char *in = attack_brief(call)->in;
	char other[ATTACK_PATH + 8];
	bool done;

	(void)snprintf(other, sizeof other, "%s/other", in);
	done = link(attack_brief(call)->input, in_out(call, "linked")) == 0;
	done |= rename(other, in_out(call, "renamed")) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_renamed(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	struct stat info;

	(void)bout;
	return attack_verdict(fstatat(ground->root_fd, "in/other", &info, 0) < 0 ||
			      fstatat(ground->root_fd, "in/data", &info, 0) < 0 ||
			      info.st_nlink > 1);
}

/* --- 7: an input cut short ------------------------------------------------------------------ */

static int truncate_input(struct wf_call *call) {
	return attack_answer(call, truncate(attack_brief(call)->input, 2) == 0, NULL, 0);
}

/* --- 8: what is not content ----------------------------------------------------------------- */

static int change_metadata(struct wf_call *call) {
	const char *input = attack_brief(call)->input, *own = in_out(call, "own");
	const struct timespec times[2] = { { LONG_AGO, 0 }, { LONG_AGO, 0 } };
	int fd = open(own, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	bool done;

	done = chmod(input, 0666) == 0;
	done |= utimensat(AT_FDCWD, input, times, 0) == 0;
	done |= setxattr(input, "user.attack", "1", 1, 0) == 0;
	done |= fd >= 0 && fchmod(fd, 06755) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_metadata(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	struct stat input = { 0 }, own = { 0 };

	(void)bout;
	(void)fstatat(ground->root_fd, "in/data", &input, 0);
	(void)fstatat(ground->root_fd, "out/own", &own, AT_SYMLINK_NOFOLLOW);
	return attack_verdict((input.st_mode & 07777) != 0644 || input.st_mtime == LONG_AGO ||
			      getxattr(ground->brief.input, "user.attack", NULL, 0) > 0 ||
			      (own.st_mode & (S_ISUID | S_ISGID)));
}

static void clean_metadata(struct attack_ground *ground) {
	(void)removexattr(ground->brief.input, "user.attack");
}

/* --- 9: does it exist? ---------------------------------------------------------------------- */

/* The number of the inode, and the target of a link: neither can be guessed. */
static int look_outside(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	char link[ATTACK_PATH + 8], loot[512] = "";
	struct stat info = { 0 };
	ssize_t length = 0;
	int fd;

	(void)snprintf(link, sizeof link, "%s/link", brief->outside);
	if (readlink(link, loot, sizeof loot / 2) < 0)
		loot[0] = '\0';
	if (stat(brief->secret, &info) < 0) {
		fd = open(brief->secret, O_PATH | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &info) < 0)
			info.st_ino = 0;
	}
	if (info.st_ino == 0 && chdir(brief->outside) == 0)
		(void)stat("secret", &info);
	length =
	    snprintf(loot + strlen(loot), sizeof loot / 2, " inode %ju ", (uintmax_t)info.st_ino);
	return attack_answer(call, length > 0 && info.st_ino > 0, loot, strlen(loot));
}

static enum attack_verdict judge_existence(struct attack_ground *ground,
					   const struct attack_bout *bout) {
	char inode[64];
	struct stat info = { 0 };

	(void)fstatat(ground->root_fd, "outside/secret", &info, 0);
	(void)snprintf(inode, sizeof inode, " inode %ju ", (uintmax_t)info.st_ino);
	return attack_verdict(attack_has(bout, ground->linked) || attack_has(bout, inode));
}

/* --- 76: a device by renaming -------------------------------------------------------------- */

/* A whiteout, which is what is left at the old name, is a device node. */
static int leave_whiteout(struct wf_call *call) {
	char from[ATTACK_PATH + 32];
	int fd;
	bool done;

	(void)snprintf(from, sizeof from, "%s", in_out(call, "white"));
	fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	done = fd >= 0 &&
	       renameat2(AT_FDCWD, from, AT_FDCWD, in_out(call, "moved"), RENAME_WHITEOUT) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_whiteout(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	struct stat info;

	(void)bout;
	return attack_verdict(fstatat(ground->root_fd, "out/white", &info, AT_SYMLINK_NOFOLLOW) ==
				  0 &&
			      S_ISCHR(info.st_mode));
}

/* Makes one, where the attacker will. */
static const char *no_whiteout(void) {
	char path[ATTACK_PATH];
	int directory, fd;
	bool made;

	if (attack_make_directory(path) < 0)
		return NULL; /* which is reported when the attacks begin */
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(directory, "white", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	made = renameat2(directory, "white", directory, "moved", RENAME_WHITEOUT) == 0;
	(void)unlinkat(directory, "white", 0);
	(void)unlinkat(directory, "moved", 0);
	(void)rmdir(path);
	if (fd >= 0)
		(void)close(fd);
	if (directory >= 0)
		(void)close(directory);
	return made ? NULL : "the file system of TMPDIR has no whiteouts (RENAME_WHITEOUT)";
}

/* --- 63: the program of the host ------------------------------------------------------------ */

/* CVE-2019-5736: a running program cannot be written to, so a descriptor is kept until it
 * has ended. */
static int overwrite_program(struct wf_call *call) {
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/exe", (int)attack_brief(call)->detail);
	fd = open(path, O_PATH | O_CLOEXEC);
	attack_hold(call);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return attack_answer(call, attack_overwrite(open(path, O_WRONLY | O_CLOEXEC), CHANGED),
			     NULL, 0);
}

static void end_program(struct attack_ground *ground, struct attack_bout *bout) {
	siginfo_t info;

	(void)bout;
	if (ground->fd < 0)
		return;
	(void)syscall(SYS_pidfd_send_signal, ground->fd, SIGKILL, NULL, 0);
	(void)waitid(P_PIDFD, (id_t)ground->fd, &info, WEXITED);
	(void)close(ground->fd);
	ground->fd = -1;
}

static bool write_program(struct attack_ground *ground, const char *path) {
	struct attack_program program;
	int fd = openat(ground->root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	bool written;

	attack_program_make(&program, -1, "");
	written = fd >= 0 && fchmod(fd, 0755) == 0 &&
		  write(fd, &program, sizeof program) == (ssize_t)sizeof program;
	if (fd >= 0)
		(void)close(fd);
	return written;
}

static bool start_program(struct attack_ground *ground) {
	char path[ATTACK_PATH + 16];
	char *arguments[] = { path, NULL };

	(void)snprintf(path, sizeof path, "%s/program", ground->brief.outside);
	if (!write_program(ground, "outside/program") ||
	    posix_spawn(&ground->pid, path, NULL, NULL, arguments, NULL) != 0)
		return false;
	ground->brief.detail = (uint64_t)ground->pid;
	ground->fd = (int)syscall(SYS_pidfd_open, ground->pid, 0);
	return ground->fd >= 0;
}

static enum attack_verdict judge_program(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	char start[16];

	(void)bout;
	attack_peek(ground, "outside/program", start, sizeof start);
	return attack_verdict(memcmp(start, "\177ELF", 4) != 0);
}

static void clean_program(struct attack_ground *ground) {
	end_program(ground, NULL);
	(void)unlinkat(ground->root_fd, "outside/program", 0);
}

/* ------------------------------------------------------------------------------------------- */

#define LANDLOCK   (1U << ATTACK_LANDLOCK)
#define SECCOMP    (1U << ATTACK_SECCOMP)
#define NAMESPACES (1U << ATTACK_NAMESPACES)

static const struct attack rows[] = {
	{ 1, "read a file that is not declared", "open_outside", open_outside,
	  .stops = LANDLOCK | NAMESPACES, .judge = attack_judge_secret },
	{ 2, "reopen an input for writing", "reopen_input", reopen_input,
	  .stops = LANDLOCK | NAMESPACES, .judge = judge_input },
	{ 4, "write through a symbolic link in the output", "write_through_link",
	  write_through_link, .stops = LANDLOCK | NAMESPACES, .judge = judge_secret_changed },
	{ 5, "links, FIFOs and devices for the collector", "lay_traps", lay_traps, ATTACK_LIBRARY,
	  .judge = judge_traps },
	{ 6, "link or rename an input into the output", "rename_input", rename_input,
	  .stops = LANDLOCK | NAMESPACES, .judge = judge_renamed },
	{ 7, "truncate an input", "truncate_input", truncate_input, .landlock = 3,
	  .stops = LANDLOCK | NAMESPACES, .judge = judge_input },
	{ 8, "mode, times, attributes of an input; set-uid", "change_metadata", change_metadata,
	  .judge = judge_metadata, .clean = clean_metadata },
	{ 9, "find out what exists outside", "look_outside", look_outside, .stops = NAMESPACES,
	  .judge = judge_existence },
	{ 63, "overwrite a program of the host", "overwrite_program", overwrite_program,
	  .stops = LANDLOCK | NAMESPACES, .prepare = start_program, .look = end_program,
	  .judge = judge_program, .clean = clean_program },
	{ 76, "a device node by renaming (whiteout)", "leave_whiteout", leave_whiteout,
	  .stops = SECCOMP, .judge = judge_whiteout, .inapplicable = no_whiteout },
};

const struct attack_rows attack_files = { rows, sizeof rows / sizeof rows[0] };
