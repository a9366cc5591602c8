/* SPDX-License-Identifier: MIT
 *
 * What the sandbox costs. Each pool is driven by the caller and forks on demand, so that nothing is
 * hidden by a worker that was ready; the row about parked ones says so.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <warmfork/policy.h>

#include "image.h"
#include "pool.h"
#include "raw.h"
#include "rows.h"

#define TRIPS      60
#define SPARES     4
#define RULES      10
#define COMMANDS   10
#define CALLS      200000
#define FILES      10000
#define FILE_BYTES 4096

static struct wf_policy *policy_new(const char *preset) {
	struct wf_policy *policy;

	if (wf_policy_new(preset, &policy) < 0)
		measure_die("%s", wf_last_error());
	return policy;
}

static void policy_add(struct wf_policy *policy, const char *key, const char *value) {
	if (wf_policy_add(policy, key, value) < 0)
		measure_die("%s", wf_last_error());
}

/* With ten rules of its own, for folders that every machine has. */
static struct wf_policy *stage_of_ten_rules(void) {
	static const char *const paths[RULES] = { "/etc",       "/var",         "/usr/share",
						  "/usr/lib",   "/usr/include", "/var/lib",
						  "/var/cache", "/usr/bin",     "/usr/sbin",
						  "/var/log" };
	struct wf_policy *policy = policy_new("stage");

	for (size_t i = 0; i < RULES; i++)
		policy_add(policy, "read", paths[i]);
	return policy;
}

/* --- sandbox_fork -------------------------------------------------------------------------- */

struct forks {
	struct wf_executor *plain, *pure, *stage;
};

static struct wf_executor *open_on_demand(struct wf_policy *policy) {
	struct wf_executor *executor = pool_open(
	    WF_EXECUTOR_OPTIONS(.workers = 1, .spares = WF_NO_SPARES, .max_tasks_per_worker = 1,
				.caller_driven = true, .policy = policy));

	wf_policy_free(policy);
	return executor;
}

static void *sandbox_fork_open(bool quick) {
	struct forks *forks = measure_allocate(sizeof *forks);

	(void)quick;
	measure_pin(measure_cpu_main());
	forks->plain = open_on_demand(NULL);
	forks->pure = open_on_demand(policy_new("pure"));
	forks->stage = open_on_demand(stage_of_ten_rules());
	return forks;
}

/* Timed: from before wf_submit() until its worker has been reaped: fork, entering, a task that does
 * nothing, exit. */
static double life(struct wf_executor *executor) {
	const struct wf_task task = WF_TASK(.function = "echo", .flags = WF_TASK_WAIT_EXIT);
	uint64_t start = measure_now();

	pool_finish(pool_submit(executor, &task), WF_RETURNED);
	return measure_since(start);
}

static void sandbox_fork_round(void *state) {
	const struct forks *forks = state;

	for (int i = 0; i < TRIPS; i++) {
		measure_emit("plain", life(forks->plain));
		measure_emit("pure", life(forks->pure));
		measure_emit("stage", life(forks->stage));
	}
}

static void sandbox_fork_close(void *state) {
	struct forks *forks = state;

	pool_close(forks->plain);
	pool_close(forks->pure);
	pool_close(forks->stage);
	free(forks);
}

const struct row sandbox_fork = {
	"sandbox_fork",
	sandbox_fork_open,
	sandbox_fork_round,
	sandbox_fork_close,
};

/* --- sandbox_parked ------------------------------------------------------------------------ */

static struct wf_executor *open_parked(struct wf_policy *policy) {
	struct wf_executor *executor =
	    pool_open(WF_EXECUTOR_OPTIONS(.workers = SPARES, .min_workers = SPARES,
					  .spares = SPARES, .max_tasks_per_worker = 1,
					  .caller_driven = true, .policy = policy));

	wf_policy_free(policy);
	return executor;
}

static void *sandbox_parked_open(bool quick) {
	struct forks *forks = measure_allocate(sizeof *forks);

	(void)quick;
	measure_pin(measure_cpu_main());
	forks->plain = open_parked(NULL);
	forks->stage = open_parked(stage_of_ten_rules());
	return forks;
}

