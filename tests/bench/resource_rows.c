/* SPDX-License-Identifier: MIT
 *
 * What a pool takes while it does nothing, and what a long queue takes.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool.h"
#include "proc.h"
#include "rows.h"

#define PARKED     200
#define FEW        8
#define PIDS_MAX   256
#define IDLE_MS    10000
#define IDLE_QUICK 3000
#define SETTLE_MS  1000

/* --- parked_memory ------------------------------------------------------------------------- */

struct parked {
	struct wf_executor *first, *few, *many;
	long executor_kib; /* what the executor grew by, from `few` to `many` */
};

/* Of this process. Shared pages too: the executor answers for the page that it shares with each
 * worker. */
static long own_kib(void) {
	pid_t pid = getpid();

	return proc_number(pid, "smaps_rollup", "Private_Dirty") +
	       proc_number(pid, "smaps_rollup", "Shared_Dirty") +
	       proc_number(pid, "status", "VmPTE");
}

static struct wf_executor *open_parked(int n, size_t bytes) {
	const struct image_request request = { .bytes = bytes };
	struct wf_executor *executor = pool_open_image(
	    WF_EXECUTOR_OPTIONS(.workers = n, .min_workers = n, .spares = WF_NO_SPARES,
				.max_tasks_per_worker = 1, .freeze = WF_FREEZE_ALWAYS),
	    &request);

	pool_await_quiet(executor, (unsigned)n);
	return executor;
}

/* The first pool of a process brings things that are there only once; between the second and the
 * third, only the number of workers differs. */
static void *parked_memory_open(bool quick) {
	struct parked *parked = measure_allocate(sizeof *parked);
	long before, with_few;

	(void)quick;
	parked->first = open_parked(FEW, MEASURE_MIB);
	before = own_kib();
	parked->few = open_parked(FEW, MEASURE_MIB);
	with_few = own_kib();
	parked->many = open_parked(PARKED, MEASURE_GIB);
	parked->executor_kib = (own_kib() - with_few) - (with_few - before);
	return parked;
}

/* Counted: pages that this worker alone has and that are not in a file, and its page tables. Not
 * counted: what it shares with zygote and siblings, and what the kernel keeps for any process. */
static void parked_memory_round(void *state) {
	const struct parked *parked = state;
	pid_t pids[PIDS_MAX];
	size_t n = proc_children(pool_statistics(parked->many).zygote_pid, pids, PIDS_MAX);
	long sum = 0;

	if (n != PARKED)
		measure_die("the zygote has %zu children, not %d", n, PARKED);
	for (size_t i = 0; i < n; i++)
		sum += proc_number(pids[i], "smaps_rollup", "Private_Dirty") +
		       proc_number(pids[i], "status", "VmPTE");
	measure_emit("worker", (double)sum / (double)n);
	measure_emit("executor", (double)parked->executor_kib / (PARKED - FEW));
}

static void parked_memory_close(void *state) {
	struct parked *parked = state;

	pool_close(parked->first);
	pool_close(parked->few);
	pool_close(parked->many);
	free(parked);
}

const struct row parked_memory = {
	"parked_memory",
	parked_memory_open,
	parked_memory_round,
	parked_memory_close,
};

/* --- queue_100k ---------------------------------------------------------------------------- */

#define LONG_QUEUE  100000
#define SHORT_QUEUE 1000
#define SUBMITS     2000
#define HOUR_MS     3600000
#define PRIORITIES  4

struct queue {
	struct wf_executor *executor;
	struct wf_future *holder;
	struct wf_future **futures;
	size_t n;
	int gate[2];
};

static void queue_grow(struct queue *queue, size_t n) {
	for (; queue->n < n; queue->n++) {
		const struct wf_task task =
		    WF_TASK(.function = "echo", .input = "x", .input_size = 1,
			    .priority = (int)(queue->n % PRIORITIES),
			    .deadline_ms =
				queue->n / PRIORITIES % 2 ? HOUR_MS + (int)(queue->n % 7919) : 0);

		queue->futures[queue->n] = pool_submit(queue->executor, &task);
	}
}

static void queue_shrink(struct queue *queue, size_t n) {
	while (queue->n > n) {
		struct wf_future *future = queue->futures[--queue->n];

		if (wf_future_cancel(future) < 0)
			measure_die("%s", wf_last_error());
		wf_future_free(future);
	}
}

