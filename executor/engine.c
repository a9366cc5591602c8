/* SPDX-License-Identifier: MIT
 *
 * Log lines are written under the lock, but a handler may take locks of its own, and a thread that
 * holds one of these may be waiting for ours. So lines are kept, and handed on once the lock is
 * free. The same holds for threads to be woken: one that runs before the lock is free has to sleep
 * again.
 */
#include "executor/engine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/uninitialized.h"
#include "executor/task.h"
#include "proto/limits.h"

#define ENGINE_TIMERS 16  /* those of pool, succession and keeper, and some to spare */
#define LOG_LINES_MAX 256 /* while the lock is held once */

struct log_line {
	struct list_node link;
	enum log_level level;
	char text[];
};

/* --- life ---------------------------------------------------------------------------------- */

static _Atomic uint64_t n_engines; /* how many this process has had */

static void on_doorbell(struct source *source, uint32_t events) {
	eventfd_t value;

	(void)events;
	(void)eventfd_read(source->fd, &value);
}

static int make_loop(struct engine *engine) {
	int r = loop_new(&engine->loop);

	if (r < 0)
		return error_trace(r);
	r = loop_reserve(engine->loop, ENGINE_TIMERS);
	if (r < 0)
		return error_trace(r);
	engine->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->doorbell < 0)
		return error_origin(-errno);
	return source_add(engine->loop, &engine->doorbell_source, engine->doorbell, EPOLLIN,
			  on_doorbell);
}

static int make_scratch(struct engine *engine) {
	void *memory = malloc(ARENA_MESSAGE), *receive = malloc(ARENA_MESSAGE);

	arena_init(&engine->arena, memory, memory ? ARENA_MESSAGE : 0);
	arena_init(&engine->receive_arena, receive, receive ? ARENA_MESSAGE : 0);
	engine->frame = malloc(LIMIT_FRAME);
	engine->receive_frame = malloc(LIMIT_FRAME);
	return memory && receive && engine->frame && engine->receive_frame ? 0
									   : error_origin(-ENOMEM);
}

static void keep_line(void *context, enum log_level level, const char *text) {
	struct engine *engine = context;
	size_t size = strlen(text) + 1;
	struct log_line *line =
	    engine->n_lines < LOG_LINES_MAX ? malloc(sizeof *line + size) : NULL;

	if (!line)
		return;
	*line = (struct log_line){ .level = level };
	memcpy(line->text, text, size);
	engine->n_lines++;
	list_append(&engine->lines, &line->link);
}

/* A write to stderr may block as a handler may: neither happens under the lock. */
static void make_log(struct engine *engine) {
	log_init(&engine->standard_error, NULL, NULL);
	log_init(&engine->log, keep_line, engine);
	if (engine->options.public.log)
		return;
	engine->log.on = engine->standard_error.on;
	engine->log.level = engine->standard_error.level;
}

static void hand_on(struct engine *engine, const struct log_line *line) {
	const struct wf_executor_options *options = &engine->options.public;

	if (options->log)
		options->log(options->log_context, (enum wf_log_level)line->level, line->text);
	else
		log_write(&engine->standard_error, line->level, "%s", line->text);
}

int engine_init(struct engine *engine, struct options *options) {
	int r;

	*engine = (struct engine){ .references = 1, .doorbell = -1 };
	engine->number = atomic_fetch_add(&n_engines, 1) + 1;
	engine->options = *options;
	*options = (struct options){ .module = NULL };
	queue_init(&engine->queue);
	list_init(&engine->ending);
	list_init(&engine->read);
	list_init(&engine->due);
	list_init(&engine->lines);
	list_init(&engine->changed);
	make_log(engine);
	evidence_init(&engine->evidence);
	must(pthread_mutex_init(&engine->lock, NULL) == 0);
	r = make_loop(engine);
	return r < 0 ? error_trace(r) : make_scratch(engine);
}

void engine_stop(struct engine *engine) {
	source_remove(&engine->doorbell_source);
	engine->doorbell = fd_close(engine->doorbell);
	engine->loop = loop_free(engine->loop);
}

void engine_deinit(struct engine *engine) {
	engine_stop(engine);
	engine->options.context = engine_release_context(engine, engine->options.context);
	options_deinit(&engine->options);
	names_clear(&engine->functions);
	free(engine->arena.memory);
	free(engine->receive_arena.memory);
	free(engine->frame);
	free(engine->receive_frame);
	(void)pthread_mutex_destroy(&engine->lock);
}

struct engine *engine_ref(struct engine *engine) {
	atomic_fetch_add(&engine->references, 1);
	return engine;
}

struct engine *engine_unref(struct engine *engine) {
	if (engine && atomic_fetch_sub(&engine->references, 1) == 1)
		engine->destroy(engine);
	return NULL;
}

bool engine_is_wrecked(struct engine *engine) {
	bool wrecked;

	engine_lock(engine);
	wrecked = engine->wrecked;
	engine_unlock(engine);
	return wrecked;
}

struct task_context *engine_release_context(struct engine *engine, struct task_context *context) {
	return context && task_context_has_descriptors(context) && engine_is_wrecked(engine)
		   ? task_context_abandon(context)
		   : task_context_free(context);
}

/* --- the lock ------------------------------------------------------------------------------ */

void engine_lock(struct engine *engine) {
	must(pthread_mutex_lock(&engine->lock) == 0);
	engine->now = 0;
}

/* By now the futex may be gone, because it lies on the stack of a thread that has seen its value.
 * That is harmless (futex(2): wake-ups may be spurious). */
static void wake(_Atomic uint32_t *futex) {
	(void)syscall(SYS_futex, futex, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void wake_all(struct engine *engine) {
	while (engine->n_wakes > 0)
		wake(engine->wakes[--engine->n_wakes]);
}

void engine_wake(struct engine *engine, _Atomic uint32_t *futex) {
	if (engine->n_wakes == ENGINE_WAKES)
		wake_all(engine);
	engine->wakes[engine->n_wakes++] = futex;
}

int engine_wait(struct engine *engine, pthread_cond_t *condition, nsec_t until) {
	int r;

	wake_all(engine);
	r = clock_condition_wait(condition, &engine->lock, until);
	engine->now = 0; /* the lock was free meanwhile */
	return r;
}

static void unlock_and_tell(struct engine *engine) {
	_Atomic uint32_t *wakes[ENGINE_WAKES] uninitialized;
	unsigned n_wakes = engine->n_wakes;
	struct list_node lines;

	memcpy(wakes, engine->wakes, n_wakes * sizeof wakes[0]);
	engine->n_wakes = 0;
	list_init(&lines);
	list_take(&lines, &engine->lines);
	engine->n_lines = 0;
	must(pthread_mutex_unlock(&engine->lock) == 0);
	while (n_wakes > 0)
		wake(wakes[--n_wakes]);
	list_foreach_safe (link, next, &lines) {
		struct log_line *line = container_of(link, struct log_line, link);

		hand_on(engine, line);
		free(line);
	}
}

void engine_unlock(struct engine *engine) {
	if (engine->n_wakes > 0 || !list_is_empty(&engine->lines))
		unlock_and_tell(engine);
	else
		must(pthread_mutex_unlock(&engine->lock) == 0);
}

nsec_t engine_now(struct engine *engine) {
	if (engine->now == 0)
		engine->now = clock_now();
	return engine->now;
}

void engine_ring(struct engine *engine) {
	if (engine->doorbell >= 0)
		(void)eventfd_write(engine->doorbell, 1);
}

bool engine_is_busy(const struct engine *engine) {
	return engine->n_pending > engine->queue.size + engine->n_tickets;
}
