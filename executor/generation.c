/* SPDX-License-Identifier: MIT
 *
 * An image that cannot be used is a user's first experience with us. So the sentence names the
 * step, the thing and the remedy, and quotes what the preload itself wrote.
 */
#include "executor/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/control_group.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/memory.h"
#include "executor/offload.h"

#define GENERATION_TIMERS 4
#define PRELOAD_OUTPUT_MS                                                                          \
	1000 /* for what the preload has written, before the image counts as ready */
#define CELLS_SIZE (LIMIT_WORKERS * CELL_SIZE)

/* --- the list ------------------------------------------------------------------------------ */

void generations_init(struct generations *generations) {
	*generations = (struct generations){ .last = 0 };
	list_init(&generations->list);
}

void generations_deinit(struct generations *generations) {
	free(generations->failed_text);
	generations->failed_text = NULL;
}

static struct generation *generation_of(const struct generations *generations,
					struct list_node *link) {
	return link == &generations->list ? NULL : container_of(link, struct generation, link);
}

struct generation *generations_first(const struct generations *generations) {
	return generation_of(generations, generations->list.next);
}

struct generation *generations_after(const struct generations *generations,
				     const struct generation *generation) {
	return generation ? generation_of(generations, generation->link.next) : NULL;
}

struct generation *generations_find(const struct generations *generations, uint64_t number) {
	generations_foreach (generation, generations)
		if (generation->number == number)
			return generation;
	return NULL;
}

/* --- life ---------------------------------------------------------------------------------- */

/* Sealed before any other process has it: if a worker could shrink the file, we would die of SIGBUS
 * at our next access (memfd_create(2)). */
