/* SPDX-License-Identifier: MIT
 *
 * Prints a policy as the smallest file that expresses it: what its preset says is left out.
 * libyaml's emitter knows when a value must be quoted, which is more often than one would think.
 */
#include "policy/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/report.h"
#include "policy/document.h"
#include "policy/preset.h"
#include "policy/value.h"

#define COLUMNS   100 /* a list that is longer gets one line per value */
#define MAX_ITEMS LIMIT_POLICY_PATHS
_Static_assert(MAX_ITEMS >= LIMIT_POLICY_CALLS + N_CALL_GROUPS, "the longest list");
_Static_assert(MAX_ITEMS >= LIMIT_POLICY_ENVIRONMENT, "the longest list");

struct printer {
	yaml_emitter_t emitter;
	FILE *stream;
	char *text;
	size_t size;
	int error; /* the first error; nothing more is printed after it */
};

/* --- YAML --- */

static int write_stream(void *context, unsigned char *bytes, size_t size) {
	struct printer *printer = context;

	return fwrite(bytes, 1, size, printer->stream) == size;
}

/* `made`: what the function that created the event returned. */
static void emit(struct printer *printer, yaml_event_t *event, int made) {
	if (printer->error) {
		if (made)
			yaml_event_delete(event);
		return;
	}
	/* The emitter takes the event even if it fails. An event that could not be made is not
	 * UTF-8: the only other thing that can go wrong is memory. */
	if (!made)
		printer->error = -EINVAL;
	else if (!yaml_emitter_emit(&printer->emitter, event))
		printer->error = printer->emitter.error == YAML_EMITTER_ERROR ? -EINVAL : -ENOMEM;
}

static bool has_control(const char *text) {
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static void emit_scalar(struct printer *printer, const char *text) {
	/* other styles would write a newline as a line break */
	yaml_scalar_style_t style =
	    has_control(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
	yaml_event_t event;
	int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
						(int)strlen(text), 1, 1, style);

	emit(printer, &event, made);
}

static void emit_mapping_start(struct printer *printer) {
	yaml_event_t event;
	int made =
	    yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);

	emit(printer, &event, made);
}

static void emit_mapping_end(struct printer *printer) {
	yaml_event_t event;

	emit(printer, &event, yaml_mapping_end_event_initialize(&event));
}

static void emit_list(struct printer *printer, const char *key, const char *const *items,
		      size_t n) {
	size_t columns = strlen(key) + strlen(": []");
	yaml_event_t event;
	int made;

	for (size_t i = 0; i < n; i++)
		columns += strlen(items[i]) + strlen(", ");
	emit_scalar(printer, key);
	made = yaml_sequence_start_event_initialize(
	    &event, NULL, NULL, 1,
	    n > 1 && columns > COLUMNS ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE);
	emit(printer, &event, made);
	for (size_t i = 0; i < n; i++)
		emit_scalar(printer, items[i]);
	emit(printer, &event, yaml_sequence_end_event_initialize(&event));
}

