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

#define PATIENCE_MS 1000 /* for one job, for one in the queue, and for a thread without one */
#define YIELD_MS    5    /* for one in the queue, before one more thread takes jobs */
#define HANDS_MOST  64

struct hand {
	struct engine *engine; /* a reference */
	struct list_node link; /* offload::hands, then offload::ended */
	pthread_t thread;
	struct job *job; /* what it does now, under nobody's lock */
	nsec_t since;
	bool left; /* nobody waits for it any more: it frees itself */
};

int offload_init(struct offload *offload, struct engine *engine) {
	*offload = (struct offload){ .engine = engine };
	list_init(&offload->jobs);
	list_init(&offload->hands);
	list_init(&offload->ended);
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

/* Returns false if it has waited long enough. */
static bool wait_for_job(struct offload *offload) {
	int r;

	offload->n_idle++;
	r = engine_wait(offload->engine, &offload->changed, clock_in_ms(PATIENCE_MS));
	offload->n_idle--;
	return r == 0;
}

/* Under the lock, which is free in between: theirs are on their last steps. */
static void join_ended(struct offload *offload) {
	struct list_node ended;

	list_init(&ended);
	list_take(&ended, &offload->ended);
	engine_unlock(offload->engine);
	list_foreach_safe (link, next, &ended) {
		struct hand *hand = container_of(link, struct hand, link);

		list_remove(link);
		(void)pthread_join(hand->thread, NULL);
		free(hand);
	}
	engine_lock(offload->engine);
}

static void retire(struct offload *offload, struct hand *hand) {
	list_remove(&hand->link);
	offload->n_hands--;
	if (hand->left) {
		offload->n_left--;
		free(hand);
	} else {
		list_append(&offload->ended, &hand->link);
	}
	must(pthread_cond_broadcast(&offload->changed) == 0);
}

static void *work(void *context) {
	struct hand *hand = context;
	struct engine *engine = hand->engine;
	struct offload *offload = engine->offload;

	engine_lock(engine);
	for (;;) {
		if (!list_is_empty(&offload->jobs))
			do_job(hand, list_first(&offload->jobs, struct job, link));
		else if (!list_is_empty(&offload->ended))
			join_ended(offload);
		else if (offload->ending || !wait_for_job(offload))
			break;
	}
	retire(offload, hand);
	engine_unlock(engine);
	(void)engine_unref(engine);
	return NULL;
}

/* Returns false if there cannot be one more. */
static bool start_hand(struct offload *offload) {
	struct hand *hand = offload->n_hands < HANDS_MOST ? calloc(1, sizeof *hand) : NULL;

	if (!hand)
		return false;
	hand->engine = engine_ref(offload->engine);
	if (thread_start(&hand->thread, "warmfork-aside", work, hand) < 0) {
		(void)engine_unref(hand->engine);
		free(hand);
		return false;
	}
	list_append(&offload->hands, &hand->link);
	offload->n_hands++;
	return true;
}

/* --- who waits too long -------------------------------------------------------------------- */

static void be_late(struct job *job) {
	void (*late)(struct job *) = job->late;

	job->late = NULL;
	if (late)
		late(job);
}

static void tell_late_ones(struct offload *offload, nsec_t now) {
	list_foreach_safe (link, next, &offload->hands) {
		struct hand *hand = container_of(link, struct hand, link);

		if (hand->job && now >= clock_after_ms(hand->since, PATIENCE_MS))
			be_late(hand->job);
	}
	list_foreach_safe (link, next, &offload->jobs) {
		struct job *job = container_of(link, struct job, link);

		if (now < clock_after_ms(job->since, PATIENCE_MS))
			break; /* so were those behind it */
		be_late(job);
	}
}

static void on_watch(struct timer *timer, nsec_t now);

static void watch(struct offload *offload, nsec_t at) {
	if (!offload->watch.loop || offload->watch.at > at)
		(void)timer_set(offload->engine->loop, &offload->watch, at, on_watch);
}

static void watch_queue(struct offload *offload) {
	watch(offload, clock_after_ms(engine_now(offload->engine), YIELD_MS));
}

/* offload_add() does so too. */
static void go_on_watching(struct offload *offload) {
	if (!list_is_empty(&offload->jobs))
		watch_queue(offload);
	list_foreach_safe (link, next, &offload->hands) {
		const struct hand *hand = container_of(link, struct hand, link);

		if (hand->job && hand->job->late)
			watch(offload, clock_after_ms(hand->since, PATIENCE_MS));
	}
}

static bool has_waited(const struct offload *offload, nsec_t now) {
	return !list_is_empty(&offload->jobs) &&
	       now >= clock_after_ms(list_first(&offload->jobs, struct job, link)->since, YIELD_MS);
}

static void on_watch(struct timer *timer, nsec_t now) {
	struct offload *offload = container_of(timer, struct offload, watch);

	tell_late_ones(offload, now);
	if (has_waited(offload, now) && offload->n_idle == 0)
		(void)start_hand(offload);
	go_on_watching(offload);
}

/* --- jobs ---------------------------------------------------------------------------------- */

/* Returns false if there is nobody to do a job. */
static bool find_hand(struct offload *offload) {
	watch_queue(offload);
	if (offload->n_hands == 0)
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
		be_late(job); /* on_watch() tries again */
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

/* --- the end ------------------------------------------------------------------------------- */

static void leave(struct offload *offload, struct hand *hand) {
	if (hand->left)
		return;
	hand->left = true;
	offload->n_left++;
	(void)pthread_detach(hand->thread);
}

static void leave_all(struct offload *offload) {
	list_foreach_safe (link, next, &offload->hands)
		leave(offload, container_of(link, struct hand, link));
}

void offload_end(struct offload *offload) {
	struct engine *engine = offload->engine;

	engine_lock(engine);
	offload->ending = true;
	timer_clear(&offload->watch);
	must(pthread_cond_broadcast(&offload->changed) == 0);
	for (int i = 0; i < PATIENCE_MS / YIELD_MS && offload->n_hands > 0; i++)
		if (engine_wait(engine, &offload->changed, clock_in_ms(YIELD_MS)) == -ETIMEDOUT &&
		    !list_is_empty(&offload->jobs))
			(void)start_hand(offload);
	leave_all(offload);
	join_ended(offload);
	engine_unlock(engine);
	if (offload->n_left < HANDS_MOST)
		offload_run(offload);
}

void offload_dismiss(struct offload *offload) {
	offload->ending = true;
	timer_clear(&offload->watch);
	if (!list_is_empty(&offload->jobs) && offload->n_idle == 0)
		(void)start_hand(offload);
	leave_all(offload);
	list_foreach_safe (link, next, &offload->ended) {
		struct hand *hand = container_of(link, struct hand, link);

		list_remove(link);
		(void)pthread_detach(hand->thread);
		free(hand);
	}
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
