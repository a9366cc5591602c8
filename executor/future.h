/* SPDX-License-Identifier: MIT
 *
 * A future: one task from submit to outcome. It resolves exactly once, in future_resolve().
 *
 *     QUEUED      submitted; or queued again, because its worker died before claiming it, or
 *        |        because it may be started again (idempotent)
 *        v        given to a worker
 *     HANDED      on a worker's channel; the claim word tells whether it runs
 *        v        result, or its worker's exit report; from either state: cancel, deadline, close
 *     ENDING      its outcome is filled in, and some of its output has still to be read
 *        v        that has been read, or is not waited for any longer
 *     RESOLVED
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <warmfork/executor.h>
#include <warmfork/policy.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"
#include "executor/capture.h"
#include "executor/engine.h"
#include "executor/offload.h"
#include "executor/outcome.h"
#include "executor/payload.h"
#include "executor/refusal.h"
#include "executor/task.h"

struct worker;

enum future_state {
	FUTURE_QUEUED,
	FUTURE_HANDED, /* on a worker's channel; the claim word tells whether it runs */
	FUTURE_ENDING, /* has no worker any more */
	FUTURE_RESOLVED,
};

/* Why the library is ending a task. It decides the outcome when the worker's exit is reported. */
enum future_verdict {
	VERDICT_NONE,
	VERDICT_TIMED_OUT,
	VERDICT_KILLED,
	VERDICT_OUTPUT_LIMIT,
	VERDICT_VIOLATION, /* refusals.ending */
};

struct future_callback {
	struct future_callback *next;
	wf_callback function;
	void *context;
};

/* A thread that sleeps until enough futures have resolved. */
struct waiter {
	_Atomic uint32_t fired; /* a futex */
	_Atomic int32_t wanted; /* fires when it falls to 0 */
	bool first_failure;     /* any failure fires it at once */
	int doorbell;           /* an eventfd to ring as well; -1 */
};

/* One waiter's stake in one future. */
struct waiter_stake {
	struct list_node link; /* wf_future::waiters */
	struct waiter *waiter;
};

struct wf_future {
	_Atomic unsigned references;
	struct engine *engine; /* of its executor; a reference */
	struct list_node link; /* in the queue, engine::ending, engine::read, or engine::due */
	struct job job;        /* to free it where that may block */
	enum future_state state;

	/* the task; constant after submit */
	uint64_t id;
	const char *function; /* interned: names.h */
	int priority;
	unsigned flags;
	int timeout_ms; /* 0: none */
	uint64_t batch; /* tasks of one wf_map() chunk; 0: none */
	struct payload payload;
	struct task_context *context;

	/* where it is */
	struct worker *worker; /* HANDED */
	uint64_t sequence;
	bool leads_frame;  /* the first task of the frame in which it was sent */
	unsigned attempts; /* starts */
	unsigned returns;  /* how often it came back unclaimed */
	enum future_verdict verdict;
	enum wf_clock verdict_clock;
	enum wf_killer verdict_killer;
	int verdict_stream;
	int overflow;     /* the stream that is over its limit (WF_OVERFLOW_KILL); 0: none */
	bool result_here; /* its outcome is filled in; it waits for the exit (WF_TASK_WAIT_EXIT), or
			   * is ENDING */

	nsec_t submitted, handed, started, ended;
	nsec_t deadline; /* NSEC_NEVER: none */
	struct timer timer;
	struct capture captures[2]; /* standard output, standard error */
	struct refusals refusals;
	struct wf_policy *learned; /* NULL: nothing yet; learn.h */

	/* who is notified */
	struct list_node waiters; /* struct waiter_stake */
	struct future_callback *callbacks, **callbacks_end;
	bool is_due;      /* in engine::due */
	bool called_back; /* all that were added before; a later one is called at once */

	struct wf_outcome outcome;
	struct outcome_memory memory;
};

/* A queued future with one reference for the caller and one for the executor, which keeps it until
 * it has resolved and its callbacks have run. Returns 0 or -ENOMEM. */
int future_new(struct engine *engine, struct wf_future **ret);
struct wf_future *future_unref(struct wf_future *future);

/* Under the lock: queues it, or queues it again, ahead of its equals and with no trace of the
 * attempt. */
void future_queue(struct wf_future *future);
void future_requeue(struct wf_future *future);
/* Takes it off the queue. */
void future_unqueue(struct wf_future *future);

/* If one of its captures is over its limit, and there is no verdict yet, that becomes the verdict.
 * `has_result`: nor one that a result outweighs. Returns true if it did. */
bool future_judge_output(struct wf_future *future, bool has_result);
/* News of one of its captures. */
void future_was_read(struct wf_future *future);

/* All under the lock. The caller has filled in the kind, its members and what account.h knows about
 * the worker. The future resolves at once, unless its task has captured output that has still to be
 * read, or that a limit was set for: then it is ENDING, and goes to engine::read as soon as all is
 * read, for the pump to judge and resolve it. */
void future_end(struct wf_future *future);
/* What is ENDING is not waited for any longer than a moment. */
void future_hurry_ending(struct engine *engine);
/* Fills in the rest, releases the room for its timer (loop_reserve()), wakes the waiters, and puts
 * the future on the engine's list of due callbacks. */
void future_resolve(struct wf_future *future);

/* Without any lock: runs the callbacks of a resolved future and drops the engine's reference. */
void future_run_callbacks(struct wf_future *future);

void waiter_init(struct waiter *waiter, int32_t wanted);
/* Polls whether it has fired for at most `spin_us`, without sleeping. */
void waiter_spin(const struct waiter *waiter, int spin_us);
/* Sleeps until it has fired or `until` has passed. Returns true if it fired. */
bool waiter_sleep(struct waiter *waiter, nsec_t until);
