/* SPDX-License-Identifier: MIT
 *
 * One call that was reported to a listener: what was tried, and whether the policy has a rule that
 * covers it. This is good for notes only, because memory behind a pointer may change before the
 * kernel reads it again.
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
	char wanted[PATH_MAX];            /* the first of its paths that no rule covers; "" */
	uint32_t access;                  /* to `wanted` */
	bool in_directory;                /* a rule would have to name the directory of `wanted` */
	uint16_t port;                    /* a port that it may not use; 0 */
};

/* The listener has to find out who made the call. */
void attempt_init(struct attempt *attempt, const struct seccomp_notif *request);
/* Reads what its pointers refer to. Looks at the files it names if a rule for them could allow the
 * call, or if `all` is set. May block on a foreign file system. */
/* Is there anything to look at, in the memory of the caller or in files? Otherwise the request
 * tells everything. */
bool attempt_needs_look(const struct attempt *attempt);
void attempt_look(struct attempt *attempt, const struct policy *policy, bool all);
/* The address of a socket call; AF_UNSPEC: none. May block too. */
void attempt_read_address(const struct attempt *attempt, struct sockaddr_storage *ret);

/* Was the call made through another ABI: i386, x32? */
bool attempt_is_foreign(const struct attempt *attempt);
/* Would a rule for its path, with the calls that go with it, be enough to allow it? */
bool attempt_depends_on_path(const struct attempt *attempt, const struct policy *policy);
bool attempt_is_about_port(const struct attempt *attempt);
/* Does it change a terminal, as far as the policy allows that at all? */
bool attempt_is_about_terminal(const struct attempt *attempt);

/* Print the call ("openat", "x32 call 3"), its arguments, and the policy line that would allow it
 * ("" if none does). */
void attempt_name(const struct attempt *attempt, char *text, size_t size);
void attempt_arguments(const struct attempt *attempt, char *text, size_t size);
void attempt_line(const struct attempt *attempt, const struct policy *policy, char *text,
		  size_t size);
