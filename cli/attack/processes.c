/* SPDX-License-Identifier: MIT
 *
 * Attacks on other processes: a sibling, which is another worker of the same pool with the same
 * user, and the stand-in, which stands for the executor. Also processes that refuse to end.
 *
 * In a pid namespace the sibling has one number for the other workers and another for us. Attackers
 * try both; in a namespace of the pool's own, the other number can only be a process of the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/contained.h"
#include "cli/attack/host.h"

#define LINGER_MS    30000 /* of processes that should have been ended long before */
#define FEW          7     /* descriptors */
#define NICE         5
#define PING_MS      5000
#define TURN_MS      10
#define STOLEN_FIRST 3
#define STOLEN_LAST  256

/* The numbers that the sibling may have in here. */
#define N_TARGETS 2
static void find_siblings(struct wf_call *call, pid_t targets[N_TARGETS]) {
	targets[0] = attack_brief(call)->sibling;
	targets[1] = attack_brief(call)->sibling_inside;
}

/* The executor has duplicates of a task's descriptors, so the line does not end with
 * the sibling. */
static bool has_answered(const struct attack_ground *ground) {
	struct pollfd poll_fd = { .fd = ground->sibling.line, .events = POLLIN };

	for (int i = 0; i < PING_MS / TURN_MS; i++) {
		if (poll(&poll_fd, 1, TURN_MS) == 1)
			return true;
		if (wf_future_outcome(ground->sibling.future))
			return false;
	}
	return false;
}

/* Tells whether the sibling answers and its memory is unchanged. With a deadly signal pending it
 * never answers again. */
static bool sibling_is_well(struct attack_ground *ground) {
	char answer[1 + sizeof(uint64_t)];
	uint64_t word = 0;

	if (send(ground->sibling.line, "?", 1, MSG_NOSIGNAL) != 1 || !has_answered(ground) ||
	    recv(ground->sibling.line, answer, sizeof answer, 0) != sizeof answer)
		return false;
	memcpy(&word, answer + 1, sizeof word);
	return answer[0] == 'w' && word == ATTACK_WORD;
}

/* --- 16, 17: descendants that stay --------------------------------------------------------- */

__attribute__((noreturn)) static void linger(const struct wf_call *call, int told) {
	attack_say(call, 'c', NULL, 0);
	(void)!write(told, "", 1);
	(void)poll(NULL, 0, LINGER_MS);
	_exit(0);
}

/* An orphan in a session of its own: neither its parent nor its process group leads to it. */
static bool make_orphan(const struct wf_call *call) {
	int ends[2];
	char byte;
	bool made;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		(void)setsid();
		if (fork() == 0)
			linger(call, ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	made = pid > 0 && read(ends[0], &byte, 1) == 1;
	(void)close(ends[0]);
	return made;
}

static int hold_streams(struct wf_call *call) {
	return attack_answer(call, make_orphan(call), NULL, 0);
}

static int leave_orphans(struct wf_call *call) {
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++)
		n += make_orphan(call);
	attack_hold(call);
	return attack_answer(call, n > 0, NULL, 0);
}

static enum attack_verdict judge_orphans(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	(void)ground;
	if (bout->n_alive == 0 && bout->gone)
		return ATTACK_NOTHING;
	return attack_verdict(!bout->gone || bout->outcome.kind != WF_RETURNED);
}

/* --- 26: limits of others ------------------------------------------------------------------ */

static int limit_others(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	const pid_t targets[] = { brief->sibling, brief->sibling_inside, brief->stand_in };
	struct rlimit limit;
	bool done = false;

	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		if (prlimit(targets[i], RLIMIT_NOFILE, NULL, &limit) < 0)
			continue;
		limit.rlim_cur = FEW;
		done |= prlimit(targets[i], RLIMIT_NOFILE, &limit, NULL) == 0;
	}
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_limits(struct attack_ground *ground,
					const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(attack_soft_limit(ground->sibling.pid, "Max open files") == FEW ||
			      attack_soft_limit(ground->stand_in.pid, "Max open files") == FEW);
}

/* --- 27: the scheduling of others ----------------------------------------------------------- */

