/* SPDX-License-Identifier: MIT
 *
 * The toy's steps that end, stop or block a task, and those that abuse its channel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/number.h"
#include "tests/support/toy.h"

#define DESCRIPTORS_MAX 1024
#define FLOOD_MAX       100000

static int fail(struct wf_call *call, const char *argument) {
	const char *message;
	long code = number_at(argument, &message);

	return wf_fail(call, (int)code, "%s", message + strspn(message, " "));
}

static int leave(struct wf_call *call, const char *argument) {
	(void)call;
	exit((int)number_at(argument, NULL));
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static void touch_null(void) {
	int *volatile nowhere = NULL;

	*(volatile int *)nowhere = 1;
}

static int crash(struct wf_call *call, const char *argument) {
	int number = (int)number_at(argument, NULL);

	(void)call;
	if (number == SIGSEGV)
		touch_null();
	if (number == SIGABRT)
		abort();
	kill(getpid(), number);
	return 0;
}

static int stop(struct wf_call *call, const char *argument) {
	(void)argument;
	toy_report(call, "stop\n");
	raise(SIGSTOP);
	return toy_answer(call, "continued");
}

static int started(struct wf_call *call, const char *argument) {
	(void)argument;
	toy_report(call, "started %d\n", (int)getpid());
	return 0;
}

static int wait_for_release(struct wf_call *call, const char *argument) {
	char byte;
	ssize_t n;

	(void)argument;
	do {
		n = read(wf_call_descriptor(call, 1), &byte, 1);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? wf_fail(call, errno, "cannot wait") : 0;
}

static int deaf(struct wf_call *call, const char *argument) {
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)call;
	(void)argument;
	return sigaction(SIGTERM, &ignore, NULL);
}

static int hang(struct wf_call *call, const char *argument) {
	(void)call;
	(void)argument;
	toy_hang();
}

/* So many microseconds of CPU time. */
static int burn(struct wf_call *call, const char *argument) {
	int64_t left = (int64_t)number_at(argument, NULL) * 1000;
	struct timespec now;

	(void)call;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	left += now.tv_sec * 1000000000 + now.tv_nsec;
	while (now.tv_sec * 1000000000 + now.tv_nsec < left)
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return 0;
}

static int close_channel(struct wf_call *call, const char *argument) {
	(void)argument;
	close_range(3, ~0U, 0);
	return toy_answer(call, "closed");
}

static void flood(int fd, size_t size) {
	char garbage[1024];
	int i = 0;

	memset(garbage, 0xa5, sizeof garbage);
	while (i < FLOOD_MAX && send(fd, garbage, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		i++;
}

static int flood_channel(struct wf_call *call, const char *argument) {
	size_t size = strcmp(argument, "empty") == 0 ? 0 : 1024;

	for (int fd = 3; fd < DESCRIPTORS_MAX; fd++) {
		struct stat status;

		if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
			flood(fd, size);
	}
	return toy_answer(call, "flooded");
}

static int for_each_socket(void (*act)(int fd)) {
	int n = 0;

	for (int fd = 3; fd < DESCRIPTORS_MAX; fd++) {
		struct stat status;

		if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
			continue;
		act(fd);
		n++;
	}
	return n;
}

/* A connection to a local port with bytes that its peer does not read. */
static int open_lingering(int port) {
	const struct sockaddr_in there = { .sin_family = AF_INET,
					   .sin_port = htons((uint16_t)port),
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger for_long = { 1, 3600 };
	char bytes[4096] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&there, sizeof there) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &for_long, sizeof for_long) < 0)
		return -1;
	while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	return fd;
}

#define LINGERING 64

