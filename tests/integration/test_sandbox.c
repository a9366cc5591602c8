/* SPDX-License-Identifier: MIT
 *
 * Story: a worker under a policy does what was declared, and nothing else; what it was refused, its
 * outcome tells, with the line that would have allowed it.
 *
 * Each preset in both regimes; run a second time by a program of an ordinary user. What a refusal was
 * good for is looked at from outside: the file as it was, nobody at the door.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/number.h"
#include "tests/support/program.h"
#include "tests/support/sandboxed.h"
#include "tests/support/toy_sandbox.h"

static const char *const presets[] = { "pure", "stage", "tests" };
/* The loop index is regime * 3 + preset; those who continue after a refusal are the last two. */
#define add_for_presets(story, test)    tcase_add_loop_test(story, test, 0, 6)
#define add_for_continuing(story, test) tcase_add_loop_test(story, test, 0, 4)
#define PRESET(i)                       presets[(i) % 3]
#define REGIME(i)                       ((i) / 3)
#define CONTINUING(i)                   presets[1 + (i) % 2]
#define CONTINUING_REGIME(i)            ((i) / 2)

/* From which ABI on. */
#define LANDLOCK_PORTS  4
#define LANDLOCK_SCOPES 6

#define SECRET "it is under the third stone"

/* Steps with "@" for the scratch directory. */
static const char *at_scratch(const char *text) {
	static char texts[8][2048];
	static unsigned next;
	char *to = texts[next++ % 8];
	size_t used = 0;

	for (; *text != '\0' && used < sizeof texts[0] - 512; text++)
		used += (size_t)(*text == '@' ? snprintf(to + used, 512, "%s", scratch_path(""))
					      : snprintf(to + used, 2, "%c", *text));
	to[used] = '\0';
	return to;
}

static void prepare_files(void) {
	scratch_make_directory("in");
	scratch_make_directory("out");
	scratch_make_directory("closed");
	scratch_write("in/a", "alpha");
	scratch_write("out/old", "old");
	scratch_write("closed/secret", SECRET);
	scratch_write("closed/other", "other");
	scratch_install("closed/program", "/bin/true");
}

static void check_files(void) {
	scratch_expect("in/a", "alpha");
	scratch_expect("closed/secret", SECRET);
	scratch_expect("closed/other", "other");
	ck_assert_int_ne(access(scratch_path("closed/new"), F_OK), 0);
}

static struct wf_executor *open_with_files(int regime, const char *preset) {
	prepare_files();
	return sandboxed_open(regime, policy_of(preset, "read", scratch_path("in"), "write",
						scratch_path("out"), NULL));
}

/* --- what was declared --- */

START_TEST(test_declared_files_are_there) {
	struct wf_executor *executor = open_with_files(REGIME(_i), PRESET(_i));

	expect_steps(executor, at_scratch("read @/in/a; list @/in; look @/in/a"), "alpha;1;ok");
	expect_steps(
	    executor,
	    at_scratch("write @/out/new news; make @/out/deep; write @/out/deep/er deep; "
		       "move @/out/old @/out/deep/old; read @/out/new; mode 600 @/out/new; "
		       "list @/out"),
	    "ok;ok;ok;ok;news;ok;2");
	scratch_expect("out/new", "news");
	scratch_expect("out/deep/er", "deep");
	scratch_expect("out/deep/old", "old");
	check_files();
	pool_close(executor);
}
END_TEST

START_TEST(test_declared_file_alone_has_no_neighbours) {
	struct wf_executor *executor;

	prepare_files();
	executor = sandboxed_open(
	    REGIME(_i), policy_of(PRESET(_i), "read", scratch_path("closed/other"), NULL));
	expect_steps(executor, at_scratch("read @/closed/other; look @/closed/secret"),
		     "other;ENOENT");
	check_files();
	pool_close(executor);
}
END_TEST

START_TEST(test_declared_program_runs) {
	struct wf_executor *executor;

	prepare_files();
	executor =
	    sandboxed_open(CONTINUING_REGIME(_i), policy_of(CONTINUING(_i), "execute",
							    scratch_path("closed/program"), NULL));
	expect_steps(executor, at_scratch("run @/closed/program x; run /bin/false"),
		     "exit 0;exit 1");
	pool_close(executor);
}
END_TEST

