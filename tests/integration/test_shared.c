/* SPDX-License-Identifier: MIT
 *
 * Story: the executor that a process shares, and executors that open and close under everyone's
 * feet.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/more.h"

#define N_THREADS 10

static struct wf_executor *share(const struct wf_executor_options *options, bool *ret_reused) {
	struct wf_executor *executor = NULL;
	int r = wf_executor_shared(options, &executor, ret_reused);

	ck_assert_msg(r == 0, "wf_executor_shared: %d: %s", r, wf_last_error());
	ck_assert_ptr_nonnull(executor);
	return executor;
}

/* The process keeps the newest until it is closed. */
static void end_sharing(struct wf_executor *executor) {
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	wf_executor_free(executor);
}

/* --- one thread --- */

START_TEST(test_equal_options_give_the_same_pool) {
	const struct wf_executor_options options = more_options(_i);
	struct wf_executor_options equal = more_options(_i);
	char module[4096], argument[] = "none", same[] = "none";
	struct wf_executor_options with_argument = options;
	bool reused = true;

	/* compared by content, not by address */
	snprintf(module, sizeof module, "%s", options.module);
	equal.module = module;
	struct wf_executor *first = share(&options, &reused);
	ck_assert_int_eq(reused, false);
	const pid_t keeper = pool_statistics(first).keeper_pid;
	struct wf_executor *second = share(&equal, &reused);
	ck_assert_int_eq(reused, true);
	ck_assert_int_eq(pool_statistics(second).keeper_pid, keeper);
	wf_executor_free(first);
	pool_check_works(second);

	with_argument.preload_argument = argument;
	with_argument.preload_argument_size = sizeof argument;
	struct wf_executor *other = share(&with_argument, &reused);
	ck_assert_int_eq(reused, false);
	with_argument.preload_argument = same;
	struct wf_executor *another = share(&with_argument, NULL);
	ck_assert_int_eq(pool_statistics(another).keeper_pid, pool_statistics(other).keeper_pid);
	pool_check_works(second);
	wf_executor_free(second);
	wf_executor_free(other);
	pool_check_works(another);
	end_sharing(another);
}
END_TEST

START_TEST(test_other_number_of_workers_resizes) {
	struct wf_executor_options options = more_options(_i);
	bool reused = false;
	struct wf_executor *first = share(&options, NULL);

	options.workers = 5;
	struct wf_executor *second = share(&options, &reused);
	ck_assert_int_eq(reused, true);
	ck_assert_uint_eq(pool_statistics(first).workers, 5);
	wf_executor_free(first);
	end_sharing(second);
}
END_TEST

/* The shared executor stays open when all have given it back. */
START_TEST(test_pool_stays_warm_when_nobody_holds_it) {
	const struct wf_executor_options options = more_options(_i);
	struct wf_executor *executor = share(&options, NULL);
	const pid_t zygote = pool_statistics(executor).zygote_pid;
	bool reused = false;

	wf_executor_free(executor);
	executor = share(&options, &reused);
	ck_assert_int_eq(reused, true);
	ck_assert_int_eq(pool_statistics(executor).zygote_pid, zygote);
	pool_check_works(executor);
	end_sharing(executor);
}
END_TEST

/* The last owner of one that was replaced waits for what is queued; then nothing of it is left. */
START_TEST(test_replaced_pool_finishes_its_work) {
	const struct wf_executor_options options = more_options(_i);
	struct wf_executor_options other = more_options(_i);
	struct wf_executor *executor = share(&options, NULL);
	struct wf_future *futures[30];
	static struct watch processes;

	other.name = "another";
	struct wf_executor *newest = share(&other, NULL);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "echo", "done");
	pool_watch(executor, &processes);
	wf_executor_free(executor);
	ck_assert_uint_eq(watch_alive(&processes), 0);
	watch_clear(&processes);
	for (size_t i = 0; i < N_OF(futures); i++) {
		ck_assert_ptr_nonnull(wf_future_outcome(futures[i]));
		expect_text(wf_future_outcome(futures[i]), "done");
		wf_future_free(futures[i]);
	}
	pool_check_works(newest);
	end_sharing(newest);
}
END_TEST

