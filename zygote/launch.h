/* SPDX-License-Identifier: MIT
 *
 * Starts a zygote from the keeper: fork, set up, exec.
 */
#pragma once

#include <sys/types.h>

#include "proto/message.h"

struct launch {
	const struct message_start_zygote *request;
	int control, output, program; /* borrowed; program is -1 for kind module */
	int lifeline;                 /* a read end, which the child reopens */
};

struct launched {
	pid_t pid;
	int pidfd;
	int report; /* read end: a struct launch_failure, or end of file once exec is done */
};

struct launch_failure {
	int error;
	char step[16];
};

/* Returns 0 and *ret, all owned by the caller; or a negative result and an errno in
 * *ret_failure. */
int launch_start(const struct launch *launch, struct launched *ret,
		 struct launch_failure *ret_failure);
