/* SPDX-License-Identifier: MIT
 *
 * How a policy gets into the zygote. What the executor has validated is validated again on arrival,
 * so that the code that builds a sandbox can rely on every rule of policy.h: code that opens paths
 * and compiles filters is the wrong place to find out that a number is too large.
 */
#include "proto/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "proto/message.h"
#include "proto/packed.h"
#include "proto/warmfork.pb-c.h"

#define POLICY_ACCESS_ALL (POLICY_READ | POLICY_WRITE | POLICY_EXECUTE | POLICY_DEVICE)
#define POLICY_FAMILY_ALL                                                                          \
	(POLICY_FAMILY_UNIX | POLICY_FAMILY_INET | POLICY_FAMILY_INET6 | POLICY_FAMILY_NETLINK)
#define POLICY_NO_ID UINT32_MAX /* (uid_t)-1 leaves an identity as it is */

const char *policy_layer_name(uint32_t layer) {
	static const char *const names[N_LAYERS] = {
		"user",         "mount",        "pid",      "net",     "ipc",
		"uts",          "descriptors",  "limits",   "cgroup",  "identity",
		"capabilities", "no_new_privs", "landlock", "seccomp", "sanitizer",
	};

	for (unsigned i = 0; i < N_LAYERS; i++)
		if (layer == UINT32_C(1) << i)
			return names[i];
	return NULL;
}

/* --- rules --- */

static bool is_dots(const char *component, size_t size) {
	return size <= 2 && memcmp(component, "..", size) == 0;
}

bool policy_path_valid(const char *path) {
	const char *at = path;

	if (path[0] != '/' || strnlen(path, LIMIT_PATH) == LIMIT_PATH)
		return false;
	if (path[1] == '\0')
		return true;
	while (*at) {
		size_t size = strcspn(at + 1, "/");

		if (is_dots(at + 1, size)) /* or an empty one */
			return false;
		at += 1 + size;
	}
	return true;
}

bool policy_environment_valid(const char *entry) {
	return entry[0] != '=' && strchr(entry, '=') != NULL;
}

uint64_t policy_limit_minimum(enum policy_limit limit) {
	switch (limit) {
	case POLICY_FILE_SIZE:
	case POLICY_OUTPUT:
		return 0; /* nothing may be written */
	case POLICY_DESCRIPTORS:
		return 16; /* a worker's streams, channel and cells, and what a loader opens */
	case POLICY_WALL:
	case POLICY_CPU:
	case POLICY_PROCESSES:
		return 1;
	case POLICY_MEMORY:
		/* with less, a worker could not even report that it is out of memory */
		return UINT64_C(1) << 20;
	case POLICY_SCRATCH:
		return 4096; /* a tmpfs rounds up to a page, and takes 0 as no limit */
	case N_POLICY_LIMITS:
	default:
		return 0;
	}
}

/* --- packing --- */

struct packing {
	Warmfork__V1__Policy policy;
	Warmfork__V1__PolicyPath paths[LIMIT_POLICY_PATHS];
	Warmfork__V1__PolicyPath *path_pointers[LIMIT_POLICY_PATHS];
	uint32_t calls[LIMIT_POLICY_CALLS];
	uint32_t tcp_connect[LIMIT_POLICY_PORTS];
	uint32_t tcp_bind[LIMIT_POLICY_PORTS];
};

static uint32_t *widen(const uint16_t *in, size_t n, size_t limit, uint32_t *out) {
	must(n <= limit);
	for (size_t i = 0; i < n; i++)
		out[i] = in[i];
	return out;
}

