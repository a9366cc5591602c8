/* SPDX-License-Identifier: MIT
 *
 * Story: a task is a program (tests/support/toy_program.c), which finds what its context says and
 * nothing else; and what became of it is never taken for what became of us.
 *
 * The loop index of most: without a policy, and under stage with no more than the program declared.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/look.h"
#include "tests/support/more.h"
#include "tests/support/number.h"
#include "tests/support/program.h"
#include "tests/support/sandboxed.h"

enum { PLAIN, STAGE };
#define PROGRAM getenv("TOY_PROGRAM")

static struct wf_executor_options command_options(const struct wf_policy *policy) {
	return WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_COMMAND, .helper = getenv("WARMFORK_HELPER"),
				   .workers = 2, .tuning.hand_ahead = 1, .policy = policy);
}

static struct wf_executor *command_open(struct wf_policy *policy) {
	const struct wf_executor_options options = command_options(policy);
	struct wf_executor *executor = pool_open(&options);

	wf_policy_free(policy);
	return executor;
}

static struct wf_policy *policy_for(int kind) {
	return kind == PLAIN ? NULL : policy_of("stage", "execute", PROGRAM, NULL);
}

static struct wf_future *command_submit(struct wf_executor *executor, const char *const *argv,
					const struct wf_context *context) {
	const struct wf_task task = WF_TASK(.argv = argv, .context = context);

	return pool_submit(executor, &task);
}

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Runs it, expects an end with `code`, and copies its output. */
static void command_run(struct wf_executor *executor, const char *const *argv,
			const struct wf_context *given, int code, char *output, size_t size) {
	const struct wf_context standard = pool_capturing();
	struct wf_future *future =
	    command_submit(executor, argv, given != NULL ? given : &standard);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_exited(outcome, code);
	ck_assert_uint_lt(outcome->standard_output.size, size);
	memcpy(output, outcome->standard_output.data, outcome->standard_output.size + 1);
	wf_future_free(future);
}

static void expect_code(struct wf_executor *executor, const char *const *argv, int code) {
	char output[65536];

	command_run(executor, argv, NULL, code, output, sizeof output);
}

#define expect_line(output, line)                                                                  \
	ck_assert_msg(has_line(output, line), "no line \"%s\" in: %s", line, output)

static bool has_line(const char *output, const char *line) {
	const char *at = output;
	size_t length = strlen(line);

	while ((at = strstr(at, line)) != NULL) {
		if ((at == output || at[-1] == '\n') && at[length] == '\n')
			return true;
		at++;
	}
	return false;
}

static int count_lines(const char *output, const char *begin) {
	int n = 0;

	for (const char *at = output; at != NULL && *at != '\0';
	     at = strchr(at, '\n'), at += at != NULL)
		n += strncmp(at, begin, strlen(begin)) == 0;
	return n;
}

/* --- what it finds --- */

START_TEST(test_program_finds_its_arguments) {
	struct wf_executor *executor = command_open(policy_for(_i));
	char output[65536], line[512];

	command_run(executor, ARGV(PROGRAM, "tell", "", "two words", "$HOME *", "-x"), NULL, 0,
		    output, sizeof output);
	expect_line(output, "arguments 6");
	snprintf(line, sizeof line, "argument %s", PROGRAM);
	expect_line(output, line);
	expect_line(output, "argument ");
	expect_line(output, "argument two words");
	expect_line(output, "argument $HOME *");
	expect_line(output, "argument -x");
	pool_close(executor);
}
END_TEST

/* More of them than fit a frame of the channel. */
START_TEST(test_program_has_many_arguments) {
	static char text[1000];
	static const char *argv[303];
	static char output[512 * 1024];
	struct wf_context context = pool_capturing();
	struct wf_executor *executor = command_open(policy_for(_i));

	context.standard_output.limit = sizeof output - 1;
	memset(text, 'x', sizeof text - 1);
	argv[0] = PROGRAM;
	argv[1] = "tell";
	for (size_t i = 2; i < 302; i++)
		argv[i] = text;
	command_run(executor, argv, &context, 0, output, sizeof output);
	expect_line(output, "arguments 302");
	ck_assert_int_eq(count_lines(output, "argument x"), 300);
	pool_close(executor);
}
END_TEST

