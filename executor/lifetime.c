/* SPDX-License-Identifier: MIT
 *
 * Open, close, reload, and what a fork of the host must not touch.
 *
 * A forked child of the host has a copy of our descriptors. As long as it holds the keeper's
 * socket, the end of the host would not end that socket, so an atfork handler closes it in the
 * child; the keeper watches the host's pidfd besides, for children made by a bare clone(2). A child
 * is told from its parent by a page that the kernel wipes in it (MADV_WIPEONFORK, Linux 4.14),
 * which no kind of fork can miss.
 */
#include "executor/lifetime.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "executor/image_report.h"
#include "executor/keeper_link.h"
#include "executor/link.h"
#include "executor/report.h"
#include "executor/shared.h"
#include "executor/slot.h"
#include "executor/supervise.h"
#include "proto/self.h"

/* --- forks of the host
 * ------------------------------------------------------------------------------- */

/* Executors that are open: who must be closed in a forked child. */
static struct {
	pthread_mutex_t lock;
	struct link list;         /* wf_executor::registry_link */
	volatile uint32_t *alive; /* 1; 0 in a forked child */
	uint64_t process;         /* a number for this process; another one in a forked child */
} registry = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.list = { &registry.list, &registry.list },
};
static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

static void before_fork(void) {
	(void)pthread_mutex_lock(&registry.lock);
}

static void after_fork_in_parent(void) {
	(void)pthread_mutex_unlock(&registry.lock);
}

static void after_fork_in_child(void) {
	for (struct link *link = registry.list.next; link != &registry.list; link = link->next) {
		struct wf_executor *executor =
		    container_of(link, struct wf_executor, registry_link);

		/* the child's copy of the table; the number stays in the struct, which is not used
		 * again */
		if (executor->keeper.control >= 0)
			(void)close(executor->keeper.control);
	}
	(void)pthread_mutex_unlock(&registry.lock);
	shared_forget();
}

static void registry_start(void) {
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	(void)madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK);
	registry.alive = page;
	*registry.alive = 1;
	(void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* A worker that was forked from a zygote whose preload used the library starts with a clean page,
 * too: the executors of its parent are none of its business. */
static void registry_renew(void) {
	(void)pthread_mutex_lock(&registry.lock);
	if (registry.alive && !*registry.alive) {
		list_init(&registry.list);
		registry.process++;
		*registry.alive = 1;
	}
	(void)pthread_mutex_unlock(&registry.lock);
}

bool lifetime_same_process(const struct wf_executor *executor) {
	/* the page is 1 again in a child that has opened executors of its own */
	return registry.alive && *registry.alive && executor->process == registry.process;
}

/* --- open
 * -----------------------------------------------------------------------------------------------
 */

static void on_doorbell(struct source *source, uint32_t events) {
	eventfd_t value;

	(void)events;
	(void)eventfd_read(source->fd, &value);
}

static int make_lock(struct wf_executor *executor) {
	pthread_condattr_t attribute;
	int r = pthread_mutex_init(&executor->lock, NULL);

	if (r)
		return error_origin(-r);
	r = pthread_condattr_init(&attribute);
	if (r)
		return error_origin(-r);
	r = pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
	r = r ? r : pthread_cond_init(&executor->changed, &attribute);
	(void)pthread_condattr_destroy(&attribute);
	return r ? error_origin(-r) : 0;
}

static int make_loop(struct wf_executor *executor) {
	int r = loop_new(&executor->loop);

	if (r < 0)
		return error_trace(r);
	executor->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (executor->doorbell < 0)
		return error_origin(-errno);
	return source_add(executor->loop, &executor->doorbell_source, executor->doorbell, EPOLLIN,
			  on_doorbell);
}

static int make_scratch(struct wf_executor *executor) {
	void *memory = malloc(ARENA_MESSAGE), *receive = malloc(ARENA_MESSAGE);

	arena_init(&executor->arena, memory, memory ? ARENA_MESSAGE : 0);
	arena_init(&executor->receive_arena, receive, receive ? ARENA_MESSAGE : 0);
	executor->frame = malloc(LIMIT_FRAME);
	executor->receive_frame = malloc(LIMIT_FRAME);
	return memory && receive && executor->frame && executor->receive_frame
		   ? 0
		   : error_origin(-ENOMEM);
}

static _Atomic uint64_t n_executors; /* that this process has had */

static int make(const struct wf_executor_options *options, struct wf_executor **ret) {
	struct wf_executor *executor = calloc(1, sizeof(*executor));
	int r;

	if (!executor)
		return report_internal(-ENOMEM, "opening an executor");
	executor->references = executor->handles = 1;
	executor->number = atomic_fetch_add(&n_executors, 1) + 1;
	executor->process = registry.process;
	executor->doorbell = executor->keeper.control = executor->keeper.pidfd = -1;
	queue_init(&executor->queue);
	list_init(&executor->due);
	list_init(&executor->lines);
	list_init(&executor->idle);
	list_init(&executor->leaving);
	list_init(&executor->zygotes);
	r = make_lock(executor);
	if (r < 0) {
		free(executor);
		return report_internal(r, "opening an executor");
	}
	*ret = executor;
	payload_keep(true);
	r = options_init(&executor->options, options);
	if (r < 0)
		return r;
	log_init(&executor->log, executor->options.public.log ? executor_keep_line : NULL,
		 executor);
	executor->parking = true;
	evidence_init(&executor->evidence);
	r = make_loop(executor);
	r = r < 0 ? r : make_scratch(executor);
	r = r < 0 ? r : slot_resize(executor, (unsigned)executor->options.public.workers);
	return r < 0 ? report_internal(r, "opening an executor") : 0;
}

static void *run(void *context) {
	struct wf_executor *executor = context;
	bool done = false, detached;

	while (!done) {
		int r = executor_step(executor, -1);

		executor_lock(executor);
		done = executor->state == EXECUTOR_CLOSED && list_is_empty(&executor->due);
		executor_unlock(executor);
		must(r >= 0);
	}
	executor_lock(executor);
	detached = executor->thread_detached;
	executor_unlock(executor);
	if (detached)
		(void)executor_unref(executor);
	return NULL;
}

/* All signals are the host's business; none must land in our thread. */
static int start_thread(struct wf_executor *executor) {
	sigset_t all, old;
	int r;

	if (executor->options.public.caller_driven)
		return 0;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&executor->thread, NULL, run, executor);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return report_internal(-r, "starting the executor's thread");
	(void)pthread_setname_np(executor->thread, "warmfork");
	executor->has_thread = true;
	return 0;
}

