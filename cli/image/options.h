/* SPDX-License-Identifier: MIT
 *
 * The command line of `warmfork image`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <warmfork/executor.h>

#include "cli/command.h"

struct image_options {
	const char *module;
	const char *argument; /* NULL if there is none */
	unsigned waive;       /* enum wf_audit, or-ed */
	enum wf_freeze freeze;
	unsigned forks; /* a multiple of FORKS_COUNTED */
	int preload_timeout_ms;
	bool json;
};

/* Returns false if the command is over, with *ret_status; any error has been reported then. */
bool image_options_parse(int argc, char **argv, struct image_options *ret,
			 enum command_status *ret_status);

/* The words for --waive that would allow what a refusal names ("threads,locks"), truncated to
 * `size`; empty if there are none. */
void image_options_waivers(const char *refusal, char *ret, size_t size);