static void fill_lists(const struct policy *in, struct packing *packing) {
	Warmfork__V1__Policy *out = &packing->policy;

	must(in->n_paths <= LIMIT_POLICY_PATHS);
	for (size_t i = 0; i < in->n_paths; i++) {
		warmfork__v1__policy_path__init(&packing->paths[i]);
		packing->paths[i].path = packed_borrow(in->paths[i].path);
		packing->paths[i].access = in->paths[i].access;
		packing->paths[i].optional = in->paths[i].optional;
		packing->path_pointers[i] = &packing->paths[i];
	}
	out->n_paths = in->n_paths;
	out->paths = packing->path_pointers;
	out->n_calls = in->n_calls;
	out->calls = widen(in->calls, in->n_calls, LIMIT_POLICY_CALLS, packing->calls);
	out->n_tcp_connect = in->n_tcp_connect;
	out->tcp_connect =
	    widen(in->tcp_connect, in->n_tcp_connect, LIMIT_POLICY_PORTS, packing->tcp_connect);
	out->n_tcp_bind = in->n_tcp_bind;
	out->tcp_bind = widen(in->tcp_bind, in->n_tcp_bind, LIMIT_POLICY_PORTS, packing->tcp_bind);
	out->n_environment = in->n_environment;
	out->environment = packed_borrow(in->environment);
	out->n_limits = N_POLICY_LIMITS;
	out->limits = packed_borrow(in->limits);
}

static void fill(const struct policy *in, struct packing *packing) {
	Warmfork__V1__Policy *out = &packing->policy;

	warmfork__v1__policy__init(out);
	fill_lists(in, packing);
	out->preset = (uint32_t)in->preset;
	out->groups = in->groups;
	out->families = in->families;
	out->has_identity = in->has_identity;
	out->uid = in->uid;
	out->gid = in->gid;
	out->layers = in->layers;
	out->strict = in->strict;
	out->report = (uint32_t)in->report;
	out->on_refusal = (uint32_t)in->on_refusal;
	out->probe_workers = in->probe_workers;
	out->learn = in->learn;
}

int policy_pack(const struct policy *policy, uint8_t *buffer, size_t capacity, size_t *ret_size) {
	struct packing *packing = malloc(sizeof *packing); /* too large for a small stack */
	int r = MESSAGE_E_TOO_LARGE;

	if (!packing)
		return error_origin(-ENOMEM);
	fill(policy, packing);
	if (warmfork__v1__policy__get_packed_size(&packing->policy) <= capacity) {
		*ret_size = warmfork__v1__policy__pack(&packing->policy, buffer);
		r = 0;
	}
	free(packing);
	return r;
}

/* --- unpacking --- */

static bool count_text(const char *text, size_t *total) {
	*total += strlen(text) + 1;
	return *total <= LIMIT_POLICY_TEXT;
}

static int read_paths(const Warmfork__V1__Policy *in, size_t *text, struct arena *arena,
		      struct policy *out) {
	struct policy_path *paths;

	if (in->n_paths > LIMIT_POLICY_PATHS)
		return MESSAGE_E_MALFORMED;
	paths = arena_allocate(arena, in->n_paths * sizeof *paths);
	if (!paths)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_paths; i++) {
		const Warmfork__V1__PolicyPath *path = in->paths[i];

		if (!policy_path_valid(path->path) || !path->access ||
		    (path->access & ~(uint32_t)POLICY_ACCESS_ALL) || !count_text(path->path, text))
			return MESSAGE_E_MALFORMED;
		paths[i].path = path->path;
		paths[i].access = path->access;
		paths[i].optional = path->optional;
	}
	out->paths = paths;
	out->n_paths = in->n_paths;
	return 0;
}

static bool environment_read(const Warmfork__V1__Policy *in, size_t *text, struct policy *out) {
	if (in->n_environment > LIMIT_POLICY_ENVIRONMENT)
		return false;
	for (size_t i = 0; i < in->n_environment; i++)
		if (!policy_environment_valid(in->environment[i]) ||
		    !count_text(in->environment[i], text))
			return false;
	out->environment = (const char *const *)in->environment;
	out->n_environment = in->n_environment;
	return true;
}

static bool call_holds(uint32_t number) {
	const struct call *call = call_by_number(number);

	return call && call->group != CALLS_NEVER;
}

static bool port_holds(uint32_t port) {
	return port >= 1 && port <= UINT16_MAX;
}

