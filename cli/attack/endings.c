/* SPDX-License-Identifier: MIT
 *
 * Attacks on how a task ends: it refuses to, it pretends to end in another way, it outlives the
 * executor.
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
};

const struct attack_rows attack_endings = { rows, sizeof rows / sizeof rows[0] };