static int check_process(const struct wf_executor_options *options) {
	if (getauxval(AT_SECURE))
		return report_error(-EPERM, "a set-uid or set-gid program cannot open a pool");
	if (link_depth() >= WF_MAX_DEPTH)
		return report_error(-ELOOP,
				    "this process runs in %u pools, one inside the other: "
				    "the limit",
				    link_depth());
	if (options && options->image == WF_IMAGE_SELF && !self_is_ready())
		return report_error(-EINVAL,
				    "WF_IMAGE_SELF needs wf_init() at the top of main(); see "
				    "<warmfork/task.h>");
	return 0;
}

static bool image_settled(struct wf_executor *executor, const void *context) {
	const uint64_t *generation = context;

	return executor->ready_generation >= *generation ||
	       executor->failed_generation >= *generation || executor->state == EXECUTOR_CLOSED;
}

static int image_outcome(struct wf_executor *executor, uint64_t generation) {
	if (executor->ready_generation >= generation)
		return 0;
	if (executor->failed_generation >= generation)
		return report_error(executor->failed_code, "%s",
				    executor->failed_text ? executor->failed_text : "no memory");
	return report_error(-ESHUTDOWN, "the executor is closed");
}

static int start_image(struct wf_executor *executor) {
	uint64_t generation;
	int r;

	executor_lock(executor);
	r = keeper_link_start(executor);
	if (r == -ENOENT || r == -EACCES)
		r = report_error(-EIO,
				 "the helper program %s cannot be started: %s; set options.helper "
				 "or WARMFORK_HELPER",
				 keeper_link_helper(executor), strerrordesc_np(-r));
	else if (r < 0)
		r = report_internal(r, "starting the keeper");
	if (r >= 0) {
		r = link_start(executor);
		if (r == -EPIPE)
			r = report_error(
			    -EIO,
			    "the helper program %s ended without a word: it is not the "
			    "warmfork-zygote of this version; set options.helper or "
			    "WARMFORK_HELPER",
			    keeper_link_helper(executor));
		else if (r < 0)
			r = report_internal(r, "starting the zygote");
	}
	generation = executor->next_generation;
	executor_unlock(executor);
	if (r < 0)
		return r;
	r = start_thread(executor);
	if (r < 0)
		return r;
	executor_lock(executor);
	r = executor_await(executor, image_settled, &generation, NSEC_NEVER);
	r = r < 0 ? report_internal(r, "waiting for the image")
		  : image_outcome(executor, generation);
	if (r >= 0) {
		executor->state = EXECUTOR_OPEN;
		executor_pump(executor);
	}
	executor_unlock(executor);
	return r;
}