static int schedule_others(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	const pid_t targets[] = { brief->sibling, brief->sibling_inside, brief->stand_in };
	struct sched_param parameter = { .sched_priority = 0 };
	cpu_set_t first;
	bool done = false;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		if (targets[i] == getpid())
			continue;
		done |= setpriority(PRIO_PROCESS, (id_t)targets[i], NICE) == 0;
		done |= sched_setscheduler(targets[i], SCHED_BATCH, &parameter) == 0;
		done |= sched_setaffinity(targets[i], sizeof first, &first) == 0;
		done |= syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, targets[i],
				IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)) == 0;
	}
	return attack_answer(call, done, NULL, 0);
}

static bool is_rescheduled(pid_t pid) {
	cpu_set_t now, ours;

	CPU_ZERO(&now);
	CPU_ZERO(&ours);
	return getpriority(PRIO_PROCESS, (id_t)pid) == NICE ||
	       sched_getscheduler(pid) == SCHED_BATCH ||
	       (sched_getaffinity(pid, sizeof now, &now) == 0 &&
		sched_getaffinity(0, sizeof ours, &ours) == 0 && !CPU_EQUAL(&now, &ours)) ||
	       syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid) ==
		   IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
}

static enum attack_verdict judge_schedule(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(is_rescheduled(ground->sibling.pid) ||
			      is_rescheduled(ground->stand_in.pid));
}

/* --- 28: pages of others ------------------------------------------------------------------- */

static int answer_bits(struct wf_call *call, unsigned bits, bool known) {
	char loot[16];
	int length = snprintf(loot, sizeof loot, "bits %02x", bits);

	return attack_answer(call, known, loot, known && length > 0 ? (size_t)length : 0);
}

/* move_pages(2) without destinations tells which pages are present. */
static int find_pages(struct wf_call *call) {
	pid_t targets[N_TARGETS];
	void *pages[ATTACK_BITS];
	int status[ATTACK_BITS];
	unsigned bits = 0;
	bool known = false;

	find_siblings(call, targets);
	for (unsigned i = 0; i < ATTACK_BITS; i++)
		pages[i] = (char *)ATTACK_PAGES + i * (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < N_TARGETS && !known; i++)
		known = targets[i] != getpid() &&
			syscall(SYS_move_pages, targets[i], (unsigned long)ATTACK_BITS, pages, NULL,
				status, 0) == 0;
	for (unsigned i = 0; i < ATTACK_BITS && known; i++)
		bits |= (unsigned)(status[i] >= 0) << i;
	return answer_bits(call, bits, known);
}

static enum attack_verdict judge_bits(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	char bits[16];

	(void)snprintf(bits, sizeof bits, "bits %02x", ground->sibling.bits);
	return attack_verdict(attack_has(bout, bits));
}

/* Calls it on this process, to see whether the kernel has the call. */
static const char *no_move_pages(void) {
	void *page = (void *)((uintptr_t)&attack_held & ~(uintptr_t)4095);
	int status;

	if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0) < 0 && errno == ENOSYS)
		return "move_pages(2) is not in this kernel (CONFIG_MIGRATION)";
	return NULL;
}

/* --- 29, 30: signals ------------------------------------------------------------------------ */

/* Sends the signal as a descriptor sends one to its owner when there is something to read. */
static bool signal_by_owner(pid_t target) {
	int ends[2];
	bool done;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	done = fcntl(ends[0], F_SETOWN, target) == 0 && fcntl(ends[0], F_SETSIG, SIGKILL) == 0 &&
	       fcntl(ends[0], F_SETFL, O_ASYNC) == 0 && write(ends[1], "", 1) == 1;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return done;
}

static int signal_others(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	const pid_t targets[] = { brief->sibling, brief->sibling_inside, brief->stand_in,
				  brief->zygote };
	unsigned n = 0;
	int fd;

	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		if (targets[i] <= 1 || targets[i] == getpid())
			continue;
		n += syscall(SYS_kill, targets[i], SIGKILL) == 0;
		n += syscall(SYS_tgkill, targets[i], targets[i], SIGKILL) == 0;
		fd = (int)syscall(SYS_pidfd_open, targets[i], 0);
		n += fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
		n += signal_by_owner(targets[i]);
	}
	return attack_answer(call, n > 0, NULL, 0);
}

/* Only in a pid namespace that holds nothing but our processes: with a broken layer it would end
 * all processes of the user. */
