/* SPDX-License-Identifier: MIT
 *
 * An outcome as JSON. All keys are always there, with null where there is nothing to say. Any bytes
 * that a program has put into a path survive; JSON takes only UTF-8, so in other text everything
 * that is not ASCII becomes U+FFFD.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run/remedy.h"
#include "cli/run/report.h"

#define REMEDY_SIZE 4300

static json_t *replaced(const char *text) {
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	const size_t size = strlen(replacement);
	char *copy = malloc(strlen(text) * size + 1), *to = copy;
	json_t *string;

	for (; copy && *text; text++) {
		bool ascii = (unsigned char)*text < 0x80;

		memcpy(to, ascii ? text : replacement, ascii ? 1 : size);
		to += ascii ? 1 : size;
	}
	if (!copy)
		return NULL;
	*to = '\0';
	string = json_string(copy);
	free(copy);
	return string;
}

static json_t *text_of(const char *text) {
	json_t *string = json_string(text);

	return string ? string : replaced(text);
}

static json_t *text_or_null(const char *text) {
	return text && *text ? text_of(text) : json_null();
}

static json_t *number_of(uint64_t number) {
	return json_integer((json_int_t)number);
}

/* --- parts --------------------------------------------------------------------------------- */

static json_t *words_of(char *const *words) {
	json_t *array = json_array();

	for (; *words; words++)
		(void)json_array_append_new(array, text_of(*words));
	return array;
}

/* "user, mount, landlock 7" */
/* "user, mount; not in force: cgroup, landlock" */
#define NOT_IN_FORCE "; not in force: "

static json_t *list_of(const char *layers, size_t length) {
	json_t *array = json_array();
	const char *end = layers + length;

	while (layers < end) {
		size_t size = strcspn(layers, ",;");

		if (size > (size_t)(end - layers))
			size = (size_t)(end - layers);
		(void)json_array_append_new(array, json_stringn(layers, size));
		layers += size;
		layers += strspn(layers, ", ");
		if (*layers == ';')
			break;
	}
	return array;
}

static json_t *layers_of(const char *layers) {
	return list_of(layers, strcspn(layers, ";"));
}

static json_t *missing_of(const char *layers) {
	const char *missing = strstr(layers, NOT_IN_FORCE);

	return missing
		   ? list_of(missing + strlen(NOT_IN_FORCE), strlen(missing + strlen(NOT_IN_FORCE)))
		   : json_array();
}

static json_t *refusal_of(const struct wf_refusal *refusal) {
	char option[REMEDY_SIZE];

	run_remedy_option(refusal->allow, option, sizeof option);
	return json_pack("{so so so so so so so}", "call", text_of(refusal->call), "arguments",
			 text_of(refusal->arguments), "path", text_or_null(refusal->path), "error",
			 text_or_null(refusal->error ? strerrorname_np(refusal->error) : ""),
			 "count", number_of(refusal->count), "allow", text_or_null(refusal->allow),
			 "option", text_or_null(option));
}

static json_t *refusals_of(const struct wf_outcome *outcome) {
	json_t *array = json_array();

	for (size_t i = 0; i < outcome->n_refusals; i++)
		(void)json_array_append_new(array, refusal_of(&outcome->refusals[i]));
	return array;
}

static json_t *stream_of(const struct wf_capture *capture, bool captured) {
	return captured
		   ? json_pack("{so so sb}", "bytes", number_of(capture->size), "dropped",
			       number_of(capture->dropped), "incomplete", (int)capture->incomplete)
		   : json_null();
}

static const char *clock_of(enum wf_clock clock) {
	return clock == WF_CLOCK_CPU ? "cpu" : "wall";
}

static const char *killer_of(enum wf_killer killer) {
	return killer == WF_BY_PROTOCOL ? "protocol" : killer == WF_BY_CLOSE ? "close" : "caller";
}

static const char *phase_of(enum wf_phase phase) {
	static const char *const names[] = {
		[WF_PHASE_LAUNCH] = "launch",     [WF_PHASE_PRELOAD] = "preload",
		[WF_PHASE_FORK] = "fork",         [WF_PHASE_INITIALIZE] = "initialize",
		[WF_PHASE_HAND_OUT] = "hand out", [WF_PHASE_CONTEXT] = "context",
		[WF_PHASE_SANDBOX] = "sandbox",   [WF_PHASE_EXEC] = "exec",
	};

	return (size_t)phase < sizeof names / sizeof names[0] ? names[phase] : NULL;
}

