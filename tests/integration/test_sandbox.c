/* SPDX-License-Identifier: MIT
 *
 * Story: a worker under a policy does what was declared, and nothing else. What it is refused, and
 * told, is another story (test_refusals.c).
 *
 * Each preset in both regimes; run a second time by a program of an ordinary user. What the policy
 * was good for is looked at from outside: the file as it was, nobody at the door.
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
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/number.h"
#include "tests/support/presets.h"
#include "tests/support/program.h"
#include "tests/support/sandboxed.h"
#include "tests/support/toy_sandbox.h"

/* The versions of Landlock that brought these. */
#define LANDLOCK_PORTS  4
#define LANDLOCK_SCOPES 6

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

/* --- the network --- */

/* Opens a listening socket of the host, at 127.0.0.1. */
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

/* The version of Landlock that is in force here, as an outcome tells it. */
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
	char steps[96];

	/* 1 stops a core that goes to a pipe, which 0 does not, and stays whatever is set */
	snprintf(steps, sizeof steps, "raise_limit %d; raise_limit %d; limit %d", RLIMIT_NOFILE,
		 RLIMIT_CORE, RLIMIT_CORE);
	expect_steps(executor, steps, "EPERM;ok;1");
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

/* Neither on the stack, where the kernel put it, nor in /proc, nor in anybody's copy. The last one
 * has no policy: the search would find it. */
START_TEST(test_memory_has_nothing_of_the_hosts_environment) {
	struct wf_executor *executor;

	setenv("PASSWORD", "xylophone-42", 1);
	setenv("WF_LOG", "xylophone-42", 1);
	executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), "read", "/proc", NULL));
	expect_steps(executor, "memory yzmpqipof.53", "0");
	pool_close(executor);
}
END_TEST

START_TEST(test_memory_is_searched) {
	struct wf_executor *executor;
	char said[64];

	setenv("PASSWORD", "xylophone-42", 1);
	executor = sandboxed_open(REGIME(_i), NULL);
	sandboxed_ask(executor, "memory yzmpqipof.53", said, sizeof said);
	ck_assert_msg(atoi(said) > 0, "%s", said);
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

/* A task of an earlier run has replaced w/sub, and the policy knows w by another name. */
START_TEST(test_planted_link_is_not_followed) {
	struct wf_policy *policy;
	struct wf_executor_options options;
	struct wf_executor *executor = NULL;

	prepare_files();
	scratch_make_directory("w");
	ck_assert_int_eq(symlink(scratch_path("closed"), scratch_path("w/sub")), 0);
	ck_assert_int_eq(symlink("w", scratch_path("alias")), 0);
	policy = policy_of(PRESET(_i), "write", scratch_path("alias"), "read",
			   scratch_path("w/sub"), NULL);
	options = sandboxed_options(REGIME(_i), policy);
	ck_assert_int_eq(wf_executor_open(&options, &executor), -ENOEXEC);
	ck_assert_msg(strstr(wf_last_error(), "tasks may write to") != NULL, "%s", wf_last_error());
	ck_assert_ptr_null(executor);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_proc_cannot_be_changed) {
	struct wf_executor *executor = sandboxed_open(
	    REGIME(_i), policy_of(PRESET(_i), "read", "/proc", "on_refusal", "continue", NULL));

	expect_steps(executor, "mode 600 /proc/self/comm", "EROFS");
	pool_close(executor);
}
END_TEST

/* What the kernel shows to root alone, it would show to a task as root as well. */
START_TEST(test_proc_of_a_task_as_root) {
	struct wf_executor *executor;
	char said[64];

	if (geteuid() != 0 || access("/proc/timer_list", F_OK) < 0) {
		program_skipped("test_proc_of_a_task_as_root", "it takes root, and timer_list");
		return;
	}
	executor = sandboxed_open(REGIME(_i), policy_of(PRESET(_i), "read", "/proc", "identity",
							"0:0", "on_refusal", "continue", NULL));
	expect_steps(executor,
		     "read /proc/timer_list; mode 444 /proc/timer_list; list /proc/bus; "
		     "mode 600 /proc/uptime",
		     "EACCES;EROFS;EACCES;EROFS");
	sandboxed_ask(executor, "read /proc/uptime", said, sizeof said);
	ck_assert_msg(atof(said) > 0, "%s", said);
	pool_close(executor);
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

START_TEST(test_reload_keeps_the_policy) {
	struct wf_executor *executor = open_with_files(REGIME(_i), PRESET(_i));

	expect_steps(executor, at_scratch("read @/in/a"), "alpha");
	ck_assert_int_eq(wf_executor_reload(executor), 0);
	expect_steps(executor, at_scratch("read @/in/a; look @/closed/secret; capabilities"),
		     "alpha;ENOENT;0");
	pool_close(executor);
}
END_TEST

static void add_tests(TCase *story) {
	add_for_presets(story, test_declared_files_are_there);
	add_for_presets(story, test_declared_file_alone_has_no_neighbours);
	add_for_continuing(story, test_declared_program_runs);
	add_for_presets(story, test_declared_device_opens);
	add_for_presets(story, test_results_larger_than_a_frame);
	add_for_presets(story, test_network_is_out_of_reach);
	add_for_both(story, test_tests_have_a_loopback_of_their_own);
	add_for_both(story, test_ports_of_the_host);
	add_for_both(story, test_datagrams_are_no_matter_of_ports);
	add_for_continuing(story, test_worker_is_alone_in_its_view_of_processes);
	add_for_presets(story, test_worker_has_no_privileges);
	add_for_presets(story, test_identity_that_was_asked_for);
	add_for_presets(story, test_limits_cannot_be_raised);
	add_for_presets(story, test_environment_is_the_policys);
	if (!POOL_SANITIZED) {
		add_for_presets(story, test_memory_has_nothing_of_the_hosts_environment);
		tcase_add_test(story, test_memory_is_searched);
	} else {
		program_skipped("memory", "a sanitizer's is too much to search");
	}
	add_for_presets(story, test_outcome_names_the_layers);
	add_for_presets(story, test_missing_path_is_named);
	add_for_presets(story, test_planted_link_is_not_followed);
	add_for_presets(story, test_proc_cannot_be_changed);
	add_for_presets(story, test_proc_of_a_task_as_root);
	add_for_presets(story, test_image_is_frozen_under_a_policy);
	add_for_continuing(story, test_initializer_is_refused_and_goes_on);
	add_for_both(story, test_initializer_is_ended);
	add_for_presets(story, test_sharing_compares_policies);
	add_for_presets(story, test_reload_keeps_the_policy);
}

int main(int argc, char **argv) {
	(void)argc;
	return sandboxed_main(argv, "sandbox", add_tests);
}
