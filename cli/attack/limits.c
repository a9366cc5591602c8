/* SPDX-License-Identifier: MIT
 *
 * Attacks by exhausting resources. Each tries to take a fixed amount, which is a few times what the
 * policy allows but little for a machine, so it does no harm where nothing stops it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

#define SPARSE    ((off_t)1 << 30)
#define QUEUES    16
#define INSTANCES 32 /* of inotify, of 128 that a user may have */
#define BURNERS   8
#define BURNER_NS ((uint64_t)20000000)
#define STARVERS  12 /* with the attacker, as many as the limit allows and some more */
#define STARVE_MS 400
#define TEMPORARY "/tmp"

/* --- 18: processes ------------------------------------------------------------------------- */

static int fork_bomb(struct wf_call *call) {
	unsigned n = 0;
	pid_t pid;

	for (unsigned i = 0; i < ATTACK_PROCESSES_TRIED; i++) {
		pid = fork();
		if (pid == 0) {
			attack_say(call, 'c', NULL, 0);
			attack_wait(call);
			_exit(0);
		}
		n += pid > 0;
	}
	attack_hold(call);
	return attack_answer(call, n >= ATTACK_PROCESSES, NULL, 0);
}

/* Each living process has reported itself; the attacker's own count is not used. */
static enum attack_verdict judge_processes(struct attack_ground *ground,
					   const struct attack_bout *bout) {
	(void)ground;
	return attack_verdict(bout->n_alive >= ATTACK_PROCESSES);
}

/* --- 21, 22: files and streams -------------------------------------------------------------- */

static size_t fill(int fd, size_t size) {
	static char chunk[65536];
	size_t written = 0;
	ssize_t n = 1;

	for (size_t i = 0; i < sizeof chunk; i++)
		chunk[i] = 'x';
	while (fd >= 0 && written < size && n > 0) {
		n = write(fd, chunk, sizeof chunk);
		written += n > 0 ? (size_t)n : 0;
	}
	return written;
}

/* Writes one file in the output that is too large; and in /tmp, which has a limit of its own,
 * several that are too large only together. Those have no names, and end with the attacker. */
static int fill_disk(struct wf_call *call) {
	char path[ATTACK_PATH + 8];
	size_t temporary = 0;

	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	(void)snprintf(path, sizeof path, "%s/large", attack_brief(call)->out);
	(void)fill(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), ATTACK_FILE_SIZE_TRIED);
	for (unsigned i = 0; i < 2 * ATTACK_SCRATCH / ATTACK_FILE_SIZE; i++)
		temporary +=
		    fill(open(TEMPORARY, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600), ATTACK_FILE_SIZE);
	return attack_answer(call, temporary > ATTACK_SCRATCH, NULL, 0);
}

static off_t size_of(const struct attack_ground *ground, const char *path) {
	struct stat info;

	return fstatat(ground->root_fd, path, &info, AT_SYMLINK_NOFOLLOW) == 0 ? info.st_size : 0;
}

static enum attack_verdict judge_disk(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	return attack_verdict(size_of(ground, "out/large") > (off_t)ATTACK_FILE_SIZE ||
			      bout->believes);
}

/* First something large and empty, then something endless. */
static int endless_output(struct wf_call *call) {
	char path[ATTACK_PATH + 8];
	int fd;

	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	(void)snprintf(path, sizeof path, "%s/sparse", attack_brief(call)->out);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)!ftruncate(fd, SPARSE);
	(void)pwrite(fd, "x", 1, SPARSE - 1);
	return attack_answer(
	    call, fill(STDOUT_FILENO, ATTACK_FILE_SIZE_TRIED) >= ATTACK_FILE_SIZE_TRIED, NULL, 0);
}