static int printer_open(struct printer *printer) {
	yaml_event_t event;

	*printer = (struct printer){ .error = 0 };
	printer->stream = open_memstream(&printer->text, &printer->size);
	if (!printer->stream)
		return -ENOMEM;
	if (!yaml_emitter_initialize(&printer->emitter)) {
		(void)fclose(printer->stream);
		free(printer->text);
		return -ENOMEM;
	}
	yaml_emitter_set_output(&printer->emitter, write_stream, printer);
	yaml_emitter_set_unicode(&printer->emitter, 1);
	yaml_emitter_set_width(&printer->emitter, -1); /* paths must not be broken across lines */
	emit(printer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(printer, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	emit_mapping_start(printer);
	return 0;
}

/* The caller owns the text. */
static int printer_close(struct printer *printer, char **ret) {
	yaml_event_t event;

	emit_mapping_end(printer);
	emit(printer, &event, yaml_document_end_event_initialize(&event, 1));
	emit(printer, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&printer->emitter);
	if (fclose(printer->stream) != 0 && !printer->error)
		printer->error = -ENOMEM;
	if (printer->error)
		free(printer->text);
	else
		*ret = printer->text;
	return printer->error;
}

int print_line(enum policy_key key, const char *value, char *text, size_t size) {
	struct printer printer;
	char *line = NULL;
	size_t length;
	int r = printer_open(&printer);

	if (r < 0)
		return r;
	emit_list(&printer, key_name(key), &value, 1);
	r = printer_close(&printer, &line);
	if (!line)
		return r;
	length = strcspn(line, "\n");
	r = length < size ? 0 : -EINVAL;
	if (r == 0) {
		memcpy(text, line, length);
		text[length] = '\0';
	}
	free(line);
	return r;
}

/* --- what differs from the preset --- */

struct items {
	const char *texts[MAX_ITEMS];
	size_t n;
	char numbers[LIMIT_POLICY_PORTS][8];
};

/* Is `key` the one that expresses this access? It includes what the others would add. */
static bool is_said_by(uint32_t access, enum policy_key key) {
	if (access & POLICY_DEVICE)
		return key == KEY_DEVICE || (key == KEY_EXECUTE && (access & POLICY_EXECUTE));
	if (key == KEY_READ)
		return access == POLICY_READ;
	return (key == KEY_WRITE && (access & POLICY_WRITE)) ||
	       (key == KEY_EXECUTE && (access & POLICY_EXECUTE));
}

static void collect_paths(const struct wf_policy *policy, enum policy_key key,
			  struct items *items) {
	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct document_path *entry = &policy->paths[i];

		if (entry->given && is_said_by(entry->given, key))
			items->texts[items->n++] = entry->path;
	}
}

static void collect_calls(const struct wf_policy *policy, struct items *items) {
	uint64_t preset = preset_of(policy->preset)->groups;

	for (unsigned i = 0; i < N_CALL_GROUPS; i++)
		if ((policy->groups & ~preset) & (UINT64_C(1) << i))
			items->texts[items->n++] = call_group_name((enum call_group)i);
	for (size_t i = 0; i < policy->calls.n; i++)
		items->texts[items->n++] = call_by_number(policy->calls.numbers[i])->name;
}

static void collect_families(const struct wf_policy *policy, struct items *items) {
	uint32_t more = policy->families & ~preset_of(policy->preset)->families;

	for (; more; more &= more - 1)
		items->texts[items->n++] = value_family_name(more & -more);
}

static void collect_ports(const struct document_numbers *ports, struct items *items) {
	for (; items->n < ports->n; items->n++) {
		char *text = items->numbers[items->n];

		(void)snprintf(text, sizeof items->numbers[0], "%u", ports->numbers[items->n]);
		items->texts[items->n] = text;
	}
}

static void collect_layers(uint32_t layers, struct items *items) {
	for (; layers; layers &= layers - 1)
		items->texts[items->n++] = policy_layer_name(layers & -layers);
}

static void print_items(struct printer *printer, enum policy_key key, const struct items *items) {
	if (items->n)
		emit_list(printer, key_name(key), items->texts, items->n);
}

static void print_path_lists(struct printer *printer, const struct wf_policy *policy,
			     struct items *items) {
	for (int key = KEY_READ; key <= KEY_DEVICE; key++) {
		items->n = 0;
		collect_paths(policy, (enum policy_key)key, items);
		print_items(printer, (enum policy_key)key, items);
	}
}

static void print_environment(struct printer *printer, const struct wf_policy *policy,
			      struct items *items) {
	char *names[LIMIT_POLICY_ENVIRONMENT];
	size_t n_names = 0;

	items->n = 0;
	for (size_t i = 0; i < policy->n_environment; i++) {
		const struct document_variable *variable = &policy->environment[i];

		if (!variable->given || (variable->preset && variable->from_host))
			continue;
		items->texts[items->n] = variable->text;
		if (variable->from_host) { /* only the name: the value may differ elsewhere */
			names[n_names] = strndup(variable->text, variable->name);
			if (!names[n_names] && !printer->error)
				printer->error = -ENOMEM;
			items->texts[items->n] = names[n_names] ? names[n_names] : "";
			n_names++;
		}
		items->n++;
	}
	print_items(printer, KEY_ENVIRONMENT, items);
	while (n_names > 0)
		free(names[--n_names]);
}

static void print_lists(struct printer *printer, const struct wf_policy *policy,
			struct items *items) {
	print_path_lists(printer, policy, items);
	items->n = 0;
	collect_calls(policy, items);
	print_items(printer, KEY_CALLS, items);
	items->n = 0;
	collect_families(policy, items);
	print_items(printer, KEY_SOCKET, items);
	items->n = 0;
	collect_ports(&policy->tcp_connect, items);
	print_items(printer, KEY_TCP_CONNECT, items);
	items->n = 0;
	collect_ports(&policy->tcp_bind, items);
	print_items(printer, KEY_TCP_BIND, items);
	print_environment(printer, policy, items);
}

static void print_single(struct printer *printer, enum policy_key key, const char *value) {
	emit_scalar(printer, key_name(key));
	emit_scalar(printer, value);
}

static void print_limits(struct printer *printer, const struct wf_policy *policy) {
	const uint64_t *preset = preset_of(policy->preset)->limits;
	const uint64_t *limits = policy->view.limits;
	bool any = false;

	for (unsigned i = 0; i < N_POLICY_LIMITS; i++) {
		enum policy_limit limit = (enum policy_limit)i;
		char text[VALUE_SIZE];

		if (limits[i] == preset[i])
			continue;
		if (!any) {
			emit_scalar(printer, "limits");
			emit_mapping_start(printer);
		}
		any = true;
		value_print_limit(limit, limits[i], text);
		emit_scalar(printer,
			    key_name((enum policy_key)(KEY_WALL + i)) + strlen(KEY_LIMITS));
		emit_scalar(printer, text);
	}
	if (any)
		emit_mapping_end(printer);
}

/* An empty list means none of them. */
static void print_layers(struct printer *printer, enum policy_key key, uint32_t layers,
			 uint32_t all, struct items *items) {
	if ((layers & all) == all)
		return;
	items->n = 0;
	collect_layers(layers & all, items);
	emit_list(printer, key_name(key), items->texts, items->n);
}

static void print_behaviour(struct printer *printer, const struct wf_policy *policy) {
	static const char *const reports[] = { "none", "calls", "paths" };
	static const char *const refusals[] = { "continue", "end" };
	const struct preset *preset = preset_of(policy->preset);
	const struct policy *view = &policy->view;

	if (!view->strict)
		print_single(printer, KEY_STRICT, "no");
	if (view->report != preset->report)
		print_single(printer, KEY_REPORT, reports[view->report]);
	if (view->on_refusal != preset->on_refusal)
		print_single(printer, KEY_ON_REFUSAL, refusals[view->on_refusal]);
	if (view->probe_workers)
		print_single(printer, KEY_PROBE, "worker");
}

static void print_policy(struct printer *printer, const struct wf_policy *policy,
			 struct items *items) {
	char identity[VALUE_SIZE];

	print_single(printer, KEY_PRESET, preset_of(policy->preset)->name);
	print_lists(printer, policy, items);
	if (policy->view.has_identity) {
		(void)snprintf(identity, sizeof identity, "%u:%u", policy->uid, policy->gid);
		print_single(printer, KEY_IDENTITY, identity);
	}
	print_limits(printer, policy);
	print_layers(printer, KEY_NAMESPACES, policy->view.layers, LAYER_NAMESPACES, items);
	print_layers(printer, KEY_LAYERS, policy->view.layers, LAYER_ALL & ~LAYER_NAMESPACES,
		     items);
	print_behaviour(printer, policy);
}

int wf_policy_print(const struct wf_policy *policy, char **ret) {
	struct printer printer;
	struct items *items;
	int r;

	if (!policy || !ret)
		return report_error(-EINVAL, "wf_policy_print(): policy or ret is NULL");
	items = malloc(sizeof *items);
	r = items ? printer_open(&printer) : -ENOMEM;
	if (r == 0) {
		print_policy(&printer, policy, items);
		r = printer_close(&printer, ret);
	}
	free(items);
	if (r == -EINVAL)
		return report_error(r, "policy: a path or a variable is not UTF-8 and cannot be "
				       "written as YAML; rename it, or set it with "
				       "wf_policy_add()");
	return r < 0 ? report_internal(r, "printing a policy") : 0;
}
