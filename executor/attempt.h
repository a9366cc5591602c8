/* SPDX-License-Identifier: MIT
 *
 * One call that a listener was told of: what was tried, and whether the policy has a rule that covers it.
 *
 * All of it is for notes. What a pointer leads to may change before the kernel looks at it again.
 */
#pragma once

#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/calls.h"
#include "proto/policy.h"

struct attempt {
	const struct call *call; /* NULL: unknown */
	struct seccomp_notif request;
	uint64_t arguments[CALL_ARGUMENTS];

	/* what attempt_look() found */
	char paths[CALL_ARGUMENTS][PATH_MAX];
	const char *read[CALL_ARGUMENTS]; /* NULL: no path, or not readable */
	char wanted[PATH_MAX]; /* the first of its paths that the policy does not name; "" */
	uint32_t access;       /* to `wanted` */
	bool in_directory;     /* a rule would have to name the directory of `wanted` */
	uint16_t port;         /* that it must not reach; 0 */
};

/* Who made the call is the listener's to find out. */
void attempt_init(struct attempt *attempt, const struct seccomp_notif *request);
/* Reads what its pointers lead to, and looks at the files that it names, if a rule for them could
 * allow it or with `all`. May block on somebody else's file system. */
void attempt_look(struct attempt *attempt, const struct policy *policy, bool all);
/* The address of a socket that is about to be used. AF_UNSPEC: none. May block likewise. */
void attempt_read_address(const struct attempt *attempt, struct sockaddr_storage *ret);

/* Is it of another ABI: i386, x32? */
bool attempt_is_foreign(const struct attempt *attempt);
/* Would a rule for the path that it names be enough, with the calls that go with it? */
bool attempt_depends_on_path(const struct attempt *attempt, const struct policy *policy);
bool attempt_is_about_port(const struct attempt *attempt);

/* "openat", "x32 call 3"; the arguments; the line that would allow it, "" for none. */
void attempt_name(const struct attempt *attempt, char *text, size_t size);
void attempt_arguments(const struct attempt *attempt, char *text, size_t size);
void attempt_line(const struct attempt *attempt, const struct policy *policy, char *text,
		  size_t size);
