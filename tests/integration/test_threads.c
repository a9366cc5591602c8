/* SPDX-License-Identifier: MIT
 *
 * Story: many threads do everything at once to one executor, while others resize it, load its image
 * again and kill its workers. Each future resolves once, and says what became of its task.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/more.h"

#define N_THREADS 8
#define N_ROUNDS  25

/* A thread asserts nothing: it writes down the first thing that is wrong. */
struct actor {
	pthread_t thread;
	struct wf_executor *executor;
	unsigned seed;
	bool killing; /* workers are being killed: a task may be their victim */
	int submitted;
	atomic_int called_back;
	char trouble[512];
};

#define wrong(actor, ...) snprintf((actor)->trouble, sizeof(actor)->trouble, __VA_ARGS__)

static void count_call(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct actor *actor = context;

	(void)future;
	(void)outcome;
	atomic_fetch_add(&actor->called_back, 1);
}

/* Is this outcome one that the caller has asked for? */
static bool is_fair(const struct actor *actor, const struct wf_outcome *outcome,
		    enum wf_outcome_kind asked) {
	if (outcome->kind == WF_RETURNED || outcome->kind == asked)
		return true;
	return actor->killing && outcome->kind == WF_SIGNALLED &&
	       outcome->signalled.signal == SIGKILL;
}

static struct wf_future *submit_one(struct actor *actor, const char *function, int number) {
	const struct wf_task task =
	    WF_TASK(.function = function, .input = &number, .input_size = sizeof number);
	struct wf_future *future = NULL;
	int r = wf_submit(actor->executor, &task, &future);

	if (r) {
		wrong(actor, "submit: %d: %s", r, wf_last_error());
		return NULL;
	}
	actor->submitted++;
	if (wf_future_on_done(future, count_call, actor) != 0)
		wrong(actor, "on_done: %s", wf_last_error());
	return future;
}

static void settle(struct actor *actor, struct wf_future *future, enum wf_outcome_kind asked) {
	const struct wf_outcome *outcome = wf_future_wait(future, FIXTURE_CAP_MS);
	char text[256];

	if (!outcome) {
		wrong(actor, "not resolved");
	} else if (!is_fair(actor, outcome, asked)) {
		wf_outcome_describe(outcome, text, sizeof text);
		wrong(actor, "unasked for: %.200s; %.200s", text, outcome->evidence);
	}
	wf_future_free(future);
}

static void act_batch(struct actor *actor) {
	struct wf_future *futures[8];
	size_t n = 0;

	while (n < N_OF(futures) && (futures[n] = submit_one(actor, "echo", (int)n)))
		n++;
	const int r = wf_wait(futures, n, WF_ALL_COMPLETED, FIXTURE_CAP_MS);
	if (r != (int)n)
		wrong(actor, "wait: %d: %s", r, wf_last_error());
	while (n > 0)
		settle(actor, futures[--n], WF_RETURNED);
}

static void act_cancel(struct actor *actor) {
	struct wf_future *future = submit_one(actor, "echo", 1);
	const int r = future ? wf_future_cancel(future) : 0;

	if (r != 0 && r != -EBUSY && r != -EALREADY)
		wrong(actor, "cancel: %d: %s", r, wf_last_error());
	if (future)
		settle(actor, future, WF_CANCELLED);
}

static void act_kill(struct actor *actor) {
	struct wf_future *future = submit_one(actor, "echo", 1);
	const int r = future ? wf_future_kill(future, WF_NO_GRACE) : 0;

	if (r != 0 && r != -EALREADY)
		wrong(actor, "kill: %d: %s", r, wf_last_error());
	if (!future)
		return;
	const struct wf_outcome *outcome = wf_future_wait(future, FIXTURE_CAP_MS);
	settle(actor, future, outcome && outcome->kind == WF_KILLED ? WF_KILLED : WF_CANCELLED);
}

static void act_fail(struct actor *actor) {
	struct wf_future *future = submit_one(actor, "fail", 3);

	if (future)
		settle(actor, future, WF_FAILED);
}

static void act_forget(struct actor *actor) {
	wf_future_free(submit_one(actor, "echo", 2));
}

static void act_map(struct actor *actor) {
	const struct wf_map_options options =
	    WF_MAP_OPTIONS(.as_completed = true, .chunk = 3, .window = 4);
	const struct wf_bytes inputs[] = { { "a", 1 }, { "b", 1 }, { "c", 1 },
					   { "d", 1 }, { "e", 1 }, { "f", 1 } };
	const struct wf_outcome *outcome;
	struct wf_map *map = NULL;
	int r = wf_map(actor->executor, &WF_TASK(.function = "echo"), inputs, N_OF(inputs),
		       &options, &map);

	for (size_t i = 0; r == 0 && i < N_OF(inputs) - 1; i++) {
		r = wf_map_next(map, FIXTURE_CAP_MS, NULL, &outcome);
		if (r == 0 && !is_fair(actor, outcome, WF_RETURNED))
			wrong(actor, "map: %s; %.200s", wf_outcome_kind_name(outcome->kind),
			      outcome->evidence);
	}
	if (r)
		wrong(actor, "map: %d: %s", r, wf_last_error());
	wf_map_free(map); /* before the last has been fetched */
}