START_TEST(test_program_is_looked_up) {
	struct wf_executor *executor = command_open(policy_for(_i));
	char copy[512], path[600], output[65536], *name;
	const char *const environment[] = { path, "COLOUR=blue", NULL };
	struct wf_context context = pool_capturing();
	struct wf_future *future;

	snprintf(copy, sizeof copy, "%s", PROGRAM);
	name = basename(copy);
	snprintf(path, sizeof path, "PATH=/nowhere:%.*s", (int)(strlen(PROGRAM) - strlen(name) - 1),
		 PROGRAM);
	context.environment = environment;
	context.clear_environment = true;
	command_run(executor, ARGV(name, "tell"), &context, 0, output, sizeof output);
	expect_line(output, "environment COLOUR=blue");
	ck_assert_int_eq(count_lines(output, "environment "), 2);
	path[5] = '\0'; /* PATH is empty */
	future = command_submit(executor, ARGV(name), &context);
	expect_kind(pool_wait(future), WF_NOT_STARTED);
	ck_assert_int_eq((int)wf_future_outcome(future)->not_started.phase, (int)WF_PHASE_EXEC);
	ck_assert_int_eq(wf_future_outcome(future)->not_started.error, ENOENT);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_program_finds_its_environment) {
	const char *const environment[] = { "COLOUR=blue", NULL };
	struct wf_context context = pool_capturing();
	struct wf_executor *executor;
	char output[65536];

	setenv("PASSWORD", "secret", 1);
	setenv("LANG", "C", 1);
	executor = command_open(policy_for(_i));
	context.environment = environment;
	command_run(executor, ARGV(PROGRAM, "tell"), &context, 0, output, sizeof output);
	expect_line(output, "environment COLOUR=blue");
	expect_line(output, "environment LANG=C");
	ck_assert_int_eq(has_line(output, "environment PASSWORD=secret"), _i == PLAIN);
	pool_close(executor);
}
END_TEST

START_TEST(test_program_starts_in_its_directory) {
	struct wf_context context = pool_capturing();
	struct wf_executor *executor = command_open(policy_for(_i));
	char output[65536];

	context.directory = "/usr/bin";
	command_run(executor, ARGV(PROGRAM, "tell"), &context, 0, output, sizeof output);
	expect_line(output, "directory /usr/bin");
	pool_close(executor);
}
END_TEST

/* A program has its three standard streams and the descriptors of its task, and no others. */
START_TEST(test_program_inherits_no_other_descriptor) {
	struct wf_context context = pool_capturing();
	struct wf_executor *executor = command_open(policy_for(_i));
	char output[65536];
	int ends[2];

	command_run(executor, ARGV(PROGRAM, "tell"), NULL, 0, output, sizeof output);
	expect_line(output, "descriptor 0");
	expect_line(output, "descriptor 1");
	expect_line(output, "descriptor 2");
	ck_assert_msg(count_lines(output, "descriptor ") == 3, "%s", output);

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	context.descriptors = ends;
	context.n_descriptors = 2;
	command_run(executor, ARGV(PROGRAM, "tell"), &context, 0, output, sizeof output);
	expect_line(output, "descriptor 3");
	expect_line(output, "descriptor 4");
	ck_assert_msg(count_lines(output, "descriptor ") == 5, "%s", output);
	command_run(executor, ARGV(PROGRAM, "echo", "4", "four"), &context, 0, output,
		    sizeof output);
	ck_assert_int_eq(read(ends[0], output, sizeof output), 4);
	ck_assert_mem_eq(output, "four", 4);
	close(ends[0]);
	close(ends[1]);
	pool_close(executor);
}
END_TEST

