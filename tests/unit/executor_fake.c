/* SPDX-License-Identifier: MIT
 *
 * The inside of an executor without its processes.
 */
#include "tests/unit/executor_fake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "executor/channel.h"
#include "executor/conclude.h"

static nsec_t fake_now;

nsec_t fake_time(void) {
	return fake_now;
}

/* The timers that are due by now fire. */
void fake_fire(struct fake *fake) {
	struct loop_batch nothing = { .n = 0 };

	fake->engine.now = 0;
	loop_dispatch(fake->engine.loop, &nothing);
	pool_settle(&fake->pool);
}

void fake_pass(struct fake *fake, nsec_t time) {
	fake_now += time;
	fake_fire(fake);
}

static void nothing_to_destroy(struct engine *engine) {
	(void)engine;
}

static void add_generation(struct fake *fake) {
	struct generation *generation;
	int cells;

	ck_assert_int_eq(generation_new(&fake->generations, &fake->engine, &generation, &cells), 0);
	fd_close(cells);
	generation->keeper = &fake->keeper;
	generation->state = GENERATION_READY;
	generation->image.functions = calloc(1, sizeof generation->image.functions[0]);
	generation->image.functions[0] = fake->function;
	generation->image.n_functions = 1;
	fake->generation = fake->generations.newest = generation;
}

struct fake *fake_new(struct wf_executor_options options) {
	struct fake *fake = calloc(1, sizeof *fake);
	struct options kept;

	fake_now = NSEC_PER_SEC;
	clock_source = fake_time;
	options.size = sizeof options;
	options.module = "/nowhere/fake.so";
	ck_assert_int_eq(options_init(&kept, &options), 0);
	ck_assert_int_eq(engine_init(&fake->engine, &kept), 0);
	ck_assert_int_eq(offload_init(&fake->offload, &fake->engine), 0);
	fake->engine.offload = &fake->offload;
	fake->engine.destroy = nothing_to_destroy;
	fake->function = names_intern(&fake->engine.functions, "function");
	arena_init(&fake->arena, fake->memory, sizeof fake->memory);
	generations_init(&fake->generations);
	add_generation(fake);
	pool_init(&fake->pool, &fake->engine, &fake->generations);
	fake->pool.open = true;
	ck_assert_int_eq(pool_resize(&fake->pool, (unsigned)fake->engine.options.public.workers),
			 0);
	return fake;
}

struct fake *fake_reused(int hand_ahead) {
	return fake_new((struct wf_executor_options){
	    .workers = 4, .tuning.hand_ahead = hand_ahead, .idle_timeout_ms = WF_FOREVER });
}

void fake_free(struct fake *fake) {
	list_foreach_safe (link, next, &fake->generation->workers) {
		struct worker *worker = container_of(link, struct worker, generation_link);

		if (worker->state < WORKER_ENDED)
			worker_ended(worker, NULL, true);
		else
			worker_swept(worker);
	}
	pool_settle(&fake->pool);
	generation_free(&fake->generations, fake->generation);
	pool_stop_timers(&fake->pool);
	pool_deinit(&fake->pool);
	generations_deinit(&fake->generations);
	for (unsigned i = 0; i < fake->n_workers; i++)
		fd_close(fake->workers[i].peer);
	offload_run(&fake->offload);
	offload_deinit(&fake->offload);
	engine_deinit(&fake->engine);
	free(fake);
}

/* --- workers ------------------------------------------------------------------------------- */

static struct slot *free_slot(struct fake *fake) {
	for (unsigned i = 0; i < fake->pool.n_slots; i++)
		if (!fake->pool.slots[i]->current)
			return fake->pool.slots[i];
	for (unsigned i = 0; i < fake->pool.n_slots; i++)
		if (!fake->pool.slots[i]->next)
			return fake->pool.slots[i];
	ck_abort_msg("no slot is free");
	return NULL;
}

struct fake_worker *fake_ask(struct fake *fake) {
	struct fake_worker *added = &fake->workers[fake->n_workers++];
	struct slot *slot = free_slot(fake);

	ck_assert_int_eq(
	    worker_new(fake->generation, ++fake->pool.last_worker, slot->number, &added->worker),
	    0);
	ck_assert_int_eq(channel_open(added->worker, &added->peer), 0);
	pool_seat(&fake->pool, slot, added->worker);
	return added;
}

/* No process has this number (PID_MAX_LIMIT is 2^22), and there is no pidfd to signal. */
void fake_spawned(struct fake *fake, struct fake_worker *worker) {
	const pid_t pid = (1 << 22) + 1 + (pid_t)(worker - fake->workers);

	worker_take_process(worker->worker, pid, -1);
	ck_assert(worker_step(worker->worker, WORKER_SPAWNED));
}

