/* SPDX-License-Identifier: MIT
 *
 * executor/pool, plan, postmortem and deadline: what follows from what happens to workers and to
 * time.
 */
#include "executor/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/custody.h"
#include "executor/deadline.h"
#include "executor/link.h"
#include "executor/plan.h"
#include "executor/succession.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

#define MS(n) ((nsec_t)(n)*NSEC_PER_MSEC)

static struct fake *fake_pool(struct wf_executor_options options) {
	options.workers = 4;
	options.tuning.hand_ahead = 1;
	return fake_new(options);
}

static struct wf_future *run_one(struct fake *fake, struct fake_worker *worker) {
	struct wf_future *future = fake_submit(fake);

	hand_out(&fake->pool);
	ck_assert_ptr_eq(claim_head(worker->worker), future);
	ck_assert_uint_eq(fake_receive(fake, worker), 1);
	return future;
}

/* --- settling --- */

START_TEST(test_worker_is_idle_then_busy_then_idle) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	ck_assert_uint_eq(fake->pool.n_idle, 1);
	ck_assert_uint_eq(fake->pool.census.parked, 1);
	future = run_one(fake, worker);
	ck_assert_uint_eq(fake->pool.n_idle, 0);
	ck_assert_uint_eq(fake->pool.census.parked, 0);
	fake_return(fake, worker, 0);
	ck_assert_uint_eq(fake->pool.n_idle, 1);
	ck_assert_int_eq(future->outcome.kind, WF_RETURNED);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* After the last task of its life it leaves; if it does not, it is killed. */
START_TEST(test_worker_leaves_after_its_last_task) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .max_tasks_per_worker = 2 });
	struct fake_worker *worker = fake_add(fake);

	for (uint64_t s = 0; s < 2; s++) {
		struct wf_future *future = run_one(fake, worker);

		ck_assert_int_eq(worker->worker->state, WORKER_READY);
		fake_return(fake, worker, s);
		fake_release(fake, future);
	}
	ck_assert_int_eq(worker->worker->state, WORKER_LEAVING);
	fake_pass(fake, MS(1999));
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_pass(fake, MS(2));
	ck_assert_int_eq(worker->worker->stop, STOP_KILL);
	fake_free(fake);
}
END_TEST

START_TEST(test_idle_worker_leaves_in_time_but_for_the_minimum) {
	struct fake *fake =
	    fake_pool((struct wf_executor_options){ .idle_timeout_ms = 1000, .min_workers = 1 });
	struct fake_worker *first = fake_add(fake), *second;

	fake_pass(fake, MS(500));
	second = fake_add(fake);
	fake_pass(fake, MS(501));
	ck_assert_int_eq(first->worker->state, WORKER_LEAVING);
	fake_pass(fake, MS(5000));
	ck_assert_int_eq(second->worker->state, WORKER_READY);
	fake_free(fake);
}
END_TEST

/* Spares go with the first worker that times out. What is forked after that is for the minimum. */
START_TEST(test_spares_go_once_until_a_task_comes) {
	struct fake *fake = fake_new((struct wf_executor_options){
	    .workers = 3, .max_tasks_per_worker = 1, .idle_timeout_ms = 1000, .min_workers = 1 });
	struct fake_worker *first = fake_add(fake), *second, *third, *spare, *later;

	fake_pass(fake, MS(300));
	second = fake_add(fake);
	fake_pass(fake, MS(300));
	third = fake_add(fake);
	spare = fake_add(fake);
	fake_pass(fake, MS(401));
	ck_assert_int_eq(first->worker->state, WORKER_LEAVING);
	ck_assert_int_eq(spare->worker->state, WORKER_LEAVING);
	later = fake_add(fake);
	fake_pass(fake, MS(300));
	ck_assert_int_eq(second->worker->state, WORKER_LEAVING);
	ck_assert_int_eq(later->worker->state, WORKER_READY);
	ck_assert_int_eq(third->worker->state, WORKER_READY);
	fake_free(fake);
}
END_TEST

