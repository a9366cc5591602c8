/* SPDX-License-Identifier: MIT
 *
 * Policies: what presets come to, every mistake in a file and the sentence it gets, every limit
 * from both sides, and the ways there and back: printed and read, packed and unpacked. Long because
 * a policy is: a list of cases.
 */
#include <warmfork/policy.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/report.h"
#include "policy/cover.h"
#include "policy/document.h"
#include "policy/line.h"
#include "proto/message.h"
#include "proto/wire.h"
#include "tests/support/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof(array)[0])
#define GROUP(name) (UINT64_C(1) << CALLS_##name)
#define ROOM        ((size_t)1 << 18)

static struct wf_policy *policy_of(const char *preset) {
	struct wf_policy *policy = NULL;

	ck_assert_int_eq(wf_policy_new(preset, &policy), 0);
	return policy;
}

#define accepts(policy, key, value)                                                                \
	do {                                                                                       \
		int accepts_r = wf_policy_add(policy, key, value);                                 \
		ck_assert_msg(accepts_r == 0, "%s %s: %s", key, value, report_text());             \
	} while (0)

#define refuses(policy, key, value, code, sentence)                                                \
	do {                                                                                       \
		ck_assert_int_eq(wf_policy_add(policy, key, value), code);                         \
		ck_assert_str_eq(report_text(), sentence);                                         \
	} while (0)

static int parse(const char *text, struct wf_policy **ret) {
	return wf_policy_parse(text, strlen(text), "p.yaml", ret);
}

static struct wf_policy *parsed(const char *text) {
	struct wf_policy *policy = NULL;
	int r = parse(text, &policy);

	ck_assert_msg(r == 0, "%s\n%s", report_text(), text);
	return policy;
}

/* The caller frees. */
static char *printed(const struct wf_policy *policy) {
	char *text = NULL;

	ck_assert_int_eq(wf_policy_print(policy, &text), 0);
	return text;
}

static void assert_prints(const struct wf_policy *policy, const char *expected) {
	char *text = printed(policy);

	ck_assert_str_eq(text, expected);
	free(text);
}

static const struct policy_path *path_in(const struct wf_policy *policy, const char *path) {
	const struct policy *view = document_view(policy);

	for (size_t i = 0; i < view->n_paths; i++)
		if (strcmp(view->paths[i].path, path) == 0)
			return &view->paths[i];
	return NULL;
}

static uint32_t access_in(const struct wf_policy *policy, const char *path) {
	const struct policy_path *found = path_in(policy, path);

	return found ? found->access : 0;
}

static bool optional_in(const struct wf_policy *policy, const char *path) {
	const struct policy_path *found = path_in(policy, path);

	return found && found->optional;
}

static const char *variable_in(const struct wf_policy *policy, const char *name) {
	const struct policy *view = document_view(policy);
	size_t size = strlen(name);

	for (size_t i = 0; i < view->n_environment; i++)
		if (strncmp(view->environment[i], name, size) == 0 &&
		    view->environment[i][size] == '=')
			return view->environment[i] + size + 1;
	return NULL;
}

/* --- presets --- */

START_TEST(test_pure_allows_nothing_but_the_base) {
	struct wf_policy *policy = policy_of("pure");
	const struct policy *view = document_view(policy);

	ck_assert_int_eq(view->preset, POLICY_PURE);
	ck_assert_uint_eq(view->groups, GROUP(BASE));
	ck_assert_uint_eq(view->n_paths, 0);
	ck_assert_uint_eq(view->families, 0);
	ck_assert_uint_eq(view->layers, LAYER_ALL);
	ck_assert_int_eq(view->strict, true);
	ck_assert_int_eq(view->report, POLICY_REPORT_PATHS);
	ck_assert_int_eq(view->on_refusal, POLICY_END);
	ck_assert_uint_eq(view->limits[POLICY_DESCRIPTORS], 64);
	ck_assert_uint_eq(view->limits[POLICY_SCRATCH], POLICY_NO_LIMIT);
	ck_assert_int_eq(view->has_identity, false);
	ck_assert_int_eq(view->probe_workers, false);
	ck_assert_int_eq(view->learn, false);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_stage_allows_programs_of_the_system) {
	struct wf_policy *policy = policy_of("stage");
	const struct policy *view = document_view(policy);

	ck_assert_uint_eq(view->groups, GROUP(BASE) | GROUP(FILES) | GROUP(PROCESSES) |
					    GROUP(EVENTS) | GROUP(SCHEDULING));
	ck_assert_uint_eq(view->families, 0);
	ck_assert_int_eq(view->on_refusal, POLICY_CONTINUE);
	ck_assert_uint_eq(access_in(policy, "/usr"), POLICY_READ | POLICY_EXECUTE);
	ck_assert_uint_eq(access_in(policy, "/etc/passwd"), POLICY_READ);
	ck_assert_uint_eq(access_in(policy, "/dev/null"),
			  POLICY_READ | POLICY_WRITE | POLICY_DEVICE);
	ck_assert_ptr_null(path_in(policy, "/etc"));
	ck_assert_ptr_null(path_in(policy, "/opt"));
	for (size_t i = 0; i < view->n_paths; i++)
		ck_assert_int_eq(view->paths[i].optional, true);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_tests_adds_threads_loopback_and_scratch) {
	struct wf_policy *policy = policy_of("tests"), *stage = policy_of("stage");
	const struct policy *view = document_view(policy);

	ck_assert_uint_eq(view->groups, document_view(stage)->groups | GROUP(THREADS) |
					    GROUP(SOCKETS) | GROUP(IPC));
	ck_assert_uint_eq(view->families,
			  POLICY_FAMILY_UNIX | POLICY_FAMILY_INET | POLICY_FAMILY_INET6);
	ck_assert_uint_eq(view->limits[POLICY_SCRATCH], UINT64_C(256) << 20);
	ck_assert_uint_eq(view->layers & LAYER_NET, LAYER_NET);
	wf_policy_free(policy);
	wf_policy_free(stage);
}
END_TEST

START_TEST(test_an_unknown_preset_is_refused) {
	struct wf_policy *policy = NULL;

	ck_assert_int_eq(wf_policy_new("strict", &policy), -EINVAL);
	ck_assert_str_eq(report_text(),
			 "policy: preset: \"strict\" is not one of pure, stage, tests");
	ck_assert_ptr_null(policy);
	ck_assert_int_eq(wf_policy_new(NULL, &policy), -EINVAL);
	ck_assert_int_eq(wf_policy_new("pure", NULL), -EINVAL);
}
END_TEST

START_TEST(test_the_environment_of_a_preset_is_the_hosts) {
	struct wf_policy *policy;

	ck_assert_int_eq(setenv("LANG", "de_DE.UTF-8", 1), 0);
	ck_assert_int_eq(setenv("PATH", "/usr/bin", 1), 0);
	ck_assert_int_eq(unsetenv("TZ"), 0);
	ck_assert_int_eq(setenv("SECRET", "x", 1), 0);
	policy = policy_of("pure");
	ck_assert_str_eq(variable_in(policy, "LANG"), "de_DE.UTF-8");
	ck_assert_ptr_null(variable_in(policy, "TZ"));
	ck_assert_ptr_null(variable_in(policy, "PATH"));
	ck_assert_ptr_null(variable_in(policy, "SECRET"));
	wf_policy_free(policy);
	policy = policy_of("stage");
	ck_assert_str_eq(variable_in(policy, "PATH"), "/usr/bin");
	wf_policy_free(policy);
}
END_TEST

/* --- what keys bring --- */

