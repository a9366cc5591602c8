/* SPDX-License-Identifier: MIT
 *
 * A program that opens a pool and gets into a state, for a test that then watches its end from
 * outside. It prints "ready KEEPER [PID]" when it is there, and reads its standard input: the end
 * of it means to leave in good order, an 'x' to execute itself as something that has no pool.
 *
 *     host idle            two idle workers
 *     host running         a task that left a daemon and hangs, in each of two workers
 *     host child           idle, with a living forked child of its own (PID)
 *     host thread          idle, and the thread that opened the pool has ended
 *     host hang ARGUMENT   opens a pool with this preload argument, which never becomes ready
 *     host plain           no pool: reads to the end of its input and leaves
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>

#define WORKERS 2

static const char *preload_argument = "";
static struct wf_executor *executor;

static _Noreturn void give_up(const char *what) {
	fprintf(stderr, "host: %s: %s\n", what, wf_last_error());
	_exit(1);
}

static void *open_pool(void *unused) {
	const struct wf_executor_options options =
	    WF_EXECUTOR_OPTIONS(.module = getenv("TOY"), .helper = getenv("WARMFORK_HELPER"),
				.preload_argument = preload_argument,
				.preload_argument_size = strlen(preload_argument),
				.preload_timeout_ms = WF_FOREVER, .workers = WORKERS,
				.min_workers = WORKERS, .idle_timeout_ms = WF_FOREVER,
				.tuning.hand_ahead = 1);

	if (wf_executor_open(&options, &executor) < 0)
		give_up("wf_executor_open");
	return unused;
}

static struct wf_future *submit(const char *script, const int *descriptors, size_t n) {
	const struct wf_context context =
	    WF_CONTEXT(.descriptors = descriptors, .n_descriptors = n);
	const struct wf_task task = WF_TASK(.function = "script", .input = script,
					    .input_size = strlen(script), .context = &context);
	struct wf_future *future;

	if (wf_submit(executor, &task, &future) < 0)
		give_up("wf_submit");
	return future;
}

static void check_works(void) {
	struct wf_future *future = submit("echo works", NULL, 0);
	const struct wf_outcome *outcome = wf_future_wait(future, WF_FOREVER);

	if (outcome == NULL || outcome->kind != WF_RETURNED)
		give_up("echo");
	wf_future_free(future);
}

/* Each of the tasks has reported "daemon PID" and "started PID" when this returns. */
static void run_tasks(void) {
	int report[2];
	char byte;

	if (pipe2(report, O_CLOEXEC) < 0)
		give_up("pipe2");
	for (int i = 0; i < WORKERS; i++)
		wf_future_free(submit("daemon; started; hang", &report[1], 1));
	for (int lines = 0; lines < 2 * WORKERS;) {
		if (read(report[0], &byte, 1) != 1)
			give_up("read");
		lines += byte == '\n' ? 1 : 0;
	}
}

static pid_t leave_child(void) {
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	while (pid == 0)
		pause();
	return pid;
}

static void open_in_thread(void) {
	pthread_t thread;

	if (pthread_create(&thread, NULL, open_pool, NULL) != 0)
		give_up("pthread_create");
	pthread_join(thread, NULL);
}

static void say_ready(pid_t child) {
	struct wf_statistics statistics = { .size = sizeof statistics };

	wf_executor_statistics(executor, &statistics);
	printf("ready %d %d\n", (int)statistics.keeper_pid, (int)child);
	fflush(stdout);
}

/* True for an 'x', false at the end. */
static bool read_command(void) {
	char byte;

	return read(STDIN_FILENO, &byte, 1) == 1 && byte == 'x';
}

static void get_into(const char *state) {
	if (strcmp(state, "thread") == 0)
		open_in_thread();
	else
		open_pool(NULL);
	check_works();
	if (strcmp(state, "running") == 0)
		run_tasks();
	say_ready(strcmp(state, "child") == 0 ? leave_child() : 0);
}

int main(int argc, char **argv) {
	const char *state = argc > 1 ? argv[1] : "";
	char *const plain[] = { argv[0], (char[]){ "plain" }, NULL };

	if (strcmp(state, "plain") == 0)
		return read_command() ? 1 : 0;
	if (strcmp(state, "hang") == 0 && argc > 2)
		preload_argument = argv[2];
	get_into(state);
	if (read_command())
		execv("/proc/self/exe", plain);
	check_works();
	wf_executor_close(executor, WF_CLOSE_KILL);
	wf_executor_free(executor);
	return 0;
}
