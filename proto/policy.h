/* SPDX-License-Identifier: MIT
 *
 * A policy as plain data: the executor has validated it, and the zygote turns it into a sandbox.
 * Nothing here decides anything; it is bounded, and every string is an absolute path, an
 * environment entry, or empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/calls.h"

#define LIMIT_POLICY_PATHS       512
#define LIMIT_POLICY_PORTS       64
#define LIMIT_POLICY_CALLS       128 /* by name, in addition to groups */
#define LIMIT_POLICY_ENVIRONMENT 256
/* For all strings together, each with its NUL. Together with the counts above, this ensures that a
 * packed policy always fits into a frame. */
#define LIMIT_POLICY_TEXT ((size_t)32 * 1024)

enum policy_preset { POLICY_PURE = 1, POLICY_STAGE = 2, POLICY_TESTS = 3 };

/* Bits. WRITE and EXECUTE include READ. */
enum policy_access {
	POLICY_READ = 1 << 0,
	POLICY_WRITE = 1 << 1,
	POLICY_EXECUTE = 1 << 2,
	POLICY_DEVICE = 1 << 3,
};

struct policy_path {
	const char
	    *path; /* absolute, without ".", ".." and empty components; may be a symbolic link */
	uint32_t access; /* enum policy_access, or-ed */
	bool optional;   /* from a preset: may not exist on this machine */
};

enum policy_family {
	POLICY_FAMILY_UNIX = 1 << 0,
	POLICY_FAMILY_INET = 1 << 1,
	POLICY_FAMILY_INET6 = 1 << 2,
	POLICY_FAMILY_NETLINK = 1 << 3,
};

/* Bits of policy.layers: namespaces and other layers. */
enum policy_layer {
	LAYER_USER = 1 << 0, /* namespaces */
	LAYER_MOUNT = 1 << 1,
	LAYER_PID = 1 << 2,
	LAYER_NET = 1 << 3,
	LAYER_IPC = 1 << 4,
	LAYER_UTS = 1 << 5,
	LAYER_DESCRIPTORS = 1 << 6,
	LAYER_LIMITS = 1 << 7,
	LAYER_CGROUP = 1 << 8,
	LAYER_IDENTITY = 1 << 9,
	LAYER_CAPABILITIES = 1 << 10,
	LAYER_NO_NEW_PRIVS = 1 << 11,
	LAYER_LANDLOCK = 1 << 12,
	LAYER_SECCOMP = 1 << 13,
	LAYER_SANITIZER = 1 << 14, /* not a layer: the call group for sanitizers is allowed */
};
#define N_LAYERS         15
#define LAYER_NAMESPACES 0x3fu
#define LAYER_ALL        0x3fffu

enum policy_limit {
	POLICY_WALL,      /* ns, of a task */
	POLICY_CPU,       /* ns, of a process */
	POLICY_MEMORY,    /* bytes beyond the image */
	POLICY_PROCESSES, /* of a worker, including itself */
	POLICY_DESCRIPTORS,
	POLICY_FILE_SIZE,
	POLICY_OUTPUT,
	POLICY_SCRATCH,
	N_POLICY_LIMITS,
};
#define POLICY_NO_LIMIT UINT64_MAX

enum policy_report { POLICY_REPORT_NONE = 0, POLICY_REPORT_CALLS = 1, POLICY_REPORT_PATHS = 2 };
enum policy_refusal { POLICY_CONTINUE = 0, POLICY_END = 1 };

struct policy {
	enum policy_preset preset;
	const struct policy_path *paths;
	size_t n_paths;
	uint64_t groups; /* enum call_group, bits */
	const uint16_t *calls;
	size_t n_calls;
	uint32_t families; /* enum policy_family, or-ed */
	const uint16_t *tcp_connect, *tcp_bind;
	size_t n_tcp_connect, n_tcp_bind;
	const char *const *environment; /* "NAME=value": the worker's whole environment */
	size_t n_environment;
	bool has_identity;
	uint32_t uid, gid;
	uint64_t limits[N_POLICY_LIMITS]; /* POLICY_NO_LIMIT: none */
	uint32_t layers;                  /* enum policy_layer, or-ed */
	bool strict;
	enum policy_report report;
	enum policy_refusal on_refusal;
	bool probe_workers; /* every worker shows that its layers hold, not only the first */
	bool learn;         /* nothing is refused; what would have been is noted */
};

/* Returns a static string ("user", "landlock"...); NULL unless `layer` is a single layer. */
const char *policy_layer_name(uint32_t layer);

/* May its tasks call listen(2)? In the network of the host, the kernel gives a port to a socket that
 * listens without one, which Landlock does not judge. */
static inline bool policy_may_listen(const struct policy *policy) {
	return policy->layers & LAYER_NET || policy->n_tcp_bind > 0 ||
	       !(policy->families & (POLICY_FAMILY_INET | POLICY_FAMILY_INET6));
}

/* What a policy may contain; both sides of the wire use this. */
bool policy_path_valid(const char *path);         /* as struct policy_path requires */
bool policy_environment_valid(const char *entry); /* NAME=value */
uint64_t policy_limit_minimum(enum policy_limit limit);

/* Packs into buffer[0 .. capacity). Allocates and frees memory, so it is for the executor, never
 * for a zygote. Returns 0 and *ret_size; MESSAGE_E_TOO_LARGE of message.h (not with WIRE_BODY
 * bytes, if the policy is within the limits above); -ENOMEM. */
int policy_pack(const struct policy *policy, uint8_t *buffer, size_t capacity, size_t *ret_size);

/* Allocates only from `arena`, and points into it. Returns 0; MESSAGE_E_MALFORMED: it does not
 * parse, or breaks a rule of this file; -ENOMEM: the arena is full, and had less than
 * ARENA_MESSAGE. */
int policy_unpack(const uint8_t *body, size_t size, struct arena *arena, struct policy *ret);