static void registry_add(struct wf_executor *executor) {
	(void)pthread_mutex_lock(&registry.lock);
	list_append(&registry.list, &executor->registry_link);
	(void)pthread_mutex_unlock(&registry.lock);
}

static void registry_remove(struct wf_executor *executor) {
	(void)pthread_mutex_lock(&registry.lock);
	list_remove(&executor->registry_link);
	(void)pthread_mutex_unlock(&registry.lock);
}

int lifetime_open(const struct wf_executor_options *options, struct wf_executor **ret) {
	struct wf_executor *executor = NULL;
	int r = check_process(options);

	if (r < 0)
		return r;
	if (!options)
		return report_error(-EINVAL, "wf_executor_open: options is NULL");
	if (executor_in_callback())
		return report_error(-EDEADLK,
				    "an executor cannot be opened in a callback: it would wait");
	(void)pthread_once(&registry_once, registry_start);
	registry_renew();
	r = make(options, &executor);
	if (r >= 0 && executor) {
		registry_add(executor);
		r = start_image(executor);
	}
	if (r < 0 && executor) {
		char *why = strdup(report_text());

		(void)lifetime_close(executor, WF_CLOSE_KILL);
		executor->handles = 0;
		(void)executor_unref(executor);
		r = report_error(r, "%s", why ? why : "");
		free(why);
		return r;
	}
	if (r >= 0)
		*ret = executor;
	return r;
}

/* --- close
 * ---------------------------------------------------------------------------------------------- */

static bool is_closed(struct wf_executor *executor, const void *context) {
	(void)context;
	return executor->state == EXECUTOR_CLOSED;
}

static void begin_close(struct wf_executor *executor, enum wf_close how) {
	if (executor->state == EXECUTOR_CLOSED)
		return;
	if (executor->state != EXECUTOR_CLOSING || how > executor->close_how)
		executor->close_how = how;
	executor->state = EXECUTOR_CLOSING;
	if (executor->loading && how == WF_CLOSE_KILL)
		link_kill(executor->loading);
	executor_pump(executor);
	executor_ring(executor);
	must(pthread_cond_broadcast(&executor->changed) == 0);
}

/* A closed executor that somebody still holds must not hold descriptors. */
static void release_loop(struct wf_executor *executor) {
	executor_lock(executor);
	if (executor->loop) {
		timer_clear(&executor->idle_timer);
		timer_clear(&executor->leaving_timer);
		timer_clear(&executor->refill_timer);
		timer_clear(&executor->retry_timer);
		timer_clear(&executor->start.timer);
		timer_clear(&executor->launch.timer);
		source_remove(&executor->doorbell_source);
		executor->doorbell = fd_close(executor->doorbell);
		executor->loop = loop_free(executor->loop);
	}
	executor_unlock(executor);
}

/* By the first closer alone; the others wait until it is done, because the loop goes with it. */
static void release(struct wf_executor *executor) {
	bool join = executor->has_thread && !executor->thread_detached;

	executor->releasing = true;
	executor->has_thread = false;
	executor_ring(executor);
	while (executor->dispatching)
		(void)pthread_cond_wait(&executor->changed, &executor->lock);
	executor_unlock(executor);
	if (join)
		(void)pthread_join(executor->thread, NULL);
	executor_run_due(executor);
	registry_remove(executor);
	release_loop(executor);
	executor_lock(executor);
	executor->released = true;
	must(pthread_cond_broadcast(&executor->changed) == 0);
}