/* Timed: submit to result of tasks that find their worker parked. */
static void burst(struct wf_executor *executor, const char *name) {
	double took[SPARES];

	pool_await_idle(executor, SPARES);
	measure_pause(1); /* the workers are ready; now they fall asleep */
	for (int i = 0; i < SPARES; i++) {
		uint64_t start = measure_now();

		pool_trip(executor);
		took[i] = measure_since(start);
	}
	for (int i = 0; i < SPARES; i++)
		measure_emit(name, took[i]);
}

static void sandbox_parked_round(void *state) {
	const struct forks *forks = state;

	for (int i = 0; i < TRIPS; i++) {
		burst(forks->stage, "ours");
		burst(forks->plain, "reference");
	}
}

static void sandbox_parked_close(void *state) {
	struct forks *forks = state;

	pool_close(forks->plain);
	pool_close(forks->stage);
	free(forks);
}

const struct row sandbox_parked = {
	"sandbox_parked",
	sandbox_parked_open,
	sandbox_parked_round,
	sandbox_parked_close,
};

/* --- bwrap --------------------------------------------------------------------------------- */

/* Timed: posix_spawn() until it has been reaped. */
static double spawn_and_wait(const char *const *argv) {
	uint64_t start = measure_now();
	siginfo_t info = { 0 };
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
		measure_die("%s cannot be started", argv[0]);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 || info.si_code != CLD_EXITED ||
	    info.si_status != 0)
		measure_die("%s did not end as it should", argv[0]);
	return measure_since(start);
}

static double run_bwrap(void) {
	static char program[4096];
	const char *const argv[] = { "bwrap",
				     "--unshare-all",
				     "--die-with-parent",
				     "--ro-bind",
				     "/",
				     "/",
				     "--proc",
				     "/proc",
				     "--dev",
				     "/dev",
				     "--tmpfs",
				     "/tmp",
				     program,
				     NULL };

	(void)snprintf(program, sizeof program, "%s", measure_beside("static_true"));
	return spawn_and_wait(argv);
}

struct commands {
	struct wf_executor *module, *command;
	char program[4096], tool[4096];
};

static struct wf_executor *open_command(const char *program) {
	struct wf_policy *policy = stage_of_ten_rules();
	struct wf_executor *executor;

	policy_add(policy, "execute", program);
	if (wf_executor_open(&WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_COMMAND, .workers = 1,
						  .spares = WF_NO_SPARES, .caller_driven = true,
						  .policy = policy),
			     &executor) < 0)
		measure_die("%s", wf_last_error());
	wf_policy_free(policy);
	return executor;
}

static void *commands_open(bool quick) {
	struct commands *commands = measure_allocate(sizeof *commands);

	(void)quick;
	(void)snprintf(commands->program, sizeof commands->program, "%s",
		       measure_beside("static_true"));
	(void)snprintf(commands->tool, sizeof commands->tool, "%s",
		       measure_beside("../../cli/warmfork"));
	commands->module = open_on_demand(stage_of_ten_rules());
	commands->command = open_command(commands->program);
	return commands;
}

static void commands_close(void *state) {
	struct commands *commands = state;

	pool_close(commands->module);
	pool_close(commands->command);
	free(commands);
}

/* The worker of the task before has ended, and that has been taken note of: nobody drives this pool
 * while bwrap runs. */
static void settle(struct wf_executor *executor) {
	for (int i = 0; i < 3; i++)
		(void)wf_executor_dispatch(executor, 2);
}

/* Timed: wf_submit() to the result, of a task for which a worker has to be forked. */
static void sandbox_vs_bwrap_round(void *state) {
	const struct commands *commands = state;

	for (int i = 0; i < COMMANDS; i++) {
		uint64_t start;

		settle(commands->module);
		start = measure_now();
		pool_trip(commands->module);
		measure_emit("ours", measure_since(start));
		measure_emit("reference", run_bwrap());
	}
}

const struct row sandbox_vs_bwrap = {
	"sandbox_vs_bwrap",
	commands_open,
	sandbox_vs_bwrap_round,
	commands_close,
};

/* Timed: wf_submit() until the program has ended and its worker is reaped. */
static void sandbox_command_round(void *state) {
	const struct commands *commands = state;
	const char *const argv[] = { commands->program, NULL };
	const struct wf_task task = WF_TASK(.argv = argv);

	for (int i = 0; i < COMMANDS; i++) {
		uint64_t start = measure_now();

		pool_finish(pool_submit(commands->command, &task), WF_EXITED);
		measure_emit("ours", measure_since(start));
		measure_emit("reference", run_bwrap());
	}
}

