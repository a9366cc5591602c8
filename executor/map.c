/* SPDX-License-Identifier: MIT
 *
 * Many tasks of one kind. Each input has a future of its own, so a failing element does not affect
 * the others; results come in the order of the inputs, or as they complete.
 *
 * For the latter, each future's callback appends it to a list, and wf_map_next() takes from the
 * front; nothing has to scan.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <warmfork/executor.h>
#include <warmfork/map.h>

#include "base/error.h"
#include "base/report.h"
#include "executor/executor.h"
#include "executor/known.h"
#include "executor/learn.h"
#include "executor/lifetime.h"
#include "executor/submit.h"
#include "executor/wait.h"

#define MAP_PUMP 128

struct map_item {
	struct wf_map *map;
	struct wf_future *future; /* a reference; NULL: not submitted, or released */
	struct map_item *next;    /* in the list of completed ones */
};

struct wf_map {
	_Atomic unsigned references; /* the caller's, and one for each pending callback */
	struct wf_executor *executor;
	struct wf_map_options options;
	struct wf_task task; /* its function is interned, its context below */
	struct task_context *context;
	const struct wf_bytes *inputs;
	size_t n, submitted, fetched;
	struct map_item *items;
	struct map_item *last; /* whose outcome is lent out */
	/* under the executor's lock */
	struct map_item *completed, **completed_end;
};

static void map_unref(struct wf_map *map) {
	if (atomic_fetch_sub(&map->references, 1) != 1)
		return;
	(void)engine_release_context(&map->executor->engine, map->context);
	(void)engine_unref(&map->executor->engine);
	free(map->items);
	free(map);
}

static void on_done(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct map_item *item = context;
	struct wf_map *map = item->map;

	(void)future;
	(void)outcome;
	executor_lock(map->executor);
	*map->completed_end = item;
	map->completed_end = &item->next;
	executor_announce(map->executor);
	executor_unlock(map->executor);
	map_unref(map);
}

static int submit_one(struct wf_map *map, uint64_t batch) {
	struct map_item *item = &map->items[map->submitted];
	int r;

	map->task.input = map->inputs[map->submitted].data;
	map->task.input_size = map->inputs[map->submitted].size;
	r = submit_task(map->executor, &map->task, false, batch, map->context, &item->future);
	if (r < 0)
		return r;
	map->submitted++;
	item->map = map;
	if (!map->options.as_completed)
		return 0;
	atomic_fetch_add(&map->references, 1);
	r = wf_future_on_done(item->future, on_done, item);
	if (r < 0)
		/* for want of memory, nothing would append it later: wf_map_next() waits for it */
		on_done(item->future, NULL, item);
	return r;
}

/* Submits up to the window. Hands out every now and then: so many tasks at a time that they share
 * frames, but without making the workers wait until all are queued. */
static int submit_more(struct wf_map *map) {
	size_t chunk = map->options.chunk ? (size_t)map->options.chunk : 1;
	uint64_t batch = 0;
	int r = 0;

	for (size_t i = 0; map->submitted < map->n && r >= 0; i++) {
		if (map->options.window && map->submitted - map->fetched >= map->options.window)
			break;
		if (map->options.chunk && i % chunk == 0)
			batch = submit_batch(map->executor);
		r = submit_one(map, batch);
		/* a bounded queue only makes room if its tasks are handed out */
		if (map->executor->engine.options.public.queue_limit ||
		    i % MAP_PUMP == MAP_PUMP - 1)
			submit_done(map->executor);
	}
	submit_done(map->executor);
	return r;
}

static int check(struct wf_executor *executor, const struct wf_task *task,
		 const struct wf_bytes *inputs, size_t n) {
	if (!executor || !task || (n && !inputs))
		return report_error(-EINVAL, "wf_map: executor, task or inputs is NULL");
	if (!executor_is_ours(executor))
		return report_error(-ECHILD, "wf_map: the executor belongs to another process");
	return 0;
}

/* The template is the caller's, and may be gone when a window submits the rest. */
static int intern_function(struct wf_map *map) {
	const char *known;
	int r = 0;

	executor_lock(map->executor);
	known = names_find(&map->executor->engine.functions, map->task.function);
	if (!known)
		r = submit_unknown(map->executor, map->task.function);
	executor_unlock(map->executor);
	map->task.function = known;
	map->task.context = NULL;
	return r;
}

