/* SPDX-License-Identifier: MIT */
#include "executor/offload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/engine.h"
#include "executor/thread.h"

#define PATIENCE_MS 1000 /* for one job, and for one in the queue */
#define YIELD_MS    100  /* for one job, while others wait for it */
#define STUCK_MAX   64

struct hand {
	struct engine *engine; /* a reference */
	struct list_node link; /* offload::hands */
	pthread_t thread;
	struct job *job; /* what it does now, under nobody's lock */
	nsec_t since;
	bool detached; /* it has been stuck, and frees itself */
	bool done;     /* it has only to return */
};

int offload_init(struct offload *offload, struct engine *engine) {
	*offload = (struct offload){ .engine = engine };
	list_init(&offload->jobs);
	list_init(&offload->hands);
	return clock_condition_init(&offload->changed);
}

void offload_deinit(struct offload *offload) {
	must(list_is_empty(&offload->jobs));
	(void)pthread_cond_destroy(&offload->changed);
}

/* --- a thread ------------------------------------------------------------------------------ */

static void do_job(struct hand *hand, struct job *job) {
	struct engine *engine = hand->engine;

	list_remove(&job->link);
	hand->job = job;
	hand->since = engine_now(engine);
	engine_unlock(engine);
	job->run(job);
	engine_lock(engine);
	hand->job = NULL; /* before it is freed: on_watch() looks at it */
	if (!list_is_empty(&engine->changed))
		engine_ring(engine); /* the pump decides what follows */
	engine_unlock(engine);
	job->done(job);
	engine_lock(engine);
}

/* One that comes back late is on duty again if nobody has taken its place. */
static bool is_on_duty(struct offload *offload, struct hand *hand) {
	if (!offload->hand && !list_is_empty(&offload->jobs)) {
		offload->hand = hand;
		offload->n_stuck--;
	}
	return offload->hand == hand;
}

static void retire(struct offload *offload, struct hand *hand) {
	hand->done = true;
	list_remove(&hand->link);
	must(pthread_cond_broadcast(&offload->changed) == 0);
	if (!hand->detached)
		return;
	if (offload->hand == hand)
		offload->hand = NULL;
	else
		offload->n_stuck--;
	free(hand);
}

static void *work(void *context) {
	struct hand *hand = context;
	struct engine *engine = hand->engine;
	struct offload *offload = engine->offload;

	engine_lock(engine);
	while (is_on_duty(offload, hand)) {
		if (!list_is_empty(&offload->jobs))
			do_job(hand, list_first(&offload->jobs, struct job, link));
		else if (!offload->ending)
			(void)engine_wait(engine, &offload->changed, NSEC_NEVER);
		else
			break;
	}
	retire(offload, hand);
	engine_unlock(engine);
	(void)engine_unref(engine);
	return NULL;
}

/* Returns false if there cannot be one more. */
static bool start_hand(struct offload *offload) {
	struct hand *hand = offload->n_stuck < STUCK_MAX ? calloc(1, sizeof *hand) : NULL;

	if (!hand)
		return false;
	hand->engine = engine_ref(offload->engine);
	if (thread_start(&hand->thread, "warmfork-aside", work, hand) < 0) {
		(void)engine_unref(hand->engine);
		free(hand);
		return false;
	}
	list_append(&offload->hands, &hand->link);
	offload->hand = hand;
	return true;
}

/* --- who waits too long -------------------------------------------------------------------- */

static void be_late(struct job *job) {
	void (*late)(struct job *) = job->late;

	job->late = NULL;
	if (late)
		late(job);
}

static void leave(struct offload *offload) {
	struct hand *hand = offload->hand;

	if (!hand->detached)
		(void)pthread_detach(hand->thread);
	hand->detached = true;
	offload->hand = NULL;
	offload->n_stuck++;
}

static void watch(struct offload *offload);

static bool has_done_it_for(const struct hand *hand, int ms, nsec_t now) {
	return hand->job && now >= clock_after_ms(hand->since, ms);
}

static void tell_late_ones(struct offload *offload, nsec_t now) {
	list_foreach_safe (link, next, &offload->hands) {
		struct hand *hand = container_of(link, struct hand, link);

		if (has_done_it_for(hand, PATIENCE_MS, now))
			be_late(hand->job);
	}
	list_foreach_safe (link, next, &offload->jobs) {
		struct job *job = container_of(link, struct job, link);

		if (now < clock_after_ms(job->since, PATIENCE_MS))
			break; /* so were those behind it */
		be_late(job);
	}
}

/* offload_add() starts it again. */
static bool must_watch(const struct offload *offload) {
	if (!list_is_empty(&offload->jobs))
		return true;
	list_foreach_safe (link, next, &offload->hands) {
		const struct hand *hand = container_of(link, struct hand, link);

		if (hand->job && hand->job->late)
			return true;
	}
	return false;
}