/* A spare takes the slot when the one before it has ended, not when it is done. */
START_TEST(test_spare_takes_over_at_the_end) {
	struct fake *fake =
	    fake_new((struct wf_executor_options){ .workers = 1, .max_tasks_per_worker = 1 });
	struct fake_worker *current = fake_add(fake), *spare = fake_add(fake);
	struct wf_future *future;

	ck_assert_uint_eq(fake->pool.n_idle, 1);
	future = run_one(fake, current);
	fake_return(fake, current, 0);
	ck_assert_ptr_eq(fake->pool.slots[0]->current, current->worker);
	ck_assert_uint_eq(fake->pool.n_idle, 0);
	fake_end(fake, current, 0, 0);
	ck_assert_ptr_eq(fake->pool.slots[0]->current, spare->worker);
	ck_assert_uint_eq(fake->pool.n_idle, 1);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* A worker that hangs before it is ready is replaced, whether it has an initializer or not. */
START_TEST(test_start_that_hangs_is_a_failed_start) {
	struct fake *fake = fake_pool(
	    (struct wf_executor_options){ .preload_timeout_ms = 1000, .tuning.start_attempts = 1 });
	struct fake_worker *worker = fake_ask(fake);
	struct wf_future *future = fake_submit(fake);

	fake_spawned(fake, worker);
	pool_settle(&fake->pool);
	fake_pass(fake, MS(999));
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_pass(fake, MS(2));
	ck_assert_int_eq(worker->worker->stop, STOP_KILL);
	ck_assert_int_eq(future->outcome.kind, WF_NOT_STARTED);
	ck_assert_int_eq(future->outcome.not_started.error, ETIMEDOUT);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* A worker that is stopped before it is ready loses its slot if a task waits for it. */
START_TEST(test_stopped_start_is_ended_for_what_waits) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_ask(fake);
	struct wf_future *future;

	fake_spawned(fake, worker);
	worker_set_stopped(worker->worker, true);
	pool_settle(&fake->pool);
	pool_end_stopped(&fake->pool);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	future = fake_submit(fake);
	pool_end_stopped(&fake->pool);
	ck_assert_int_eq(worker->worker->stop, STOP_KILL);
	/* all of them may be stopped there: that slows down, too */
	pool_settle(&fake->pool);
	ck_assert(!backoff_allows(&fake->pool.start, fake_time(), true));
	fake_cancel(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_worker_that_was_resumed_is_not_ended_for_what_waits) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	worker_set_stopped(worker->worker, true);
	pool_settle(&fake->pool);
	worker_set_stopped(worker->worker, false);
	pool_settle(&fake->pool);
	future = fake_submit(fake);
	pool_end_stopped(&fake->pool);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_cancel(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_start_that_dies_backs_off) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .tuning.start_attempts = 2 });
	struct wf_future *future = fake_submit(fake);

	for (int i = 0; i < 2; i++) {
		struct fake_worker *worker = fake_ask(fake);

		fake_spawned(fake, worker);
		ck_assert_int_eq(future->state, FUTURE_QUEUED);
		fake_end(fake, worker, 3, 0);
		ck_assert(!backoff_allows(&fake->pool.start, fake_time(), true));
		fake_pass(fake, NSEC_PER_SEC);
	}
	ck_assert_int_eq(future->outcome.kind, WF_NOT_STARTED);
	ck_assert_int_eq(future->outcome.not_started.phase, WF_PHASE_INITIALIZE);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_last_failed_start_is_told) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .tuning.start_attempts = 2 });
	struct wf_future *future = fake_submit(fake);

	pool_start_failed(&fake->pool, WF_PHASE_INITIALIZE, 7, "first");
	fake_pass(fake, NSEC_PER_SEC);
	ck_assert_int_eq(future->state, FUTURE_QUEUED);
	pool_start_failed(&fake->pool, WF_PHASE_FORK, ENOMEM, "second");
	ck_assert_int_eq(future->outcome.kind, WF_NOT_STARTED);
	ck_assert_int_eq(future->outcome.not_started.phase, WF_PHASE_FORK);
	ck_assert_int_eq(future->outcome.not_started.error, ENOMEM);
	ck_assert_str_eq(future->outcome.evidence, "second");
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* --- postmortem --- */

