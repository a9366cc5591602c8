/* SPDX-License-Identifier: MIT
 *
 * A pool of the toy module (toy.h), in the words of the integration stories.
 *
 * Every function that can fail asserts; `expect_` macros do so with what became of the task.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/map.h>

#include "tests/support/fixture.h"
#include "tests/support/tree.h"

/* The loop index of a test that runs in both regimes. */
enum regime { FRESH = 0, REUSED = 1 };
#define add_for_both(test_case, test) tcase_add_loop_test(test_case, test, 0, 2)

/* A program with a sanitizer cannot be frozen: its shadow memory cannot be moved. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POOL_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POOL_SANITIZED true
#endif
#endif
#ifndef POOL_SANITIZED
#define POOL_SANITIZED false
#endif

/* All stories run on frozen images, small as they are: WF_FREEZE_ALWAYS, except under a sanitizer
 * or with WF_TEST_FREEZE=never in the environment. */
enum wf_freeze pool_freeze(void);

/* Two workers of the toy, on demand; the caller may change any of it before pool_open(). */
struct wf_executor_options pool_options(int regime);

struct wf_executor *pool_open(const struct wf_executor_options *options);

/* Opens a pool with pool_options(). */
struct wf_executor *pool_open_regime(int regime);

/* The same with `workers` of them. */
struct wf_executor *pool_open_workers(int regime, int workers);

/* Finishes, closes, frees. */
void pool_close(struct wf_executor *executor);

struct wf_future *pool_submit(struct wf_executor *executor, const struct wf_task *task);

/* Submits a task whose input is a text. */
struct wf_future *pool_call(struct wf_executor *executor, const char *function, const char *input);

/* The same with a context, which may be NULL. */
struct wf_future *pool_call_in(struct wf_executor *executor, const char *function,
			       const char *input, const struct wf_context *context);

/* A context that captures standard output and standard error. */
struct wf_context pool_capturing(void);

/* Waits for the outcome; the test fails if it does not come within FIXTURE_CAP_MS. */
const struct wf_outcome *pool_wait(struct wf_future *future);

/* Calls "echo", expects the answer and forgets it: the pool works. */
void pool_check_works(struct wf_executor *executor);

/* Calls `function`, expects it to return, and copies the answer, terminated. */
void pool_ask(struct wf_executor *executor, const char *function, const char *input, char *answer,
	      size_t size);

/* The pid of the worker that runs "pid". */
pid_t pool_ask_pid(struct wf_executor *executor);

struct wf_statistics pool_statistics(struct wf_executor *executor);

/* Waits until the statistics satisfy `wanted`: they have no event, so they are looked at
 * again and again, for FIXTURE_CAP_MS. */
typedef bool (*pool_wanted)(const struct wf_statistics *statistics);
#define pool_await(executor, wanted)                                                               \
	ck_assert_msg(pool_reaches(executor, wanted), "the statistics never showed " #wanted)
bool pool_reaches(struct wf_executor *executor, pool_wanted wanted);

/* Watches the keeper, the zygote, the workers, and what they started. */
void pool_watch(struct wf_executor *executor, struct watch *watch);

/* Watches the workers alone: the children of the zygote that are alive. */
void pool_watch_workers(struct wf_executor *executor, struct watch *watch);

/* Sends SIGKILL to a process of the pool that is alive, and waits until it has ended. */
void pool_end_process(pid_t pid);

/* Sends SIGSTOP to it, and waits until it is stopped. */
void pool_stop_process(pid_t pid);

/* A `pool_wanted`: the first zygote was lost, and its successor is there. */
bool pool_has_second_zygote(const struct wf_statistics *statistics);

/* wf_outcome_describe() with the evidence; NULL is a task that has not ended. A static buffer. */
const char *pool_describe(const struct wf_outcome *outcome);

#define expect_kind(outcome, expected)                                                             \
	ck_assert_msg((outcome)->kind == (expected), "expected %s, got: %s",                       \
		      wf_outcome_kind_name(expected), pool_describe(outcome))

#define expect_running(future)                                                                     \
	ck_assert_msg(wf_future_state(future) == WF_RUNNING, "expected a running task, got: %s",   \
		      pool_describe(wf_future_outcome(future)))

#define expect_text(outcome, text)                                                                 \
	do {                                                                                       \
		expect_kind(outcome, WF_RETURNED);                                                 \
		ck_assert_uint_eq((outcome)->returned.size, strlen(text));                         \
		ck_assert_mem_eq((outcome)->returned.data, text, strlen(text));                    \
	} while (0)

#define expect_exited(outcome, expected)                                                           \
	do {                                                                                       \
		expect_kind(outcome, WF_EXITED);                                                   \
		ck_assert_int_eq((outcome)->exited.code, expected);                                \
	} while (0)

#define expect_signalled(outcome, expected)                                                        \
	do {                                                                                       \
		expect_kind(outcome, WF_SIGNALLED);                                                \
		ck_assert_int_eq((outcome)->signalled.signal, expected);                           \
	} while (0)

#define expect_killed(outcome, expected)                                                           \
	do {                                                                                       \
		expect_kind(outcome, WF_KILLED);                                                   \
		ck_assert_int_eq((int)(outcome)->killed.by, (int)(expected));                      \
	} while (0)

#define expect_timed_out(outcome, expected)                                                        \
	do {                                                                                       \
		expect_kind(outcome, WF_TIMED_OUT);                                                \
		ck_assert_int_eq((int)(outcome)->timed_out.clock, (int)(expected));                \
		ck_assert_uint_gt((outcome)->timed_out.limit_ns, 0);                               \
		if ((expected) != WF_CLOCK_CPU)                                                    \
			ck_assert_uint_ge((outcome)->timed_out.took_ns,                            \
					  (outcome)->timed_out.limit_ns);                          \
	} while (0)

#define expect_ended(watch)                                                                        \
	ck_assert_msg(watch_await_end(watch, FIXTURE_CAP_MS) == 0, "still alive: %s",              \
		      watch_describe(watch))

/* A cord: two pipes to one task, so that events order what a test does. The task writes lines to
 * its descriptor 0 and waits for a byte on its descriptor 1. */
struct cord {
	int report, release; /* our ends */
	int task[2];         /* the task's ends */
	struct wf_context context;
	char line[256];
};

/* `cord->context` may be completed before the task is submitted. */
void cord_open(struct cord *cord);

/* Submits a call with the cord at its task's end, which is closed here. */
struct wf_future *cord_submit(struct cord *cord, struct wf_executor *executor,
			      struct wf_task *task);
struct wf_future *cord_call(struct cord *cord, struct wf_executor *executor, const char *function,
			    const char *input);

/* Waits for the next line of the task, which must begin with `word`, and returns what follows. */
const char *cord_expect(struct cord *cord, const char *word);
pid_t cord_expect_pid(struct cord *cord, const char *word);

/* Lets the task go on. */
void cord_release(struct cord *cord);

void cord_close(struct cord *cord);
