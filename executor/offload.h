/* SPDX-License-Identifier: MIT
 *
 * Work that may block in the kernel for as long as somebody else wants: looking at the memory of a
 * task, or at a file system that has gone away, closing a socket that lingers. The threads of an
 * executor that do it hold no lock, and nobody waits for them: if a job has waited for a moment, one
 * more thread takes jobs, and ends when there have been none for a while. If there are as many as
 * there may be, the queue waits for one of them to come back.
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

struct job {
	struct list_node link; /* offload::jobs */
	/* What may block. Without the lock. */
	void (*run)(struct job *job);
	/* Frees the job, which nobody watches any more. Without the lock. */
	void (*done)(struct job *job);
	/* Under the lock, at most once: the job has not been done in time. NULL: that does no
	 * harm. */
	void (*late)(struct job *job);
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
	unsigned n_left;        /* that nobody waits for at the end */
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
/* Under the lock. */
void offload_add(struct offload *offload, struct job *job);
/* Under the lock: closes descriptors that a task has had its hands on, so that closing them may
 * block. Takes them over. */
void offload_close(struct offload *offload, const int *fds, size_t n);
/* Without the lock: does in this thread what is queued. */
void offload_run(struct offload *offload);
/* Without the lock: waits until the queue is done, but not for threads that are stuck. The loop may
 * go then. */
void offload_end(struct offload *offload);
/* Under the lock: the same without waiting. */
void offload_dismiss(struct offload *offload);