START_TEST(test_crash_hits_the_task_that_ran) {
	struct fake *fake =
	    fake_new((struct wf_executor_options){ .workers = 1, .tuning.hand_ahead = 8 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *futures[3];

	fake_submit_all(fake, futures, 3);
	hand_out(&fake->pool);
	(void)fake_receive(fake, worker);
	hand_out(&fake->pool);
	ck_assert_uint_eq(claim_count(worker->worker), 3);
	fake_end(fake, worker, 0, SIGSEGV);
	ck_assert_int_eq(futures[0]->outcome.kind, WF_SIGNALLED);
	ck_assert_int_eq(futures[0]->outcome.signalled.signal, SIGSEGV);
	ck_assert_ptr_eq(queue_peek(&fake->engine.queue), &futures[1]->link);
	fake_release(fake, futures[0]);
	fake_cancel(fake, futures[1]);
	fake_cancel(fake, futures[2]);
	fake_free(fake);
}
END_TEST

START_TEST(test_idempotent_task_is_tried_again_then_quarantined) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .max_attempts = 2 });
	struct wf_future *future = fake_submit(fake);

	future->flags = WF_TASK_IDEMPOTENT;
	for (int i = 0; i < 2; i++) {
		struct fake_worker *worker = fake_add(fake);

		hand_out(&fake->pool);
		ck_assert_ptr_eq(claim_head(worker->worker), future);
		(void)fake_receive(fake, worker);
		fake_end(fake, worker, 0, SIGSEGV);
	}
	ck_assert_int_eq(future->outcome.kind, WF_SIGNALLED);
	ck_assert(future->outcome.quarantined);
	ck_assert_uint_eq(future->outcome.attempts, 2);
	ck_assert_uint_eq(future->outcome.n_deaths, 2);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* A process that has ended, and is not reaped. */
static int open_ended_child(pid_t *ret_pid) {
	struct pollfd end = { .events = POLLIN };

	*ret_pid = fork();
	if (*ret_pid == 0)
		_exit(0);
	end.fd = pidfd_open(*ret_pid, 0);
	ck_assert_int_ge(end.fd, 0);
	ck_assert_int_eq(poll(&end, 1, FIXTURE_CAP_MS), 1);
	return end.fd;
}

/* Its channel closed because it ended, and the report comes after the grace between the two. */
START_TEST(test_end_reported_late_is_no_breach) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = run_one(fake, worker);
	siginfo_t info;
	pid_t pid;

	worker->worker->pidfd = open_ended_child(&pid);
	fake_hang_up(fake, worker);
	fake_pass(fake, MS(5000));
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_end(fake, worker, 3, 0);
	ck_assert_int_eq(future->outcome.kind, WF_EXITED);
	ck_assert_int_eq(future->outcome.exited.code, 3);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_worker_that_closes_its_channel_and_lives_on_is_killed) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = run_one(fake, worker);

	fake_hang_up(fake, worker);
	fake_pass(fake, MS(999));
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_pass(fake, MS(2));
	ck_assert_int_eq(worker->worker->stop, STOP_KILL);
	fake_end(fake, worker, 0, SIGKILL);
	ck_assert_int_eq(future->outcome.kind, WF_KILLED);
	ck_assert_int_eq((int)future->outcome.killed.by, (int)WF_BY_PROTOCOL);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

static void break_channel(struct fake_worker *worker) {
	atomic_store(&worker->worker->cell->lost_channel, 1);
}

/* A worker that has lost its channel says so in its cell, and exits with code 1. Anything else is
 * the task's own end, whatever it wrote there. */