static int signal_everybody(struct wf_call *call) {
	bool done = attack_brief(call)->own_pids && syscall(SYS_kill, -1, SIGKILL) == 0;

	attack_say(call, 't', &(uint64_t){ attack_brief(call)->own_pids }, sizeof(uint64_t));
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_signals(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(!sibling_is_well(ground) ||
			      !attack_stand_in_answers(&ground->stand_in) ||
			      !attack_pool_works(ground) || !attack_pool_is_whole(ground));
}

static enum attack_verdict run_everybody(struct attack_ground *ground,
					 const struct attack *attack) {
	struct attack_bout bout;

	ground->brief.own_pids =
	    ground->setting->contained || ground->sibling.inside != ground->sibling.pid;
	if (!ground->brief.own_pids)
		return attack_contained(ground, attack);
	return attack_run(ground, attack, &bout) ? judge_signals(ground, &bout) : ATTACK_ERROR;
}

/* --- 31, 32: memory of others --------------------------------------------------------------- */

static size_t peek(pid_t pid, char *ret, size_t size) {
	size_t n = 0;
	long word;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return 0;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 && waitpid(pid, NULL, __WALL) == pid)
		for (; n + sizeof word <= size; n += sizeof word) {
			errno = 0;
			word = ptrace(PTRACE_PEEKDATA, pid, attack_held.token + n, NULL);
			if (errno != 0)
				break;
			memcpy(ret + n, &word, sizeof word);
		}
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return n;
}

static int trace_sibling(struct wf_call *call) {
	pid_t targets[N_TARGETS];
	char loot[ATTACK_TOKEN - 1];
	size_t n = 0;

	find_siblings(call, targets);
	for (size_t i = 0; i < N_TARGETS && n == 0; i++)
		n = peek(targets[i], loot, sizeof loot);
	return attack_answer(call, n > 0, loot, n);
}

static ssize_t read_memory(pid_t pid, void *to) {
	struct iovec here = { to, ATTACK_TOKEN }, there = { attack_held.token, ATTACK_TOKEN };
	char path[64];
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
	int fd;

	if (n > 0)
		return n;
	(void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return pread(fd, to, ATTACK_TOKEN, (off_t)(uintptr_t)attack_held.token);
}

static int read_sibling(struct wf_call *call) {
	uint64_t word = ~ATTACK_WORD;
	struct iovec here = { &word, sizeof word }, there = { &attack_held.word, sizeof word };
	pid_t targets[N_TARGETS];
	char loot[ATTACK_TOKEN];
	ssize_t n = 0;

	find_siblings(call, targets);
	for (size_t i = 0; i < N_TARGETS && n <= 0; i++) {
		if (targets[i] == getpid())
			continue;
		n = read_memory(targets[i], loot);
		(void)process_vm_writev(targets[i], &here, 1, &there, 1, 0);
	}
	return attack_answer(call, n > 0, loot, n > 0 ? (size_t)n : 0);
}

static enum attack_verdict judge_memory(struct attack_ground *ground,
					const struct attack_bout *bout) {
	return attack_verdict(attack_has(bout, ground->sibling.token) || !sibling_is_well(ground));
}

/* --- 33: descriptors of others -------------------------------------------------------------- */

static size_t steal(pid_t pid, char *loot, size_t size) {
	int owner = (int)syscall(SYS_pidfd_open, pid, 0), fd;
	struct stat info;
	size_t length = 0;
	ssize_t n;

	for (int i = STOLEN_FIRST; owner >= 0 && i < STOLEN_LAST; i++) {
		fd = (int)syscall(SYS_pidfd_getfd, owner, i, 0);
		if (fd < 0)
			continue;
		n = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && size - length > ATTACK_TOKEN
			? pread(fd, loot + length, ATTACK_TOKEN, 0)
			: 0;
		length += n > 0 ? (size_t)n : 0;
		(void)close(fd);
	}
	return length;
}

static int steal_descriptors(struct wf_call *call) {
	pid_t targets[N_TARGETS];
	char loot[4096];
	size_t length = 0;

	find_siblings(call, targets);
	for (size_t i = 0; i < N_TARGETS && length == 0; i++)
		if (targets[i] != getpid())
			length = steal(targets[i], loot, sizeof loot);
	return attack_answer(call, length > 0, loot, length);
}

static enum attack_verdict judge_stolen(struct attack_ground *ground,
					const struct attack_bout *bout) {
	return attack_verdict(attack_has(bout, ground->sibling.lent));
}

/* --- 34: which descriptors are the same ------------------------------------------------------ */

static int compare_descriptors(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	pid_t targets[N_TARGETS];
	unsigned bits = 0;
	bool known = false;
	long order;

	find_siblings(call, targets);
	for (size_t i = 0; i < N_TARGETS && !known; i++)
		for (unsigned bit = 0; bit < ATTACK_BITS && targets[i] != getpid(); bit++) {
			order =
			    syscall(SYS_kcmp, getpid(), targets[i], KCMP_FILE,
				    (long)wf_call_descriptor(call, 1), (long)brief->bits_at[bit]);
			known |= order >= 0;
			bits |= (unsigned)(order == 0) << bit;
		}
	return answer_bits(call, bits, known);
}

static bool lend_shared(struct attack_ground *ground) {
	ground->extra[0] = fcntl(ground->shared, F_DUPFD_CLOEXEC, 0);
	return ground->extra[0] >= 0;
}

static const char *no_kcmp(void) {
	if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0L, 0L) < 0 && errno == ENOSYS)
		return "kcmp(2) is not in this kernel (CONFIG_KCMP)";
	return NULL;
}

