/* SPDX-License-Identifier: MIT
 *
 * executor/map without memory: one allocation after the other fails, until the last of them has.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <warmfork/executor.h>
#include <warmfork/map.h>

#include "tests/support/fixture.h"

#define N 3

/* The linker makes the library call these instead (meson.build). */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);

static _Thread_local bool counts;        /* the allocations of this thread, here and now */
static _Thread_local unsigned countdown; /* to the one that fails; UINT_MAX: it has */

static bool fails_now(void) {
	return counts && countdown != UINT_MAX && countdown-- == 0;
}

static bool has_failed(void) {
	return countdown == UINT_MAX;
}

void *__wrap_malloc(size_t size) {
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
	return fails_now() ? NULL : __real_calloc(n, size);
}

static struct wf_executor *open_toy(void) {
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(
	    &WF_EXECUTOR_OPTIONS(.module = TOY, .helper = HELPER, .workers = 1), &executor);

	ck_assert_msg(r == 0, "%s", wf_last_error());
	return executor;
}

static int next(struct wf_map *map, size_t *ret_index, const struct wf_outcome **ret) {
	int r;

	counts = true;
	r = wf_map_next(map, FIXTURE_CAP_MS, ret_index, ret);
	counts = false;
	return r;
}

/* One that comes, after one refusal for want of memory at most. */
static void fetch(struct wf_map *map, bool *seen) {
	const struct wf_outcome *outcome = NULL;
	size_t index = N;
	int r = next(map, &index, &outcome);

	if (r == -ENOMEM && has_failed())
		r = next(map, &index, &outcome);
	ck_assert_msg(r == 0, "wf_map_next: %d: %s", r, wf_last_error());
	ck_assert_uint_lt(index, N);
	ck_assert(!seen[index]);
	seen[index] = true;
	ck_assert_int_eq(outcome->kind, WF_RETURNED);
}

/* Each element comes once, or the map is refused. Returns false if it was. */
static bool map_all(struct wf_executor *executor, const struct wf_map_options *options) {
	const struct wf_bytes inputs[N] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
	const struct wf_task task = WF_TASK(.function = "echo");
	struct wf_map *map = NULL;
	bool seen[N] = { false };
	int r;

	counts = true;
	r = wf_map(executor, &task, inputs, N, options, &map);
	counts = false;
	ck_assert(r == 0 || (r == -ENOMEM && has_failed()));
	ck_assert_int_eq(map != NULL, r == 0);
	for (int i = 0; map && i < N; i++)
		fetch(map, seen);
	ck_assert_ptr_null(wf_map_free(map));
	return r == 0;
}

/* `_i` counts through the orders and the windows. */
START_TEST(test_map_without_memory) {
	const struct wf_map_options options =
	    WF_MAP_OPTIONS(.as_completed = _i % 2, .window = (size_t)_i / 2);
	struct wf_executor *executor = open_toy();
	unsigned n_refused = 0;

	for (unsigned n = 0; n == 0 || has_failed(); n++) {
		countdown = n;
		n_refused += !map_all(executor, &options);
	}
	ck_assert_uint_gt(n_refused, 0);
	ck_assert_ptr_null(wf_executor_free(executor));
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("map");

	tcase_add_loop_test(test_case, test_map_without_memory, 0, 4);
	return fixture_run("map", test_case);
}