START_TEST(test_lost_channel_is_a_breach_where_the_worker_says_so) {
	static const struct {
		int code, signal;
		enum wf_outcome_kind kind;
	} ends[] = { { 1, 0, WF_KILLED }, { 3, 0, WF_EXITED }, { 0, SIGSEGV, WF_SIGNALLED } };
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = run_one(fake, worker);

	break_channel(worker);
	fake_end(fake, worker, ends[_i].code, ends[_i].signal);
	ck_assert_int_eq(future->outcome.kind, ends[_i].kind);
	if (ends[_i].kind == WF_KILLED)
		ck_assert_int_eq(future->outcome.killed.by, WF_BY_PROTOCOL);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_lost_channel_explains_an_end_without_a_status) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = run_one(fake, worker);

	break_channel(worker);
	fake_end_unknown(fake, worker);
	ck_assert_int_eq(future->outcome.kind, WF_KILLED);
	ck_assert_int_eq(future->outcome.killed.by, WF_BY_PROTOCOL);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_lost_channel_of_an_earlier_task_explains_nothing) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *first = run_one(fake, worker), *second;

	break_channel(worker);
	fake_return(fake, worker, 0);
	second = run_one(fake, worker);
	fake_end(fake, worker, 1, 0);
	ck_assert_int_eq(second->outcome.kind, WF_EXITED);
	fake_release(fake, first);
	fake_release(fake, second);
	fake_free(fake);
}
END_TEST

/* --- a channel that its worker has closed --- */

/* Only a command that has become a program may close it, and only with a task. */
static void check_silence(enum wf_image_kind image, bool executing, bool with_task,
			  enum stop_stage expected) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = NULL;

	fake->engine.options.public.image = image;
	if (with_task)
		future = run_one(fake, worker);
	atomic_store(&worker->worker->cell->executing, executing);
	fake_hang_up(fake, worker);
	fake_pass(fake, MS(5000));
	ck_assert_int_eq(worker->worker->stop, expected);
	fake_end(fake, worker, 0, 0);
	if (future)
		fake_release(fake, future);
	fake_free(fake);
}

START_TEST(test_program_may_close_the_channel) {
	check_silence(WF_IMAGE_COMMAND, true, true, STOP_NONE);
}
END_TEST

START_TEST(test_nothing_else_may_close_the_channel) {
	check_silence(WF_IMAGE_COMMAND, false, true, STOP_KILL);
	check_silence(WF_IMAGE_COMMAND, true, false, STOP_KILL);
	check_silence(WF_IMAGE_MODULE, true, true, STOP_KILL);
}
END_TEST

static void expect_blame_on_zygote(struct fake *fake, struct wf_future *future) {
	ck_assert_int_eq(future->outcome.kind, WF_ZYGOTE_LOST);
	ck_assert_ptr_nonnull(strstr(future->outcome.evidence, "its zygote ended by itself"));
	fake_release(fake, future);
	fake_free(fake);
}

START_TEST(test_zygote_that_ends_itself_explains_a_kill) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = run_one(fake, worker);

	fake->generation->exited = true;
	fake->generation->exit = (struct exit_status){ .exited = true, .code = 9 };
	fake_end(fake, worker, 0, SIGKILL);
	expect_blame_on_zygote(fake, future);
}
END_TEST

/* The kernel does not tell how a process ended that somebody else has reaped. */
START_TEST(test_zygote_that_ends_itself_explains_an_end_without_a_status) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = run_one(fake, worker);

	fake->generation->exited = true;
	fake->generation->exit = (struct exit_status){ .exited = true, .code = 0 };
	fake_end_unknown(fake, worker);
	expect_blame_on_zygote(fake, future);
}
END_TEST

/* --- the zygote must answer --- */

/* A reused worker that ends is reported by its zygote alone, of which nothing was asked since. */
START_TEST(test_zygote_of_a_worker_at_work_must_answer) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future;

	pool_settle(&fake->pool);
	link_settle(fake->generation);
	ck_assert_ptr_null(fake->generation->ping_timer.loop);
	future = run_one(fake, worker);
	pool_settle(&fake->pool);
	ck_assert_ptr_nonnull(fake->generation->ping_timer.loop);
	fake_end(fake, worker, 3, 0);
	link_settle(fake->generation);
	ck_assert_ptr_null(fake->generation->ping_timer.loop);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* --- the keeper takes over --- */

