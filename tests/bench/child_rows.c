/* SPDX-License-Identifier: MIT
 *
 * The child of the library's fork alone: no executor, no zygote, nobody to be woken. What they
 * would have prepared lies ready: a channel with one task in it, a cell in which that may be
 * claimed, a lifeline. The process is frozen, as a zygote with an image is.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "proto/cell.h"
#include "proto/message.h"
#include "raw.h"
#include "rows.h"
#include "zygote/crash.h"
#include "zygote/freeze.h"
#include "zygote/lifeline.h"
#include "zygote/worker.h"

#define CHILDREN 100
#define SPAWNS   20
#define IMAGE    (64 * MEASURE_MIB)

static int nothing(struct wf_call *call) {
	(void)call;
	return 0;
}

static const struct wf_module module = {
	.size = sizeof module,
	.functions = WF_FUNCTIONS({ "nothing", nothing }),
};

struct parent {
	struct image image;
	struct worker_start start;
	int lifeline[2];
	struct cell *cell;
	struct arena arena;
	char *static_true;
	uint8_t frame[LIMIT_FRAME];
	_Alignas(16) uint8_t memory[ARENA_MESSAGE];
};

struct child {
	double us;
	long faults;
};

/* --- the process that forks ---------------------------------------------------------------- */

static void open_cell(struct parent *parent) {
	int fd = fd_memfd("cells", CELL_SIZE);

	parent->cell =
	    mmap(NULL, CELL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (fd < 0 || parent->cell == MAP_FAILED)
		measure_die("no memory for a cell");
	parent->start.cells = fd;
}

static void freeze_this(void) {
	static char *image; /* it stays for the life of the process */
	struct freeze *freeze = freeze_new();

	image = malloc(IMAGE);
	if (!freeze || !image)
		measure_die("no memory for an image");
	memset(image, 0x5a, IMAGE);
	if (freeze_run(freeze) < 0 || freeze_settle(freeze) < 0)
		measure_die("%s", freeze_text(freeze));
}

static void *child_open(bool quick) {
	struct parent *parent =
	    mmap(NULL, sizeof *parent, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[200];

	(void)quick;
	if (parent == MAP_FAILED)
		measure_die("no memory");
	measure_pin(measure_cpu_main());
	(void)snprintf(parent->image.name, sizeof parent->image.name, "bench");
	if (image_set_module(&parent->image, &module, text, sizeof text) < 0)
		measure_die("%s", text);
	if (lifeline_new(&parent->lifeline[0], &parent->lifeline[1]) < 0)
		measure_die("no lifeline");
	arena_init(&parent->arena, parent->memory, sizeof parent->memory);
	parent->start.max_tasks = 1;
	parent->start.image = &parent->image;
	parent->static_true = strdup(measure_beside("static_true"));
	open_cell(parent);
	crash_prepare();
	crash_install();
	freeze_this();
	return parent;
}

static void child_close(void *state) {
	struct parent *parent = state;

	(void)munmap(parent->cell, CELL_SIZE);
	free(parent->static_true);
	(void)munmap(parent, sizeof *parent);
}

/* --- a child of each kind ------------------------------------------------------------------ */

/* Returns our end of the channel. */
static int prepare_task(struct parent *parent) {
	const struct message_task task = { .sequence = 0, .task_id = 1 };
	const struct message tasks = { .type = MESSAGE_TASKS, .tasks = { &task, 1 } };
	int pair[2];

	if (fd_seqpacket_pair(pair) < 0)
		measure_die("no channel");
	/* the end of the stream comes behind the task, as from an executor that needs the slot */
	if (message_send(pair[0], &tasks, &parent->arena, parent->frame, NULL, 0, 0) != 0 ||
	    shutdown(pair[0], SHUT_WR) < 0)
		measure_die("the task cannot be sent");
	atomic_store(&cell_claim(parent->cell, 0)->word, claim_word(0, CLAIM_QUEUED));
	parent->start.channel = pair[1];
	parent->start.lifeline = lifeline_reopen(parent->lifeline[0]);
	if (parent->start.lifeline < 0)
		measure_die("no lifeline");
	return pair[0];
}

static struct child reap(pid_t pid, uint64_t start) {
	struct rusage usage;
	struct child child;
	int status;

	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
		measure_die("a child has failed: %s", strerror(errno));
	child.us = measure_since(start);
	child.faults = usage.ru_minflt;
	return child;
}

/* Timed: fork(), a worker that sets itself up, says that it is ready, reads its task, runs it,
 * sends the result and exits; until it is reaped. */
static struct child run_worker(struct parent *parent) {
	int channel = prepare_task(parent);
	uint64_t start = measure_now();
	struct child child;
	pid_t pid = fork();

	if (pid == 0)
		worker_run(&parent->start);
	child = reap(pid, start);
	(void)close(parent->start.lifeline);
	(void)close(parent->start.channel);
	(void)close(channel);
	if (atomic_load(&cell_claim(parent->cell, 0)->word) != claim_word(0, CLAIM_STARTED))
		measure_die("the worker has not run its task");
	return child;
}

/* Timed: a clone that calls exit_group, nothing else, until it is reaped. */
static struct child run_raw(void) {
	uint64_t start = measure_now();
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		(void)syscall(SYS_exit_group, 0);
	return reap(pid, start);
}

/* Said when all is done: a worker flushes what it finds in stdout. */
static void child_overhead_round(void *state) {
	struct child worker[CHILDREN], raw[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		worker[i] = run_worker(state);
		raw[i] = run_raw();
	}
	for (int i = 0; i < CHILDREN; i++) {
		measure_emit("time.ours", worker[i].us);
		measure_emit("time.reference", raw[i].us);
		measure_emit("faults", (double)(worker[i].faults - raw[i].faults));
	}
}

const struct row child_overhead = {
	"child_overhead",
	child_open,
	child_overhead_round,
	child_close,
};

/* Ours is timed as in child_only. Timed in the reference: posix_spawn() and waitid(). */
static void spawn_static_round(void *state) {
	const struct parent *parent = state;
	double worker[SPAWNS], spawned[SPAWNS];

	for (int i = 0; i < SPAWNS; i++) {
		worker[i] = run_worker(state).us;
		spawned[i] = raw_spawn(parent->static_true);
	}
	for (int i = 0; i < SPAWNS; i++) {
		measure_emit("ours", worker[i]);
		measure_emit("reference", spawned[i]);
	}
}

const struct row spawn_static = {
	"spawn_static",
	child_open,
	spawn_static_round,
	child_close,
};
