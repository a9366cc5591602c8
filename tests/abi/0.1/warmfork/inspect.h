/* SPDX-License-Identifier: MIT
 *
 * warmfork/inspect.h: looks inside an executor: statistics, facts of the image, processes.
 *
 * Each call fills a struct of yours, whose size you must set; WF_STATISTICS() and its siblings do.
 * Errors, threads and ownership: see <warmfork/executor.h>.
 */
#ifndef WARMFORK_INSPECT_H
#define WARMFORK_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <warmfork/executor.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* --- statistics ---------------------------------------------------------------------------- */

struct wf_quantiles {
	uint64_t count, p50_ns, p90_ns, p99_ns, max_ns; /* within 7 % */
	uint64_t reserved[3];
};

struct wf_statistics {
	size_t size;
	unsigned workers;  /* slots */
	unsigned queued;   /* waiting tasks */
	unsigned handed;   /* tasks on a worker's channel that it has not taken */
	unsigned running;  /* running tasks */
	unsigned idle;     /* workers that have started and have no task (spares included) */
	unsigned spares;   /* fresh workers, parked */
	unsigned starting; /* workers that are being started */
	unsigned stopped;  /* workers that a signal has stopped */
	uint64_t submitted, resolved, retried, quarantined;
	uint64_t outcomes[32]; /* by enum wf_outcome_kind */
	uint64_t forks, fork_failures;
	uint64_t worker_deaths_idle, worker_deaths_exit, worker_deaths_signal; /* unrequested */
	uint64_t worker_recycled, worker_idle_timeouts;
	/* Processes that a zygote had to end after their worker's death, without those that a
	 * reused worker ended itself after a task. */
	uint64_t swept;
	uint64_t keeper_starts, zygote_starts, zygote_losses;
	uint64_t generation;
	struct wf_quantiles queued_time, handed_time, run_time, resolve_time;
	pid_t keeper_pid, zygote_pid; /* 0: none now */
	uint64_t freezes; /* how often an image was frozen: first freezes and later ones */
	/* Pages of the newest frozen image that its zygote has written to since; they make each
	 * fork slower. This is the zygote's last report, made every 256 forks and in answer to a
	 * liveness check. */
	uint64_t frozen_dirtied;
};

#define WF_STATISTICS() ((struct wf_statistics){ .size = sizeof(struct wf_statistics) })

/* Takes a snapshot. `statistics->size` must be set. Does not block. Errors: -EINVAL, -ECHILD.
 * Since 0.1. */
int wf_executor_statistics(struct wf_executor *executor, struct wf_statistics *statistics);

/* --- facts of the image -------------------------------------------------------------------- */

/* What the zygote reported about the newest image. */
struct wf_image_facts {
	size_t size;
	uint64_t generation;
	uint64_t preload_ns;
	uint64_t anonymous_bytes, file_bytes;
	unsigned mappings, descriptors, threads;
	unsigned n_functions;
	bool has_initializer;
	char *preload_output; /* the last 64 KiB that the preload wrote; never NULL */
	char *audit;          /* findings that were waived, one per line; never NULL */
	bool frozen;
	char *freeze_note; /* why the image, or parts of it, could not be frozen; never NULL */
	uint64_t frozen_bytes, freeze_ns;
	uint64_t unfrozen_bytes; /* private memory that every fork has to go through */
	unsigned frozen_mappings;
	unsigned frozen_holes; /* pages in these that fork(2) itself writes to */
	/* Time of a fork, exit and wait before the freeze (or without one), and now: the fastest of
	 * a few. */
	uint64_t fork_unfrozen_ns, fork_ns;
	char *functions; /* their names, one per line; never NULL */
	/* resident; page tables: before the freeze */
	uint64_t heap_bytes, stack_bytes, page_table_bytes;
};
#define WF_IMAGE_FACTS() ((struct wf_image_facts){ .size = sizeof(struct wf_image_facts) })

/* Fills `facts`, which must come from WF_IMAGE_FACTS() or from an earlier call. The struct owns its
 * strings: the next call frees and replaces them, wf_image_facts_clear() frees them for good (and
 * leaves the numbers). After an error `facts` is unchanged. Does not block. Errors: -EINVAL,
 * -EAGAIN (no image is ready now), -ENOMEM, -ECHILD. Since 0.1. */
int wf_executor_image(struct wf_executor *executor, struct wf_image_facts *facts);
void wf_image_facts_clear(struct wf_image_facts *facts);

/* --- processes ----------------------------------------------------------------------------- */

/* The process of a running task. */
struct wf_process {
	size_t size;
	pid_t pid;    /* also its process group, as this process sees it */
	bool stopped; /* by a signal */
};
#define WF_PROCESS() ((struct wf_process){ .size = sizeof(struct wf_process) })

/* Describes the process that runs the task now in `*process`, whose size must be set: WF_PROCESS().
 * Does not block. Errors: -EBUSY (it has not started), -EALREADY (it has ended), -EINVAL, -ECHILD.
 * Since 0.1. */
int wf_future_process(struct wf_future *future, struct wf_process *process);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
