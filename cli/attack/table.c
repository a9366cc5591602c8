/* SPDX-License-Identifier: MIT
 *
 * A layer that stops nothing alone may still be worth having, so the table has no score. But a
 * layer that must stop an attack alone and does not is broken, however well another one hides it.
 */
#include "cli/attack/table.h"

#include <errno.h>
#include <jansson.h>

#include "cli/attack/host.h"
#include "cli/attack/policy.h"

static const char *const results[N_ATTACK_RESULTS] = {
	[ATTACK_IS_STOPPED] = "stopped",
	[ATTACK_GOT_THROUGH] = "got through",
	[ATTACK_IS_UNPROVEN] = "unproven",
	[ATTACK_NOT_APPLICABLE] = "not applicable",
};

static const char *const headings[N_ATTACK_LAYERS] = {
	[ATTACK_LANDLOCK] = "land",   [ATTACK_SECCOMP] = "secc", [ATTACK_NAMESPACES] = "name",
	[ATTACK_LIMITS] = "limi",     [ATTACK_CGROUP] = "cgro",  [ATTACK_DESCRIPTOR_LAYER] = "desc",
	[ATTACK_PRIVILEGES] = "priv",
};

/* --- judging ------------------------------------------------------------------------------- */

static bool is_stop(enum attack_verdict verdict) {
	return verdict == ATTACK_STOPPED || verdict == ATTACK_NOTHING;
}

/* For the library's rows, a control shows that the attack was made, not that it succeeds. */
static bool is_proven(const struct attack_row *row) {
	enum attack_verdict control = row->verdicts[ATTACK_CONTROL];

	if (row->attack->flags & ATTACK_LIBRARY)
		return control == ATTACK_STOPPED || control == ATTACK_THROUGH;
	return control == ATTACK_THROUGH;
}

enum attack_result attack_result(const struct attack_row *row) {
	if (row->reason)
		return ATTACK_NOT_APPLICABLE;
	if (!is_proven(row))
		return ATTACK_IS_UNPROVEN;
	/* if the library fails without a policy, it fails with one that forbids the attack too */
	if (row->attack->flags & ATTACK_LIBRARY && row->verdicts[ATTACK_CONTROL] == ATTACK_THROUGH)
		return ATTACK_GOT_THROUGH;
	return is_stop(row->verdicts[ATTACK_POLICY]) ? ATTACK_IS_STOPPED : ATTACK_GOT_THROUGH;
}

static enum attack_verdict alone(const struct attack_row *row, enum attack_layer layer) {
	return row->verdicts[ATTACK_ALONE + (int)layer];
}

bool attack_is_weak(const struct attack_table *table, const struct attack_row *row,
		    enum attack_layer layer) {
	if ((layer == ATTACK_SECCOMP && attack_sanitized()) ||
	    (layer == ATTACK_NAMESPACES && !table->all_namespaces) ||
	    (layer == ATTACK_LANDLOCK && table->landlock < row->attack->landlock))
		return false;
	return !row->reason && row->attack->stops & 1U << layer &&
	       table->in_force[ATTACK_ALONE + (int)layer] && alone(row, layer) != ATTACK_NONE &&
	       !is_stop(alone(row, layer));
}

static void count(const struct attack_table *table, unsigned counts[N_ATTACK_RESULTS]) {
	for (size_t i = 1; i <= ATTACK_ROWS; i++)
		if (table->rows[i].attack)
			counts[attack_result(&table->rows[i])]++;
}

/* --- text ---------------------------------------------------------------------------------- */

static const char *cell(const struct attack_table *table, const struct attack_row *row,
			enum attack_layer layer) {
	if (!table->in_force[ATTACK_ALONE + (int)layer])
		return "-";
	if (alone(row, layer) == ATTACK_NONE)
		return "";
	if (is_stop(alone(row, layer)))
		return "x";
	return attack_is_weak(table, row, layer) ? "!" : ".";
}

static void print_row(const struct attack_table *table, const struct attack_row *row, FILE *to) {
	(void)fprintf(to, "%3u  %-46s  %-14s", row->attack->number, row->attack->title,
		      results[attack_result(row)]);
	if (row->attack->flags & ATTACK_LIBRARY && !row->reason)
		(void)fprintf(to, "  by the library");
	else if (!row->reason && !table->options->quick)
		for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS; layer++)
			(void)fprintf(to, "  %-3s", cell(table, row, layer));
	(void)fputc('\n', to);
}

static void print_heading(const struct attack_table *table, FILE *to) {
	const struct attack_setting *setting = &table->options->setting;

	(void)fprintf(to, "policy: %s%s%s\nlayers: %s\n\n%3s  %-46s  %-14s",
		      setting->preset ? setting->preset : "",
		      setting->preset && setting->policy ? " and " : "",
		      setting->policy ? setting->policy : "", table->layers, "no", "attack",
		      "the policy");
	for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS && !table->options->quick;
	     layer++)
		(void)fprintf(to, " %s", headings[layer]);
	(void)fputc('\n', to);
}

static void print_legend(const struct attack_table *table, FILE *to) {
	if (table->options->quick)
		return;
	(void)fputs("\nOne layer alone:", to);
	for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS; layer++)
		(void)fprintf(to, " %s%s", attack_layer_name(layer),
			      layer + 1 < N_ATTACK_LAYERS ? "," : ".\n");
	(void)fputs(
	    "x: it stops the attack; .: it does not; !: it does not, although it has to;\n"
	    "-: this machine does not have it. An attack without an x is stopped by several "
	    "together.\n",
	    to);
}