static int take_options(struct wf_map *map, const struct wf_task *task,
			const struct wf_map_options *options) {
	int r = submit_check(task, &map->task);

	if (r >= 0 && map->task.buffer)
		r = report_error(-EINVAL, "wf_map: task.buffer is set, but each task gets one "
					  "of the inputs; leave it NULL");
	if (r >= 0 && options)
		r = known_take(&map->options, sizeof map->options, options, KNOWN_FIRST_MAP_OPTIONS,
			       "map options");
	if (r >= 0 && map->options.chunk < 0)
		r = report_error(-EINVAL, "wf_map: options.chunk is %d; it must be 0 or more",
				 map->options.chunk);
	if (r >= 0)
		r = task_context_new(map->task.context, &map->context);
	return r < 0 ? r : intern_function(map);
}

int wf_map(struct wf_executor *executor, const struct wf_task *task, const struct wf_bytes *inputs,
	   size_t n, const struct wf_map_options *options, struct wf_map **ret) {
	struct wf_map *map;
	int r = check(executor, task, inputs, n);

	if (r < 0)
		return r;
	if (!ret)
		return report_error(-EINVAL, "wf_map: ret is NULL");
	map = calloc(1, sizeof *map);
	if (!map)
		return report_internal(-ENOMEM, "wf_map");
	map->references = 1;
	map->executor = executor;
	(void)engine_ref(&executor->engine);
	map->inputs = inputs;
	map->n = n;
	map->completed_end = &map->completed;
	r = take_options(map, task, options);
	if (r >= 0)
		map->items = calloc(n ? n : 1, sizeof map->items[0]);
	if (r >= 0)
		r = map->items ? submit_more(map) : report_internal(-ENOMEM, "wf_map");
	if (r < 0) {
		(void)wf_map_free(map);
		return r;
	}
	*ret = map;
	return 0;
}

static bool any_completed(struct wf_executor *executor, const void *context) {
	const struct wf_map *map = context;

	(void)executor;
	return map->completed;
}

static int next_completed(struct wf_map *map, int timeout_ms, struct map_item **ret) {
	struct wf_executor *executor = map->executor;
	int r;

	executor_lock(executor);
	r = executor_await(executor, any_completed, map, clock_in_ms(timeout_ms));
	if (r >= 0) {
		*ret = map->completed;
		map->completed = (*ret)->next;
		if (!map->completed)
			map->completed_end = &map->completed;
	}
	executor_unlock(executor);
	return r;
}

static int next_in_order(struct wf_map *map, int timeout_ms, struct map_item **ret) {
	*ret = &map->items[map->fetched];
	return wait_for_one((*ret)->future, timeout_ms);
}

static int report_next(int r, int timeout_ms) {
	if (r == -ETIMEDOUT)
		return report_error(r, "wf_map_next: no result after %d ms", timeout_ms);
	if (r == -EDEADLK)
		return report_error(r, "wf_map_next: a callback must not wait");
	return report_internal(r, "wf_map_next");
}

int wf_map_next(struct wf_map *map, int timeout_ms, size_t *ret_index,
		const struct wf_outcome **ret_outcome) {
	struct map_item *item;
	int r;

	if (!map || !ret_outcome)
		return report_error(-EINVAL, "wf_map_next: an argument is NULL");
	if (!executor_is_ours(map->executor))
		return report_error(-ECHILD,
				    "wf_map_next: the executor belongs to another process");
	r = known_timeout("wf_map_next: timeout_ms", timeout_ms);
	if (r < 0)
		return r;
	if (map->last)
		map->last->future = future_unref(map->last->future);
	map->last = NULL;
	if (map->fetched == map->n)
		return report_error(-ENODATA, "wf_map_next: there are no more results");
	r = submit_more(map);
	if (r < 0 && map->fetched == map->submitted)
		return r; /* otherwise existing results come first */
	r = map->options.as_completed ? next_completed(map, timeout_ms, &item)
				      : next_in_order(map, timeout_ms, &item);
	if (r >= 0 && map->options.as_completed)
		r = wait_for_one(item->future, WF_FOREVER); /* see submit_one() */
	if (r < 0)
		return report_next(r, timeout_ms);
	map->fetched++;
	map->last = item;
	if (ret_index)
		*ret_index = (size_t)(item - map->items);
	learn_finish(item->future);
	*ret_outcome = &item->future->outcome;
	return 0;
}

struct wf_map *wf_map_free(struct wf_map *map) {
	if (!map || !executor_is_ours(map->executor))
		return NULL;
	for (size_t i = 0; map->items && i < map->submitted; i++) {
		struct wf_future *future = map->items[i].future;

		if (!future)
			continue;
		(void)wf_future_cancel(future);
		map->items[i].future = future_unref(future);
	}
	map_unref(map);
	return NULL;
}
