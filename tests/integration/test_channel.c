/* SPDX-License-Identifier: MIT
 *
 * Story: a task abuses the channel of its worker; that costs it the worker, and nobody else
 * anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/pool.h"

/* Another task runs beside the abuser and must not notice. */
static void check_abuse(int regime, const char *script) {
	struct wf_executor *executor = pool_open_regime(regime);
	struct wf_future *innocent, *abuser;
	struct cord cord;

	cord_open(&cord);
	innocent = cord_call(&cord, executor, "script", "started; wait; echo innocent");
	cord_expect(&cord, "started");
	abuser = pool_call(executor, "script", script);
	expect_killed(pool_wait(abuser), WF_BY_PROTOCOL);
	pool_check_works(executor);
	cord_release(&cord);
	expect_text(pool_wait(innocent), "innocent");
	wf_future_free(abuser);
	wf_future_free(innocent);
	cord_close(&cord);
	pool_close(executor);
}

START_TEST(test_task_closes_its_channel_and_returns) {
	check_abuse(_i, "close_channel");
}
END_TEST

START_TEST(test_task_closes_its_channel_and_hangs) {
	check_abuse(_i, "deaf; close_channel; hang");
}
END_TEST

START_TEST(test_task_floods_its_channel_with_garbage) {
	check_abuse(_i, "flood_channel garbage; hang");
}
END_TEST

START_TEST(test_task_floods_its_channel_with_nothing) {
	check_abuse(_i, "flood_channel empty; hang");
}
END_TEST

START_TEST(test_task_shuts_its_channel_down_and_returns) {
	check_abuse(_i, "shutdown_channel");
}
END_TEST

START_TEST(test_task_replaces_its_channel_and_returns) {
	check_abuse(_i, "replace_channel");
}
END_TEST

/* The host reads there: without the file's pages it would die of SIGBUS. */
START_TEST(test_task_cannot_take_the_hosts_memory_away) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_future *future = pool_call(executor, "script", "truncate_cells");
	const struct wf_outcome *outcome = pool_wait(future);

	pool_check_works(executor);
	if (outcome->returned.size != strlen("not found")) /* a task may not find it */
		expect_text(outcome, "refused");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

#define SYS_MSEAL 462
#define PAGE      4096

static bool can_seal(void) {
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return getenv("WF_ABSENT") == NULL && page != MAP_FAILED &&
	       syscall(SYS_MSEAL, page, PAGE, 0) == 0 &&
	       mremap(page, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED;
}

START_TEST(test_task_cannot_reach_the_cells_of_others) {
	struct wf_executor *executor;
	struct wf_future *future;

	if (!can_seal()) {
		printf("# skipped: no mapping can be sealed here, which takes Linux 6.12\n");
		return;
	}
	executor = pool_open_regime(_i);
	future = pool_call(executor, "script", "grow_cell");
	expect_text(pool_wait(future), "refused");
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

/* --- a task that says that it has not started --- */

static struct wf_future *call_liar(struct cord *cord, struct wf_executor *executor,
				   const char *script, int timeout_ms) {
	struct wf_task task = WF_TASK(.function = "script", .input = script,
				      .input_size = strlen(script), .timeout_ms = timeout_ms);
	struct wf_future *future;

	cord_open(cord);
	future = cord_submit(cord, executor, &task);
	cord_expect(cord, "started");
	return future;
}

/* Nobody else has begun it, and nobody will: the last who could say so has ended. */
static void expect_no_second_start(struct cord *cord, struct wf_future *future) {
	char byte;

	ck_assert_uint_eq(wf_future_outcome(future)->attempts, 1);
	wf_future_free(future); /* which has the descriptors of its task */
	ck_assert_int_eq(read(cord->report, &byte, 1), 0);
	cord_close(cord);
}

START_TEST(test_clock_strikes_a_task_that_hides) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct cord cord;
	struct wf_future *future = call_liar(&cord, executor, "unclaim; started; hang", 500);

	ck_assert_int_eq(wf_future_cancel(future), -EBUSY);
	expect_timed_out(pool_wait(future), WF_CLOCK_RUN);
	expect_no_second_start(&cord, future);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_task_that_hides_is_started_once) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct cord cord;
	struct wf_future *future = call_liar(&cord, executor, "started; unclaim; exit 3", 0);

	expect_exited(pool_wait(future), 3);
	expect_no_second_start(&cord, future);
	pool_check_works(executor);
	pool_close(executor);
}
END_TEST

START_TEST(test_tasks_after_the_abuser_run_elsewhere) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_future *abuser, *next[4];
	struct wf_executor *executor;

	options.workers = 1;
	options.tuning.hand_ahead = 4;
	executor = pool_open(&options);
	abuser = pool_call(executor, "script", "close_channel; hang");
	for (size_t i = 0; i < 4; i++)
		next[i] = pool_call(executor, "echo", "next");
	expect_killed(pool_wait(abuser), WF_BY_PROTOCOL);
	for (size_t i = 0; i < 4; i++) {
		expect_text(pool_wait(next[i]), "next");
		ck_assert_int_ne(wf_future_outcome(next[i])->pid, wf_future_outcome(abuser)->pid);
		wf_future_free(next[i]);
	}
	wf_future_free(abuser);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("channel");

	add_for_both(story, test_task_closes_its_channel_and_returns);
	add_for_both(story, test_task_closes_its_channel_and_hangs);
	add_for_both(story, test_task_floods_its_channel_with_garbage);
	add_for_both(story, test_task_floods_its_channel_with_nothing);
	add_for_both(story, test_task_shuts_its_channel_down_and_returns);
	add_for_both(story, test_task_replaces_its_channel_and_returns);
	add_for_both(story, test_task_cannot_take_the_hosts_memory_away);
	add_for_both(story, test_task_cannot_reach_the_cells_of_others);
	add_for_both(story, test_clock_strikes_a_task_that_hides);
	add_for_both(story, test_task_that_hides_is_started_once);
	add_for_both(story, test_tasks_after_the_abuser_run_elsewhere);
	return fixture_run("channel", story);
}