START_TEST(test_paths_programs_and_sockets_bring_their_calls) {
	struct wf_policy *policy = policy_of("pure");

	accepts(policy, "read", "/a");
	ck_assert_uint_eq(document_view(policy)->groups, GROUP(BASE) | GROUP(FILES));
	accepts(policy, "execute", "/a");
	ck_assert_uint_eq(document_view(policy)->groups,
			  GROUP(BASE) | GROUP(FILES) | GROUP(PROCESSES));
	accepts(policy, "socket", "unix");
	ck_assert_uint_eq(document_view(policy)->groups,
			  GROUP(BASE) | GROUP(FILES) | GROUP(PROCESSES) | GROUP(SOCKETS));
	ck_assert_uint_eq(document_view(policy)->families, POLICY_FAMILY_UNIX);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_access_adds_up) {
	struct wf_policy *policy = policy_of("stage");

	accepts(policy, "read", "/b");
	ck_assert_uint_eq(access_in(policy, "/b"), POLICY_READ);
	accepts(policy, "write", "/b");
	ck_assert_uint_eq(access_in(policy, "/b"), POLICY_READ | POLICY_WRITE);
	accepts(policy, "execute", "/b/");
	ck_assert_uint_eq(access_in(policy, "/b"), POLICY_READ | POLICY_WRITE | POLICY_EXECUTE);
	accepts(policy, "device", "/c");
	ck_assert_uint_eq(access_in(policy, "/c"), POLICY_READ | POLICY_WRITE | POLICY_DEVICE);
	ck_assert_int_eq(optional_in(policy, "/b"), false);
	/* what a user asks for must be there */
	ck_assert_int_eq(optional_in(policy, "/libx32"), true);
	accepts(policy, "read", "/libx32");
	ck_assert_int_eq(optional_in(policy, "/libx32"), false);
	ck_assert_uint_eq(access_in(policy, "/libx32"), POLICY_READ | POLICY_EXECUTE);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_paths_are_sorted_the_outer_first) {
	static const char *const given[] = { "/b/c", "/a", "/b", "/", "/a/x", "/b/c" };
	static const char *const sorted[] = { "/", "/a", "/a/x", "/b", "/b/c" };
	struct wf_policy *policy = policy_of("pure");

	for (size_t i = 0; i < N_OF(given); i++)
		accepts(policy, "read", given[i]);
	ck_assert_uint_eq(document_view(policy)->n_paths, N_OF(sorted));
	for (size_t i = 0; i < N_OF(sorted); i++)
		ck_assert_str_eq(document_view(policy)->paths[i].path, sorted[i]);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_calls_are_groups_or_names) {
	struct wf_policy *policy = policy_of("pure");
	const struct policy *view = document_view(policy);

	accepts(policy, "calls", "threads");
	accepts(policy, "calls", "ptrace");
	accepts(policy, "calls", "ptrace");
	ck_assert_uint_eq(view->groups, GROUP(BASE) | GROUP(THREADS));
	ck_assert_uint_eq(view->n_calls, 1);
	ck_assert_uint_eq(view->calls[0], call_by_name("ptrace")->number);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_variables_of_the_host_and_of_the_policy) {
	struct wf_policy *policy = policy_of("stage");

	ck_assert_int_eq(setenv("HERE", "a=b", 1), 0);
	ck_assert_int_eq(unsetenv("NOT_HERE"), 0);
	accepts(policy, "environment", "HERE");
	accepts(policy, "environment", "NOT_HERE");
	accepts(policy, "environment", "SET=1=2");
	accepts(policy, "environment", "EMPTY=");
	accepts(policy, "environment", "PATH=/only");
	ck_assert_str_eq(variable_in(policy, "HERE"), "a=b");
	ck_assert_ptr_null(variable_in(policy, "NOT_HERE"));
	ck_assert_str_eq(variable_in(policy, "SET"), "1=2");
	ck_assert_str_eq(variable_in(policy, "EMPTY"), "");
	ck_assert_str_eq(variable_in(policy, "PATH"), "/only");
	accepts(policy, "environment", "HERE=later");
	ck_assert_str_eq(variable_in(policy, "HERE"), "later");
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_the_first_layer_takes_the_place_of_all) {
	struct wf_policy *policy = policy_of("pure");
	const struct policy *view = document_view(policy);

	accepts(policy, "namespaces", "user");
	ck_assert_uint_eq(view->layers, (LAYER_ALL & ~LAYER_NAMESPACES) | LAYER_USER);
	accepts(policy, "namespaces", "net");
	ck_assert_uint_eq(view->layers, (LAYER_ALL & ~LAYER_NAMESPACES) | LAYER_USER | LAYER_NET);
	accepts(policy, "layers", "none");
	ck_assert_uint_eq(view->layers, LAYER_USER | LAYER_NET);
	accepts(policy, "layers", "seccomp");
	ck_assert_uint_eq(view->layers, LAYER_USER | LAYER_NET | LAYER_SECCOMP);
	accepts(policy, "namespaces", "none");
	ck_assert_uint_eq(view->layers, LAYER_SECCOMP);
	accepts(policy, "layers", "all");
	accepts(policy, "namespaces", "all");
	ck_assert_uint_eq(view->layers, LAYER_ALL);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_layers_have_names) {
	ck_assert_str_eq(policy_layer_name(LAYER_USER), "user");
	ck_assert_str_eq(policy_layer_name(LAYER_UTS), "uts");
	ck_assert_str_eq(policy_layer_name(LAYER_DESCRIPTORS), "descriptors");
	ck_assert_str_eq(policy_layer_name(LAYER_SECCOMP), "seccomp");
	ck_assert_str_eq(policy_layer_name(LAYER_SANITIZER), "sanitizer");
	ck_assert_ptr_null(policy_layer_name(0));
	ck_assert_ptr_null(policy_layer_name(LAYER_USER | LAYER_PID));
	ck_assert_ptr_null(policy_layer_name(UINT32_C(1) << N_LAYERS));
}
END_TEST

static const struct limit_case {
	const char *key, *value;
	enum policy_limit limit;
	uint64_t expected;
} limit_cases[] = {
	{ "limits.wall", "10s", POLICY_WALL, UINT64_C(10000000000) },
	{ "limits.wall", "500ms", POLICY_WALL, UINT64_C(500000000) },
	{ "limits.wall", "2m", POLICY_WALL, UINT64_C(120000000000) },
	{ "limits.wall", "1h", POLICY_WALL, UINT64_C(3600000000000) },
	{ "limits.wall", "none", POLICY_WALL, POLICY_NO_LIMIT },
	{ "limits.cpu", "7us", POLICY_CPU, 7000 },
	{ "limits.cpu", "1ns", POLICY_CPU, 1 },
	{ "limits.memory", "512M", POLICY_MEMORY, UINT64_C(512) << 20 },
	{ "limits.memory", "2G", POLICY_MEMORY, UINT64_C(2) << 30 },
	{ "limits.memory", "1048577", POLICY_MEMORY, 1048577 },
	{ "limits.memory", "1024K", POLICY_MEMORY, 1048576 },
	{ "limits.memory", "3T", POLICY_MEMORY, UINT64_C(3) << 40 },
	{ "limits.processes", "1", POLICY_PROCESSES, 1 },
	{ "limits.processes", "4194304", POLICY_PROCESSES, 4194304 },
	{ "limits.descriptors", "16", POLICY_DESCRIPTORS, 16 },
	{ "limits.descriptors", "none", POLICY_DESCRIPTORS, POLICY_NO_LIMIT },
	{ "limits.file_size", "0", POLICY_FILE_SIZE, 0 },
	{ "limits.output", "0", POLICY_OUTPUT, 0 },
	{ "limits.output", "9223372036854775807", POLICY_OUTPUT, INT64_MAX },
	{ "limits.scratch", "4096", POLICY_SCRATCH, 4096 },
	{ "limits.scratch", "none", POLICY_SCRATCH, POLICY_NO_LIMIT },
};

START_TEST(test_limits_are_read_and_printed) {
	const struct limit_case *c = &limit_cases[_i];
	struct wf_policy *policy = policy_of("tests"), *again;
	char *text;

	accepts(policy, c->key, c->value);
	ck_assert_uint_eq(document_view(policy)->limits[c->limit], c->expected);
	text = printed(policy);
	again = parsed(text);
	ck_assert_uint_eq(document_view(again)->limits[c->limit], c->expected);
	ck_assert(document_equal(policy, again));
	free(text);
	wf_policy_free(again);
	wf_policy_free(policy);
}
END_TEST

/* --- what wf_policy_add() refuses --- */

#define SIZES "512M, 2G, a number of bytes or none"
#define TIMES "10s, 500ms, 2m, 1h or none"

static const struct add_case {
	const char *key, *value, *sentence;
} add_cases[] = {
	{ "raed", "/a", "policy: \"raed\" is no key; did you mean read?" },
	{ "memory", "1G", "policy: \"memory\" is no key; did you mean limits.memory?" },
	{ "limits.memroy", "1G",
	  "policy: \"limits.memroy\" is no key; did you mean limits.memory?" },
	{ "preset", "pure",
	  "policy: preset: it is chosen with wf_policy_new(); to allow more, add a policy with "
	  "another preset by wf_policy_compose()" },
	{ "read", "", "policy: read: is empty; write a path" },
	{ "read", "~/in",
	  "policy: read: \"~/in\": ~ is not expanded; write the whole path, or ./~ for a file of that "
	  "name" },
	{ "write", "/nowhere/../etc",
	  "policy: write: \"/nowhere/../etc\" cannot be resolved (/nowhere/..: No such file or "
	  "directory); write the path without \"..\"" },
	{ "calls", "opneat",
	  "policy: calls: \"opneat\" is neither a system call of x86-64 nor a group of them: files, "
	  "processes, threads, sockets, events, inotify, scheduling, ipc, jit, debug, sanitizer, "
	  "privileged" },
	{ "calls", "never",
	  "policy: calls: \"never\" is the group of calls that no policy can allow" },
	{ "socket", "ipv4", "policy: socket: \"ipv4\" is not one of unix, inet, inet6, netlink" },
	{ "tcp_connect", "0",
	  "policy: tcp_connect: \"0\" is no port; write a number from 1 to 65535" },
	{ "tcp_connect", "65536",
	  "policy: tcp_connect: \"65536\" is no port; write a number from 1 to 65535" },
	{ "tcp_bind", "http",
	  "policy: tcp_bind: \"http\" is no port; write a number from 1 to 65535" },
	{ "tcp_bind", "-1", "policy: tcp_bind: \"-1\" is no port; write a number from 1 to 65535" },
	{ "environment", "=x",
	  "policy: environment: \"=x\" has no name; write NAME, or NAME=value" },
	{ "environment", "", "policy: environment: \"\" has no name; write NAME, or NAME=value" },
	{ "identity", "nobody",
	  "policy: identity: \"nobody\" is no identity; write UID or UID:GID as numbers: 65534:65534" },
	{ "identity", "4294967295",
	  "policy: identity: \"4294967295\" is no identity; write UID or UID:GID as numbers: "
	  "65534:65534" },
	{ "identity", "1:",
	  "policy: identity: \"1:\" is no identity; write UID or UID:GID as numbers: 65534:65534" },
	{ "limits.wall", "10", "policy: limits.wall: \"10\" is no such limit; write " TIMES },
	{ "limits.wall", "0s", "policy: limits.wall: \"0s\" is too little; write at least 1ns" },
	{ "limits.wall", "-1s", "policy: limits.wall: \"-1s\" is no such limit; write " TIMES },
	{ "limits.wall", "9223372037s",
	  "policy: limits.wall: \"9223372037s\" is no such limit; write " TIMES },
	{ "limits.cpu", "18446744073709551616s",
	  "policy: limits.cpu: \"18446744073709551616s\" is no such limit; write " TIMES },
	{ "limits.memory", "512X",
	  "policy: limits.memory: \"512X\" is no such limit; write " SIZES },
	{ "limits.memory", "512 M",
	  "policy: limits.memory: \"512 M\" is no such limit; write " SIZES },
	{ "limits.memory", "M", "policy: limits.memory: \"M\" is no such limit; write " SIZES },
	{ "limits.memory", "9223372036854775808",
	  "policy: limits.memory: \"9223372036854775808\" is no such limit; write " SIZES },
	{ "limits.memory", "1048575",
	  "policy: limits.memory: \"1048575\" is too little; write at least 1M" },
	{ "limits.processes", "0",
	  "policy: limits.processes: \"0\" is too little; write at least 1" },
	{ "limits.processes", "4194305",
	  "policy: limits.processes: \"4194305\" is no such limit; write a number or none" },
	{ "limits.descriptors", "15",
	  "policy: limits.descriptors: \"15\" is too little; write at least 16" },
	{ "limits.scratch", "4095",
	  "policy: limits.scratch: \"4095\" is too little; write at least 4K" },
	{ "namespaces", "cgroup",
	  "policy: namespaces: \"cgroup\" is not one of user, mount, pid, net, ipc, uts, all, none" },
	{ "layers", "net",
	  "policy: layers: \"net\" is not one of descriptors, limits, cgroup, identity, capabilities, "
	  "no_new_privs, landlock, seccomp, all, none" },
	{ "layers", "sanitizer",
	  "policy: layers: \"sanitizer\" is not one of descriptors, limits, cgroup, identity, "
	  "capabilities, no_new_privs, landlock, seccomp, all, none" },
	{ "strict", "maybe", "policy: strict: \"maybe\" is not one of yes, no" },
	{ "report", "all", "policy: report: \"all\" is not one of none, calls, paths" },
	{ "on_refusal", "kill", "policy: on_refusal: \"kill\" is not one of continue, end" },
	{ "probe", "always", "policy: probe: \"always\" is not one of once, worker" },
};