static int read_numbers(const uint32_t *in, size_t n, size_t limit, bool (*holds)(uint32_t),
			struct arena *arena, const uint16_t **ret) {
	uint16_t *out;

	if (n > limit)
		return MESSAGE_E_MALFORMED;
	out = arena_allocate(arena, n * sizeof *out);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!holds(in[i]))
			return MESSAGE_E_MALFORMED;
		out[i] = (uint16_t)in[i];
	}
	*ret = out;
	return 0;
}

static int read_lists(const Warmfork__V1__Policy *in, struct arena *arena, struct policy *out) {
	size_t text = 0;
	int r;

	out->n_calls = in->n_calls;
	out->n_tcp_connect = in->n_tcp_connect;
	out->n_tcp_bind = in->n_tcp_bind;
	r = read_paths(in, &text, arena, out);
	if (!r && !environment_read(in, &text, out))
		r = MESSAGE_E_MALFORMED;
	if (!r)
		r = read_numbers(in->calls, in->n_calls, LIMIT_POLICY_CALLS, call_holds, arena,
				 &out->calls);
	if (!r)
		r = read_numbers(in->tcp_connect, in->n_tcp_connect, LIMIT_POLICY_PORTS, port_holds,
				 arena, &out->tcp_connect);
	if (!r)
		r = read_numbers(in->tcp_bind, in->n_tcp_bind, LIMIT_POLICY_PORTS, port_holds,
				 arena, &out->tcp_bind);
	return r;
}

static bool limits_read(const Warmfork__V1__Policy *in, struct policy *out) {
	if (in->n_limits != N_POLICY_LIMITS)
		return false;
	for (unsigned i = 0; i < N_POLICY_LIMITS; i++) {
		if (in->limits[i] < policy_limit_minimum((enum policy_limit)i))
			return false;
		out->limits[i] = in->limits[i];
	}
	return true;
}

static bool identity_read(const Warmfork__V1__Policy *in, struct policy *out) {
	out->has_identity = in->has_identity;
	out->uid = in->uid;
	out->gid = in->gid;
	return in->uid != POLICY_NO_ID && in->gid != POLICY_NO_ID;
}

static bool groups_read(uint64_t in, uint64_t *ret) {
	const uint64_t known = (UINT64_C(1) << N_CALL_GROUPS) - 1;
	const uint64_t base = UINT64_C(1) << CALLS_BASE, never = UINT64_C(1) << CALLS_NEVER;

	*ret = in;
	return !(in & ~known) && !(in & never) && (in & base);
}

static bool singles_read(const Warmfork__V1__Policy *in, struct policy *out) {
	const uint32_t layers = (UINT32_C(1) << N_LAYERS) - 1;

	out->preset = (enum policy_preset)in->preset;
	out->families = in->families;
	out->layers = in->layers;
	out->strict = in->strict;
	out->report = (enum policy_report)in->report;
	out->on_refusal = (enum policy_refusal)in->on_refusal;
	out->probe_workers = in->probe_workers;
	out->learn = in->learn;
	return in->preset >= POLICY_PURE && in->preset <= POLICY_TESTS &&
	       !(in->families & ~(uint32_t)POLICY_FAMILY_ALL) && !(in->layers & ~layers) &&
	       in->report <= POLICY_REPORT_PATHS && in->on_refusal <= POLICY_END &&
	       groups_read(in->groups, &out->groups);
}

static int policy_read(const void *source, void *ret, struct arena *arena) {
	const Warmfork__V1__Policy *in = source;
	struct policy *out = ret;

	if (!singles_read(in, out) || !identity_read(in, out) || !limits_read(in, out))
		return MESSAGE_E_MALFORMED;
	return read_lists(in, arena, out);
}

int policy_unpack(const uint8_t *body, size_t size, struct arena *arena, struct policy *ret) {
	struct policy policy = { .preset = 0 };
	int r =
	    packed_open(&warmfork__v1__policy__descriptor, body, size, arena, policy_read, &policy);

	if (!r)
		*ret = policy;
	return r;
}
