/* SPDX-License-Identifier: MIT
 *
 * Work that may block in the kernel for as long as somebody else wants: looking at the memory of a
 * task, or at a file system that has gone away, closing a socket that lingers. The threads of an
 * executor that do it hold no lock, and nobody waits for them: if a job has waited for a moment,
 * one more thread takes jobs, and ends when there have been none for a while.
 *
 * Of what a task can have done as often as it likes, only so much is done at the same time: so many
 * jobs of a kind, and so many for one task. So whoever blocks its own jobs blocks no others. What
 * is more than that waits until one of its kind comes back.
 *
 * A thread starts with the first job. What is queued before offload_begin() is left to
 * offload_run(), in the thread that opens the executor.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"

struct engine;

enum job_kind {
	JOB_HOST,  /* the helper, control groups: nothing that a task could multiply */
	JOB_READ,  /* captured output, one job for each pipe */
	JOB_LOOK,  /* at what a call names */
	JOB_CLIMB, /* from the process that made a call up to its worker; never blocks */
	JOB_CLOSE, /* descriptors that others have had their hands on */
};
#define N_JOB_KINDS 5

struct job {
	struct list_node link; /* offload::jobs */
	enum job_kind kind;
	uint64_t owner; /* the task that it is done for; 0: not known, or it does not matter */
	/* What may block. Without the lock. */
	void (*run)(struct job *job);
	/* Frees the job, which nobody watches any more. Without the lock. */
	void (*done)(struct job *job);
	/* Under the lock, at most once: the job has not been done in time. If it has not even
	 * begun, it is not run any more. NULL: being late does no harm. */
	void (*late)(struct job *job, bool begun);
	nsec_t since; /* when it was queued */
};

struct hand; /* a thread */

struct offload {
	struct engine *engine;
	bool begun, ending;
	struct list_node jobs;  /* in their order */
	struct list_node hands; /* threads */
	struct list_node ended; /* those that have only to be joined */
	unsigned n_hands, n_idle;
	unsigned n_queued[N_JOB_KINDS], n_running[N_JOB_KINDS];
	pthread_cond_t changed; /* there is a job, or a thread has ended */
	struct timer watch;
};

/* Returns 0 or -errno. */
int offload_init(struct offload *offload, struct engine *engine);
void offload_deinit(struct offload *offload); /* no job may be left */

/* Under the lock: from now on, jobs are done by a thread. */
void offload_begin(struct offload *offload);
/* Under the lock: would a job that is added be done by a thread? */
static inline bool offload_is_on(const struct offload *offload) {
	return offload->begun && !offload->ending;
}
/* Under the lock: is it time to tell whose work a job of this kind is? */
bool offload_is_crowded(const struct offload *offload, enum job_kind kind);
/* Under the lock. */
void offload_add(struct offload *offload, struct job *job);
/* Under the lock: closes descriptors that a task has had its hands on, so that closing them may
 * block. Takes them over. */
void offload_close(struct offload *offload, const int *fds, size_t n);
/* Without the lock: does in this thread what is queued. */
void offload_run(struct offload *offload);
/* Without the lock: waits until the queue is done, but not for threads that are stuck, nor for what
 * waits for them. The loop may go then. */
void offload_end(struct offload *offload);
/* Under the lock: the same without waiting. */
void offload_dismiss(struct offload *offload);