START_TEST(test_declared_device_opens) {
	struct wf_executor *executor =
	    sandboxed_open(REGIME(_i), policy_of(PRESET(_i), "device", "/dev/full", NULL));

	expect_steps(executor, "write /dev/full x", "ENOSPC");
	pool_close(executor);
}
END_TEST

START_TEST(test_results_larger_than_a_frame) {
	struct wf_executor *executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), NULL));

	for (int i = 0; i < 2; i++) {
		struct wf_future *future = pool_call(executor, "big", "3000000");
		const struct wf_outcome *outcome = pool_wait(future);
		const char *data;

		expect_kind(outcome, WF_RETURNED);
		ck_assert_uint_eq(outcome->returned.size, 3000000);
		data = outcome->returned.data;
		for (size_t k = 0; k < outcome->returned.size; k++)
			if (data[k] != toy_letter(k))
				ck_abort_msg("byte %zu is %d", k, data[k]);
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

/* --- what was not, and the line that would allow it --- */

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

/* What stage allows already is no wish there. */
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

/* pure ends, and so does any that is told to. */
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
	};
	struct wf_executor *executor = open_with_files(CONTINUING_REGIME(_i), CONTINUING(_i));

	for (size_t i = 0; i < N_OF(cases); i++) {
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

/* --- the network --- */

/* A door of the host's, at 127.0.0.1. */
static int listen_at_door(long *ret_port) {
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *any = (struct sockaddr *)(void *)&address;
	socklen_t size = sizeof address;
	int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(door, 0);
	ck_assert_int_eq(bind(door, any, size), 0);
	ck_assert_int_eq(listen(door, 8), 0);
	ck_assert_int_eq(getsockname(door, any, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return door;
}

static bool somebody_came(int door) {
	struct pollfd event = { .fd = door, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

/* Of the machine, as an outcome tells it. */
static int landlock_abi(void) {
	struct wf_executor *executor = sandboxed_open(FRESH, policy_of("pure", NULL));
	struct wf_future *future = pool_call(executor, "try", "privileges");
	const char *layer = strstr(pool_wait(future)->layers, "landlock ");
	int abi = layer != NULL ? (int)number_at(layer + strlen("landlock "), NULL) : 0;

	wf_future_free(future);
	pool_close(executor);
	return abi;
}

START_TEST(test_network_is_out_of_reach) {
	struct wf_executor *executor = sandboxed_open(
	    REGIME(_i), policy_of(PRESET(_i), "socket", "inet", "socket", "inet6", NULL));
	char steps[64], said[64];
	long port;
	int door = listen_at_door(&port);

	snprintf(steps, sizeof steps, "connect %ld", port);
	sandboxed_ask(executor, steps, said, sizeof said);
	ck_assert_str_ne(said, "ok");
	ck_assert_int_eq(somebody_came(door), false);
	close(door);
	pool_close(executor);
}
END_TEST

START_TEST(test_tests_have_a_loopback_of_their_own) {
	struct wf_executor *executor = sandboxed_open(_i, policy_of("tests", NULL));

	expect_steps(executor, "loopback", "ok");
	pool_close(executor);
}
END_TEST

START_TEST(test_ports_of_the_host) {
	static const char *const kept[] = { "user", "mount", "pid", "ipc", "uts" };
	struct wf_policy *policy;
	char text[64];
	struct wf_executor *executor;
	long open_port, closed_port;
	int open_door, closed_door;

	if (landlock_abi() < LANDLOCK_PORTS) {
		program_skipped("test_ports_of_the_host", "this kernel's Landlock knows no ports");
		return;
	}
	open_door = listen_at_door(&open_port);
	closed_door = listen_at_door(&closed_port);
	policy = policy_of("stage", "socket", "inet", NULL);
	for (size_t i = 0; i < N_OF(kept); i++)
		policy_add(policy, "namespaces", kept[i]);
	snprintf(text, sizeof text, "%ld", open_port);
	policy_add(policy, "tcp_connect", text);
	executor = sandboxed_open(_i, policy);
	snprintf(text, sizeof text, "connect %ld; connect %ld", open_port, closed_port);
	expect_steps(executor, text, "ok;EACCES");
	ck_assert_int_eq(somebody_came(open_door), true);
	ck_assert_int_eq(somebody_came(closed_door), false);
	close(open_door);
	close(closed_door);
	pool_close(executor);
}
END_TEST

/* Rules for ports are about TCP: what is not refused is not told either, and ends nobody. */
START_TEST(test_datagrams_are_no_matter_of_ports) {
	static const char *const kept[] = { "user", "mount", "pid", "ipc", "uts" };
	struct wf_policy *policy;
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;

	if (landlock_abi() < LANDLOCK_PORTS) {
		program_skipped("test_datagrams_are_no_matter_of_ports",
				"this kernel's Landlock knows no ports");
		return;
	}
	policy =
	    policy_of("stage", "socket", "inet", "on_refusal", "end", "tcp_connect", "1", NULL);
	for (size_t i = 0; i < N_OF(kept); i++)
		policy_add(policy, "namespaces", kept[i]);
	executor = sandboxed_open(_i, policy);
	future = pool_call(executor, "try", "aim 2");
	outcome = pool_wait(future);
	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->n_refusals, 0);
	wf_future_free(future);
	future = pool_call(executor, "try", "connect 2");
	expect_kind(pool_wait(future), WF_VIOLATION);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- who it is, and whom it sees --- */

START_TEST(test_worker_is_alone_in_its_view_of_processes) {
	struct wf_executor_options options;
	struct wf_policy *policy = policy_of(CONTINUING(_i), NULL);
	struct wf_executor *executor;
	struct wf_future *sibling;
	static struct cord cord;
	char steps[64], said[64];

	options = sandboxed_options(CONTINUING_REGIME(_i), policy);
	options.workers = 2;
	executor = pool_open(&options);
	wf_policy_free(policy);
	cord_open(&cord);
	sibling = cord_call(&cord, executor, "try", "report; wait; pid");
	/* to whom signals go, older kernels do not let a domain decide */
	snprintf(steps, sizeof steps, "ppid; processes; signal %d %d; signal 1 9",
		 (int)cord_expect_pid(&cord, "at"), landlock_abi() < LANDLOCK_SCOPES ? 0 : SIGKILL);
	sandboxed_ask(executor, steps, said, sizeof said);
	ck_assert_msg(strncmp(said, "0;1;", 4) == 0, "%s", said);
	expect_running(sibling);
	cord_release(&cord);
	expect_kind(pool_wait(sibling), WF_RETURNED);
	wf_future_free(sibling);
	expect_steps(executor, "ppid", "0");
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_worker_has_no_privileges) {
	struct wf_executor *executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), NULL));
	char expected[64];

	if (geteuid() == 0)
		snprintf(expected, sizeof expected, "0;1;0;65534:65534:0");
	else
		snprintf(expected, sizeof expected, "0;1;0;%u:%u:%d", geteuid(), getegid(),
			 getgroups(0, NULL));
	expect_steps(executor, "capabilities; privileges; ppid; identity", expected);
	pool_close(executor);
}
END_TEST

START_TEST(test_identity_that_was_asked_for) {
	struct wf_policy *policy = policy_of(PRESET(_i), "identity", "4711:4712", NULL);
	const struct wf_executor_options options = sandboxed_options(REGIME(_i), policy);
	struct wf_executor *executor;

	if (geteuid() == 0) {
		executor = pool_open(&options);
		expect_steps(executor, "identity; capabilities", "4711:4712:0;0");
		pool_close(executor);
	} else {
		ck_assert_int_eq(wf_executor_open(&options, &executor), -ENOEXEC);
		ck_assert_ptr_nonnull(strstr(wf_last_error(), "identity"));
		ck_assert_ptr_nonnull(strstr(wf_last_error(), "4711:4712"));
	}
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_limits_cannot_be_raised) {
	struct wf_executor *executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), NULL));
	char steps[64];

	snprintf(steps, sizeof steps, "raise_limit %d; raise_limit %d", RLIMIT_NOFILE, RLIMIT_CORE);
	expect_steps(executor, steps, "EPERM;EPERM");
	pool_close(executor);
}
END_TEST