/* --- 35: what /proc tells --------------------------------------------------------------------- */

static int read_proc(struct wf_call *call) {
	static const char *const files[] = { "cmdline", "environ" };
	char path[64], loot[2048];
	size_t length = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)attack_brief(call)->stand_in,
			       files[i]);
		n = attack_read(path, loot + length, sizeof loot / 2);
		length += n > 0 ? (size_t)n : 0;
	}
	return attack_answer(call, length > 0, loot, length);
}

static enum attack_verdict judge_proc(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	return attack_verdict(attack_has(bout, ground->stand_in.argument) ||
			      attack_has(bout, ground->stand_in.environment));
}

/* ------------------------------------------------------------------------------------------- */

#define LANDLOCK   (1U << ATTACK_LANDLOCK)
#define SECCOMP    (1U << ATTACK_SECCOMP)
#define NAMESPACES (1U << ATTACK_NAMESPACES)

static const char *no_everybody(void) {
	return attack_no_signal_scope() ? attack_no_signal_scope() : attack_not_contained();
}

static const struct attack rows[] = {
	{ 16, "hold the result's streams by a grandchild", "hold_streams", hold_streams,
	  ATTACK_LIBRARY, .judge = judge_orphans },
	{ 17, "orphans in sessions of their own", "leave_orphans", leave_orphans, ATTACK_LIBRARY,
	  .judge = judge_orphans },
	{ 26, "limits of other processes", "limit_others", limit_others, ATTACK_SIBLING,
	  .stops = SECCOMP, .judge = judge_limits },
	{ 27, "priority and CPUs of other processes", "schedule_others", schedule_others,
	  ATTACK_SIBLING, .stops = SECCOMP, .judge = judge_schedule },
	{ 28, "pages of other processes", "find_pages", find_pages, ATTACK_SIBLING,
	  .stops = SECCOMP, .judge = judge_bits, .inapplicable = no_move_pages },
	{ 29, "signals to sibling, zygote and executor", "signal_others", signal_others,
	  ATTACK_SIBLING, .landlock = 6, .stops = LANDLOCK, .judge = judge_signals,
	  .inapplicable = attack_no_signal_scope },
	{ 30, "a signal to everybody", "signal_everybody", signal_everybody, ATTACK_SIBLING,
	  .landlock = 6, .stops = LANDLOCK, .run = run_everybody, .inapplicable = no_everybody },
	{ 31, "trace a sibling", "trace_sibling", trace_sibling, ATTACK_SIBLING,
	  .stops = LANDLOCK | SECCOMP, .judge = judge_memory, .inapplicable = attack_no_trace },
	{ 32, "read and write a sibling's memory", "read_sibling", read_sibling, ATTACK_SIBLING,
	  .stops = LANDLOCK, .judge = judge_memory, .inapplicable = attack_no_trace },
	{ 33, "steal descriptors of a sibling", "steal_descriptors", steal_descriptors,
	  ATTACK_SIBLING, .stops = LANDLOCK | SECCOMP, .judge = judge_stolen,
	  .inapplicable = attack_no_trace },
	{ 34, "compare descriptors with a sibling's", "compare_descriptors", compare_descriptors,
	  ATTACK_SIBLING, .stops = LANDLOCK | SECCOMP, .prepare = lend_shared, .judge = judge_bits,
	  .inapplicable = no_kcmp },
	{ 35, "arguments and environment of other processes", "read_proc", read_proc,
	  .stops = NAMESPACES, .judge = judge_proc },
};

const struct attack_rows attack_processes = { rows, sizeof rows / sizeof rows[0] };
