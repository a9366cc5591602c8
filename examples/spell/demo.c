/* SPDX-License-Identifier: MIT
 *
 * The demonstration: spell-checks the licence texts of this machine, in one fresh process for each
 * file, all forked from a zygote that has loaded the dictionary once. The processes are sandboxed:
 * they compute, read the files that they are to check, and can do nothing else. Four tasks
 * misbehave on purpose, and the others must not notice. Then a sample of the files is checked again
 * in two ways: by the pool, and by starting a program that loads the dictionary for each file.
 *
 * Exits 0 only if every file came back, each of the four ended as it should, and both ways
 * counted the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>
#include <warmfork/policy.h>

#include "files.h"
#include "once.h"
#include "spell.h"

#define SAMPLE          40
#define MISBEHAVING     4
#define HANG_TIMEOUT_MS 500
#define REDRAW_MS       40
#define KINDS           16

struct job {
	const char *function;
	const char *path; /* NULL if it misbehaves */
	struct wf_future *future;
	const struct wf_outcome *outcome; /* of the future */
	struct spell_count count;         /* if it returned */
};

/* Written by the executor's thread. */
struct progress {
	atomic_size_t done;
	atomic_uint_least64_t first_ns; /* 0 if there is no result yet */
};

struct batch {
	struct job *jobs;
	size_t n;
	struct progress progress;
	double seconds;
};

struct places {
	char module[PATH_MAX];
	char program[PATH_MAX];
};

static uint64_t now_ns(void) {
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The module and the program are in the same directory as this one. */
static int find_places(struct places *ret) {
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int r = -1;

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		r = snprintf(ret->module, sizeof ret->module, "%s/spell_module.so", self);
		if (r > 0 && (size_t)r < sizeof ret->module)
			r = snprintf(ret->program, sizeof ret->program, "%s/spell_once", self);
	}
	return r > 0 && (size_t)r < sizeof ret->program ? 0 : -ENAMETOOLONG;
}

static void on_done(struct wf_future *future, const struct wf_outcome *outcome, void *context) {
	struct progress *progress = context;
	uint_least64_t none = 0;

	(void)future;
	(void)outcome;
	(void)atomic_compare_exchange_strong(&progress->first_ns, &none, now_ns());
	(void)atomic_fetch_add(&progress->done, 1);
}

static void draw(const struct batch *batch) {
	const int width = 40;
	size_t done = atomic_load(&batch->progress.done);
	int filled = (int)(done * (size_t)width / batch->n);

	(void)printf("\r  [%.*s%*s] %zu of %zu tasks", filled,
		     "########################################", width - filled, "", done,
		     batch->n);
	(void)fflush(stdout);
}

static int submit(struct wf_executor *executor, struct job *job, struct progress *progress) {
	const struct wf_rlimit no_core = { .resource = RLIMIT_CORE, .soft = 0 };
	const struct wf_context no_dump = WF_CONTEXT(.rlimits = &no_core, .n_rlimits = 1);
	struct wf_task task = WF_TASK(.function = job->function);
	int r;

	if (job->path) {
		task.input = job->path;
		task.input_size = strlen(job->path);
	} else {
		task.timeout_ms = HANG_TIMEOUT_MS;
		task.context = &no_dump;
	}
	r = wf_submit(executor, &task, &job->future);
	if (r == 0)
		r = wf_future_on_done(job->future, on_done, progress);
	return r;
}

/* Waits for all of them, and draws the progress on a terminal. */
static int await_all(struct batch *batch, bool drawing) {
	struct wf_future **futures = malloc((batch->n + 1) * sizeof(struct wf_future *));
	int r = -ETIMEDOUT;

	if (!futures)
		return -ENOMEM;
	for (size_t i = 0; i < batch->n; i++)
		futures[i] = batch->jobs[i].future;
	while (r == -ETIMEDOUT) {
		r = wf_wait(futures, batch->n, WF_ALL_COMPLETED, drawing ? REDRAW_MS : WF_FOREVER);
		if (drawing)
			draw(batch);
	}
	if (drawing)
		(void)printf("\r%*s\r", 76, "");
	free(futures);
	return r < 0 ? r : 0;
}

static int run_batch(struct wf_executor *executor, struct batch *batch, bool drawing) {
	uint64_t start = now_ns();
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->n; i++)
		r = submit(executor, &batch->jobs[i], &batch->progress);
	if (r == 0)
		r = await_all(batch, drawing);
	batch->seconds = (double)(now_ns() - start) / 1e9;
	for (size_t i = 0; r == 0 && i < batch->n; i++) {
		struct job *job = &batch->jobs[i];

		job->outcome = wf_future_outcome(job->future);
		if (job->outcome->kind == WF_RETURNED &&
		    job->outcome->returned.size == sizeof job->count)
			memcpy(&job->count, job->outcome->returned.data, sizeof job->count);
	}
	return r;
}

