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

struct wf_future;
struct worker;

struct attempt {
	const struct call *call; /* NULL: unknown */
	const struct seccomp_notif *request;
	uint64_t arguments[CALL_ARGUMENTS];
	struct worker *worker;    /* NULL: not known yet */
	struct wf_future *future; /* NULL: its worker has no task now */
	uint16_t port;            /* that it must not reach; 0 */
	char paths[CALL_ARGUMENTS][PATH_MAX];
	const char *read[CALL_ARGUMENTS]; /* NULL: no path, or not readable */
	char wanted[PATH_MAX];            /* absolute; "" */
	uint32_t access;                  /* to `wanted` */
};

/* `request` is borrowed. Who made the call is the listener's to find out. */
void attempt_init(struct attempt *attempt, const struct seccomp_notif *request);
/* The paths in the caller's memory. */
void attempt_read_paths(struct attempt *attempt);
/* The address of a socket that is about to be used. AF_UNSPEC: none. */
void attempt_read_address(const struct attempt *attempt, struct sockaddr_storage *ret);

/* Is it of another ABI: i386, x32? */
bool attempt_is_foreign(const struct attempt *attempt);
/* Would a rule for the path that it names allow it, with the calls that go with it? */
bool attempt_is_about_path(const struct attempt *attempt);
bool attempt_is_about_port(const struct attempt *attempt);
/* Bits that no mode of a sandboxed process may have: the filter sends these calls for that reason. */
bool attempt_asks_for_setid(const struct attempt *attempt);

/* Sets `access`, and `wanted` to the first of its paths that the policy does not name. */
bool attempt_wants_path(struct attempt *attempt, const struct policy *policy);
/* In the network of the host, where Landlock lets only listed ports of TCP through: sets `port` to one that is
 * not. */
bool attempt_wants_port(struct attempt *attempt, const struct policy *policy);
/* Names are made and removed in the directory of `wanted`; and a rule must name what is there. */
bool attempt_is_about_directory(const struct attempt *attempt);

/* "openat", "x32 call 3"; the arguments; the line that would allow it, "" for none. */
void attempt_name(const struct attempt *attempt, char *text, size_t size);
void attempt_arguments(const struct attempt *attempt, char *text, size_t size);
void attempt_line(const struct attempt *attempt, const struct policy *policy, char *text,
		  size_t size);
