/* SPDX-License-Identifier: MIT
 *
 * Story: the kernel lacks something that a sandbox is made of (WF_ABSENT hides it). A strict policy
 * is refused, with the layer's name; best effort opens, its outcomes say what is not in force, and
 * what the other layers hold, they hold.
 *
 * One run for each word of WF_ABSENT that the build file lists.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/sandboxed.h"

#define SECRET "it is under the third stone"

static const struct absence {
	const char *word;
	const char *layer; /* that no strict policy does without; NULL: there is a substitute */
	const char *of_user[6]; /* what goes with it where only a user namespace would give it */
} absences[] = {
	{ "", NULL, { NULL } },
	{ "landlock", "landlock", { NULL } },
	{ "landlock:2", NULL, { NULL } },
	{ "userns", "user", { "mount", "pid", "net", "ipc", "uts", NULL } },
	{ "mount_view", "mount", { NULL } },
	{ "cgroup", NULL, { NULL } },
	{ "seccomp", "seccomp", { NULL } },
	{ "linux-6.1", NULL, { NULL } },
};

static const struct absence *absence;

static bool is_absent(const char *word) {
	return strcmp(absence->word, word) == 0;
}

/* A policy that needs all layers. */
static struct wf_policy *whole_policy(const char *strict) {
	return policy_of("stage", "read", scratch_path("in"), "limits.memory", "64M",
			 "limits.processes", "8", "strict", strict, NULL);
}

static void prepare_files(void) {
	scratch_make_directory("in");
	scratch_make_directory("closed");
	scratch_write("in/a", "alpha");
	scratch_write("closed/secret", SECRET);
}

static bool is_missing(const struct wf_outcome *outcome, const char *layer) {
	const char *missing = strstr(outcome->layers, "not in force: ");

	return missing != NULL && strstr(missing, layer) != NULL;
}

static void expect_refused(struct wf_policy *policy, const char *name) {
	const struct wf_executor_options options = sandboxed_options(FRESH, policy);
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(&options, &executor);

	ck_assert_msg(r == -ENOEXEC, "opened with %d: %s", r, wf_last_error());
	ck_assert_msg(strstr(wf_last_error(), name) != NULL, "no %s in: %s", name, wf_last_error());
	ck_assert_ptr_null(executor);
	wf_policy_free(policy);
}

START_TEST(test_strict_refuses_by_name) {
	struct wf_executor *executor;

	prepare_files();
	if (absence->layer != NULL) {
		expect_refused(whole_policy("yes"), absence->layer);
	} else {
		executor = sandboxed_open(_i, whole_policy("yes"));
		expect_steps(executor, "capabilities; privileges; ppid", "0;1;0");
		pool_close(executor);
	}
}
END_TEST

/* Takes one away. */
static void keep_namespaces(struct wf_policy *policy, const char *without) {
	static const char *const all[] = { "user", "mount", "pid", "net", "ipc", "uts" };

	for (size_t i = 0; i < N_OF(all); i++)
		if (strcmp(all[i], without) != 0)
			policy_add(policy, "namespaces", all[i]);
}

/* Where one layer alone could do something, no substitute for it is pretended. */
START_TEST(test_what_has_no_substitute) {
	static const struct {
		const char *without, *family, *said;
	} cases[] = {
		{ "net", "inet", "landlock: tcp_connect and tcp_bind need" },
		{ "net", "unix", "landlock: without the layer net, abstract" },
		{ "mount", "unix", "landlock: without the layer mount, truncate(2)" },
		{ "pid", "unix", "landlock: without the layer pid, signals" },
	};
	struct wf_policy *policy;

	if (is_absent("cgroup")) {
		policy = policy_of("stage", "limits.processes", "8", "namespaces", "mount", NULL);
		expect_refused(policy, "limits.processes");
	} else if (is_absent("landlock:2") || is_absent("linux-6.1")) {
		for (size_t i = 0; i < N_OF(cases); i++) {
			policy = policy_of("stage", "socket", cases[i].family, NULL);
			if (strcmp(cases[i].family, "inet") == 0)
				policy_add(policy, "tcp_connect", "443");
			keep_namespaces(policy, cases[i].without);
			expect_refused(policy, cases[i].said);
		}
	}
}
END_TEST