START_TEST(test_a_bad_value_is_refused_with_a_sentence) {
	const struct add_case *c = &add_cases[_i];
	struct wf_policy *policy = policy_of("stage"), *same = policy_of("stage");

	refuses(policy, c->key, c->value, -EINVAL, c->sentence);
	ck_assert(document_equal(policy, same));
	wf_policy_free(policy);
	wf_policy_free(same);
}
END_TEST

START_TEST(test_a_call_that_is_never_allowed_is_refused) {
	struct wf_policy *policy = policy_of("stage");
	const struct call *table;
	char sentence[256];
	size_t n, refused = 0;

	table = call_table(&n);
	for (size_t i = 0; i < n; i++) {
		if (table[i].group != CALLS_NEVER)
			continue;
		(void)snprintf(
		    sentence, sizeof sentence,
		    "policy: calls: %s cannot be allowed: it is of no use to a worker, and "
		    "exposes much of the kernel; leave it out",
		    table[i].name);
		refuses(policy, "calls", table[i].name, -EINVAL, sentence);
		refused++;
	}
	ck_assert_uint_gt(refused, 0);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_null_is_refused) {
	struct wf_policy *policy = policy_of("pure");
	char *text;

	ck_assert_int_eq(wf_policy_add(NULL, "read", "/a"), -EINVAL);
	ck_assert_int_eq(wf_policy_add(policy, NULL, "/a"), -EINVAL);
	ck_assert_int_eq(wf_policy_add(policy, "read", NULL), -EINVAL);
	ck_assert_int_eq(wf_policy_compose(policy, NULL), -EINVAL);
	ck_assert_int_eq(wf_policy_compose(NULL, policy), -EINVAL);
	ck_assert_int_eq(wf_policy_print(NULL, &text), -EINVAL);
	ck_assert_int_eq(wf_policy_print(policy, NULL), -EINVAL);
	ck_assert_int_eq(wf_policy_parse(NULL, 0, "x", &policy), -EINVAL);
	ck_assert_int_eq(wf_policy_load(NULL, &policy), -EINVAL);
	ck_assert_ptr_null(wf_policy_free(NULL));
	ck_assert_ptr_null(document_copy(NULL));
	ck_assert(document_equal(NULL, NULL));
	ck_assert(!document_equal(policy, NULL));
	wf_policy_free(policy);
}
END_TEST

/* --- limits of size --- */

#define TOO_MANY(limit)                                                                            \
	"there are too many; a policy has room for " limit                                         \
	" of them, and 32768 bytes of paths and "                                                  \
	"environment"

/* Adds PREFIX1 .. PREFIXn, and expects the next to be refused. */
static void fill_up(const char *key, const char *prefix, unsigned n, const char *sentence) {
	struct wf_policy *policy = policy_of("pure"), *before;
	char value[32];

	for (unsigned i = 1; i <= n; i++) {
		(void)snprintf(value, sizeof value, "%s%u", prefix, i);
		accepts(policy, key, value);
	}
	before = document_copy(policy);
	(void)snprintf(value, sizeof value, "%s%u", prefix, n + 1);
	refuses(policy, key, value, -E2BIG, sentence);
	ck_assert(document_equal(policy, before));
	(void)snprintf(value, sizeof value, "%s%u", prefix, n);
	accepts(policy, key, value); /* there already */
	wf_policy_free(before);
	wf_policy_free(policy);
}

START_TEST(test_lists_have_limits) {
	fill_up("read", "/", LIMIT_POLICY_PATHS, "policy: read: " TOO_MANY("512"));
	fill_up("tcp_connect", "", LIMIT_POLICY_PORTS, "policy: tcp_connect: " TOO_MANY("64"));
	fill_up("tcp_bind", "", LIMIT_POLICY_PORTS, "policy: tcp_bind: " TOO_MANY("64"));
	/* LANG, LC_ALL and TZ are the preset's */
	fill_up("environment", "V", LIMIT_POLICY_ENVIRONMENT - 3,
		"policy: environment: " TOO_MANY("256"));
}
END_TEST

START_TEST(test_calls_by_name_have_a_limit) {
	struct wf_policy *policy = policy_of("pure");
	const struct call *table;
	size_t n, i;

	table = call_table(&n);
	for (i = 0; document_view(policy)->n_calls < LIMIT_POLICY_CALLS; i++)
		if (table[i].group != CALLS_NEVER)
			accepts(policy, "calls", table[i].name);
	while (table[i].group == CALLS_NEVER)
		i++;
	refuses(policy, "calls", table[i].name, -E2BIG, "policy: calls: " TOO_MANY("128"));
	wf_policy_free(policy);
}
END_TEST

/* A path of `length` bytes, static. */
static char *long_path(size_t length) {
	static char path[2 * LIMIT_PATH];

	memset(path, 'p', length);
	path[0] = '/';
	path[length] = '\0';
	return path;
}

START_TEST(test_text_has_a_limit) {
	struct wf_policy *policy = policy_of("pure");
	char *path = long_path(LIMIT_PATH - 1);

	for (int c = 'a'; c < 'h'; c++) { /* seven of eight parts */
		path[1] = (char)c;
		accepts(policy, "read", path);
	}
	path[1] = 'h';
	refuses(policy, "write", path, -E2BIG, "policy: write: " TOO_MANY("512"));
	refuses(policy, "environment", path, -E2BIG, "policy: environment: " TOO_MANY("256"));
	accepts(policy, "write", "/small");
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_path_has_a_limit) {
	struct wf_policy *policy = policy_of("pure");

	accepts(policy, "read", long_path(LIMIT_PATH - 1));
	refuses(policy, "read", long_path(LIMIT_PATH), -E2BIG,
		"policy: read: \"/ppppppppppppppppppppppppppppppp...\" is longer than 4095 bytes");
	wf_policy_free(policy);
}
END_TEST

/* --- paths --- */

/* PATH below the scratch directory, which may be a symbolic link's target; static until the next
 * call but three. */
static const char *below(const char *path) {
	static char texts[4][LIMIT_PATH];
	static char *scratch;
	static unsigned at;
	char *text = texts[at++ % 4];

	if (!scratch)
		scratch = realpath(fixture_scratch(), NULL);
	(void)snprintf(text, sizeof texts[0], "%s%s", scratch, path);
	return text;
}

START_TEST(test_paths_become_absolute_and_clean) {
	struct wf_policy *policy = policy_of("pure");

	ck_assert_int_eq(chdir(below("")), 0);
	accepts(policy, "read", "in");
	accepts(policy, "read", "./a/.//b/./");
	accepts(policy, "read", "...");
	accepts(policy, "read", "..x/x..");
	accepts(policy, "read", ".");
	accepts(policy, "read", "./~");
	accepts(policy, "read", "//");
	ck_assert_ptr_nonnull(path_in(policy, below("/in")));
	ck_assert_ptr_nonnull(path_in(policy, below("/a/b")));
	ck_assert_ptr_nonnull(path_in(policy, below("/...")));
	ck_assert_ptr_nonnull(path_in(policy, below("/..x/x..")));
	ck_assert_ptr_nonnull(path_in(policy, below("")));
	ck_assert_ptr_nonnull(path_in(policy, below("/~")));
	ck_assert_ptr_nonnull(path_in(policy, "/"));
	ck_assert_uint_eq(document_view(policy)->n_paths, 7);
	ck_assert_int_eq(chdir("/"), 0);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_dots_mean_what_the_kernel_means) {
	struct wf_policy *policy = policy_of("pure");

	ck_assert_int_eq(mkdir(below("/d"), 0700), 0);
	ck_assert_int_eq(mkdir(below("/d/e"), 0700), 0);
	ck_assert_int_eq(symlink("d/e", below("/link")), 0);
	ck_assert_int_eq(symlink("link", below("/d/last")), 0);
	ck_assert_int_eq(chdir(below("/d")), 0);
	accepts(policy, "read", "../x");
	ck_assert_ptr_nonnull(path_in(policy, below("/x")));
	accepts(policy, "read", "../link/../y"); /* of d/e, not of the link */
	ck_assert_ptr_nonnull(path_in(policy, below("/d/y")));
	accepts(policy, "read", "../link/..");
	ck_assert_ptr_nonnull(path_in(policy, below("/d")));
	accepts(policy, "read", "../d/last"); /* the link itself stays */
	ck_assert_ptr_nonnull(path_in(policy, below("/d/last")));
	accepts(policy, "read", "../link/z");
	ck_assert_ptr_nonnull(path_in(policy, below("/link/z")));
	accepts(policy, "read", "/..");
	ck_assert_ptr_nonnull(path_in(policy, "/"));
	ck_assert_int_eq(wf_policy_add(policy, "read", "missing/../x"), -EINVAL);
	ck_assert_int_eq(chdir("/"), 0);
	wf_policy_free(policy);
}
END_TEST

/* --- files --- */

#define STAGE "preset: stage\n"

