/* SPDX-License-Identifier: MIT
 *
 * What a listener has to look up may take as long as the file system wants, or the memory of
 * whoever made the call: nobody who submits may wait for it. The linker has attempt_look() go
 * through here.
 */
#include <check.h>
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

/* Whoever makes a directory is told of on the descriptor that this returns. */
static int listen_to_itself(void) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof code / sizeof code[0], code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* 0: it was answered; 2: there is no such filter here. */
static _Noreturn void be_heard(int number) {
	int listener = listen_to_itself();

	if (listener < 0 || write(number, &listener, sizeof listener) != sizeof listener)
		_exit(2);
	_exit(mkdirat(AT_FDCWD, "/nowhere/at/all", 0700) < 0 ? 0 : 1);
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

START_TEST(test_nothing_is_looked_up_under_the_lock) {
	struct wf_policy *policy = NULL;
	int ends[2], status, listener;
	struct fake *fake;
	pid_t child;

	ck_assert_int_eq(wf_policy_new("stage", &policy), 0);
	fake = fake_new((struct wf_executor_options){ .policy = policy });
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	if (child == 0)
		be_heard(ends[1]);
	ck_assert_int_gt(child, 0); /* what is killed below is no other */
	fd_close(ends[1]);
	listener = take_listener(child, ends[0]);
	fd_close(ends[0]);
	if (listener >= 0) {
		listen_to(fake, listener);
		ck_assert_int_eq(n_looks, 1);
		ck_assert_int_eq(n_locked, 0);
	} else {
		printf("# skipped: no listener of a child's can be had here\n");
		(void)kill(child, SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (listener >= 0)
		ck_assert_int_eq(status, 0);
	fake_free(fake);
	wf_policy_free(policy);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("listener");

	tcase_add_test(test_case, test_nothing_is_looked_up_under_the_lock);
	return fixture_run("listener", test_case);
}
