/* SPDX-License-Identifier: MIT
 *
 * The inside of an executor without its processes: engine, one generation that is ready, a pool. A
 * worker is a struct and a socket, whose other end the test has: it reads tasks there and answers.
 * Time stands still unless the test moves it.
 */
#pragma once

#include "executor/claim.h"
#include "executor/deadline.h"
#include "executor/hand_out.h"
#include "executor/keeper_link.h"
#include "executor/offload.h"
#include "executor/pool.h"
#include "executor/stop.h"
#include "executor/succession.h"
#include "proto/wire.h"

#define FAKE_WORKERS 64

struct fake_worker {
	struct worker *worker;
	int peer; /* the worker's end of its channel */
};

struct fake {
	struct engine engine;
	struct offload offload; /* a test runs its jobs */
	struct keeper keeper;   /* none */
	struct generations generations;
	struct generation *generation;
	struct pool pool;
	const char *function;
	struct fake_worker workers[FAKE_WORKERS];
	unsigned n_workers;
	uint8_t frame[LIMIT_FRAME];
	_Alignas(16) uint8_t memory[ARENA_MESSAGE];
	struct arena arena;
	struct message message; /* that was read last */
};

/* `options`: image, module and helper are filled in. */
struct fake *fake_new(struct wf_executor_options options);
/* Four slots, for workers that nothing but a test ends. */
struct fake *fake_reused(int hand_ahead);
void fake_free(struct fake *fake);

/* The time that clock_now() tells the executor. */
nsec_t fake_time(void);
/* The timers that are due by now fire. */
void fake_fire(struct fake *fake);
/* Moves the clock on by `time`, and fires what is due. */
void fake_pass(struct fake *fake, nsec_t time);

/* A worker in the first slot that is free, READY and settled. */
struct fake_worker *fake_add(struct fake *fake);
/* A worker that has been asked of the zygote and has no process yet. */
struct fake_worker *fake_ask(struct fake *fake);
/* The zygote has forked it, and it has not said yet that it is ready. */
void fake_spawned(struct fake *fake, struct fake_worker *worker);

/* Queues a future, to which the caller has one reference. */
struct wf_future *fake_submit(struct fake *fake);
/* Queues `n` futures. */
void fake_submit_all(struct fake *fake, struct wf_future **futures, size_t n);
/* Gives back both references to a future that has resolved: the caller's and the engine's. */
void fake_release(struct fake *fake, struct wf_future *future);
/* Cancels a future that is in the queue, and releases it, at the end of a test. */
void fake_cancel(struct fake *fake, struct wf_future *future);

/* Takes the next frame of tasks from the worker's end, as an honest worker does: claims the first
 * task, then reads. Returns how many tasks came; 0: none. They are in fake->message.tasks. */
unsigned fake_receive(struct fake *fake, struct fake_worker *worker);
/* Claims as the worker would: false if it was taken back. */
bool fake_claim(struct fake_worker *worker, uint64_t sequence);
/* Answers a task that was claimed, and has the executor read it. */
void fake_answer(struct fake *fake, struct fake_worker *worker, uint64_t sequence,
		 enum result_kind kind);
/* Answers that it returned, and lets the pool settle. */
void fake_return(struct fake *fake, struct fake_worker *worker, uint64_t sequence);
/* Sends any message as the worker, and has the executor read it. */
void fake_say(struct fake *fake, struct fake_worker *worker, const struct message *message);
/* It closes its channel, and the executor sees that. */
void fake_hang_up(struct fake *fake, struct fake_worker *worker);
/* Its process ends, all its descriptors with it; the report has come. */
void fake_end(struct fake *fake, struct fake_worker *worker, int exit_code, int signal);
/* Its process ends, and no status tells how. */
void fake_end_unknown(struct fake *fake, struct fake_worker *worker);
