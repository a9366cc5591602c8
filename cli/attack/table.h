/* SPDX-License-Identifier: MIT
 *
 * The results of all attempts, and their output.
 */
#pragma once

#include <stdio.h>

#include "cli/attack/attack.h"
#include "cli/attack/options.h"

enum attack_result {
	ATTACK_IS_STOPPED,
	ATTACK_GOT_THROUGH,
	ATTACK_IS_UNPROVEN, /* its control did not succeed; counted as through */
	ATTACK_NOT_APPLICABLE,
	N_ATTACK_RESULTS,
};

struct attack_row {
	const struct attack *attack; /* NULL if not selected */
	const char *reason;          /* why it is not applicable */
	enum attack_verdict verdicts[N_ATTACK_COLUMNS];
};

struct attack_table {
	const struct attack_options *options;
	struct attack_row rows[ATTACK_ROWS + 1];
	bool in_force[N_ATTACK_COLUMNS];
	/* Whether the layer is complete: all namespaces, and this ABI of Landlock. */
	bool all_namespaces;
	int landlock;
	char layers[512]; /* of the whole policy, as in an outcome */
};

enum attack_result attack_result(const struct attack_row *row);
/* Tells whether a layer alone did not stop what it must. */
bool attack_is_weak(const struct attack_table *table, const struct attack_row *row,
		    enum attack_layer layer);

/* Returns 0, -ENOMEM, or -EIO if writing to `to` failed. */
int attack_print(const struct attack_table *table, FILE *to);
int attack_print_json(const struct attack_table *table, FILE *to);
