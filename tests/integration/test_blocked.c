/* SPDX-License-Identifier: MIT
 *
 * Story: something that a pool has to touch does not answer, and may never do so: the file system of a
 * path that a task names, or of the helper program; the peer of a socket that a task has sent. Only
 * whoever has asked for it waits.
 *
 * The file system is one of FUSE whose server, which is this test, reads no request. It is mounted in a
 * mount namespace of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/more.h"
#include "tests/support/sandboxed.h"

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

static int server = -1;
static char dead[256]; /* where it is mounted */

static bool write_file(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	(void)close(fd);
	return written;
}

static bool enter_namespace(void) {
	char map[64];
	uid_t uid = geteuid();

	if (uid == 0)
		return unshare(CLONE_NEWNS) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	(void)snprintf(map, sizeof map, "%d %d 1", (int)uid, (int)uid);
	return write_file("/proc/self/uid_map", map);
}

/* Returns false, and says why, if this cannot be done here. */
static bool mount_dead(void) {
	char options[128];

	(void)snprintf(dead, sizeof dead, "%s/dead", fixture_scratch());
	ck_assert_int_eq(mkdir(dead, 0755), 0);
	server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	(void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d",
		       server, (int)geteuid(), (int)getegid());
	if (server >= 0 && enter_namespace() &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("dead", dead, "fuse", MS_NOSUID | MS_NODEV, options) == 0)
		return true;
	printf("# skipped: no file system can be mounted here: %s\n", strerrordesc_np(errno));
	return false;
}

/* Whoever waits gets an error. */
static void release_dead(void) {
	(void)close(server);
	(void)umount2(dead, MNT_DETACH);
}

static const char *in_dead(const char *name) {
	static char path[300];

	(void)snprintf(path, sizeof path, "%s/%s", dead, name);
	return path;
}

static struct wf_future *read_in_dead(struct wf_executor *executor, const char *name) {
	char steps[320];

	(void)snprintf(steps, sizeof steps, "read %s", in_dead(name));
	return pool_call(executor, "try", steps);
}

/* More of them than threads may be stuck, so that the last find none. */
#define READERS 12

static struct wf_executor *open_readers(int regime) {
	struct wf_policy *policy = policy_of("stage", NULL);
	struct wf_executor_options options = sandboxed_options(regime, policy);
	struct wf_executor *executor;

	options.workers = READERS + 1;
	executor = pool_open(&options);
	wf_policy_free(policy);
	return executor;
}

/* The path is nowhere in the task's view, so its call fails at once. That the host cannot find out more
 * about it costs the note, and keeps nobody. */
START_TEST(test_looking_at_what_a_task_names) {
	struct wf_executor *executor;
	struct wf_future *readers[READERS];

	if (!mount_dead())
		return;
	executor = open_readers(_i);
	for (int i = 0; i < READERS; i++)
		readers[i] = read_in_dead(executor, "x");
	expect_steps(executor, "look /", "ok");
	for (int i = 0; i < READERS; i++) {
		expect_text(pool_wait(readers[i]), "ENOENT");
		wf_future_free(readers[i]);
	}
	expect_steps(executor, "look /", "ok");
	release_dead();
	pool_close(executor);
}
END_TEST

START_TEST(test_closing_while_a_look_is_stuck) {
	struct wf_executor *executor;
	struct wf_future *reader;

	if (!mount_dead())
		return;
	executor = sandboxed_open(FRESH, policy_of("stage", NULL));
	reader = read_in_dead(executor, "x");
	expect_text(pool_wait(reader), "ENOENT");
	wf_future_free(reader);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_FINISH), 0);
	wf_executor_free(executor);
	release_dead();
}
END_TEST

static bool has_no_keeper(const struct wf_statistics *statistics) {
	return statistics->keeper_pid == 0;
}

/* The keeper is started again from a path that leads there now. */
START_TEST(test_starting_a_helper_again) {
	struct wf_executor_options options = pool_options(FRESH);
	const char *link = scratch_path("helper");
	struct wf_executor *executor;
	struct wf_future *queued;

	if (!mount_dead())
		return;
	ck_assert_int_eq(symlink(getenv("WARMFORK_HELPER"), link), 0);
	options.helper = link;
	executor = pool_open(&options);
	pool_check_works(executor);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(symlink(in_dead("helper"), link), 0);
	pool_end_process(pool_statistics(executor).keeper_pid);
	pool_await(executor, has_no_keeper); /* nor its guard */
	queued = pool_call(executor, "echo", "x");
	ck_assert_ptr_null(wf_future_wait(queued, 0));
	ck_assert_int_eq(wf_future_cancel(queued), 0);
	expect_kind(pool_wait(queued), WF_CANCELLED);
	wf_future_free(queued);
	ck_assert_int_eq(wf_executor_close(executor, WF_CLOSE_KILL), 0);
	wf_executor_free(executor);
	release_dead();
}
END_TEST

int main(int argc, char **argv) {
	int r =
	    sandboxed_begin(argv); /* 0: this kernel lacks a layer, and the sandbox is left out */
	TCase *story = sandboxed_case("blocked");

	(void)argc;
	add_for_both(story, test_closing_what_a_task_has_sent);
	if (r < 0) {
		add_for_both(story, test_looking_at_what_a_task_names);
		tcase_add_test(story, test_closing_while_a_look_is_stuck);
	}
	tcase_add_test(story, test_starting_a_helper_again);
	return fixture_run("blocked", story);
}