static int batch_new(size_t n, struct batch *ret) {
	*ret = (struct batch){ .jobs = calloc(n, sizeof(struct job)), .n = n };
	return ret->jobs ? 0 : -ENOMEM;
}

static void batch_clear(struct batch *batch) {
	for (size_t i = 0; batch->jobs && i < batch->n; i++)
		wf_future_free(batch->jobs[i].future);
	free(batch->jobs);
}

/* All files, with the four that misbehave spread among them. */
static int all_jobs(const struct files *files, struct batch *ret) {
	static const char *const misbehaving[] = { "crash", "hang", "leave", "peek" };
	size_t at = 0;
	int r = batch_new(files->n + MISBEHAVING, ret);

	if (r < 0)
		return r;
	for (size_t i = 0; i < files->n; i++) {
		for (size_t k = 0; k < MISBEHAVING; k++)
			if (i == files->n * (k + 1) / (MISBEHAVING + 1))
				ret->jobs[at++].function = misbehaving[k];
		ret->jobs[at++] = (struct job){ .function = "check", .path = files->paths[i] };
	}
	return 0;
}

/* Evenly spread over all files. */
static int sample_jobs(const struct files *files, struct batch *ret) {
	size_t n = files->n < SAMPLE ? files->n : SAMPLE;
	int r = batch_new(n, ret);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		ret->jobs[i] =
		    (struct job){ .function = "check", .path = files->paths[i * files->n / n] };
	return 0;
}

/* --- what is expected ---------------------------------------------------------------------- */

static bool is_expected(const struct job *job) {
	const struct wf_outcome *outcome = job->outcome;

	if (job->path)
		return outcome->kind == WF_RETURNED &&
		       outcome->returned.size == sizeof(struct spell_count);
	if (!strcmp(job->function, "crash"))
		return outcome->kind == WF_SIGNALLED && outcome->signalled.signal == SIGSEGV;
	if (!strcmp(job->function, "hang"))
		return outcome->kind == WF_TIMED_OUT && outcome->timed_out.clock == WF_CLOCK_RUN;
	if (!strcmp(job->function, "peek"))
		return outcome->kind == WF_VIOLATION &&
		       !strcmp(outcome->violation.refusal.path, "/etc/shadow");
	return outcome->kind == WF_EXITED && outcome->exited.code == 0;
}

static bool all_expected(const struct batch *batch) {
	size_t surprises = 0;
	char text[256];

	for (size_t i = 0; i < batch->n; i++) {
		const struct job *job = &batch->jobs[i];

		if (is_expected(job))
			continue;
		if (++surprises > 5)
			continue;
		(void)wf_outcome_describe(job->outcome, text, sizeof text);
		(void)fprintf(stderr, "demo: unexpected: %s: %s\n",
			      job->path ? job->path : job->function, text);
	}
	return surprises == 0;
}

static bool same_counts(const struct batch *batch, const struct spell_count *counts) {
	for (size_t i = 0; i < batch->n; i++)
		if (batch->jobs[i].count.words != counts[i].words ||
		    batch->jobs[i].count.misspelt != counts[i].misspelt) {
			(void)fprintf(stderr, "demo: the two ways differ on %s\n",
				      batch->jobs[i].path);
			return false;
		}
	return true;
}

/* --- the table ----------------------------------------------------------------------------- */

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *format, ...) {
	va_list arguments;

	(void)printf("  %-22s ", name);
	va_start(arguments, format);
	(void)vprintf(format, arguments);
	va_end(arguments);
	(void)printf("\n");
}

static void report_outcomes(const struct batch *batch) {
	size_t kinds[KINDS] = { 0 };
	char text[512];

	for (size_t i = 0; i < batch->n; i++)
		kinds[(size_t)batch->jobs[i].outcome->kind % KINDS]++;
	for (size_t kind = 0; kind < KINDS; kind++)
		if (kinds[kind])
			row(wf_outcome_kind_name((enum wf_outcome_kind)kind), "%zu", kinds[kind]);
	(void)printf("\nThe four that misbehaved on purpose\n");
	for (size_t i = 0; i < batch->n; i++)
		if (!batch->jobs[i].path) {
			(void)wf_outcome_describe(batch->jobs[i].outcome, text, sizeof text);
			row(batch->jobs[i].function, "%s", text);
		}
}

static void report_batch(const struct batch *batch, uint64_t opened_ns, double preload_ms) {
	uint64_t words = 0, misspelt = 0;
	size_t files = 0;

	for (size_t i = 0; i < batch->n; i++) {
		files += batch->jobs[i].path ? 1 : 0;
		words += batch->jobs[i].count.words;
		misspelt += batch->jobs[i].count.misspelt;
	}
	(void)printf("One fresh process for each file\n");
	row("files", "%zu", files);
	row("words", "%" PRIu64, words);
	row("misspellings found", "%" PRIu64, misspelt);
	row("dictionary loaded", "once, in %.1f ms", preload_ms);
	row("time to first result", "%.1f ms, from opening the pool",
	    (double)(atomic_load(&batch->progress.first_ns) - opened_ns) / 1e6);
	row("tasks per second", "%.0f (%zu in %.2f s, with the endless loop on one worker)",
	    (double)batch->n / batch->seconds, batch->n, batch->seconds);
	(void)printf("\nOutcomes\n");
	report_outcomes(batch);
	row("sandbox", "%s", batch->jobs[0].outcome->layers);
}