START_TEST(test_environment_is_the_policys) {
	struct wf_executor *executor;
	char said[4096];

	setenv("PASSWORD", SECRET, 1);
	setenv("LANG", "C", 1);
	unsetenv("LC_ALL");
	unsetenv("TZ");
	executor =
	    sandboxed_open(REGIME(_i), policy_of(PRESET(_i), "environment", "COLOUR=blue", NULL));
	sandboxed_ask(executor, "environment", said, sizeof said);
	ck_assert_ptr_nonnull(strstr(said, "COLOUR=blue"));
	ck_assert_ptr_nonnull(strstr(said, "LANG=C"));
	ck_assert_ptr_null(strstr(said, "PASSWORD"));
	if (_i % 3 == 0)
		ck_assert_ptr_null(strstr(said, "PATH="));
	else
		ck_assert_ptr_nonnull(strstr(said, "PATH="));
	pool_close(executor);
}
END_TEST

START_TEST(test_outcome_names_the_layers) {
	static const char *const layers[] = {
		"user",         "mount",       "pid",     "net",      "ipc",
		"uts",          "descriptors", "limits",  "identity", "capabilities",
		"no_new_privs", "landlock ",   "seccomp",
	};
	struct wf_executor *executor = sandboxed_open(
	    REGIME(_i), policy_of(PRESET(_i), "probe", _i % 2 ? "worker" : "once", NULL));
	struct wf_future *future = pool_call(executor, "try", "privileges");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_text(outcome, "1");
	for (size_t i = 0; i < N_OF(layers); i++)
		ck_assert_msg(strstr(outcome->layers, layers[i]) != NULL, "no %s in: %s", layers[i],
			      outcome->layers);
	ck_assert_ptr_null(strstr(outcome->layers, "not in force"));
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- opening, and what an executor has besides --- */

START_TEST(test_missing_path_is_named) {
	struct wf_policy *policy = policy_of(PRESET(_i), "read", "/nowhere/at/all", NULL);
	const struct wf_executor_options options = sandboxed_options(REGIME(_i), policy);
	struct wf_executor *executor = NULL;

	ck_assert_int_eq(wf_executor_open(&options, &executor), -ENOEXEC);
	ck_assert_msg(strstr(wf_last_error(), "/nowhere/at/all") != NULL, "%s", wf_last_error());
	ck_assert_msg(strstr(wf_last_error(), "No such file") != NULL, "%s", wf_last_error());
	ck_assert_ptr_null(executor);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_image_is_frozen_under_a_policy) {
	struct wf_executor *executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), NULL));
	struct wf_image_facts facts = { .size = sizeof facts };

	expect_steps(executor, "privileges", "1");
	ck_assert_int_eq(wf_executor_image(executor, &facts), 0);
	ck_assert_int_eq(facts.frozen, pool_freeze() == WF_FREEZE_ALWAYS);
	wf_image_facts_clear(&facts);
	pool_close(executor);
}
END_TEST