static const struct file_case {
	const char *text, *sentence;
} file_cases[] = {
	/* the whole file */
	{ "", "p.yaml:1: preset: is missing; write \"preset: stage\", or pure, or tests" },
	{ "# nothing\n",
	  "p.yaml:1: preset: is missing; write \"preset: stage\", or pure, or tests" },
	{ "read: /a\n",
	  "p.yaml:1: preset: is missing; write \"preset: stage\", or pure, or tests" },
	{ "---\n", "p.yaml:2: a policy is a mapping of keys to values; begin with: preset: stage" },
	{ "stage\n",
	  "p.yaml:1: a policy is a mapping of keys to values; begin with: preset: stage" },
	{ "- preset: stage\n",
	  "p.yaml:1: a policy is a mapping of keys to values; begin with: preset: stage" },
	{ STAGE "---\nread: /a\n", "p.yaml:2: a policy is one document; begin another file" },
	{ STAGE "...\n---\n", "p.yaml:3: a policy is one document; begin another file" },
	/* YAML */
	{ STAGE "read: [/a\nwrite: /b\n",
	  "p.yaml:3: this is not valid YAML (did not find expected ',' or ']'); indent by spaces, not by tabs; close "
	  "brackets and quotes; quote values that have special characters in them" },
	{ STAGE "\tread: /a\n",
	  "p.yaml:2: this is not valid YAML (found a tab character that violates indentation); indent by spaces, not by tabs; close "
	  "brackets and quotes; quote values that have special characters in them" },
	{ STAGE "read: %a\n",
	  "p.yaml:2: this is not valid YAML (found character that cannot start any token); indent by spaces, not by tabs; close "
	  "brackets and quotes; quote values that have special characters in them" },
	{ STAGE "read: /a: b\n",
	  "p.yaml:2: this is not valid YAML (mapping values are not allowed in this context); indent by spaces, not by tabs; close "
	  "brackets and quotes; quote values that have special characters in them" },
	{ STAGE "read: \xff\n",
	  "p.yaml:2: this is not valid YAML (invalid leading UTF-8 octet); write it as text in UTF-8" },
	{ STAGE "\nread: \x01\n",
	  "p.yaml:3: this is not valid YAML (control characters are not allowed); write it as text in "
	  "UTF-8" },
	{ STAGE "read: &a /a\n",
	  "p.yaml:2: anchors, aliases and tags (&, *, !) are not allowed in policies; write the value itself, "
	  "or quote it" },
	{ STAGE "read: *a\n",
	  "p.yaml:2: anchors, aliases and tags (&, *, !) are not allowed in policies; write the value itself, "
	  "or quote it" },
	{ STAGE "read: !!str /a\n",
	  "p.yaml:2: anchors, aliases and tags (&, *, !) are not allowed in policies; write the value itself, "
	  "or quote it" },
	{ STAGE "read: &a [/a]\n",
	  "p.yaml:2: anchors, aliases and tags (&, *, !) are not allowed in policies; write the value itself, "
	  "or quote it" },
	{ "!!map\n" STAGE,
	  "p.yaml:1: anchors, aliases and tags (&, *, !) are not allowed in policies; write the value itself, "
	  "or quote it" },
	/* keys */
	{ STAGE "raed: /a\n", "p.yaml:2: \"raed\" is no key of a policy; did you mean read?" },
	{ STAGE "on-refusal: end\n",
	  "p.yaml:2: \"on-refusal\" is no key of a policy; did you mean on_refusal?" },
	{ STAGE "limit:\n  memory: 1G\n",
	  "p.yaml:2: \"limit\" is no key of a policy; did you mean limits?" },
	{ STAGE "memory: 1G\n", "p.yaml:2: \"memory\" is a limit; write it below \"limits:\"" },
	{ STAGE "limits.memory: 1G\n",
	  "p.yaml:2: \"limits.memory\" stands below \"limits:\" in a file, on a line of its own, as "
	  "\"memory:\"" },
	{ STAGE "limits:\n  wall: 1s\n  memroy: 1G\n",
	  "p.yaml:4: \"memroy\" is no key of limits; did you mean memory?" },
	{ STAGE "limits:\n  limits:\n    wall: 1s\n",
	  "p.yaml:3: \"limits\" is no key of limits; did you mean memory?" },
	{ STAGE "[read]: /a\n", "p.yaml:2: a key is a word, such as preset, read or limits" },
	{ STAGE "{a: b}: /a\n", "p.yaml:2: a key is a word, such as preset, read or limits" },
	{ STAGE "\"read\\0\": /a\n", "p.yaml:2: a key is a word, such as preset, read or limits" },
	{ STAGE "read: /a\nwrite: /b\nread: /c\n",
	  "p.yaml:4: read: stands on line 2 already; write all values there: [one, two]" },
	{ STAGE STAGE, "p.yaml:2: preset: stands on line 1 already; keep one of them" },
	{ STAGE "limits:\n  cpu: 1s\n  cpu: 2s\n",
	  "p.yaml:4: limits.cpu: stands on line 3 already; keep one of them" },
	{ STAGE "limits:\n  cpu: 1s\nlimits:\n  wall: 2s\n",
	  "p.yaml:4: limits: stands on line 2 already; write all limits there" },
	/* forms of values */
	{ STAGE "read:\nwrite: /a\n",
	  "p.yaml:2: read: has no value; write one, or leave the key out" },
	{ STAGE "read: [/a, ]\nstrict:\n",
	  "p.yaml:3: strict: has no value; write one, or leave the key out" },
	{ STAGE "read:\n  -\n", "p.yaml:3: read: has no value; write one, or leave the key out" },
	{ STAGE "read: \"a\\0b\"\n", "p.yaml:2: read: has a zero byte in its value; leave it out" },
	{ STAGE "read: [/a, [/b]]\n",
	  "p.yaml:2: read: a list has single values, no lists or mappings; write [one, two]" },
	{ STAGE "read:\n  - /a\n  - b: c\n",
	  "p.yaml:4: read: a list has single values, no lists or mappings; write [one, two]" },
	{ STAGE "environment:\n  A: b\n",
	  "p.yaml:3: environment: takes a list of values, not a mapping; write [one, two]" },
	{ STAGE "strict: [yes]\n", "p.yaml:2: strict: takes one value, not a list" },
	{ STAGE "strict: {yes: no}\n", "p.yaml:2: strict: takes one value, not a mapping" },
	{ "preset: [stage]\n", "p.yaml:1: preset: takes one value, not a list" },
	{ "preset:\n", "p.yaml:1: preset: has no value; write one, or leave the key out" },
	{ "preset: pur\n", "p.yaml:1: preset: \"pur\" is not one of pure, stage, tests" },
	{ STAGE "limits: 512M\n",
	  "p.yaml:2: limits: takes a mapping; write a line for each limit below it, indented: memory: "
	  "512M" },
	{ STAGE "limits:\nread: /a\n",
	  "p.yaml:2: limits: takes a mapping; write a line for each limit below it, indented: memory: "
	  "512M" },
	{ STAGE "limits: [wall]\n",
	  "p.yaml:2: limits: takes a mapping; write a line for each limit below it, indented: memory: "
	  "512M" },
	{ STAGE "limits:\n  wall: [1s]\n", "p.yaml:3: limits.wall: takes one value, not a list" },
	/* values: the line is that of the value */
	{ STAGE "read:\n  - /a\n  - ~/b\n",
	  "p.yaml:4: read: \"~/b\": ~ is not expanded; write the whole path, or ./~ for a file of "
	  "that name" },
	{ STAGE "read: ''\n", "p.yaml:2: read: is empty; write a path" },
	{ STAGE "write: /nowhere/../x\n",
	  "p.yaml:2: write: \"/nowhere/../x\" cannot be resolved (/nowhere/..: No such file or "
	  "directory); write the path without \"..\"" },
	{ STAGE "limits:\n  memory: 512X\n",
	  "p.yaml:3: limits.memory: \"512X\" is no such limit; write " SIZES },
	{ STAGE "limits:\n  wall: 10\n",
	  "p.yaml:3: limits.wall: \"10\" is no such limit; write " TIMES },
	{ STAGE "strict: on\n", "p.yaml:2: strict: \"on\" is not one of yes, no" },
	{ STAGE "identity: root\n",
	  "p.yaml:2: identity: \"root\" is no identity; write UID or UID:GID as numbers: 65534:65534" },
	{ STAGE "calls: [threads, frobnicate]\n",
	  "p.yaml:2: calls: \"frobnicate\" is neither a system call of x86-64 nor a group of them: files, "
	  "processes, threads, sockets, events, inotify, scheduling, ipc, jit, debug, sanitizer, "
	  "privileged" },
	{ STAGE "namespaces: [user, tty]\n",
	  "p.yaml:2: namespaces: \"tty\" is not one of user, mount, pid, net, ipc, uts, all, none" },
	/* keys that do not fit together */
	{ STAGE "tcp_bind: 80\n",
	  "p.yaml:2: tcp_bind: ports need a family of addresses; add socket: [inet], or inet6" },
	{ "tcp_connect: [443]\nsocket: inet\n" STAGE,
	  "p.yaml:1: tcp_connect: it needs the network of the host; list namespaces without net: "
	  "namespaces: [user, mount, pid, ipc, uts]" },
	{ "preset: tests\n\ntcp_connect: [443]\nnamespaces: [net]\n",
	  "p.yaml:3: tcp_connect: it needs the network of the host; list namespaces without net: "
	  "namespaces: [user, mount, pid, ipc, uts]" },
};

START_TEST(test_a_malformed_file_is_refused_with_a_sentence) {
	const struct file_case *c = &file_cases[_i];
	struct wf_policy *policy = NULL;

	ck_assert_msg(parse(c->text, &policy) == -EINVAL, "read:\n%s", c->text);
	ck_assert_str_eq(report_text(), c->sentence);
	ck_assert_ptr_null(policy);
}
END_TEST

START_TEST(test_every_prefix_of_a_file_is_read_or_refused) {
	static const char text[] =
	    "limits: {memory: 1G, wall: \"1s\"}\nread: ['/a', \"/\\u00e4\"]\n"
	    "write:\n  - /b # c\nnamespaces: []\npreset: stage\n";

	for (size_t size = 0; size < sizeof text; size++) {
		struct wf_policy *policy = NULL;
		int r = wf_policy_parse(text, size, "p", &policy);

		ck_assert_msg((r == 0) == (policy != NULL), "%zu bytes: %d", size, r);
		wf_policy_free(policy);
	}
}
END_TEST

