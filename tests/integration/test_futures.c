/* SPDX-License-Identifier: MIT
 *
 * Story: futures. Each resolves once, and those who wait or listen for it are told.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/more.h"

static const int zero, seven = 7, killing = SIGKILL;

/* --- the defects that other pools have --- */

/* Cancel a queued task, then crash a worker: all futures resolve (this hangs loky). */
START_TEST(test_cancel_then_crash_resolves_all) {
	struct wf_executor *executor = more_open(_i);
	struct cord cords[2];
	struct wf_future *gates[2], *queued[6];

	for (size_t i = 0; i < N_OF(gates); i++)
		gates[i] = more_gate(&cords[i], executor);
	const struct toy_where victim = more_gate_started(&cords[0]);
	more_gate_started(&cords[1]);
	for (size_t i = 0; i < N_OF(queued); i++)
		queued[i] = pool_call(executor, "where", "");

	ck_assert_int_eq(wf_future_cancel(queued[2]), 0);
	ck_assert_int_eq(kill(victim.pid, SIGKILL), 0);
	expect_signalled(pool_wait(gates[0]), SIGKILL);
	cord_release(&cords[1]);
	more_place(pool_wait(gates[1]));
	for (size_t i = 0; i < N_OF(queued); i++)
		expect_kind(pool_wait(queued[i]), i == 2 ? WF_CANCELLED : WF_RETURNED);

	for (size_t i = 0; i < N_OF(queued); i++)
		wf_future_free(queued[i]);
	for (size_t i = 0; i < N_OF(gates); i++) {
		wf_future_free(gates[i]);
		cord_close(&cords[i]);
	}
	pool_close(executor);
}
END_TEST

/* Two reused workers that are idle now. */
static void warm_up(struct wf_executor *executor, pid_t pids[2]) {
	struct cord cords[2];
	struct wf_future *gates[2];

	for (size_t i = 0; i < 2; i++)
		gates[i] = more_gate(&cords[i], executor);
	for (size_t i = 0; i < 2; i++)
		pids[i] = more_gate_started(&cords[i]).pid;
	for (size_t i = 0; i < 2; i++) {
		cord_release(&cords[i]);
		more_finish(gates[i]);
		cord_close(&cords[i]);
	}
}

/* A stopped idle worker blocks nobody (this blocks loky): `_i` is hand_ahead, 0 the default. */
START_TEST(test_stopped_idle_worker_blocks_nobody) {
	struct wf_executor_options options = more_options(REUSED);
	struct wf_future *futures[20];

	options.tuning.hand_ahead = _i;
	struct wf_executor *executor = pool_open(&options);
	pid_t pids[2];
	warm_up(executor, pids);

	ck_assert_int_eq(kill(pids[0], SIGSTOP), 0);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "where", "");
	for (size_t i = 0; i < N_OF(futures); i++) {
		ck_assert_int_ne(more_place(pool_wait(futures[i])).pid, pids[0]);
		wf_future_free(futures[i]);
	}
	pool_close(executor);
}
END_TEST

/* --- callbacks --- */

struct heard {
	sem_t event;
	int n;
	enum wf_outcome_kind kinds[8];
	pthread_t thread;
};

static void heard_init(struct heard *heard) {
	memset(heard, 0, sizeof *heard);
	ck_assert_int_eq(sem_init(&heard->event, 0, 0), 0);
}

static void hear(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct heard *heard = context;

	(void)future;
	heard->kinds[heard->n++] = outcome->kind;
	heard->thread = pthread_self();
	sem_post(&heard->event);
}

