/* SPDX-License-Identifier: MIT
 *
 * sandbox/builder, sandbox/namespace: what is not there is not taken for being in force. Each test
 * is a process of its own (Check forks), so it may enter namespaces and fill its table of
 * descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <warmfork/policy.h>

#include "base/fd.h"
#include "base/process.h"
#include "policy/document.h"
#include "sandbox/builder.h"
#include "sandbox/landlock.h"
#include "sandbox/namespace.h"
#include "tests/support/fixture.h"

static struct sandbox sandbox;
static struct sandbox_trouble trouble;

static void sandbox_begin(void) {
	sandbox = (struct sandbox){
		.on = true,
		.view = -1,
		.ruleset = -1,
		.listener = -1,
		.landlock_abi = landlock_abi(),
	};
	memset(&trouble, 0, sizeof trouble);
}

static struct wf_policy *policy_new(const char *preset) {
	struct wf_policy *policy = NULL;

	ck_assert_int_eq(wf_policy_new(preset, &policy), 0);
	return policy;
}

/* --- the builder --------------------------------------------------------------------------- */

static const uint32_t built[] = { LAYER_LANDLOCK, LAYER_SECCOMP };

static bool is_lacking(uint32_t layer) {
	if (layer != LAYER_LANDLOCK || sandbox.landlock_abi > 0)
		return false;
	printf("# skipped: no Landlock here\n");
	return true;
}

START_TEST(test_what_is_built_is_in_force) {
	struct wf_policy *policy = policy_new("pure");
	struct builder_job job;

	sandbox_begin();
	if (is_lacking(built[_i]))
		goto end;
	ck_assert_int_eq(builder_start(&job, &sandbox, document_view(policy), built[_i], &trouble),
			 0);
	ck_assert_int_eq(builder_finish(&job, &sandbox, &trouble), 0);
	ck_assert_uint_eq(sandbox.layers, built[_i]);
	ck_assert_uint_eq(sandbox.missing, 0);
	if (built[_i] == LAYER_LANDLOCK)
		ck_assert_int_ge(sandbox.ruleset, 0);
	else
		ck_assert_uint_gt(sandbox.filter.n, 0);
	sandbox.ruleset = fd_close(sandbox.ruleset);
end:
	wf_policy_free(policy);
}
END_TEST

START_TEST(test_a_layer_that_found_no_room_is_not_in_force) {
	struct wf_policy *policy = policy_new("pure");
	struct builder_job job;
	rlim_t before;

	sandbox_begin();
	if (is_lacking(built[_i]))
		goto end;
	ck_assert_int_eq(builder_start(&job, &sandbox, document_view(policy), built[_i], &trouble),
			 0);
	before = fixture_limit_room(0);
	ck_assert_int_eq(builder_finish(&job, &sandbox, &trouble), -EMFILE);
	(void)fixture_limit_descriptors(before);
	ck_assert_uint_eq(trouble.layer, 0); /* of no layer: best effort does not go on without */
	ck_assert_ptr_nonnull(strstr(trouble.text, strerrordesc_np(EMFILE)));
	ck_assert_uint_eq(sandbox.layers, 0);
	ck_assert_int_eq(sandbox.ruleset, -1);
	ck_assert_uint_eq(sandbox.filter.n, 0);
end:
	wf_policy_free(policy);
}
END_TEST

/* --- the user namespace -------------------------------------------------------------------- */

static bool kill_mapper;

/* In place of the C library's: entering takes a child that maps identities, and here it may die. */
int unshare(int flags) {
	siginfo_t info;
	pid_t child;

	if (kill_mapper) {
		int pidfd;

		ck_assert_int_eq(process_children(&child, 1), 1);
		pidfd = process_open(child);
		ck_assert_int_eq(process_signal(pidfd, SIGKILL), 0);
		ck_assert_int_eq(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT), 0);
		(void)fd_close(pidfd);
	}
	return (int)syscall(SYS_unshare, flags);
}

/* Tried without the code under test: a child enters, and what root maps is written from outside. */
static bool machine_maps_identities(void) {
	bool maps = false;
	char path[64], byte;
	int ends[2];
	pid_t child;

	ck_assert_int_eq(fd_seqpacket_pair(ends), 0);
	child = fork();
	if (child == 0) {
		(void)fd_close(ends[0]);
		if (syscall(SYS_unshare, CLONE_NEWUSER) == 0 && send(ends[1], "", 1, 0) == 1)
			(void)recv(ends[1], &byte, 1, 0);
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	(void)fd_close(ends[1]);
	if (recv(ends[0], &byte, 1, 0) == 1) {
		cleanup_close int map = -1;

		(void)snprintf(path, sizeof path, "/proc/%d/uid_map", (int)child);
		map = open(path, O_WRONLY | O_CLOEXEC);
		maps = map >= 0 && write(map, "0 0 1\n", 6) == 6;
	}
	(void)fd_close(ends[0]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	return maps;
}

START_TEST(test_identities_are_mapped_or_the_layer_is_missing) {
	int r;

	sandbox_begin();
	if (geteuid() != 0) {
		printf("# skipped: only root has a child that maps\n");
		return;
	}
	if (!_i && !machine_maps_identities()) {
		printf("# skipped: root cannot map identities here\n");
		return;
	}
	kill_mapper = _i;
	r = namespace_enter(&sandbox, LAYER_USER, true, &trouble);
	if (kill_mapper) {
		ck_assert_int_lt(r, 0);
		ck_assert_uint_eq(trouble.layer, LAYER_USER);
		ck_assert_uint_eq(sandbox.layers, 0);
	} else {
		ck_assert_msg(r == 0, "%d: %s", r, trouble.text);
		ck_assert_uint_eq(geteuid(), 0);
		ck_assert_uint_eq(sandbox.layers, LAYER_USER);
	}
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("sandbox");

	tcase_add_loop_test(test_case, test_what_is_built_is_in_force, 0, 2);
	tcase_add_loop_test(test_case, test_a_layer_that_found_no_room_is_not_in_force, 0, 2);
	tcase_add_loop_test(test_case, test_identities_are_mapped_or_the_layer_is_missing, 0, 2);
	return fixture_run("sandbox", test_case);
}