START_TEST(test_a_file_has_a_limit) {
	static char text[65537];
	struct wf_policy *policy = NULL;

	memset(text, '#', sizeof text);
	memcpy(text, STAGE, strlen(STAGE));
	ck_assert_int_eq(wf_policy_parse(text, sizeof text - 1, "p.yaml", &policy), 0);
	wf_policy_free(policy);
	ck_assert_int_eq(wf_policy_parse(text, sizeof text, "p.yaml", &policy), -E2BIG);
	ck_assert_str_eq(report_text(), "p.yaml: a policy file has at most 65536 bytes");
	memset(text, '[', sizeof text - 1);
	ck_assert_int_eq(wf_policy_parse(text, sizeof text - 1, "p.yaml", &policy), -EINVAL);
}
END_TEST

START_TEST(test_a_file_with_too_much_names_its_line) {
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	struct wf_policy *policy = NULL;

	(void)fprintf(stream, "preset: pure\nread:\n");
	for (unsigned i = 0; i <= LIMIT_POLICY_PATHS; i++)
		(void)fprintf(stream, "  - /%u\n", i);
	(void)fclose(stream);
	ck_assert_int_eq(wf_policy_parse(text, size, "p.yaml", &policy), -E2BIG);
	ck_assert_str_eq(report_text(), "p.yaml:515: read: " TOO_MANY("512"));
	free(text);
}
END_TEST

START_TEST(test_a_preset_that_does_not_fit_is_refused) {
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	struct wf_policy *policy = NULL;

	(void)fprintf(stream, "preset: stage\nread:\n");
	for (unsigned i = 0; i < LIMIT_POLICY_PATHS; i++)
		(void)fprintf(stream, "  - /%u\n", i);
	(void)fclose(stream);
	ck_assert_int_eq(wf_policy_parse(text, size, "p.yaml", &policy), -E2BIG);
	ck_assert_str_eq(report_text(),
			 "p.yaml:1: preset: together with the preset, the policy is too large; "
			 "it may have at most 512 paths, 256 variables, and 32768 bytes of both");
	free(text);
}
END_TEST

START_TEST(test_the_order_of_keys_does_not_matter) {
	struct wf_policy *a = parsed("preset: tests\nread: [/a, /usr]\nlimits:\n  wall: 1s\n"
				     "environment: [PATH=/x]\nnamespaces: [user]\nlayers: none\n");
	struct wf_policy *b = parsed("layers: []\nnamespaces: user\nenvironment: PATH=/x\nlimits:\n"
				     "  wall: 1000ms\nread:\n- /usr/\n- /a\n- /a\npreset: tests\n");

	ck_assert(document_equal(a, b));
	ck_assert_str_eq(variable_in(b, "PATH"), "/x");
	wf_policy_free(a);
	wf_policy_free(b);
}
END_TEST