static struct wf_executor *open_with_initializer(int regime, const char *preset,
						 const char *steps) {
	struct wf_policy *policy = policy_of(preset, NULL);
	struct wf_executor_options options = sandboxed_options(regime, policy);
	struct wf_executor *executor;

	options.preload_argument = steps;
	options.preload_argument_size = strlen(steps);
	options.tuning.start_attempts = 2;
	options.tuning.backoff_ms = 1;
	executor = pool_open(&options);
	wf_policy_free(policy);
	return executor;
}

START_TEST(test_initializer_is_refused_and_goes_on) {
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;

	prepare_files();
	executor = open_with_initializer(CONTINUING_REGIME(_i), CONTINUING(_i),
					 at_scratch("read @/closed/secret; socket 16"));
	future = pool_call(executor, "try", "privileges");
	outcome = pool_wait(future);
	expect_text(outcome, "1");
	ck_assert_msg(outcome->n_refusals == 0, "%s", refusals_describe(outcome));
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_initializer_is_ended) {
	struct wf_executor *executor = open_with_initializer(_i, "pure", "socket 2");
	struct wf_future *future = pool_call(executor, "try", "privileges");
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_NOT_STARTED);
	ck_assert_int_eq((int)outcome->not_started.phase, (int)WF_PHASE_INITIALIZE);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_sharing_compares_policies) {
	struct wf_policy *one = policy_of(PRESET(_i), "limits.wall", "10s", NULL);
	struct wf_policy *equal = policy_of(PRESET(_i), "limits.wall", "10000ms", NULL);
	struct wf_policy *other = policy_of(PRESET(_i), "limits.wall", "11s", NULL);
	struct wf_executor_options options = sandboxed_options(REGIME(_i), one);
	struct wf_executor *executors[3];
	bool reused = true;

	ck_assert_int_eq(wf_executor_shared(&options, &executors[0], &reused), 0);
	ck_assert_int_eq(reused, false);
	options.policy = equal;
	ck_assert_int_eq(wf_executor_shared(&options, &executors[1], &reused), 0);
	ck_assert_int_eq(reused, true);
	options.policy = other;
	ck_assert_int_eq(wf_executor_shared(&options, &executors[2], &reused), 0);
	ck_assert_int_eq(reused, false);
	for (size_t i = 0; i < 3; i++)
		expect_steps(executors[i], "capabilities", "0");
	ck_assert_int_eq(wf_executor_close(executors[2], WF_CLOSE_FINISH), 0);
	for (size_t i = 0; i < 3; i++)
		wf_executor_free(executors[i]);
	wf_policy_free(one);
	wf_policy_free(equal);
	wf_policy_free(other);
}
END_TEST