static void *queue_100k_open(bool quick) {
	struct queue *queue = measure_allocate(sizeof *queue);
	const struct wf_context context =
	    WF_CONTEXT(.descriptors = &queue->gate[0], .n_descriptors = 1);
	const struct wf_task task = WF_TASK(.function = "hold", .context = &context);

	(void)quick;
	queue->futures = measure_allocate((LONG_QUEUE + SUBMITS) * sizeof *queue->futures);
	if (pipe2(queue->gate, O_CLOEXEC) < 0)
		measure_die("no pipe");
	queue->executor = pool_open(WF_EXECUTOR_OPTIONS(.workers = 1, .tuning.hand_ahead = 1));
	queue->holder = pool_submit(queue->executor, &task);
	while (pool_statistics(queue->executor).running == 0)
		measure_pause(1);
	queue_grow(queue, LONG_QUEUE);
	return queue;
}

/* Timed: wf_submit() alone, SUBMITS times, while `n` tasks wait and the only worker is busy.
 * Done twice, and the second counts: else the first to come would be those that find their
 * memory cold. */
static double submit_behind(struct queue *queue, size_t n) {
	double took = 0;

	queue_shrink(queue, n);
	queue_grow(queue, n);
	for (int i = 0; i < 2; i++) {
		uint64_t start = measure_now();

		queue_grow(queue, n + SUBMITS);
		took = measure_since(start);
		queue_shrink(queue, n);
	}
	return took / SUBMITS;
}

static void queue_100k_round(void *state) {
	struct queue *queue = state;

	measure_emit("ours", submit_behind(queue, LONG_QUEUE));
	measure_emit("reference", submit_behind(queue, SHORT_QUEUE));
}

static void queue_100k_close(void *state) {
	struct queue *queue = state;

	queue_shrink(queue, 0);
	(void)close(queue->gate[1]);
	pool_finish(queue->holder, WF_RETURNED);
	pool_close(queue->executor);
	(void)close(queue->gate[0]);
	free(queue->futures);
	free(queue);
}

const struct row queue_100k = {
	"queue_100k",
	queue_100k_open,
	queue_100k_round,
	queue_100k_close,
};

/* --- idle_wakeups -------------------------------------------------------------------------- */

#define IDLE_WORKERS 4

struct idle {
	struct wf_executor *executor;
	int ms;
};

static void *idle_wakeups_open(bool quick) {
	struct idle *idle = measure_allocate(sizeof *idle);

	idle->ms = quick ? IDLE_QUICK : IDLE_MS;
	idle->executor =
	    pool_open(WF_EXECUTOR_OPTIONS(.workers = IDLE_WORKERS, .min_workers = IDLE_WORKERS));
	pool_await_idle(idle->executor, IDLE_WORKERS);
	for (int i = 0; i < 100; i++)
		pool_trip(idle->executor);
	measure_pause(SETTLE_MS);
	return idle;
}

static long switches_of(pid_t process, pid_t thread) {
	char file[64];

	(void)snprintf(file, sizeof file, "task/%d/status", thread);
	return proc_number(process, file, "voluntary_ctxt_switches");
}

/* Of all threads of this process but the one that measures. */
static long own_switches(void) {
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	long sum = 0;

	while (tasks && (entry = readdir(tasks)) != NULL) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);

		if (isdigit((unsigned char)entry->d_name[0]) && thread != getpid())
			sum += switches_of(getpid(), thread);
	}
	if (tasks)
		(void)closedir(tasks);
	return sum;
}

/* Each voluntary switch is a process that went to sleep again, so it had been woken. */
static void idle_wakeups_round(void *state) {
	const struct idle *idle = state;
	const struct wf_statistics statistics = pool_statistics(idle->executor);
	pid_t pids[PIDS_MAX] = { statistics.keeper_pid, statistics.zygote_pid };
	size_t n = 2 + proc_children(statistics.zygote_pid, pids + 2, PIDS_MAX - 2);
	long before[PIDS_MAX], own = own_switches(), sum = 0;

	if (n != 2 + IDLE_WORKERS)
		measure_die("the zygote has %zu children, not %d", n - 2, IDLE_WORKERS);
	for (size_t i = 0; i < n; i++)
		before[i] = switches_of(pids[i], pids[i]);
	measure_pause(idle->ms);
	for (size_t i = 0; i < n; i++)
		sum += switches_of(pids[i], pids[i]) - before[i];
	measure_emit("ours", (double)(sum + own_switches() - own));
}

static void idle_wakeups_close(void *state) {
	struct idle *idle = state;

	pool_close(idle->executor);
	free(idle);
}

const struct row idle_wakeups = {
	"idle_wakeups",
	idle_wakeups_open,
	idle_wakeups_round,
	idle_wakeups_close,
};
