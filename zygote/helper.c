/* SPDX-License-Identifier: MIT
 *
 * The helper program becomes the keeper, or a zygote for modules.
 */
#include "zygote/helper.h"

#include <stdio.h>
#include <string.h>

#include "zygote/keeper.h"
#include "zygote/zygote.h"

int wf_private_helper_main(int argc, char **argv) {
	const char *role = argc > 1 ? argv[1] : "";

	if (strcmp(role, "keeper") == 0)
		keeper_run(argc, argv);
	if (strcmp(role, "zygote") == 0)
		zygote_run_module(argc, argv);
	(void)fprintf(
	    stderr,
	    "warmfork-zygote is started by the warmfork library; it cannot be used by hand\n");
	return 2;
}