/* Its caller answers for the listener, too. */
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

START_TEST(test_reload_keeps_the_policy) {
	struct wf_executor *executor = open_with_files(REGIME(_i), PRESET(_i));

	expect_steps(executor, at_scratch("read @/in/a"), "alpha");
	ck_assert_int_eq(wf_executor_reload(executor), 0);
	expect_steps(executor, at_scratch("read @/in/a; look @/closed/secret; capabilities"),
		     "alpha;ENOENT;0");
	pool_close(executor);
}
END_TEST

static void add_refusals(TCase *story) {
	/* a sanitizer makes calls of its own, which are refused as well */
	if (!POOL_SANITIZED) {
		tcase_add_loop_test(story, test_refusal_is_told_with_its_line, 0, 4 * N_WISHES);
		tcase_add_loop_test(story, test_refusal_ends_the_task, 0, 6 * N_WISHES);
		add_for_continuing(story, test_refusals_belong_to_their_task);
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
}

int main(int argc, char **argv) {
	TCase *story;
	int r = sandboxed_begin(argv);

	(void)argc;
	if (r >= 0)
		return r;
	/* not below /tmp, where those who have scratch space see their own */
	setenv("TMPDIR", "/var/tmp", 1);
	story = fixture_case("sandbox");
	add_for_presets(story, test_declared_files_are_there);
	add_for_presets(story, test_declared_file_alone_has_no_neighbours);
	add_for_continuing(story, test_declared_program_runs);
	add_for_presets(story, test_declared_device_opens);
	add_for_presets(story, test_results_larger_than_a_frame);
	add_refusals(story);
	add_for_presets(story, test_network_is_out_of_reach);
	add_for_both(story, test_tests_have_a_loopback_of_their_own);
	add_for_both(story, test_ports_of_the_host);
	add_for_both(story, test_datagrams_are_no_matter_of_ports);
	add_for_continuing(story, test_worker_is_alone_in_its_view_of_processes);
	add_for_presets(story, test_worker_has_no_privileges);
	add_for_presets(story, test_identity_that_was_asked_for);
	add_for_presets(story, test_limits_cannot_be_raised);
	add_for_presets(story, test_environment_is_the_policys);
	add_for_presets(story, test_outcome_names_the_layers);
	add_for_presets(story, test_missing_path_is_named);
	add_for_presets(story, test_image_is_frozen_under_a_policy);
	add_for_continuing(story, test_initializer_is_refused_and_goes_on);
	add_for_both(story, test_initializer_is_ended);
	add_for_presets(story, test_sharing_compares_policies);
	add_for_continuing(story, test_refusals_of_a_driven_executor);
	add_for_presets(story, test_reload_keeps_the_policy);
	return fixture_run("sandbox", story);
}
