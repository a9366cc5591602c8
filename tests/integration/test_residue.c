/* SPDX-License-Identifier: MIT
 *
 * Story: a task changes what belongs to its whole process, and the next one sees nothing of it.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/support/number.h"
#include "tests/support/pool.h"

static const struct {
	const char *what;
	bool restored; /* in a reused worker: the same process serves on */
} dirts[] = {
	{ "environment", true }, { "directory", true }, { "umask", true },    { "stdio", true },
	{ "affinity", true },    { "limits", true },    { "handlers", true }, { "mask", true },
	{ "timer", true },       { "child", true },     { "hard", false },    { "nice", false },
	{ "thread", false },     { "all", false },
};
#define N_DIRTS (sizeof dirts / sizeof dirts[0])

static struct wf_executor *open_single(int regime) {
	struct wf_executor_options options = pool_options(regime);

	options.workers = 1;
	return pool_open(&options);
}

static void ask_look(struct wf_executor *executor, char *text, size_t size) {
	pool_ask(executor, "look", "", text, size);
}

/* Tells the line in which two looks differ. */
static void expect_same(const char *before, const char *after) {
	size_t line = 0, i = 0;

	for (; before[i] == after[i] && before[i] != '\0'; i++)
		line = before[i] == '\n' ? i + 1 : line;
	ck_assert_msg(before[i] == after[i], "before: %.*s; after: %.*s",
		      (int)strcspn(before + line, "\n"), before + line,
		      (int)strcspn(after + line, "\n"), after + line);
}

/* Both regimes, each dirt: the loop index is regime * N_DIRTS + dirt. */
START_TEST(test_next_task_sees_nothing) {
	static char before[65536], after[65536];
	const int regime = _i / (int)N_DIRTS;
	const size_t dirt = (size_t)_i % N_DIRTS;
	struct wf_executor *executor = open_single(regime);
	char dirtied[32];
	pid_t pid;

	ask_look(executor, before, sizeof before);
	pool_ask(executor, "dirty", dirts[dirt].what, dirtied, sizeof dirtied);
	ask_look(executor, after, sizeof after);
	expect_same(before, after);
	pid = pool_ask_pid(executor);
	if (regime == REUSED && dirts[dirt].restored)
		ck_assert_int_eq(pid, (pid_t)number_at(dirtied, NULL));
	else
		ck_assert_int_ne(pid, (pid_t)number_at(dirtied, NULL));
	pool_close(executor);
}
END_TEST

/* The task dies of its own dirt; its successor is a new process and as clean. */
START_TEST(test_next_worker_sees_nothing) {
	static char before[65536], after[65536];
	struct wf_executor *executor = open_single(_i);
	struct wf_future *future;

	ask_look(executor, before, sizeof before);
	future = pool_call(executor, "script", "dirty all; exit 1");
	expect_exited(pool_wait(future), 1);
	wf_future_free(future);
	ask_look(executor, after, sizeof after);
	expect_same(before, after);
	pool_close(executor);
}
END_TEST

/* What a context sets is put back as well. */
START_TEST(test_context_is_put_back) {
	static char before[65536], during[65536], after[65536];
	struct wf_executor *executor = open_single(_i);
	const char *const environment[] = { "TOY_CONTEXT=yes", "PATH=/nowhere", NULL };
	const struct wf_rlimit limit = { .resource = RLIMIT_NOFILE, .soft = 64 };
	const struct wf_context context =
	    WF_CONTEXT(.environment = environment, .clear_environment = true, .directory = "/usr",
		       .set_umask = true, .umask = 0123,
		       .standard_output = { .mode = WF_STDIO_CAPTURE }, .rlimits = &limit,
		       .n_rlimits = 1, .cpus = (const unsigned[]){ 0 }, .n_cpus = 1);
	const struct wf_task task = WF_TASK(.function = "look", .context = &context);
	struct wf_future *future;

	ask_look(executor, before, sizeof before);
	future = pool_submit(executor, &task);
	expect_kind(pool_wait(future), WF_RETURNED);
	memcpy(during, wf_future_outcome(future)->returned.data,
	       wf_future_outcome(future)->returned.size);
	ck_assert_ptr_nonnull(strstr(during, "environment TOY_CONTEXT=yes\n"));
	ck_assert_ptr_null(strstr(during, "environment HOME="));
	ck_assert_ptr_nonnull(strstr(during, "directory /usr\n"));
	ck_assert_ptr_nonnull(strstr(during, "umask 123\n"));
	ck_assert_ptr_nonnull(strstr(during, "limit 7 64 "));
	ck_assert_ptr_nonnull(strstr(during, "affinity 0\n"));
	ask_look(executor, after, sizeof after);
	expect_same(before, after);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("residue");

	setenv("HOME", "/", 0); /* so that there is something to take away */
	tcase_add_loop_test(story, test_next_task_sees_nothing, 0, 2 * (int)N_DIRTS);
	add_for_both(story, test_next_worker_sees_nothing);
	add_for_both(story, test_context_is_put_back);
	return fixture_run("residue", story);
}
