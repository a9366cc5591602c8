/* SPDX-License-Identifier: MIT
 *
 * Story: workers that are parked are prepared: on their CPU, with the pages copied that tasks
 * usually write to; and whoever looks for a while before he sleeps finds the same answers.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/more.h"
#include "tests/support/toy_heavy.h"

/* No sanitizer's shadow memory can be moved: test_frozen.c shows that it is refused. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IMAGES_FREEZE false
#else
#define IMAGES_FREEZE true
#endif

/* The thread sanitizer keeps a signal until the next call that it intercepts. */
#if defined(__SANITIZE_THREAD__)
#define SIGNALS_INTERRUPT false
#else
#define SIGNALS_INTERRUPT true
#endif

/* --- pages copied ahead ---------------------------------------------------------------------- */

static struct wf_executor *touching_open(bool ahead) {
	struct wf_executor_options options = pool_options(FRESH);

	options.module = getenv("TOY_HEAVY");
	options.freeze = WF_FREEZE_ALWAYS;
	options.workers = options.spares = 1;
	options.tuning.touch_ahead = ahead;
	return pool_open(&options);
}

static bool is_parked(const struct wf_statistics *statistics) {
	return statistics->spares > 0;
}

/* How many faults a task takes that writes to HEAVY_WRITTEN pages, in a worker that was parked. */
static uint64_t count_faults(struct wf_executor *executor) {
	uint64_t faults;

	pool_await(executor, is_parked);
	more_ask(executor, "write_pages", NULL, 0, &faults, sizeof faults);
	return faults;
}

START_TEST(test_pages_are_copied_ahead) {
	struct wf_executor *executor = touching_open(true);
	uint64_t faults = count_faults(executor);

	ck_assert_uint_ge(faults, HEAVY_WRITTEN);
	for (int i = 0; i < 100 && faults >= HEAVY_WRITTEN; i++)
		faults = count_faults(executor);
	ck_assert_uint_lt(faults, HEAVY_WRITTEN / 2);
	pool_close(executor);
}
END_TEST

START_TEST(test_pages_are_not_copied_unasked) {
	struct wf_executor *executor = touching_open(false);

	for (int i = 0; i < 20; i++)
		ck_assert_uint_ge(count_faults(executor), HEAVY_WRITTEN);
	pool_close(executor);
}
END_TEST

/* --- a CPU for each -------------------------------------------------------------------------- */

static int cpu_number(const cpu_set_t *set, int n) {
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && n-- == 0)
			return (int)cpu;
	return -1;
}

START_TEST(test_workers_are_spread) {
	struct wf_executor_options options = more_options(_i);
	cpu_set_t ours, its;

	ck_assert_int_eq(sched_getaffinity(0, sizeof ours, &ours), 0);
	options.workers = CPU_COUNT(&ours) + 1;
	options.tuning.placement = WF_PLACE_SPREAD;
	struct wf_executor *executor = pool_open(&options);

	for (int i = 0; i < 4 * options.workers; i++) {
		struct wf_future *future = more_call(executor, "cpus", NULL, 0);
		const struct wf_outcome *outcome = pool_wait(future);

		expect_kind(outcome, WF_RETURNED);
		ck_assert_uint_eq(outcome->returned.size, sizeof its);
		memcpy(&its, outcome->returned.data, sizeof its);
		ck_assert_int_eq(CPU_COUNT(&its), 1);
		ck_assert_int_eq(cpu_number(&its, 0),
				 cpu_number(&ours, outcome->slot % CPU_COUNT(&ours)));
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_workers_are_anywhere_by_default) {
	struct wf_executor *executor = more_open(_i);
	cpu_set_t ours, its;

	ck_assert_int_eq(sched_getaffinity(0, sizeof ours, &ours), 0);
	more_ask(executor, "cpus", NULL, 0, &its, sizeof its);
	ck_assert(CPU_EQUAL(&ours, &its));
	pool_close(executor);
}
END_TEST

/* --- looking before sleeping ----------------------------------------------------------------- */

START_TEST(test_who_spins_gets_the_same_answers) {
	struct wf_executor_options options = pool_options(_i % 2);

	options.tuning.spin_us = WF_MAX_SPIN_US;
	options.caller_driven = _i >= 2;
	struct wf_executor *executor = pool_open(&options);

	for (int i = 0; i < 50; i++)
		pool_check_works(executor);
	pool_close(executor);
}
END_TEST

/* --- the tripwire ---------------------------------------------------------------------------- */

/* A system call in a handler that blocks SIGSYS would kill, if the tripwire were laid. */
START_TEST(test_handlers_may_block_all_signals) {
	struct wf_executor_options options = pool_options(REUSED);

	options.module = getenv("TOY_HEAVY");
	options.freeze = WF_FREEZE_NEVER;
	options.preload_argument = "little masking";
	options.preload_argument_size = strlen("little masking");
	struct wf_executor *executor = pool_open(&options);

	for (int i = 0; i < 20; i++) {
		struct wf_future *future = pool_call(executor, "wait_for_bell", "");

		expect_text(pool_wait(future), "rung");
		wf_future_free(future);
	}
	ck_assert_uint_eq(pool_statistics(executor).worker_deaths_signal, 0);
	pool_close(executor);
}
END_TEST

/* --- spares ---------------------------------------------------------------------------------- */

static bool are_parked(const struct wf_statistics *statistics) {
	return statistics->spares >= 4;
}

/* What is refilled later is refilled, and nobody waits for it who need not. */
START_TEST(test_spares_come_back) {
	struct wf_executor_options options = pool_options(FRESH);

	options.workers = options.spares = 4;
	struct wf_executor *executor = pool_open(&options);

	for (int i = 0; i < 10; i++) {
		pool_await(executor, are_parked);
		for (int j = 0; j < 9; j++)
			pool_check_works(executor);
	}
	pool_close(executor);
}
END_TEST

/* Workers that are parked behind a busy one are no use to tasks that have empty slots to go to. */
START_TEST(test_a_busy_slot_keeps_nobody_waiting) {
	struct wf_executor_options options = more_options(FRESH);
	struct wf_future *futures[8];
	struct cord cord;

	options.workers = 4;
	options.spares = _i ? 1 : WF_NO_SPARES;
	struct wf_executor *executor = pool_open(&options);
	struct wf_future *busy = more_gate(&cord, executor);

	(void)more_gate_started(&cord);
	for (size_t i = 0; i < 8; i++)
		futures[i] = more_call(executor, "echo", "x", 1);
	for (size_t i = 0; i < 8; i++)
		more_finish(futures[i]);
	cord_release(&cord);
	more_finish(busy);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("parked");

	if (IMAGES_FREEZE) {
		tcase_add_test(test_case, test_pages_are_copied_ahead);
		tcase_add_test(test_case, test_pages_are_not_copied_unasked);
	}
	add_for_both(test_case, test_workers_are_spread);
	add_for_both(test_case, test_workers_are_anywhere_by_default);
	tcase_add_loop_test(test_case, test_who_spins_gets_the_same_answers, 0, 4);
	if (SIGNALS_INTERRUPT)
		tcase_add_test(test_case, test_handlers_may_block_all_signals);
	tcase_add_test(test_case, test_spares_come_back);
	tcase_add_loop_test(test_case, test_a_busy_slot_keeps_nobody_waiting, 0, 2);
	return fixture_run("parked", test_case);
}
