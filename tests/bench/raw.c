/* SPDX-License-Identifier: MIT
 *
 * Each reference is a process of its own, so that it has no thread, no descriptor and no memory of
 * ours that would make it slower.
 */
#include "raw.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

struct order {
	int n; /* 0: until */
	int depth;
	uint64_t until;
};

void raw_reap(pid_t pid) {
	siginfo_t info;

	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		measure_die("waitid: %s", strerror(errno));
}

static pid_t fork_one(void) {
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		measure_die("fork: %s", strerror(errno));
	return pid;
}

/* --- a process that forks and reaps -------------------------------------------------------- */

static double fork_n(int n) {
	double *took = measure_allocate((size_t)n * sizeof *took), median;

	for (int i = 0; i < n; i++) {
		uint64_t start = measure_now();

		raw_reap(fork_one());
		took[i] = measure_since(start);
	}
	median = measure_median(took, (size_t)n);
	free(took);
	return median;
}

static double fork_until(int depth, uint64_t until) {
	siginfo_t info;
	int running = 0;
	double n = 0;

	while (measure_now() < until) {
		for (; running < depth; running++)
			(void)fork_one();
		if (waitid(P_ALL, 0, &info, WEXITED) < 0)
			continue;
		running--;
		n++;
	}
	for (; running > 0; running--)
		(void)waitid(P_ALL, 0, &info, WEXITED);
	return n;
}

static _Noreturn void forker_run(int socket) {
	struct order order;
	double answer;

	while (recv(socket, &order, sizeof order, 0) == sizeof order) {
		answer = order.n ? fork_n(order.n) : fork_until(order.depth, order.until);
		if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
			break;
	}
	_exit(0);
}

/* A child with a socket to us, which ends with us. 0 in the child. */
static pid_t start(int cpu, int *ret_socket) {
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		measure_die("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		measure_die("fork: %s", strerror(errno));
	*ret_socket = ends[pid == 0];
	(void)close(ends[pid != 0]);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cpu >= 0)
			measure_pin(cpu);
	}
	return pid;
}

/* Another child may hold a copy: closing alone would not be its end. */
static void end(int socket) {
	(void)shutdown(socket, SHUT_RDWR);
	(void)close(socket);
}

static void order(struct raw_forker *forker, struct order order) {
	if (send(forker->socket, &order, sizeof order, MSG_NOSIGNAL) != sizeof order)
		measure_die("the process that forks has gone");
}

void raw_forker_start(struct raw_forker *forker, int cpu, void (*prepare)(void *argument),
		      void *argument) {
	forker->pid = start(cpu, &forker->socket);
	if (forker->pid > 0)
		return;
	if (prepare)
		prepare(argument);
	forker_run(forker->socket);
}

double raw_forker_median(struct raw_forker *forker, int n) {
	order(forker, (struct order){ .n = n });
	return raw_forker_answer(forker);
}

void raw_forker_ask(struct raw_forker *forker, int depth, uint64_t until) {
	order(forker, (struct order){ .depth = depth, .until = until });
}

double raw_forker_answer(struct raw_forker *forker) {
	double answer;

	if (recv(forker->socket, &answer, sizeof answer, 0) != sizeof answer)
		measure_die("the process that forks has gone");
	return answer;
}

void raw_forker_stop(struct raw_forker *forker) {
	end(forker->socket);
	raw_reap(forker->pid);
}

/* --- a byte there and back ----------------------------------------------------------------- */

void raw_echo_start(struct raw_echo *echo, int cpu) {
	char byte;

	echo->pid = start(cpu, &echo->socket);
	if (echo->pid > 0)
		return;
	while (recv(echo->socket, &byte, 1, 0) == 1)
		if (send(echo->socket, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	_exit(0);
}

void raw_echo_trip(struct raw_echo *echo) {
	char byte = 'x';

	if (send(echo->socket, &byte, 1, MSG_NOSIGNAL) != 1 || recv(echo->socket, &byte, 1, 0) != 1)
		measure_die("the process that echoes has gone");
}

void raw_echo_stop(struct raw_echo *echo) {
	end(echo->socket);
	raw_reap(echo->pid);
}

/* --- posix_spawn --------------------------------------------------------------------------- */

double raw_spawn(const char *path) {
	char *arguments[] = { NULL, NULL }, *environment[] = { NULL };
	uint64_t before = measure_now();
	double took;
	pid_t pid;
	int error;

	arguments[0] = strdup(path);
	error = posix_spawn(&pid, path, NULL, NULL, arguments, environment);
	if (error != 0)
		measure_die("posix_spawn(%s): %s", path, strerror(error));
	raw_reap(pid);
	took = measure_since(before);
	free(arguments[0]);
	return took;
}
