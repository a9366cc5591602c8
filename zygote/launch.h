/* SPDX-License-Identifier: MIT
 *
 * From keeper to zygote: fork, set up, exec.
 */
#pragma once

#include <sys/types.h>

#include "proto/message.h"

struct launch {
	const struct message_start_zygote *request;
	int control, output, program; /* borrowed; program -1 for kind module */
	int lifeline;                 /* a read end; it is opened anew */
};

struct launched {
	pid_t pid;
	int pidfd;
	int report; /* read end: a struct launch_failure, or the end of the stream when exec is
		       * done */
};

struct launch_failure {
	int error;
	char step[16];
};

/* 0 and *ret, all owned by the caller; or an errno in *ret_failure and a negative result. */
int launch_start(const struct launch *launch, struct launched *ret,
		 struct launch_failure *ret_failure);
