/* SPDX-License-Identifier: MIT
 *
 * A shell sees one job, and this code keeps up that appearance in both directions, as a shell would
 * with a job of its own:
 *
 *     in the foreground, alone       the program's group is made the terminal's: Ctrl-C and Ctrl-Z
 *                                    are its own
 *     in a pipeline, in the          the terminal stays with our group, because others in that may
 *     background                     read it; signals are passed on. If the program stops while our
 *                                    group has the terminal, it wanted to use it, and gets it
 *     it stops, and had the          we take the terminal back, stop our whole group (a script that
 *     terminal, or we passed         waits for us stops as well), and continue the program when we
 *     the signal on                  are continued
 *
 * The program starts before it has the terminal, which is no race: at worst it is stopped for using
 * it, and is given the terminal then. Whether it is stopped is read from the kernel, because what
 * the library knows may be older than the signal with which we continued it.
 *
 * A pool with a session of its own keeps the program from getting the terminal, and the kernel from
 * stopping it for using it. Then the terminal always stays with our group, all its signals are
 * passed on, and "given" only means that the terminal's modes are the program's.
 *
 * Without a terminal nothing would continue us, so a program that is stopped stays so alone.
 */
#include "cli/run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <warmfork/inspect.h>

#include "cli/run/witness.h"

static const int passed_on[] = { SIGINT,  SIGTERM, SIGHUP,   SIGQUIT, SIGUSR1,
				 SIGUSR2, SIGTSTP, SIGWINCH, SIGCONT };
#define N_PASSED_ON (sizeof passed_on / sizeof passed_on[0])

/* --- start --------------------------------------------------------------------------------- */