const struct row sandbox_command = {
	"sandbox_command",
	commands_open,
	sandbox_command_round,
	commands_close,
};

/* The whole command: from posix_spawn() of `warmfork run` until it has been reaped. */
static void sandbox_run_round(void *state) {
	const struct commands *commands = state;
	const char *const argv[] = { commands->tool,    "run", "--execute", commands->program, "--",
				     commands->program, NULL };

	for (int i = 0; i < COMMANDS; i++) {
		measure_emit("ours", spawn_and_wait(argv));
		measure_emit("reference", run_bwrap());
	}
}

const struct row sandbox_run = {
	"sandbox_run",
	commands_open,
	sandbox_run_round,
	commands_close,
};

/* --- sandbox_syscall ----------------------------------------------------------------------- */

static void *sandbox_syscall_open(bool quick) {
	struct forks *forks = measure_allocate(sizeof *forks);

	(void)quick;
	measure_pin(measure_cpu_main());
	forks->plain = open_on_demand(NULL);
	forks->stage = open_on_demand(stage_of_ten_rules());
	return forks;
}

/* What a task has measured itself. */
static double ask(struct wf_executor *executor, const struct wf_task *task) {
	struct wf_future *future = pool_submit(executor, task);
	const struct wf_outcome *outcome = wf_future_wait(future, WF_FOREVER);
	double ns;

	if (!outcome || outcome->kind != WF_RETURNED || outcome->returned.size != sizeof ns)
		measure_die("a task has not measured what it should");
	memcpy(&ns, outcome->returned.data, sizeof ns);
	wf_future_free(future);
	return ns;
}

static double calls(struct wf_executor *executor) {
	const uint64_t n = CALLS;

	return ask(executor, &WF_TASK(.function = "getppid", .input = &n, .input_size = sizeof n));
}

static void sandbox_syscall_round(void *state) {
	const struct forks *forks = state;

	measure_emit("ours", calls(forks->stage));
	measure_emit("reference", calls(forks->plain));
}

static void sandbox_syscall_close(void *state) {
	struct forks *forks = state;

	pool_close(forks->plain);
	pool_close(forks->stage);
	free(forks);
}

const struct row sandbox_syscall = {
	"sandbox_syscall",
	sandbox_syscall_open,
	sandbox_syscall_round,
	sandbox_syscall_close,
};

/* --- sandbox_open -------------------------------------------------------------------------- */

struct files {
	struct wf_executor *plain, *stage;
	struct image_files request;
};

static const char *file_of(const struct files *files, unsigned i) {
	static char path[300];

	(void)snprintf(path, sizeof path, "%s/%u", files->request.directory, i);
	return path;
}

static void make_files(struct files *files, unsigned n) {
	static const char text[FILE_BYTES] = "";

	(void)snprintf(files->request.directory, sizeof files->request.directory,
		       "/var/tmp/warmfork-bench-XXXXXX");
	if (!mkdtemp(files->request.directory) || chmod(files->request.directory, 0755) < 0)
		measure_die("no directory for files");
	files->request.n = n;
	for (unsigned i = 0; i < n; i++) {
		int fd = open(file_of(files, i), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd < 0 || write(fd, text, sizeof text) != (ssize_t)sizeof text)
			measure_die("no file");
		(void)close(fd);
	}
}

static void *sandbox_open_open(bool quick) {
	struct files *files = measure_allocate(sizeof *files);
	struct wf_policy *policy = stage_of_ten_rules();

	make_files(files, quick ? FILES / 10 : FILES);
	policy_add(policy, "read", files->request.directory);
	files->plain = open_on_demand(NULL);
	files->stage = open_on_demand(policy);
	return files;
}

static void sandbox_open_round(void *state) {
	const struct files *files = state;
	const struct wf_task task = WF_TASK(.function = "open", .input = &files->request,
					    .input_size = sizeof files->request);

	measure_emit("ours", ask(files->stage, &task));
	measure_emit("reference", ask(files->plain, &task));
}

static void sandbox_open_close(void *state) {
	struct files *files = state;

	pool_close(files->plain);
	pool_close(files->stage);
	for (unsigned i = 0; i < files->request.n; i++)
		(void)unlink(file_of(files, i));
	(void)rmdir(files->request.directory);
	free(files);
}

const struct row sandbox_open = {
	"sandbox_open",
	sandbox_open_open,
	sandbox_open_round,
	sandbox_open_close,
};