static void *act(void *argument) {
	static void (*const acts[])(struct actor *) = { act_batch, act_cancel, act_kill,
							act_fail,  act_forget, act_map };
	struct actor *actor = argument;

	for (int i = 0; i < N_ROUNDS && !actor->trouble[0]; i++)
		acts[(size_t)rand_r(&actor->seed) % N_OF(acts)](actor);
	return NULL;
}

/* --- those who disturb --- */

struct disturber {
	pthread_t thread;
	struct wf_executor *executor;
	void (*disturb)(struct disturber *disturber);
	atomic_bool *over;
	int rounds;
	int r;
};

/* A task of its own paces the disturbance; returns the pid of who ran it, which may have been given
 * something else since. */
static pid_t run_one(struct disturber *disturber) {
	struct wf_future *future = NULL;
	pid_t pid = 0;

	disturber->r = wf_submit(disturber->executor, &WF_TASK(.function = "where"), &future);
	if (disturber->r)
		return 0;
	const struct wf_outcome *outcome = wf_future_wait(future, FIXTURE_CAP_MS);
	if (outcome && outcome->kind == WF_RETURNED)
		pid = outcome->pid;
	wf_future_free(future);
	return pid;
}

static void resize_once(struct disturber *disturber) {
	static const int sizes[] = { 12, 2, 1, 12, 6, 1, 8, 5 };

	run_one(disturber);
	if (!disturber->r)
		disturber->r = wf_executor_resize(disturber->executor,
						  sizes[(size_t)disturber->rounds % N_OF(sizes)]);
}

static void reload_once(struct disturber *disturber) {
	run_one(disturber);
	if (!disturber->r)
		disturber->r = wf_executor_reload(disturber->executor);
}

/* It may have left by now, and its number may be somebody else's: only a child of the zygote is
 * killed, held by a pidfd. */
static void kill_once(struct disturber *disturber) {
	struct wf_statistics statistics = { .size = sizeof statistics };
	const pid_t pid = run_one(disturber);
	const int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd < 0)
		return;
	if (wf_executor_statistics(disturber->executor, &statistics) == 0 &&
	    process_parent(pid) == statistics.zygote_pid)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	close(pidfd);
}

static void *disturb(void *argument) {
	struct disturber *disturber = argument;

	while (!disturber->over[0] && !disturber->r) {
		disturber->disturb(disturber);
		disturber->rounds++;
	}
	return NULL;
}

/* `_i` counts through the regimes, and what the other threads do meanwhile. */
START_TEST(test_many_threads_do_everything) {
	static void (*const disturbances[])(struct disturber *) = { resize_once, reload_once,
								    kill_once };
	struct wf_executor_options options = more_options(_i % 2);
	static struct actor actors[N_THREADS];
	atomic_bool over = false;

	options.workers = 3;
	options.tuning.hand_ahead = 0;
	options.tuning.backoff_ms = 1;
	struct wf_executor *executor = pool_open(&options);
	struct disturber disturber = { .executor = executor,
				       .disturb = disturbances[_i / 2],
				       .over = &over };
	for (unsigned i = 0; i < N_THREADS; i++) {
		actors[i] = (struct actor){ .executor = executor,
					    .seed = i,
					    .killing = disturber.disturb == kill_once };
		ck_assert_int_eq(pthread_create(&actors[i].thread, NULL, act, &actors[i]), 0);
	}
	ck_assert_int_eq(pthread_create(&disturber.thread, NULL, disturb, &disturber), 0);
	for (unsigned i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_join(actors[i].thread, NULL), 0);
	over = true;
	ck_assert_int_eq(pthread_join(disturber.thread, NULL), 0);
	ck_assert_int_eq(disturber.r, 0);
	ck_assert_int_gt(disturber.rounds, 0);
	pool_check_works(executor);
	pool_close(executor);
	for (unsigned i = 0; i < N_THREADS; i++) {
		ck_assert_str_eq(actors[i].trouble, "");
		ck_assert_int_eq(actors[i].called_back, actors[i].submitted);
	}
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("threads");

	tcase_add_loop_test(test_case, test_many_threads_do_everything, 0, 6);
	return fixture_run("threads", test_case);
}