static void report_sample(const struct batch *sample, double once_seconds, unsigned workers) {
	(void)printf(
	    "\nThe same work, with and without a zygote: a sample of %zu files, %u at a time\n",
	    sample->n, workers);
	row("forked from a zygote", "%.1f ms, %.0f files per second", sample->seconds * 1e3,
	    (double)sample->n / sample->seconds);
	row("a program for each", "%.1f ms, %.0f files per second", once_seconds * 1e3,
	    (double)sample->n / once_seconds);
	row("ratio", "%.1f times as fast, counts identical", once_seconds / sample->seconds);
}

/* --- the run ------------------------------------------------------------------------------- */

/* wf_last_error() belongs to the last call that failed. */
static int complain(const char *what) {
	(void)fprintf(stderr, "demo: %s: %s\n", what, wf_last_error());
	return 1;
}

static int compare(struct wf_executor *executor, const struct files *files, const char *program) {
	struct wf_statistics statistics = { .size = sizeof statistics };
	struct spell_count counts[SAMPLE] = { 0 };
	struct batch sample;
	uint64_t start;
	int r, status = 1;

	if (sample_jobs(files, &sample) < 0)
		return 1;
	r = wf_executor_statistics(executor, &statistics);
	if (r == 0)
		r = run_batch(executor, &sample, false);
	if (r < 0) {
		(void)complain("the sample");
		(void)wf_executor_close(executor, WF_CLOSE_KILL); /* `sample` goes out of scope */
	} else if (all_expected(&sample)) {
		char *paths[SAMPLE];

		for (size_t i = 0; i < sample.n; i++)
			paths[i] = files->paths[i * files->n / sample.n];
		start = now_ns();
		r = once_run(program, paths, sample.n, statistics.workers, counts);
		if (r < 0) {
			(void)fprintf(stderr, "demo: %s: %s\n", program, strerrordesc_np(-r));
		} else if (same_counts(&sample, counts)) {
			report_sample(&sample, (double)(now_ns() - start) / 1e9,
				      statistics.workers);
			status = 0;
		}
	}
	batch_clear(&sample);
	return status;
}

static int run(struct wf_executor *executor, const struct files *files, uint64_t opened_ns,
	       const char *program) {
	struct wf_image_facts facts = { .size = sizeof facts };
	struct batch batch;
	int status = 1;

	if (all_jobs(files, &batch) < 0)
		return 1;
	if (run_batch(executor, &batch, isatty(STDOUT_FILENO)) < 0 ||
	    wf_executor_image(executor, &facts) < 0) {
		(void)complain("the files");
		(void)wf_executor_close(executor, WF_CLOSE_KILL); /* `batch` goes out of scope */
	} else {
		report_batch(&batch, opened_ns, (double)facts.preload_ns / 1e6);
		status = all_expected(&batch) ? 0 : 1;
		wf_image_facts_clear(&facts);
	}
	if (status == 0)
		status = compare(executor, files, program);
	batch_clear(&batch);
	return status;
}

/* Workers compute, and read the texts. If this machine lacks a part of the sandbox, which `warmfork
 * doctor` names, they run with the rest, and the last line says with what. */
static int open_pool(const char *module, struct wf_executor **ret) {
	struct wf_policy *policy = NULL;
	int r = wf_policy_new("pure", &policy);

	if (r < 0)
		return r;
	r = wf_policy_add(policy, "read", FILES_LICENSES);
	if (r == 0)
		r = wf_policy_add(policy, "read", FILES_DOCUMENTATION);
	if (r == 0)
		r = wf_policy_add(policy, "strict", "no");
	if (r == 0)
		r = wf_executor_open(&WF_EXECUTOR_OPTIONS(.module = module,
							  .max_tasks_per_worker = 1,
							  .policy = policy),
				     ret);
	wf_policy_free(policy);
	return r;
}

int main(void) {
	struct wf_executor *executor = NULL;
	struct files files;
	struct places places;
	uint64_t opened_ns = now_ns();
	int status = 1;

	if (find_places(&places) < 0 || files_find(&files) < 0)
		return 1;
	if (files.n < 4)
		(void)fprintf(stderr, "demo: this machine has no licence texts to check\n");
	else if (open_pool(places.module, &executor) < 0)
		status = complain("opening the pool");
	else {
		status = run(executor, &files, opened_ns, places.program);
		wf_executor_free(executor);
	}
	files_clear(&files);
	return status;
}