static void write_file(const char *path, const char *text) {
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(test_a_file_is_relative_to_its_directory) {
	struct wf_policy *policy = NULL;

	ck_assert_int_eq(mkdir(below("/etc"), 0700), 0);
	write_file(below("/etc/p.yaml"), "preset: pure\nread: [./in, in, ../out, /abs]\n");
	ck_assert_int_eq(chdir(below("")), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(wf_policy_load(i ? "etc/p.yaml" : below("/etc/p.yaml"), &policy),
				 0);
		ck_assert_uint_eq(document_view(policy)->n_paths, 3);
		ck_assert_ptr_nonnull(path_in(policy, below("/etc/in")));
		ck_assert_ptr_nonnull(path_in(policy, below("/out")));
		ck_assert_ptr_nonnull(path_in(policy, "/abs"));
		policy = wf_policy_free(policy);
	}
	policy = parsed("preset: pure\nread: in\n"); /* text has no directory but ours */
	ck_assert_ptr_nonnull(path_in(policy, below("/in")));
	ck_assert_int_eq(chdir("/"), 0);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_file_that_cannot_be_read) {
	struct wf_policy *policy = NULL;
	char sentence[2 * LIMIT_PATH];

	ck_assert_int_eq(wf_policy_load("/nowhere/p.yaml", &policy), -ENOENT);
	ck_assert_str_eq(report_text(), "/nowhere/p.yaml: there is no such policy file");
	ck_assert_int_eq(wf_policy_load("/", &policy), -EINVAL);
	ck_assert_str_eq(report_text(), "/: this is no policy file (Is a directory)");
	write_file(below("/p.yaml"), "preset: pure\nraed: /a\n");
	ck_assert_int_eq(wf_policy_load(below("/p.yaml"), &policy), -EINVAL);
	(void)snprintf(sentence, sizeof sentence,
		       "%s:2: \"raed\" is no key of a policy; did you mean read?",
		       below("/p.yaml"));
	ck_assert_str_eq(report_text(), sentence);
	ck_assert_ptr_null(policy);
}
END_TEST

/* --- printing --- */

/* Reading one of these and printing it gives the same text. */
static const char *const canonical[] = {
	"preset: pure\n",
	"preset: stage\n",
	"preset: tests\n",
	"preset: pure\nread: [/a, /b c, '/d: e', '/f, g', \"/h\\ni\", '/j #k', \"/l\\tm\"]\n",
	("preset: stage\nread: [/ö]\nwrite: [/out]\nexecute: [/opt/x]\ndevice: [/dev/tty]\n"
	 "calls: [threads, ptrace]\nsocket: [unix, inet6]\ntcp_connect: [80, 443]\n"
	 "tcp_bind: [8080]\nenvironment: [A=b c, B=, C]\nidentity: 1000:100\nlimits:\n"
	 "  wall: 10s\n  cpu: 1500ms\n  memory: 512M\n  processes: 4\n  descriptors: 32\n"
	 "  file_size: 1G\n  output: 64K\n  scratch: 1M\nnamespaces: [user, mount, pid, ipc, uts]\n"
	 "layers: [limits, seccomp]\nstrict: no\nreport: calls\non_refusal: end\nprobe: worker\n"),
	"preset: tests\nlimits:\n  descriptors: none\n  scratch: none\nnamespaces: []\nlayers: []\n",
	"preset: pure\nreport: none\non_refusal: continue\n",
	("preset: pure\nread:\n- /a/long/path/of/forty/characters/and/more\n"
	 "- /b/long/path/of/forty/characters/and/more\n- /c/long/path/of/forty/characters/and/more\n"),
};

START_TEST(test_what_is_printed_is_read_again) {
	struct wf_policy *policy = parsed(canonical[_i]), *again;
	char *text = printed(policy);

	ck_assert_str_eq(text, canonical[_i]);
	again = parsed(text);
	ck_assert(document_equal(policy, again));
	free(text);
	wf_policy_free(again);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_what_the_preset_says_is_not_printed) {
	struct wf_policy *policy = parsed(
	    "preset: tests\nsocket: [inet, unix]\ncalls: [threads, files]\nenvironment: [PATH]\n"
	    "limits:\n  scratch: 256M\n  wall: none\nnamespaces: all\nlayers: [all]\nstrict: true\n"
	    "report: paths\non_refusal: continue\nprobe: once\n");

	assert_prints(policy, "preset: tests\n");
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_every_byte_of_a_path_comes_back) {
	struct wf_policy *policy = policy_of("pure"), *again;
	char path[] = "/a?b", *text;

	for (int c = 1; c < 0x80; c++) {
		path[2] = (char)c;
		accepts(policy, "read", path);
	}
	accepts(policy, "read", "/\xc2\x85\xc2\xa0\xe2\x80\xa8\xef\xbb\xbf\xf0\x9f\x90\x9a");
	text = printed(policy);
	again = parsed(text);
	ck_assert(document_equal(policy, again));
	free(text);
	wf_policy_free(again);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_path_that_yaml_cannot_say_is_refused) {
	struct wf_policy *policy = policy_of("pure");
	char *text = NULL;

	accepts(policy, "read", "/\xff");
	ck_assert_int_eq(wf_policy_print(policy, &text), -EINVAL);
	ck_assert_str_eq(report_text(),
			 "policy: a path or a variable is not UTF-8 and cannot be written as "
			 "YAML; rename it, or set it with wf_policy_add()");
	ck_assert_ptr_null(text);
	wf_policy_free(policy);
}
END_TEST

/* --- composing, copying, comparing --- */

static const struct compose_case {
	const char *first, *second, *sum;
} compose_cases[] = {
	{ "preset: pure\n", "preset: pure\n", "preset: pure\n" },
	{ "preset: pure\n", "preset: tests\n", "preset: tests\n" },
	{ "preset: tests\n", "preset: pure\n", "preset: tests\n" },
	{ "preset: pure\nread: [/a, /b]\n", "preset: stage\nread: [/a]\nwrite: [/b]\n",
	  "preset: stage\nread: [/a]\nwrite: [/b]\n" },
	{ "preset: stage\ncalls: [threads, ptrace]\n",
	  "preset: tests\ncalls: [ipc, debug, mount]\n",
	  "preset: tests\ncalls: [debug, ptrace, mount]\n" },
	{ "preset: pure\nsocket: unix\n", "preset: pure\nsocket: netlink\n",
	  "preset: pure\nsocket: [unix, netlink]\n" },
	{ "preset: pure\nenvironment: [A=1, B=1]\n", "preset: pure\nenvironment: [B=2, C]\n",
	  "preset: pure\nenvironment: [A=1, B=2, C]\n" },
	{ "preset: pure\nlimits: {wall: 1s, cpu: 1s}\n", "preset: pure\nlimits: {cpu: 9s}\n",
	  "preset: pure\nlimits:\n  wall: 1s\n  cpu: 9s\n" },
	{ "preset: pure\nidentity: 1:2\nstrict: no\n", "preset: pure\nidentity: 3\n",
	  "preset: pure\nidentity: 3:3\nstrict: no\n" },
	{ "preset: pure\nnamespaces: [user, net]\nlayers: [seccomp]\n",
	  "preset: pure\nnamespaces: [pid]\nlayers: all\n", "preset: pure\nnamespaces: [pid]\n" },
	{ "preset: pure\nstrict: no\nreport: none\non_refusal: continue\nprobe: worker\n",
	  "preset: pure\nstrict: yes\nreport: paths\non_refusal: end\nprobe: once\n",
	  "preset: pure\n" },
	/* what was not given is the larger preset's */
	{ "preset: pure\n", "preset: stage\non_refusal: end\n",
	  "preset: stage\non_refusal: end\n" },
	{ "preset: pure\nlimits: {descriptors: 32}\n", "preset: tests\n",
	  "preset: tests\nlimits:\n  descriptors: 32\n" },
	{ "preset: tests\nsocket: inet\ntcp_bind: 1\nnamespaces: user\n",
	  "preset: stage\nsocket: inet\ntcp_bind: 2\ntcp_connect: 1\nnamespaces: user\n",
	  "preset: tests\ntcp_connect: [1]\ntcp_bind: [1, 2]\nnamespaces: [user]\n" },
};

START_TEST(test_composing_adds_and_the_later_decides) {
	const struct compose_case *c = &compose_cases[_i];
	struct wf_policy *first = parsed(c->first), *second = parsed(c->second);
	struct wf_policy *sum = parsed(c->sum), *before = document_copy(second);

	ck_assert_int_eq(wf_policy_compose(first, second), 0);
	assert_prints(first, c->sum);
	ck_assert(document_equal(first, sum));
	ck_assert(document_equal(second, before));
	wf_policy_free(before);
	wf_policy_free(second);
	ck_assert_int_eq(wf_policy_compose(first, first), 0);
	ck_assert(document_equal(first, sum));
	wf_policy_free(sum);
	wf_policy_free(first);
}
END_TEST

START_TEST(test_composing_too_much_changes_nothing) {
	struct wf_policy *policy = policy_of("pure"), *other = policy_of("pure"), *before;
	char path[32];

	for (unsigned i = 0; i < LIMIT_POLICY_PATHS; i++) {
		(void)snprintf(path, sizeof path, "/%u", i);
		accepts(policy, "read", path);
	}
	accepts(other, "limits.wall", "1s");
	accepts(other, "read", "/more");
	before = document_copy(policy);
	ck_assert_int_eq(wf_policy_compose(policy, other), -E2BIG);
	ck_assert_str_eq(report_text(),
			 "policy: the composed policy is too large; it may have at most 512 "
			 "paths, 256 variables, 128 calls, 64 ports and 32768 bytes of text");
	ck_assert(document_equal(policy, before));
	wf_policy_free(before);
	wf_policy_free(other);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_copy_is_equal_and_its_own) {
	struct wf_policy *policy = parsed(canonical[4]), *copy = document_copy(policy);

	ck_assert(document_equal(policy, copy));
	accepts(policy, "read", "/later");
	ck_assert(!document_equal(policy, copy));
	wf_policy_free(policy);
	assert_prints(copy, canonical[4]);
	wf_policy_free(copy);
}
END_TEST

START_TEST(test_every_key_makes_a_difference) {
	static const char *const pairs[][2] = {
		{ "read", "/a" },
		{ "write", "/a" },
		{ "execute", "/a" },
		{ "device", "/a" },
		{ "calls", "ipc" },
		{ "calls", "ptrace" },
		{ "socket", "unix" },
		{ "tcp_connect", "1" },
		{ "tcp_bind", "1" },
		{ "environment", "A=b" },
		{ "identity", "1" },
		{ "limits.wall", "1s" },
		{ "limits.cpu", "1s" },
		{ "limits.memory", "1M" },
		{ "limits.processes", "1" },
		{ "limits.descriptors", "16" },
		{ "limits.file_size", "1" },
		{ "limits.output", "1" },
		{ "limits.scratch", "4096" },
		{ "namespaces", "user" },
		{ "layers", "seccomp" },
		{ "strict", "no" },
		{ "report", "none" },
		{ "on_refusal", "continue" },
		{ "probe", "worker" },
	};

	for (size_t i = 0; i < N_OF(pairs); i++)
		for (size_t j = 0; j < N_OF(pairs); j++) {
			struct wf_policy *a = policy_of("pure"), *b = policy_of("pure");

			accepts(a, pairs[i][0], pairs[i][1]);
			accepts(b, pairs[j][0], pairs[j][1]);
			ck_assert_int_eq(document_equal(a, b), i == j);
			wf_policy_free(a);
			wf_policy_free(b);
		}
}
END_TEST

START_TEST(test_conflicts_are_found_after_adding) {
	struct wf_policy *policy = policy_of("stage");

	accepts(policy, "tcp_connect", "443");
	ck_assert_int_eq(document_check(policy), -EINVAL);
	ck_assert_str_eq(report_text(),
			 "policy: tcp_connect: ports need a family of addresses; add "
			 "socket: [inet], or inet6");
	accepts(policy, "socket", "inet6");
	ck_assert_int_eq(document_check(policy), -EINVAL);
	ck_assert_str_eq(report_text(),
			 "policy: tcp_connect: it needs the network of the host; list namespaces "
			 "without net: namespaces: [user, mount, pid, ipc, uts]");
	accepts(policy, "namespaces", "user");
	ck_assert_int_eq(document_check(policy), 0);
	wf_policy_free(policy);
}
END_TEST

/* --- lines --- */

static const struct path_case {
	const char *path;
	uint32_t access;
	bool allowed;
	const char *line;
} path_cases[] = {
	{ "/etc/shadow", POLICY_READ, false, "read: [/etc/shadow]" },
	{ "/etc/passwd", POLICY_READ, true, "" },
	{ "/etc/passwd", POLICY_READ | POLICY_WRITE, false, "write: [/etc/passwd]" },
	{ "/etc/passwd.bak", POLICY_READ, false, "read: [/etc/passwd.bak]" },
	{ "/usr", POLICY_READ, true, "" },
	{ "/usr/bin/x", POLICY_EXECUTE, true, "" },
	{ "/usr/bin/x", POLICY_EXECUTE | POLICY_WRITE, false, "write: [/usr/bin/x]" },
	{ "/usrlocal", POLICY_READ, false, "read: [/usrlocal]" },
	{ "/in/a", POLICY_READ, true, "" },
	{ "/in/a", POLICY_EXECUTE, false, "execute: [/in/a]" },
	{ "/out/a", POLICY_READ | POLICY_WRITE, true, "" },
	{ "/out/a", POLICY_EXECUTE | POLICY_WRITE, false, "execute: [/out/a]" },
	{ "/dev/null", POLICY_READ | POLICY_WRITE | POLICY_DEVICE, true, "" },
	{ "/dev/kvm", POLICY_READ | POLICY_DEVICE, false, "device: [/dev/kvm]" },
	{ "/", POLICY_READ, false, "read: [/]" },
	{ "/a, b", POLICY_READ, false, "read: ['/a, b']" },
	{ "/a\nb", POLICY_READ, false, "read: [\"/a\\nb\"]" },
	{ "/\xff", POLICY_READ, false, "" }, /* no file can say it */
	{ "/x/../y", POLICY_READ, false, "" },
	{ "x", POLICY_READ, false, "" },
	{ "", POLICY_READ, false, "" },
};

START_TEST(test_lines_for_paths) {
	const struct path_case *c = &path_cases[_i];
	struct wf_policy *policy = parsed(STAGE "read: /in\nwrite: /out\n");
	char text[LINE_SIZE];

	ck_assert_int_eq(cover_allows(document_view(policy), c->path, c->access), c->allowed);
	line_for_path(document_view(policy), c->path, c->access, text, sizeof text);
	ck_assert_str_eq(text, c->line);
	if (c->line[0]) { /* it does what it says */
		struct wf_policy *more = policy_of("pure"), *line;
		char file[LINE_SIZE + 32];

		(void)snprintf(file, sizeof file, "preset: pure\n%s\n", text);
		line = parsed(file);
		ck_assert_int_eq(wf_policy_compose(more, line), 0);
		ck_assert_ptr_nonnull(path_in(more, c->path));
		wf_policy_free(line);
		wf_policy_free(more);
	}
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_the_root_covers_all) {
	struct wf_policy *policy = parsed("preset: pure\nread: /\n");

	ck_assert(cover_allows(document_view(policy), "/", POLICY_READ));
	ck_assert(cover_allows(document_view(policy), "/etc/shadow", POLICY_READ));
	ck_assert(!cover_allows(document_view(policy), "/etc/shadow", POLICY_WRITE));
	wf_policy_free(policy);
}
END_TEST

#define LINES 20000

/* As two executors do. Returns how many lines were not its own. */
static void *line_after_line(void *context) {
	struct wf_policy *policy = parsed("preset: stage\n");
	const char *name = context;
	char path[32], expected[64], text[LINE_SIZE];
	intptr_t n_wrong = 0;

	(void)snprintf(path, sizeof path, "/%s/secret", name);
	(void)snprintf(expected, sizeof expected, "read: [/%s/secret]", name);
	for (int i = 0; i < LINES; i++) {
		line_for_path(document_view(policy), path, POLICY_READ, text, sizeof text);
		n_wrong += strcmp(text, expected) != 0;
	}
	wf_policy_free(policy);
	return (void *)n_wrong;
}

START_TEST(test_lines_of_two_threads) {
	char names[2][4] = { "one", "two" };
	pthread_t threads[2];
	void *n_wrong;

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, line_after_line, names[i]), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &n_wrong), 0);
		ck_assert_ptr_null(n_wrong);
	}
}
END_TEST

START_TEST(test_the_longest_line_fits) {
	struct wf_policy *policy = policy_of("pure");
	char text[LINE_SIZE], path[LIMIT_PATH];

	memset(path, '\x01', sizeof path);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	line_for_path(document_view(policy), path, POLICY_EXECUTE, text, sizeof text);
	ck_assert_uint_gt(strlen(text), 4 * (sizeof path - 2));
	line_for_path(document_view(policy), path, POLICY_EXECUTE, text, 100);
	ck_assert_str_eq(text, "");
	wf_policy_free(policy);
}
END_TEST

