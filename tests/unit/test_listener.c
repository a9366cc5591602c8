/* SPDX-License-Identifier: MIT
 *
 * What a listener has to look up may take as long as the file system wants, or the memory of
 * whoever made the call: nobody who submits may wait for it. The linker has attempt_look() go
 * through here.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <warmfork/policy.h>

#include "base/fd.h"
#include "base/process.h"
#include "executor/attempt.h"
#include "executor/listener.h"
#include "tests/support/fixture.h"
#include "tests/unit/executor_fake.h"

static struct engine *engine;
static int n_looks, n_locked;

void __real_attempt_look(struct attempt *attempt, const struct policy *policy, bool all);
void __wrap_attempt_look(struct attempt *attempt, const struct policy *policy, bool all);

void __wrap_attempt_look(struct attempt *attempt, const struct policy *policy, bool all) {
	n_looks++;
	if (pthread_mutex_trylock(&engine->lock) == 0)
		(void)pthread_mutex_unlock(&engine->lock);
	else
		n_locked++;
	__real_attempt_look(attempt, policy, all);
}

/* Whoever changes its root is told of on the descriptor that this returns. */
static int listen_to_itself(void) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chroot, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof code / sizeof code[0], code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* Exits with the errno that it is answered; 0: there is no such filter here. */
static _Noreturn void be_heard(int number) {
	int listener = listen_to_itself();

	if (listener < 0 || write(number, &listener, sizeof listener) != sizeof listener)
		_exit(0);
	_exit(chroot("") < 0 ? errno : 0);
}

/* Takes the descriptor out of the child. -1: it has none. */
static int take_listener(pid_t child, int number) {
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	int listener;

	if (read(number, &listener, sizeof listener) != sizeof listener)
		return -1;
	return (int)syscall(SYS_pidfd_getfd, pidfd, listener, 0);
}

static void answer_one(struct fake *fake) {
	struct loop_batch batch;

	do {
		ck_assert_int_eq(loop_wait(loop_fd(engine->loop), FIXTURE_CAP_MS, &batch), 0);
		ck_assert_int_gt(batch.n, 0);
		engine_lock(engine);
		loop_dispatch(engine->loop, &batch);
		engine_unlock(engine);
	} while (list_is_empty(&fake->offload.jobs));
	offload_run(&fake->offload);
}

static void listen_to(struct fake *fake, int listener) {
	struct generation *generation = fake->generation;

	engine = &fake->engine;
	generation->listener_fd = listener;
	ck_assert_int_eq(listener_start_generation(generation), 0);
	answer_one(fake);
	source_remove(&generation->listener_source);
	generation->listener_fd = fd_close(generation->listener_fd);
}

static enum { ZYGOTE_IS_NONE, ZYGOTE_ASKS, ZYGOTE_HAS_ENDED } zygote;

/* Its number is the caller's. */
static void pretend_zygote(struct generation *generation, pid_t caller) {
	pid_t other;

	if (zygote == ZYGOTE_IS_NONE)
		return;
	generation->pid = caller;
	generation->pidfd = process_open(caller);
	if (zygote == ZYGOTE_ASKS)
		return;
	other = fork();
	if (other == 0)
		_exit(0);
	fd_close(generation->pidfd);
	generation->pidfd = process_open(other);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
}

/* Returns the errno of a child's chroot(""), which is ENOENT if the listener lets it go on; 0: no
 * listener can be had. */
static int answer_to(struct fake *fake) {
	int ends[2], status, listener;
	pid_t child;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	if (child == 0)
		be_heard(ends[1]);
	ck_assert_int_gt(child, 0); /* what is killed below is no other */
	pretend_zygote(fake->generation, child);
	fd_close(ends[1]);
	listener = take_listener(child, ends[0]);
	fd_close(ends[0]);
	if (listener >= 0)
		listen_to(fake, listener);
	else
		(void)kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (listener >= 0)
		ck_assert(WIFEXITED(status));
	else
		printf("# skipped: no listener of a child's can be had here\n");
	return listener >= 0 ? WEXITSTATUS(status) : 0;
}

static struct fake *fake_listener(struct wf_policy **ret_policy) {
	ck_assert_int_eq(wf_policy_new("stage", ret_policy), 0);
	return fake_new((struct wf_executor_options){ .policy = *ret_policy });
}

START_TEST(test_nothing_is_looked_up_under_the_lock) {
	struct wf_policy *policy = NULL;
	struct fake *fake = fake_listener(&policy);
	int error = answer_to(fake);

	if (error != 0) {
		ck_assert_int_eq(error, EPERM);
		ck_assert_int_eq(n_looks, 1);
		ck_assert_int_eq(n_locked, 0);
	}
	fake_free(fake);
	wf_policy_free(policy);
}
END_TEST

/* The zygote may do what it wants, but a process that has got its number may not. */
START_TEST(test_number_of_the_zygote) {
	struct wf_policy *policy = NULL;
	struct fake *fake = fake_listener(&policy);
	int error;

	zygote = _i == 0 ? ZYGOTE_ASKS : ZYGOTE_HAS_ENDED;
	error = answer_to(fake);
	if (error != 0)
		ck_assert_int_eq(error, _i == 0 ? ENOENT : EPERM);
	fake_free(fake);
	wf_policy_free(policy);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("listener");

	tcase_add_test(test_case, test_nothing_is_looked_up_under_the_lock);
	tcase_add_loop_test(test_case, test_number_of_the_zygote, 0, 2);
	return fixture_run("listener", test_case);
}
