/* SPDX-License-Identifier: MIT
 *
 * A program that is its own image (WF_IMAGE_SELF); argv[1] says what it does. Exit status 0: all
 * went well; 1: it did not, and stderr says what; PROGRAM_CANNOT: this machine does not let it try.
 * It prints "main" when it gets past wf_init(): once, or it has been taken for what it is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <warmfork/executor.h>
#include <warmfork/policy.h>
#include <warmfork/task.h>

#include "tests/support/complain.h"
#include "tests/support/program.h"
#include "tests/support/search.h"

/* --- a pool of this program --- */

static struct wf_executor_options options_for(int max_tasks) {
	return WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_SELF, .helper = getenv("WARMFORK_HELPER"),
				   .workers = 1, .max_tasks_per_worker = max_tasks,
				   .spares = WF_NO_SPARES);
}

/* Calls, expects it to return an int, and gives that. */
static int ask(struct wf_executor *executor, const char *function) {
	struct wf_future *future = NULL;
	int answer;

	expect(wf_submit(executor, &WF_TASK(.function = function), &future) == 0);
	const struct wf_outcome *outcome = wf_future_wait(future, CAP_MS);
	expect(outcome);
	if (outcome->kind != WF_RETURNED) {
		char text[1024];

		wf_outcome_describe(outcome, text, sizeof text);
		fprintf(stderr, "%s: %s\n", function, text);
	}
	expect(outcome->kind == WF_RETURNED && outcome->returned.size == sizeof answer);
	memcpy(&answer, outcome->returned.data, sizeof answer);
	wf_future_free(future);
	return answer;
}

static void close_pool(struct wf_executor *executor) {
	expect(wf_executor_close(executor, WF_CLOSE_FINISH) == 0);
	wf_executor_free(executor);
}

/* --- tasks: each returns an int --- */

static int warmth; /* set by the preload */

static int warm_up(const struct wf_preload_info *info) {
	(void)info;
	warmth = 37;
	return 0;
}

static int return_int(struct wf_call *call, int number) {
	return wf_return(call, &number, sizeof number);
}

static int is_warm(struct wf_call *call) {
	return return_int(call, warmth);
}

/* How many variables there are that the host did not have, but for the depth. */
static int count_variables(struct wf_call *call) {
	int n = 0;

	for (char **variable = environ; *variable; variable++)
		n += strncmp(*variable, "WARMFORK_DEPTH=", 15) != 0;
	return return_int(call, n);
}

/* The program itself, which is the image, does not hold it. */
static const char masked_secret[] = "yzmpqipof.53";

static int count_secrets(struct wf_call *call) {
	return return_int(call, search_memory(masked_secret));
}

static int count_descriptors(struct wf_call *call) {
	int n = 0;

	for (int fd = 3; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return return_int(call, n);
}

/* The exit status of this program, started once more as an ordinary child, which opens a pool. */
static int run_child(struct wf_call *call) {
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "self_host", "is-child", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return wf_fail(call, errno, "no child");
	return return_int(call, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

/* How many pools fit below this task: it opens one, whose task does the same. */
static int nest(struct wf_call *call) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(&options, &executor), below;

	if (r == -ELOOP)
		return return_int(call, 0);
	if (r)
		return wf_fail(call, -r, "%s", wf_last_error());
	below = ask(executor, "nest");
	close_pool(executor);
	return return_int(call, 1 + below);
}

static const struct wf_module module = {
	.size = sizeof module,
	.preload = warm_up,
	.functions = WF_FUNCTIONS({ "is_warm", is_warm }, { "count_variables", count_variables },
				  { "count_secrets", count_secrets },
				  { "count_descriptors", count_descriptors },
				  { "run_child", run_child }, { "nest", nest }),
};

/* --- what it does --- */

static int runs_tasks(void) {
	int variables = 0;

	for (char **variable = environ; *variable; variable++)
		variables++;
	for (int max_tasks = 0; max_tasks < 2; max_tasks++) {
		const struct wf_executor_options options = options_for(max_tasks);
		struct wf_executor *executor = NULL;

		expect(wf_executor_open(&options, &executor) == 0);
		for (int i = 0; i < 3; i++) {
			expect(ask(executor, "is_warm") == 37);
			expect(ask(executor, "count_variables") == variables);
		}
		expect(warmth == 0);
		expect(wf_executor_reload(executor) == 0);
		expect(ask(executor, "is_warm") == 37);
		close_pool(executor);
	}
	return 0;
}

/* Descriptors that the host left open, even on the number of the zygote's socket, are its own. */
static int keeps_descriptors(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == 0);
	const int before = ask(executor, "count_descriptors");
	close_pool(executor);
	for (int i = 0; i < 20; i++)
		expect(dup(STDIN_FILENO) >= 0);
	expect(wf_executor_open(&options, &executor) == 0);
	expect(ask(executor, "count_descriptors") == before);
	close_pool(executor);
	return 0;
}

static int secrets_with(const struct wf_policy *policy) {
	struct wf_executor_options options = options_for(1);
	struct wf_executor *executor = NULL;
	int n;

	options.policy = policy;
	expect(wf_executor_open(&options, &executor) == 0);
	n = ask(executor, "count_secrets");
	close_pool(executor);
	return n;
}

/* A secret of its environment: a policy keeps it from the workers. */
static int has_a_secret(void) {
	struct wf_policy *policy = NULL;
	char secret[sizeof masked_secret] = "";

	for (size_t i = 0; masked_secret[i]; i++)
		secret[i] = (char)(masked_secret[i] - 1);
	expect(setenv("PASSWORD", secret, 1) == 0);
	expect(wf_policy_new("stage", &policy) == 0);
	expect(secrets_with(NULL) > 0);
	expect(secrets_with(policy) == 0);
	wf_policy_free(policy);
	return 0;
}

static int runs_children(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == 0);
	expect(ask(executor, "run_child") == 0);
	expect(ask(executor, "run_child") == 0);
	close_pool(executor);
	return 0;
}

