/* SPDX-License-Identifier: MIT
 *
 * The life of a worker.
 *
 *     fork -> enter -> after_fork -> initialize -> WorkerReady -> serve -> exit
 *                                                             |       ^
 *                                                             v       |
 *                                     claim -> context -> function -> Result -> restore
 *
 * It leaves by itself when its channel ends, when it has run max_tasks tasks, and when a task left
 * something that cannot be put back (Leaving). A result is sent before the restoring, so that
 * nobody waits for that; the next task is claimed after it.
 *
 * A skipped task does not count, because none of it was run.
 */
#include "zygote/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/uninitialized.h"
#include "proto/cell.h"
#include "proto/message.h"
#include "proto/wire.h"
#include "sandbox/enter.h"
#include "zygote/aside.h"
#include "zygote/call.h"
#include "zygote/command.h"
#include "zygote/context.h"
#include "zygote/crash.h"
#include "zygote/facts.h"
#include "zygote/lifeline.h"
#include "zygote/restore.h"
#include "zygote/tripwire.h"

#define WORKER_ENTROPY 32
#define SYS_MSEAL      462 /* Linux 6.10 */
/* The user's limit of descriptors in flight is reached; they land when their receivers read. */
#define WORKER_RETRY_NS (NSEC_PER_MSEC)
/* A shorter task is not worth two calls to the kernel. */
#define WORKER_SHORT_NS ((uint64_t)50000)
/* After a longer one, this many tasks are measured from their start. */
#define WORKER_MEASURED  16
#define WORKER_LINGER_MS 2
/* The number of functions of an image whose first page of code is fetched ahead. */
#define WORKER_REHEARSED 8

/* Mapped by the worker itself, so that the zygote has none of its pages. */
struct worker_process {
	const struct image *image;
	uint64_t worker_id;
	uint32_t slot, max_tasks;
	int channel, lifeline;
	int listener; /* of the worker's own filter, until the executor has it; else -1 */
	int statm;    /* -1 if memory is not measured */
	pid_t pid;
	uint64_t n_tasks;
	dev_t channel_device;
	ino_t channel_inode;
	nsec_t claimed_at; /* of the running task; also its start, if there was nothing to set up */
	bool touched;      /* kernel state may have to be put back after the task */
	unsigned n_measured; /* tasks whose CPU time is taken at their start too */
	uint64_t peak_rss, cpu_last, children_cpu; /* as of the last look */
	uint64_t private_at_start;
	struct cell *cell;
	struct wf_worker_info info;
	uint8_t entropy[WORKER_ENTROPY];
	struct restore restore;
	struct arena in, out;
	struct call_memory call_memory;
	/* Only a reused worker has a separate buffer for output, because it may hold other tasks
	 * meanwhile. In a fresh one each page that it touches costs a fault. */
	uint8_t *out_frame;
	uint8_t in_frame[LIMIT_FRAME];
	_Alignas(16) uint8_t in_memory[ARENA_MESSAGE];
	uint8_t out_frame_memory[LIMIT_FRAME];
	_Alignas(16) uint8_t out_memory[ARENA_MESSAGE];
};

/* The only way out, except for a task that calls exit(3) or is killed. If a task left a thread,
 * that may hold the lock of a stream for ever, so nothing is flushed; stdout and stderr were
 * flushed after the task. */
static _Noreturn void worker_exit(int code) {
	if (!facts_threads_run())
		(void)fflush(NULL);
	leave(code);
}

/* A task has closed, shut down or replaced our channel, so its outcome cannot be reported. The cell
 * says so, because the exit code alone might be the task's. */
static _Noreturn void worker_lost(const struct worker_process *worker) {
	if (worker->cell)
		atomic_store(&worker->cell->lost_channel, 1);
	worker_exit(1);
}

/* An empty buffer is only looked at, so that no page is written to. */
static void streams_flush(void) {
	if (stdout && __fpending(stdout) > 0)
		(void)fflush(stdout);
	if (stderr && __fpending(stderr) > 0)
		(void)fflush(stderr);
}

/* Tells whether the channel is still where it was. A task may have closed it and got its number for
 * another file, or put something in its place. A task that made no system call has done neither. */
static bool channel_is_there(const struct worker_process *worker) {
	struct stat status;

	if (worker->n_tasks > 0 && !worker->touched)
		return true;
	return fstat(worker->channel, &status) == 0 && status.st_dev == worker->channel_device &&
	       status.st_ino == worker->channel_inode;
}

