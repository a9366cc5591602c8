/* SPDX-License-Identifier: MIT
 *
 * The command line of `warmfork attack`.
 */
#pragma once

#include "cli/attack/attack.h"
#include "cli/command.h"

#define ATTACK_ROWS 97

/* Internal: passed by the command when it starts itself again. */
#define ATTACK_STAND_IN "stand-in" /* do nothing until stdin ends */
#define ATTACK_INNER    "inner"    /* one row, whose verdict is the exit status */

/* ROW:COLUMN:ROOT. */
struct attack_inner {
	unsigned number;
	int column;
	const char *root; /* the ground to adopt; "" if it makes its own and is contained */
};

struct attack_options {
	struct attack_setting setting;
	bool only[ATTACK_ROWS + 1]; /* by number; [0] for all */
	bool quick;                 /* tries no layer alone */
	bool json;
	bool stand_in, is_inner;
	struct attack_inner inner;
};

/* Returns false if the command is over, with *ret_status; any error has been reported then. */
bool attack_options_parse(int argc, char **argv, struct attack_options *ret,
			  enum command_status *ret_status);
