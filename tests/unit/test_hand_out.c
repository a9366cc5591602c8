/* SPDX-License-Identifier: MIT
 *
 * executor/hand_out: which task goes to which worker, and what happens when it cannot be sent.
 */
#include "executor/hand_out.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "executor/task.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

static void end_all(struct fake *fake, struct wf_future **futures, size_t n) {
	for (size_t i = 0; i < fake->n_workers; i++)
		if (fake->workers[i].worker)
			fake_end(fake, &fake->workers[i], 0, 9);
	for (size_t i = 0; i < n; i++) {
		if (futures[i]->state == FUTURE_RESOLVED)
			fake_release(fake, futures[i]);
		else
			fake_cancel(fake, futures[i]);
	}
	fake_free(fake);
}

START_TEST(test_depth_follows_the_length_of_tasks) {
	struct wf_executor_options options = { .max_tasks_per_worker = 0 };

	ck_assert_uint_eq(hand_out_depth(&options, 3, 100), 1); /* too few have run to know */
	ck_assert_uint_eq(hand_out_depth(&options, 100, 0), LIMIT_HAND_AHEAD);
	ck_assert_uint_eq(hand_out_depth(&options, 100, 99000), 3);
	ck_assert_uint_eq(hand_out_depth(&options, 100, NSEC_PER_SEC), 1);
	options.tuning.hand_ahead = 5;
	ck_assert_uint_eq(hand_out_depth(&options, 0, NSEC_PER_SEC), 5);
	options.max_tasks_per_worker = 1;
	ck_assert_uint_eq(hand_out_depth(&options, 100, 0), 1);
}
END_TEST

START_TEST(test_last_idle_worker_gets_the_first_task) {
	struct fake *fake = fake_reused(1);
	struct fake_worker *first = fake_add(fake), *second = fake_add(fake);
	struct wf_future *futures[3];

	fake_submit_all(fake, futures, 3);
	hand_out(&fake->pool);
	ck_assert_ptr_eq(claim_head(second->worker), futures[0]);
	ck_assert_ptr_eq(claim_head(first->worker), futures[1]);
	ck_assert_int_eq(futures[2]->state, FUTURE_QUEUED);
	ck_assert_uint_eq(fake->pool.n_idle, 0);
	end_all(fake, futures, 3);
}
END_TEST

START_TEST(test_tasks_ahead_go_where_least_lies) {
	struct fake *fake = fake_reused(4);
	struct fake_worker *a = fake_add(fake), *b = fake_add(fake);
	struct wf_future *futures[9];

	fake_submit_all(fake, futures, 9);
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake_receive(fake, a), 1);
	ck_assert_uint_eq(fake_receive(fake, b), 1);
	hand_out(&fake->pool);
	/* one each, then up to four each, and one stays */
	ck_assert_uint_eq(claim_count(a->worker), 4);
	ck_assert_uint_eq(claim_count(b->worker), 4);
	ck_assert_uint_eq(fake->engine.queue.size, 1);
	/* half of the depth at a time: one free place is not enough */
	fake_return(fake, a, 0);
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake->engine.queue.size, 1);
	ck_assert_uint_eq(fake_receive(fake, a), 3);
	fake_return(fake, a, 1);
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake->engine.queue.size, 0);
	ck_assert_uint_eq(claim_count(a->worker), 3);
	end_all(fake, futures, 9);
}
END_TEST

/* Two frames that nobody has read would be two tasks that may have been begun. */
START_TEST(test_no_frame_follows_one_that_was_not_begun) {
	struct fake *fake = fake_reused(4);
	struct fake_worker *a = fake_add(fake);
	struct wf_future *futures[4];

	fake_submit_all(fake, futures, 4);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(a->worker), 1);
	ck_assert_uint_eq(fake_receive(fake, a), 1);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(a->worker), 4);
	end_all(fake, futures, 4);
}
END_TEST

/* As two submitters would, before the worker has read anything. */
static void submit_twice(struct fake *fake, struct wf_future **futures) {
	for (size_t i = 0; i < 4; i += 2) {
		fake_submit_all(fake, futures + i, 2);
		hand_out(&fake->pool);
	}
}

