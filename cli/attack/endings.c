/* SPDX-License-Identifier: MIT
 *
 * Attacks on how a task ends, and on what one worker knows about another: it refuses to end, it
 * pretends to end in another way, it outlives the executor, it learns where things lie in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/contained.h"
#include "cli/attack/host.h"

#define TIMEOUT_MS 300
#define STOPPED_MS 5000
#define LINGER_MS  30000
#define SWEPT_MS   8000
/* Only the shadow memory of sanitizers is larger. */
#define SEARCHED_MOST (UINT64_C(1) << 30)

/* --- 57, 58: a task that does not end ------------------------------------------------------- */

static int stop_itself(struct wf_call *call) {
	attack_say(call, 'h', NULL, 0);
	(void)raise(SIGSTOP);
	attack_wait(call);
	return attack_answer(call, true, NULL, 0);
}

static char state_of(pid_t pid) {
	char state[32];

	attack_status(pid, "State:", state, sizeof state);
	return state[strspn(state, "\t ")];
}

/* It reported this before it stopped. */
static void see_stopped(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	for (int i = 0; i < STOPPED_MS && !bout->seen; i++) {
		bout->seen = state_of(bout->pid) == 'T';
		if (!bout->seen)
			(void)poll(NULL, 0, 1);
	}
}

/* Only SIGKILL can end it. */
static int ignore_signals(struct wf_call *call) {
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	attack_say(call, 'h', NULL, 0);
	while (attack_line(call) >= 0)
		attack_say(call, 'x', NULL, 0);
	return attack_answer(call, true, NULL, 0);
}

static void see_ignored(struct attack_ground *ground, struct attack_bout *bout) {
	char ignored[32];
	size_t n;

	(void)ground;
	attack_status(bout->pid, "SigIgn:", ignored, sizeof ignored);
	n = strlen(ignored);
	bout->seen =
	    n >= 4 && (ignored[n - 4] & 4); /* SIGTERM, 15: in the fourth digit from the end */
}

static enum attack_verdict judge_endless(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	(void)ground;
	if (!bout->seen && bout->gone)
		return ATTACK_NOTHING;
	return attack_verdict(!bout->gone || bout->outcome.kind != WF_TIMED_OUT);
}

/* --- 59: it outlives the executor ------------------------------------------------------------ */

static int outlive_executor(struct wf_call *call) {
	pid_t pid;

	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	pid = fork();
	if (pid == 0) {
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	}
	attack_say(call, 'h', NULL, 0);
	(void)poll(NULL, 0, LINGER_MS);
	_exit(0);
}

/* Uses an executor in another process, which is killed when the attacker has reported that
 * it runs. */
static enum attack_verdict run_outlive(struct attack_ground *ground, const struct attack *attack) {
	struct attack_bout bout = { .held = false };
	struct pollfd poll_fd = { .events = POLLIN };
	siginfo_t info;
	char byte;
	int ends[2];
	pid_t pid;
	bool lived;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return ATTACK_ERROR;
	pid = attack_inner_start(ground, attack, ends[1]);
	(void)close(ends[1]);
	poll_fd.fd = ends[0];
	lived = pid > 0 && poll(&poll_fd, 1, LINGER_MS) == 1 && recv(ends[0], &byte, 1, 0) == 1;
	if (pid > 0) {
		(void)syscall(SYS_kill, pid, SIGKILL); /* our child, which no other process reaps */
		(void)waitid(P_PID, (id_t)pid, &info, WEXITED);
	}
	while (!bout.gone && poll(&poll_fd, 1, SWEPT_MS) == 1)
		bout.gone = recv(ends[0], &byte, 1, 0) <= 0;
	(void)close(ends[0]);
	if (!lived && pid > 0)
		return ATTACK_NOTHING;
	return pid > 0 ? attack_verdict(!bout.gone) : ATTACK_ERROR;
}

/* --- 60: it ends as something else ------------------------------------------------------------ */

enum forged { FORGED_EXIT = 1, FORGED_KILL, FORGED_VIOLATION, N_FORGED };

static int forge_end(struct wf_call *call) {
	attack_say(call, 'c', NULL, 0);
	switch ((enum forged)attack_brief(call)->detail) {
	case FORGED_EXIT:
		_exit(128 + SIGKILL);
	case FORGED_KILL:
		(void)raise(SIGKILL);
		break;
	case FORGED_VIOLATION:
		(void)raise(SIGSYS);
		break;
	case N_FORGED:
		break;
	}
	return attack_answer(call, true, NULL, 0);
}

static bool is_told_apart(const struct wf_outcome *outcome, enum forged how) {
	if (how == FORGED_EXIT)
		return outcome->kind == WF_EXITED && outcome->exited.code == 128 + SIGKILL;
	return outcome->kind == WF_SIGNALLED &&
	       outcome->signalled.signal == (how == FORGED_KILL ? SIGKILL : SIGSYS);
}

static enum attack_verdict run_forged(struct attack_ground *ground, const struct attack *attack) {
	bool through = false, tried = false;
	struct attack_bout bout;

	for (enum forged how = FORGED_EXIT; how < N_FORGED; how++) {
		ground->brief.detail = how;
		if (!attack_run(ground, attack, &bout))
			return ATTACK_ERROR;
		tried |= bout.n_alive > 0;
		through |= bout.n_alive > 0 && !is_told_apart(&bout.outcome, how);
	}
	return tried ? attack_verdict(through) : ATTACK_NOTHING;
}

/* --- 66: what is in one's own memory ------------------------------------------------------- */