static int map_cells(struct generation *generation, int *ret_memfd) {
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	cleanup_close int memfd = fd_memfd("warmfork-cells", CELLS_SIZE);
	void *map;
	int r;

	if (memfd < 0)
		return error_trace(memfd);
	r = fd_seal(memfd, seals);
	if (r < 0)
		return error_trace(r);
	map = mmap(NULL, CELLS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (map == MAP_FAILED)
		return error_origin(-errno);
	generation->cells = map;
	*ret_memfd = fd_steal(&memfd);
	return 0;
}

int generation_new(struct generations *generations, struct engine *engine, struct generation **ret,
		   int *ret_cells) {
	struct generation *generation = memory_new_sparse(sizeof *generation);
	int r;

	if (!generation)
		return error_origin(-ENOMEM);
	generation->engine = engine;
	generation->generations = generations;
	generation->state = GENERATION_LOADING;
	generation->pidfd = generation->control = generation->init_pidfd = -1;
	generation->listener_fd = -1;
	generation->failure.phase = WF_PHASE_PRELOAD;
	capture_init(&generation->output, 1);
	list_init(&generation->workers);
	r = map_cells(generation, ret_cells);
	if (r >= 0)
		r = loop_reserve(engine->loop, GENERATION_TIMERS);
	if (r < 0) {
		if (generation->cells) {
			(void)munmap(generation->cells, CELLS_SIZE);
			*ret_cells = fd_close(*ret_cells);
		}
		memory_free_sparse(generation, sizeof *generation);
		return error_trace(r);
	}
	generation->number = ++generations->last;
	list_append(&generations->list, &generation->link);
	*ret = generation;
	return 0;
}

/* Removing control groups may wait for the kernel, so it is done without the lock. */
struct group_removal {
	struct job job;
	char *paths[2];
};

static void remove_groups(struct job *job) {
	struct group_removal *removal = container_of(job, struct group_removal, job);

	for (size_t i = 0; i < 2; i++)
		if (removal->paths[i] && *removal->paths[i])
			control_group_remove(removal->paths[i]);
}

static void free_removal(struct job *job) {
	struct group_removal *removal = container_of(job, struct group_removal, job);

	free(removal->paths[0]);
	free(removal->paths[1]);
	free(removal);
}

/* Called when nothing of the zygote is left: it has given up the privilege to do this itself. */
static void clear_groups(struct generation *generation) {
	struct image_report *image = &generation->image;
	struct group_removal *removal =
	    image->memory_group || image->pids_group ? calloc(1, sizeof *removal) : NULL;

	if (removal) {
		removal->paths[0] = image->memory_group;
		removal->paths[1] = image->pids_group;
		removal->job.kind = JOB_HOST;
		removal->job.run = remove_groups;
		removal->job.done = free_removal;
		offload_add(generation->engine->offload, &removal->job);
	} else {
		free(image->memory_group);
		free(image->pids_group);
	}
	image->memory_group = image->pids_group = NULL;
}

static void clear_image(struct generation *generation) {
	struct image_report *image = &generation->image;

	free(image->functions);
	free(image->audit);
	free(image->freeze.note);
	free(image->layers);
	clear_groups(generation);
	free(generation->oom_kills);
	free(generation->failure.text);
	capture_reset(&generation->output);
}

void generation_close(struct generation *generation) {
	timer_clear(&generation->preload_timer);
	timer_clear(&generation->ping_timer);
	timer_clear(&generation->retry_timer);
	source_remove(&generation->source);
}

void generation_free(struct generations *generations, struct generation *generation) {
	must(list_is_empty(&generation->workers));
	if (generations->newest == generation)
		generations->newest = NULL;
	if (generations->loading == generation)
		generations->loading = NULL;
	generation_close(generation);
	timer_clear(&generation->orphan_timer);
	source_remove(&generation->end_source);
	source_remove(&generation->listener_source);
	(void)fd_close(generation->listener_fd);
	/* it has outlived its zygote for the workers' sake, and nothing else would end it now */
	if (generation->init_pidfd >= 0)
		(void)process_signal(generation->init_pidfd, SIGKILL);
	(void)fd_close(generation->init_pidfd);
	(void)fd_close(generation->control);
	(void)fd_close(generation->pidfd);
	(void)munmap(generation->cells, CELLS_SIZE);
	clear_image(generation);
	loop_release(generation->engine->loop, GENERATION_TIMERS);
	list_remove(&generation->link);
	memory_free_sparse(generation, sizeof *generation);
}

void generation_kill(struct generation *generation) {
	if (generation->pidfd >= 0)
		(void)process_signal(generation->pidfd, SIGKILL);
}

/* --- its workers --------------------------------------------------------------------------- */

int generation_cell_take(struct generation *generation, unsigned *ret) {
	for (unsigned n = 0; n < LIMIT_WORKERS / 64; n++) {
		unsigned word = (generation->cell_hint + n) % (LIMIT_WORKERS / 64), bit;

		if (generation->cells_used[word] == UINT64_MAX)
			continue;
		bit = (unsigned)__builtin_ctzll(~generation->cells_used[word]);
		generation->cells_used[word] |= (uint64_t)1 << bit;
		generation->cell_hint = word;
		*ret = word * 64 + bit;
		memset(generation_cell(generation, *ret), 0, sizeof(struct cell));
		return 0;
	}
	return error_origin(-ENOSPC);
}

void generation_cell_give(struct generation *generation, unsigned index) {
	generation->cells_used[index / 64] &= ~((uint64_t)1 << index % 64);
}

struct cell *generation_cell(const struct generation *generation, unsigned index) {
	return (struct cell *)(void *)((char *)generation->cells + index * CELL_SIZE);
}

/* --- its image ----------------------------------------------------------------------------- */

int generation_function(const struct generation *generation, const char *function) {
	for (size_t i = 0; i < generation->image.n_functions; i++)
		if (generation->image.functions[i] == function)
			return (int)i;
	return -ENOENT;
}

/* Appends to *text, which is left unchanged if memory runs out. */
__attribute__((format(printf, 2, 3))) static void append(char **text, const char *format, ...) {
	char *added = NULL, *joined = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&added, format, arguments) < 0)
		added = NULL;
	va_end(arguments);
	if (added && asprintf(&joined, "%s%s", *text ? *text : "", added) >= 0) {
		free(*text);
		*text = joined;
	}
	free(added);
}

static void append_findings(char **text, const struct message_finding *findings, size_t n) {
	for (size_t i = 0; i < n; i++)
		append(text, "%s%s", *text && **text ? "\n" : "", findings[i].text);
}

static int take_functions(struct generation *generation, const struct message_image_ready *ready) {
	struct image_report *image = &generation->image;

	image->functions = calloc(ready->n_functions + 1, sizeof image->functions[0]);
	if (!image->functions)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < ready->n_functions; i++) {
		image->functions[i] =
		    names_intern(&generation->engine->functions, ready->functions[i]);
		if (!image->functions[i])
			return error_origin(-ENOMEM);
		image->n_functions = i + 1;
	}
	return 0;
}

static int take_freeze(struct image_freeze *freeze, const struct message_image_ready *ready) {
	*freeze = (struct image_freeze){
		.frozen = ready->frozen,
		.bytes = ready->frozen_bytes,
		.took_ns = ready->freeze_ns,
		.unfrozen_bytes = ready->unfrozen_bytes,
		.mappings = ready->frozen_mappings,
		.holes = ready->frozen_holes,
		.fork_unfrozen_ns = ready->fork_unfrozen_ns,
		.fork_ns = ready->fork_ns,
		.heap_bytes = ready->heap_bytes,
		.stack_bytes = ready->stack_bytes,
		.page_table_bytes = ready->page_table_bytes,
		.freezes = ready->frozen,
		.note = strdup(ready->freeze_note),
	};
	return freeze->note ? 0 : error_origin(-ENOMEM);
}

