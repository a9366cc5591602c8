/* SPDX-License-Identifier: MIT
 *
 * A policy as it was given.
 *
 * A policy remembers what came from its preset and what was given beyond it. So a larger preset can
 * replace a smaller one at any time, whatever the order of the keys in a file, and the smallest
 * file is printed.
 *
 * Lists are sorted and have no two entries for the same thing, so two policies can be compared, and
 * of two paths the outer comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <warmfork/policy.h>

#include "policy/key.h"
#include "proto/calls.h"
#include "proto/policy.h"

struct document_path {
	char *path;
	uint32_t given, preset; /* enum policy_access, or-ed */
};

struct document_variable {
	char *text;  /* NAME=value; NAME alone: not set in the executor's process */
	size_t name; /* its length */
	bool given, preset;
	bool from_host; /* the value comes from the executor's process */
};

struct document_numbers {
	uint16_t numbers[LIMIT_POLICY_CALLS];
	size_t n, limit;
};

struct wf_policy {
	enum policy_preset preset; /* 0: not known yet */
	struct document_path paths[LIMIT_POLICY_PATHS];
	size_t n_paths;
	struct document_variable environment[LIMIT_POLICY_ENVIRONMENT];
	size_t n_environment;
	size_t text; /* bytes of all strings, with their NULs */

	/* as given; preset.c has the preset's */
	uint32_t set; /* 1 << enum policy_key, for keys with one value, and for layers */
	uint64_t groups;
	uint32_t families;
	struct document_numbers calls, tcp_connect, tcp_bind;
	uint32_t uid, gid;
	uint64_t limits[N_POLICY_LIMITS];
	uint32_t namespaces, layers;
	bool strict, probe_workers;
	enum policy_report report;
	enum policy_refusal on_refusal;

	/* the result: document_settle() */
	struct policy view;
	struct policy_path view_paths[LIMIT_POLICY_PATHS];
	const char *view_environment[LIMIT_POLICY_ENVIRONMENT];
};
_Static_assert(LIMIT_POLICY_PORTS <= LIMIT_POLICY_CALLS, "ports and calls share a list");

struct wf_policy *document_blank(void); /* without a preset; NULL: out of memory */
void document_settle(struct wf_policy *policy);

/* The resulting policy, including the preset. Borrowed until the policy changes or is freed. */
const struct policy *document_view(const struct wf_policy *policy);

static inline bool document_is_set(const struct wf_policy *policy, enum policy_key key) {
	return policy->set & KEY_BIT(key);
}

/* NULL: out of memory. A copy of NULL is NULL. */
struct wf_policy *document_copy(const struct wf_policy *policy);

/* Do they have the same result? Both may be NULL. */
bool document_equal(const struct wf_policy *a, const struct wf_policy *b);

/* Checks for two keys that contradict each other: returns the sentence about *ret_key, or NULL. */
const char *document_conflict(const struct wf_policy *policy, enum policy_key *ret_key);

/* Checks for keys that are valid alone, but not together. wf_policy_parse() does this last, and an
 * executor first, because wf_policy_add() takes keys in any order. Returns 0 or -EINVAL,
 * reported. */
int document_check(const struct wf_policy *policy);