START_TEST(test_only_what_the_keeper_kept_lives_on) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *gone = fake_add(fake), *kept = fake_add(fake), *ended = fake_add(fake);
	struct exit_status status = { .exited = true };
	struct keeper keeper;
	int32_t pids[] = { 1, kept->worker->pid };

	keeper_init(&keeper, &fake->engine, NULL, &fake->generations);
	worker_ended(ended->worker, &status, false);
	pool_settle(&fake->pool);
	ck_assert_uint_eq(fake->generation->n_workers, 3);
	custody_events.kept(&keeper, fake->generation->number, pids, 2);
	ck_assert_int_eq(gone->worker->state, WORKER_ENDED);
	ck_assert_int_eq(kept->worker->state, WORKER_READY);
	pool_settle(&fake->pool);
	ck_assert_uint_eq(fake->generation->n_workers, 1);
	fake_free(fake);
}
END_TEST

/* --- the next image --- */

START_TEST(test_image_is_loaded_where_nothing_is_in_the_way) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct succession succession;
	struct keeper keeper;

	keeper_init(&keeper, &fake->engine, NULL, NULL);
	succession_init(&succession, &fake->generations, &keeper, &fake->pool);
	ck_assert(succession_may_start(&succession));
	keeper.guard = 99; /* it still ends what a lost keeper has left */
	ck_assert(!succession_may_start(&succession));
	keeper.running = true;
	ck_assert(succession_may_start(&succession));
	fake->generations.loading = fake->generation;
	ck_assert(!succession_may_start(&succession));
	fake->generations.loading = NULL;
	keeper.quitting = true;
	ck_assert(!succession_may_start(&succession));
	fake_free(fake);
}
END_TEST

/* A zygote that ends while its workers initialize never gets as far as a task: a worker that only
 * leaves is nobody who could still run what is queued. */
START_TEST(test_queue_fails_when_zygotes_end_before_their_workers_are_ready) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .tuning.start_attempts = 1 });
	struct wf_future *future = fake_submit(fake);
	struct fake_worker *worker = fake_ask(fake);
	struct succession succession;
	struct keeper keeper;

	keeper_init(&keeper, &fake->engine, NULL, NULL);
	succession_init(&succession, &fake->generations, &keeper, &fake->pool);
	fake_spawned(fake, worker);
	pool_settle(&fake->pool);
	fake->generation->exited = true;
	fake->generation->exit = (struct exit_status){ .exited = true, .code = 3 };
	ck_assert(succession_settle(&succession));
	ck_assert_uint_eq(fake->pool.census.current, 1);
	ck_assert_int_eq(future->outcome.kind, WF_NOT_STARTED);
	ck_assert_int_eq(future->outcome.not_started.phase, WF_PHASE_LAUNCH);
	fake_release(fake, future);
	timer_clear(&succession.launch_timer);
	fake_free(fake);
}
END_TEST

/* --- deadlines --- */

START_TEST(test_deadline_strikes_in_the_queue) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct wf_future *future = fake_submit(fake);

	future->deadline = fake_time() + MS(100);
	deadline_watch(future);
	fake_pass(fake, MS(99));
	ck_assert_int_eq(future->state, FUTURE_QUEUED);
	fake_pass(fake, MS(1));
	ck_assert_int_eq(future->outcome.kind, WF_TIMED_OUT);
	ck_assert_int_eq(future->outcome.timed_out.clock, WF_CLOCK_QUEUE);
	ck_assert_uint_eq(fake->engine.queue.size, 0);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* timeout_ms counts from when the worker took it, which nobody tells. */
START_TEST(test_timeout_counts_from_the_start) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = fake_submit(fake);

	future->timeout_ms = 100;
	hand_out(&fake->pool);
	fake_pass(fake, MS(60));
	ck_assert_uint_eq(fake_receive(fake, worker), 1);
	fake_pass(fake, MS(99));
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_pass(fake, MS(1));
	ck_assert_int_eq(worker->worker->stop, STOP_TERM);
	fake_pass(fake, MS(2000));
	ck_assert_int_eq(worker->worker->stop, STOP_KILL);
	fake_end(fake, worker, 0, SIGKILL);
	ck_assert_int_eq(future->outcome.kind, WF_TIMED_OUT);
	ck_assert_int_eq(future->outcome.timed_out.clock, WF_CLOCK_RUN);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* A task that sets its claim word back is struck all the same. */
