/* SPDX-License-Identifier: MIT
 *
 * Pools of the benchmark's image. Public API alone: it is what a user would see. Failing is dying.
 */
#pragma once

#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/map.h>

#include "image.h"

/* Fills in options.module. */
struct wf_executor *pool_open(struct wf_executor_options options);
/* Opens a pool whose image has that size. */
struct wf_executor *pool_open_image(struct wf_executor_options options,
				    const struct image_request *request);
void pool_close(struct wf_executor *executor);

struct wf_statistics pool_statistics(struct wf_executor *executor);
/* Waits until `n` workers are ready and have no task, and none is starting or ending. */
void pool_await_idle(struct wf_executor *executor, unsigned n);
/* And until nothing else runs below the zygote: a frozen image is given huge pages in the
 * background. */
void pool_await_quiet(struct wf_executor *executor, unsigned n);

struct wf_future *pool_submit(struct wf_executor *executor, const struct wf_task *task);
/* Waits for the outcome, which must be of that kind, and gives the future back. */
void pool_finish(struct wf_future *future, enum wf_outcome_kind kind);
/* Submits a task that does nothing, and waits for its result. */
void pool_trip(struct wf_executor *executor);
/* Such tasks, `depth` of them in flight, until CLOCK_MONOTONIC is `until`. How many. */
double pool_run_until(struct wf_executor *executor, unsigned depth, uint64_t until);
