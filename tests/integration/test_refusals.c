/* SPDX-License-Identifier: MIT
 *
 * Story: what a worker under a policy was refused, its outcome tells, with the line that would have
 * allowed it; or the refusal ends the task.
 *
 * Each preset in both regimes; run a second time by a program of an ordinary user. What a refusal
 * was good for is looked at from outside: the file as it was.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/dead.h"
#include "tests/support/more.h"
#include "tests/support/presets.h"
#include "tests/support/program.h"
#include "tests/support/sandboxed.h"

/* --- what was not declared, and the line that would allow it --- */

struct wish {
	const char *steps;
	const char *call;
	const char *path; /* NULL: the call names none */
	const char *line;
	const char *allowed; /* what the steps say under that line */
	bool pure;           /* refused under pure with the same line */
	bool tests;          /* ... and under tests */
};

static const struct wish wishes[] = {
	{ "read @/closed/secret", "openat", "@/closed/secret", "read: [@/closed/secret]", SECRET,
	  true, true },
	{ "list @/closed", "openat", "@/closed", "read: [@/closed]", "3", true, true },
	{ "write @/closed/other new", "openat", "@/closed/other", "write: [@/closed/other]", "ok",
	  true, true },
	{ "write @/closed/new new", "openat", "@/closed/new", "write: [@/closed]", "ok", true,
	  true },
	{ "cut @/closed/other", "truncate", "@/closed/other", "write: [@/closed/other]", "ok", true,
	  true },
	{ "make @/closed/new", "mkdir", "@/closed/new", "write: [@/closed]", "ok", true, true },
	{ "remove @/closed/other", "unlink", "@/closed/other", "write: [@/closed]", "ok", true,
	  true },
	{ "run @/closed/program x", "execve", "@/closed/program", "execute: [@/closed/program]",
	  "exit 0", false, true },
	{ "fork", "clone", NULL, "calls: [processes]", "exit 7", true, false },
	{ "thread", "clone", NULL, "calls: [threads]", "ok", true, false },
	{ "socket 2", "socket", NULL, "socket: [inet]", "ok", true, false },
	{ "socket 1", "socket", NULL, "socket: [unix]", "ok", true, false },
	{ "socket 16", "socket", NULL, "socket: [netlink]", "ok", true, true },
	{ "call 291 0", "epoll_create1", NULL, "calls: [events]", "ok", true, false },
	{ "call 68 4711 0", "msgget", NULL, "calls: [ipc]", "ENOENT", true, false },
	{ "call 101 3 99999 0 0", "ptrace", NULL, "calls: [ptrace]", "ESRCH", true, true },
	{ "call 161 0", "chroot", NULL, "calls: [chroot]", "EFAULT", true, true },
	{ "writable_code", "mmap", NULL, "calls: [jit]", "ok", true, true },
	{ "written_code", "mprotect", NULL, "calls: [jit]", "ok", true, true },
};
#define N_WISHES ((int)N_OF(wishes))

/* Does the preset refuse it? stage allows fork and this call already. */
static bool is_refused(const struct wish *wish, const char *preset) {
	if (strcmp(preset, "pure") == 0)
		return wish->pure;
	if (strcmp(preset, "tests") == 0)
		return wish->tests;
	return strcmp(wish->steps, "fork") != 0 && strncmp(wish->steps, "call 291", 8) != 0;
}

static void check_refusal(const struct wish *wish, const struct wf_refusal *refusal) {
	ck_assert_str_eq(refusal->call, wish->call);
	ck_assert_str_eq(refusal->path, wish->path != NULL ? at_scratch(wish->path) : "");
	ck_assert_str_eq(refusal->allow, at_scratch(wish->line));
	ck_assert_uint_gt(strlen(refusal->arguments), 0);
}

/* The same task under the policy and that line. */
static void check_line_allows(int regime, const char *preset, const struct wish *wish,
			      const char *line) {
	struct wf_policy *policy = policy_of(preset, NULL);
	struct wf_executor *executor;

	policy_add_line(policy, preset, line);
	executor = sandboxed_open(regime, policy);
	expect_steps(executor, at_scratch(wish->steps), wish->allowed);
	pool_close(executor);
}

/* A call that is refused for its path returns what the kernel says to it: there is none, or it is
 * read-only. */