START_TEST(test_timeout_strikes_a_task_that_hides) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = fake_submit(fake);

	future->timeout_ms = 100;
	hand_out(&fake->pool);
	ck_assert_uint_eq(fake_receive(fake, worker), 1);
	atomic_store(&cell_claim(worker->worker->cell, 0)->word, claim_word(0, CLAIM_QUEUED));
	for (int i = 0; i < 4; i++)
		fake_pass(fake, MS(100));
	ck_assert_int_ne(worker->worker->stop, STOP_NONE);
	fake_end(fake, worker, 0, SIGKILL);
	ck_assert_int_eq(future->outcome.kind, WF_TIMED_OUT);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_deadline_of_an_unread_task_touches_no_worker) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = fake_submit(fake);

	future->deadline = fake_time() + MS(100);
	deadline_watch(future);
	hand_out(&fake->pool);
	fake_pass(fake, MS(100));
	ck_assert_int_eq(future->outcome.kind, WF_TIMED_OUT);
	ck_assert_int_eq(future->outcome.timed_out.clock, WF_CLOCK_QUEUE);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

START_TEST(test_result_in_time_stops_the_clock) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *worker = fake_add(fake);
	struct wf_future *future = fake_submit(fake);

	future->timeout_ms = 100;
	hand_out(&fake->pool);
	(void)fake_receive(fake, worker);
	fake_pass(fake, MS(99));
	fake_answer(fake, worker, 0, RESULT_RETURNED);
	fake_pass(fake, MS(500));
	ck_assert_int_eq(future->outcome.kind, WF_RETURNED);
	ck_assert_int_eq(worker->worker->stop, STOP_NONE);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

/* --- how many are wanted --- */

static const struct planned {
	struct census census;
	struct demand demand;
	unsigned all, urgent;
} plans[] = {
	/* reused: one for each task that waits, and for those that wait behind another */
	{ { 0 }, { .open = true, .queued = 3, .slots = 8 }, 3, 3 },
	{ { .current = 2, .parked = 2 }, { .open = true, .queued = 3, .slots = 8 }, 1, 1 },
	{ { .current = 2, .ahead = 4 }, { .open = true, .slots = 8 }, 4, 4 },
	/* the minimum, while it is open */
	{ { .current = 1 }, { .open = true, .slots = 8, .minimum = 4 }, 3, 3 },
	{ { .current = 1 }, { .open = false, .slots = 8, .minimum = 4 }, 0, 0 },
	/* fresh: spares beside the demand */
	{ { 0 },
	  { .fresh = true, .open = true, .parking = true, .queued = 2, .slots = 4, .spares = 4 },
	  6,
	  2 },
	{ { 0 }, { .fresh = true, .open = true, .queued = 2, .slots = 4, .spares = 4 }, 2, 2 },
	{ { .current = 4, .parked = 4 },
	  { .fresh = true, .open = true, .parking = true, .slots = 4, .spares = 4 },
	  0,
	  0 },
	/* those that are parked behind a busy one do not count for what waits now */
	{ { .current = 1, .parked = 1, .behind = 1 },
	  { .fresh = true, .open = true, .queued = 1, .slots = 4 },
	  0,
	  1 },
	/* but only as far as slots are empty */
	{ { .current = 4, .parked = 4, .behind = 4 },
	  { .fresh = true, .open = true, .queued = 3, .slots = 4 },
	  0,
	  0 },
};

START_TEST(test_wanted_workers) {
	struct wanted wanted = plan_wanted(&plans[_i].census, &plans[_i].demand);

	ck_assert_uint_eq(wanted.all, plans[_i].all);
	ck_assert_uint_eq(wanted.urgent, plans[_i].urgent);
}
END_TEST