/* The library caps a stream; only a limit caps a file. */
static enum attack_verdict judge_output(struct attack_ground *ground,
					const struct attack_bout *bout) {
	bool endless = bout->outcome.kind == 0 || bout->believes ||
		       bout->outcome.standard_output.size > ATTACK_OUTPUT;

	return attack_verdict(size_of(ground, "out/sparse") > (off_t)ATTACK_FILE_SIZE || endless);
}

/* --- 24: what all processes of a user share -------------------------------------------------- */

/* Message queues belong to the IPC namespace. Instances of inotify belong to the user, whatever
 * namespaces it may be in: each counts for the user that made its user namespace, too. */
static int exhaust_user(struct wf_call *call) {
	unsigned instances = 0;

	for (int i = 0; i < QUEUES; i++)
		(void)msgget(attack_brief(call)->queue_key + i, IPC_CREAT | 0600);
	while (instances < INSTANCES && inotify_init1(IN_CLOEXEC) >= 0)
		instances++;
	attack_hold(call);
	return attack_answer(call, instances == INSTANCES, NULL, 0);
}

static void remove_queues(struct attack_ground *ground) {
	int queue;

	for (int i = 0; i < QUEUES; i++) {
		queue = msgget(ground->brief.queue_key + i, 0);
		if (queue >= 0)
			(void)msgctl(queue, IPC_RMID, NULL);
	}
}

static bool choose_queues(struct attack_ground *ground) {
	uint32_t key = 0;

	memcpy(&key, ground->brief.nonce, sizeof key);
	ground->brief.queue_key = (int32_t)((key << 5 & 0x0fffffff) | 0x40000000);
	remove_queues(ground);
	return true;
}

static void count_queues(struct attack_ground *ground, struct attack_bout *bout) {
	for (int i = 0; i < QUEUES; i++)
		bout->seen |= msgget(ground->brief.queue_key + i, 0) >= 0;
}

/* --- 25: its own limits ----------------------------------------------------------------------- */

static int raise_limits(struct wf_call *call) {
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	bool done = setrlimit(RLIMIT_NOFILE, &limit) == 0;

	done |= setrlimit(RLIMIT_FSIZE, &limit) == 0;
	if (!done && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		done = setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		       limit.rlim_cur > ATTACK_DESCRIPTORS_MOST;
	}
	attack_hold(call);
	return attack_answer(call, done, NULL, 0);
}

static void read_limits(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_soft_limit(bout->pid, "Max open files") > ATTACK_DESCRIPTORS_MOST ||
		     attack_soft_limit(bout->pid, "Max file size") > ATTACK_FILE_SIZE;
}

/* Only the host judges this: raising a limit to its old value does not count. */
static enum attack_verdict judge_raised(struct attack_ground *ground,
					const struct attack_bout *bout) {
	(void)ground;
	return attack_verdict(bout->seen);
}

/* --- 77: a core ------------------------------------------------------------------------------ */

/* The other values are all bad: 0 too. */
static int dump_core(struct wf_call *call) {
	const struct rlimit more = { RLIM_INFINITY, RLIM_INFINITY }, none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &more);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prlimit(0, RLIMIT_CORE, &none, NULL);
	attack_hold(call);
	return attack_answer(call, false, NULL, 0);
}

/* Whatever the limit, even 0, the kernel starts the reader of a core_pattern, as root of the host,
 * and writes the memory of the task to it. Only 1 stops that. */
static void read_core_limit(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_soft_limit(bout->pid, "Max core file size") != 1;
}

static const char *no_core(void) {
	struct rlimit limit;

	if (geteuid() == 0 || getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max > 0)
		return NULL;
	return "our hard limit of cores (RLIMIT_CORE) is 0, which only root can make 1";
}

/* --- 61: processor time of children -------------------------------------------------------- */

