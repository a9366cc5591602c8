/* SPDX-License-Identifier: MIT */
#include "executor/one_shot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/leave.h"
#include "base/process.h"
#include "executor/registry.h"
#include "policy/document.h"
#include "proto/limits.h"

/* Nothing keeps a process from ending that was killed, but a dead file system. */
#define INIT_PATIENCE_MS 5000

static int (*helper_main)(int argc, char **argv);

void wf_private_one_shot(int (*helper)(int argc, char **argv)) {
	helper_main = helper;
}

bool one_shot_is(const struct options *options) {
	return helper_main && options->public.image == WF_IMAGE_COMMAND &&
	       options->public.caller_driven;
}

/* --- the keeper ---------------------------------------------------------------------------- */

static void forget_signals(void) {
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		(void)sigaction(number, &standard, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What a newly executed helper would have. Standard error is for its log; the rest would keep the
 * caller's pipes open until the helper has ended. */
static int place_descriptors(int control, int host) {
	const int keep[] = { STDERR_FILENO, 3, 4 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int control_aside = fcntl(control, F_DUPFD_CLOEXEC, 16);
	int host_aside = fcntl(host, F_DUPFD_CLOEXEC, 16);

	if (null < 0 || control_aside < 0 || host_aside < 0)
		return error_origin(-errno);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(control_aside, 3) < 0 || dup2(host_aside, 4) < 0)
		return error_origin(-errno);
	return error_trace(fd_close_others(keep, sizeof keep / sizeof keep[0]));
}

static _Noreturn void be_helper(bool alone, int control, int host) {
	char program[] = "warmfork-zygote", role[] = "keeper", word[] = KEEPER_ALONE;
	char *argv[] = { program, role, alone ? word : NULL, NULL };

	registry_forget();
	forget_signals();
	/* a group of its own is enough against the signals of the terminal: keeper_link.c */
	if (setpgid(0, 0) < 0 || place_descriptors(control, host) < 0)
		leave(2);
	leave(helper_main(alone ? 3 : 2, argv));
}

static bool has_pid_namespace(const struct options *options) {
	const struct policy *policy = options->policy ? document_view(options->policy) : NULL;

	return policy && policy->strict && policy->layers & LAYER_PID && !options->public.learn;
}

int one_shot_fork_helper(const struct options *options, int control, int host, int *ret_pidfd) {
	bool alone = has_pid_namespace(options);
	pid_t pid;

	if (process_status(0, "Threads:") != 1)
		return error_origin(-EBUSY);
	pid = fork();
	if (pid == 0)
		be_helper(alone, control, host);
	if (pid < 0)
		return error_origin(-errno);
	*ret_pidfd = process_open(pid);
	return *ret_pidfd < 0 ? error_trace(*ret_pidfd) : 0;
}

/* --- the end ------------------------------------------------------------------------------- */

bool one_shot_end(const struct generations *generations) {
	bool ended = false;

	generations_foreach (generation, generations) {
		if (generation->init_pidfd < 0)
			return false;
		(void)process_signal(generation->init_pidfd, SIGKILL);
		/* it ends as the last of its namespace */
		ended = process_await_end(generation->init_pidfd, INIT_PATIENCE_MS) == 0;
		if (!ended)
			return false;
	}
	return ended;
}