/* The counts that are kept up to date equal those of a count of all slots. */
START_TEST(test_census_is_the_sum_of_the_slots) {
	struct fake *fake = fake_pool((struct wf_executor_options){ .size = 0 });
	struct fake_worker *a = fake_add(fake), *b = fake_add(fake);
	struct wf_future *future;

	ck_assert_uint_eq(fake->pool.census.current, 2);
	ck_assert_uint_eq(fake->pool.census.staying, 2);
	ck_assert_uint_eq(fake->pool.census.able, 2);
	future = run_one(fake, b);
	worker_set_stopped(a->worker, true);
	pool_settle(&fake->pool);
	ck_assert_uint_eq(fake->pool.census.parked, 0);
	ck_assert_uint_eq(fake->pool.census.able, 1);
	fake_end(fake, a, 0, 9);
	fake_end(fake, b, 0, 9);
	ck_assert_uint_eq(fake->pool.census.current, 0);
	ck_assert_uint_eq(fake->pool.places[PLACE_EMPTY][0], 0xf);
	fake_release(fake, future);
	fake_free(fake);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("pool");

	tcase_add_test(test_case, test_worker_is_idle_then_busy_then_idle);
	tcase_add_test(test_case, test_worker_leaves_after_its_last_task);
	tcase_add_test(test_case, test_idle_worker_leaves_in_time_but_for_the_minimum);
	tcase_add_test(test_case, test_spares_go_once_until_a_task_comes);
	tcase_add_test(test_case, test_spare_takes_over_at_the_end);
	tcase_add_test(test_case, test_start_that_hangs_is_a_failed_start);
	tcase_add_test(test_case, test_stopped_start_is_ended_for_what_waits);
	tcase_add_test(test_case, test_worker_that_was_resumed_is_not_ended_for_what_waits);
	tcase_add_test(test_case, test_start_that_dies_backs_off);
	tcase_add_test(test_case, test_last_failed_start_is_told);
	tcase_add_test(test_case, test_crash_hits_the_task_that_ran);
	tcase_add_test(test_case, test_idempotent_task_is_tried_again_then_quarantined);
	tcase_add_test(test_case, test_end_reported_late_is_no_breach);
	tcase_add_test(test_case, test_worker_that_closes_its_channel_and_lives_on_is_killed);
	tcase_add_loop_test(test_case, test_lost_channel_is_a_breach_where_the_worker_says_so, 0,
			    3);
	tcase_add_test(test_case, test_lost_channel_explains_an_end_without_a_status);
	tcase_add_test(test_case, test_lost_channel_of_an_earlier_task_explains_nothing);
	tcase_add_test(test_case, test_program_may_close_the_channel);
	tcase_add_test(test_case, test_nothing_else_may_close_the_channel);
	tcase_add_test(test_case, test_zygote_that_ends_itself_explains_a_kill);
	tcase_add_test(test_case, test_zygote_that_ends_itself_explains_an_end_without_a_status);
	tcase_add_test(test_case, test_zygote_of_a_worker_at_work_must_answer);
	tcase_add_test(test_case, test_only_what_the_keeper_kept_lives_on);
	tcase_add_test(test_case, test_image_is_loaded_where_nothing_is_in_the_way);
	tcase_add_test(test_case, test_queue_fails_when_zygotes_end_before_their_workers_are_ready);
	tcase_add_test(test_case, test_deadline_strikes_in_the_queue);
	tcase_add_test(test_case, test_timeout_counts_from_the_start);
	tcase_add_test(test_case, test_timeout_strikes_a_task_that_hides);
	tcase_add_test(test_case, test_deadline_of_an_unread_task_touches_no_worker);
	tcase_add_test(test_case, test_result_in_time_stops_the_clock);
	tcase_add_loop_test(test_case, test_wanted_workers, 0,
			    (int)(sizeof plans / sizeof plans[0]));
	tcase_add_test(test_case, test_census_is_the_sum_of_the_slots);
	return fixture_run("pool", test_case);
}