static int take_sandbox(struct generation *generation, const struct message_image_ready *ready) {
	struct image_report *image = &generation->image;

	generation->init = ready->init;
	if (ready->init > 0)
		/* its parent has not reaped it, so the pid is not reused */
		generation->init_pidfd = process_open(ready->init);
	if (!generation->engine->options.policy)
		return 0;
	image->layers = strdup(ready->layers);
	image->memory_group = strdup(ready->memory_group);
	image->pids_group = strdup(ready->pids_group);
	if (!image->layers || !image->memory_group || !image->pids_group)
		return error_origin(-ENOMEM);
	if (!image->memory_group[0])
		return 0;
	generation->oom_kills = calloc(LIMIT_WORKERS, sizeof generation->oom_kills[0]);
	return generation->oom_kills ? 0 : error_origin(-ENOMEM);
}

int generation_take_image(struct generation *generation, const struct message_image_ready *ready) {
	struct image_report *image = &generation->image;

	image->has_initializer = ready->has_initializer;
	image->preload_ns = ready->preload_ns;
	image->anonymous_bytes = ready->anonymous_bytes;
	image->file_bytes = ready->file_bytes;
	image->mappings = ready->mappings;
	image->descriptors = ready->descriptors;
	image->threads = ready->threads;
	append_findings(&image->audit, ready->findings, ready->n_findings);
	if (take_freeze(&image->freeze, ready) < 0 || take_sandbox(generation, ready) < 0)
		return -ENOMEM;
	return take_functions(generation, ready);
}

/* --- why it cannot be used ----------------------------------------------------------------- */

void generation_take_failure(struct generation *generation,
			     const struct message_image_failed *failed) {
	struct generation_failure *failure = &generation->failure;

	/* that a trial fork failed, for lack of processes or memory, is no fault of the image */
	failure->phase = failed->error && strcmp(failed->step, "audit") == 0 ? WF_PHASE_LAUNCH
									     : WF_PHASE_PRELOAD;
	failure->error = failed->error;
	free(failure->text);
	failure->text = NULL;
	append(&failure->text, "%s", failed->text);
	append_findings(&failure->text, failed->findings, failed->n_findings);
}

void generation_fail(struct generation *generation, enum wf_phase phase, int error,
		     const char *format, ...) {
	struct generation_failure *failure = &generation->failure;
	va_list arguments;

	if (failure->text)
		return;
	failure->phase = phase;
	failure->error = error;
	va_start(arguments, format);
	if (vasprintf(&failure->text, format, arguments) < 0)
		failure->text = NULL;
	va_end(arguments);
}

static void describe_end(const struct generation *generation, char **text) {
	const struct options *options = &generation->engine->options;
	const struct exit_status *exit = generation->exited ? &generation->exit : NULL;

	if (generation->preload_overdue)
		append(text,
		       "the preload of %s did not end within %d ms (options.preload_timeout_ms)",
		       options->name, options->public.preload_timeout_ms);
	else if (!exit)
		append(text, "the zygote of %s could not be started", options->name);
	else if (exit->exited)
		append(text, "the preload of %s ended its process: exit code %d", options->name,
		       exit->code);
	else
		append(text, "the preload of %s crashed: SIG%s%s", options->name,
		       sigabbrev_np(exit->signal), exit->core ? " (core dumped)" : "");
}

static void on_output_late(struct timer *timer, nsec_t now) {
	(void)now;
	container_of(timer, struct generation, preload_timer)->output_late = true;
}

bool generation_output_is_read(struct generation *generation) {
	struct engine *engine = generation->engine;

	if (generation->output.finishing)
		return generation->output_late || capture_is_read(&generation->output);
	if (capture_finish(&generation->output))
		return true;
	(void)timer_set(engine->loop, &generation->preload_timer,
			clock_after_ms(engine_now(engine), PRELOAD_OUTPUT_MS), on_output_late);
	return false;
}

void generation_report_failure(struct generations *generations, struct generation *generation) {
	const struct generation_failure *failure = &generation->failure;
	const struct options *options = &generation->engine->options;
	struct wf_capture output;
	char *text = NULL;

	output = capture_result(&generation->output);
	if (failure->text)
		append(&text, "image %s: %s", options->name, failure->text);
	else
		describe_end(generation, &text);
	if (output.size)
		append(&text, "\nit wrote: %s", output.data);
	free(generations->failed_text);
	generations->failed_text = text;
	generations->failed = generation->number;
	generations->failed_code = -ENOEXEC;
	if (failure->phase == WF_PHASE_LAUNCH)
		generations->failed_code = failure->error == EMFILE ? -EMFILE : -EIO;
	engine_log(generation->engine, LOG_ERROR, "image %llu: %s",
		   (unsigned long long)generation->number, text ? text : "no memory");
}
