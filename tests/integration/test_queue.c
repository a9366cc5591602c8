/* SPDX-License-Identifier: MIT
 *
 * Story: a queue that is full fails, waits or blocks, as was asked for; it runs by priority.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/refused.h"

/* --- a bound --- */

/* A pool with one worker, which is busy, and a queue with room for two. */
struct jam {
	struct wf_executor *executor;
	struct cord cord;
	struct wf_future *gate, *queued[2];
};

static void jam_open(struct jam *jam, int regime, enum wf_queue_full mode, int wait_ms) {
	struct wf_executor_options options = more_options(regime);

	options.workers = 1;
	options.queue_limit = 2;
	options.queue_full = mode;
	options.queue_wait_ms = wait_ms;
	jam->executor = pool_open(&options);
	jam->gate = more_gate(&jam->cord, jam->executor);
	more_gate_started(&jam->cord);
	for (size_t i = 0; i < 2; i++)
		jam->queued[i] = pool_call(jam->executor, "echo", "x");
}

static void jam_close(struct jam *jam) {
	cord_release(&jam->cord);
	more_finish(jam->gate);
	for (size_t i = 0; i < 2; i++) {
		pool_wait(jam->queued[i]);
		wf_future_free(jam->queued[i]);
	}
	cord_close(&jam->cord);
	pool_close(jam->executor);
}

START_TEST(test_full_queue_fails) {
	const struct wf_task task = WF_TASK(.function = "where");
	struct jam jam;

	jam_open(&jam, _i, WF_QUEUE_FAIL, 0);
	expect_refused(submit_as(jam.executor, &task), -EAGAIN);
	ck_assert_int_eq(wf_future_cancel(jam.queued[0]), 0);
	struct wf_future *future = pool_submit(jam.executor, &task);
	expect_refused(submit_as(jam.executor, &task), -EAGAIN);
	wf_future_free(future);
	jam_close(&jam);
}
END_TEST

START_TEST(test_full_queue_waits_so_long) {
	struct jam jam;

	jam_open(&jam, _i, WF_QUEUE_WAIT, 5);
	expect_refused(submit_as(jam.executor, &WF_TASK(.function = "where")), -ETIMEDOUT);
	jam_close(&jam);
}
END_TEST

struct pusher {
	pthread_t thread;
	struct wf_executor *executor;
	bool forgets; /* does not wait for the outcome */
	int r;
	enum wf_outcome_kind kind;
};

static void *push(void *argument) {
	struct pusher *pusher = argument;
	struct wf_future *future = NULL;

	pusher->r = wf_submit(pusher->executor, &WF_TASK(.function = "where"), &future);
	if (!pusher->r && !pusher->forgets) {
		const struct wf_outcome *outcome = wf_future_wait(future, FIXTURE_CAP_MS);

		pusher->kind = outcome ? outcome->kind : 0;
	}
	wf_future_free(future);
	return NULL;
}

static void start_pushing(struct pusher *pushers, size_t n, struct wf_executor *executor) {
	for (size_t i = 0; i < n; i++) {
		pushers[i] = (struct pusher){ .executor = executor, .r = 1 };
		ck_assert_int_eq(pthread_create(&pushers[i].thread, NULL, push, &pushers[i]), 0);
	}
}

START_TEST(test_full_queue_blocks_until_there_is_room) {
	struct pusher pushers[3];
	struct jam jam;

	jam_open(&jam, _i, WF_QUEUE_BLOCK, 0);
	start_pushing(pushers, N_OF(pushers), jam.executor);
	cord_release(&jam.cord);
	for (size_t i = 0; i < N_OF(pushers); i++) {
		ck_assert_int_eq(pthread_join(pushers[i].thread, NULL), 0);
		ck_assert_int_eq(pushers[i].r, 0);
		ck_assert_int_eq(pushers[i].kind, WF_RETURNED);
	}
	jam_close(&jam);
}
END_TEST

/* Those who wait for room are told when the executor closes. */
START_TEST(test_full_queue_lets_go_when_closed) {
	struct pusher pushers[3];
	struct jam jam;

	jam_open(&jam, _i, WF_QUEUE_BLOCK, 0);
	start_pushing(pushers, N_OF(pushers), jam.executor);
	ck_assert_int_eq(wf_executor_close(jam.executor, WF_CLOSE_KILL), 0);
	for (size_t i = 0; i < N_OF(pushers); i++) {
		ck_assert_int_eq(pthread_join(pushers[i].thread, NULL), 0);
		if (pushers[i].r == 0)
			ck_assert_int_eq(pushers[i].kind, WF_CANCELLED);
		else
			ck_assert_int_eq(pushers[i].r, -ESHUTDOWN);
	}
	expect_killed(wf_future_outcome(jam.gate), WF_BY_CLOSE);
	wf_future_free(jam.gate);
	wf_future_free(jam.queued[0]);
	wf_future_free(jam.queued[1]);
	cord_close(&jam.cord);
	wf_executor_free(jam.executor);
}
END_TEST