static void on_watch(struct timer *timer, nsec_t now) {
	struct offload *offload = container_of(timer, struct offload, watch);
	bool waiting = !list_is_empty(&offload->jobs);

	tell_late_ones(offload, now);
	if (offload->hand && waiting && has_done_it_for(offload->hand, YIELD_MS, now))
		leave(offload);
	if (!offload->hand && waiting)
		(void)start_hand(offload);
	if (must_watch(offload))
		watch(offload);
}

static void watch(struct offload *offload) {
	struct engine *engine = offload->engine;

	(void)timer_set(engine->loop, &offload->watch, clock_after_ms(engine_now(engine), YIELD_MS),
			on_watch);
}

/* --- jobs ---------------------------------------------------------------------------------- */

/* Returns false if nobody can do a job now. */
static bool find_hand(struct offload *offload) {
	if (!offload->watch.loop)
		watch(offload);
	if (!offload->hand)
		return start_hand(offload);
	must(pthread_cond_signal(&offload->changed) == 0);
	return true;
}

void offload_begin(struct offload *offload) {
	offload->begun = true;
	if (!list_is_empty(&offload->jobs))
		(void)find_hand(offload);
}

void offload_add(struct offload *offload, struct job *job) {
	job->since = engine_now(offload->engine);
	list_append(&offload->jobs, &job->link);
	if (offload_is_on(offload) && !find_hand(offload))
		be_late(job); /* and done by whoever comes back */
}

void offload_run(struct offload *offload) {
	struct engine *engine = offload->engine;

	engine_lock(engine);
	while (!list_is_empty(&offload->jobs)) {
		struct job *job = list_first(&offload->jobs, struct job, link);

		list_remove(&job->link);
		engine_unlock(engine);
		job->run(job);
		job->done(job);
		engine_lock(engine);
	}
	engine_unlock(engine);
}

/* Under the lock: waits for the thread on duty to end, or leaves it if it is stuck. */
static void end_hand(struct offload *offload) {
	struct engine *engine = offload->engine;
	struct hand *hand = offload->hand;
	nsec_t until = clock_after_ms(clock_now(), PATIENCE_MS);

	/* one that has been stuck before frees itself, so look at who is on duty first */
	while (offload->hand == hand && !hand->done &&
	       engine_wait(engine, &offload->changed, until) == 0)
		;
	if (offload->hand != hand)
		return;
	if (!hand->done) {
		leave(offload);
		return;
	}
	offload->hand = NULL;
	engine_unlock(engine);
	(void)pthread_join(hand->thread, NULL);
	free(hand);
	engine_lock(engine);
}

void offload_end(struct offload *offload) {
	struct engine *engine = offload->engine;

	engine_lock(engine);
	offload->ending = true;
	timer_clear(&offload->watch);
	must(pthread_cond_broadcast(&offload->changed) == 0);
	while (offload->hand) {
		end_hand(offload);
		if (!list_is_empty(&offload->jobs) && !offload->hand)
			(void)start_hand(offload);
	}
	engine_unlock(engine);
	if (offload->n_stuck < STUCK_MAX)
		offload_run(offload);
}

void offload_dismiss(struct offload *offload) {
	offload->ending = true;
	timer_clear(&offload->watch);
	if (!offload->hand && !list_is_empty(&offload->jobs))
		(void)start_hand(offload);
	if (offload->hand)
		leave(offload);
	must(pthread_cond_broadcast(&offload->changed) == 0);
}

/* --- descriptors --------------------------------------------------------------------------- */

struct closing {
	struct job job;
	struct engine *engine;
	size_t n;
	int fds[];
};

/* A socket that lingers keeps whoever closes it last until its peer has read everything. */
static void close_patiently(int fd) {
	const struct linger none = { 0, 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	(void)fd_close(fd);
}

static void run_closing(struct job *job) {
	struct closing *closing = container_of(job, struct closing, job);

	if (engine_is_wrecked(closing->engine))
		return;
	for (size_t i = 0; i < closing->n; i++)
		close_patiently(closing->fds[i]);
}

static void free_closing(struct job *job) {
	free(container_of(job, struct closing, job));
}

void offload_close(struct offload *offload, const int *fds, size_t n) {
	struct closing *closing = n ? malloc(sizeof *closing + n * sizeof closing->fds[0]) : NULL;

	if (!closing) {
		fd_close_all(fds, n); /* of two evils: without memory, this may block */
		return;
	}
	*closing = (struct closing){ .job = { .run = run_closing, .done = free_closing },
				     .engine = offload->engine,
				     .n = n };
	memcpy(closing->fds, fds, n * sizeof fds[0]);
	offload_add(offload, &closing->job);
}