struct fake_worker *fake_add(struct fake *fake) {
	struct fake_worker *added = fake_ask(fake);
	struct message ready = { .type = MESSAGE_WORKER_READY };

	fake_spawned(fake, added);
	ck_assert_int_eq(channel_listen(added->worker), 0);
	ready.worker_ready = (struct message_worker_ready){ added->worker->id, 0, "" };
	fake_say(fake, added, &ready);
	pool_settle(&fake->pool);
	ck_assert_int_eq(added->worker->state, WORKER_READY);
	return added;
}

void fake_say(struct fake *fake, struct fake_worker *worker, const struct message *message) {
	uint8_t frame[LIMIT_FRAME];

	ck_assert_int_eq(
	    message_send(worker->peer, message, &fake->arena, frame, NULL, 0, MSG_DONTWAIT), 0);
	channel_receive(worker->worker);
}

bool fake_claim(struct fake_worker *worker, uint64_t sequence) {
	struct cell_claim *claim = cell_claim(worker->worker->cell, sequence);

	atomic_store(&claim->started_ns, fake_now);
	return claim_swap(claim, sequence, CLAIM_STARTED);
}

unsigned fake_receive(struct fake *fake, struct fake_worker *worker) {
	struct wire_frame frame;
	int r = wire_receive(worker->peer, fake->frame, MSG_PEEK | MSG_DONTWAIT, &frame);

	if (r == WIRE_E_AGAIN)
		return 0;
	ck_assert_int_eq(r, 0);
	arena_reset(&fake->arena);
	ck_assert_int_eq(
	    message_unpack(frame.type, frame.body, frame.size, &fake->arena, &fake->message), 0);
	wire_frame_close(&frame);
	ck_assert_int_eq(fake->message.type, MESSAGE_TASKS);
	(void)fake_claim(worker, fake->message.tasks.tasks[0].sequence);
	wire_discard(worker->peer);
	return (unsigned)fake->message.tasks.n_tasks;
}

void fake_answer(struct fake *fake, struct fake_worker *worker, uint64_t sequence,
		 enum result_kind kind) {
	struct message message = { .type = MESSAGE_RESULT };

	(void)fake_claim(worker, sequence); /* if it has not begun it yet */
	message.result = (struct message_result){ .sequence = sequence, .kind = kind, .text = "" };
	fake_say(fake, worker, &message);
}

void fake_hang_up(struct fake *fake, struct fake_worker *worker) {
	worker->peer = fd_close(worker->peer);
	channel_receive(worker->worker);
	pool_settle(&fake->pool);
}

static void end(struct fake *fake, struct fake_worker *worker, const struct exit_status *status) {
	worker->peer = fd_close(worker->peer);
	worker_ended(worker->worker, status, true);
	pool_settle(&fake->pool);
	worker->worker = NULL;
}

void fake_return(struct fake *fake, struct fake_worker *worker, uint64_t sequence) {
	fake_answer(fake, worker, sequence, RESULT_RETURNED);
	pool_settle(&fake->pool);
}

void fake_end(struct fake *fake, struct fake_worker *worker, int exit_code, int signal) {
	struct exit_status status = { .exited = signal == 0, .code = exit_code, .signal = signal };

	end(fake, worker, &status);
}

void fake_end_unknown(struct fake *fake, struct fake_worker *worker) {
	end(fake, worker, NULL);
}

/* --- tasks --------------------------------------------------------------------------------- */

struct wf_future *fake_submit(struct fake *fake) {
	struct wf_future *future;

	ck_assert_int_eq(future_new(&fake->engine, &future), 0);
	future->function = fake->function;
	future->id = ++fake->engine.number;
	future->submitted = fake_now;
	ck_assert_int_eq(loop_reserve(fake->engine.loop, 1), 0);
	fake->engine.n_pending++;
	future_queue(future);
	return future;
}

void fake_submit_all(struct fake *fake, struct wf_future **futures, size_t n) {
	for (size_t i = 0; i < n; i++)
		futures[i] = fake_submit(fake);
}

void fake_release(struct fake *fake, struct wf_future *future) {
	ck_assert_int_eq(future->state, FUTURE_RESOLVED);
	list_remove(&future->link);
	(void)fake;
	(void)future_unref(future);
	(void)future_unref(future);
}

void fake_cancel(struct fake *fake, struct wf_future *future) {
	ck_assert_int_eq(future->state, FUTURE_QUEUED);
	future_unqueue(future);
	conclude_cancelled(future, "the test ends");
	future_resolve(future);
	fake_release(fake, future);
}