static uint64_t own_cpu_ns(void) {
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Many short-lived processes, none of which reaches a limit. */
static int burn_in_children(struct wf_call *call) {
	uint64_t n = 0;
	pid_t pid;

	for (unsigned i = 0; i < BURNERS; i++) {
		pid = fork();
		if (pid == 0) {
			while (own_cpu_ns() < BURNER_NS)
				continue;
			_exit(0);
		}
		n += pid > 0 && waitpid(pid, NULL, 0) == pid;
	}
	attack_say(call, 't', &n, sizeof n);
	return attack_answer(call, n > 0, NULL, 0);
}

static enum attack_verdict judge_burnt(struct attack_ground *ground,
				       const struct attack_bout *bout) {
	(void)ground;
	if (bout->told == 0)
		return ATTACK_NOTHING;
	return attack_verdict(bout->outcome.kind == 0 ||
			      bout->outcome.cpu_ns < bout->told * BURNER_NS);
}

/* --- 62: the host's attention -------------------------------------------------------------- */

static void ignore(int signal) {
	(void)signal;
}

/* Processes that signal each other and write to everything that is read, as fast as they can. Each
 * tells that it holds before its first noise. The attacker itself may never come to tell: what is
 * heard in the capture ends it within milliseconds, and under this many signals it forks slowly. */
static void starve(const struct wf_call *call, pid_t group) {
	uint64_t until = own_cpu_ns() + (uint64_t)STARVE_MS * 1000000 / STARVERS;

	attack_say(call, 'c', NULL, 0);
	attack_say(call, 'h', NULL, 0);
	while (own_cpu_ns() < until) {
		(void)syscall(SYS_kill, -group, SIGUSR1);
		(void)!write(STDOUT_FILENO, "noise\n", 6);
	}
}

static int starve_host(struct wf_call *call) {
	const struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	pid_t group = getpgrp(), pids[STARVERS];

	(void)sigaction(SIGUSR1, &action, NULL);
	for (unsigned i = 0; i < STARVERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			starve(call, group);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < STARVERS; i++)
		while (pids[i] > 0 && waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			continue;
	return attack_answer(call, true, NULL, 0);
}

/* Meanwhile, another task comes and goes. */
static void run_innocent(struct attack_ground *ground, struct attack_bout *bout) {
	bout->seen = attack_pool_works(ground);
}

static enum attack_verdict judge_starved(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	bool lives = bout->seen && bout->gone && bout->outcome.kind != 0 &&
		     attack_pool_works(ground) && attack_pool_is_whole(ground);

	if (bout->n_alive == 0 && (lives || !bout->held))
		return ATTACK_NOTHING;
	return attack_verdict(!lives);
}

/* ------------------------------------------------------------------------------------------- */

#define LIMITS (1U << ATTACK_LIMITS)
#define CGROUP (1U << ATTACK_CGROUP)

static const struct attack rows[] = {
	{ 18, "fork bomb", "fork_bomb", fork_bomb, .stops = CGROUP, .judge = judge_processes },
	{ 21, "fill the disk", "fill_disk", fill_disk, .judge = judge_disk },
	{ 22, "sparse files and endless output", "endless_output", endless_output, ATTACK_CAPTURE,
	  .stops = LIMITS, .judge = judge_output },
	{ 24, "exhaust what a user has once", "exhaust_user", exhaust_user,
	  .prepare = choose_queues, .look = count_queues, .judge = attack_judge_seen,
	  .clean = remove_queues },
	{ 25, "raise its own limits", "raise_limits", raise_limits, .look = read_limits,
	  .judge = judge_raised },
	{ 77, "a core for the reader of core_pattern", "dump_core", dump_core,
	  .look = read_core_limit, .judge = judge_raised, .inapplicable = no_core },
	{ 61, "burn processor time in short children", "burn_in_children", burn_in_children,
	  ATTACK_LIBRARY, .judge = judge_burnt },
	{ 62, "starve the host by signals and noise", "starve_host", starve_host,
	  ATTACK_LIBRARY | ATTACK_CAPTURE, .look = run_innocent, .judge = judge_starved },
};

const struct attack_rows attack_limits = { rows, sizeof rows / sizeof rows[0] };
