/* SPDX-License-Identifier: MIT
 *
 * A keeper or a zygote that says what it may not (proto/PROTOCOL.md, 3): BABBLE in the environment
 * is what. Run as `warmfork-zygote keeper`, it plays the keeper; as a zygote of kind SELF, the
 * zygote.
 *
 *     babbler host     opens a pool of itself, which must be refused for what its zygote says
 *
 * The bytes are written by hand, so that they are what the protocol says and not what our code
 * does.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <warmfork/executor.h>
#include <warmfork/task.h>

#define CONTROL 3 /* of a keeper and of a zygote */

enum { KEEPER_READY = 16, ZYGOTE_STARTED = 17, WELCOME = 48, IMAGE_READY = 50 };

/* A frame with the first two fields of its message, both numbers below 128 or a process; `fd` -1:
 * none. */
static void say(unsigned char type, unsigned char first, uint32_t second, int fd) {
	unsigned char frame[32] = { type, 0, 0, 0, 0, 0, 0, 0, 1 << 3, first, 2 << 3 };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = { 0 };
	struct iovec bytes = { frame, 11 };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	struct cmsghdr *header;

	for (; second >= 128; second >>= 7)
		frame[bytes.iov_len++] = (unsigned char)(second | 128);
	frame[bytes.iov_len++] = (unsigned char)second;
	frame[4] = (unsigned char)(bytes.iov_len - 8);
	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof control;
		header = CMSG_FIRSTHDR(&message);
		*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd),
					    .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	if (sendmsg(CONTROL, &message, MSG_NOSIGNAL) < 0)
		_exit(2);
}

static int itself(void) {
	return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

static int is_told(const char *what) {
	const char *wish = getenv("BABBLE");

	return wish != NULL && strcmp(wish, what) == 0;
}

/* Until nobody listens any more. */
static _Noreturn void hang(void) {
	char frame[4096];

	while (recv(CONTROL, frame, sizeof frame, 0) > 0)
		;
	_exit(0);
}

/* Whatever its socket does. */
static _Noreturn void ignore(void) {
	for (;;)
		(void)pause();
}

/* What is no keeper of any version. */
static void be_something_else(void) {
	if (is_told("helper that is silent"))
		ignore();
	if (is_told("helper that is silent and starts another") && fork() >= 0)
		ignore();
	if (is_told("helper that leaves another behind") && fork() == 0)
		ignore();
	if (is_told("helper that leaves another behind"))
		_exit(0);
	if (is_told("helper that speaks another language")) {
		if (write(CONTROL, "hello", 5) == 5)
			ignore();
		_exit(2);
	}
}

static void be_keeper(void) {
	uint32_t pid = (uint32_t)getpid();

	be_something_else();
	if (is_told("keeper of another version"))
		say(KEEPER_READY, 99, pid, itself());
	if (is_told("keeper without a pidfd"))
		say(KEEPER_READY, 1, pid, -1);
	if (is_told("keeper whose pidfd is none"))
		say(KEEPER_READY, 1, pid, CONTROL);
	if (is_told("keeper whose pidfd is of another process"))
		say(KEEPER_READY, 1, pid + 1, itself());
	if (is_told("keeper that never said it is ready"))
		say(ZYGOTE_STARTED, 1, pid, itself());
	if (is_told("keeper that is ready twice") || is_told("keeper that talks like a zygote"))
		say(KEEPER_READY, 1, pid, itself());
	if (is_told("keeper that is ready twice"))
		say(KEEPER_READY, 1, pid, itself());
	if (is_told("keeper that talks like a zygote"))
		say(WELCOME, 1, pid, -1);
	if (is_told("keeper whose zygote has no pidfd")) {
		say(KEEPER_READY, 1, pid, itself());
		say(ZYGOTE_STARTED, 1, pid, CONTROL);
	}
	hang();
}

static void be_zygote(void) {
	uint32_t pid = (uint32_t)getpid();

	if (is_told("zygote of another version"))
		say(WELCOME, 99, pid, -1);
	if (is_told("zygote that welcomes twice")) {
		say(WELCOME, 1, pid, -1);
		say(WELCOME, 1, pid, -1);
	}
	if (is_told("zygote without a welcome"))
		say(IMAGE_READY, 1, 0, -1);
	if (is_told("zygote that talks like a keeper")) {
		say(WELCOME, 1, pid, -1);
		say(KEEPER_READY, 1, pid, -1);
	}
	hang();
}

static int nothing(struct wf_call *call) {
	(void)call;
	return 0;
}

static const struct wf_module image = {
	.size = sizeof image,
	.functions = WF_FUNCTIONS({ "nothing", nothing }),
};

static int be_host(void) {
	const struct wf_executor_options options =
	    WF_EXECUTOR_OPTIONS(.image = WF_IMAGE_SELF, .helper = getenv("WARMFORK_HELPER"));
	struct wf_executor *executor = NULL;
	int r = wf_executor_open(&options, &executor);

	if (r == -EIO && executor == NULL && strstr(wf_last_error(), "which it must not") != NULL)
		return 0;
	(void)fprintf(stderr, "babbler: %d: %s\n", r, wf_last_error());
	return 1;
}

int main(int argc, char **argv) {
	if (argc > 1 && strcmp(argv[1], "keeper") == 0)
		be_keeper();
	if (getenv("WARMFORK_ZYGOTE") != NULL)
		be_zygote();
	if (wf_init(argc, argv, &image) < 0)
		return 1;
	return be_host();
}
