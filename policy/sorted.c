/* SPDX-License-Identifier: MIT
 *
 * The lists of a policy: sorted, without duplicates, and bounded before anything is allocated.
 */
#include "policy/sorted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_fits(const struct wf_policy *policy, size_t more) {
	return more <= LIMIT_POLICY_TEXT && policy->text <= LIMIT_POLICY_TEXT - more;
}

int sorted_insert_path(struct wf_policy *policy, const char *path, uint32_t given,
		       uint32_t preset) {
	size_t at = 0, size = strlen(path) + 1;
	struct document_path *entry;
	char *copy;
	int order = 1;

	while (at < policy->n_paths && (order = strcmp(policy->paths[at].path, path)) < 0)
		at++;
	entry = &policy->paths[at];
	if (at == policy->n_paths || order != 0) {
		if (policy->n_paths == LIMIT_POLICY_PATHS || !text_fits(policy, size))
			return -E2BIG;
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
		memmove(entry + 1, entry, (policy->n_paths - at) * sizeof *entry);
		*entry = (struct document_path){ .path = copy };
		policy->n_paths++;
		policy->text += size;
	}
	entry->given |= given;
	entry->preset |= preset;
	return 0;
}

int sorted_insert_number(struct document_numbers *numbers, uint16_t number) {
	size_t at = 0;

	while (at < numbers->n && numbers->numbers[at] < number)
		at++;
	if (at < numbers->n && numbers->numbers[at] == number)
		return 0;
	if (numbers->n == numbers->limit)
		return -E2BIG;
	memmove(&numbers->numbers[at + 1], &numbers->numbers[at],
		(numbers->n - at) * sizeof numbers->numbers[0]);
	numbers->numbers[at] = number;
	numbers->n++;
	return 0;
}

/* Compares like strcmp() of the names. */
static int compare_names(const struct document_variable *a, const struct document_variable *b) {
	size_t shorter = a->name < b->name ? a->name : b->name;
	int order = memcmp(a->text, b->text, shorter);

	return order ? order : (a->name > b->name) - (a->name < b->name);
}

static int replace_variable(struct wf_policy *policy, struct document_variable *old,
			    const struct document_variable *new) {
	size_t old_size = strlen(old->text) + 1, size = strlen(new->text) + 1;
	char *copy;

	if (size > old_size && !text_fits(policy, size - old_size))
		return -E2BIG;
	copy = strdup(new->text);
	if (!copy)
		return -ENOMEM;
	free(old->text);
	policy->text = policy->text - old_size + size;
	old->text = copy;
	old->from_host = new->from_host;
	return 0;
}

static int insert_new_variable(struct wf_policy *policy, size_t at,
			       const struct document_variable *variable) {
	struct document_variable *entry = &policy->environment[at];
	size_t size = strlen(variable->text) + 1;
	char *copy;

	if (policy->n_environment == LIMIT_POLICY_ENVIRONMENT || !text_fits(policy, size))
		return -E2BIG;
	copy = strdup(variable->text);
	if (!copy)
		return -ENOMEM;
	memmove(entry + 1, entry, (policy->n_environment - at) * sizeof *entry);
	*entry = *variable;
	entry->text = copy;
	policy->n_environment++;
	policy->text += size;
	return 0;
}

int sorted_insert_variable(struct wf_policy *policy, const struct document_variable *variable) {
	struct document_variable *entry;
	size_t at = 0;
	int order = 1, r = 0;

	while (at < policy->n_environment &&
	       (order = compare_names(&policy->environment[at], variable)) < 0)
		at++;
	if (at == policy->n_environment || order != 0)
		return insert_new_variable(policy, at, variable);
	entry = &policy->environment[at];
	if (variable->given)
		r = replace_variable(policy, entry, variable);
	if (r == 0) {
		entry->given |= variable->given;
		entry->preset |= variable->preset;
	}
	return r;
}

int sorted_insert_environment(struct wf_policy *policy, const char *text, bool of_preset) {
	struct document_variable variable = { .given = !of_preset, .preset = of_preset };
	const char *host = NULL;
	char *made = NULL;
	int r;

	variable.name = strcspn(text, "=");
	variable.from_host = text[variable.name] == '\0';
	if (variable.from_host)
		host = getenv(text);
	if (asprintf(&made, "%s%s%s", text, host ? "=" : "", host ? host : "") < 0)
		return -ENOMEM;
	variable.text = made;
	r = sorted_insert_variable(policy, &variable);
	free(made);
	return r;
}