static const struct call_case {
	const char *preset, *call;
	uint64_t argument;
	const char *line;
} call_cases[] = {
	{ "pure", "openat", 0, "calls: [files]" },
	{ "pure", "read", 0, "" },
	{ "stage", "openat", 0, "" },
	{ "stage", "ptrace", 0, "calls: [ptrace]" },
	{ "stage", "mount", 0, "calls: [mount]" },
	{ "stage", "shmget", 0, "calls: [ipc]" },
	{ "stage", "connect", 0, "calls: [sockets]" },
	{ "stage", "socket", 1, "socket: [unix]" },
	{ "stage", "socket", 2, "socket: [inet]" },
	{ "stage", "socket", 10, "socket: [inet6]" },
	{ "stage", "socket", 16, "socket: [netlink]" },
	{ "stage", "socketpair", 1, "socket: [unix]" },
	{ "stage", "socket", 17, "" },
	{ "tests", "socket", 2, "" },
	{ "tests", "socket", 16, "socket: [netlink]" },
};

START_TEST(test_lines_for_calls) {
	const struct call_case *c = &call_cases[_i];
	struct wf_policy *policy = policy_of(c->preset);
	const struct call *call = call_by_name(c->call);
	const uint64_t arguments[CALL_ARGUMENTS] = { c->argument };
	char text[256];

	ck_assert_ptr_nonnull(call);
	line_for_call(document_view(policy), call, arguments, text, sizeof text);
	ck_assert_str_eq(text, c->line);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_line_for_a_call_allows_it_or_is_empty) {
	const uint64_t arguments[CALL_ARGUMENTS] = { 2 };
	const struct call *table;
	size_t n;

	table = call_table(&n);
	for (size_t i = 0; i < n; i++) {
		struct wf_policy *policy = policy_of("pure"), *line;
		char text[256], again[256], file[512];

		line_for_call(document_view(policy), &table[i], arguments, text, sizeof text);
		/* of some of the base, arguments are refused that another group allows */
		ck_assert_int_eq(text[0] == '\0', table[i].group == CALLS_NEVER ||
						      (table[i].group == CALLS_BASE &&
						       strcmp(text, "calls: [jit]") != 0));
		(void)snprintf(file, sizeof file, "preset: pure\n%s\n", text);
		line = parsed(file);
		line_for_call(document_view(line), &table[i], arguments, again, sizeof again);
		ck_assert_str_eq(again, "");
		wf_policy_free(line);
		wf_policy_free(policy);
	}
}
END_TEST

/* --- the wire --- */

static uint8_t packed[ROOM], unpack_memory[ARENA_MESSAGE];

static int unpack(size_t size, struct policy *ret) {
	struct arena arena;

	arena_init(&arena, unpack_memory, sizeof unpack_memory);
	return policy_unpack(packed, size, &arena, ret);
}

static int pass(const struct policy *policy, struct policy *ret) {
	size_t size = 0;

	ck_assert_int_eq(policy_pack(policy, packed, sizeof packed, &size), 0);
	return unpack(size, ret);
}

static void assert_same_lists(const struct policy *a, const struct policy *b) {
	ck_assert_uint_eq(a->n_paths, b->n_paths);
	for (size_t i = 0; i < a->n_paths; i++) {
		ck_assert_str_eq(a->paths[i].path, b->paths[i].path);
		ck_assert_uint_eq(a->paths[i].access, b->paths[i].access);
		ck_assert_int_eq(a->paths[i].optional, b->paths[i].optional);
	}
	ck_assert_uint_eq(a->n_calls, b->n_calls);
	ck_assert_mem_eq(a->calls, b->calls, a->n_calls * sizeof a->calls[0]);
	ck_assert_uint_eq(a->n_tcp_connect, b->n_tcp_connect);
	ck_assert_mem_eq(a->tcp_connect, b->tcp_connect, a->n_tcp_connect * sizeof(uint16_t));
	ck_assert_uint_eq(a->n_tcp_bind, b->n_tcp_bind);
	ck_assert_mem_eq(a->tcp_bind, b->tcp_bind, a->n_tcp_bind * sizeof(uint16_t));
	ck_assert_uint_eq(a->n_environment, b->n_environment);
	for (size_t i = 0; i < a->n_environment; i++)
		ck_assert_str_eq(a->environment[i], b->environment[i]);
}

static void assert_same(const struct policy *a, const struct policy *b) {
	assert_same_lists(a, b);
	ck_assert_int_eq(a->preset, b->preset);
	ck_assert_uint_eq(a->groups, b->groups);
	ck_assert_uint_eq(a->families, b->families);
	ck_assert_int_eq(a->has_identity, b->has_identity);
	ck_assert_uint_eq(a->uid, b->uid);
	ck_assert_uint_eq(a->gid, b->gid);
	ck_assert_mem_eq(a->limits, b->limits, sizeof a->limits);
	ck_assert_uint_eq(a->layers, b->layers);
	ck_assert_int_eq(a->strict, b->strict);
	ck_assert_int_eq(a->report, b->report);
	ck_assert_int_eq(a->on_refusal, b->on_refusal);
	ck_assert_int_eq(a->probe_workers, b->probe_workers);
	ck_assert_int_eq(a->learn, b->learn);
}

START_TEST(test_a_policy_arrives_as_it_was_sent) {
	struct wf_policy *policy = parsed(canonical[_i]);
	struct policy sent = *document_view(policy), got;

	ck_assert_int_eq(pass(&sent, &got), 0);
	assert_same(&sent, &got);
	sent.learn = true;
	sent.layers |= LAYER_SANITIZER;
	ck_assert_int_eq(pass(&sent, &got), 0);
	assert_same(&sent, &got);
	wf_policy_free(policy);
}
END_TEST

/* The largest of everything: paths of all text, each list full. */
START_TEST(test_the_largest_policy_fits_a_frame) {
	struct wf_policy *policy = policy_of("pure");
	const struct call *table;
	size_t n, size = 0;
	char value[128];
	struct policy got;

	for (unsigned i = 0; i < LIMIT_POLICY_ENVIRONMENT - 3; i++) {
		(void)snprintf(value, sizeof value, "%u=", i);
		accepts(policy, "environment", value);
	}
	for (unsigned i = 0; i < LIMIT_POLICY_PATHS; i++) {
		(void)snprintf(value, sizeof value, "/%057u", i);
		accepts(policy, "device", value);
		accepts(policy, "execute", value);
	}
	for (unsigned i = 0; i < LIMIT_POLICY_PORTS; i++) {
		(void)snprintf(value, sizeof value, "%u", 65535 - i);
		accepts(policy, "tcp_connect", value);
		accepts(policy, "tcp_bind", value);
	}
	table = call_table(&n);
	for (size_t i = n; document_view(policy)->n_calls < LIMIT_POLICY_CALLS; i--)
		if (table[i - 1].group != CALLS_NEVER)
			accepts(policy, "calls", table[i - 1].name);
	accepts(policy, "identity", "4294967294");
	ck_assert_int_eq(policy_pack(document_view(policy), packed, WIRE_BODY, &size), 0);
	ck_assert_int_eq(unpack(size, &got), 0);
	assert_same(document_view(policy), &got);
	ck_assert_int_eq(policy_pack(document_view(policy), packed, size - 1, &size),
			 MESSAGE_E_TOO_LARGE);
	wf_policy_free(policy);
}
END_TEST

/* A policy that arrives is checked against every rule; each case breaks one of them. */
#define malformed(...)                                                                             \
	do {                                                                                       \
		struct policy malformed_policy = base, malformed_got = { .preset = 0 };            \
		struct policy *p = &malformed_policy;                                              \
		__VA_ARGS__;                                                                       \
		ck_assert_int_eq(pass(p, &malformed_got), MESSAGE_E_MALFORMED);                    \
		ck_assert_int_eq(malformed_got.preset, 0);                                         \
	} while (0)

START_TEST(test_malformed_singles_are_refused) {
	struct wf_policy *policy = policy_of("stage");
	const struct policy base = *document_view(policy);

	malformed(p->preset = (enum policy_preset)0);
	malformed(p->preset = (enum policy_preset)4);
	malformed(p->groups = GROUP(FILES)); /* without the base */
	malformed(p->groups |= GROUP(NEVER));
	malformed(p->groups |= UINT64_C(1) << N_CALL_GROUPS);
	malformed(p->families = 1 << 4);
	malformed(p->uid = UINT32_MAX);
	malformed(p->gid = UINT32_MAX);
	malformed(p->layers |= UINT32_C(1) << N_LAYERS);
	malformed(p->report = (enum policy_report)3);
	malformed(p->on_refusal = (enum policy_refusal)2);
	malformed(p->limits[POLICY_WALL] = 0);
	malformed(p->limits[POLICY_CPU] = 0);
	malformed(p->limits[POLICY_MEMORY] = (1 << 20) - 1);
	malformed(p->limits[POLICY_PROCESSES] = 0);
	malformed(p->limits[POLICY_DESCRIPTORS] = 15);
	malformed(p->limits[POLICY_SCRATCH] = 4095);
	wf_policy_free(policy);
}
END_TEST

#define malformed_path(...)                                                                        \
	malformed(p->paths = &(const struct policy_path){ __VA_ARGS__ }; p->n_paths = 1)

