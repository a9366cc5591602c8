/* SPDX-License-Identifier: MIT
 *
 * If the keeper is killed, no process is left above zygote and workers; and if the zygote is dead
 * too, nothing finds the daemons of a task that have left its process group. The guard is the next
 * subreaper above. When the keeper dies, all that was below it comes to the guard, which ends it
 * and then exits.
 *
 * The guard runs nothing else, reads from no socket, and holds no descriptor but two pidfds. If it
 * is killed alone, everything goes on without it.
 *
 * A keeper that is stopped does not notice the end of its host. The guard does, and kills a keeper
 * that has not ended by itself shortly after. Nothing is lost if that was merely slow: what it has
 * not ended yet comes to the guard.
 */
#include "zygote/guard.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/leave.h"
#include "base/process.h"
#include "zygote/sweep.h"

/* How long the keeper has to end after the host has. README promises an end within a second. */
#define GUARD_PATIENCE_MS 250

static void await_end_of_either(int keeper, int host) {
	struct pollfd polls[] = { { .fd = keeper, .events = POLLIN },
				  { .fd = host, .events = POLLIN } };

	while (poll(polls, 2, -1) <= 0)
		;
}

_Noreturn void guard_run(pid_t keeper, int host, struct sweep *sweep) {
	int pidfd = process_open(keeper);

	process_title("warmfork: guard");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)fd_close(fd);
	(void)fd_close_others((const int[]){ pidfd, host }, 2);
	if (pidfd >= 0) {
		await_end_of_either(pidfd, host);
		if (process_await_end(pidfd, GUARD_PATIENCE_MS) < 0)
			(void)sweep_kill(keeper);
	}
	(void)process_reap(keeper, NULL); /* waits until it has ended */
	leave(sweep_everything(sweep) == 0 ? 0 : 1);
}
