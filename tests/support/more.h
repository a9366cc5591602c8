/* SPDX-License-Identifier: MIT
 *
 * A pool of the second toy module (toy_more.h): the words of pool.h for typed answers.
 */
#pragma once

#include <semaphore.h>

#include "tests/support/pool.h"
#include "tests/support/toy_more.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

/* As pool_options(), with the second module. */
struct wf_executor_options more_options(int regime);
struct wf_executor *more_open(int regime);
struct wf_executor *more_open_workers(int regime, int workers);

/* A call with `size` bytes of input. */
struct wf_future *more_call(struct wf_executor *executor, const char *function, const void *input,
			    size_t size);

/* Calls, expects an answer of exactly `answer_size` bytes, copies it, and gives the future back. */
void more_ask(struct wf_executor *executor, const char *function, const void *input, size_t size,
	      void *answer, size_t answer_size);
struct toy_where more_where(struct wf_executor *executor);

/* Where a task runs, as it says when it has started, or in its result. */
struct toy_where more_gate_started(struct cord *cord);
struct toy_where more_place(const struct wf_outcome *outcome);

/* Waits for it, expects it to return, and gives it back. */
void more_finish(struct wf_future *future);

/* Opens a cord and submits "gate" with it. */
struct wf_future *more_gate(struct cord *cord, struct wf_executor *executor);

/* Waits on a semaphore that a callback or a thread posts, at most FIXTURE_CAP_MS. */
void more_await(sem_t *event);

/* The threads of all executors of this process. */
int more_count_threads(void);
/* Until there are none. Nobody joins those of an executor that was given back in a callback, and
 * its descriptors are closed when the last has gone; those for what may block end when there is
 * no more such work. */
void more_await_threads(void);
