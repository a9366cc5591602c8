/* SPDX-License-Identifier: MIT
 *
 * warmfork image: everything that the author of an image can learn about it before the
 * first task runs.
 *
 * The numbers are the zygote's own, from the time between preload and freeze, with two exceptions.
 * The time of a fork of an empty process is measured here, so that the image's can be compared with
 * it. And the pages that were written to are counted after workers have been forked, because
 * forking is what writes to them.
 */
#include <stdio.h>
#include <string.h>
#include <warmfork/executor.h>
#include <warmfork/inspect.h>

#include "cli/command.h"
#include "cli/image/forks.h"
#include "cli/image/obstacle.h"
#include "cli/image/options.h"
#include "cli/report.h"

struct findings {
	struct wf_image_facts facts;
	struct wf_statistics statistics; /* after the forks */
	unsigned n_lost;                 /* workers that did not become ready */
	struct forks_empty empty;
};

/* --- asking -------------------------------------------------------------------------------- */

static enum command_status refused(void) {
	const char *sentence = wf_last_error();
	char words[128];

	report_say("image", "%s", sentence);
	image_options_waivers(sentence, words, sizeof words);
	if (words[0])
		(void)fprintf(stderr, "to see the report all the same, add --waive %s\n", words);
	return COMMAND_FAILED;
}

static int open_image(const struct image_options *options, struct wf_executor **ret) {
	struct wf_executor_options opening =
	    WF_EXECUTOR_OPTIONS(.module = options->module, .preload_argument = options->argument,
				.preload_argument_size =
				    options->argument ? strlen(options->argument) : 0,
				.preload_timeout_ms = options->preload_timeout_ms,
				.audit_waive = options->waive, .freeze = options->freeze);

	forks_options(&opening);
	if (options->forks == 0)
		opening.min_workers = 0;
	return wf_executor_open(&opening, ret);
}

static bool ask(struct wf_executor *executor, const struct image_options *options,
		struct findings *ret) {
	unsigned forks = options->forks;

	ret->facts.size = sizeof ret->facts;
	if (wf_executor_image(executor, &ret->facts) < 0)
		return false;
	/* An image that is not frozen has no pages to count; a few workers show that they start. */
	if (!ret->facts.frozen && forks > 0)
		forks = 1;
	ret->n_lost = forks_make(executor, forks, &ret->statistics);
	return true;
}

/* --- telling ------------------------------------------------------------------------------- */

static void tell_image(struct report *report, const struct image_options *options,
		       const struct wf_image_facts *facts) {
	report_section(report, "image");
	report_text(report, REPORT_TEXT, "module", "module", options->module);
	report_text(report, REPORT_TEXT, "warmfork", "loaded by warmfork", wf_version());
	report_text(report, REPORT_LINES, "functions", "functions", facts->functions);
	report_number(report, REPORT_FLAG, "initializer", "initializer", facts->has_initializer);
	report_number(report, REPORT_TIME, "preload", "preload took", facts->preload_ns);
	report_text(report, REPORT_LINES, "output", "preload wrote", facts->preload_output);
}

/* Heap and stack are parts of the anonymous memory, except for pages that only the kernel knows. */
static void tell_memory(struct report *report, const struct wf_image_facts *facts) {
	uint64_t named = facts->heap_bytes + facts->stack_bytes;

	report_section(report, "memory");
	report_number(report, REPORT_BYTES, "heap", "heap", facts->heap_bytes);
	report_number(report, REPORT_BYTES, "other_anonymous", "other anonymous",
		      facts->anonymous_bytes > named ? facts->anonymous_bytes - named : 0);
	report_number(report, REPORT_BYTES, "stack", "stack", facts->stack_bytes);
	report_number(report, REPORT_BYTES, "file", "file-backed", facts->file_bytes);
	report_number(report, REPORT_BYTES, "page_table", "page tables", facts->page_table_bytes);
}

static void tell_found(struct report *report, const struct wf_image_facts *facts) {
	report_section(report, "found");
	report_number(report, REPORT_COUNT, "mappings", "mappings", facts->mappings);
	report_number(report, REPORT_COUNT, "descriptors", "descriptors", facts->descriptors);
	report_number(report, REPORT_COUNT, "threads", "threads", facts->threads);
	report_text(report, REPORT_LINES, "waived", "waived", facts->audit);
}

static void tell_time(struct report *report, const char *key, const char *label, uint64_t ns) {
	if (ns > 0)
		report_number(report, REPORT_TIME, key, label, ns);
	else
		report_unknown(report, REPORT_TIME, key, label);
}

