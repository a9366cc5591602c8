/* SPDX-License-Identifier: MIT
 *
 * executor/claim: whose a task is, whatever a worker writes into its cell.
 */
#include <signal.h>

#include "executor/channel.h"
#include "executor/conclude.h"
#include "proto/wire.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

/* Hands `n` tasks to the worker, in one frame. */
static void give(struct fake *fake, struct fake_worker *worker, struct wf_future **futures,
		 unsigned n) {
	fake_submit_all(fake, futures, n);
	for (unsigned i = 0; i < n; i++)
		future_unqueue(futures[i]);
	ck_assert_int_eq(channel_hand_out(worker->worker, futures, n), CHANNEL_SENT);
}

static void word_set(struct fake_worker *worker, uint64_t sequence, enum claim_state state) {
	atomic_store(&cell_claim(worker->worker->cell, sequence)->word,
		     claim_word(sequence, state));
}

START_TEST(test_unread_task_can_be_taken) {
	struct fake *fake = fake_reused(1);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	give(fake, worker, &future, 1);
	ck_assert(!claim_has_started(future));
	ck_assert(claim_take(future));
	ck_assert(!claim_has_tasks(worker->worker));
	/* the worker sees that it has been taken */
	ck_assert_uint_eq(claim_outstanding(worker->worker), 1);
	ck_assert(!fake_claim(worker, 0));
	conclude_cancelled(future, "the test ends");
	future_resolve(future);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_claimed_task_is_the_workers) {
	struct fake *fake = fake_reused(1);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	give(fake, worker, &future, 1);
	ck_assert(fake_claim(worker, 0));
	ck_assert(claim_has_started(future));
	ck_assert(!claim_take(future));
	ck_assert_uint_eq(claim_take_back(worker->worker, 10), 0);
	ck_assert_uint_eq(claim_started_at(future), fake_time());
	fake_end(fake, worker, 0, 0);
	ck_assert_int_eq(future->outcome.kind, WF_EXITED);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* A task that swaps its own claim word back is found out, for its frame has been read. */
START_TEST(test_task_cannot_hide_that_it_runs) {
	static const enum claim_state lies[] = { CLAIM_QUEUED, CLAIM_EMPTY, CLAIM_CANCELLED };
	struct fake *fake = fake_reused(1);

	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		struct fake_worker *worker = fake_add(fake);
		struct wf_future *future;

		give(fake, worker, &future, 1);
		ck_assert_uint_eq(fake_receive(fake, worker), 1);
		word_set(worker, 0, lies[i]);
		ck_assert(claim_has_started(future));
		ck_assert(!claim_take(future));
		ck_assert_uint_eq(claim_take_back(worker->worker, 10), 0);
		/* and its end is its own, not a reason to start it again */
		fake_end(fake, worker, 0, 0);
		ck_assert_int_eq(future->outcome.kind, WF_EXITED);
		ck_assert_uint_eq(future->outcome.attempts, 1);
		fake_release(fake, future);
	}
	fake_free(fake);
}
END_TEST

START_TEST(test_times_that_cannot_be_are_not_believed) {
	static const int64_t offsets[] = { -1000000, 1000000 };
	struct fake *fake = fake_reused(1);

	for (size_t i = 0; i < 2; i++) {
		struct fake_worker *worker = fake_add(fake);
		struct wf_future *future;

		give(fake, worker, &future, 1);
		ck_assert(fake_claim(worker, 0));
		atomic_store(&cell_claim(worker->worker->cell, 0)->started_ns,
			     (uint64_t)((int64_t)fake_time() + offsets[i]));
		ck_assert_uint_eq(claim_started_at(future), future->handed);
		fake_end(fake, worker, 0, 9);
		fake_release(fake, future);
	}
	fake_free(fake);
}
END_TEST

START_TEST(test_taking_back_leaves_the_head_and_keeps_the_order) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[5];

	give(fake, worker, futures, 5);
	ck_assert_uint_eq(fake_receive(fake, worker), 5);
	ck_assert_uint_eq(claim_take_back(worker->worker, 2), 2);
	ck_assert_int_eq(futures[3]->state, FUTURE_QUEUED);
	ck_assert_int_eq(futures[4]->state, FUTURE_QUEUED);
	ck_assert_ptr_eq(queue_peek(&fake->engine.queue), &futures[3]->link);
	ck_assert_uint_eq(claim_take_back(worker->worker, 10), 2);
	ck_assert_ptr_eq(queue_peek(&fake->engine.queue), &futures[1]->link);
	ck_assert_ptr_eq(claim_head(worker->worker), futures[0]);
	fake_answer(fake, worker, 0, RESULT_RETURNED);
	for (uint64_t s = 1; s < 5; s++)
		fake_answer(fake, worker, s, RESULT_SKIPPED);
	ck_assert_uint_eq(claim_outstanding(worker->worker), 0);
	fake_release(fake, futures[0]);
	for (size_t i = 1; i < 5; i++)
		fake_cancel(fake, futures[i]);
	fake_free(fake);
}
END_TEST