static void expect_queued(struct wf_future *const *futures, size_t n) {
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(futures[i]->state, FUTURE_QUEUED);
}

/* Others can have all that it was given. */
START_TEST(test_stopped_worker_keeps_nothing_that_it_has_not_begun) {
	struct fake *fake = fake_reused(4);
	struct fake_worker *a = fake_add(fake);
	struct wf_future *futures[4];

	submit_twice(fake, futures);
	worker_set_stopped(a->worker, true);
	pool_settle(&fake->pool);
	expect_queued(futures, 4);
	end_all(fake, futures, 4);
}
END_TEST

/* The same for its end: none of them is its victim. */
START_TEST(test_worker_that_ends_has_no_victim_among_what_it_has_not_begun) {
	struct fake *fake = fake_reused(4);
	struct fake_worker *a = fake_add(fake);
	struct wf_future *futures[4];

	submit_twice(fake, futures);
	fake_end(fake, a, 0, 9);
	expect_queued(futures, 4);
	end_all(fake, futures, 4);
}
END_TEST

/* The last tasks of its life are fewer than a frame is otherwise sent for. */
START_TEST(test_last_tasks_of_a_life_go_ahead) {
	struct fake *fake = fake_new((struct wf_executor_options){
	    .workers = 1, .max_tasks_per_worker = 3, .tuning.hand_ahead = 8 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[4];

	futures[0] = fake_submit(fake);
	hand_out(&fake->pool);
	(void)fake_receive(fake, worker);
	fake_submit_all(fake, futures + 1, 3);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(worker->worker), 3);
	ck_assert_uint_eq(fake->engine.queue.size, 1);
	end_all(fake, futures, 4);
}
END_TEST

START_TEST(test_worker_of_an_older_image_is_given_nothing_ahead) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[3];

	futures[0] = fake_submit(fake);
	hand_out(&fake->pool);
	(void)fake_receive(fake, worker);
	fake->generations.newest = NULL;
	pool_dismiss_generation(&fake->pool, fake->generation);
	pool_settle(&fake->pool);
	fake_submit_all(fake, futures + 1, 2);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(worker->worker), 1);
	ck_assert_uint_eq(fake->engine.queue.size, 2);
	end_all(fake, futures, 3);
}
END_TEST

/* A worker whose life is over may linger, but not while a task waits for its slot. */
START_TEST(test_leaving_worker_is_hurried_by_what_waits) {
	struct fake *fake =
	    fake_new((struct wf_executor_options){ .workers = 1, .max_tasks_per_worker = 1 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[2];
	char byte;

	futures[0] = fake_submit(fake);
	hand_out(&fake->pool);
	(void)fake_receive(fake, worker);
	fake_return(fake, worker, 0);
	hand_out(&fake->pool);
	ck_assert_int_eq(worker->worker->state, WORKER_LEAVING);
	ck_assert_int_eq(recv(worker->peer, &byte, 1, MSG_DONTWAIT), -1);
	futures[1] = fake_submit(fake);
	hand_out(&fake->pool);
	ck_assert_int_eq(recv(worker->peer, &byte, 1, MSG_DONTWAIT), 0);
	end_all(fake, futures, 2);
}
END_TEST

START_TEST(test_dry_worker_takes_half_of_the_fullest) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *full = fake_add(fake), *dry;
	struct wf_future *futures[8];

	fake_submit_all(fake, futures, 8);
	hand_out(&fake->pool);
	(void)fake_receive(fake, full);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(full->worker), 8);
	dry = fake_add(fake);
	hand_out(&fake->pool);
	ck_assert_uint_lt(claim_count(full->worker), 8);
	ck_assert_uint_gt(claim_count(dry->worker), 0);
	ck_assert_ptr_eq(claim_head(full->worker), futures[0]);
	end_all(fake, futures, 8);
}
END_TEST