static bool is_said(const char *said, const struct wf_refusal *refusal) {
	static const int of_paths[] = { EACCES, ENOENT, EROFS, EPERM };

	if (refusal->path[0] == '\0')
		return strcmp(said, strerrorname_np(refusal->error)) == 0;
	for (size_t i = 0; i < N_OF(of_paths); i++)
		if (strcmp(said, strerrorname_np(of_paths[i])) == 0)
			return true;
	return false;
}

/* The task tried it three times, each in vain. */
static void check_continues(const struct wish *wish, const struct wf_outcome *outcome) {
	const struct wf_refusal *refusal =
	    refusal_of(outcome, wish->call, wish->path != NULL ? at_scratch(wish->path) : NULL);
	char said[256], *rest = said, *one;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_msg(refusal != NULL, "%s: %s", wish->steps, refusals_describe(outcome));
	check_refusal(wish, refusal);
	ck_assert_uint_eq(refusal->count, 3);
	snprintf(said, sizeof said, "%.*s", (int)outcome->returned.size,
		 (const char *)outcome->returned.data);
	while ((one = strsep(&rest, ";")) != NULL)
		ck_assert_msg(is_said(one, refusal), "%s said %s, refused with %s", wish->steps,
			      one, strerrorname_np(refusal->error));
}

START_TEST(test_refusal_is_told_with_its_line) {
	const struct wish *wish = &wishes[_i % N_WISHES];
	const char *preset = presets[1 + (_i / N_WISHES) % 2];
	const int regime = _i / N_WISHES / 2;
	const char *steps = at_scratch(wish->steps);
	char thrice[1024], line[1024];
	struct wf_executor *executor;
	struct wf_future *future;

	if (!is_refused(wish, preset))
		return;
	prepare_files();
	executor = sandboxed_open(regime, policy_of(preset, NULL));
	snprintf(thrice, sizeof thrice, "%s;%s;%s", steps, steps, steps);
	future = pool_call(executor, "try", thrice);
	check_continues(wish, pool_wait(future));
	snprintf(line, sizeof line, "%s",
		 refusal_of(wf_future_outcome(future), wish->call,
			    wish->path != NULL ? at_scratch(wish->path) : NULL)
		     ->allow);
	check_files();
	wf_future_free(future);
	pool_close(executor);
	check_line_allows(regime, preset, wish, line);
}
END_TEST

static void check_violation(const struct wish *wish, const struct wf_outcome *outcome) {
	expect_kind(outcome, WF_VIOLATION);
	check_refusal(wish, &outcome->violation.refusal);
	ck_assert_int_eq(outcome->violation.refusal.error, 0);
	ck_assert_uint_eq(outcome->violation.refusal.count, 1);
	ck_assert_msg(refusal_of(outcome, wish->call, NULL) == NULL,
		      "it is also among those that the task survived: %s",
		      refusals_describe(outcome));
	ck_assert_ptr_nonnull(strstr(outcome->evidence, at_scratch(wish->line)));
}

/* Under pure, and under any preset with on_refusal: end, a refusal ends the task. */
START_TEST(test_refusal_ends_the_task) {
	const struct wish *wish = &wishes[_i % N_WISHES];
	const char *preset = presets[(_i / N_WISHES) % 3];
	const int regime = _i / N_WISHES / 3;
	struct wf_executor *executor;
	struct wf_future *future;
	char line[1024];

	if (!is_refused(wish, preset))
		return;
	prepare_files();
	executor = sandboxed_open(regime, policy_of(preset, "on_refusal", "end", NULL));
	future = pool_call(executor, "try", at_scratch(wish->steps));
	check_violation(wish, pool_wait(future));
	snprintf(line, sizeof line, "%s", wf_future_outcome(future)->violation.refusal.allow);
	check_files();
	wf_future_free(future);
	expect_steps(executor, "privileges", "1");
	pool_close(executor);
	if (strcmp(preset, "pure") == 0)
		check_line_allows(regime, preset, wish, line);
}
END_TEST

/* --- whoever it was, below its worker --- */

static const char *const places_below[] = { "deep 3", "deep 100", "left" };
#define N_BELOW ((int)N_OF(places_below))

