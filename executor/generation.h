/* SPDX-License-Identifier: MIT
 *
 * A generation: one image that is or was loaded, the zygote that holds it, and the workers that
 * were forked from it.
 *
 *     LOADING    StartZygote, Hello and Load were sent
 *        |  \
 *        |   `-- ImageFailed, or its zygote ended --> freed
 *        v
 *     READY      ImageReady and the zygote's pidfd have come; it takes new workers
 *        |
 *        v
 *     DRAINING   another generation is the newest; its zygote ends after its last worker
 *        |
 *        v
 *     LOST       its zygote has ended, from READY or DRAINING; the remaining workers were adopted
 *        |       by the keeper, which reports for them
 *        v
 *     freed      after the last worker
 *
 * link.c (what its zygote says) and custody.c (what the keeper says about it) set facts here;
 * succession.c decides what follows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <warmfork/executor.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/process.h"
#include "executor/capture.h"
#include "executor/engine.h"
#include "proto/cell.h"
#include "proto/limits.h"
#include "proto/message.h"

struct keeper;
struct worker;

enum generation_state {
	GENERATION_LOADING,
	GENERATION_READY,
	GENERATION_DRAINING,
	GENERATION_LOST
};

#define GENERATION_PID_CHAINS 512

/* What its zygote has reported about the image. */
struct image_report {
	const char **functions; /* interned: names.h */
	size_t n_functions;
	bool has_initializer;
	uint64_t preload_ns, anonymous_bytes, file_bytes;
	unsigned mappings, descriptors, threads;
	char *audit; /* findings that were waived; NULL: none */
	struct image_freeze {
		bool frozen;
		char *note;
		uint64_t bytes, took_ns, unfrozen_bytes;
		unsigned mappings, holes;
		uint64_t fork_unfrozen_ns, fork_ns;
		uint64_t heap_bytes, stack_bytes, page_table_bytes;
		uint64_t freezes, dirtied;
	} freeze;
	char *layers;                    /* of the sandbox in force; NULL: no policy */
	char *memory_group, *pids_group; /* directories of control groups, one for each cell; "" */
};

/* Why it cannot be used. */
struct generation_failure {
	enum wf_phase phase;
	int error;  /* an errno; 0: see text */
	char *text; /* NULL: its zygote has not told */
};

struct generation {
	struct engine *engine;
	struct keeper *keeper;
	struct generations *generations; /* which it belongs to */
	struct list_node link;           /* generations::list */
	enum generation_state state;
	uint64_t number;
	struct image_report image;

	/* its zygote */
	pid_t pid;
	int pidfd;
	int control;
	struct source source;     /* the control socket */
	struct source end_source; /* the pidfd */
	pid_t init;               /* of its pid namespace; 0: none */
	int init_pidfd;
	int listener_fd; /* refusals of all its workers: listener.h; -1: none */
	struct source listener_source;
	struct capture output; /* of the preload */
	struct timer preload_timer, ping_timer, retry_timer, orphan_timer;
	bool blocked; /* its control socket is full */
	bool heard;   /* anything since the last ping */
	bool pinged;
	uint64_t n_requests;

	/* facts, for succession.c */
	bool welcome;         /* Welcome has come */
	bool image_ready;     /* ImageReady has come */
	bool preload_overdue; /* the preload has run out of time */
	bool output_late;     /* what it has written could not be read in time */
	bool not_started;     /* the keeper could not start it, or is gone: `failure` says why */
	bool exited;          /* the keeper has reported its end: `exit` */
	struct exit_status exit;
	bool end_seen; /* its pidfd has told that it ended, before the keeper did */
	bool orphaned; /* the keeper is lost: no reports will come */
	nsec_t ready_at;
	bool productive; /* a task has ended in one of its workers */
	struct generation_failure failure;

	/* its workers */
	struct list_node workers; /* worker::generation_link */
	size_t n_workers;
	struct cell *cells;  /* LIMIT_WORKERS pages, shared with them */
	uint64_t *oom_kills; /* of each cell's control group at the last look; NULL: no group */
	uint64_t cells_used[LIMIT_WORKERS / 64];
	unsigned cell_hint;
	struct worker *by_cell[LIMIT_WORKERS];        /* worker_find() */
	struct worker *by_pid[GENERATION_PID_CHAINS]; /* worker_find_process() */
};

/* All generations of an executor. */
struct generations {
	struct list_node list;
	struct generation *newest;  /* READY, takes new workers; NULL: none now */
	struct generation *loading; /* NULL: none now */
	uint64_t last;              /* the last number assigned */
	/* the number of the last that was ready, though it may be lost by now */
	uint64_t ready;
	uint64_t failed; /* the number of the last that could not be loaded, and why: */
	int failed_code; /* a public error */
	char *failed_text;
};

/* The first; the one after `generation`; NULL if there is none (also after NULL). */
struct generation *generations_first(const struct generations *generations);
struct generation *generations_after(const struct generations *generations,
				     const struct generation *generation);

/* Only the generation being visited may be freed. */
#define generations_foreach(cursor, all)                                                           \
	for (struct generation *cursor = generations_first(all),                                   \
			       *cursor##_next = generations_after((all), cursor);                  \
	     cursor; cursor = cursor##_next, cursor##_next = generations_after((all), cursor))

void generations_init(struct generations *generations);
void generations_deinit(struct generations *generations);
struct generation *generations_find(const struct generations *generations, uint64_t number);

/* Adds the next generation to the list: LOADING, with its cells mapped. The caller owns *ret_cells,
 * their memfd. Returns 0 or -errno. */
int generation_new(struct generations *generations, struct engine *engine, struct generation **ret,
		   int *ret_cells);
/* Its workers must have been freed. */
void generation_free(struct generations *generations, struct generation *generation);

/* Sends SIGKILL to its zygote. */
void generation_kill(struct generation *generation);
/* Stops listening to its zygote. */
void generation_close(struct generation *generation);

/* Keeps what ImageReady says. Returns 0 or -ENOMEM. */
int generation_take_image(struct generation *generation, const struct message_image_ready *ready);
/* Keeps the reason; the zygote ends by itself. */
void generation_take_failure(struct generation *generation,
			     const struct message_image_failed *failed);
/* Notes why it fails; the first reason counts. */
void generation_fail(struct generation *generation, enum wf_phase phase, int error,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Has all been read that the preload had written when this was first asked? It does not wait for
 * more than a second. */
bool generation_output_is_read(struct generation *generation);
/* Writes the sentence that says why it could not be loaded into generations->failed_text. */
void generation_report_failure(struct generations *generations, struct generation *generation);

/* Index of an interned function in this image, or -ENOENT. */
int generation_function(const struct generation *generation, const char *function);

/* Takes a zeroed cell for one worker. Returns 0 or -ENOSPC. */
int generation_cell_take(struct generation *generation, unsigned *ret);
void generation_cell_give(struct generation *generation, unsigned index);
struct cell *generation_cell(const struct generation *generation, unsigned index);
