/* SPDX-License-Identifier: MIT
 *
 * What all attempts came to, and how it is told.
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
	const struct attack *attack; /* NULL: not asked for */
	const char *reason;          /* why it is not applicable */
	enum attack_verdict verdicts[N_ATTACK_COLUMNS];
};

struct attack_table {
	const struct attack_options *options;
	struct attack_row rows[ATTACK_ROWS + 1];
	bool in_force[N_ATTACK_COLUMNS];
	/* Is the layer as it should be? Of namespaces all, and this ABI of Landlock. */
	bool all_namespaces;
	int landlock;
	char layers[512]; /* of the whole policy, as an outcome has them */
};

enum attack_result attack_result(const struct attack_row *row);
/* Whether a layer alone did not stop what it must. */
bool attack_is_weak(const struct attack_table *table, const struct attack_row *row,
		    enum attack_layer layer);

/* 0, -ENOMEM, or -EIO: `to` does not take it. */
int attack_print(const struct attack_table *table, FILE *to);
int attack_print_json(const struct attack_table *table, FILE *to);
