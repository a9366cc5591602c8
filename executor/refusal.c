/* SPDX-License-Identifier: MIT
 *
 * A task may retry a refused call forever, so refusals of the same call are counted, not listed
 * again.
 */
#include "executor/refusal.h"

#include <stdlib.h>
#include <string.h>

/* Addresses in the arguments change from try to try, so refusals are told apart by call, path and
 * remedy. */
static bool is_same(const struct wf_refusal *a, const struct wf_refusal *b) {
	return a->error == b->error && strcmp(a->call, b->call) == 0 &&
	       strcmp(a->path, b->path) == 0 && strcmp(a->allow, b->allow) == 0 &&
	       (a->path[0] != '\0' || strcmp(a->arguments, b->arguments) == 0);
}

static void refusal_free(struct wf_refusal *refusal) {
	const char *const strings[] = { refusal->call, refusal->arguments, refusal->path,
					refusal->allow };

	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		free((void *)(uintptr_t)strings[i]);
}

static bool refusal_copy(struct wf_refusal *to, const struct wf_refusal *from) {
	*to = *from;
	to->call = strdup(from->call);
	to->arguments = strdup(from->arguments);
	to->path = strdup(from->path);
	to->allow = strdup(from->allow);
	to->count = 1;
	if (to->call && to->arguments && to->path && to->allow)
		return true;
	refusal_free(to);
	return false;
}

void refusals_add(struct refusals *refusals, const struct wf_refusal *refusal) {
	for (size_t i = 0; i < refusals->n; i++)
		if (is_same(&refusals->list[i], refusal)) {
			refusals->list[i].count++;
			return;
		}
	if (!refusals->list)
		refusals->list = calloc(WF_MAX_REFUSALS, sizeof refusals->list[0]);
	if (!refusals->list || refusals->n == WF_MAX_REFUSALS ||
	    !refusal_copy(&refusals->list[refusals->n], refusal)) {
		refusals->n_dropped++;
		return;
	}
	refusals->n++;
}

void refusals_end(struct refusals *refusals, const struct wf_refusal *refusal) {
	if (!refusals->has_ending)
		refusals->has_ending = refusal_copy(&refusals->ending, refusal);
}

void refusals_clear(struct refusals *refusals) {
	if (refusals->has_ending)
		refusal_free(&refusals->ending);
	for (size_t i = 0; i < refusals->n; i++)
		refusal_free(&refusals->list[i]);
	free(refusals->list);
	*refusals = (struct refusals){ .n = 0 };
}
