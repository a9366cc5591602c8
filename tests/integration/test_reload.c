/* SPDX-License-Identifier: MIT
 *
 * Story: the module changes on disk, as a new file or in place, while tasks are queued and running.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/look.h"
#include "tests/support/more.h"

/* The path of the module that the executor loads. */
static const char *module_path(void) {
	static char path[512];

	snprintf(path, sizeof path, "%s/module.so", fixture_scratch());
	return path;
}

/* As a build does: a new file takes the name. */
static void install_version(int version) {
	char path[600];

	snprintf(path, sizeof path, "%s.new", module_path());
	fixture_copy_file(getenv(version == 1 ? "TOY_V1" : "TOY_V2"), path, O_EXCL, 0700);
	ck_assert_int_eq(rename(path, module_path()), 0);
}

/* As cp does: the same file gets other bytes. */
static void overwrite_version(int version) {
	fixture_copy_file(getenv(version == 1 ? "TOY_V1" : "TOY_V2"), module_path(), O_TRUNC, 0700);
}

static void overwrite_with_text(const char *text) {
	int fd = open(module_path(), O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static struct wf_executor_options version_options(int regime) {
	struct wf_executor_options options = pool_options(regime);

	install_version(1);
	options.module = module_path();
	return options;
}

static struct wf_executor *open_version(int regime) {
	const struct wf_executor_options options = version_options(regime);

	return pool_open(&options);
}

static int answer_of(const struct wf_outcome *outcome) {
	int answer;

	expect_kind(outcome, WF_RETURNED);
	ck_assert_uint_eq(outcome->returned.size, sizeof answer);
	memcpy(&answer, outcome->returned.data, sizeof answer);
	return answer;
}

static int ask_version(struct wf_executor *executor) {
	int answer;

	more_ask(executor, "version", NULL, 0, &answer, sizeof answer);
	return answer;
}

static void reload(struct wf_executor *executor) {
	int r = wf_executor_reload(executor);

	ck_assert_msg(r == 0, "wf_executor_reload: %d: %s", r, wf_last_error());
}

/* --- a new file --- */

START_TEST(test_reload_runs_the_new_code) {
	struct wf_executor *executor = open_version(_i);

	ck_assert_int_eq(ask_version(executor), 1);
	install_version(2);
	ck_assert_int_eq(ask_version(executor), 1);
	ck_assert_uint_eq(pool_statistics(executor).generation, 1);
	reload(executor);
	ck_assert_int_eq(ask_version(executor), 2);
	ck_assert_uint_eq(pool_statistics(executor).generation, 2);
	install_version(1);
	reload(executor);
	ck_assert_int_eq(ask_version(executor), 1);
	ck_assert_uint_eq(pool_statistics(executor).generation, 3);
	pool_close(executor);
}
END_TEST

/* What runs goes on in the old generation; what is queued runs in the new one. */
START_TEST(test_reload_with_tasks_queued_and_running) {
	struct wf_executor_options options = version_options(_i);
	struct wf_future *queued[10];
	struct cord cord;

	options.workers = 1;
	struct wf_executor *executor = pool_open(&options);
	cord_open(&cord);
	struct wf_future *gate = cord_call(&cord, executor, "gate", "");
	cord_expect(&cord, "at");
	for (size_t i = 0; i < N_OF(queued); i++)
		queued[i] = pool_call(executor, "version", "");
	install_version(2);
	reload(executor);
	cord_release(&cord);
	ck_assert_int_eq(answer_of(pool_wait(gate)), 1);
	ck_assert_uint_eq(pool_wait(gate)->generation, 1);
	for (size_t i = 0; i < N_OF(queued); i++) {
		ck_assert_int_eq(answer_of(pool_wait(queued[i])), 2);
		ck_assert_uint_eq(pool_wait(queued[i])->generation, 2);
		wf_future_free(queued[i]);
	}
	wf_future_free(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

/* Tasks that were handed ahead may run in either, but say which. */
START_TEST(test_reload_under_load_loses_nothing) {
	struct wf_executor_options options = version_options(_i);
	struct wf_future *futures[120];

	options.tuning.hand_ahead = 0;
	struct wf_executor *executor = pool_open(&options);
	for (size_t i = 0; i < N_OF(futures); i++) {
		futures[i] = pool_call(executor, "version", "");
		if (i % 40 == 20) {
			install_version(i == 60 ? 1 : 2);
			reload(executor);
		}
	}
	for (size_t i = 0; i < N_OF(futures); i++) {
		const struct wf_outcome *outcome = pool_wait(futures[i]);

		ck_assert_int_eq(answer_of(outcome), outcome->generation % 2 ? 1 : 2);
		wf_future_free(futures[i]);
	}
	pool_close(executor);
}
END_TEST

START_TEST(test_old_zygote_leaves_after_its_last_task) {
	struct wf_executor *executor = open_version(_i);
	struct cord cord;

	cord_open(&cord);
	struct wf_future *gate = cord_call(&cord, executor, "gate", "");
	cord_expect(&cord, "at");
	const pid_t old = pool_statistics(executor).zygote_pid;
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, old, 0), .events = POLLIN };
	ck_assert_int_ge(ended.fd, 0);
	reload(executor);
	ck_assert_int_ne(pool_statistics(executor).zygote_pid, old);
	ck_assert_int_eq(poll(&ended, 1, 0), 0);
	cord_release(&cord);
	ck_assert_int_eq(answer_of(pool_wait(gate)), 1);
	ck_assert_int_eq(poll(&ended, 1, FIXTURE_CAP_MS), 1);
	ck_assert_int_eq(ask_version(executor), 1);
	close(ended.fd);
	wf_future_free(gate);
	cord_close(&cord);
	pool_close(executor);
}
END_TEST

struct reloader {
	pthread_t thread;
	struct wf_executor *executor;
	int r;
};

static void *reload_it(void *argument) {
	struct reloader *reloader = argument;

	reloader->r = wf_executor_reload(reloader->executor);
	return NULL;
}

/* Several threads reload at once: each call ends, with an image that is as new as the call. */
START_TEST(test_reload_from_several_threads) {
	struct wf_executor *executor = open_version(_i);
	struct reloader reloaders[3];

	install_version(2);
	for (size_t i = 0; i < N_OF(reloaders); i++) {
		reloaders[i] = (struct reloader){ .executor = executor, .r = 1 };
		ck_assert_int_eq(
		    pthread_create(&reloaders[i].thread, NULL, reload_it, &reloaders[i]), 0);
	}
	for (size_t i = 0; i < N_OF(reloaders); i++) {
		ck_assert_int_eq(pthread_join(reloaders[i].thread, NULL), 0);
		ck_assert_int_eq(reloaders[i].r, 0);
	}
	ck_assert_int_eq(ask_version(executor), 2);
	pool_close(executor);
}
END_TEST

/* --- in place --- */

/* The living generation: new workers are forked, cold pages of its text and constants are touched.
 */
static void expect_undisturbed(struct wf_executor *executor, uint64_t number) {
	for (int i = 0; i < 6; i++) {
		uint64_t answer;

		more_ask(executor, "cold", NULL, 0, &answer, sizeof answer);
		ck_assert_uint_eq(answer, number);
		ck_assert_int_eq(ask_version(executor), 1);
	}
}

/* What "cold" of version 1 gives, from a module that nobody has touched. */
static uint64_t cold_number(void) {
	struct wf_executor_options options = pool_options(FRESH);
	uint64_t answer;

	options.module = getenv("TOY_V1");
	struct wf_executor *executor = pool_open(&options);
	more_ask(executor, "cold", NULL, 0, &answer, sizeof answer);
	pool_close(executor);
	return answer;
}

/* A fresh worker for each task, none ahead: each fork is after the change. */
static struct wf_executor *open_to_fork_later(int regime) {
	struct wf_executor_options options = version_options(regime);

	options.spares = WF_NO_SPARES;
	return pool_open(&options);
}

START_TEST(test_overwritten_module_does_not_disturb) {
	const uint64_t number = cold_number();
	struct wf_executor *executor = open_to_fork_later(_i);

	overwrite_version(2);
	expect_undisturbed(executor, number);
	reload(executor);
	ck_assert_int_eq(ask_version(executor), 2);
	pool_close(executor);
}
END_TEST

START_TEST(test_truncated_and_removed_module_does_not_disturb) {
	const uint64_t number = cold_number();
	struct wf_executor *executor = open_to_fork_later(_i);

	ck_assert_int_eq(truncate(module_path(), 0), 0);
	expect_undisturbed(executor, number);
	ck_assert_int_eq(unlink(module_path()), 0);
	expect_undisturbed(executor, number);
	pool_close(executor);
}
END_TEST

/* --- a broken one --- */

static void expect_refused(struct wf_executor *executor) {
	ck_assert_int_eq(wf_executor_reload(executor), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(wf_last_error(), "module.so"));
	ck_assert_int_eq(ask_version(executor), 1);
	ck_assert_uint_eq(pool_statistics(executor).generation, 1);
}

START_TEST(test_broken_module_is_refused_and_the_old_goes_on) {
	struct wf_executor *executor = open_version(_i);

	overwrite_with_text("this is not a shared object\n");
	expect_refused(executor);
	ck_assert_int_eq(unlink(module_path()), 0);
	expect_refused(executor);
	install_version(2);
	reload(executor);
	ck_assert_int_eq(ask_version(executor), 2);
	pool_close(executor);
}
END_TEST

static sem_t losses;

static void note_loss(void *context, enum wf_log_level level, const char *line) {
	(void)context;
	(void)level;
	if (strstr(line, "is lost") && strstr(line, "keeper ("))
		ck_assert_int_eq(sem_post(&losses), 0);
}

/* Its guard may still be ending what it has left. */
START_TEST(test_reload_right_after_the_loss_of_the_keeper) {
	struct wf_executor_options options = pool_options(_i);
	struct wf_executor *executor;

	ck_assert_int_eq(sem_init(&losses, 0, 0), 0);
	options.tuning.backoff_ms = 1;
	options.log = note_loss;
	executor = pool_open(&options);
	for (int i = 0; i < 5; i++) {
		pid_t keeper;

		pool_check_works(executor);
		keeper = pool_statistics(executor).keeper_pid;
		ck_assert_int_gt(keeper, 0);
		ck_assert_int_eq(kill(keeper, SIGKILL), 0);
		ck_assert_int_eq(sem_wait(&losses), 0);
		reload(executor);
	}
	pool_check_works(executor);
	pool_close(executor);
	fixture_reap_adopted();
}
END_TEST

START_TEST(test_closed_executor_does_not_reload) {
	struct wf_executor *executor = open_version(_i);

	ck_assert_int_eq(wf_executor_reload(NULL), -EINVAL);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	ck_assert_int_eq(wf_executor_reload(executor), -ESHUTDOWN);
	wf_executor_free(executor);
}
END_TEST

/* --- in the way --- */

/* A pool of the toy whose preload hangs, and says so, once there is such a fifo. */
static struct wf_executor *open_to_hang(int regime, char *path, size_t size) {
	struct wf_executor_options options = pool_options(regime);
	static char argument[600];

	(void)snprintf(path, size, "%s/fifo", fixture_scratch());
	(void)snprintf(argument, sizeof argument, "hang_while %s", path);
	options.preload_argument = argument;
	options.preload_argument_size = strlen(argument);
	options.preload_timeout_ms = WF_FOREVER;
	return pool_open(&options);
}

/* A close during a reload is reported as such, and not as a failure of the new image. */
START_TEST(test_close_while_it_reloads) {
	static const enum wf_close hows[] = { WF_CLOSE_FINISH, WF_CLOSE_CANCEL, WF_CLOSE_KILL };
	struct reloader reloader;
	char path[512], byte;
	int fifo;

	for (size_t i = 0; i < N_OF(hows); i++) {
		reloader.executor = open_to_hang(_i, path, sizeof path);
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		ck_assert_int_eq(pthread_create(&reloader.thread, NULL, reload_it, &reloader), 0);
		fifo = open(path, O_RDONLY | O_CLOEXEC); /* the preload holds the other end */
		ck_assert_int_eq(read(fifo, &byte, 1), 1);
		ck_assert_int_eq(wf_executor_close(reloader.executor, hows[i]), 0);
		ck_assert_int_eq(pthread_join(reloader.thread, NULL), 0);
		ck_assert_int_eq(reloader.r, -ESHUTDOWN);
		wf_executor_free(reloader.executor);
		close(fifo);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

#define GENERATIONS 16 /* that may be busy at once */

static void await_reload(struct wf_executor *executor) {
	struct look look = look_begin(FIXTURE_CAP_MS);
	int r;

	do
		r = wf_executor_reload(executor);
	while (r == -EIO && look_again(&look));
	ck_assert_msg(r == 0, "wf_executor_reload: %d: %s", r, wf_last_error());
}

START_TEST(test_too_many_generations_are_busy) {
	struct wf_executor_options options = pool_options(_i);
	static struct cord cords[GENERATIONS];
	struct wf_future *gates[GENERATIONS];
	struct wf_executor *executor;

	options.workers = GENERATIONS;
	options.spares = WF_NO_SPARES;
	executor = pool_open(&options);
	for (size_t i = 0; i < GENERATIONS; i++) {
		if (i > 0)
			reload(executor);
		cord_open(&cords[i]);
		gates[i] = cord_call(&cords[i], executor, "script", "started; wait; echo old");
		cord_expect(&cords[i], "started");
	}
	ck_assert_int_eq(wf_executor_reload(executor), -EIO);
	ck_assert_ptr_nonnull(strstr(wf_last_error(), "16 earlier generations"));
	cord_release(&cords[0]);
	expect_text(pool_wait(gates[0]), "old");
	await_reload(executor);
	pool_check_works(executor);
	for (size_t i = 0; i < GENERATIONS; i++) {
		if (i > 0)
			cord_release(&cords[i]);
		expect_text(pool_wait(gates[i]), "old");
		wf_future_free(gates[i]);
		cord_close(&cords[i]);
	}
	pool_close(executor);
}
END_TEST

/* --- the shared executor looks by itself --- */

START_TEST(test_shared_executor_notices_a_changed_file) {
	const struct wf_executor_options options = version_options(_i);
	struct wf_executor *first, *second, *third;
	bool reused = false;

	ck_assert_int_eq(wf_executor_shared(&options, &first, NULL), 0);
	ck_assert_int_eq(ask_version(first), 1);
	install_version(2);
	ck_assert_int_eq(wf_executor_shared(&options, &second, &reused), 0);
	ck_assert_int_eq(reused, true);
	ck_assert_int_eq(ask_version(second), 2);
	ck_assert_int_eq(wf_executor_shared(&options, &third, &reused), 0);
	ck_assert_int_eq(reused, true);
	ck_assert_uint_eq(pool_statistics(third).generation, 2);
	wf_executor_free(first);
	wf_executor_free(second);
	ck_assert_int_eq(wf_executor_close(third, WF_CLOSE_FINISH), 0);
	wf_executor_free(third);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("reload");

	add_for_both(test_case, test_reload_runs_the_new_code);
	add_for_both(test_case, test_reload_with_tasks_queued_and_running);
	add_for_both(test_case, test_reload_under_load_loses_nothing);
	add_for_both(test_case, test_old_zygote_leaves_after_its_last_task);
	add_for_both(test_case, test_reload_from_several_threads);
	add_for_both(test_case, test_overwritten_module_does_not_disturb);
	add_for_both(test_case, test_truncated_and_removed_module_does_not_disturb);
	add_for_both(test_case, test_broken_module_is_refused_and_the_old_goes_on);
	add_for_both(test_case, test_reload_right_after_the_loss_of_the_keeper);
	add_for_both(test_case, test_closed_executor_does_not_reload);
	add_for_both(test_case, test_close_while_it_reloads);
	add_for_both(test_case, test_too_many_generations_are_busy);
	add_for_both(test_case, test_shared_executor_notices_a_changed_file);
	return fixture_run("reload", test_case);
}
