/* SPDX-License-Identifier: MIT
 *
 * Story: this process has no free descriptor when a task that needs some is handed out, or no
 * memory for what its workers, zygote and keeper say. The task waits; everything else goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/more.h"

#define FEW 200

/* Descriptors that are taken, so that none is left. */
struct crowd {
	int descriptors[FEW];
	size_t n;
};

static void crowd_fill(struct crowd *crowd) {
	int fd;

	crowd->n = 0;
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
		ck_assert_uint_lt(crowd->n, N_OF(crowd->descriptors));
		crowd->descriptors[crowd->n++] = fd;
	}
	ck_assert_int_eq(errno, EMFILE);
}

static void crowd_leave(struct crowd *crowd) {
	while (crowd->n > 0)
		ck_assert_int_eq(close(crowd->descriptors[--crowd->n]), 0);
}

static struct wf_future *call_captured(struct wf_executor *executor, const char *script) {
	const struct wf_context captured = pool_capturing();

	return pool_call_in(executor, "script", script, &captured);
}

static void expect_captured(struct wf_future *future, const char *text) {
	const struct wf_outcome *outcome = pool_wait(future);

	expect_kind(outcome, WF_RETURNED);
	ck_assert_str_eq(outcome->standard_output.data, text);
	wf_future_free(future);
}

static void expect_told_or_captured(const struct wf_outcome *outcome, const char *text) {
	if (outcome->kind == WF_RETURNED) {
		ck_assert_str_eq(outcome->standard_output.data, text);
		return;
	}
	expect_kind(outcome, WF_NOT_STARTED);
	ck_assert_int_eq((int)outcome->not_started.phase, (int)WF_PHASE_HAND_OUT);
	ck_assert_int_eq(outcome->not_started.error, EMFILE);
	ck_assert_ptr_nonnull(strstr(outcome->evidence, "RLIMIT_NOFILE"));
}

static bool both_are_idle(const struct wf_statistics *statistics) {
	return statistics->idle == 2;
}

static struct wf_executor *open_with_idle_workers(int regime) {
	struct wf_executor_options options = pool_options(regime);
	struct wf_executor *executor;

	options.min_workers = 2;
	executor = pool_open(&options);
	pool_await(executor, both_are_idle);
	return executor;
}

/* One task runs, so there is hope; another has no pipes for its output. */
struct scene {
	struct wf_executor *executor;
	struct crowd crowd;
	struct cord cord;
	struct wf_future *running, *waiting;
};

static void scene_open(struct scene *scene, int regime) {
	(void)fixture_limit_descriptors(FEW);
	scene->executor = open_with_idle_workers(regime);
	cord_open(&scene->cord);
	scene->running =
	    cord_call(&scene->cord, scene->executor, "script", "started; wait; echo done");
	cord_expect(&scene->cord, "started");
	crowd_fill(&scene->crowd);
	scene->waiting = call_captured(scene->executor, "out here");
}

static void scene_close(struct scene *scene) {
	wf_future_free(scene->running);
	cord_close(&scene->cord);
	pool_close(scene->executor);
}

START_TEST(test_captured_task_waits_for_descriptors) {
	struct scene scene;

	scene_open(&scene, _i);
	ck_assert_int_eq(wf_future_state(scene.waiting), WF_PENDING);
	ck_assert_uint_eq(pool_statistics(scene.executor).queued, 1);
	crowd_leave(&scene.crowd);
	expect_captured(scene.waiting, "here");
	cord_release(&scene.cord);
	expect_text(pool_wait(scene.running), "done");
	scene_close(&scene);
}
END_TEST

/* The task that runs ends while there are no descriptors yet. */
START_TEST(test_running_task_ends_beside_one_that_waits) {
	struct scene scene;

	scene_open(&scene, _i);
	cord_release(&scene.cord);
	expect_text(pool_wait(scene.running), "done");
	/* workers that are not needed may leave what they have to it; if that is not enough, it is
	 * told */
	expect_told_or_captured(pool_wait(scene.waiting), "here");
	crowd_leave(&scene.crowd);
	wf_future_free(scene.waiting);
	expect_captured(call_captured(scene.executor, "out again"), "again");
	scene_close(&scene);
}
END_TEST

#define WORKERS 24
#define TASKS   150

/* More workers than this process can capture the output of at once, and with a spare behind each so
 * many that they alone have all descriptors. */
START_TEST(test_captured_tasks_share_few_descriptors) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_future *futures[TASKS];
	struct wf_executor *executor;

	options.workers = WORKERS;
	/* each worker has a channel and a pidfd, and two pipes while it runs a task */
	(void)fixture_limit_descriptors((rlim_t)fixture_count_descriptors() + (rlim_t)3 * WORKERS);
	executor = pool_open(&options);
	for (size_t i = 0; i < TASKS; i++)
		futures[i] = call_captured(executor, "burn 2000; out here");
	for (size_t i = 0; i < TASKS; i++)
		expect_captured(futures[i], "here");
	pool_close(executor);
}
END_TEST

/* --- memory -------------------------------------------------------------------------------- */

static atomic_uint n_failures;

/* The library's calls come here: a kernel without memory, for so many of them. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
	unsigned n = atomic_load(&n_failures);

	while (n > 0)
		if (atomic_compare_exchange_weak(&n_failures, &n, n - 1)) {
			errno = ENOMEM;
			return -1;
		}
	return (ssize_t)syscall(SYS_recvmsg, fd, message, flags);
}

#define N_SHORT 200

START_TEST(test_nobody_is_distrusted_for_want_of_memory) {
	struct wf_executor *executor = pool_open_regime(_i);
	struct wf_statistics statistics;
	struct wf_future *future;

	for (int i = 0; i < 10; i++) {
		atomic_store(&n_failures, N_SHORT);
		pool_check_works(executor);
		ck_assert_uint_eq(atomic_load(&n_failures), 0);
	}
	/* its result is on the channel, and it has ended */
	future = pool_call(executor, "echo", "last words");
	atomic_store(&n_failures, N_SHORT);
	expect_text(pool_wait(future), "last words");
	wf_future_free(future);
	atomic_store(&n_failures, N_SHORT);
	ck_assert_int_eq(wf_executor_reload(executor), 0);
	ck_assert_uint_eq(atomic_load(&n_failures), 0);
	pool_check_works(executor);
	statistics = pool_statistics(executor);
	ck_assert_uint_eq(statistics.keeper_starts, 1);
	ck_assert_uint_eq(statistics.zygote_losses, 0);
	ck_assert_uint_eq(statistics.worker_deaths_signal, 0);
	pool_close(executor);
}
END_TEST

int main(void) {
	TCase *story = fixture_case("shortage");

	add_for_both(story, test_captured_task_waits_for_descriptors);
	add_for_both(story, test_running_task_ends_beside_one_that_waits);
	add_for_both(story, test_captured_tasks_share_few_descriptors);
	add_for_both(story, test_nobody_is_distrusted_for_want_of_memory);
	return fixture_run("shortage", story);
}
