/* SPDX-License-Identifier: MIT
 *
 * warmfork/map.h: one function over many inputs.
 *
 *     struct wf_bytes inputs[1000] = ...;
 *     wf_map(executor, &WF_TASK(.function = "upper"), inputs, 1000, NULL, &map);
 *     while (wf_map_next(map, WF_FOREVER, &index, &outcome) == 0)
 *             ...
 *     wf_map_free(map);
 *
 * Errors, threads and ownership: see <warmfork/executor.h>.
 */
#ifndef WARMFORK_MAP_H
#define WARMFORK_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include <warmfork/executor.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct wf_map;

/* --- maps ---------------------------------------------------------------------------------- */

struct wf_map_options {
	size_t size;
	bool as_completed; /* otherwise in the order of the inputs */
	/* How many tasks are handed to one worker at a time; each keeps its own future. 0: the
	 * executor decides. */
	int chunk;
	size_t window; /* at most this many are submitted and not yet fetched; 0: all at once */
};
#define WF_MAP_OPTIONS(...)                                                                        \
	((struct wf_map_options){ .size = sizeof(struct wf_map_options), __VA_ARGS__ })

/* Submits one task for each input. `task` is the template, copied during the call; its input is
 * ignored, and it must not have a buffer. `inputs`, and the bytes they point to, are borrowed until
 * wf_map_free(). `options` may be NULL. A failing element does not affect the others. On success
 * `*ret` is yours; release it with wf_map_free(). Blocks as wf_submit() does. Errors: as
 * wf_submit(). Since 0.1. */
int wf_map(struct wf_executor *executor, const struct wf_task *task, const struct wf_bytes *inputs,
	   size_t n, const struct wf_map_options *options, struct wf_map **ret);

/* Returns the next result. `*ret_outcome` is borrowed until the next call or wf_map_free();
 * `*ret_index` is the index of its input (`ret_index` may be NULL). Waits at most `timeout_ms`.
 * Only one thread at a time may use a map. Errors: -ENODATA (no more), -ETIMEDOUT, -EDEADLK,
 * -EINVAL, -ECHILD. Since 0.1. */
int wf_map_next(struct wf_map *map, int timeout_ms, size_t *ret_index,
		const struct wf_outcome **ret_outcome);

/* Cancels the tasks that have not started and releases the map; running tasks go on. Ignores NULL.
 * Returns NULL. Since 0.1. */
struct wf_map *wf_map_free(struct wf_map *map);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