static void tell_freeze(struct report *report, const struct wf_image_facts *facts) {
	report_section(report, "freeze");
	report_number(report, REPORT_FLAG, "frozen", "frozen", facts->frozen);
	report_text(report, REPORT_TEXT, "note", "note", facts->freeze_note);
	report_number(report, REPORT_BYTES, "frozen", "memory frozen", facts->frozen_bytes);
	report_number(report, REPORT_BYTES, "unfrozen", "memory not frozen", facts->unfrozen_bytes);
	tell_time(report, "took", "freeze took", facts->freeze_ns);
	report_number(report, REPORT_COUNT, "mappings", "mappings frozen", facts->frozen_mappings);
	report_number(report, REPORT_COUNT, "holes", "pages left out", facts->frozen_holes);
}

static bool is_counted(const struct findings *findings) {
	return findings->facts.frozen && findings->statistics.forks >= FORKS_COUNTED &&
	       findings->statistics.zygote_losses == 0;
}

static void tell_fork(struct report *report, const struct findings *findings) {
	const struct wf_image_facts *facts = &findings->facts;

	report_section(report, "fork");
	/* A freeze that failed may have moved memory, which stays moved. */
	tell_time(report, "frozen", "frozen", facts->frozen_bytes > 0 ? facts->fork_ns : 0);
	tell_time(report, "unfrozen", "unfrozen", facts->fork_unfrozen_ns);
	tell_time(report, "empty", "an empty process", findings->empty.fastest_ns);
	report_number(report, REPORT_COUNT, "workers", "workers forked",
		      findings->statistics.forks);
	report_number(report, REPORT_COUNT, "lost", "workers lost", findings->n_lost);
	if (is_counted(findings))
		report_number(report, REPORT_COUNT, "dirtied_pages", "pages dirtied",
			      findings->statistics.frozen_dirtied);
	else
		report_unknown(report, REPORT_COUNT, "dirtied_pages", "pages dirtied");
}

static void tell_obstacle(struct report *report, const struct image_options *options,
			  const struct findings *findings) {
	const struct obstacle_context context = {
		.wish = options->freeze,
		.dirtied_pages = is_counted(findings) ? findings->statistics.frozen_dirtied : 0,
		.empty_ns = findings->empty.fastest_ns,
		.noise_ns = findings->empty.noise_ns,
	};
	struct obstacle obstacle;

	obstacle_find(&findings->facts, &context, &obstacle);
	report_section(report, "obstacle");
	report_text(report, REPORT_TEXT, "kind", "kind", obstacle_name(obstacle.kind));
	report_text(report, REPORT_TEXT, "what", "the biggest one", obstacle.what);
	tell_time(report, "cost", "costs each fork", obstacle.cost_ns);
	report_text(report, REPORT_TEXT, "remedy", "what to do", obstacle.remedy);
}

static enum command_status tell(const struct image_options *options,
				const struct findings *findings) {
	struct report report = { .n = 0 };
	int r;

	tell_image(&report, options, &findings->facts);
	tell_memory(&report, &findings->facts);
	tell_found(&report, &findings->facts);
	tell_freeze(&report, &findings->facts);
	tell_fork(&report, findings);
	tell_obstacle(&report, options, findings);
	r = options->json ? report_print_json(&report, stdout) : report_print(&report, stdout);
	report_clear(&report);
	if (r < 0)
		report_say("image", "the report cannot be written: %s", strerrordesc_np(-r));
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

/* ------------------------------------------------------------------------------------------- */

/* An image from which no worker can be made is useless, however well it was loaded. */
static enum command_status judge_workers(const struct findings *findings) {
	if (findings->n_lost == 0)
		return COMMAND_OK;
	report_say("image",
		   "%u of %d workers could not be started, or ended in initialize; "
		   "with WF_LOG=warning in the environment the library says why",
		   findings->n_lost, FORKS_TOGETHER);
	return findings->statistics.idle > 0 ? COMMAND_OK : COMMAND_FAILED;
}

enum command_status image_command(int argc, char **argv) {
	struct findings findings = { .n_lost = 0 };
	struct wf_executor *executor;
	struct image_options options;
	enum command_status status;

	if (!image_options_parse(argc, argv, &options, &status))
		return status;
	findings.empty = forks_empty();
	if (open_image(&options, &executor) < 0)
		return refused();
	status = ask(executor, &options, &findings) ? COMMAND_OK : refused();
	wf_executor_free(executor);
	if (status == COMMAND_OK)
		status = tell(&options, &findings);
	if (status == COMMAND_OK)
		status = judge_workers(&findings);
	wf_image_facts_clear(&findings.facts);
	return status;
}