/* A shared executor that somebody has closed is replaced by the next who asks. */
START_TEST(test_closed_shared_executor_is_replaced) {
	const struct wf_executor_options options = more_options(_i);
	struct wf_executor *closed = share(&options, NULL);
	bool reused = true;

	ck_assert_int_eq(wf_executor_close(closed, WF_CLOSE_FINISH), 0);
	struct wf_executor *executor = share(&options, &reused);
	ck_assert_int_eq(reused, false);
	pool_check_works(executor);
	wf_executor_free(closed);
	pool_check_works(executor);
	end_sharing(executor);
}
END_TEST

/* --- ten threads --- */

/* A thread asserts nothing: it counts what went right. */
struct sharer {
	pthread_t thread;
	const struct wf_executor_options *options;
	size_t n_options;
	unsigned seed;
	int rounds;
	int opened, submitted, returned, reused;
	char trouble[512];
};

static void share_once(struct sharer *sharer) {
	const size_t which = (size_t)rand_r(&sharer->seed) % sharer->n_options;
	const struct wf_task task =
	    WF_TASK(.function = "echo", .input = &which, .input_size = sizeof which);
	struct wf_executor *executor;
	struct wf_future *future;
	bool reused;
	int r = wf_executor_shared(&sharer->options[which], &executor, &reused);

	if (r) {
		snprintf(sharer->trouble, sizeof sharer->trouble, "shared: %d: %s", r,
			 wf_last_error());
		return;
	}
	sharer->opened++;
	sharer->reused += reused;
	r = wf_submit(executor, &task, &future);
	if (r) {
		snprintf(sharer->trouble, sizeof sharer->trouble, "submit: %d: %s", r,
			 wf_last_error());
	} else {
		const struct wf_outcome *outcome = wf_future_wait(future, FIXTURE_CAP_MS);

		sharer->submitted++;
		sharer->returned += outcome && outcome->kind == WF_RETURNED;
		wf_future_free(future);
	}
	wf_executor_free(executor);
}

static void *share_often(void *argument) {
	struct sharer *sharer = argument;

	for (int i = 0; i < sharer->rounds; i++)
		share_once(sharer);
	return NULL;
}