START_TEST(test_program_reads_and_writes) {
	struct wf_context context = pool_capturing();
	struct wf_executor *executor = command_open(policy_for(_i));
	struct wf_future *future;
	char output[65536];
	int ends[2];

	/* standard input is empty unless the context gives one */
	command_run(executor, ARGV(PROGRAM, "copy"), NULL, 0, output, sizeof output);
	ck_assert_str_eq(output, "");
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	context.standard_input = (struct wf_stdio){ WF_STDIO_DESCRIPTOR, .descriptor = ends[0] };
	future = command_submit(executor, ARGV(PROGRAM, "copy"), &context);
	close(ends[0]);
	ck_assert_int_eq(write(ends[1], "from the host", 13), 13);
	close(ends[1]);
	expect_exited(pool_wait(future), 0);
	ck_assert_str_eq(wf_future_outcome(future)->standard_output.data, "from the host");
	wf_future_free(future);
	context.standard_input = (struct wf_stdio){ WF_STDIO_DEFAULT };
	future = command_submit(executor, ARGV(PROGRAM, "echo", "2", "a complaint"), &context);
	expect_exited(pool_wait(future), 0);
	ck_assert_str_eq(wf_future_outcome(future)->standard_error.data, "a complaint");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* A program starts with default dispositions, whatever its host has done to its own. */
START_TEST(test_program_has_signals_as_new) {
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct wf_executor *executor;
	char output[65536];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	executor = command_open(policy_for(_i));
	command_run(executor, ARGV(PROGRAM, "status", "Sig"), NULL, 0, output, sizeof output);
	expect_line(output, "SigBlk:\t0000000000000000");
	/* but for two that the C library keeps for itself */
	ck_assert(has_line(output, "SigIgn:\t0000000000000000") ||
		  has_line(output, "SigIgn:\t0000000180000000"));
	expect_line(output, "SigCgt:\t0000000000000000");
	pool_close(executor);
}
END_TEST

START_TEST(test_program_is_confined) {
	struct wf_executor *executor = command_open(policy_for(STAGE));
	char output[65536];

	command_run(executor, ARGV(PROGRAM, "status", "Cap"), NULL, 0, output, sizeof output);
	expect_line(output, "CapPrm:\t0000000000000000");
	expect_line(output, "CapEff:\t0000000000000000");
	expect_line(output, "CapBnd:\t0000000000000000");
	command_run(executor, ARGV(PROGRAM, "status", "NoNewPrivs"), NULL, 0, output,
		    sizeof output);
	ck_assert_str_eq(output, "NoNewPrivs:\t1\n");
	command_run(executor, ARGV(PROGRAM, "status", "Seccomp:"), NULL, 0, output, sizeof output);
	ck_assert_str_eq(output, "Seccomp:\t2\n");
	command_run(executor, ARGV(PROGRAM, "status", "PPid:"), NULL, 0, output, sizeof output);
	ck_assert_str_eq(output, "PPid:\t0\n");
	scratch_write("secret", "secret");
	command_run(executor, ARGV(PROGRAM, "read", scratch_path("secret")), NULL, ENOENT, output,
		    sizeof output);
	ck_assert_str_eq(output, "");
	pool_close(executor);
}
END_TEST

/* --- how it ends --- */

static const int codes[] = { 0, 1, 42, 126, 127, 255 };

START_TEST(test_program_exits) {
	struct wf_executor *executor = command_open(policy_for(_i));
	char text[16];

	for (size_t i = 0; i < N_OF(codes); i++) {
		snprintf(text, sizeof text, "%d", codes[i]);
		expect_code(executor, ARGV(PROGRAM, "exit", text), codes[i]);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_program_is_ended_by_a_signal) {
	static const int signals[] = { SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGSYS, SIGXCPU };
	struct wf_executor *executor = command_open(policy_for(_i));
	struct wf_future *future;
	char text[16];

	for (size_t i = 0; i < N_OF(signals); i++) {
		snprintf(text, sizeof text, "%d", signals[i]);
		future = command_submit(executor, ARGV(PROGRAM, "raise", text), NULL);
		expect_signalled(pool_wait(future), signals[i]);
		ck_assert_int_eq(wf_future_outcome(future)->signalled.address_known, false);
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

static void check_not_executed(struct wf_executor *executor, const char *program, int error) {
	/* directories that everybody may search */
	const char *const environment[] = { "PATH=/usr/bin:/bin", NULL };
	const struct wf_context context = WF_CONTEXT(.environment = environment);
	struct wf_future *future = command_submit(executor, ARGV(program, "exit", "0"), &context);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_NOT_STARTED);
	ck_assert_int_eq((int)outcome->not_started.phase, (int)WF_PHASE_EXEC);
	ck_assert_msg(outcome->not_started.error == error, "%s: %s, expected %s", program,
		      strerrorname_np(outcome->not_started.error), strerrorname_np(error));
	ck_assert_msg(strstr(outcome->evidence, program) != NULL, "%s", outcome->evidence);
	wf_future_free(future);
}

START_TEST(test_program_cannot_be_executed) {
	struct wf_policy *policy = policy_for(_i);
	struct wf_executor *executor;

	scratch_make_directory("bin");
	scratch_write("bin/plain", "text");
	scratch_write("bin/text", "no program");
	scratch_write("bin/script", "#!/nowhere/at/all\n");
	ck_assert_int_eq(chmod(scratch_path("bin/plain"), 0644), 0);
	ck_assert_int_eq(chmod(scratch_path("bin/text"), 0755), 0);
	ck_assert_int_eq(chmod(scratch_path("bin/script"), 0755), 0);
	if (policy != NULL)
		policy_add(policy, "execute", scratch_path("bin"));
	executor = command_open(policy);
	check_not_executed(executor, scratch_path("bin/none"), ENOENT);
	check_not_executed(executor, scratch_path("bin/plain"), EACCES);
	check_not_executed(executor, scratch_path("bin/text"), ENOEXEC);
	check_not_executed(executor, scratch_path("bin/script"), ENOENT);
	check_not_executed(executor, scratch_path("bin"), EACCES);
	check_not_executed(executor, "no-such-program", ENOENT);
	expect_code(executor, ARGV(PROGRAM, "exit", "3"), 3);
	pool_close(executor);
}
END_TEST

START_TEST(test_undeclared_program_is_told) {
	struct wf_executor *executor = command_open(policy_of("stage", NULL));
	struct wf_future *future = command_submit(executor, ARGV(PROGRAM, "exit", "0"), NULL);
	const struct wf_outcome *outcome = pool_wait(future);
	const struct wf_refusal *refusal = refusal_of(outcome, "execve", PROGRAM);
	char line[1024];

	expect_kind(outcome, WF_NOT_STARTED);
	ck_assert_int_eq((int)outcome->not_started.phase, (int)WF_PHASE_EXEC);
	ck_assert_msg(refusal != NULL, "%s", refusals_describe(outcome));
	snprintf(line, sizeof line, "execute: [%s]", PROGRAM);
	ck_assert_str_eq(refusal->allow, line);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_missing_directory_is_no_exec_failure) {
	struct wf_context context = pool_capturing();
	struct wf_executor *executor = command_open(policy_for(_i));
	struct wf_future *future;

	context.directory = "/nowhere/at/all";
	future = command_submit(executor, ARGV(PROGRAM), &context);
	expect_kind(pool_wait(future), WF_NOT_STARTED);
	ck_assert_int_eq((int)wf_future_outcome(future)->not_started.phase, (int)WF_PHASE_CONTEXT);
	ck_assert_int_eq(wf_future_outcome(future)->not_started.error, ENOENT);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- cords: descriptors 3 and 4 of the program --- */

static struct wf_future *command_cord(struct cord *cord, struct wf_executor *executor,
				      const char *const *argv, int timeout_ms) {
	struct wf_task task = WF_TASK(.argv = argv, .timeout_ms = timeout_ms);

	cord_open(cord);
	cord->context.standard_output.mode = WF_STDIO_CAPTURE;
	return cord_submit(cord, executor, &task);
}

static struct wf_process process_of(struct wf_future *future) {
	struct wf_process process = { .size = sizeof process };

	ck_assert_int_eq(wf_future_process(future, &process), 0);
	return process;
}

static void watch_program(struct wf_future *future, struct watch *watch) {
	watch_tree(watch, process_of(future).pid);
}

START_TEST(test_timeout_ends_the_whole_tree) {
	struct wf_executor *executor = command_open(policy_for(_i));
	static struct watch tree;
	static struct cord cord;
	struct wf_future *future = command_cord(&cord, executor, ARGV(PROGRAM, "tree"), 3000);

	cord_expect(&cord, "tree");
	watch_program(future, &tree);
	ck_assert_msg(tree.n == 3, "%s", watch_describe(&tree));
	expect_timed_out(pool_wait(future), WF_CLOCK_RUN);
	expect_ended(&tree);
	watch_clear(&tree);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_kill_ends_the_whole_tree) {
	struct wf_executor *executor = command_open(policy_for(_i));
	static struct watch tree;
	static struct cord cord;
	struct wf_future *future = command_cord(&cord, executor, ARGV(PROGRAM, "tree"), 0);

	cord_expect(&cord, "tree");
	watch_program(future, &tree);
	ck_assert_msg(tree.n == 3, "%s", watch_describe(&tree));
	ck_assert_int_eq(wf_future_kill(future, WF_NO_GRACE), 0);
	expect_killed(pool_wait(future), WF_BY_CALLER);
	expect_ended(&tree);
	watch_clear(&tree);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_program_is_signalled_and_told_of) {
	struct wf_executor *executor = command_open(policy_for(_i));
	static struct cord cord;
	struct wf_future *future = command_cord(&cord, executor, ARGV(PROGRAM, "handle", "10"), 0);
	struct wf_process process = { .size = sizeof process };
	pid_t pid = cord_expect_pid(&cord, "pid");

	process = process_of(future);
	ck_assert_int_gt(process.pid, 0);
	ck_assert_int_eq(process.stopped, false);
	if (_i == PLAIN)
		ck_assert_int_eq(process.pid, pid);
	ck_assert_int_eq(wf_future_signal(future, -1), -EINVAL);
	ck_assert_int_eq(wf_future_signal(future, 10), 0);
	expect_exited(pool_wait(future), 0);
	ck_assert_int_eq(wf_future_outcome(future)->pid, process.pid);
	ck_assert_str_eq(wf_future_outcome(future)->standard_output.data, "handled\n");
	ck_assert_int_eq(wf_future_signal(future, 10), -EALREADY);
	ck_assert_int_eq(wf_future_process(future, &process), -EALREADY);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_signal_is_not_ours) {
	struct wf_executor *executor = command_open(policy_for(_i));
	static struct cord cord;
	struct wf_future *future = command_cord(&cord, executor, ARGV(PROGRAM, "wait"), 0);

	cord_expect(&cord, "pid");
	ck_assert_int_eq(wf_future_signal(future, SIGKILL), 0);
	expect_signalled(pool_wait(future), SIGKILL);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

static bool reaches_stopped(struct wf_future *future, bool stopped) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	while (process_of(future).stopped != stopped)
		if (!look_again(&look))
			return false;
	return true;
}

START_TEST(test_program_is_stopped_and_goes_on) {
	struct wf_executor *executor = command_open(policy_for(_i));
	static struct cord cord;
	struct wf_future *future = command_cord(&cord, executor, ARGV(PROGRAM, "wait"), 0);

	cord_expect(&cord, "pid");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(wf_future_signal(future, SIGSTOP), 0);
		ck_assert(reaches_stopped(future, true));
		ck_assert_int_eq(process_state(process_of(future).pid), 'T');
		ck_assert_int_eq(wf_future_signal(future, SIGCONT), 0);
		ck_assert(reaches_stopped(future, false));
	}
	cord_release(&cord);
	expect_exited(pool_wait(future), 0);
	wf_future_free(future);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_what_has_not_started_has_no_process) {
	struct wf_policy *policy = policy_for(_i);
	struct wf_executor_options options = command_options(policy);
	struct wf_process process = { .size = sizeof process };
	struct wf_executor *executor;
	struct wf_future *first, *second;
	static struct cord cord;

	options.workers = 1;
	executor = pool_open(&options);
	wf_policy_free(policy);
	first = command_cord(&cord, executor, ARGV(PROGRAM, "wait"), 0);
	cord_expect(&cord, "pid");
	second = command_submit(executor, ARGV(PROGRAM, "exit", "0"), NULL);
	ck_assert_int_eq(wf_future_process(second, &process), -EBUSY);
	ck_assert_int_eq(wf_future_signal(second, SIGTERM), -EBUSY);
	cord_release(&cord);
	expect_exited(pool_wait(first), 0);
	expect_exited(pool_wait(second), 0);
	wf_future_free(first);
	wf_future_free(second);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

#define N_PROGRAMS 40

START_TEST(test_many_programs) {
	struct wf_executor *executor = command_open(policy_for(_i));
	struct wf_future *futures[N_PROGRAMS];
	char text[16];

	for (int i = 0; i < N_PROGRAMS; i++) {
		snprintf(text, sizeof text, "%d", i);
		futures[i] = command_submit(executor, ARGV(PROGRAM, "exit", text), NULL);
	}
	for (int i = 0; i < N_PROGRAMS; i++) {
		expect_exited(pool_wait(futures[i]), i);
		wf_future_free(futures[i]);
	}
	pool_close(executor);
}
END_TEST

/* --- learning --- */

static struct wf_executor *open_learning(void) {
	struct wf_policy *policy = policy_of("stage", NULL);
	struct wf_executor_options options = command_options(policy);
	struct wf_executor *executor;

	options.learn = true;
	executor = pool_open(&options);
	wf_policy_free(policy);
	return executor;
}

static struct wf_policy *learn(const char *const *argv, int code) {
	const struct wf_context context = pool_capturing();
	struct wf_executor *executor = open_learning();
	struct wf_future *future = command_submit(executor, argv, &context);
	const struct wf_outcome *outcome = pool_wait(future);
	struct wf_policy *policy = NULL;
	int r;

	expect_exited(outcome, code);
	ck_assert_msg(outcome->n_refusals == 0, "%s", refusals_describe(outcome));
	r = wf_policy_parse(outcome->learned, strlen(outcome->learned), "learned", &policy);
	ck_assert_msg(r == 0, "%s: %s", wf_last_error(), outcome->learned);
	wf_future_free(future);
	pool_close(executor);
	return policy;
}

START_TEST(test_learned_policy_is_enough) {
	const char *read_argv[] = { PROGRAM, "read", NULL, NULL };
	const char *write_argv[] = { PROGRAM, "write", NULL, NULL };
	struct wf_executor *executor;
	char output[65536];

	scratch_make_directory("data");
	scratch_write("data/in", "what was read");
	scratch_write("data/neighbour", "not yours");
	read_argv[2] = scratch_path("data/in");
	executor = command_open(learn(read_argv, 0));
	command_run(executor, read_argv, NULL, 0, output, sizeof output);
	ck_assert_str_eq(output, "what was read");
	read_argv[2] = scratch_path("data/neighbour");
	command_run(executor, read_argv, NULL, ENOENT, output, sizeof output);
	pool_close(executor);

	write_argv[2] = scratch_path("data/out");
	executor = command_open(learn(write_argv, 0));
	scratch_expect("data/out", "written");
	ck_assert_int_eq(unlink(scratch_path("data/out")), 0);
	expect_code(executor, write_argv, 0);
	scratch_expect("data/out", "written");
	pool_close(executor);
}
END_TEST

/* A shell, with programs of the system, pipes, and a file in between. */
START_TEST(test_learned_policy_of_a_shell) {
	char script[1024], copy[1024];
	struct wf_executor *executor;

	scratch_make_directory("data");
	scratch_write("data/in", "b\na\n");
	snprintf(script, sizeof script,
		 "cd %s && sort < in > sorted && cat sorted | tr a-z A-Z > out",
		 scratch_path("data"));
	snprintf(copy, sizeof copy, "%s", script);
	executor = command_open(learn(ARGV("sh", "-c", script), 0));
	scratch_expect("data/out", "A\nB\n");
	ck_assert_int_eq(unlink(scratch_path("data/out")), 0);
	ck_assert_int_eq(unlink(scratch_path("data/sorted")), 0);
	expect_code(executor, ARGV("sh", "-c", copy), 0);
	scratch_expect("data/out", "A\nB\n");
	pool_close(executor);
}
END_TEST

/* --- the caller --- */

START_TEST(test_commands_and_functions_are_not_mixed) {
	struct wf_executor *executor = command_open(policy_for(_i));
	struct wf_executor *functions = pool_open_regime(FRESH);
	struct wf_future *future;

	ck_assert_int_eq(wf_submit(executor, &WF_TASK(.function = "echo"), &future), -EINVAL);
	ck_assert_int_eq(wf_submit(executor, &WF_TASK(.function = "command"), &future), -EINVAL);
	ck_assert_int_eq(
	    wf_submit(executor, &WF_TASK(.argv = (const char *const[]){ NULL }), &future), -EINVAL);
	ck_assert_int_eq(wf_submit(executor,
				   &WF_TASK(.argv = ARGV(PROGRAM), .input = "x", .input_size = 1),
				   &future),
			 -EINVAL);
	ck_assert_int_eq(wf_submit(functions, &WF_TASK(.argv = ARGV(PROGRAM)), &future), -EINVAL);
	pool_close(functions);
	pool_close(executor);
}
END_TEST

/* Says "keeper PID" and runs a tree of processes, whose "tree" comes to the same descriptor. */
static _Noreturn void host_run(int kind, int say) {
	struct wf_policy *policy = NULL;
	struct wf_statistics statistics = { .size = sizeof statistics };
	const struct wf_context context = WF_CONTEXT(.descriptors = &say, .n_descriptors = 1);
	const struct wf_task task = WF_TASK(.argv = ARGV(PROGRAM, "tree"), .context = &context);
	struct wf_executor_options options;
	struct wf_executor *executor;

	if (kind == STAGE &&
	    (wf_policy_new("stage", &policy) < 0 || wf_policy_add(policy, "execute", PROGRAM) < 0))
		_exit(1);
	options = command_options(policy);
	if (wf_executor_open(&options, &executor) < 0 ||
	    wf_executor_statistics(executor, &statistics) < 0)
		_exit(2);
	dprintf(say, "keeper %d\n", (int)statistics.keeper_pid);
	if (wf_submit(executor, &task, NULL) < 0)
		_exit(3);
	for (;;)
		pause();
}

/* Waits for the end of all watched processes, and reaps those that this process has adopted: the
 * init of a pid namespace ends only when all others in it have been reaped. */
static void expect_reaped(const struct watch *watch) {
	struct look look = look_begin(FIXTURE_CAP_MS);

	do
		fixture_reap_adopted();
	while (watch_alive(watch) > 0 && look_again(&look));
	expect_ended(watch);
	fixture_reap_adopted();
}

START_TEST(test_programs_end_with_their_host) {
	static struct watch pool;
	char line[64];
	int say[2];
	pid_t host;

	ck_assert_int_eq(pipe2(say, O_CLOEXEC), 0);
	host = fork();
	if (host == 0)
		host_run(_i, say[1]);
	close(say[1]);
	program_read_line(say[0], line, sizeof line);
	ck_assert_msg(strncmp(line, "keeper ", 7) == 0, "the host said: %s", line);
	program_read_line(say[0], line + 32, sizeof line - 32);
	ck_assert_str_eq(line + 32, "tree\n");
	watch_pool(&pool, (pid_t)number_at(line + 7, NULL));
	watch_add(&pool, host);
	ck_assert_uint_ge(pool.n, 7); /* guard, keeper, zygote, three of the tree, host */
	ck_assert_int_eq(kill(host, SIGKILL), 0);
	expect_reaped(&pool);
	watch_clear(&pool);
	close(say[0]);
}
END_TEST

static void add_ends(TCase *story) {
	add_for_both(story, test_program_exits);
	add_for_both(story, test_program_is_ended_by_a_signal);
	add_for_both(story, test_program_cannot_be_executed);
	tcase_add_test(story, test_undeclared_program_is_told);
	add_for_both(story, test_missing_directory_is_no_exec_failure);
	add_for_both(story, test_timeout_ends_the_whole_tree);
	add_for_both(story, test_kill_ends_the_whole_tree);
	add_for_both(story, test_program_is_signalled_and_told_of);
	add_for_both(story, test_signal_is_not_ours);
	add_for_both(story, test_program_is_stopped_and_goes_on);
	add_for_both(story, test_what_has_not_started_has_no_process);
}

static void add_tests(TCase *story) {
	add_for_both(story, test_program_finds_its_arguments);
	add_for_both(story, test_program_has_many_arguments);
	add_for_both(story, test_program_is_looked_up);
	add_for_both(story, test_program_finds_its_environment);
	add_for_both(story, test_program_starts_in_its_directory);
	add_for_both(story, test_program_inherits_no_other_descriptor);
	add_for_both(story, test_program_reads_and_writes);
	add_for_both(story, test_program_has_signals_as_new);
	tcase_add_test(story, test_program_is_confined);
	add_ends(story);
	add_for_both(story, test_many_programs);
	tcase_add_test(story, test_learned_policy_is_enough);
	tcase_add_test(story, test_learned_policy_of_a_shell);
	add_for_both(story, test_commands_and_functions_are_not_mixed);
	add_for_both(story, test_programs_end_with_their_host);
}

int main(int argc, char **argv) {
	(void)argc;
	return sandboxed_main(argv, "command", add_tests);
}
