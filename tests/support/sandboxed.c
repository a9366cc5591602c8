/* SPDX-License-Identifier: MIT
 *
 * Pools under a policy. Workers of root are nobody, so what is for them is for everybody.
 */
#include "tests/support/sandboxed.h"

#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/number.h"

/* --- policies --- */

void policy_add(struct wf_policy *policy, const char *key, const char *value) {
	int r = wf_policy_add(policy, key, value);

	ck_assert_msg(r == 0, "wf_policy_add(%s, %s): %d: %s", key, value, r, wf_last_error());
}

struct wf_policy *policy_of(const char *preset, ...) {
	struct wf_policy *policy = NULL;
	const char *key, *value;
	va_list arguments;

	ck_assert_int_eq(wf_policy_new(preset, &policy), 0);
	va_start(arguments, preset);
	while ((key = va_arg(arguments, const char *)) != NULL) {
		value = va_arg(arguments, const char *);
		policy_add(policy, key, value);
	}
	va_end(arguments);
	return policy;
}

void policy_add_line(struct wf_policy *policy, const char *preset, const char *line) {
	struct wf_policy *more = NULL;
	char text[8192];
	int r;

	snprintf(text, sizeof text, "preset: %s\n%s\n", preset, line);
	r = wf_policy_parse(text, strlen(text), "the line of an outcome", &more);
	ck_assert_msg(r == 0, "\"%s\" is no policy: %s", line, wf_last_error());
	ck_assert_int_eq(wf_policy_compose(policy, more), 0);
	wf_policy_free(more);
}

/* --- pools --- */

struct wf_executor_options sandboxed_options(int regime, const struct wf_policy *policy) {
	struct wf_executor_options options = pool_options(regime);

	options.module = getenv("TOY_SANDBOX");
	options.policy = policy;
	options.workers = 1;
	return options;
}

struct wf_executor *sandboxed_open(int regime, struct wf_policy *policy) {
	const struct wf_executor_options options = sandboxed_options(regime, policy);
	struct wf_executor *executor = pool_open(&options);

	wf_policy_free(policy);
	return executor;
}

void sandboxed_ask(struct wf_executor *executor, const char *steps, char *answer, size_t size) {
	struct wf_future *future = pool_call(executor, "try", steps);
	const struct wf_outcome *outcome = pool_wait(future);

	ck_assert_msg(outcome->kind == WF_RETURNED, "%s: %s", steps, pool_describe(outcome));
	ck_assert_uint_lt(outcome->returned.size, size);
	memcpy(answer, outcome->returned.data, outcome->returned.size);
	answer[outcome->returned.size] = '\0';
	wf_future_free(future);
}

/* --- refusals --- */

const struct wf_refusal *refusal_of(const struct wf_outcome *outcome, const char *call,
				    const char *path) {
	for (size_t i = 0; i < outcome->n_refusals; i++) {
		const struct wf_refusal *refusal = &outcome->refusals[i];

		if (strcmp(refusal->call, call) == 0 &&
		    (path == NULL || strcmp(refusal->path, path) == 0))
			return refusal;
	}
	return NULL;
}

const char *refusals_describe(const struct wf_outcome *outcome) {
	static char text[8192];
	size_t used = 0;

	snprintf(text, sizeof text, "no refusals");
	for (size_t i = 0; i < outcome->n_refusals && used < sizeof text - 1024; i++) {
		const struct wf_refusal *refusal = &outcome->refusals[i];

		used += (size_t)snprintf(
		    text + used, 1024, "%s(%.300s) of \"%.300s\" %u times: %s; ", refusal->call,
		    refusal->arguments, refusal->path, refusal->count, refusal->allow);
	}
	return text;
}

/* --- files --- */

const char *scratch_path(const char *name) {
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];

	ck_assert_int_eq(chmod(fixture_scratch(), 0777), 0);
	snprintf(path, sizeof paths[0], "%s%s%s", fixture_scratch(), name[0] != '\0' ? "/" : "",
		 name);
	return path;
}

void scratch_write(const char *name, const char *text) {
	int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0666), 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

void scratch_make_directory(const char *name) {
	const char *path = scratch_path(name);

	ck_assert_int_eq(mkdir(path, 0777), 0);
	ck_assert_int_eq(chmod(path, 0777), 0);
}

void scratch_expect(const char *name, const char *text) {
	int fd = open(scratch_path(name), O_RDONLY | O_CLOEXEC);
	char found[1024];
	ssize_t n;

	ck_assert_msg(fd >= 0, "%s is gone", name);
	n = read(fd, found, sizeof found - 1);
	ck_assert_int_ge(n, 0);
	found[n] = '\0';
	close(fd);
	ck_assert_msg(strcmp(found, text) == 0, "%s holds \"%s\", not \"%s\"", name, found, text);
}

void scratch_install(const char *name, const char *program) {
	fixture_copy_file(program, scratch_path(name), O_EXCL, 0755);
}

/* --- an ordinary user --- */

static int skip(const char *reason) {
	printf("1..0 # SKIP %s\n", reason);
	return 0;
}

int sandboxed_begin_without(char **argv) {
	const char *wish = getenv("WF_TEST_USER");
	uid_t user = wish != NULL ? (uid_t)number_at(wish, NULL) : 0;

	if (wish == NULL || (geteuid() == user && getenv("WF_TEST_BECOME") != NULL))
		return -1;
	if (geteuid() != 0)
		return skip("it runs as an ordinary user anyway");
	setenv("WF_TEST_BECOME", "done", 1);
	if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0)
		return skip("root may not become an ordinary user here");
	if (access(getenv("TOY_SANDBOX"), R_OK) == 0 &&
	    access(getenv("WARMFORK_HELPER"), X_OK) == 0)
		execv("/proc/self/exe", argv);
	return skip("an ordinary user cannot read the build directory");
}

static bool hides_a_layer(const char *words) {
	static const char *const layers[] = { "landlock", "userns", "mount_view", "cgroup",
					      "seccomp" };

	while (*words != '\0') {
		size_t length = strcspn(words, ",");

		for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
			if (strlen(layers[i]) == length && memcmp(words, layers[i], length) == 0)
				return true;
		words += length + (words[length] == ',' ? 1 : 0);
	}
	return false;
}

TCase *sandboxed_case(const char *name) {
	setenv("TMPDIR", "/var/tmp", 1);
	return fixture_case(name);
}

int sandboxed_main(char **argv, const char *name, void (*add)(TCase *story)) {
	const char *absent = getenv("WF_ABSENT");
	TCase *story;
	int r;

	if (absent != NULL && hides_a_layer(absent))
		return skip("WF_ABSENT hides a layer: that is the story degraded");
	r = sandboxed_begin_without(argv);
	if (r >= 0)
		return r;
	story = sandboxed_case(name);
	add(story);
	return fixture_run(name, story);
}