/* Frames of a byte, each with `fd`; at once, because the first one costs us our life. */
static void flood_with(int channel, int fd) {
	struct mmsghdr all[LINGERING];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = { 0 };
	char byte = 'x';
	struct iovec bytes = { &byte, 1 };
	const struct msghdr message = { .msg_iov = &bytes,
					.msg_iovlen = 1,
					.msg_control = control,
					.msg_controllen = sizeof control };

	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd),
						     .cmsg_level = SOL_SOCKET,
						     .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
	for (size_t i = 0; i < LINGERING; i++)
		all[i].msg_hdr = message;
	(void)sendmmsg(channel, all, LINGERING, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Whoever closes the connection last waits for its peer. */
static int linger_channel(struct wf_call *call, const char *argument) {
	int channel = -1, lingering;

	for (int fd = 3; channel < 0 && fd < DESCRIPTORS_MAX; fd++) {
		struct stat status;

		if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
			channel = fd;
	}
	lingering = open_lingering((int)number_at(argument, NULL));
	if (channel < 0 || lingering < 0)
		return wf_fail(call, errno, "there is no connection to send");
	flood_with(channel, lingering);
	toy_hang();
}

static void shut(int fd) {
	shutdown(fd, SHUT_RDWR);
}

static int shutdown_channel(struct wf_call *call, const char *argument) {
	(void)argument;
	return toy_answer(call, "shut %d", for_each_socket(shut));
}

static void replace(int fd) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, fd);
	close(null);
}

static int replace_channel(struct wf_call *call, const char *argument) {
	(void)argument;
	return toy_answer(call, "replaced %d", for_each_socket(replace));
}

/* Where the page is mapped that this worker shares with the executor (proto/cell.h); NULL. */
static uint64_t *find_cell(void) {
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long cell = 0;
	char line[512];

	while (maps != NULL && cell == 0 && fgets(line, sizeof line, maps) != NULL)
		if (strstr(line, " rw-s ") != NULL && strstr(line, "warmfork-cells") != NULL)
			cell = strtoul(line, NULL, 16);
	if (maps != NULL)
		fclose(maps);
	return (uint64_t *)cell;
}

/* A word is the number of a task, and 1 or 2 in its last bits: queued, started. Two words each. */
static int unclaim(struct wf_call *call, const char *argument) {
	uint64_t *cell = find_cell();
	int n = 0;

	(void)argument;
	for (size_t i = 0; cell != NULL && i < 64; i++) {
		if ((cell[2 * i] & 3) != 2)
			continue;
		cell[2 * i]--;
		n++;
	}
	return n == 1 ? 0 : wf_fail(call, ENOENT, "%d claim words say that a task runs", n);
}

/* The pages of other workers lie behind ours in the same file. */
static int grow_cell(struct wf_call *call, const char *argument) {
	const size_t page = 4096, more = 8 * page;
	uint64_t *cell = find_cell();
	void *copy = mremap(cell, 0, more, MREMAP_MAYMOVE);
	void *grown = mremap(cell, page, more, MREMAP_MAYMOVE);

	(void)argument;
	return toy_answer(call, copy == MAP_FAILED && grown == MAP_FAILED ? "refused" : "grown");
}

/* The memory file of all cells, as the zygote has it; -1. */
static int open_cells(void) {
	char path[64], target[256];
	int fd = -1;

	for (int i = 3; fd < 0 && i < DESCRIPTORS_MAX; i++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), i);
		ssize_t n = readlink(path, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		if (strstr(target, "warmfork-cells") != NULL)
			fd = open(path, O_RDWR | O_CLOEXEC);
	}
	return fd;
}

static int truncate_cells(struct wf_call *call, const char *argument) {
	int fd = open_cells();
	bool truncated = fd >= 0 && ftruncate(fd, 0) == 0;

	(void)argument;
	close(fd);
	return toy_answer(call, "%s", fd < 0 ? "not found" : truncated ? "truncated" : "refused");
}

const struct toy_entry toy_ends[] = {
	{ "fail", fail },
	{ "exit", leave },
	{ "crash", crash },
	{ "stop", stop },
	{ "started", started },
	{ "wait", wait_for_release },
	{ "deaf", deaf },
	{ "hang", hang },
	{ "burn", burn },
	{ "close_channel", close_channel },
	{ "flood_channel", flood_channel },
	{ "linger_channel", linger_channel },
	{ "shutdown_channel", shutdown_channel },
	{ "replace_channel", replace_channel },
	{ "unclaim", unclaim },
	{ "truncate_cells", truncate_cells },
	{ "grow_cell", grow_cell },
	{ NULL, NULL },
};