/* A worker may leave between two tasks of a frame. The next is believed not to have started,
 * once. */
START_TEST(test_leaving_between_two_tasks_gives_the_rest_back) {
	const struct message leaving = { .type = MESSAGE_LEAVING, .leaving = { "a thread" } };
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[3];

	give(fake, worker, futures, 3);
	ck_assert_uint_eq(fake_receive(fake, worker), 3);
	fake_answer(fake, worker, 0, RESULT_RETURNED);
	fake_say(fake, worker, &leaving);
	pool_settle(&fake->pool);
	ck_assert_int_eq(worker->worker->state, WORKER_LEAVING);
	ck_assert_ptr_eq(queue_peek(&fake->engine.queue), &futures[1]->link);
	ck_assert_uint_eq(fake->engine.queue.size, 2);
	ck_assert_uint_eq(futures[1]->returns, 1);
	ck_assert_uint_eq(futures[1]->attempts, 0);
	fake_end(fake, worker, 0, 0);
	fake_release(fake, futures[0]);
	fake_cancel(fake, futures[1]);
	fake_cancel(fake, futures[2]);
	fake_free(fake);
}
END_TEST

/* A task that is the first of its frame cannot have the worker say for it that it did not start. */
START_TEST(test_leaving_in_the_middle_of_a_task_is_a_breach) {
	const struct message leaving = { .type = MESSAGE_LEAVING, .leaving = { "a lie" } };
	struct fake *fake = fake_reused(1);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	give(fake, worker, &future, 1);
	ck_assert_uint_eq(fake_receive(fake, worker), 1);
	word_set(worker, 0, CLAIM_QUEUED);
	fake_say(fake, worker, &leaving);
	ck_assert_int_eq(worker->worker->stop, STOP_KILL);
	fake_end(fake, worker, 0, 9);
	ck_assert_int_eq(future->outcome.kind, WF_KILLED);
	ck_assert_int_eq(future->outcome.killed.by, WF_BY_PROTOCOL);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* A worker may say twice that it leaves, also when it has been told to at the same moment. */
START_TEST(test_leaving_twice_is_no_breach) {
	const struct message leaving = { .type = MESSAGE_LEAVING, .leaving = { "a thread" } };
	struct fake *fake = fake_reused(1);
	struct fake_worker *worker = fake_add(fake);

	stop_dismiss(worker->worker);
	fake_say(fake, worker, &leaving);
	fake_say(fake, worker, &leaving);
	ck_assert_int_eq(worker->worker->state, WORKER_LEAVING);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_free(fake);
}
END_TEST

/* What was unread when the worker ended goes to another, without an attempt. */
START_TEST(test_unread_at_the_end_is_innocent) {
	struct fake *fake = fake_reused(1);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	give(fake, worker, &future, 1);
	fake_end(fake, worker, 0, 9);
	ck_assert_int_eq(future->state, FUTURE_QUEUED);
	ck_assert_uint_eq(future->attempts, 0);
	fake_cancel(fake, future);
	fake_free(fake);
}
END_TEST

/* --- a task that lies about its neighbours --- */

/* It has marked those behind it as started, and is ended. */
START_TEST(test_only_the_first_can_have_started) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[3];

	give(fake, worker, futures, 3);
	(void)fake_receive(fake, worker);
	(void)fake_claim(worker, futures[1]->sequence);
	(void)fake_claim(worker, futures[2]->sequence);
	ck_assert(claim_had_started(futures[0]));
	for (size_t i = 1; i < 3; i++) {
		ck_assert(!claim_has_started(futures[i]));
		ck_assert(!claim_had_started(futures[i]));
	}
	fake_end(fake, worker, 0, SIGKILL);
	ck_assert_int_eq(futures[0]->outcome.kind, WF_SIGNALLED);
	fake_release(fake, futures[0]);
	for (size_t i = 1; i < 3; i++)
		fake_cancel(fake, futures[i]);
	fake_free(fake);
}
END_TEST