/* What it was refused is its task's; and it goes on. */
START_TEST(test_descendant_is_refused) {
	const char *place = places_below[_i % N_BELOW];
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;
	char steps[256];

	prepare_files();
	executor = sandboxed_open(_i / N_BELOW % 2,
				  policy_of(presets[1 + _i / N_BELOW / 2], "calls", "processes",
					    "read", scratch_path("in"), NULL));
	snprintf(steps, sizeof steps, "%s read @/closed/secret|call 161 0|read @/in/a", place);
	future = pool_call(executor, "try", at_scratch(steps));
	outcome = pool_wait(future);
	expect_text(outcome, "ENOENT|EPERM|alpha");
	ck_assert_ptr_nonnull(refusal_of(outcome, "openat", scratch_path("closed/secret")));
	ck_assert_ptr_nonnull(refusal_of(outcome, "chroot", NULL));
	ck_assert_msg(outcome->n_refusals == 2, "%s", refusals_describe(outcome));
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* It never gets an answer, nor does anything after that. */
START_TEST(test_refusal_of_a_descendant_ends_the_task) {
	static const char *const wishes_below[] = { "read @/closed/secret", "call 161 0" };
	const char *place = places_below[_i % N_BELOW];
	const char *wish = wishes_below[_i / N_BELOW % 2];
	struct wf_executor *executor;
	struct wf_future *future;
	static struct cord cord;
	char steps[256], byte;

	prepare_files();
	executor =
	    sandboxed_open(_i / N_BELOW / 2 % 2, policy_of(presets[1 + _i / N_BELOW / 4], "calls",
							   "processes", "on_refusal", "end", NULL));
	snprintf(steps, sizeof steps, "%s %s|report", place, wish);
	cord_open(&cord);
	future = cord_call(&cord, executor, "try", at_scratch(steps));
	expect_kind(pool_wait(future), WF_VIOLATION);
	wf_future_free(future);
	/* the last of its processes has gone, and has said nothing */
	ck_assert_int_eq(read(cord.report, &byte, 1), 0);
	expect_steps(executor, "privileges", "1");
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* No line allows these. clone3 is not even told: each fork of the C library tries it first. */
START_TEST(test_what_no_policy_allows) {
	static const struct {
		const char *steps, *call, *said;
	} cases[] = {
		{ "mode 4755 @/out/old", "chmod", "EPERM" },
		{ "call 425 1 0", "io_uring_setup", "ENOSYS" },
		{ "call 250 0 0 0 0 0", "keyctl", "ENOSYS" },
		{ "call 323 0", "userfaultfd", "EPERM" },
		{ "call 435 0 0", NULL, "ENOSYS" },
		{ "call 1000", "call 1000", "ENOSYS" },
		{ "call 157 36 0", "prctl", "EPERM" }, /* not to be a subreaper any more */
	};
	struct wf_executor *executor = open_with_files(CONTINUING_REGIME(_i), CONTINUING(_i));

	/* a sanitizer makes any call of the last kind */
	for (size_t i = 0; i < N_OF(cases) - (POOL_SANITIZED ? 1 : 0); i++) {
		struct wf_future *future = pool_call(executor, "try", at_scratch(cases[i].steps));
		const struct wf_outcome *outcome = pool_wait(future);

		expect_text(outcome, cases[i].said);
		if (cases[i].call == NULL) {
			ck_assert_msg(outcome->n_refusals == 0, "%s", refusals_describe(outcome));
		} else {
			ck_assert_msg(outcome->n_refusals == 1, "%s: %s", cases[i].steps,
				      refusals_describe(outcome));
			ck_assert_str_eq(outcome->refusals[0].call, cases[i].call);
			ck_assert_str_eq(outcome->refusals[0].allow, "");
		}
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_list_of_refusals_is_capped) {
	struct wf_executor *executor = open_with_files(CONTINUING_REGIME(_i), CONTINUING(_i));
	struct wf_future *future = pool_call(executor, "try", at_scratch("many @/closed/x 200"));
	const struct wf_outcome *outcome = pool_wait(future);

	expect_text(outcome, "0");
	ck_assert_uint_eq(outcome->n_refusals, WF_MAX_REFUSALS);
	ck_assert_uint_eq(outcome->n_refusals_dropped, 200 - WF_MAX_REFUSALS);
	for (size_t i = 0; i < outcome->n_refusals; i++) {
		char path[512];

		snprintf(path, sizeof path, "%s%zu", scratch_path("closed/x"), i);
		ck_assert_str_eq(outcome->refusals[i].path, path);
		ck_assert_int_ne(access(path, F_OK), 0);
	}
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* A task that was refused things leaves nothing of it to the next, in the same worker. */
START_TEST(test_refusals_belong_to_their_task) {
	struct wf_executor *executor = open_with_files(CONTINUING_REGIME(_i), CONTINUING(_i));
	struct wf_future *futures[3];
	const struct wf_outcome *outcome;

	futures[0] = pool_call(executor, "try",
			       at_scratch("read @/closed/secret; directory @/in; call 101"));
	futures[1] = pool_call(executor, "try", at_scratch("read @/in/a"));
	futures[2] = pool_call(executor, "try", at_scratch("look a; read @/closed/other"));
	outcome = pool_wait(futures[0]);
	expect_kind(outcome, WF_RETURNED);
	ck_assert_ptr_nonnull(refusal_of(outcome, "openat", scratch_path("closed/secret")));
	ck_assert_ptr_nonnull(refusal_of(outcome, "ptrace", NULL));
	ck_assert_uint_eq(outcome->n_refusals, 2);
	outcome = pool_wait(futures[1]);
	expect_text(outcome, "alpha");
	ck_assert_msg(outcome->n_refusals == 0, "%s", refusals_describe(outcome));
	outcome = pool_wait(futures[2]);
	expect_kind(outcome, WF_RETURNED);
	ck_assert_mem_eq(outcome->returned.data, "ENOENT;", 7);
	ck_assert_msg(outcome->n_refusals == 1, "%s", refusals_describe(outcome));
	if (CONTINUING_REGIME(_i) == REUSED)
		ck_assert_int_eq(wf_future_outcome(futures[0])->pid, outcome->pid);
	for (size_t i = 0; i < 3; i++)
		wf_future_free(futures[i]);
	pool_close(executor);
}
END_TEST

START_TEST(test_report_says_how_much_is_told) {
	static const char *const reports[] = { "none", "calls", "paths" };
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;
	const char *report = reports[_i % 3];

	prepare_files();
	executor = sandboxed_open(_i / 3, policy_of("stage", "report", report, NULL));
	future = pool_call(executor, "try", at_scratch("read @/closed/secret; socket 2"));
	outcome = pool_wait(future);
	expect_kind(outcome, WF_RETURNED);
	ck_assert_ptr_nonnull(strstr(outcome->returned.data, ";EPERM"));
	ck_assert_ptr_null(strstr(outcome->returned.data, SECRET));
	ck_assert_int_eq(refusal_of(outcome, "socket", NULL) != NULL, _i % 3 >= 1);
	ck_assert_int_eq(refusal_of(outcome, "openat", NULL) != NULL, _i % 3 == 2);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- what ends a task whatever the policy says, and what is no violation --- */

START_TEST(test_raised_sigsys_is_a_signal) {
	struct wf_executor *executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), NULL));
	struct wf_future *future = pool_call(executor, "try", "raise 31");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_signalled(outcome, SIGSYS);
	ck_assert_msg(outcome->n_refusals == 0, "%s", refusals_describe(outcome));
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* Does this kernel know calls of i386? */
static bool has_i386(void) {
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		long result = 20; /* getpid */

		__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
		_exit(result > 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	return info.si_code == CLD_EXITED && info.si_status == 0;
}

static void check_foreign_call(int i, const char *step, const char *call) {
	struct wf_executor *executor = sandboxed_open(REGIME(i), policy_of(PRESET(i), NULL));
	struct wf_future *future = pool_call(executor, "try", step);
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_VIOLATION);
	ck_assert_str_eq(outcome->violation.refusal.call, call);
	ck_assert_str_eq(outcome->violation.refusal.allow, "");
	wf_future_free(future);
	expect_steps(executor, "privileges", "1");
	pool_close(executor);
}

START_TEST(test_calls_of_i386_are_violations) {
	if (!has_i386())
		program_skipped("test_calls_of_i386_are_violations", "this kernel has none");
	else
		check_foreign_call(_i, "call_i386", "i386 call 20");
}
END_TEST

START_TEST(test_calls_of_x32_are_violations) {
	check_foreign_call(_i, "call_x32", "x32 call 39");
}
END_TEST

START_TEST(test_foreign_calls_end_the_task_without_a_listener) {
	struct wf_executor *executor =
	    sandboxed_open(_i, policy_of("stage", "report", "none", NULL));
	struct wf_future *future = pool_call(executor, "try", "call_x32");

	expect_signalled(pool_wait(future), SIGSYS);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* The caller who drives the executor also has to answer what the listener is asked. */
START_TEST(test_refusals_of_a_driven_executor) {
	struct wf_policy *policy = policy_of(CONTINUING(_i), NULL);
	struct wf_executor_options options = sandboxed_options(CONTINUING_REGIME(_i), policy);
	struct wf_executor *executor;
	struct wf_future *future;

	options.caller_driven = true;
	executor = pool_open(&options);
	wf_policy_free(policy);
	future = pool_call(executor, "try", "socket 16; socket 16");
	while (wf_future_state(future) != WF_DONE) {
		struct pollfd event = { .fd = wf_executor_fd(executor), .events = POLLIN };

		ck_assert_int_eq(poll(&event, 1, FIXTURE_CAP_MS), 1);
		ck_assert_int_eq(wf_executor_dispatch(executor, 0), 0);
	}
	expect_text(wf_future_outcome(future), "EPERM;EPERM");
	ck_assert_uint_eq(wf_future_outcome(future)->n_refusals, 1);
	ck_assert_uint_eq(wf_future_outcome(future)->refusals[0].count, 2);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- a file system that does not answer --- */

static struct wf_future *read_in_dead(struct wf_executor *executor, const char *name) {
	char steps[320];

	(void)snprintf(steps, sizeof steps, "read %s", dead_path(name));
	return pool_call(executor, "try", steps);
}

#define READERS 12

static struct wf_executor *open_readers(int regime) {
	struct wf_policy *policy = policy_of("stage", NULL);
	struct wf_executor_options options = sandboxed_options(regime, policy);
	struct wf_executor *executor;

	options.workers = READERS + 1;
	executor = pool_open(&options);
	wf_policy_free(policy);
	return executor;
}

/* The path is nowhere in the task's view, so its call fails at once. That the host cannot find out
 * more about it costs the note, and keeps nobody. */
START_TEST(test_looking_at_what_a_task_names) {
	struct wf_executor *executor;
	struct wf_future *readers[READERS];

	if (!dead_mount())
		return;
	executor = open_readers(_i);
	for (int i = 0; i < READERS; i++)
		readers[i] = read_in_dead(executor, "x");
	expect_steps(executor, "look /", "ok");
	for (int i = 0; i < READERS; i++) {
		expect_text(pool_wait(readers[i]), "ENOENT");
		wf_future_free(readers[i]);
	}
	expect_steps(executor, "look /", "ok");
	dead_release();
	pool_close(executor);
}
END_TEST

#define SWARM  70 /* more than all threads that there may be */
#define SWARMS 10 /* so many workers can occupy all looks */

static struct wf_executor *open_swarms(int regime) {
	struct wf_policy *policy = policy_of("stage", "on_refusal", "end", NULL);
	struct wf_executor_options options = sandboxed_options(regime, policy);
	struct wf_executor *executor;

	options.workers = SWARMS;
	executor = pool_open(&options);
	wf_policy_free(policy);
	return executor;
}

static struct wf_future *start_swarm(struct wf_executor *executor, int n) {
	char steps[320];

	(void)snprintf(steps, sizeof steps, "swarm %d %s", n, dead_path("x"));
	return pool_call(executor, "try", steps);
}

static void expect_end(struct wf_executor *executor, const char *steps) {
	struct wf_future *future = pool_call(executor, "try", steps);

	expect_kind(pool_wait(future), WF_VIOLATION);
	wf_future_free(future);
}

static void expect_output(struct wf_executor *executor) {
	const struct wf_context context = pool_capturing();
	struct wf_future *future = pool_call_in(executor, "try", "output 1 100", &context);
	const struct wf_outcome *outcome = pool_wait(future);

	ck_assert_uint_eq(outcome->standard_output.size, 100);
	ck_assert(!outcome->standard_output.incomplete);
	wf_future_free(future);
}

/* One task can have as many looks as it likes, and they stay stuck when it has gone. That keeps
 * neither the output of others, nor the end of those that were refused something, nor a new
 * keeper. */
START_TEST(test_a_swarm_whose_looks_are_stuck) {
	struct wf_executor *executor;
	struct wf_future *swarm, *again;

	if (!dead_mount())
		return;
	executor = open_swarms(_i);
	swarm = start_swarm(executor, SWARM);
	expect_text(pool_wait(swarm), "ok");
	wf_future_free(swarm);
	expect_output(executor);
	expect_end(executor, "read /etc/shadow");
	pool_end_process(pool_statistics(executor).keeper_pid);
	/* a worker of before may get it first, and end with the keeper */
	again = pool_submit(executor, &WF_TASK(.function = "try", .input = "look /",
					       .input_size = 6, .flags = WF_TASK_IDEMPOTENT));
	expect_text(pool_wait(again), "ok");
	wf_future_free(again);
	dead_release();
	pool_close(executor);
}
END_TEST

/* Many can occupy all looks. Then calls that name no path still end their task. */
START_TEST(test_judging_while_all_looks_are_stuck) {
	struct wf_executor *executor;
	struct wf_future *swarms[SWARMS];

	if (!dead_mount())
		return;
	executor = open_swarms(_i);
	for (int i = 0; i < SWARMS; i++)
		swarms[i] = start_swarm(executor, SWARM / SWARMS);
	for (int i = 0; i < SWARMS; i++) {
		expect_text(pool_wait(swarms[i]), "ok");
		wf_future_free(swarms[i]);
	}
	expect_end(executor, "call_x32");
	expect_end(executor, "socket 2");
	expect_output(executor);
	dead_release();
	pool_close(executor);
}
END_TEST

START_TEST(test_closing_while_a_look_is_stuck) {
	struct wf_executor *executor;
	struct wf_future *reader;

	if (!dead_mount())
		return;
	executor = sandboxed_open(FRESH, policy_of("stage", NULL));
	reader = read_in_dead(executor, "x");
	expect_text(pool_wait(reader), "ENOENT");
	wf_future_free(reader);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	wf_executor_free(executor);
	dead_release();
}
END_TEST

static struct wf_executor *open_learners(void) {
	struct wf_policy *policy = policy_of("stage", NULL);
	struct wf_executor_options options = sandboxed_options(FRESH, policy);
	struct wf_executor *executor;

	options.learn = true;
	options.workers = 2;
	executor = pool_open(&options);
	wf_policy_free(policy);
	return executor;
}

#define OTHERS 20

/* While the host looks whether somebody listens there, the outcomes of others are shown. The
 * call goes on, because learning refuses nothing of the kind, and so waits there too. */
START_TEST(test_learning_while_a_look_is_stuck) {
	struct wf_executor *executor;
	struct wf_future *knocking;
	const struct wf_outcome *outcome;
	char steps[320];

	if (!dead_mount())
		return;
	executor = open_learners();
	(void)snprintf(steps, sizeof steps, "knock %s", dead_path("x"));
	knocking = pool_call(executor, "try", steps);
	for (int i = 0; i < OTHERS; i++)
		expect_steps(executor, "look /", "ok");
	dead_release();
	outcome = pool_wait(knocking);
	expect_kind(outcome, WF_RETURNED);
	ck_assert_ptr_nonnull(strstr(outcome->learned, "preset: stage"));
	wf_future_free(knocking);
	pool_close(executor);
}
END_TEST

static void add_tests(TCase *story) {
	/* a sanitizer makes calls of its own, which are refused as well */
	if (!POOL_SANITIZED) {
		tcase_add_loop_test(story, test_refusal_is_told_with_its_line, 0, 4 * N_WISHES);
		tcase_add_loop_test(story, test_refusal_ends_the_task, 0, 6 * N_WISHES);
		add_for_continuing(story, test_refusals_belong_to_their_task);
		tcase_add_loop_test(story, test_descendant_is_refused, 0, 4 * N_BELOW);
		tcase_add_loop_test(story, test_refusal_of_a_descendant_ends_the_task, 0,
				    8 * N_BELOW);
	} else {
		program_skipped("refusals, one by one", "the sanitizer makes calls of its own");
	}
	add_for_continuing(story, test_what_no_policy_allows);
	add_for_continuing(story, test_list_of_refusals_is_capped);
	tcase_add_loop_test(story, test_report_says_how_much_is_told, 0, 6);
	add_for_presets(story, test_raised_sigsys_is_a_signal);
	add_for_presets(story, test_calls_of_i386_are_violations);
	add_for_presets(story, test_calls_of_x32_are_violations);
	add_for_both(story, test_foreign_calls_end_the_task_without_a_listener);
	add_for_continuing(story, test_refusals_of_a_driven_executor);
	add_for_both(story, test_looking_at_what_a_task_names);
	add_for_both(story, test_a_swarm_whose_looks_are_stuck);
	add_for_both(story, test_judging_while_all_looks_are_stuck);
	tcase_add_test(story, test_closing_while_a_look_is_stuck);
	tcase_add_test(story, test_learning_while_a_look_is_stuck);
}

int main(int argc, char **argv) {
	(void)argc;
	return sandboxed_main(argv, "refusals", add_tests);
}