START_TEST(test_callback_hears_result_failure_and_crash) {
	static const struct {
		const char *function;
		const void *input;
		size_t size;
		enum wf_outcome_kind kind;
	} cases[] = {
		{ "echo", "x", 1, WF_RETURNED },
		{ "fail", &seven, sizeof seven, WF_FAILED },
		{ "die", &killing, sizeof killing, WF_SIGNALLED },
	};
	struct wf_executor *executor = more_open(_i);

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct heard heard;
		heard_init(&heard);
		struct wf_future *future =
		    more_call(executor, cases[i].function, cases[i].input, cases[i].size);
		ck_assert_int_eq(wf_future_on_done(future, hear, &heard), 0);
		more_await(&heard.event);
		ck_assert_int_eq(heard.kinds[0], cases[i].kind);
		ck_assert_int_eq(wf_future_state(future), WF_DONE);
		wf_future_free(future);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_callback_of_cancelled_runs_in_cancelling_thread) {
	struct cord cord;
	struct heard heard;

	struct wf_executor *executor = more_open_workers(_i, 1);
	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	struct wf_future *queued = pool_call(executor, "echo", "x");
	heard_init(&heard);
	ck_assert_int_eq(wf_future_on_done(queued, hear, &heard), 0);
	ck_assert_int_eq(wf_future_cancel(queued), 0);
	ck_assert_int_eq(heard.n, 1);
	ck_assert_int_eq(heard.kinds[0], WF_CANCELLED);
	ck_assert_int_ne(pthread_equal(heard.thread, pthread_self()), 0);
	wf_future_free(queued);

	cord_release(&cord);
	more_finish(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

static pthread_mutex_t users_lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static atomic_uint n_deadlocks;

static void hear_elsewhere(struct wf_future *future, const struct wf_outcome *outcome,
			   void *context) {
	(void)future;
	(void)outcome;
	(void)context;
	if (pthread_mutex_lock(&users_lock) == EDEADLK)
		n_deadlocks++;
	else
		(void)pthread_mutex_unlock(&users_lock);
}

/* A thread that cancels may hold locks for which the callbacks of other futures wait. */
START_TEST(test_cancel_runs_no_callback_of_another_future) {
	const struct wf_task last = WF_TASK(.function = "where", .priority = -16);
	struct wf_executor_options options = more_options(REUSED);
	struct wf_future *others[4], *own;
	struct wf_executor *executor;

	options.tuning.hand_ahead = 0; /* it depends on how long tasks take */
	executor = pool_open(&options);
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < N_OF(others); i++) {
			others[i] = pool_call(executor, "where", "");
			ck_assert_int_eq(wf_future_on_done(others[i], hear_elsewhere, NULL), 0);
		}
		own = pool_submit(executor, &last);
		ck_assert_int_eq(pthread_mutex_lock(&users_lock), 0);
		if (round % 256)
			(void)wf_future_cancel(own);
		else
			(void)wf_future_kill(own, WF_NO_GRACE);
		ck_assert_int_eq(pthread_mutex_unlock(&users_lock), 0);
		wf_future_free(own);
		if (round % 16 == 15)
			pool_wait(others[0]); /* so that the queue does not only grow */
		for (size_t i = 0; i < N_OF(others); i++)
			wf_future_free(others[i]);
	}
	pool_close(executor);
	ck_assert_uint_eq(n_deadlocks, 0);
}
END_TEST

START_TEST(test_callback_added_late_runs_at_once) {
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = pool_call(executor, "echo", "x");
	struct heard heard;

	pool_wait(future);
	heard_init(&heard);
	ck_assert_int_eq(wf_future_on_done(future, hear, &heard), 0);
	ck_assert_int_eq(heard.n, 1);
	ck_assert_int_ne(pthread_equal(heard.thread, pthread_self()), 0);
	wf_future_free(future);
	pool_close(executor);
}
END_TEST

struct chain {
	struct wf_executor *executor;
	sem_t end;
	int left;
	int result; /* of the first submit or callback that failed */
};

static void chain_link(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct chain *chain = context;
	const struct wf_task task = WF_TASK(.function = "echo");
	struct wf_future *next = NULL;

	wf_future_free(future);
	if (outcome->kind != WF_RETURNED)
		chain->result = -EIO;
	if (chain->left-- == 0 || chain->result) {
		sem_post(&chain->end);
		return;
	}
	chain->result = wf_submit(chain->executor, &task, &next);
	if (!chain->result)
		chain->result = wf_future_on_done(next, chain_link, chain);
	if (chain->result)
		sem_post(&chain->end);
}

