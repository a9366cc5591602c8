/* SPDX-License-Identifier: MIT
 *
 * An image that cannot be used is a user's first experience with us. The sentence names the step,
 * the thing and the remedy, and quotes what the preload itself wrote.
 */
#include "executor/image_report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/report.h"

/* Appends to *text; without memory it stays as it is. */
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

const char *image_report_known(const struct wf_executor *executor, const char *function) {
	for (size_t i = 0; i < executor->n_functions; i++)
		if (strcmp(executor->functions[i], function) == 0)
			return executor->functions[i];
	return NULL;
}

int image_report_unknown(const struct wf_executor *executor, const char *function) {
	char *names = NULL;
	int r;

	for (size_t i = 0; i < executor->n_functions && i < 32; i++)
		append(&names, "%s%s", i ? ", " : "", executor->functions[i]);
	r = report_error(-ENOENT, "the image %s has no function \"%.*s\"; it has: %s",
			 executor->options.name, LIMIT_NAME, function, names ? names : "none");
	free(names);
	return r;
}

static const char *intern(struct wf_executor *executor, const char *function) {
	const char *known = image_report_known(executor, function);
	char **functions, *copy;

	if (known)
		return known;
	functions = reallocarray(executor->functions, executor->n_functions + 1, sizeof(char *));
	if (!functions)
		return NULL;
	executor->functions = functions;
	copy = strdup(function);
	if (copy)
		functions[executor->n_functions++] = copy;
	return copy;
}

static int copy_functions(struct zygote *zygote, const struct message_image_ready *ready) {
	zygote->functions = calloc(ready->n_functions + 1, sizeof(char *));
	if (!zygote->functions)
		return error_origin(-ENOMEM);
	for (size_t i = 0; i < ready->n_functions; i++) {
		zygote->functions[i] = intern(zygote->executor, ready->functions[i]);
		if (!zygote->functions[i])
			return error_origin(-ENOMEM);
		zygote->n_functions = i + 1;
	}
	return 0;
}

static int copy_freeze(struct zygote_freeze *freeze, const struct message_image_ready *ready) {
	*freeze = (struct zygote_freeze){
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

/* When nothing of the zygote's is left: it has not kept the privilege itself. */
static void group_remove(const char *path) {
	DIR *directory = path && path[0] ? opendir(path) : NULL;
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			(void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	(void)closedir(directory);
	(void)rmdir(path);
}

static int copy_sandbox(struct zygote *zygote, const struct message_image_ready *ready) {
	zygote->init = ready->init;
	if (ready->init > 0)
		zygote->init_pidfd = process_open(ready->init); /* its parent has not reaped it */
	if (!zygote->executor->options.policy)
		return 0;
	zygote->layers = strdup(ready->layers);
	zygote->memory_group = strdup(ready->memory_group);
	zygote->pids_group = strdup(ready->pids_group);
	if (!zygote->layers || !zygote->memory_group || !zygote->pids_group)
		return error_origin(-ENOMEM);
	if (!zygote->memory_group[0])
		return 0;
	zygote->oom_kills = calloc(LIMIT_WORKERS, sizeof(zygote->oom_kills[0]));
	return zygote->oom_kills ? 0 : error_origin(-ENOMEM);
}

int image_report_ready(struct zygote *zygote, const struct message_image_ready *ready) {
	zygote->has_initializer = ready->has_initializer;
	zygote->preload_ns = ready->preload_ns;
	zygote->anonymous_bytes = ready->anonymous_bytes;
	zygote->file_bytes = ready->file_bytes;
	zygote->mappings = ready->mappings;
	zygote->descriptors = ready->descriptors;
	zygote->threads = ready->threads;
	append_findings(&zygote->audit, ready->findings, ready->n_findings);
	if (copy_freeze(&zygote->freeze, ready) < 0 || copy_sandbox(zygote, ready) < 0)
		return -ENOMEM;
	return copy_functions(zygote, ready);
}

void image_report_failed(struct zygote *zygote, const struct message_image_failed *failed) {
	zygote->fail_phase = WF_PHASE_PRELOAD;
	zygote->fail_error = failed->error;
	free(zygote->fail_text);
	zygote->fail_text = NULL;
	append(&zygote->fail_text, "%s", failed->text);
	append_findings(&zygote->fail_text, failed->findings, failed->n_findings);
}

static void describe_end(const struct zygote *zygote, char **text,
			 const struct exit_status *status) {
	const struct options *options = &zygote->executor->options;

	if (zygote->preload_overdue)
		append(text,
		       "the preload of %s did not end within %d ms (options.preload_timeout_ms)",
		       options->name, options->public.preload_timeout_ms);
	else if (!status)
		append(text, "the zygote of %s could not be started", options->name);
	else if (status->exited)
		append(text, "the preload of %s ended its process: exit code %d", options->name,
		       status->code);
	else
		append(text, "the preload of %s crashed: SIG%s%s", options->name,
		       sigabbrev_np(status->signal), status->core ? " (core dumped)" : "");
}

void image_report_lost(struct zygote *zygote, const struct exit_status *status) {
	struct wf_executor *executor = zygote->executor;
	struct wf_capture output;
	char *text = NULL;

	capture_drain(&zygote->output);
	output = capture_result(&zygote->output);
	if (zygote->fail_text)
		append(&text, "image %s: %s", executor->options.name, zygote->fail_text);
	else
		describe_end(zygote, &text, status);
	if (output.size)
		append(&text, "\nit wrote: %s", output.data);
	free(executor->failed_text);
	executor->failed_text = text;
	executor->failed_generation = zygote->generation;
	executor->failed_code = -ENOEXEC;
	if (zygote->fail_phase == WF_PHASE_LAUNCH)
		executor->failed_code = zygote->fail_error == EMFILE ? -EMFILE : -EIO;
	executor_log(executor, LOG_ERROR, "image %llu: %s", (unsigned long long)zygote->generation,
		     text ? text : "no memory");
}

int image_report_find(const struct zygote *zygote, const char *function) {
	for (size_t i = 0; i < zygote->n_functions; i++)
		if (zygote->functions[i] == function)
			return (int)i;
	return -ENOENT;
}

void image_report_clear(struct zygote *zygote) {
	free(zygote->functions);
	free(zygote->audit);
	free(zygote->freeze.note);
	free(zygote->layers);
	group_remove(zygote->memory_group);
	group_remove(zygote->pids_group);
	free(zygote->memory_group);
	free(zygote->pids_group);
	free(zygote->oom_kills);
	free(zygote->fail_text);
	capture_reset(&zygote->output);
}