/* Reads all mapped memory, whatever a sanitizer says to that. */
#if defined(__clang__)
__attribute__((no_sanitize("address", "thread")))
#else
__attribute__((no_sanitize_address, no_sanitize_thread))
#endif
static bool
is_there(const char *at, const char *end, const char *masked) {
	size_t i;

	for (; at + ATTACK_TOKEN <= end; at++) {
		for (i = 0; i < ATTACK_TOKEN - 1 && at[i] == (masked[i] ^ ATTACK_MASK); i++)
			continue;
		if (i == ATTACK_TOKEN - 1)
			return true;
	}
	return false;
}

static uint64_t number_of(const char **text) {
	uint64_t number = 0;
	char c;

	for (;; (*text)++) {
		c = **text;
		if (c >= '0' && c <= '9')
			number = number * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			number = number * 16 + (uint64_t)(c - 'a' + 10);
		else
			return number;
	}
}

/* Searches where the kernel says what is mapped; if it does not say, where every program
 * has memory. */
static bool search_line(const char *line, const char *masked) {
	uint64_t start, end;

	start = number_of(&line);
	line++;
	end = number_of(&line);
	if (start == 0 || end - start > SEARCHED_MOST || strncmp(line, " rw", 3) != 0 ||
	    strstr(line, "[v"))
		return false;
	return is_there((const char *)(uintptr_t)start, (const char *)(uintptr_t)end, masked);
}

/* Speculation can read everything that is mapped. So nothing that was given to another task may be
 * mapped in the worker, nor in the zygote that it is a copy of. */
static int search_memory(struct wf_call *call) {
	static char maps[1 << 16];
	char *planted = malloc(ATTACK_TOKEN), *line, *rest = maps;
	const char *masked = attack_brief(call)->masked;
	ssize_t n = attack_read("/proc/self/maps", maps, sizeof maps - 1);
	bool found = false;
	uint64_t works;

	for (line = strtok_r(maps, "\n", &rest); n > 0 && line; line = strtok_r(NULL, "\n", &rest))
		found |= search_line(line, masked);
	found |= is_there((const char *)&attack_held, (const char *)(&attack_held + 1), masked);
	/* the search must not find it here */
	for (size_t i = 0; planted && i < ATTACK_TOKEN; i++)
		planted[i] = (char)(masked[i] ^ ATTACK_MASK);
	works = planted && is_there(planted, planted + ATTACK_TOKEN, masked);
	attack_say(call, 't', &works, sizeof works);
	free(planted);
	return attack_answer(call, found, NULL, 0);
}

static enum attack_verdict judge_found(struct attack_ground *ground,
				       const struct attack_bout *bout) {
	(void)ground;
	return bout->told ? attack_verdict(bout->believes) : ATTACK_NOTHING;
}

/* --- 67: addresses ------------------------------------------------------------------------- */

/* Addresses of the program, a library, the first block of the heap, and a mapping. */
static int tell_addresses(struct wf_call *call) {
	void *block = malloc(64),
	     *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t addresses[4] = { (uint64_t)(uintptr_t)&attack_held, (uint64_t)(uintptr_t)&environ,
				  (uint64_t)(uintptr_t)block, (uint64_t)(uintptr_t)page };
	int r = attack_answer(call, true, addresses, sizeof addresses);

	free(block);
	return r;
}

static bool ask_addresses(struct attack_ground *ground, const struct attack *attack,
			  uint64_t addresses[4]) {
	struct attack_bout bout;
	bool told;

	if (!attack_run(ground, attack, &bout))
		return false;
	told = bout.loot_size == 4 * sizeof addresses[0];
	if (told)
		memcpy(addresses, bout.loot, bout.loot_size);
	return told;
}

/* Workers of one zygote have the same addresses, which makes this an attack; the next generation
 * has others. */
static enum attack_verdict run_addresses(struct attack_ground *ground,
					 const struct attack *attack) {
	uint64_t first[4], brother[4], next[4];
	bool same = false;

	if (!ask_addresses(ground, attack, first) || !ask_addresses(ground, attack, brother))
		return ATTACK_ERROR;
	if (first[0] != brother[0] || first[1] != brother[1])
		return ATTACK_NOTHING;
	if (wf_executor_reload(ground->executor) < 0 || !ask_addresses(ground, attack, next))
		return ATTACK_ERROR;
	for (size_t i = 0; i < 4; i++)
		same |= first[i] == next[i];
	return attack_verdict(same);
}

static const char *no_randomization(void) {
	char value[16];

	if (attack_sanitized())
		return attack_sanitized();
	attack_proc(getpid(), "../sys/kernel/randomize_va_space", value, sizeof value);
	return value[0] == '2' ? NULL : "kernel.randomize_va_space is not 2";
}

/* ------------------------------------------------------------------------------------------- */

static const struct attack rows[] = {
	{ 57, "stop itself", "stop_itself", stop_itself, ATTACK_LIBRARY, .timeout_ms = TIMEOUT_MS,
	  .look = see_stopped, .judge = judge_endless },
	{ 58, "ignore and block every signal", "ignore_signals", ignore_signals, ATTACK_LIBRARY,
	  .timeout_ms = TIMEOUT_MS, .look = see_ignored, .judge = judge_endless },
	{ 59, "outlive the executor", "outlive_executor", outlive_executor, ATTACK_LIBRARY,
	  .run = run_outlive },
	{ 60, "end as something that it is not", "forge_end", forge_end, ATTACK_LIBRARY,
	  .run = run_forged },
	{ 66, "a sibling's secret in its own memory", "search_memory", search_memory,
	  ATTACK_LIBRARY | ATTACK_SIBLING, .judge = judge_found },
	{ 67, "addresses of one generation, for the next", "tell_addresses", tell_addresses,
	  ATTACK_LIBRARY, .run = run_addresses, .inapplicable = no_randomization },
};

const struct attack_rows attack_endings = { rows, sizeof rows / sizeof rows[0] };