static void worker_send(struct worker_process *worker, const struct message *message, int fd) {
	const struct timespec retry = { .tv_nsec = (long)WORKER_RETRY_NS };
	int r;

	if (!channel_is_there(worker))
		worker_lost(worker);
	for (;;) {
		r = message_send(worker->channel, message, &worker->out, worker->out_frame, &fd,
				 fd >= 0 ? 1 : 0, 0);
		if (r != WIRE_E_AGAIN && r != WIRE_E_CROWDED)
			break;
		(void)nanosleep(&retry, NULL);
	}
	if (r == 0)
		return;
	/* a task has shut it down, or the executor has closed it and expects nothing more */
	worker_lost(worker);
}

static void worker_say_ready(struct worker_process *worker, int error, const char *text) {
	const struct message ready = {
		.type = MESSAGE_WORKER_READY,
		.worker_ready = { worker->worker_id, error, text },
	};

	worker_send(worker, &ready, worker->listener);
	worker->listener = fd_close(worker->listener);
}

static _Noreturn void worker_leave(struct worker_process *worker, const char *text) {
	const struct message leaving = { .type = MESSAGE_LEAVING, .leaving = { text } };

	worker_send(worker, &leaving, -1);
	worker_exit(0);
}

/* --- entering ------------------------------------------------------------------------------ */

static void worker_know_channel(struct worker_process *worker) {
	struct stat status;

	if (fstat(worker->channel, &status) < 0)
		leave(1);
	worker->channel_device = status.st_dev;
	worker->channel_inode = status.st_ino;
}