/* Many threads at once do not push more than fits. */
START_TEST(test_full_queue_holds_no_more_than_its_limit) {
	struct pusher pushers[16];
	int accepted = 0;
	struct jam jam;

	jam_open(&jam, _i, WF_QUEUE_FAIL, 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(wf_future_cancel(jam.queued[i]), 0);
	for (size_t i = 0; i < N_OF(pushers); i++) {
		pushers[i] = (struct pusher){ .executor = jam.executor, .forgets = true, .r = 1 };
		ck_assert_int_eq(pthread_create(&pushers[i].thread, NULL, push, &pushers[i]), 0);
	}
	for (size_t i = 0; i < N_OF(pushers); i++) {
		ck_assert_int_eq(pthread_join(pushers[i].thread, NULL), 0);
		accepted += pushers[i].r == 0;
		if (pushers[i].r)
			ck_assert_int_eq(pushers[i].r, -EAGAIN);
	}
	ck_assert_int_eq(accepted, 2);
	jam_close(&jam);
}
END_TEST

struct called {
	sem_t event;
	struct wf_executor *executor;
	int r;
};

static void submit_in_callback(struct wf_future *future, const struct wf_outcome *outcome,
			       void *context) {
	struct called *called = context;

	(void)future;
	(void)outcome;
	do {
		called->r = wf_submit(called->executor, &WF_TASK(.function = "where"), NULL);
	} while (called->r == 0);
	sem_post(&called->event);
}

START_TEST(test_full_queue_does_not_block_a_callback) {
	struct called called = { .r = 0 };
	struct jam jam;

	jam_open(&jam, _i, WF_QUEUE_BLOCK, 0);
	called.executor = jam.executor;
	ck_assert_int_eq(sem_init(&called.event, 0, 0), 0);
	struct wf_future *unwanted = jam.queued[1];
	ck_assert_int_eq(wf_future_on_done(unwanted, submit_in_callback, &called), 0);
	ck_assert_int_eq(wf_future_cancel(unwanted), 0);
	more_await(&called.event);
	ck_assert_int_eq(called.r, -EDEADLK);
	jam_close(&jam);
}
END_TEST

/* --- priorities --- */

/* One worker, busy; what is queued meanwhile runs by priority, and first come first served. */
START_TEST(test_priorities_order_the_queue) {
	static const struct {
		char name;
		int priority;
	} queue[] = { { 'e', 0 },
		      { 'h', WF_PRIORITY_MIN },
		      { 'b', 5 },
		      { 'f', 0 },
		      { 'a', WF_PRIORITY_MAX },
		      { 'c', 5 },
		      { 'g', -1 },
		      { 'd', 1 } };
	struct wf_future *futures[N_OF(queue)];
	struct cord cord;
	char order[N_OF(queue) + 1] = "";
	int ends[2];

	struct wf_executor *executor = more_open_workers(_i, 1);
	ck_assert_int_eq(pipe(ends), 0);
	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	const struct wf_context context = WF_CONTEXT(.descriptors = &ends[1], .n_descriptors = 1);
	for (size_t i = 0; i < N_OF(queue); i++)
		futures[i] = pool_submit(
		    executor, &WF_TASK(.function = "note", .input = &queue[i].name, .input_size = 1,
				       .priority = queue[i].priority, .context = &context));
	cord_release(&cord);
	for (size_t i = 0; i < N_OF(queue); i++)
		more_finish(futures[i]);
	ck_assert_int_eq(read(ends[0], order, sizeof order - 1), (int)N_OF(queue));
	ck_assert_str_eq(order, "abcdefgh");
	more_finish(gate);
	cord_close(&cord);
	close(ends[0]);
	close(ends[1]);
	pool_close(executor);
}
END_TEST
int main(void) {
	TCase *test_case = fixture_case("queue");

	add_for_both(test_case, test_full_queue_fails);
	add_for_both(test_case, test_full_queue_waits_so_long);
	add_for_both(test_case, test_full_queue_blocks_until_there_is_room);
	add_for_both(test_case, test_full_queue_lets_go_when_closed);
	add_for_both(test_case, test_full_queue_holds_no_more_than_its_limit);
	add_for_both(test_case, test_full_queue_does_not_block_a_callback);
	add_for_both(test_case, test_priorities_order_the_queue);
	return fixture_run("queue", test_case);
}