/* It answers for itself and for one that lies behind it. */
START_TEST(test_result_of_a_task_that_was_not_begun_is_a_breach) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct message forged = { .type = MESSAGE_RESULT };
	struct wf_future *futures[2];

	give(fake, worker, futures, 2);
	(void)fake_receive(fake, worker);
	fake_answer(fake, worker, futures[0]->sequence, RESULT_RETURNED);
	forged.result = (struct message_result){ .sequence = futures[1]->sequence,
						 .kind = RESULT_RETURNED,
						 .text = "" };
	fake_say(fake, worker, &forged);
	ck_assert_int_ne(worker->worker->stop, STOP_NONE);
	fake_end(fake, worker, 0, SIGKILL);
	ck_assert_int_eq(futures[0]->outcome.kind, WF_RETURNED);
	fake_release(fake, futures[0]);
	fake_cancel(fake, futures[1]);
	fake_free(fake);
}
END_TEST

/* It answers, and goes on: what is handed to its worker then is never begun. */
START_TEST(test_worker_that_begins_nothing_is_ended) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[2];

	give(fake, worker, futures, 2);
	(void)fake_receive(fake, worker);
	channel_check(worker->worker, fake_time() + 60 * NSEC_PER_SEC);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_answer(fake, worker, futures[0]->sequence, RESULT_RETURNED);
	channel_check(worker->worker, fake_time() + NSEC_PER_SEC);
	ck_assert_int_eq(futures[1]->state, FUTURE_HANDED);
	channel_check(worker->worker, fake_time() + 3 * NSEC_PER_SEC);
	ck_assert_int_eq(futures[1]->state, FUTURE_QUEUED);
	ck_assert_int_ne(worker->worker->stop, STOP_NONE);
	fake_end(fake, worker, 0, SIGKILL);
	fake_release(fake, futures[0]);
	fake_cancel(fake, futures[1]);
	fake_free(fake);
}
END_TEST

/* A frame that is gone is no task that runs: an earlier task has left the channel deaf, or this one
 * hides. Either way it must not be started again, and must not wait for ever. */
START_TEST(test_worker_that_takes_a_task_in_silence_is_ended) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[2];

	give(fake, worker, futures, 2);
	wire_discard(worker->peer);
	channel_check(worker->worker, fake_time() + 3 * NSEC_PER_SEC);
	ck_assert_int_ne(worker->worker->stop, STOP_NONE);
	fake_end(fake, worker, 0, SIGKILL);
	ck_assert_int_eq(futures[0]->outcome.kind, WF_KILLED);
	ck_assert_int_eq(futures[0]->outcome.killed.by, WF_BY_PROTOCOL);
	fake_release(fake, futures[0]);
	fake_cancel(fake, futures[1]);
	fake_free(fake);
}
END_TEST

START_TEST(test_room_is_what_the_worker_may_still_do) {
	struct fake *fake = fake_new((struct wf_executor_options){
	    .workers = 4, .tuning.hand_ahead = 8, .max_tasks_per_worker = 3 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[2];

	ck_assert_uint_eq(claim_room(worker->worker, 8), 3);
	give(fake, worker, futures, 2);
	ck_assert_uint_eq(claim_room(worker->worker, 8), 1);
	ck_assert_uint_eq(claim_room(worker->worker, 2), 0);
	futures[1]->flags = WF_TASK_WAIT_EXIT;
	ck_assert_uint_eq(claim_room(worker->worker, 8), 0);
	futures[1]->flags = 0;
	worker->worker->blocked = true;
	ck_assert_uint_eq(claim_room(worker->worker, 8), 0);
	worker->worker->blocked = false;
	for (uint64_t s = 0; s < 2; s++) {
		(void)fake_receive(fake, worker);
		fake_answer(fake, worker, s, RESULT_RETURNED);
		fake_release(fake, futures[s]);
	}
	ck_assert_uint_eq(claim_room(worker->worker, 8), 1);
	fake_free(fake);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("claim");

	tcase_add_test(test_case, test_unread_task_can_be_taken);
	tcase_add_test(test_case, test_claimed_task_is_the_workers);
	tcase_add_test(test_case, test_task_cannot_hide_that_it_runs);
	tcase_add_test(test_case, test_times_that_cannot_be_are_not_believed);
	tcase_add_test(test_case, test_taking_back_leaves_the_head_and_keeps_the_order);
	tcase_add_test(test_case, test_leaving_between_two_tasks_gives_the_rest_back);
	tcase_add_test(test_case, test_leaving_in_the_middle_of_a_task_is_a_breach);
	tcase_add_test(test_case, test_leaving_twice_is_no_breach);
	tcase_add_test(test_case, test_unread_at_the_end_is_innocent);
	tcase_add_test(test_case, test_only_the_first_can_have_started);
	tcase_add_test(test_case, test_result_of_a_task_that_was_not_begun_is_a_breach);
	tcase_add_test(test_case, test_worker_that_begins_nothing_is_ended);
	tcase_add_test(test_case, test_worker_that_takes_a_task_in_silence_is_ended);
	tcase_add_test(test_case, test_room_is_what_the_worker_may_still_do);
	return fixture_run("claim", test_case);
}
