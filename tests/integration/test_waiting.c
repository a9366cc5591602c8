/* SPDX-License-Identifier: MIT
 *
 * Story: waiting for some of many futures, from one thread and from several.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "tests/support/more.h"

static const int seven = 7;

/* Two tasks that run until they are let go, and two that have ended. */
struct scene {
	struct wf_executor *executor;
	struct cord cords[2];
	struct wf_future *running[2], *returned, *failed;
};

static void scene_open(struct scene *scene, int regime) {
	scene->executor = more_open(regime);
	scene->returned = pool_call(scene->executor, "echo", "x");
	pool_wait(scene->returned);
	scene->failed = more_call(scene->executor, "fail", &seven, sizeof seven);
	pool_wait(scene->failed);
	for (size_t i = 0; i < 2; i++) {
		scene->running[i] = more_gate(&scene->cords[i], scene->executor);
		more_gate_started(&scene->cords[i]);
	}
}

static void scene_close(struct scene *scene) {
	for (size_t i = 0; i < 2; i++) {
		if (wf_future_state(scene->running[i]) == WF_RUNNING)
			cord_release(&scene->cords[i]);
		pool_wait(scene->running[i]);
		wf_future_free(scene->running[i]);
		cord_close(&scene->cords[i]);
	}
	wf_future_free(scene->returned);
	wf_future_free(scene->failed);
	pool_close(scene->executor);
}

START_TEST(test_first_completed_returns_with_the_first) {
	struct scene scene;

	scene_open(&scene, _i);
	ck_assert_int_eq(wf_wait(scene.running, 2, WF_FIRST_COMPLETED, 0), -ETIMEDOUT);
	ck_assert_int_eq(wf_wait(scene.running, 2, WF_FIRST_COMPLETED, 1), -ETIMEDOUT);
	cord_release(&scene.cords[1]);
	ck_assert_int_eq(wf_wait(scene.running, 2, WF_FIRST_COMPLETED, WF_FOREVER), 1);
	ck_assert_int_eq(wf_future_state(scene.running[1]), WF_DONE);
	ck_assert_int_eq(wf_future_state(scene.running[0]), WF_RUNNING);
	scene_close(&scene);
}
END_TEST

START_TEST(test_first_completed_counts_what_had_finished) {
	struct scene scene;

	scene_open(&scene, _i);
	struct wf_future *futures[] = { scene.running[0], scene.failed, scene.returned };
	ck_assert_int_eq(wf_wait(futures, 3, WF_FIRST_COMPLETED, 0), 2);
	ck_assert_int_eq(wf_wait(futures, 3, WF_FIRST_COMPLETED, WF_FOREVER), 2);
	scene_close(&scene);
}
END_TEST

START_TEST(test_first_failure_ignores_what_returned) {
	struct scene scene;

	scene_open(&scene, _i);
	struct wf_future *futures[] = { scene.returned, scene.running[0], scene.running[1] };
	ck_assert_int_eq(wf_wait(futures, 3, WF_FIRST_FAILURE, 0), -ETIMEDOUT);
	cord_release(&scene.cords[0]);
	pool_wait(scene.running[0]);
	ck_assert_int_eq(wf_wait(futures, 3, WF_FIRST_FAILURE, 0), -ETIMEDOUT);
	ck_assert_int_eq(wf_future_kill(scene.running[1], WF_NO_GRACE), 0);
	ck_assert_int_eq(wf_wait(futures, 3, WF_FIRST_FAILURE, WF_FOREVER), 3);
	scene_close(&scene);
}
END_TEST

START_TEST(test_first_failure_returns_with_a_failure) {
	struct scene scene;

	scene_open(&scene, _i);
	ck_assert_int_eq(wf_future_kill(scene.running[0], WF_NO_GRACE), 0);
	ck_assert_int_eq(wf_wait(scene.running, 2, WF_FIRST_FAILURE, WF_FOREVER), 1);
	expect_kind(wf_future_outcome(scene.running[0]), WF_KILLED);

	struct wf_future *futures[] = { scene.running[1], scene.failed };
	ck_assert_int_eq(wf_wait(futures, 2, WF_FIRST_FAILURE, 0), 1);
	scene_close(&scene);
}
END_TEST

START_TEST(test_first_failure_returns_when_none_fails) {
	struct scene scene;

	scene_open(&scene, _i);
	cord_release(&scene.cords[0]);
	cord_release(&scene.cords[1]);
	ck_assert_int_eq(wf_wait(scene.running, 2, WF_FIRST_FAILURE, WF_FOREVER), 2);
	ck_assert_int_eq(wf_wait(&scene.returned, 1, WF_FIRST_FAILURE, 0), 1);
	scene_close(&scene);
}
END_TEST

START_TEST(test_all_completed_waits_for_the_last) {
	struct scene scene;

	scene_open(&scene, _i);
	struct wf_future *futures[] = { scene.running[0], scene.failed, scene.running[1],
					scene.returned };
	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, 0), -ETIMEDOUT);
	cord_release(&scene.cords[1]);
	pool_wait(scene.running[1]);
	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, 1), -ETIMEDOUT);
	cord_release(&scene.cords[0]);
	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, WF_FOREVER), 4);
	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, 0), 4);
	scene_close(&scene);
}
END_TEST