START_TEST(test_chunk_travels_together) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *a = fake_add(fake), *b = fake_add(fake);
	struct wf_future *futures[5];

	fake_submit_all(fake, futures, 5);
	for (size_t i = 0; i < 5; i++) {
		futures[i]->batch = i < 3 ? 7 : 8;
	}
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake_receive(fake, b), 3);
	ck_assert_uint_eq(fake_receive(fake, a), 2);
	end_all(fake, futures, 5);
}
END_TEST

/* What came back unclaimed is sent alone: what its claim word says is believed only once. */
START_TEST(test_what_came_back_travels_alone) {
	struct fake *fake = fake_reused(8);
	struct fake_worker *a = fake_add(fake);
	struct wf_future *futures[3];

	fake_submit_all(fake, futures, 3);
	for (size_t i = 0; i < 3; i++) {
		futures[i]->batch = 7;
		futures[i]->returns = 1;
	}
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake_receive(fake, a), 1);
	end_all(fake, futures, 3);
}
END_TEST

/* A full channel blocks one worker, not the pool. */
START_TEST(test_full_channel_sends_the_task_elsewhere) {
	static uint8_t bytes[LIMIT_INLINE_PAYLOAD];
	struct fake *fake = fake_reused(16);
	struct fake_worker *full = fake_add(fake), *other;
	struct wf_future *futures[16];
	size_t n = 0;

	while (n < 15 && !full->worker->blocked) {
		futures[n] = fake_submit(fake);
		ck_assert_int_eq(
		    payload_init(&futures[n]->payload, bytes, sizeof bytes, sizeof bytes, NULL, 1),
		    0);
		n++;
		hand_out(&fake->pool);
		(void)fake_claim(full, n - 1); /* it says so, and reads nothing */
	}
	ck_assert(full->worker->blocked);
	ck_assert_uint_eq(fake->engine.queue.size, 1);
	other = fake_add(fake);
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake->engine.queue.size, 0);
	ck_assert_uint_eq(claim_count(other->worker), 1);
	end_all(fake, futures, n);
}
END_TEST

/* A closed one is found out when the task is sent: it goes to another worker, and is not tried here
 * for ever. */
START_TEST(test_closed_channel_sends_the_task_elsewhere) {
	struct fake *fake = fake_reused(1);
	struct fake_worker *closed = fake_add(fake), *other;
	struct wf_future *future = fake_submit(fake);

	closed->peer = fd_close(closed->peer);
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake->engine.queue.size, 1);
	ck_assert(!fake->pool.starved);
	other = fake_add(fake);
	hand_out(&fake->pool);
	ck_assert_ptr_eq(claim_head(other->worker), future);
	end_all(fake, &future, 1);
}
END_TEST

/* --- refusals --- */

/* What no worker can be given is told so, and the next task has its turn. */
static void expect_refused(struct fake *fake, struct wf_future **futures, int error) {
	struct fake_worker *worker = &fake->workers[0];

	hand_out(&fake->pool);
	ck_assert_int_eq(futures[0]->outcome.kind, WF_NOT_STARTED);
	ck_assert_int_eq(futures[0]->outcome.not_started.phase, WF_PHASE_HAND_OUT);
	ck_assert_int_eq(futures[0]->outcome.not_started.error, error);
	ck_assert_ptr_eq(claim_head(worker->worker), futures[1]);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	end_all(fake, futures, 2);
}

START_TEST(test_function_that_is_gone_is_refused) {
	struct fake *fake = fake_reused(1);
	struct wf_future *futures[2];

	(void)fake_add(fake);
	fake_submit_all(fake, futures, 2);
	futures[0]->function = names_intern(&fake->engine.functions, "gone");
	expect_refused(fake, futures, ENOENT);
}
END_TEST

START_TEST(test_task_that_fits_in_no_message_is_refused) {
	static uint8_t bytes[2 * LIMIT_FRAME];
	struct fake *fake = fake_reused(1);
	struct wf_future *futures[2];

	(void)fake_add(fake);
	fake_submit_all(fake, futures, 2);
	ck_assert_int_eq(
	    payload_init(&futures[0]->payload, bytes, sizeof bytes, sizeof bytes, NULL, 1), 0);
	expect_refused(fake, futures, EMSGSIZE);
}
END_TEST

/* --- shortages --- */