static int is_child(void) {
	const struct wf_executor_options options = options_for(1);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == 0);
	expect(ask(executor, "is_warm") == 37);
	close_pool(executor);
	return 0;
}

static int nests_pools(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == 0);
	expect(1 + ask(executor, "nest") == WF_MAX_DEPTH);
	expect(ask(executor, "is_warm") == 37);
	close_pool(executor);
	return 0;
}

/* WF_IMAGE_SELF and a module contradict each other. */
static int names_a_module(void) {
	struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	options.module = getenv("TOY_MORE");
	expect(wf_executor_open(&options, &executor) == -EINVAL);
	expect(!executor);
	return 0;
}

static int has_a_bad_table(int argc, char **argv) {
	const struct wf_module twice = {
		.size = sizeof twice,
		.functions = WF_FUNCTIONS({ "same", is_warm }, { "same", nest }),
	};
	const struct wf_module none = { .size = sizeof none };
	const struct wf_module small = { .size = 1, .functions = WF_FUNCTIONS({ "x", nest }) };

	expect(wf_init(argc, argv, NULL) == -EINVAL);
	expect(wf_init(argc, argv, &twice) == -EINVAL);
	expect(wf_init(argc, argv, &none) == -EINVAL);
	expect(wf_init(argc, argv, &small) == -EINVAL);
	return 0;
}

/* It asks for itself, but has never called wf_init(). */
static int forgets_to_init(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == -EINVAL);
	expect(strstr(wf_last_error(), "wf_init"));
	expect(!executor);
	return 0;
}

static const struct wf_module broken = { .size = sizeof broken };

/* The table that it gives to wf_init() is good in this process, and bad in the zygote. */
static int loses_its_table(void) {
	const struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	expect(wf_executor_open(&options, &executor) == -ENOEXEC);
	expect(strstr(wf_last_error(), "cannot be a zygote"));
	expect(!executor);
	return 0;
}

/* A set-uid program is refused, whatever its image. */
static int is_privileged(void) {
	struct wf_executor_options options = options_for(0);
	struct wf_executor *executor = NULL;

	if (!getauxval(AT_SECURE))
		_exit(PROGRAM_CANNOT);
	expect(wf_executor_open(&options, &executor) == -EPERM);
	expect(!executor);
	options.image = WF_IMAGE_MODULE;
	options.module = getenv("TOY_MORE");
	expect(wf_executor_open(&options, &executor) == -EPERM);
	expect(strstr(wf_last_error(), "set-uid"));
	_exit(0); /* a leak checker may not look into a set-uid program */
}

/* Becomes nobody and starts the set-uid copy argv[2]. */
static int starts_privileged(char **argv) {
	expect(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
	execl(argv[2], argv[2], "is-privileged", (char *)NULL);
	return PROGRAM_CANNOT;
}

int main(int argc, char **argv) {
	static const struct {
		const char *name;
		int (*run)(void);
	} modes[] = {
		{ "runs-tasks", runs_tasks },       { "keeps-descriptors", keeps_descriptors },
		{ "runs-children", runs_children }, { "is-child", is_child },
		{ "nests-pools", nests_pools },     { "names-a-module", names_a_module },
		{ "is-privileged", is_privileged }, { "loses-its-table", loses_its_table },
		{ "has-a-secret", has_a_secret },
	};

	if (argc == 2 && strcmp(argv[1], "has-a-bad-table") == 0)
		return has_a_bad_table(argc, argv);
	if (argc == 2 && strcmp(argv[1], "forgets-to-init") == 0)
		return forgets_to_init();
	if (argc == 2 && strcmp(argv[1], "loses-its-table") == 0)
		setenv("TEST_LOSES_ITS_TABLE", "yes", 1);
	else if (getenv("TEST_LOSES_ITS_TABLE"))
		(void)wf_init(argc, argv, &broken); /* it returns only if it fails */
	expect(wf_init(argc, argv, &module) == 0);
	expect(printf("main\n") > 0 && fflush(stdout) == 0);
	if (argc == 3 && strcmp(argv[1], "starts-privileged") == 0)
		return starts_privileged(argv);
	for (size_t i = 0; argc == 2 && i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	fprintf(stderr, "usage: %s MODE\n", argv[0]);
	return 2;
}