START_TEST(test_duplicates_are_fine) {
	struct scene scene;

	scene_open(&scene, _i);
	struct wf_future *futures[] = { scene.running[0], scene.running[0], scene.returned,
					scene.returned };
	ck_assert_int_eq(wf_wait(futures, 4, WF_FIRST_COMPLETED, 0), 2);
	ck_assert_int_eq(wf_wait(futures, 2, WF_FIRST_COMPLETED, 0), -ETIMEDOUT);
	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, 0), -ETIMEDOUT);
	cord_release(&scene.cords[0]);
	ck_assert_int_eq(wf_wait(futures, 4, WF_ALL_COMPLETED, WF_FOREVER), 4);
	scene_close(&scene);
}
END_TEST

START_TEST(test_cancelled_has_completed_and_failed) {
	struct scene scene;

	scene_open(&scene, _i);
	struct wf_future *queued = pool_call(scene.executor, "echo", "x");
	struct wf_future *futures[] = { scene.running[0], queued };
	ck_assert_int_eq(wf_future_cancel(queued), 0);
	ck_assert_int_eq(wf_wait(futures, 2, WF_FIRST_COMPLETED, 0), 1);
	ck_assert_int_eq(wf_wait(futures, 2, WF_FIRST_FAILURE, 0), 1);
	wf_future_free(queued);
	scene_close(&scene);
}
END_TEST

START_TEST(test_futures_of_two_executors) {
	struct scene first, second;

	scene_open(&first, _i);
	scene_open(&second, _i);
	struct wf_future *futures[] = { first.running[0], second.running[0] };
	ck_assert_int_eq(wf_wait(futures, 2, WF_FIRST_COMPLETED, 0), -ETIMEDOUT);
	cord_release(&second.cords[0]);
	ck_assert_int_eq(wf_wait(futures, 2, WF_FIRST_COMPLETED, WF_FOREVER), 1);
	cord_release(&first.cords[0]);
	ck_assert_int_eq(wf_wait(futures, 2, WF_ALL_COMPLETED, WF_FOREVER), 2);
	scene_close(&first);
	scene_close(&second);
}
END_TEST

START_TEST(test_nothing_to_wait_for) {
	struct wf_future *none[1] = { NULL };

	ck_assert_int_eq(wf_wait(NULL, 0, WF_ALL_COMPLETED, WF_FOREVER), 0);
	ck_assert_int_eq(wf_wait(none, 0, WF_FIRST_FAILURE, WF_FOREVER), 0);
	ck_assert_int_eq(wf_wait(none, 1, WF_ALL_COMPLETED, WF_FOREVER), -EINVAL);
	ck_assert_int_eq(wf_wait(NULL, 1, WF_ALL_COMPLETED, WF_FOREVER), -EINVAL);
	ck_assert_ptr_null(wf_future_wait(NULL, WF_FOREVER));
}
END_TEST

/* --- from several threads --- */

struct watcher {
	pthread_t thread;
	struct wf_future *future;
	const struct wf_outcome *outcome;
	int count;
};

static void *watch_future(void *argument) {
	struct watcher *watcher = argument;

	watcher->outcome = wf_future_wait(watcher->future, WF_FOREVER);
	watcher->count = wf_wait(&watcher->future, 1, WF_ALL_COMPLETED, WF_FOREVER);
	wf_future_free(watcher->future);
	return NULL;
}

START_TEST(test_eight_threads_wait_for_one_future) {
	struct scene scene;
	struct watcher watchers[8];

	scene_open(&scene, _i);
	for (size_t i = 0; i < N_OF(watchers); i++) {
		watchers[i].future = wf_future_ref(scene.running[0]);
		ck_assert_int_eq(
		    pthread_create(&watchers[i].thread, NULL, watch_future, &watchers[i]), 0);
	}
	cord_release(&scene.cords[0]);
	for (size_t i = 0; i < N_OF(watchers); i++) {
		ck_assert_int_eq(pthread_join(watchers[i].thread, NULL), 0);
		ck_assert_ptr_nonnull(watchers[i].outcome);
		ck_assert_ptr_eq(watchers[i].outcome, wf_future_outcome(scene.running[0]));
		ck_assert_int_eq(watchers[i].count, 1);
	}
	scene_close(&scene);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("waiting");

	add_for_both(test_case, test_first_completed_returns_with_the_first);
	add_for_both(test_case, test_first_completed_counts_what_had_finished);
	add_for_both(test_case, test_first_failure_ignores_what_returned);
	add_for_both(test_case, test_first_failure_returns_with_a_failure);
	add_for_both(test_case, test_first_failure_returns_when_none_fails);
	add_for_both(test_case, test_all_completed_waits_for_the_last);
	add_for_both(test_case, test_duplicates_are_fine);
	add_for_both(test_case, test_cancelled_has_completed_and_failed);
	add_for_both(test_case, test_futures_of_two_executors);
	tcase_add_test(test_case, test_nothing_to_wait_for);
	add_for_both(test_case, test_eight_threads_wait_for_one_future);
	return fixture_run("waiting", test_case);
}
