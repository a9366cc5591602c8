/* SPDX-License-Identifier: MIT
 *
 * Handles the terminal, and all signals sent to us, for a program in a process group of its own.
 * The program has the terminal while it runs in the foreground, stops together with us, and
 * continues when we do.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>
#include <warmfork/executor.h>

struct run_terminal {
	int fd;            /* of our controlling terminal; -1 if none of our streams is one */
	pid_t group;       /* ours */
	bool eager;        /* the program gets the terminal at once, not only when it asks */
	bool introduced;   /* the program has started */
	bool is_elsewhere; /* it is in another session */
	bool given;        /* it has the terminal */
	bool was_given;    /* when the program ended */
	int typed;         /* SIGINT or SIGQUIT, whichever was typed last by then; or 0 */
	pid_t witness;     /* of what is typed (witness.h); 0: none */
	bool stopping;     /* we were told to stop, and have told the program */
	bool has_modes, has_program_modes;
	struct termios modes, program_modes;
	sigset_t waiting; /* signals that came before the program could get them */
};

/* Blocks the signals to be passed on, except for those that we ignore. Returns a descriptor that
 * polls readable when there is one, or a negative errno. */
int run_terminal_open(struct run_terminal *ret);
/* Does what there is to do. Call it after each dispatch of the executor, and when `signals` is
 * readable. It may stop this process, and returns when that is continued. */
void run_terminal_follow(struct run_terminal *terminal, int signals, struct wf_future *future);
/* Takes the terminal back; with `as_it_was`, in the modes that it had. */
void run_terminal_close(struct run_terminal *terminal, bool as_it_was);
/* Ends this process as the program ended, and our group with us if the signal was typed. Returns if
 * the signal does not end us. */
void run_terminal_end_by(const struct run_terminal *terminal, int number);
