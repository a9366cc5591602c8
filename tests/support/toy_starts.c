/* SPDX-License-Identifier: MIT
 *
 * A module whose workers do not become ready. It has no initializer, so that nobody has a reason to
 * expect that it takes time. The preload argument is "stop", "hang" or "crash", " first" or " all",
 * and the path of a file that counts them.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <warmfork/task.h>

static char how[16], who[16], path[512];

static int preload(const struct wf_preload_info *info) {
	char text[600] = "";

	if (info->argument_size < sizeof text)
		memcpy(text, info->argument, info->argument_size);
	return sscanf(text, "%15s %15s %511s", how, who, path) == 3 ? 0 : 1;
}

/* Returns the number of this worker, from 1. */
static off_t count(void) {
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	off_t number = write(fd, "w", 1) == 1 ? lseek(fd, 0, SEEK_CUR) : -1;

	close(fd);
	return number;
}

static void after_fork(const struct wf_worker_info *info) {
	off_t number = count();

	(void)info;
	if (strcmp(who, "first") == 0 && number > 1)
		return;
	if (strcmp(how, "stop") == 0)
		raise(SIGSTOP);
	if (strcmp(how, "crash") == 0)
		raise(SIGKILL);
	for (;;)
		pause();
}

static int echo(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	return wf_return(call, input, size);
}

WF_MODULE(.preload = preload, .after_fork = after_fork,
	  .functions = WF_FUNCTIONS({ "echo", echo }));