static struct worker_process *worker_new(const struct worker_start *start) {
	struct worker_process *worker =
	    mmap(NULL, sizeof *worker, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (worker == MAP_FAILED)
		leave(1);
	worker->image = start->image;
	worker->worker_id = start->worker_id;
	worker->slot = start->slot;
	worker->max_tasks = start->max_tasks;
	worker->channel = start->channel;
	worker->lifeline = start->lifeline;
	worker_know_channel(worker);
	worker->statm = worker->listener = -1;
	worker->pid = getpid();
	worker->n_measured = 1; /* a fresh worker's only task */
	arena_init(&worker->in, worker->in_memory, sizeof worker->in_memory);
	worker->out_frame = start->max_tasks == 1 ? worker->in_frame : worker->out_frame_memory;
	arena_init(&worker->out, start->max_tasks == 1 ? worker->in_memory : worker->out_memory,
		   ARENA_MESSAGE);
	return worker;
}

/* A group of its own, so that a task that signals its group does not hit the zygote and its
 * siblings. The lifeline kills the group, which reaches what the task forked as well. */
static int enter_group(struct worker_process *worker) {
	int r = 0;

	if (setpgid(0, 0) < 0)
		return error_origin(-errno);
	if (worker->lifeline >= 0)
		r = lifeline_arm(worker->lifeline, -worker->pid);
	if (r == -EPIPE)
		leave(1);
	if (r < 0)
		return error_trace(r);
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? error_origin(-errno) : 0;
}

/* All cells of a generation are pages of one file. mremap(2) would let a task have those behind its
 * own. */
static void seal_cell(void *cell) {
	if (!feature_hidden(FEATURE_MSEAL))
		(void)syscall(SYS_MSEAL, cell, CELL_SIZE, 0);
}

static int enter_cell(struct worker_process *worker, const struct worker_start *start) {
	void *cell = mmap(NULL, CELL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, start->cells,
			  (off_t)(start->cell * CELL_SIZE));

	if (cell == MAP_FAILED)
		return error_origin(-errno);
	seal_cell(cell);
	worker->cell = cell;
	crash_enter(cell);
	return 0;
}

static int enter_descriptors(struct worker_process *worker) {
	const struct image *image = worker->image;
	int keep[IMAGE_DESCRIPTORS + 6], channel, lifeline;
	size_t n = 0;

	channel = aside_duplicate(worker->channel);
	if (channel < 0)
		return error_trace(channel);
	worker->channel = channel;
	lifeline = worker->lifeline < 0 ? -1 : aside_duplicate(worker->lifeline);
	if (worker->lifeline >= 0 && lifeline < 0)
		return error_trace(lifeline);
	worker->lifeline = lifeline;
	/* the descriptors that the audit let pass are not for workers under a policy */
	if (!(image->sandbox.layers & LAYER_DESCRIPTORS))
		n = image->n_descriptors;
	memcpy(keep, image->descriptors, n * sizeof keep[0]);
	keep[n++] = channel;
	keep[n++] = lifeline;
	keep[n++] = image->sandbox.on ? image->sandbox.ruleset : -1;
	keep[n++] = image->sandbox.on ? image->sandbox.null_device : -1;
	if (worker->restore.opened) {
		keep[n++] = worker->restore.status;
		keep[n++] = worker->restore.timers;
	}
	return error_trace(fd_close_others(keep, n));
}

/* Opens what the worker itself reads later, in the view and before the sandbox is closed. */
static void enter_open(struct worker_process *worker) {
	if (worker->max_tasks != 1 && worker->image->sandbox.on)
		restore_open_view(&worker->restore);
	if (worker->image->measure_memory)
		worker->statm = aside_consume(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
}

/* The executor must have the listener before any code of the image runs whose calls it may have to
 * answer; otherwise the listener comes with WorkerReady. */
static int enter_sandbox(struct worker_process *worker, struct sandbox_entry *entry) {
	const struct sandbox *sandbox = &worker->image->sandbox;
	const struct wf_module *module = &worker->image->module;
	const struct message listener = { .type = MESSAGE_LISTENER };
	int r;

	if (!sandbox->on)
		return 0;
	r = sandbox_enter_rest(sandbox, entry);
	(void)fd_close(sandbox->ruleset);
	worker->listener = entry->listener;
	if (r == 0 && entry->listener >= 0 && (module->after_fork || module->initialize)) {
		worker_send(worker, &listener, entry->listener);
		worker->listener = fd_close(entry->listener);
	}
	return error_trace(r);
}

/* A CPU that has gone offline meanwhile is no reason to fail. */
static void enter_cpu(uint32_t cpu) {
	cpu_set_t cpus;

	if (cpu == 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET(cpu - 1, &cpus);
	(void)sched_setaffinity(0, sizeof cpus, &cpus);
}

static void enter_entropy(struct worker_process *worker) {
	unsigned seed;
	long seed48;

	if (getrandom(worker->entropy, sizeof worker->entropy, 0) != WORKER_ENTROPY)
		leave(1);
	memcpy(&seed, worker->entropy, sizeof seed);
	memcpy(&seed48, worker->entropy + sizeof seed, sizeof seed48);
	srandom(seed);
	srand48(seed48);
	worker->info = (struct wf_worker_info){
		.size = sizeof worker->info,
		.slot = (int)worker->slot,
		.worker_id = worker->worker_id,
		.generation = worker->image->generation,
		.entropy = worker->entropy,
		.entropy_size = sizeof worker->entropy,
	};
}

static _Noreturn void enter_failed(struct worker_process *worker, int r,
				   const struct sandbox_entry *entry) {
	char text[128];

	if (entry->unproven)
		(void)snprintf(text, sizeof text, SANDBOX_UNPROVEN, entry->step);
	else
		(void)snprintf(text, sizeof text, "the worker's %s cannot be set up: %s",
			       entry->step, strerrordesc_np(-r));
	worker_say_ready(worker, -r, text);
	worker_exit(0);
}

/* The signal mask is emptied last: until then no signal sent to this process can act. */
static void worker_enter(struct worker_process *worker, const struct worker_start *start) {
	struct sandbox_entry entry = { .step = "process group" };
	int r = enter_group(worker);

	if (r == 0) {
		entry.step = "cell";
		r = enter_cell(worker, start);
	}
	if (worker->max_tasks != 1 && worker->image->sandbox.on)
		restore_open(&worker->restore);
	if (r == 0 && worker->image->sandbox.on)
		r = sandbox_enter_view(&worker->image->sandbox, &start->group, &entry);
	if (r == 0) {
		entry.step = "descriptors";
		r = enter_descriptors(worker);
	}
	if (r == 0) {
		enter_open(worker);
		r = enter_sandbox(worker, &entry);
	}
	if (r < 0)
		enter_failed(worker, r, &entry);
	process_title_numbered("warmfork: worker ", worker->slot, worker->image->title_end);
	enter_cpu(start->cpu);
	enter_entropy(worker);
	(void)sigprocmask(SIG_SETMASK, &worker->image->mask, NULL);
}

/* --- memory -------------------------------------------------------------------------------- */

/* Counts resident memory that is not shared with a file. Pages of the image that are shared by fork
 * count too, so the growth is reported and not the sum. */
static uint64_t private_bytes(const struct worker_process *worker) {
	unsigned long size, resident, shared;
	char text[128];
	ssize_t n = pread(worker->statm, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3 || resident < shared)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t memory_growth(const struct worker_process *worker) {
	uint64_t now = worker->statm < 0 ? 0 : private_bytes(worker);

	return now > worker->private_at_start ? now - worker->private_at_start : 0;
}

/* --- one task ------------------------------------------------------------------------------ */

struct input {
	void *map; /* NULL if the input is in the frame */
	size_t size;
};

static void input_unmap(struct input *input) {
	if (input->map)
		(void)munmap(input->map, input->size);
}

static int input_map(const struct message_task *task, int fd, struct input *ret) {
	struct stat status;
	void *map;

	if (task->payload_size == 0)
		return 0;
	if (fstat(fd, &status) < 0)
		return error_origin(-errno);
	if ((uint64_t)status.st_size < task->payload_size)
		return error_origin(-EINVAL);
	/* mapping all at once costs half as much as a fault for every 64 KiB */
	map = memory_map(fd, task->payload_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, 0);
	if (map == MAP_FAILED)
		return error_origin(-errno);
	ret->map = map;
	ret->size = task->payload_size;
	return 0;
}

static uint64_t cpu_now(void) {
	struct timespec time = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

/* `who` is as for getrusage(2); children count once they have been waited for. */
static struct exit_status usage_of(int who) {
	struct exit_status status = { 0 };
	struct rusage usage = { 0 };

	(void)getrusage(who, &usage);
	exit_status_from_rusage(&status, &usage);
	return status;
}

/* A child of the task that returns from its function instead of calling _exit(2) ends here: it is
 * not the worker, and must not answer for it. */
static void worker_still_me(const struct worker_process *worker, int code) {
	if (getpid() != worker->pid)
		worker_exit(code != 0);
}

/* For a task that was not measured from its start: at most what the process has used since the
 * last look. */
static uint64_t cpu_since(const struct worker_process *worker, uint64_t run_ns) {
	uint64_t used = cpu_now() - worker->cpu_last;

	return used < run_ns ? used : run_ns;
}

/* Asking the kernel costs more than a short task. A task that made no system call has not
 * waited for anything: its CPU time is what the clock says, and it cannot have grown by much in
 * that time. */
static void usage_take(struct worker_process *worker, uint64_t cpu_before,
		       const struct tripwire_report *wire, nsec_t before,
		       struct message_result *result) {
	uint64_t children;

	if (wire->clean && result->run_ns < WORKER_SHORT_NS) {
		worker->n_measured -= worker->n_measured > 0;
		result->cpu_ns = result->run_ns;
		result->peak_rss = worker->peak_rss;
		return;
	}
	if (cpu_before > 0)
		result->cpu_ns = cpu_now() - cpu_before;
	else if (wire->tripped)
		result->cpu_ns = wire->at - before + cpu_now() - wire->cpu_ns;
	else
		result->cpu_ns = cpu_since(worker, result->run_ns);
	worker->cpu_last = cpu_now();
	children = usage_of(RUSAGE_CHILDREN).cpu_ns;
	result->cpu_ns += children - worker->children_cpu;
	worker->children_cpu = children;
	result->peak_rss = worker->peak_rss = usage_of(RUSAGE_SELF).peak_rss;
	worker->n_measured = WORKER_MEASURED;
}

static void task_run(struct worker_process *worker, const struct message_task *task,
		     struct wf_call *call, struct message_result *result) {
	wf_function function = worker->image->module.functions[task->function].function;
	uint64_t cpu_before = worker->n_measured > 0 ? cpu_now() : 0;
	nsec_t before = worker->touched ? clock_now() : worker->claimed_at;
	struct tripwire_report wire;
	int code;

	tripwire_arm();
	code = function(call);
	wire = tripwire_disarm();
	worker->touched |= !wire.clean;
	if (!wire.clean)
		worker_still_me(worker, code);
	streams_flush();
	result->run_ns = clock_now() - before;
	usage_take(worker, cpu_before, &wire, before, result);
	result->memory_growth = memory_growth(worker);
	result->code = code;
	result->kind = code == 0 ? RESULT_RETURNED : RESULT_FAILED;
	if (code != 0)
		result->text = call->has_message ? call->memory->message : "";
}

/* A failure without its bytes is still that failure; a result without them is none. */
static void result_lost(struct wf_call *call, struct message_result *result, int error) {
	static const char lost[] = "its result could not be sealed: no memory or descriptors";
	char *message = call->memory->message;
	size_t length = strlen(result->text);

	if (result->kind == RESULT_RETURNED) {
		result->kind = RESULT_FAILED;
		result->code = error;
		result->text = lost;
		return;
	}
	if (!call->has_message)
		message[0] = '\0';
	(void)snprintf(message + length, LIMIT_TEXT - length, "%s%s", length ? "; " : "", lost);
	result->text = message;
}

static void result_take(struct wf_call *call, struct message_result *result) {
	int r = call_seal(call, result->kind == RESULT_FAILED);

	if (r < 0) {
		result_lost(call, result, -r);
		return;
	}
	result->payload_size = call->result_size;
	result->payload_in_memfd = call->result == CALL_MEMFD;
	if (call->result == CALL_INLINE)
		result->payload = (struct bytes){ call->memory->result, call->result_size };
}

/* Where a task's descriptors lie in its frame. */
struct task_descriptors {
	int payload; /* -1 if there is none */
	int *streams, *extra;
	size_t n_extra;
};

static bool task_descriptors(const struct message_task *task, struct wire_frame *frame,
			     struct task_descriptors *ret) {
	const struct message_context *context = task->context;
	size_t n_payload = task->payload_in_memfd, n_streams = 0;

	ret->n_extra = 0;
	if (context) {
		n_streams = context_streams(context);
		ret->n_extra = context->n_descriptors;
	}
	ret->payload = n_payload > 0 && frame->n_descriptors > 0 ? frame->descriptors[0] : -1;
	ret->streams = frame->descriptors + n_payload;
	ret->extra = ret->streams + n_streams;
	return n_payload + n_streams + ret->n_extra == frame->n_descriptors;
}

static void task_call_init(struct worker_process *worker, const struct message_task *task,
			   const struct task_descriptors *descriptors, struct wf_call *ret) {
	call_init(ret, &worker->call_memory);
	ret->slot = (int)worker->slot;
	ret->task_number = worker->n_tasks;
	ret->task_id = task->task_id;
	ret->descriptors = descriptors->extra;
	ret->n_descriptors = descriptors->n_extra;
	ret->input_size = task->payload_size;
	if (task->payload.size > 0)
		ret->input = task->payload.data;
}

static int task_set_up(struct worker_process *worker, const struct message_task *task,
		       struct task_descriptors *descriptors, struct input *input,
		       struct context_failure *failure) {
	const struct sandbox *sandbox = &worker->image->sandbox;
	int r = task->payload_in_memfd ? input_map(task, descriptors->payload, input) : 0;

	if (r < 0) {
		failure->error = -r;
		(void)snprintf(failure->text, sizeof failure->text,
			       "its input cannot be mapped: %s", strerrordesc_np(-r));
		return error_trace(r);
	}
	if (!task->context)
		return 0;
	worker->touched = true;
	return error_trace(context_apply(task->context, descriptors->streams,
					 sandbox->on ? sandbox->null_device : -1, &worker->in,
					 failure));
}

/* Returns only if the program cannot be executed. */
static void task_execute(struct worker_process *worker, const struct message_task *task,
			 struct task_descriptors *descriptors, struct message_result *result,
			 struct context_failure *failure) {
	struct input input = { NULL, 0 };
	int r = task_set_up(worker, task, descriptors, &input, failure);

	result->kind = RESULT_NOT_SET_UP;
	if (r == 0) {
		result->kind = RESULT_NOT_EXECUTED;
		command_execute(input.map ? input.map : task->payload.data, task->payload_size,
				descriptors->extra, descriptors->n_extra, worker->cell, failure);
	}
	result->code = failure->error;
	result->text = failure->text;
	input_unmap(&input);
}

static void task_perform(struct worker_process *worker, const struct message_task *task,
			 struct wire_frame *frame, struct task_descriptors *descriptors) {
	struct message_result result = { .sequence = task->sequence, .text = "" };
	struct context_failure failure uninitialized;
	struct input input = { NULL, 0 };
	struct wf_call call;

	task_call_init(worker, task, descriptors, &call);
	if (worker->image->kind == IMAGE_COMMAND) {
		task_execute(worker, task, descriptors, &result, &failure);
	} else if (task_set_up(worker, task, descriptors, &input, &failure) < 0) {
		result.kind = RESULT_NOT_SET_UP;
		result.code = failure.error;
		result.text = failure.text;
	} else {
		if (input.map)
			call.input = input.map;
		task_run(worker, task, &call, &result);
		result_take(&call, &result);
	}
	wire_frame_close(frame);
	worker_send(worker, &(struct message){ .type = MESSAGE_RESULT, .result = result },
		    result.payload_in_memfd ? call.result_fd : -1);
	input_unmap(&input);
	call_deinit(&call);
}

/* Swapping QUEUED to STARTED decides: until then the task may be cancelled or handed to another
 * worker; after that it is ours. */
static bool task_claim(struct worker_process *worker, const struct message_task *task) {
	struct cell_claim *claim = cell_claim(worker->cell, task->sequence);

	worker->claimed_at = clock_now();
	atomic_store(&claim->started_ns, worker->claimed_at);
	return claim_swap(claim, task->sequence, CLAIM_STARTED);
}

/* Answers a task that is not run. */
static void task_answer(struct worker_process *worker, struct wire_frame *frame,
			const struct message_result *result) {
	wire_frame_close(frame);
	worker_send(worker, &(struct message){ .type = MESSAGE_RESULT, .result = *result }, -1);
}

/* Exiting takes longer than most tasks, and on the same CPU would come before the process that
 * waits for the result. The executor ends the stream if it needs the slot sooner. */
static void worker_linger(const struct worker_process *worker) {
	struct pollfd channel = { .fd = worker->channel, .events = POLLIN };

	(void)poll(&channel, 1, WORKER_LINGER_MS);
}

static void worker_check_age(const struct worker_process *worker) {
	if (worker->max_tasks == 0 || worker->n_tasks < worker->max_tasks)
		return;
	if (worker->max_tasks == 1) {
		worker_linger(worker);
		touch_tell(&worker->image->touch, worker->cell);
	}
	worker_exit(0);
}

static void task_refuse(struct worker_process *worker, const struct message_task *task,
			struct wire_frame *frame, int error, const char *text) {
	task_answer(worker, frame,
		    &(struct message_result){ .sequence = task->sequence,
					      .kind = RESULT_NOT_SET_UP,
					      .code = error,
					      .text = text });
	worker_check_age(worker);
}

static void worker_after_task(struct worker_process *worker) {
	const char *reason;

	worker_check_age(worker);
	reason =
	    worker->touched ? restore_apply(&worker->restore) : restore_memory(&worker->restore);
	worker->touched = false;
	if (reason)
		worker_leave(worker, reason);
}

static void worker_do_task(struct worker_process *worker, const struct message_task *task,
			   bool claimed, struct wire_frame *frame) {
	struct task_descriptors descriptors;

	if (!claimed) {
		task_answer(
		    worker, frame,
		    &(struct message_result){ .sequence = task->sequence, .kind = RESULT_SKIPPED });
		return;
	}
	worker->n_tasks++;
	if (task->function >= worker->image->n_functions) {
		task_refuse(worker, task, frame, ENOSYS,
			    "its function is not in the table of the image");
		return;
	}
	if (!task_descriptors(task, frame, &descriptors)) {
		task_refuse(worker, task, frame, EPROTO,
			    "it came with a wrong number of descriptors");
		return;
	}
	task_perform(worker, task, frame, &descriptors);
	worker_after_task(worker);
}

/* --- serving ------------------------------------------------------------------------------- */

static void worker_dispatch(struct worker_process *worker, struct wire_frame *frame) {
	struct message message uninitialized;

	arena_reset(&worker->in);
	if (frame->type != MESSAGE_TASKS ||
	    message_unpack(frame->type, frame->body, frame->size, &worker->in, &message) != 0)
		worker_exit(1);
	/* the message lies where a fresh worker packs its answer */
	if (worker->max_tasks == 1 && message.tasks.n_tasks != 1)
		worker_exit(1);
	/* A frame is claimed before it is taken out of the socket. So the first task of a
	 * frame that has been read has started, and the executor can tell that without
	 * trusting the cell. */
	for (size_t i = 0; i < message.tasks.n_tasks; i++) {
		bool claimed = task_claim(worker, &message.tasks.tasks[i]);

		if (i == 0)
			wire_discard(worker->channel);
		worker_do_task(worker, &message.tasks.tasks[i], claimed, frame);
	}
}

/* Nothing waits for this: it touches the pages that the first task will need, so that the task does
 * not wait for them. */
static void worker_rehearse(struct worker_process *worker) {
	const struct message_task task = { .payload = { (const uint8_t *)"", 1 } };
	const struct message tasks = { .type = MESSAGE_TASKS, .tasks = { &task, 1 } };
	const struct message result = { .type = MESSAGE_RESULT, .result = { .text = "" } };
	const struct image *image = worker->image;
	struct message message;
	size_t size = 0;

	arena_reset(&worker->out);
	arena_reset(&worker->in);
	if (message_pack(&tasks, &worker->out, worker->in_frame, LIMIT_FRAME, &size) == 0)
		(void)message_unpack(MESSAGE_TASKS, worker->in_frame, size, &worker->in, &message);
	arena_reset(&worker->out);
	(void)message_pack(&result, &worker->out, worker->out_frame, LIMIT_FRAME, &size);
	worker->call_memory.result[0] = 0;
	atomic_store(&worker->cell->n_touched, 0);
	(void)clock_now();
	for (size_t i = 0; i < image->n_functions && i < WORKER_REHEARSED; i++)
		(void)*(const volatile char *)(uintptr_t)image->module.functions[i].function;
}

/* Looks at a frame and leaves it in the socket: see worker_dispatch(). With options.spin_us it
 * polls for a while before it sleeps, because being woken takes longer than a short task. */
static int worker_receive(struct worker_process *worker, struct wire_frame *frame) {
	nsec_t until = (nsec_t)worker->image->spin_us * 1000;
	int r;

	if (worker->max_tasks == 1 && worker->n_tasks == 0) {
		r = wire_receive(worker->channel, worker->in_frame, MSG_PEEK | MSG_DONTWAIT, frame);
		if (r != WIRE_E_AGAIN)
			return r;
		worker_rehearse(worker);
	}
	if (until > 0 && worker->n_tasks > 0) {
		until += clock_now();
		do {
			r = wire_receive(worker->channel, worker->in_frame, MSG_PEEK | MSG_DONTWAIT,
					 frame);
			if (r != WIRE_E_AGAIN)
				return r;
		} while (clock_now() < until);
	}
	return wire_receive(worker->channel, worker->in_frame, MSG_PEEK, frame);
}

static _Noreturn void worker_serve(struct worker_process *worker) {
	struct wire_frame frame uninitialized;

	for (;;) {
		int r = worker_receive(worker, &frame);

		/* The frame has not been claimed, so another worker can have it. */
		if (r == WIRE_E_TRUNCATED || r == WIRE_E_CROWDED)
			worker_leave(worker, "it has no room for a task or for the descriptors "
					     "of one");
		if (r == WIRE_E_EOF)
			worker_exit(0);
		if (r != 0)
			worker_lost(worker);
		worker_dispatch(worker, &frame);
	}
}

static int worker_initialize(struct worker_process *worker, char *text, size_t size) {
	const struct wf_module *module = &worker->image->module;
	int code = 0;

	if (module->after_fork)
		module->after_fork(&worker->info);
	if (module->initialize)
		code = module->initialize(&worker->info);
	worker_still_me(worker, code);
	/* The executor reports that this returned. */
	if (code != 0)
		return code;
	/* A fresh worker exits after its task, so nothing has to be put back. */
	if (worker->max_tasks != 1) {
		tripwire_prepare();
		code = -restore_snapshot(&worker->restore);
	}
	if (code != 0)
		(void)snprintf(text, size, "the state after initialize cannot be kept: %s",
			       strerrordesc_np(code));
	return code;
}

_Noreturn void worker_run(const struct worker_start *start) {
	struct worker_process *worker = worker_new(start);
	char text[128] = "";
	int code;

	worker_enter(worker, start);
	code = worker_initialize(worker, text, sizeof text);
	if (worker->max_tasks == 1)
		touch_ahead(&worker->image->touch);
	streams_flush();
	if (worker->image->measure_memory)
		worker->private_at_start = worker->statm < 0 ? 0 : private_bytes(worker);
	worker_say_ready(worker, code, text);
	if (code != 0)
		worker_exit(0);
	worker_serve(worker);
}