int lifetime_close(struct wf_executor *executor, enum wf_close how) {
	int r;

	if (executor_in_callback())
		return report_error(-EDEADLK,
				    "an executor cannot be closed in a callback: it would wait "
				    "for the callback to end");
	executor_lock(executor);
	begin_close(executor, how);
	if (executor->has_thread || executor->options.public.caller_driven) {
		r = executor_await(executor, is_closed, NULL, NSEC_NEVER);
	} else {
		/* it was never opened: nobody else drives it */
		r = 0;
		while (executor->state != EXECUTOR_CLOSED && executor->loop && r >= 0) {
			executor_unlock(executor);
			r = executor_step(executor, -1);
			executor_lock(executor);
		}
	}
	if (r >= 0 && !executor->releasing)
		release(executor);
	while (r >= 0 && !executor->released)
		(void)pthread_cond_wait(&executor->changed, &executor->lock);
	executor_unlock(executor);
	return r < 0 ? report_internal(r, "closing") : 0;
}

/* From a callback: nobody may wait. The thread goes on until all is closed and then drops the last
 * reference; a caller-driven executor has nobody left to drive it, so everything is killed. */
static void release_in_callback(struct wf_executor *executor) {
	bool detach;

	executor_lock(executor);
	begin_close(executor, WF_CLOSE_FINISH);
	if (executor->options.public.caller_driven && executor->keeper.running) {
		/* nobody may drive it any more: the keeper ends all, and then itself */
		executor->ending = true;
		keeper_link_quit(executor);
	}
	detach = executor->has_thread && !executor->thread_detached;
	executor->thread_detached = executor->thread_detached || detach;
	executor_unlock(executor);
	registry_remove(executor);
	if (detach)
		(void)pthread_detach(executor->thread);
	else
		(void)executor_unref(executor);
}

void lifetime_release(struct wf_executor *executor) {
	bool last;

	executor_lock(executor);
	last = --executor->handles == 0;
	executor_unlock(executor);
	if (!last) {
		(void)executor_unref(executor);
	} else if (executor_in_callback()) {
		release_in_callback(executor);
	} else {
		(void)lifetime_close(executor, WF_CLOSE_FINISH);
		(void)executor_unref(executor);
	}
}

void lifetime_destroy(struct wf_executor *executor) {
	payload_keep(false);
	while (!list_is_empty(&executor->zygotes))
		link_free(container_of(executor->zygotes.next, struct zygote, link));
	keeper_link_clear(executor);
	release_loop(executor);
	options_deinit(&executor->options);
	for (size_t i = 0; i < executor->n_functions; i++)
		free(executor->functions[i]);
	free(executor->functions);
	free(executor->slots);
	free(executor->start.text);
	free(executor->launch.text);
	free(executor->failed_text);
	free(executor->arena.memory);
	free(executor->receive_arena.memory);
	free(executor->frame);
	free(executor->receive_frame);
	(void)pthread_cond_destroy(&executor->changed);
	(void)pthread_mutex_destroy(&executor->lock);
	free(executor);
}

/* --- reload
 * -----------------------------------------------------------------------------------------------
 */

static bool nothing_loads(struct wf_executor *executor, const void *context) {
	(void)context;
	return !executor->loading || executor->state != EXECUTOR_OPEN;
}

static int reload_start(struct wf_executor *executor) {
	int r = 0;

	if (executor->state != EXECUTOR_OPEN)
		return report_error(-ESHUTDOWN, "the executor is closed");
	if (!executor->keeper.running)
		r = keeper_link_start(executor);
	if (r >= 0)
		r = link_start(executor);
	return r < 0 ? report_internal(r, "starting the zygote") : 0;
}

int lifetime_reload(struct wf_executor *executor) {
	struct file_identity file = options_file_now(&executor->options);
	uint64_t generation;
	int r;

	executor_lock(executor);
	/* one that is loading may have read the file before it changed */
	r = executor_await(executor, nothing_loads, NULL, NSEC_NEVER);
	if (r == -EDEADLK)
		r = report_error(r, "an executor cannot be reloaded in a callback: it would wait");
	if (r >= 0 && executor_in_callback())
		r = report_error(-EDEADLK,
				 "an executor cannot be reloaded in a callback: it would wait");
	if (r >= 0)
		r = reload_start(executor);
	if (r >= 0) {
		generation = executor->next_generation;
		r = executor_await(executor, image_settled, &generation, NSEC_NEVER);
		r = r < 0 ? report_internal(r, "waiting for the image")
			  : image_outcome(executor, generation);
		if (r >= 0)
			executor->options.file = file; /* as it was before it was loaded */
	}
	executor_unlock(executor);
	return r;
}
