/* SPDX-License-Identifier: MIT */
#include "executor/offload.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/engine.h"
#include "executor/thread.h"

#define PATIENCE_MS 1000 /* for one job, for one in the queue, and for a thread without one */
#define YIELD_MS    5    /* for one in the queue, before one more thread takes jobs */
#define HANDS_MOST  64   /* threads, besides those that are stuck */
#define OWNER_MOST  4    /* for one task at the same time */

/* How many of a kind are done at the same time. Each pipe has one job at a time, and ends with the
 * processes that hold it, so there is no need to bound these. */
static const unsigned kind_most[N_JOB_KINDS] = {
	[JOB_HOST] = UINT_MAX, [JOB_READ] = UINT_MAX, [JOB_LOOK] = 32,
	[JOB_CLIMB] = 8,       [JOB_CLOSE] = 32,
};

struct hand {
	struct engine *engine; /* a reference */
	struct list_node link; /* offload::hands, then offload::ended */
	pthread_t thread;
	struct job *job; /* what it does now, under nobody's lock */
	nsec_t since;    /* it began that */
	bool left;       /* nobody waits for it any more: it frees itself */
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

static unsigned count_of_owner(const struct offload *offload, uint64_t owner) {
	unsigned n = 0;

	list_foreach_safe (link, next, &offload->hands) {
		const struct hand *hand = container_of(link, struct hand, link);

		n += hand->job && hand->job->owner == owner;
	}
	return n;
}

static bool may_begin(const struct offload *offload, const struct job *job) {
	return offload->n_running[job->kind] < kind_most[job->kind] &&
	       (!job->owner || count_of_owner(offload, job->owner) < OWNER_MOST);
}

/* The first in the queue that may begin now, or NULL. */
static struct job *next_job(const struct offload *offload) {
	list_foreach_safe (link, next, &offload->jobs) {
		struct job *job = container_of(link, struct job, link);

		if (may_begin(offload, job))
			return job;
	}
	return NULL;
}

bool offload_is_crowded(const struct offload *offload, enum job_kind kind) {
	return offload->n_queued[kind] + offload->n_running[kind] >= OWNER_MOST;
}

static void unqueue(struct offload *offload, struct job *job) {
	list_remove(&job->link);
	offload->n_queued[job->kind]--;
}

static void do_job(struct hand *hand, struct job *job) {
	struct engine *engine = hand->engine;
	unsigned *n_running = &engine->offload->n_running[job->kind];

	unqueue(engine->offload, job);
	hand->job = job;
	hand->since = engine_now(engine);
	++*n_running;
	engine_unlock(engine);
	job->run(job);
	engine_lock(engine);
	--*n_running;
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

/* At the end of an executor, somebody joins it. One that ends for lack of work is detached, since
 * nobody may come to join it before the program exits. */
static void retire(struct offload *offload, struct hand *hand) {
	list_remove(&hand->link);
	offload->n_hands--;
	if (hand->left || !offload->ending) {
		if (!hand->left)
			(void)pthread_detach(hand->thread);
		free(hand);
		return;
	}
	list_append(&offload->ended, &hand->link);
	must(pthread_cond_broadcast(&offload->changed) == 0);
}

static void *work(void *context) {
	struct hand *hand = context;
	struct engine *engine = hand->engine;
	struct offload *offload = engine->offload;
	struct job *job;

	engine_lock(engine);
	for (;;) {
		if ((job = next_job(offload)))
			do_job(hand, job);
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

static bool is_stuck(const struct hand *hand, nsec_t now) {
	return hand->job && now >= clock_after_ms(hand->since, PATIENCE_MS);
}

static unsigned count_stuck(const struct offload *offload) {
	nsec_t now = engine_now(offload->engine);
	unsigned n = 0;

	list_foreach_safe (link, next, &offload->hands)
		n += is_stuck(container_of(link, struct hand, link), now);
	return n;
}

/* Returns false if there cannot be one more. */
static bool start_hand(struct offload *offload) {
	bool may_start = offload->n_hands - count_stuck(offload) < HANDS_MOST;
	struct hand *hand = may_start ? calloc(1, sizeof *hand) : NULL;

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

static void be_late(struct job *job, bool begun) {
	void (*late)(struct job *, bool) = job->late;

	job->late = NULL;
	if (late)
		late(job, begun);
}

/* What nobody waits for any more is not done. */
static void drop_late_one(struct offload *offload, struct job *job) {
	unqueue(offload, job);
	be_late(job, false);
	job->done(job);
}

static void tell_late_ones(struct offload *offload, nsec_t now) {
	list_foreach_safe (link, next, &offload->hands) {
		struct hand *hand = container_of(link, struct hand, link);

		if (is_stuck(hand, now))
			be_late(hand->job, true);
	}
	list_foreach_safe (link, next, &offload->jobs) {
		struct job *job = container_of(link, struct job, link);

		if (now < clock_after_ms(job->since, PATIENCE_MS))
			break; /* so were those behind it */
		if (job->late)
			drop_late_one(offload, job);
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
	if (next_job(offload))
		watch_queue(offload);
	list_foreach_safe (link, next, &offload->hands) {
		const struct hand *hand = container_of(link, struct hand, link);

		if (hand->job && hand->job->late)
			watch(offload, clock_after_ms(hand->since, PATIENCE_MS));
	}
	list_foreach_safe (link, next, &offload->jobs) {
		const struct job *job = container_of(link, struct job, link);

		if (job->late) {
			watch(offload, clock_after_ms(job->since, PATIENCE_MS));
			break; /* it is the first that will be late */
		}
	}
}

static bool has_waited(const struct offload *offload, nsec_t now) {
	const struct job *job = next_job(offload);

	return job && now >= clock_after_ms(job->since, YIELD_MS);
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
	offload->n_queued[job->kind]++;
	if (offload_is_on(offload) && !find_hand(offload) && job->late)
		drop_late_one(offload, job); /* for the others, on_watch() tries again */
}

/* The first of a kind of which none is under way, and so none is stuck; or NULL. */
static struct job *first_free(const struct offload *offload) {
	list_foreach_safe (link, next, &offload->jobs) {
		struct job *job = container_of(link, struct job, link);

		if (offload->n_running[job->kind] == 0)
			return job;
	}
	return NULL;
}

void offload_run(struct offload *offload) {
	struct engine *engine = offload->engine;
	struct job *job;

	engine_lock(engine);
	while ((job = first_free(offload))) {
		unqueue(offload, job);
		engine_unlock(engine);
		job->run(job);
		job->done(job);
		engine_lock(engine);
	}
	engine_unlock(engine);
}

/* --- the end ------------------------------------------------------------------------------- */

static void leave(struct hand *hand) {
	if (hand->left)
		return;
	hand->left = true;
	(void)pthread_detach(hand->thread);
}

static void leave_all(struct offload *offload) {
	list_foreach_safe (link, next, &offload->hands)
		leave(container_of(link, struct hand, link));
}

void offload_end(struct offload *offload) {
	struct engine *engine = offload->engine;

	engine_lock(engine);
	offload->ending = true;
	timer_clear(&offload->watch);
	must(pthread_cond_broadcast(&offload->changed) == 0);
	for (int i = 0; i < PATIENCE_MS / YIELD_MS && offload->n_hands > 0; i++)
		if (engine_wait(engine, &offload->changed, clock_in_ms(YIELD_MS)) == -ETIMEDOUT &&
		    next_job(offload))
			(void)start_hand(offload);
	leave_all(offload);
	join_ended(offload);
	engine_unlock(engine);
	offload_run(offload); /* what waits for a hand that is stuck is left to that hand */
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
	*closing = (struct closing){
		.job = { .kind = JOB_CLOSE, .run = run_closing, .done = free_closing },
		.engine = offload->engine,
		.n = n
	};
	memcpy(closing->fds, fds, n * sizeof fds[0]);
	offload_add(offload, &closing->job);
}