/* Each callback frees its own future and submits the next. */
START_TEST(test_callback_submits_chains_of_100) {
	struct chain chains[3];
	struct wf_executor *executor = more_open(_i);

	for (size_t i = 0; i < N_OF(chains); i++) {
		chains[i] = (struct chain){ .executor = executor, .left = 100 };
		ck_assert_int_eq(sem_init(&chains[i].end, 0, 0), 0);
		struct wf_future *first = pool_call(executor, "echo", "");
		ck_assert_int_eq(wf_future_on_done(first, chain_link, &chains[i]), 0);
	}
	for (size_t i = 0; i < N_OF(chains); i++) {
		more_await(&chains[i].end);
		ck_assert_int_eq(chains[i].result, 0);
		ck_assert_int_eq(chains[i].left, -1);
	}
	pool_close(executor);
}
END_TEST

struct turn {
	int number;
	struct {
		sem_t event;
		int order[5], n;
	} * all;
};

static void take_turn(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct turn *turn = context;

	(void)future;
	(void)outcome;
	turn->all->order[turn->all->n++] = turn->number;
	sem_post(&turn->all->event);
}

START_TEST(test_callbacks_run_in_the_order_added) {
	struct turn turns[5];
	struct wf_executor *executor = more_open(_i);
	struct cord cord;
	__typeof__(*turns[0].all) all = { .n = 0 };

	ck_assert_int_eq(sem_init(&all.event, 0, 0), 0);
	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	for (int i = 0; i < 5; i++) {
		turns[i] = (struct turn){ .number = i, .all = &all };
		ck_assert_int_eq(wf_future_on_done(gate, take_turn, &turns[i]), 0);
	}
	cord_release(&cord);
	for (int i = 0; i < 5; i++)
		more_await(&all.event);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(all.order[i], i);
	wf_future_free(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

struct waiter {
	struct wf_executor *executor;
	struct wf_future *pending, *done;
	sem_t event;
	const struct wf_outcome *pending_outcome, *done_outcome;
	bool sentence;
	int wait, close, reload, open, shared;
};

static void wait_in_callback(struct wf_future *future, const struct wf_outcome *outcome,
			     void *context) {
	const struct wf_executor_options options = pool_options(FRESH);
	struct waiter *waiter = context;
	struct wf_executor *other;

	(void)future;
	(void)outcome;
	waiter->pending_outcome = wf_future_wait(waiter->pending, WF_FOREVER);
	waiter->sentence = strlen(wf_last_error()) > 0;
	waiter->done_outcome = wf_future_wait(waiter->done, WF_FOREVER);
	waiter->wait = wf_wait(&waiter->pending, 1, WF_ALL_COMPLETED, WF_FOREVER);
	waiter->close = wf_executor_close(waiter->executor, WF_CLOSE_FINISH);
	waiter->reload = wf_executor_reload(waiter->executor);
	waiter->open = wf_executor_open(&options, &other);
	waiter->shared = wf_executor_shared(&options, &other, NULL);
	sem_post(&waiter->event);
}

/* Waiting in a callback would wait for the thread that runs it: refused, unless nothing is left to
 * wait for. */
START_TEST(test_waiting_in_callback_is_refused) {
	struct wf_executor *executor = more_open(_i);
	struct waiter waiter = { .executor = executor };
	struct cord cords[2];

	ck_assert_int_eq(sem_init(&waiter.event, 0, 0), 0);
	waiter.done = pool_call(executor, "echo", "x");
	pool_wait(waiter.done);
	struct wf_future *gate = more_gate(&cords[0], executor);
	waiter.pending = more_gate(&cords[1], executor);
	more_gate_started(&cords[0]);
	more_gate_started(&cords[1]);
	ck_assert_int_eq(wf_future_on_done(gate, wait_in_callback, &waiter), 0);
	cord_release(&cords[0]);
	more_await(&waiter.event);
	ck_assert_ptr_null(waiter.pending_outcome);
	ck_assert_int_eq(waiter.sentence, true);
	ck_assert_ptr_nonnull(waiter.done_outcome);
	ck_assert_int_eq(waiter.wait, -EDEADLK);
	ck_assert_int_eq(waiter.close, -EDEADLK);
	ck_assert_int_eq(waiter.reload, -EDEADLK);
	ck_assert_int_eq(waiter.open, -EDEADLK);
	ck_assert_int_eq(waiter.shared, -EDEADLK);

	cord_release(&cords[1]);
	more_finish(waiter.pending);
	wf_future_free(waiter.done);
	wf_future_free(gate);
	for (size_t i = 0; i < N_OF(cords); i++)
		cord_close(&cords[i]);
	pool_close(executor);
}
END_TEST

struct meddler {
	struct wf_future *cancelled, *killed;
	struct heard heard;
	sem_t event;
	int cancel, kill, listen;
};

static void meddle(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct meddler *meddler = context;

	(void)outcome;
	meddler->cancel = wf_future_cancel(meddler->cancelled);
	meddler->kill = wf_future_kill(meddler->killed, WF_NO_GRACE);
	meddler->listen = wf_future_on_done(future, hear, &meddler->heard);
	sem_post(&meddler->event);
}

START_TEST(test_callback_may_cancel_kill_and_listen) {
	struct wf_executor *executor = more_open(_i);
	struct meddler meddler = { 0 };
	struct cord cords[2];

	heard_init(&meddler.heard);
	ck_assert_int_eq(sem_init(&meddler.event, 0, 0), 0);
	struct wf_future *gate = more_gate(&cords[0], executor);
	meddler.killed = more_gate(&cords[1], executor);
	more_gate_started(&cords[0]);
	more_gate_started(&cords[1]);
	struct wf_future *queued[3];
	for (size_t i = 0; i < N_OF(queued); i++)
		queued[i] = pool_call(executor, "echo", "x");
	meddler.cancelled = queued[2];
	ck_assert_int_eq(wf_future_on_done(gate, meddle, &meddler), 0);
	ck_assert_int_eq(wf_future_kill(gate, WF_NO_GRACE), 0);
	more_await(&meddler.event);
	more_await(&meddler.heard.event);
	expect_killed(pool_wait(gate), WF_BY_CALLER);
	ck_assert_int_eq(meddler.kill, 0);
	expect_killed(pool_wait(meddler.killed), WF_BY_CALLER);
	ck_assert_int_eq(meddler.listen, 0);
	ck_assert_int_eq(meddler.cancel, 0);
	expect_kind(pool_wait(queued[2]), WF_CANCELLED);
	expect_kind(pool_wait(queued[1]), WF_RETURNED);

	for (size_t i = 0; i < N_OF(queued); i++)
		wf_future_free(queued[i]);
	wf_future_free(gate);
	wf_future_free(meddler.killed);
	for (size_t i = 0; i < N_OF(cords); i++)
		cord_close(&cords[i]);
	pool_close(executor);
}
END_TEST

/* --- owners --- */

static void free_executor(struct wf_future *future, const struct wf_outcome *outcome,
			  void *context) {
	struct waiter *waiter = context;

	(void)future;
	(void)outcome;
	waiter->executor = wf_executor_free(waiter->executor);
	sem_post(&waiter->event);
}

/* The last handle is given back in a callback: the pool finishes, and ends by itself. */
START_TEST(test_executor_freed_in_a_callback) {
	struct waiter waiter = { .executor = more_open(_i) };
	static struct watch processes;
	struct cord cord;
	siginfo_t info;

	ck_assert_int_eq(sem_init(&waiter.event, 0, 0), 0);
	struct wf_future *gate = more_gate(&cord, waiter.executor);
	more_gate_started(&cord);
	pool_watch(waiter.executor, &processes);
	struct wf_future *future = pool_call(waiter.executor, "echo", "x");
	ck_assert_int_eq(wf_future_on_done(future, free_executor, &waiter), 0);
	more_await(&waiter.event);
	ck_assert_ptr_null(wf_future_outcome(gate));
	cord_release(&cord);
	expect_kind(pool_wait(gate), WF_RETURNED);
	expect_ended(&processes);
	/* the keeper, our only child: the library reaps it, in a thread that nobody can join */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0)
		;
	more_await_threads();
	watch_clear(&processes);
	wf_future_free(future);
	wf_future_free(gate);
	cord_close(&cord);
}
END_TEST

/* Tidying up loses nothing: what was submitted still runs. */
START_TEST(test_executor_freed_early_finishes) {
	struct wf_future *futures[40];

	struct wf_executor *executor = more_open_workers(_i, 1);
	for (size_t i = 0; i < N_OF(futures); i++)
		futures[i] = pool_call(executor, "where", "");
	ck_assert_ptr_null(wf_executor_free(executor));
	for (size_t i = 0; i < N_OF(futures); i++) {
		ck_assert_ptr_nonnull(wf_future_outcome(futures[i]));
		expect_kind(wf_future_outcome(futures[i]), WF_RETURNED);
		wf_future_free(futures[i]);
	}
}
END_TEST

START_TEST(test_future_freed_early_still_calls_back) {
	struct wf_executor *executor = more_open(_i);
	struct cord cord;
	struct heard heard;

	heard_init(&heard);
	struct wf_future *gate = more_gate(&cord, executor);
	more_gate_started(&cord);
	ck_assert_int_eq(wf_future_on_done(gate, hear, &heard), 0);
	ck_assert_ptr_null(wf_future_free(gate));
	cord_release(&cord);
	more_await(&heard.event);
	ck_assert_int_eq(heard.kinds[0], WF_RETURNED);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_fire_and_forget_runs) {
	struct wf_executor *executor = more_open(_i);
	struct cord cord;

	cord_open(&cord);
	cord.context.descriptors = cord.task;
	const struct wf_task task = WF_TASK(.function = "gate", .context = &cord.context);
	ck_assert_int_eq(wf_submit(executor, &task, NULL), 0);
	more_gate_started(&cord);
	close(cord.task[0]);
	close(cord.task[1]);
	cord_release(&cord);
	pool_close(executor);
	cord_close(&cord);
}
END_TEST

START_TEST(test_outcome_outlives_the_executor_and_other_owners) {
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = pool_call(executor, "echo", "kept");

	ck_assert_ptr_eq(wf_future_ref(future), future);
	wf_future_free(future);
	pool_close(executor);
	expect_text(pool_wait(future), "kept");
	ck_assert_ptr_eq(wf_future_outcome(future), wf_future_wait(future, 0));
	ck_assert_int_eq(wf_future_cancel(future), -EALREADY);
	wf_future_free(future);
}
END_TEST

/* --- states --- */

START_TEST(test_states_and_what_each_allows) {
	struct cord cord;

	struct wf_executor *executor = more_open_workers(_i, 1);
	struct wf_future *running = more_gate(&cord, executor);
	more_gate_started(&cord);
	struct wf_future *pending = pool_call(executor, "echo", "x");
	struct wf_future *unwanted = pool_call(executor, "echo", "y");

	ck_assert_int_eq(wf_future_state(running), WF_RUNNING);
	ck_assert_int_eq(wf_future_state(pending), WF_PENDING);
	ck_assert_ptr_null(wf_future_outcome(running));
	ck_assert_ptr_null(wf_future_wait(running, 0));
	ck_assert_ptr_null(wf_future_wait(pending, 1));
	ck_assert_int_eq(wf_future_cancel(running), -EBUSY);
	ck_assert_int_eq(wf_future_cancel(unwanted), 0);
	ck_assert_int_eq(wf_future_state(unwanted), WF_DONE);
	expect_kind(wf_future_outcome(unwanted), WF_CANCELLED);
	ck_assert_int_eq(wf_future_outcome(unwanted)->pid, 0);
	ck_assert_int_eq(wf_future_outcome(unwanted)->slot, -1);
	ck_assert_int_eq(wf_future_cancel(unwanted), -EALREADY);

	cord_release(&cord);
	more_place(pool_wait(running));
	ck_assert_int_eq(wf_future_state(running), WF_DONE);
	ck_assert_int_eq(wf_future_cancel(running), -EALREADY);
	ck_assert_int_eq(wf_future_kill(running, WF_NO_GRACE), -EALREADY);
	expect_text(pool_wait(pending), "x");
	wf_future_free(running);
	wf_future_free(pending);
	wf_future_free(unwanted);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* Killing what has not started is a cancel. */
START_TEST(test_kill_of_pending_cancels) {
	struct cord cord;

	struct wf_executor *executor = more_open_workers(_i, 1);
	struct wf_future *running = more_gate(&cord, executor);
	const pid_t pid = more_gate_started(&cord).pid;
	struct wf_future *pending = pool_call(executor, "echo", "x");

	ck_assert_int_eq(wf_future_kill(pending, 0), 0);
	expect_kind(pool_wait(pending), WF_CANCELLED);
	cord_release(&cord);
	ck_assert_int_eq(more_place(pool_wait(running)).pid, pid);
	wf_future_free(pending);
	wf_future_free(running);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

START_TEST(test_outcome_tells_the_circumstances) {
	struct wf_executor *executor = more_open(_i);
	struct wf_future *future = pool_call(executor, "where", "");
	const struct wf_outcome *outcome = pool_wait(future);
	const struct toy_where place = more_place(outcome);

	ck_assert_int_eq(outcome->pid, place.pid);
	ck_assert_int_eq(outcome->slot, place.slot);
	ck_assert_int_eq(place.initializer_slot, place.slot);
	ck_assert_uint_eq(outcome->task_number, place.task_number);
	ck_assert_uint_eq(outcome->generation, 1);
	ck_assert_uint_eq(outcome->attempts, 1);
	ck_assert_uint_gt(outcome->queued_ns, 0);
	ck_assert_uint_gt(outcome->run_ns, 0);
	ck_assert_uint_gt(outcome->peak_rss, 0);
	ck_assert_int_ne(outcome->usage_source, WF_SOURCE_NONE);
	ck_assert_str_eq(outcome->layers, "none");
	ck_assert_str_eq(outcome->stack, "");
	ck_assert_uint_eq(outcome->n_deaths, 0);
	wf_future_free(future);

	struct wf_future *other = more_call(executor, "fail", &zero, sizeof zero);
	expect_kind(pool_wait(other), WF_RETURNED);
	ck_assert_uint_ne(pool_wait(other)->task_id, 0);
	wf_future_free(other);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("futures");

	add_for_both(test_case, test_cancel_then_crash_resolves_all);
	tcase_add_loop_test(test_case, test_stopped_idle_worker_blocks_nobody, 0, 2);
	add_for_both(test_case, test_callback_hears_result_failure_and_crash);
	add_for_both(test_case, test_callback_of_cancelled_runs_in_cancelling_thread);
	tcase_add_test(test_case, test_cancel_runs_no_callback_of_another_future);
	add_for_both(test_case, test_callback_added_late_runs_at_once);
	add_for_both(test_case, test_callback_submits_chains_of_100);
	add_for_both(test_case, test_callbacks_run_in_the_order_added);
	add_for_both(test_case, test_waiting_in_callback_is_refused);
	add_for_both(test_case, test_callback_may_cancel_kill_and_listen);
	add_for_both(test_case, test_executor_freed_in_a_callback);
	add_for_both(test_case, test_executor_freed_early_finishes);
	add_for_both(test_case, test_future_freed_early_still_calls_back);
	add_for_both(test_case, test_fire_and_forget_runs);
	add_for_both(test_case, test_outcome_outlives_the_executor_and_other_owners);
	add_for_both(test_case, test_states_and_what_each_allows);
	add_for_both(test_case, test_kill_of_pending_cancels);
	add_for_both(test_case, test_outcome_tells_the_circumstances);
	return fixture_run("futures", test_case);
}
