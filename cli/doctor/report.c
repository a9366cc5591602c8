/* SPDX-License-Identifier: MIT
 *
 * The text is made of reports, one for each section, because there are more findings than one
 * report holds. In JSON each finding is an object, unlike a fact of a report.
 */
#include "cli/doctor/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/doctor/verdict.h"
#include "cli/report.h"

static const struct {
	enum finding_user user;
	const char *key, *label;
} users[] = {
	{ USER_PLAIN, "plain", "plain pools" },
	{ USER_SANDBOX, "sandbox", "strict sandboxes" },
	{ USER_TESTS, "tests", "the preset tests" },
};
#define N_USERS (sizeof users / sizeof users[0])

#define TEXT 2048

/* --- for people ---------------------------------------------------------------------------- */

static void add_text(char *text, const char *before, const char *more) {
	size_t length = strlen(text);

	if (more[0])
		(void)snprintf(text + length, TEXT - length, "%s%s", before, more);
}

/* The state "here" is left out, unless the finding has no value. */
static void tell_finding(struct report *report, const struct finding *finding) {
	char text[TEXT] = "";

	if (finding->state == FINDING_HERE) {
		add_text(text, "", finding->value[0] ? finding->value : "here");
	} else {
		add_text(text, "", finding_state_name(finding->state));
		add_text(text, ": ", finding->value);
	}
	add_text(text, "\ncosts: ", finding->costs);
	add_text(text, "\nto get it: ", finding->remedy);
	report_text(report, REPORT_TEXT, finding->key, finding->label, text);
}

static int print_section(const struct findings *findings, size_t *i, FILE *to) {
	const char *section = findings->list[*i].section;
	struct report report = { .n = 0 };
	int r;

	report_section(&report, section);
	for (; *i < findings->n && strcmp(findings->list[*i].section, section) == 0; ++*i)
		tell_finding(&report, &findings->list[*i]);
	r = report_print(&report, to);
	report_clear(&report);
	return r == 0 && fputc('\n', to) == EOF ? -EIO : r;
}

static const char *before_lack(const struct verdict *verdict, size_t i) {
	if (i > 0)
		return ", ";
	return verdict->kind == VERDICT_REFUSED ? " for lack of: " : ": ";
}

static void tell_verdict(struct report *report, const struct findings *findings, size_t i) {
	const struct verdict verdict = verdict_for(findings, users[i].user);
	char text[TEXT] = "";

	add_text(text, "", verdict_name(verdict.kind));
	for (size_t j = 0; j < verdict.n_lacks; j++)
		add_text(text, before_lack(&verdict, j), verdict.lacks[j]->label);
	report_text(report, REPORT_TEXT, users[i].key, users[i].label, text);
}

int doctor_print(const struct findings *findings, FILE *to) {
	struct report report = { .n = 0 };
	int r = 0;

	for (size_t i = 0; i < findings->n && r == 0;)
		r = print_section(findings, &i, to);
	report_section(&report, "verdict");
	for (size_t i = 0; i < N_USERS; i++)
		tell_verdict(&report, findings, i);
	if (r == 0)
		r = report_print(&report, to);
	report_clear(&report);
	return r;
}

/* --- for programs -------------------------------------------------------------------------- */

static json_t *json_text(const char *text) {
	return text[0] ? json_string(text) : json_null();
}

static json_t *json_finding(const struct finding *finding) {
	return json_pack("{s:s, s:o, s:o, s:o}", "state", finding_state_name(finding->state),
			 "value", json_text(finding->value), "costs", json_text(finding->costs),
			 "remedy", json_text(finding->remedy));
}

static json_t *json_verdict(const struct verdict *verdict) {
	json_t *lacks = json_array();

	for (size_t i = 0; i < verdict->n_lacks; i++)
		if (json_array_append_new(lacks, json_sprintf("%s.%s", verdict->lacks[i]->section,
							      verdict->lacks[i]->key)) < 0) {
			json_decref(lacks);
			return NULL;
		}
	return json_pack("{s:s, s:o}", "state", verdict_name(verdict->kind), "lacks", lacks);
}

/* Takes ownership of `fact`, which may be NULL. */
static bool put(json_t *root, const char *section, const char *key, json_t *fact) {
	json_t *members = json_object_get(root, section);

	if (!members) {
		members = json_object();
		if (json_object_set_new(root, section, members) < 0) {
			json_decref(fact);
			return false;
		}
	}
	return json_object_set_new(members, key, fact) == 0;
}

int doctor_print_json(const struct findings *findings, FILE *to) {
	json_t *root = json_object();
	bool whole = root != NULL;
	int r = -ENOMEM;

	for (size_t i = 0; i < findings->n && whole; i++)
		whole = put(root, findings->list[i].section, findings->list[i].key,
			    json_finding(&findings->list[i]));
	for (size_t i = 0; i < N_USERS && whole; i++) {
		const struct verdict verdict = verdict_for(findings, users[i].user);

		whole = put(root, "verdict", users[i].key, json_verdict(&verdict));
	}
	if (whole)
		r = json_dumpf(root, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF ? -EIO : 0;
	json_decref(root);
	return r;
}