static struct task_context *capturing(void) {
	struct wf_context given = WF_CONTEXT(.standard_output = { .mode = WF_STDIO_CAPTURE });
	struct task_context *context;

	ck_assert_int_eq(task_context_new(&given, &context), 0);
	return context;
}

/* The pool stops handing out, and goes on when the timer has fired: it neither spins nor gives
 * up. */
START_TEST(test_no_descriptors_is_a_wait) {
	struct fake *fake = fake_reused(1);
	struct fake_worker *worker = fake_add(fake), *busy = fake_add(fake);
	struct wf_future *futures[3];
	rlim_t old;

	futures[0] = fake_submit(fake);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(busy->worker), 1);
	ck_assert_uint_eq(fake_receive(fake, busy), 1);
	futures[1] = fake_submit(fake);
	futures[1]->context = capturing();
	futures[2] = fake_submit(fake);
	old = fixture_limit_room(0);
	for (int i = 0; i < 100; i++) {
		hand_out(&fake->pool);
		ck_assert(fake->pool.starved);
		ck_assert_uint_eq(fake->engine.queue.size, 2);
		fake_pass(fake, NSEC_PER_SEC);
		ck_assert(!fake->pool.starved);
	}
	(void)fixture_limit_descriptors(old);
	hand_out(&fake->pool);
	ck_assert_ptr_eq(claim_head(worker->worker), futures[1]);
	ck_assert_uint_eq(fake->engine.queue.size, 1);
	end_all(fake, futures, 3);
}
END_TEST

/* With nobody who could give a descriptor back, it is tried for about a second. */
START_TEST(test_no_descriptors_and_nobody_else_ends_in_an_outcome) {
	struct fake *fake = fake_reused(1);
	struct wf_future *future;
	rlim_t old;
	nsec_t before = fake_time();

	(void)fake_add(fake);
	future = fake_submit(fake);
	future->context = capturing();
	old = fixture_limit_room(0);
	while (future->state != FUTURE_RESOLVED) {
		hand_out(&fake->pool);
		if (fake->pool.starved)
			fake_pass(fake, NSEC_PER_MSEC);
	}
	(void)fixture_limit_descriptors(old);
	ck_assert_int_eq(future->outcome.kind, WF_NOT_STARTED);
	ck_assert_int_eq(future->outcome.not_started.error, EMFILE);
	ck_assert_uint_ge(fake_time() - before, NSEC_PER_SEC);
	end_all(fake, &future, 1);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("hand_out");

	tcase_add_test(test_case, test_depth_follows_the_length_of_tasks);
	tcase_add_test(test_case, test_last_idle_worker_gets_the_first_task);
	tcase_add_test(test_case, test_tasks_ahead_go_where_least_lies);
	tcase_add_test(test_case, test_no_frame_follows_one_that_was_not_begun);
	tcase_add_test(test_case, test_stopped_worker_keeps_nothing_that_it_has_not_begun);
	tcase_add_test(test_case, test_worker_that_ends_has_no_victim_among_what_it_has_not_begun);
	tcase_add_test(test_case, test_last_tasks_of_a_life_go_ahead);
	tcase_add_test(test_case, test_worker_of_an_older_image_is_given_nothing_ahead);
	tcase_add_test(test_case, test_leaving_worker_is_hurried_by_what_waits);
	tcase_add_test(test_case, test_dry_worker_takes_half_of_the_fullest);
	tcase_add_test(test_case, test_chunk_travels_together);
	tcase_add_test(test_case, test_what_came_back_travels_alone);
	tcase_add_test(test_case, test_full_channel_sends_the_task_elsewhere);
	tcase_add_test(test_case, test_closed_channel_sends_the_task_elsewhere);
	tcase_add_test(test_case, test_function_that_is_gone_is_refused);
	tcase_add_test(test_case, test_task_that_fits_in_no_message_is_refused);
	tcase_add_test(test_case, test_no_descriptors_is_a_wait);
	tcase_add_test(test_case, test_no_descriptors_and_nobody_else_ends_in_an_outcome);
	return fixture_run("hand_out", test_case);
}