static bool is_ignored(int number) {
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* nohup(1), and shells that start something in the background, ignore signals on purpose,
 * so neither we nor the program get those. SIGTTOU would stop us when we give and take
 * the terminal. */
static int block_signals(void) {
	sigset_t blocked, passed;

	(void)sigemptyset(&passed);
	for (size_t i = 0; i < N_PASSED_ON; i++)
		if (!is_ignored(passed_on[i]))
			(void)sigaddset(&passed, passed_on[i]);
	blocked = passed;
	(void)sigaddset(&blocked, SIGTTOU);
	(void)sigaddset(&blocked, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
		return -errno;
	return signalfd(-1, &passed, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool is_piped(int fd) {
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

static bool is_foreground(const struct run_terminal *terminal) {
	return terminal->fd >= 0 && tcgetpgrp(terminal->fd) == terminal->group;
}

int run_terminal_open(struct run_terminal *ret) {
	*ret = (struct run_terminal){ .fd = -1, .group = getpgrp() };
	(void)sigemptyset(&ret->waiting);
	for (int fd = 0; fd < 3 && ret->fd < 0; fd++)
		if (tcgetpgrp(fd) >= 0)
			ret->fd = fd;
	ret->eager = ret->fd == STDIN_FILENO && !is_piped(STDOUT_FILENO) && is_foreground(ret);
	ret->has_modes = ret->fd >= 0 && tcgetattr(ret->fd, &ret->modes) == 0;
	return block_signals();
}

/* --- the terminal -------------------------------------------------------------------------- */

static void give(struct run_terminal *terminal, pid_t group) {
	if (terminal->has_program_modes)
		(void)tcsetattr(terminal->fd, TCSANOW, &terminal->program_modes);
	terminal->given = terminal->is_elsewhere || tcsetpgrp(terminal->fd, group) == 0;
	if (terminal->given && !terminal->is_elsewhere && !terminal->witness)
		terminal->witness = run_witness_start(group);
}

static void take(struct run_terminal *terminal) {
	if (!terminal->given)
		return;
	terminal->given = false;
	terminal->has_program_modes = tcgetattr(terminal->fd, &terminal->program_modes) == 0;
	if (!terminal->is_elsewhere)
		(void)tcsetpgrp(terminal->fd, terminal->group);
}

static void restore(const struct run_terminal *terminal) {
	if (terminal->has_modes)
		(void)tcsetattr(terminal->fd, TCSANOW, &terminal->modes);
}

/* --- stopping ------------------------------------------------------------------------------ */

/* "4711 (any name) T ...": the state follows the last parenthesis. */
static bool is_stopped(pid_t pid) {
	char path[64], text[256];
	const char *end;
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(text, 1, sizeof text - 1, file);
	(void)fclose(file);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && strncmp(end, ") T", 3) == 0;
}

/* Returns when we have been continued, and at once where that is impossible, because the kernel
 * does not stop a group without a shell. */
static void stop_group(void) {
	const struct timespec now = { 0, 0 };
	sigset_t stop, go_on;

	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTSTP);
	(void)sigemptyset(&go_on);
	(void)sigaddset(&go_on, SIGCONT);
	(void)kill(0, SIGTSTP);
	(void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	/* We continue the program, once: a second SIGCONT might come after it has stopped again. */
	(void)sigtimedwait(&go_on, NULL, &now);
}

static void go_on(struct run_terminal *terminal, struct wf_future *future, pid_t group) {
	if (is_foreground(terminal))
		give(terminal, group);
	(void)wf_future_signal(future, SIGCONT);
}

static void program_stopped(struct run_terminal *terminal, struct wf_future *future, pid_t group) {
	if (!terminal->stopping && !terminal->given && !terminal->is_elsewhere &&
	    is_foreground(terminal)) {
		go_on(terminal, future, group);
		return;
	}
	if (!terminal->stopping && terminal->fd < 0)
		return;
	terminal->stopping = false;
	if (terminal->given) {
		take(terminal);
		restore(terminal);
	}
	stop_group();
	go_on(terminal, future, group);
}

/* --- signals ------------------------------------------------------------------------------- */

static void pass_on(struct run_terminal *terminal, struct wf_future *future, int number) {
	int r = wf_future_signal(future, number);

	if (number == SIGTSTP)
		terminal->stopping = r >= 0;
	if (number == SIGCONT)
		terminal->stopping = false;
	if (r == -EBUSY)
		(void)sigaddset(&terminal->waiting, number);
}

static void take_signals(struct run_terminal *terminal, int signals, struct wf_future *future) {
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
		pass_on(terminal, future, (int)info.ssi_signo);
}

static void introduce(struct run_terminal *terminal, struct wf_future *future, pid_t group) {
	terminal->introduced = true;
	terminal->is_elsewhere = getsid(group) != getsid(0);
	if (terminal->eager && is_foreground(terminal))
		give(terminal, group);
	for (size_t i = 0; i < N_PASSED_ON; i++)
		if (sigismember(&terminal->waiting, passed_on[i]) == 1)
			pass_on(terminal, future, passed_on[i]);
	(void)sigemptyset(&terminal->waiting);
}

void run_terminal_follow(struct run_terminal *terminal, int signals, struct wf_future *future) {
	struct wf_process process = { .size = sizeof process };

	take_signals(terminal, signals, future);
	if (wf_future_process(future, &process) < 0)
		return;
	if (!terminal->introduced)
		introduce(terminal, future, process.pid);
	if (process.stopped && is_stopped(process.pid))
		program_stopped(terminal, future, process.pid);
}

/* --- end ----------------------------------------------------------------------------------- */

void run_terminal_close(struct run_terminal *terminal, bool as_it_was) {
	terminal->was_given = terminal->given;
	if (terminal->witness)
		terminal->typed = run_witness_end(terminal->witness);
	terminal->witness = 0;
	take(terminal);
	if (as_it_was && terminal->was_given)
		restore(terminal);
}

/* Only the program received what was typed at the terminal. A script that waits for us must receive
 * it too, or it would go on; but not a signal that the program has raised. No core is written, because ours would be about this command; a limit
 * would not keep it from the pipe of a core_pattern. */
void run_terminal_end_by(const struct run_terminal *terminal, int number) {
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t set;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)sigaction(number, &standard, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, number);
	if (number == terminal->typed)
		(void)kill(0, number);
	else
		(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
