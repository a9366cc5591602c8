/* SPDX-License-Identifier: MIT
 *
 * The rows that take one part of the library alone: the freeze, and the child of the fork.
 */
#include "rows.h"

static const struct row *const rows[] = {
	&fork_frozen_4g, &fork_unfrozen_1g, &fork_dirty16_1g, &child_overhead, &spawn_static, NULL,
};

int main(int argc, char **argv) {
	return measure_main(argc, argv, rows);
}