START_TEST(test_malformed_paths_are_refused) {
	static const char *const bad[] = { "",    "a",    "a/b",   "//",   "/a/",   "/a//b",  "/.",
					   "/..", "/a/.", "/a/..", "/./a", "/../a", "/a/../b" };
	struct wf_policy *policy = policy_of("stage");
	const struct policy base = *document_view(policy);
	struct policy got, good = base;

	for (size_t i = 0; i < N_OF(bad); i++)
		malformed_path(bad[i], POLICY_READ, false);
	malformed_path(long_path(LIMIT_PATH), POLICY_READ, false);
	malformed_path("/a", 0, false);
	malformed_path("/a", 1 << 4, false);
	good.paths = (const struct policy_path[]){ { "/...", POLICY_WRITE, false },
						   { "/", POLICY_READ, true },
						   { "/a/.b/..c", POLICY_DEVICE, true } };
	good.n_paths = 3;
	ck_assert_int_eq(pass(&good, &got), 0);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_malformed_lists_are_refused) {
	static const char *const nameless[] = { "=b" }, *const valueless[] = { "A" };
	static const uint16_t zero[] = { 0 }, unknown[] = { 9999 };
	struct wf_policy *policy = policy_of("stage");
	const struct policy base = *document_view(policy);
	const struct call *table;
	size_t n;

	malformed(p->environment = nameless; p->n_environment = 1);
	malformed(p->environment = valueless; p->n_environment = 1);
	malformed(p->tcp_connect = zero; p->n_tcp_connect = 1);
	malformed(p->tcp_bind = zero; p->n_tcp_bind = 1);
	malformed(p->calls = unknown; p->n_calls = 1);
	table = call_table(&n);
	for (size_t i = 0; i < n; i++)
		if (table[i].group == CALLS_NEVER)
			malformed(p->calls = &table[i].number; p->n_calls = 1);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_too_much_text_is_refused) {
	static char text[9][4000];
	const char *variables[N_OF(text)];
	struct policy_path paths[N_OF(text)];
	struct wf_policy *policy = policy_of("pure");
	const struct policy base = *document_view(policy);

	for (size_t i = 0; i < N_OF(text); i++) {
		memset(text[i], 'x', sizeof text[i] - 1);
		memcpy(text[i], "/=", 2);
		variables[i] = text[i];
		paths[i] = (struct policy_path){ text[i], POLICY_READ, false };
	}
	malformed(p->paths = paths; p->n_paths = N_OF(text));
	malformed(p->environment = variables; p->n_environment = N_OF(text));
	malformed(p->paths = paths; p->n_paths = 4; p->environment = variables;
		  p->n_environment = 5);
	wf_policy_free(policy);
}
END_TEST

/* Packed by hand, because policy_pack() makes no such: protobuf's tag, then the value. */
static size_t repeat(size_t size, const uint8_t *field, size_t field_size, size_t times) {
	for (; times; times--, size += field_size)
		memcpy(packed + size, field, field_size);
	return size;
}

START_TEST(test_lists_that_are_too_long_are_refused) {
	static const uint8_t path[] = { 0x12, 6, 0x0a, 2, '/', 'a', 0x10, 1 }, call[] = { 0x20, 0 },
			     port[] = { 0x30, 1 }, variable[] = { 0x42, 2, 'A', '=' },
			     nothing[] = { 0x12, 0 }, limit[] = { 0x60, 1 },
			     large[] = { 0x30, 0x80, 0x80, 0x04 };
	static const struct {
		const uint8_t *field;
		size_t size, most;
	} lists[] = {
		{ path, sizeof path, LIMIT_POLICY_PATHS },
		{ call, sizeof call, LIMIT_POLICY_CALLS },
		{ port, sizeof port, LIMIT_POLICY_PORTS },
		{ variable, sizeof variable, LIMIT_POLICY_ENVIRONMENT - 1 },
		{ limit, sizeof limit, 0 },
		{ large, sizeof large, 0 },
		{ nothing, sizeof nothing, 0 },
	};
	struct wf_policy *policy = policy_of("pure");
	struct policy small = *document_view(policy), got;
	size_t size = 0;

	small.n_environment = 1;
	small.environment = (const char *const[]){ "LANG=C" };
	ck_assert_int_eq(policy_pack(&small, packed, sizeof packed, &size), 0);
	for (size_t i = 0; i < N_OF(lists); i++) {
		size_t n = lists[i].most;

		ck_assert_int_eq(unpack(repeat(size, lists[i].field, lists[i].size, n), &got), 0);
		ck_assert_int_eq(unpack(repeat(size, lists[i].field, lists[i].size, n + 1), &got),
				 MESSAGE_E_MALFORMED);
	}
	size = repeat(size, nothing, sizeof nothing, (WIRE_BODY - size) / sizeof nothing);
	ck_assert_int_eq(unpack(size, &got), MESSAGE_E_MALFORMED); /* unfolds beyond any arena */
	ck_assert_int_eq(unpack(WIRE_BODY + 1, &got), MESSAGE_E_MALFORMED);
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_damaged_bodies_are_read_or_refused) {
	struct wf_policy *policy = parsed(canonical[4]);
	struct policy got;
	size_t size = 0;

	ck_assert_int_eq(policy_pack(document_view(policy), packed, sizeof packed, &size), 0);
	for (size_t i = 0; i < size; i++) {
		int r = unpack(i, &got);

		ck_assert(r == 0 || r == MESSAGE_E_MALFORMED);
	}
	for (size_t bit = 0; bit < 8 * size; bit++) {
		int r;

		packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = unpack(size, &got);
		ck_assert(r == 0 || r == MESSAGE_E_MALFORMED);
		packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_small_arena_is_enomem) {
	struct wf_policy *policy = policy_of("stage");
	struct policy got;
	struct arena arena;
	size_t size = 0, room = 0;
	int r = -ENOMEM;

	ck_assert_int_eq(policy_pack(document_view(policy), packed, sizeof packed, &size), 0);
	for (; r == -ENOMEM; room += 64) {
		ck_assert_uint_lt(room, sizeof unpack_memory);
		arena_init(&arena, unpack_memory, room);
		r = policy_unpack(packed, size, &arena, &got);
	}
	ck_assert_int_eq(r, 0);
	wf_policy_free(policy);
}
END_TEST

static void add_values(TCase *test_case) {
	tcase_add_test(test_case, test_pure_allows_nothing_but_the_base);
	tcase_add_test(test_case, test_stage_allows_programs_of_the_system);
	tcase_add_test(test_case, test_tests_adds_threads_loopback_and_scratch);
	tcase_add_test(test_case, test_an_unknown_preset_is_refused);
	tcase_add_test(test_case, test_the_environment_of_a_preset_is_the_hosts);
	tcase_add_test(test_case, test_paths_programs_and_sockets_bring_their_calls);
	tcase_add_test(test_case, test_access_adds_up);
	tcase_add_test(test_case, test_paths_are_sorted_the_outer_first);
	tcase_add_test(test_case, test_calls_are_groups_or_names);
	tcase_add_test(test_case, test_variables_of_the_host_and_of_the_policy);
	tcase_add_test(test_case, test_the_first_layer_takes_the_place_of_all);
	tcase_add_test(test_case, test_layers_have_names);
	tcase_add_loop_test(test_case, test_limits_are_read_and_printed, 0, N_OF(limit_cases));
	tcase_add_loop_test(test_case, test_a_bad_value_is_refused_with_a_sentence, 0,
			    N_OF(add_cases));
	tcase_add_test(test_case, test_a_call_that_is_never_allowed_is_refused);
	tcase_add_test(test_case, test_null_is_refused);
	tcase_add_test(test_case, test_lists_have_limits);
	tcase_add_test(test_case, test_calls_by_name_have_a_limit);
	tcase_add_test(test_case, test_text_has_a_limit);
	tcase_add_test(test_case, test_a_path_has_a_limit);
	tcase_add_test(test_case, test_paths_become_absolute_and_clean);
	tcase_add_test(test_case, test_dots_mean_what_the_kernel_means);
}

static void add_files(TCase *test_case) {
	tcase_add_loop_test(test_case, test_a_malformed_file_is_refused_with_a_sentence, 0,
			    N_OF(file_cases));
	tcase_add_test(test_case, test_every_prefix_of_a_file_is_read_or_refused);
	tcase_add_test(test_case, test_a_file_has_a_limit);
	tcase_add_test(test_case, test_a_file_with_too_much_names_its_line);
	tcase_add_test(test_case, test_a_preset_that_does_not_fit_is_refused);
	tcase_add_test(test_case, test_the_order_of_keys_does_not_matter);
	tcase_add_test(test_case, test_a_file_is_relative_to_its_directory);
	tcase_add_test(test_case, test_a_file_that_cannot_be_read);
	tcase_add_loop_test(test_case, test_what_is_printed_is_read_again, 0, N_OF(canonical));
	tcase_add_test(test_case, test_what_the_preset_says_is_not_printed);
	tcase_add_test(test_case, test_every_byte_of_a_path_comes_back);
	tcase_add_test(test_case, test_a_path_that_yaml_cannot_say_is_refused);
}

static void add_wire(TCase *test_case) {
	tcase_add_loop_test(test_case, test_a_policy_arrives_as_it_was_sent, 0, N_OF(canonical));
	tcase_add_test(test_case, test_the_largest_policy_fits_a_frame);
	tcase_add_test(test_case, test_malformed_singles_are_refused);
	tcase_add_test(test_case, test_malformed_paths_are_refused);
	tcase_add_test(test_case, test_malformed_lists_are_refused);
	tcase_add_test(test_case, test_too_much_text_is_refused);
	tcase_add_test(test_case, test_lists_that_are_too_long_are_refused);
	tcase_add_test(test_case, test_damaged_bodies_are_read_or_refused);
	tcase_add_test(test_case, test_a_small_arena_is_enomem);
}

int main(void) {
	TCase *test_case = fixture_case("policy");

	add_values(test_case);
	add_files(test_case);
	tcase_add_loop_test(test_case, test_composing_adds_and_the_later_decides, 0,
			    N_OF(compose_cases));
	tcase_add_test(test_case, test_composing_too_much_changes_nothing);
	tcase_add_test(test_case, test_a_copy_is_equal_and_its_own);
	tcase_add_test(test_case, test_every_key_makes_a_difference);
	tcase_add_test(test_case, test_conflicts_are_found_after_adding);
	tcase_add_loop_test(test_case, test_lines_for_paths, 0, N_OF(path_cases));
	tcase_add_test(test_case, test_the_root_covers_all);
	tcase_add_test(test_case, test_lines_of_two_threads);
	tcase_add_test(test_case, test_the_longest_line_fits);
	tcase_add_loop_test(test_case, test_lines_for_calls, 0, N_OF(call_cases));
	tcase_add_test(test_case, test_a_line_for_a_call_allows_it_or_is_empty);
	add_wire(test_case);
	return fixture_run("policy", test_case);
}
