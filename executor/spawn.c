/* SPDX-License-Identifier: MIT
 *
 * Two clones that run in our memory, because the host may be large, and fork(2) would copy its page
 * tables. The parent of each waits for it, as in vfork(2).
 *
 *     this thread --clone--> starter --clone--> program
 *          |                    | waits for exec   | descriptors, signals, exec
 *          | waits for exit     | exits            x
 *          | reaps it, by its id
 *
 * The starter sends no signal when it ends (its exit signal is 0). This hides it from a wait for
 * any child (waitpid(-1), without __WALL or __WCLONE), and keeps the host's SIGCHLD handler from
 * running. exec(2) would make SIGCHLD its exit signal again, hence the second clone. When the
 * starter has ended, the program is an orphan, and goes to the process that adopts orphans here.
 *
 * The starter shares our descriptor table, so that the pidfd of the program is ours.
 *
 * All signals are blocked, and the program resets all dispositions before it unblocks them: a
 * handler of the host must not run in another process on our memory.
 */
#include "executor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

#define SPAWN_STACK ((size_t)65536) /* for each of them */

/* The kernel's size. The library's functions would leave out the two signals it reserves. */
#define KERNEL_SIGNALS 8

/* What the clones share with us. */
struct clones {
	const struct spawn *spawn;
	char *stacks;
	int pidfd; /* -1: no program has been started */
	int error;
};

/* --- in our memory, but not our process: system calls only ----------------------------------
 *
 * They go through syscall(2), because a sanitizer records what the C library's functions do, and
 * would do so in our memory, as if we had called them. */

#ifdef __SANITIZE_THREAD__
/* The sanitizer's own clone(2) assumes that every child has a copy of the memory, and so drops, in
 * ours, what it knows about our descriptors and locks. This is the C library's. */
int plain_clone(int (*run)(void *), void *stack, int flags, void *argument, ...) __asm__("__clone");
#else
#define plain_clone clone
#endif

#define in_borrowed_memory                                                                         \
	__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

/* The null device comes first: if standard streams are closed, it may get number 3 or 4. */
in_borrowed_memory static int place_descriptors(const struct spawn *spawn) {
	int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0)
		return errno;
	if (null == 0 ? syscall(SYS_fcntl, null, F_SETFD, 0) < 0
		      : syscall(SYS_dup3, null, 0, 0) < 0)
		return errno;
	if (null > 0)
		(void)syscall(SYS_close, null);
	if (syscall(SYS_dup3, spawn->first, 3, 0) < 0 || syscall(SYS_dup3, spawn->second, 4, 0) < 0)
		return errno;
	return syscall(SYS_close_range, 5, UINT_MAX, 0) < 0 ? errno : 0;
}

in_borrowed_memory static void forget_signals(void) {
	const struct {
		/* the kernel's sigaction, where SIG_DFL is 0 */
		uint64_t handler, flags, restorer, mask;
	} as_usual = { 0, 0, 0, 0 };
	const uint64_t none = 0;

	for (int number = 1; number <= SIGRTMAX; number++)
		(void)syscall(SYS_rt_sigaction, number, &as_usual, NULL, KERNEL_SIGNALS);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGNALS);
}

in_borrowed_memory static int run_program(void *argument) {
	struct clones *clones = argument;
	const struct spawn *spawn = clones->spawn;

	if (spawn->session ? setsid() < 0 : setpgid(0, 0) < 0)
		clones->error = errno;
	else
		clones->error = place_descriptors(spawn);
	if (clones->error == 0) {
		forget_signals();
		(void)syscall(SYS_execve, spawn->path, spawn->argv,
			      spawn->environment ? spawn->environment : environ);
		clones->error = errno;
	}
	(void)syscall(SYS_exit_group, 1);
	return 1;
}

in_borrowed_memory static int run_starter(void *argument) {
	struct clones *clones = argument;
	siginfo_t info;
	pid_t program = plain_clone(run_program, clones->stacks + 2 * SPAWN_STACK,
				    CLONE_VM | CLONE_VFORK | CLONE_PIDFD, clones, &clones->pidfd);

	if (program < 0)
		clones->error = errno;
	else if (clones->error != 0)
		(void)syscall(SYS_waitid, P_PID, program, &info, WEXITED | __WALL, NULL);
	(void)syscall(SYS_exit_group, 0);
	return 0;
}

/* --- in our own process -------------------------------------------------------------------- */

static int run(struct clones *clones) {
	const uint64_t all = UINT64_MAX;
	uint64_t before;
	pid_t starter;
	int r = 0;

	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, KERNEL_SIGNALS);
	starter = plain_clone(run_starter, clones->stacks + SPAWN_STACK,
			      CLONE_VM | CLONE_VFORK | CLONE_FILES, clones);
	if (starter < 0)
		r = error_origin(-errno);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, KERNEL_SIGNALS);
	if (r < 0)
		return r;
	/* ECHILD: the host waits for clones as well, which it may */
	(void)process_reap(starter, NULL);
	return clones->error ? error_origin(-clones->error) : 0;
}

/* The start may take long, and the host may close our descriptors meanwhile, and use their numbers. */
struct moved {
	int fd;
	struct fd_file file;
};

/* Moves it to a number that place_descriptors() does not overwrite before it is used. */
static int move_up(int fd, struct moved *ret) {
	ret->fd = fcntl(fd, F_DUPFD_CLOEXEC, 5);
	if (ret->fd < 0)
		return error_origin(-errno);
	return error_trace(fd_identify(ret->fd, &ret->file));
}

static int spawn_moved(const struct spawn *spawn, int *ret_pidfd) {
	struct clones clones = { .spawn = spawn, .pidfd = -1 };
	int r;

	clones.stacks = mmap(NULL, 2 * SPAWN_STACK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (clones.stacks == MAP_FAILED)
		return error_origin(-errno);
	r = run(&clones);
	(void)munmap(clones.stacks, 2 * SPAWN_STACK);
	if (r < 0)
		(void)fd_close(clones.pidfd);
	else
		*ret_pidfd = clones.pidfd;
	return error_trace(r);
}

int spawn_detached(const struct spawn *spawn, int *ret_pidfd) {
	struct moved first = { .fd = -1 }, second = { .fd = -1 };
	struct spawn moved = *spawn;
	int r = move_up(spawn->first, &first);

	if (r >= 0)
		r = move_up(spawn->second, &second);
	moved.first = first.fd;
	moved.second = second.fd;
	if (r >= 0)
		r = spawn_moved(&moved, ret_pidfd);
	if (first.fd >= 0)
		(void)fd_close_file(first.fd, &first.file);
	if (second.fd >= 0)
		(void)fd_close_file(second.fd, &second.file);
	return error_trace(r);
}