static int share_from_ten_threads(const struct wf_executor_options *options, size_t n_options,
				  int rounds) {
	struct sharer sharers[N_THREADS];
	int reused = 0;

	for (unsigned i = 0; i < N_THREADS; i++) {
		sharers[i] = (struct sharer){
			.options = options, .n_options = n_options, .seed = i, .rounds = rounds
		};
		ck_assert_int_eq(pthread_create(&sharers[i].thread, NULL, share_often, &sharers[i]),
				 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_join(sharers[i].thread, NULL), 0);
	for (unsigned i = 0; i < N_THREADS; i++) {
		ck_assert_str_eq(sharers[i].trouble, "");
		ck_assert_int_eq(sharers[i].opened, rounds);
		ck_assert_int_eq(sharers[i].returned, rounds);
		reused += sharers[i].reused;
	}
	return reused;
}

START_TEST(test_ten_threads_with_equal_options_share_one_pool) {
	const struct wf_executor_options options = more_options(_i);
	struct wf_executor *held = share(&options, NULL);

	ck_assert_int_eq(share_from_ten_threads(&options, 1, 10), (intmax_t)N_THREADS * 10);
	ck_assert_uint_eq(pool_statistics(held).keeper_starts, 1);
	end_sharing(held);
}
END_TEST

/* The first of them opens it, and nobody opens another. */
START_TEST(test_ten_threads_race_to_open) {
	const struct wf_executor_options options = more_options(_i);

	ck_assert_int_eq(share_from_ten_threads(&options, 1, 3), N_THREADS * 3 - 1);
	end_sharing(share(&options, NULL));
}
END_TEST

/* Submitting races with replacement: each goes on with the one it holds. */
START_TEST(test_ten_threads_with_different_options_replace_each_other) {
	struct wf_executor_options options[3];

	for (size_t i = 0; i < N_OF(options); i++)
		options[i] = more_options(_i);
	options[1].name = "another";
	options[2].kill_grace_ms = 1234;
	share_from_ten_threads(options, N_OF(options), 4);
	end_sharing(share(&options[0], NULL));
}
END_TEST

START_TEST(test_ten_threads_resize_as_they_share) {
	struct wf_executor_options options[3];

	for (size_t i = 0; i < N_OF(options); i++) {
		options[i] = more_options(_i);
		options[i].workers = (int)i + 1;
	}
	struct wf_executor *held = share(&options[0], NULL);
	ck_assert_int_eq(share_from_ten_threads(options, N_OF(options), 10),
			 (intmax_t)N_THREADS * 10);
	end_sharing(held);
}
END_TEST

/* --- close --- */

#define N_SUBMITTERS 4
#define N_EACH       5000

struct submitter {
	pthread_t thread;
	struct wf_executor *executor;
	sem_t *progress;
	struct wf_future **futures;
	int n, error;
};

/* Submits until it is told that the executor is closed. */
static void *submit_until_closed(void *argument) {
	struct submitter *submitter = argument;
	const struct wf_task task = WF_TASK(.function = "echo", .input = "x", .input_size = 1);

	while (submitter->n < N_EACH && !submitter->error) {
		submitter->error =
		    wf_submit(submitter->executor, &task, &submitter->futures[submitter->n]);
		submitter->n += !submitter->error;
		sem_post(submitter->progress);
	}
	return NULL;
}

static void expect_resolved(struct submitter *submitter, enum wf_close how) {
	for (int i = 0; i < submitter->n; i++) {
		const struct wf_outcome *outcome = wf_future_outcome(submitter->futures[i]);

		ck_assert_ptr_nonnull(outcome);
		if (outcome->kind != WF_RETURNED)
			ck_assert_int_ne(how, WF_CLOSE_FINISH);
		if (outcome->kind != WF_RETURNED && outcome->kind != WF_CANCELLED)
			expect_killed(outcome, WF_BY_CLOSE);
		wf_future_free(submitter->futures[i]);
	}
}

/* Each submit either fails with -ESHUTDOWN or its future has resolved when close returns; `_i`
 * counts through the regimes and the ways to close. */
START_TEST(test_close_racing_with_submit) {
	const enum wf_close how = (enum wf_close)(_i / 2);
	struct wf_executor_options options = more_options(_i % 2);
	struct submitter submitters[N_SUBMITTERS];
	sem_t progress;

	options.queue_limit = 50;
	struct wf_executor *executor = pool_open(&options);
	ck_assert_int_eq(sem_init(&progress, 0, 0), 0);
	for (size_t i = 0; i < N_SUBMITTERS; i++) {
		submitters[i] = (struct submitter){
			.executor = executor,
			.progress = &progress,
			.futures = calloc(N_EACH, sizeof(struct wf_future *)),
		};
		ck_assert_ptr_nonnull(submitters[i].futures);
		ck_assert_int_eq(pthread_create(&submitters[i].thread, NULL, submit_until_closed,
						&submitters[i]),
				 0);
	}
	for (int i = 0; i < 100; i++)
		more_await(&progress);
	ck_assert_int_eq(wf_executor_close(executor, how), 0);
	for (size_t i = 0; i < N_SUBMITTERS; i++) {
		ck_assert_int_eq(pthread_join(submitters[i].thread, NULL), 0);
		if (submitters[i].n < N_EACH)
			ck_assert_int_eq(submitters[i].error, -ESHUTDOWN);
		expect_resolved(&submitters[i], how);
		free(submitters[i].futures);
	}
	wf_executor_free(executor);
}
END_TEST

struct closer {
	pthread_t thread;
	struct wf_executor *executor;
	enum wf_close how;
	int r;
};

static void *close_it(void *argument) {
	struct closer *closer = argument;

	closer->r = wf_executor_close(closer->executor, closer->how);
	return NULL;
}

/* One thread finishes patiently, others are harsher: the task that never ends is ended, and all
 * return. */
START_TEST(test_harsher_close_hastens_the_first) {
	struct wf_executor *executor = more_open(_i);
	struct closer closers[3];
	struct cord cord;

	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	for (size_t i = 0; i < N_OF(closers); i++) {
		closers[i] =
		    (struct closer){ .executor = executor, .how = (enum wf_close)i, .r = 1 };
		ck_assert_int_eq(pthread_create(&closers[i].thread, NULL, close_it, &closers[i]),
				 0);
	}
	for (size_t i = 0; i < N_OF(closers); i++) {
		ck_assert_int_eq(pthread_join(closers[i].thread, NULL), 0);
		ck_assert_int_eq(closers[i].r, 0);
	}
	expect_killed(wf_future_outcome(gate), WF_BY_CLOSE);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	wf_future_free(gate);
	cord_close(&cord);
	wf_executor_free(executor);
}
END_TEST

/* What is queued is cancelled, what runs may finish. */
START_TEST(test_close_cancel_lets_the_running_finish) {
	struct wf_future *queued[5];
	struct closer closer;
	struct cord cord;

	struct wf_executor *executor = more_open_workers(_i, 1);
	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	for (size_t i = 0; i < N_OF(queued); i++)
		queued[i] = pool_call(executor, "echo", "x");
	closer = (struct closer){ .executor = executor, .how = WF_CLOSE_CANCEL, .r = 1 };
	ck_assert_int_eq(pthread_create(&closer.thread, NULL, close_it, &closer), 0);
	for (size_t i = 0; i < N_OF(queued); i++) {
		expect_kind(pool_wait(queued[i]), WF_CANCELLED);
		wf_future_free(queued[i]);
	}
	ck_assert_int_eq(wf_future_state(gate), WF_RUNNING);
	cord_release(&cord);
	ck_assert_int_eq(pthread_join(closer.thread, NULL), 0);
	ck_assert_int_eq(closer.r, 0);
	expect_kind(wf_future_outcome(gate), WF_RETURNED);
	wf_future_free(gate);
	cord_close(&cord);
	wf_executor_free(executor);
}
END_TEST

/* --- many times --- */

START_TEST(test_open_and_close_200_times) {
	for (int i = 0; i < 200; i++) {
		struct wf_executor *executor = more_open(i % 2);

		if (i % 4 == 0)
			pool_check_works(executor);
		if (i % 3 == 0)
			wf_future_free(pool_call(executor, "echo", "unseen"));
		if (i % 5 == 0)
			ck_assert_int_eq(wf_executor_close(executor, (enum wf_close)(i % 3)), 0);
		wf_executor_free(executor);
	}
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("shared");

	add_for_both(test_case, test_equal_options_give_the_same_pool);
	add_for_both(test_case, test_other_number_of_workers_resizes);
	add_for_both(test_case, test_pool_stays_warm_when_nobody_holds_it);
	add_for_both(test_case, test_replaced_pool_finishes_its_work);
	add_for_both(test_case, test_closed_shared_executor_is_replaced);
	add_for_both(test_case, test_ten_threads_with_equal_options_share_one_pool);
	add_for_both(test_case, test_ten_threads_race_to_open);
	add_for_both(test_case, test_ten_threads_with_different_options_replace_each_other);
	add_for_both(test_case, test_ten_threads_resize_as_they_share);
	tcase_add_loop_test(test_case, test_close_racing_with_submit, 0, 6);
	add_for_both(test_case, test_harsher_close_hastens_the_first);
	add_for_both(test_case, test_close_cancel_lets_the_running_finish);
	tcase_add_test(test_case, test_open_and_close_200_times);
	return fixture_run("shared", test_case);
}
