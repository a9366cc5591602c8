/* SPDX-License-Identifier: MIT
 *
 * The terminal, and the signals that it or anybody sends us, for a program in a process group of its
 * own. It has the terminal while it runs in the foreground, stops together with us, and goes on when
 * we do.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>
#include <warmfork/executor.h>

struct run_terminal {
	int fd;            /* of our controlling terminal; -1: none of our streams is one */
	pid_t group;       /* ours */
	bool eager;        /* the program gets it at once, not only when it asks */
	bool introduced;   /* the program has started */
	bool is_elsewhere; /* it is in another session */
	bool given;        /* it has the terminal */
	bool was_given;    /* when it ended */
	bool stopping;     /* somebody has told us to stop, and we the program */
	bool has_modes, has_program_modes;
	struct termios modes, program_modes;
	sigset_t waiting; /* signals that came before the program could have them */
};

/* Blocks the signals that are to be passed on, those that we would ignore aside. Returns a descriptor
 * that polls readable when there is one, or a negative errno. */
int run_terminal_open(struct run_terminal *ret);
/* Does what there is to do: after each dispatch of the executor, and when `signals` is readable. May
 * stop this process, and return when it goes on. */
void run_terminal_follow(struct run_terminal *terminal, int signals, struct wf_future *future);
/* The terminal is ours again; `as_it_was`: with the modes that it had. */
void run_terminal_close(struct run_terminal *terminal, bool as_it_was);
/* As the program ended. Returns if that signal does not end us. */
void run_terminal_end_by(const struct run_terminal *terminal, int number);
