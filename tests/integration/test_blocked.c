/* SPDX-License-Identifier: MIT
 *
 * Story: something that a pool has to touch does not answer, and may never do so: the peer of a
 * socket that a task has sent, the file system of the helper program. Nobody waits for it. The file
 * system of a path that a task names is in the story of refusals.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/dead.h"
#include "tests/support/pool.h"

/* --- a peer that does not read --- */

static int listen_somewhere(int *ret_port) {
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof here;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&here, size), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&here, &size), 0);
	*ret_port = ntohs(here.sin_port);
	return fd;
}

START_TEST(test_closing_what_a_task_has_sent) {
	struct wf_executor *executor = pool_open_regime(_i);
	int port, listener = listen_somewhere(&port);
	struct wf_future *abuser;
	char script[64];

	(void)snprintf(script, sizeof script, "linger_channel %d", port);
	for (int i = 0; i < 3; i++) {
		abuser = pool_call(executor, "script", script);
		expect_killed(pool_wait(abuser), WF_BY_PROTOCOL);
		wf_future_free(abuser);
		pool_check_works(executor);
	}
	pool_close(executor);
	(void)close(listener);
}
END_TEST

/* --- a file system that does not answer --- */

static bool has_no_keeper(const struct wf_statistics *statistics) {
	return statistics->keeper_pid == 0;
}

/* The keeper is started again from a path that leads there now. */
START_TEST(test_starting_a_helper_again) {
	struct wf_executor_options options = pool_options(FRESH);
	char link[300];
	struct wf_executor *executor;
	struct wf_future *queued;

	if (!dead_mount())
		return;
	(void)snprintf(link, sizeof link, "%s/helper", fixture_scratch());
	ck_assert_int_eq(symlink(getenv("WARMFORK_HELPER"), link), 0);
	options.helper = link;
	executor = pool_open(&options);
	pool_check_works(executor);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(symlink(dead_path("helper"), link), 0);
	pool_end_process(pool_statistics(executor).keeper_pid);
	pool_await(executor, has_no_keeper); /* nor its guard */
	queued = pool_call(executor, "echo", "x");
	ck_assert_ptr_null(wf_future_wait(queued, 0));
	ck_assert_int_eq(wf_future_cancel(queued), 0);
	expect_kind(pool_wait(queued), WF_CANCELLED);
	wf_future_free(queued);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
	wf_executor_free(executor);
	dead_release();
}
END_TEST

int main(void) {
	TCase *story = fixture_case("blocked");

	add_for_both(story, test_closing_what_a_task_has_sent);
	tcase_add_test(story, test_starting_a_helper_again);
	return fixture_run("blocked", story);
}