/* Prints what needs more than a word. */
static void print_remarks(const struct attack_table *table, FILE *to) {
	(void)fputc('\n', to);
	for (size_t i = 1; i <= ATTACK_ROWS; i++) {
		const struct attack_row *row = &table->rows[i];

		if (!row->attack)
			continue;
		if (row->reason)
			(void)fprintf(to, "%zu is not applicable: %s\n", i, row->reason);
		else if (attack_result(row) == ATTACK_IS_UNPROVEN)
			(void)fprintf(
			    to,
			    "%zu: it did not succeed without any layer, so its row proves "
			    "nothing\n",
			    i);
		for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS; layer++)
			if (attack_is_weak(table, row, layer))
				(void)fprintf(to,
					      "%zu: %s alone does not stop it, although it has "
					      "to\n",
					      i, attack_layer_name(layer));
	}
}

int attack_print(const struct attack_table *table, FILE *to) {
	unsigned counts[N_ATTACK_RESULTS] = { 0 };

	print_heading(table, to);
	for (size_t i = 1; i <= ATTACK_ROWS; i++)
		if (table->rows[i].attack)
			print_row(table, &table->rows[i], to);
	print_legend(table, to);
	print_remarks(table, to);
	count(table, counts);
	(void)fprintf(to, "%u attacks, %u stopped, %u got through, ",
		      counts[ATTACK_IS_STOPPED] + counts[ATTACK_GOT_THROUGH] +
			  counts[ATTACK_IS_UNPROVEN] + counts[ATTACK_NOT_APPLICABLE],
		      counts[ATTACK_IS_STOPPED], counts[ATTACK_GOT_THROUGH]);
	if (counts[ATTACK_IS_UNPROVEN])
		(void)fprintf(to, "%u unproven, ", counts[ATTACK_IS_UNPROVEN]);
	(void)fprintf(to, "%u not applicable\n", counts[ATTACK_NOT_APPLICABLE]);
	return ferror(to) ? -EIO : 0;
}

/* --- JSON ---------------------------------------------------------------------------------- */

static const char *const verdicts[] = {
	[ATTACK_STOPPED] = "stopped",  [ATTACK_THROUGH] = "got through",
	[ATTACK_NOTHING] = "not made", [ATTACK_ERROR] = "error",
	[ATTACK_NONE] = "not tried",
};

/* null if the layer is not in force, or was not tried. */
static json_t *json_alone(const struct attack_table *table, const struct attack_row *row) {
	json_t *object = json_object();

	for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS && object; layer++) {
		bool known =
		    alone(row, layer) != ATTACK_NONE && table->in_force[ATTACK_ALONE + (int)layer];

		(void)json_object_set_new(object, attack_layer_name(layer),
					  known ? json_string(verdicts[alone(row, layer)])
						: json_null());
	}
	return object;
}

static json_t *json_weak(const struct attack_table *table, const struct attack_row *row) {
	json_t *array = json_array();

	for (enum attack_layer layer = 0; layer < N_ATTACK_LAYERS && array; layer++)
		if (attack_is_weak(table, row, layer))
			(void)json_array_append_new(array, json_string(attack_layer_name(layer)));
	return array;
}

static json_t *json_row(const struct attack_table *table, const struct attack_row *row) {
	return json_pack("{s:i, s:s, s:s, s:b, s:s?, s:s, s:s, s:o, s:o}", "number",
			 (int)row->attack->number, "attack", row->attack->title, "result",
			 results[attack_result(row)], "library",
			 (row->attack->flags & ATTACK_LIBRARY) != 0, "reason", row->reason,
			 "control", verdicts[row->verdicts[ATTACK_CONTROL]], "policy",
			 verdicts[row->verdicts[ATTACK_POLICY]], "alone", json_alone(table, row),
			 "weak", json_weak(table, row));
}

static json_t *json_summary(const struct attack_table *table) {
	unsigned counts[N_ATTACK_RESULTS] = { 0 };
	unsigned all = 0;

	count(table, counts);
	for (size_t i = 0; i < N_ATTACK_RESULTS; i++)
		all += counts[i];
	return json_pack("{s:i, s:i, s:i, s:i, s:i}", "attacks", (int)all, "stopped",
			 (int)counts[ATTACK_IS_STOPPED], "got_through",
			 (int)counts[ATTACK_GOT_THROUGH], "unproven",
			 (int)counts[ATTACK_IS_UNPROVEN], "not_applicable",
			 (int)counts[ATTACK_NOT_APPLICABLE]);
}

int attack_print_json(const struct attack_table *table, FILE *to) {
	json_t *rows = json_array(), *root;
	int r = -ENOMEM;

	for (size_t i = 1; i <= ATTACK_ROWS && rows; i++)
		if (table->rows[i].attack &&
		    json_array_append_new(rows, json_row(table, &table->rows[i])) < 0) {
			json_decref(rows);
			rows = NULL;
		}
	root = json_pack("{s:s, s:s?, s:s?, s:s, s:o, s:o}", "warmfork", wf_version(), "preset",
			 table->options->setting.preset, "policy", table->options->setting.policy,
			 "layers", table->layers, "attacks", rows, "summary", json_summary(table));
	if (root)
		r = json_dumpf(root, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF ? -EIO : 0;
	json_decref(root);
	return r;
}