static void check_layers(const struct wf_outcome *outcome) {
	const char *missing = strstr(outcome->layers, "not in force: ");

	if (absence->layer == NULL) {
		/* ordinary users have no control group as a rule */
		ck_assert_msg(missing == NULL || strcmp(missing, "not in force: cgroup") == 0, "%s",
			      outcome->layers);
		ck_assert_msg(!is_absent("cgroup") || missing != NULL, "%s", outcome->layers);
		return;
	}
	ck_assert_msg(is_missing(outcome, absence->layer), "%s", outcome->layers);
	for (size_t i = 0; geteuid() != 0 && absence->of_user[i] != NULL; i++)
		ck_assert_msg(is_missing(outcome, absence->of_user[i]), "%s", outcome->layers);
}

START_TEST(test_best_effort_says_what_is_missing) {
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;

	prepare_files();
	executor = sandboxed_open(_i, whole_policy("no"));
	future = pool_call(executor, "try", "capabilities; privileges");
	outcome = pool_wait(future);
	expect_text(outcome, "0;1");
	check_layers(outcome);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* With any one of the layers missing. */
START_TEST(test_files_stay_out_of_reach) {
	struct wf_executor *executor;
	char steps[1024], said[256];

	prepare_files();
	executor = sandboxed_open(_i, whole_policy("no"));
	snprintf(steps, sizeof steps, "read %s; read %s; write %s x; list %s", scratch_path("in/a"),
		 scratch_path("closed/secret"), scratch_path("closed/secret"),
		 scratch_path("closed"));
	sandboxed_ask(executor, steps, said, sizeof said);
	ck_assert_msg(strncmp(said, "alpha;E", 7) == 0, "%s", said);
	ck_assert_ptr_null(strstr(said, "ok"));
	ck_assert_ptr_null(strstr(said, SECRET));
	scratch_expect("closed/secret", SECRET);
	pool_close(executor);
}
END_TEST

START_TEST(test_calls_stay_refused) {
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;

	prepare_files();
	executor = sandboxed_open(_i, whole_policy("no"));
	future = pool_call(executor, "try", "socket 2; writable_code");
	outcome = pool_wait(future);
	if (is_absent("seccomp")) {
		expect_text(outcome, "ok;ok");
		ck_assert_uint_eq(outcome->n_refusals, 0);
	} else {
		expect_text(outcome, "EPERM;EPERM");
		ck_assert_uint_eq(outcome->n_refusals, 2);
	}
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

START_TEST(test_limits_stay) {
	struct wf_executor *executor;
	struct wf_future *future;
	const struct wf_outcome *outcome;

	prepare_files();
	executor = sandboxed_open(_i, whole_policy("no"));
	future = pool_call(executor, "try", "allocate 256");
	outcome = pool_wait(future);
	if (outcome->kind != WF_MEMORY_LIMIT)
		expect_text(outcome, "ENOMEM");
	wf_future_free(future);
	if (!is_absent("userns") || geteuid() == 0)
		expect_steps(executor, "crowd 100", "7");
	pool_close(executor);
}
END_TEST

static bool find_absence(void) {
	const char *word = getenv("WF_ABSENT");

	for (size_t i = 0; i < N_OF(absences); i++)
		if (strcmp(absences[i].word, word != NULL ? word : "") == 0)
			absence = &absences[i];
	return absence != NULL;
}

int main(int argc, char **argv) {
	TCase *story;
	int r = sandboxed_begin_without(argv);

	(void)argc;
	if (r >= 0)
		return r;
	if (!find_absence()) {
		printf("1..0 # SKIP what WF_ABSENT hides is nothing that this story tells of\n");
		return 0;
	}
	story = sandboxed_case("degraded");
	add_for_both(story, test_strict_refuses_by_name);
	tcase_add_test(story, test_what_has_no_substitute);
	add_for_both(story, test_best_effort_says_what_is_missing);
	add_for_both(story, test_files_stay_out_of_reach);
	add_for_both(story, test_calls_stay_refused);
	add_for_both(story, test_limits_stay);
	return fixture_run("degraded", story);
}