/* --- by kind ------------------------------------------------------------------------------- */

static const char *signal_of(const struct wf_outcome *outcome, char text[32]) {
	const char *name =
	    outcome->kind == WF_SIGNALLED ? sigabbrev_np(outcome->signalled.signal) : NULL;

	(void)snprintf(text, 32, "SIG%s", name ? name : "?");
	return outcome->kind == WF_SIGNALLED ? text : NULL;
}

static uint64_t limit_of(const struct wf_outcome *outcome) {
	if (outcome->kind == WF_MEMORY_LIMIT)
		return outcome->memory_limit.limit;
	return outcome->kind == WF_OUTPUT_LIMIT ? outcome->output_limit.limit : 0;
}

static json_t *ending_of(const struct wf_outcome *outcome) {
	bool not_started = outcome->kind == WF_NOT_STARTED;
	bool timed_out = outcome->kind == WF_TIMED_OUT;
	uint64_t limit = limit_of(outcome);
	char text[32];

	return json_pack(
	    "{so so so so so so so so so so so so}", "code",
	    outcome->kind == WF_EXITED ? json_integer(outcome->exited.code) : json_null(), "signal",
	    text_or_null(signal_of(outcome, text)), "core",
	    outcome->kind == WF_SIGNALLED ? json_boolean(outcome->signalled.core) : json_null(),
	    "clock", text_or_null(timed_out ? clock_of(outcome->timed_out.clock) : ""), "limit_ns",
	    timed_out ? number_of(outcome->timed_out.limit_ns) : json_null(), "took_ns",
	    timed_out ? number_of(outcome->timed_out.took_ns) : json_null(), "by",
	    text_or_null(outcome->kind == WF_KILLED ? killer_of(outcome->killed.by) : ""), "phase",
	    text_or_null(not_started ? phase_of(outcome->not_started.phase) : ""), "error",
	    text_or_null(not_started && outcome->not_started.error
			     ? strerrorname_np(outcome->not_started.error)
			     : ""),
	    "limit_bytes", limit ? number_of(limit) : json_null(), "stream",
	    outcome->kind == WF_OUTPUT_LIMIT ? json_integer(outcome->output_limit.stream)
					     : json_null(),
	    "violation",
	    outcome->kind == WF_VIOLATION ? refusal_of(&outcome->violation.refusal) : json_null());
}

static json_t *cost_of(const struct wf_outcome *outcome) {
	static const char *const sources[] = { NULL, "worker", "kernel" };

	return json_pack("{so so so so so so so so}", "pid",
			 outcome->pid ? json_integer(outcome->pid) : json_null(), "attempts",
			 number_of(outcome->attempts), "queued_ns", number_of(outcome->queued_ns),
			 "handed_ns", number_of(outcome->handed_ns), "run_ns",
			 number_of(outcome->run_ns), "cpu_ns", number_of(outcome->cpu_ns),
			 "peak_rss_bytes", number_of(outcome->peak_rss), "usage_source",
			 text_or_null(sources[outcome->usage_source]));
}

/* ------------------------------------------------------------------------------------------- */

static json_t *outcome_of(const struct wf_outcome *outcome, const struct run_options *options) {
	json_t *root = json_pack(
	    "{ss so so so so so}", "warmfork", wf_version(), "command", words_of(options->program),
	    "kind", text_of(wf_outcome_kind_name(outcome->kind)), "evidence",
	    text_of(outcome->evidence), "status", json_integer(run_report_status(outcome)),
	    "ending", ending_of(outcome));
	json_t *rest = json_pack("{so so so so so so so so}", "refusals", refusals_of(outcome),
				 "refusals_dropped", number_of(outcome->n_refusals_dropped),
				 "layers", layers_of(outcome->layers), "layers_missing",
				 missing_of(outcome->layers), "process", cost_of(outcome), "stdout",
				 stream_of(&outcome->standard_output, options->capture), "stderr",
				 stream_of(&outcome->standard_error, options->capture), "learned",
				 text_or_null(outcome->learned));

	if (!root || !rest || json_object_update(root, rest) < 0) {
		json_decref(root);
		root = NULL;
	}
	json_decref(rest);
	return root;
}

int run_report_json(const struct wf_outcome *outcome, const struct run_options *options, FILE *to) {
	json_t *root = outcome_of(outcome, options);
	int r = root ? 0 : -ENOMEM;

	if (root &&
	    (json_dumpf(root, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF || fflush(to) != 0))
		r = -EIO;
	json_decref(root);
	return r;
}
