/* SPDX-License-Identifier: MIT
 *
 * A worker as the host sees it: one process that takes tasks, its task channel, its cell.
 *
 *     ASKED      Spawn was sent                   UNWANTED   the same, but no longer wanted
 *        v       Spawned has come                    |
 *     STARTED    its initializer runs                |
 *        v       WorkerReady                         |
 *     READY      takes tasks                         |
 *        v       it was dismissed                    |
 *     RETIRING   takes no more; still has some       |
 *        v       the last one was answered           |
 *     LEAVING    has none, and is about to end  <----'     DETAINED  stopped, for a debugger
 *        v       its end was reported; this may come in any state
 *     ENDED      what it left behind is being ended
 *        v       Swept
 *     GONE       the pump frees it
 *
 * The state changes only in worker_step(), by a table. Everything else that is known about a worker
 * is a fact beside it. Any code that changes state or facts calls worker_changed(): the pump then
 * settles the worker (pool.h). Only the pump frees workers.
 *
 * claim.c handles its tasks, channel.c its socket, and stop.c ends it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <warmfork/executor.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/process.h"
#include "executor/engine.h"
#include "executor/future.h"
#include "executor/generation.h"
#include "proto/cell.h"

struct slot;

enum worker_state {
	WORKER_ASKED,
	WORKER_UNWANTED,
	WORKER_STARTED,
	WORKER_READY,
	WORKER_RETIRING,
	WORKER_LEAVING,
	WORKER_DETAINED,
	WORKER_ENDED,
	WORKER_GONE,
};
#define WORKER_STATES (WORKER_GONE + 1)

enum worker_event {
	/* from its zygote */
	WORKER_SPAWNED,
	WORKER_NOT_SPAWNED,
	/* from itself */
	WORKER_SAID_READY,
	WORKER_SAID_UNABLE, /* its initializer has failed */
	WORKER_SAID_LEAVING,
	/* from us */
	WORKER_DISMISSED,      /* it has no task */
	WORKER_DISMISSED_BUSY, /* it has a task */
	WORKER_EMPTIED,        /* it was dismissed, and its last task has gone */
	WORKER_LEFT_STOPPED,   /* for a debugger */
	/* from its zygote or the keeper */
	WORKER_EXITED,
	WORKER_SWEPT,
};
#define WORKER_EVENTS (WORKER_SWEPT + 1)

enum stop_stage { STOP_NONE, STOP_STACK, STOP_TERM, STOP_KILL };

/* Why a worker did not become ready. */
struct worker_fault {
	enum wf_phase phase; /* 0: no fault */
	int error;
	char *text; /* NULL: out of memory */
};

struct worker {
	struct engine *engine;
	struct generation *generation;
	struct list_node generation_link; /* generation::workers */
	struct worker *next_by_pid;       /* generation::by_pid */
	struct list_node changed_link;    /* engine::changed */
	enum worker_state state;
	uint64_t id;

	/* its process */
	pid_t pid; /* 0: not known yet */
	int pidfd;
	struct source end_source; /* the pidfd, once its zygote can no longer report its end */
	bool end_seen;            /* this has told that it ended, before the keeper did */
	bool kept;                /* the keeper has adopted it, as its zygote has ended */
	bool stopped;             /* by a signal */
	enum stop_stage stop;
	struct timer timer; /* for its start, the stop ladder, or a channel that it has closed */
	struct worker_fault fault;
	bool fault_told;    /* it has been counted as a failed start */
	bool start_watched; /* there is a clock on its initializer */
	bool silence_seen;  /* there is a clock since it closed its channel */

	/* its channel */
	int channel;
	struct source source;
	bool blocked;    /* it is full: EPOLLOUT is awaited */
	bool broken;     /* nothing can be sent to it */
	bool eof;        /* nothing comes from it */
	bool reset;      /* it ended with unread frames of ours */
	bool hurried;    /* its stream has been ended: it need not wait for that */
	int listener_fd; /* refusals of its own: listener.h; -1: none */
	struct source listener_source;

	/* its tasks: claim.h */
	unsigned cell_index;
	struct cell *cell;
	struct wf_future *assigned[CELL_CLAIMS]; /* NULL: taken back; Result SKIPPED will come */
	uint64_t first_sequence, next_sequence;
	uint64_t frame_sequence; /* the first task of the last frame sent */
	uint64_t tasks_done;
	nsec_t answered_at;              /* its last result */
	uint64_t memory_growth;          /* bytes, by its last task */
	uint64_t kills_before;           /* for memory, in our control group: evidence.h */
	struct wf_future *awaiting_exit; /* WF_TASK_WAIT_EXIT: its outcome is filled; a reference */

	/* its end: worker_ended() */
	bool status_known;
	struct exit_status status;
	bool swept;            /* what it left behind is gone too */
	bool end_was_expected; /* it had been told to end, or we ended it */
	bool ended_early;      /* before it was ready */

	/* its place: pool.h */
	struct slot *slot; /* NULL: it has given up its slot */
	unsigned slot_number;
	struct list_node idle_link, leaving_link, lingering_link, stopped_link;
	struct list_node load_link, ahead_link;
	unsigned load; /* the list that load_link is on */
	nsec_t idle_since, leaving_since;
	uint64_t tasks_settled;
	bool settled_end; /* its end has been dealt with */
};

/* Only the worker being visited may be freed. */
#define workers_foreach(cursor, generation)                                                        \
	list_foreach_safe (cursor##_link, cursor##_next, &(generation)->workers)                   \
		for (struct worker *cursor =                                                       \
			 container_of(cursor##_link, struct worker, generation_link);              \
		     cursor; cursor = NULL)

/* Returns the next state, or one of these. */
enum { WORKER_STAYS = -1, WORKER_BREACHES = -2 };
int worker_next(enum worker_state state, enum worker_event event);

/* Creates a worker that is ASKED and has a cell; channel_open() makes its channel. Returns 0 or
 * -errno (-ENOMEM, -ENOSPC: no cell). */
int worker_new(struct generation *generation, uint64_t number, unsigned slot_number,
	       struct worker **ret);
/* It must have left its slot and lists, and its tasks must have been dealt with. */
/* What a task has left in it, unread descriptors above all, may make that block: see offload.h. */
void worker_close_channel(struct worker *worker);
void worker_free(struct worker *worker);

/* By its id, and by its process; NULL if there is none. */
struct worker *worker_find(const struct generation *generation, uint64_t id);
struct worker *worker_find_process(const struct generation *generation, pid_t pid);

/* Takes the event through the table. Returns false if a peer said what it must not say now. */
bool worker_step(struct worker *worker, enum worker_event event);
/* Marks it as changed: the pump will settle it. */
void worker_changed(struct worker *worker);

/* Spawned has named its process; the worker owns the pidfd from now on (-1: there was none). */
void worker_take_process(struct worker *worker, pid_t pid, int pidfd_take);
/* A signal has stopped it, or has resumed it. */
void worker_set_stopped(struct worker *worker, bool stopped);
/* Notes a fault; the first one counts. `text` is copied. */
void worker_blame(struct worker *worker, enum wf_phase phase, int error, const char *text);

/* It has ended. `status` NULL: how is unknown. `swept`: what it left behind is gone too. */
void worker_ended(struct worker *worker, const struct exit_status *status, bool swept);
/* What it left behind is gone. Does nothing before worker_ended(). */
void worker_swept(struct worker *worker);
/* May it be given a task, as far as its own state is concerned? */
bool worker_takes_tasks(const struct worker *worker);
