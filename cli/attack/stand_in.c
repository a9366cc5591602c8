/* SPDX-License-Identifier: MIT
 *
 * A process that stands for the executor, and for everything else that a user runs: attackers that
 * got through to the executor itself would end the command that counts them. It is this program
 * again, told to do nothing, with one token among its arguments and one in its environment.
 */
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attack/host.h"
#include "cli/attack/options.h"

#define ANSWER_MS 5000

static bool spawn(struct attack_stand_in *stand_in, int input) {
	char environment[32], option[] = "--" ATTACK_STAND_IN, command[] = "attack";
	char name[] = "warmfork";
	char *arguments[] = { name, command, option, stand_in->argument, NULL };
	char *variables[] = { environment, NULL };
	posix_spawn_file_actions_t actions;
	bool spawned;

	(void)snprintf(environment, sizeof environment, "TOKEN=%s", stand_in->environment);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return false;
	spawned = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO) == 0 &&
		  posix_spawn(&stand_in->pid, "/proc/self/exe", &actions, NULL, arguments,
			      variables) == 0;
	(void)posix_spawn_file_actions_destroy(&actions);
	return spawned;
}

bool attack_stand_in_start(struct attack_stand_in *stand_in) {
	int ends[2];

	attack_make_token(stand_in->argument);
	attack_make_token(stand_in->environment);
	stand_in->fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	if (spawn(stand_in, ends[0]))
		stand_in->fd = (int)syscall(SYS_pidfd_open, stand_in->pid, 0);
	(void)close(ends[0]);
	stand_in->input = ends[1];
	return stand_in->fd >= 0;
}

bool attack_stand_in_answers(const struct attack_stand_in *stand_in) {
	struct pollfd poll_fd = { .fd = stand_in->input, .events = POLLIN };
	char byte;

	return send(stand_in->input, "?", 1, MSG_NOSIGNAL) == 1 &&
	       poll(&poll_fd, 1, ANSWER_MS) == 1 && recv(stand_in->input, &byte, 1, 0) == 1;
}

void attack_be_stand_in(void) {
	char byte;

	while (read(STDIN_FILENO, &byte, 1) == 1)
		(void)!write(STDIN_FILENO, &byte, 1);
}

void attack_stand_in_stop(struct attack_stand_in *stand_in) {
	siginfo_t info;

	if (stand_in->input >= 0)
		(void)close(stand_in->input);
	if (stand_in->fd >= 0) {
		/* an attacker may have stopped it */
		(void)syscall(SYS_pidfd_send_signal, stand_in->fd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)stand_in->fd, &info, WEXITED);
		(void)close(stand_in->fd);
	}
	*stand_in = (struct attack_stand_in){ .fd = -1, .input = -1 };
}
