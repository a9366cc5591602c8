/* SPDX-License-Identifier: MIT
 *
 * Attacks through descriptors: those left open by mistake (the image's preload leaves three), those
 * of the worker's own channel, and too many of them.
 *
 * The format of the channel is no secret, because the library's source is public, and a task can
 * always write to the channel. So these rows test the library: the pool has to live on, and lose no
 * more than this task.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

#define SEARCHED  1024 /* descriptors */
#define FAR_AWAY  777
#define CHANGED   "changed by an attacker\n"
#define OVERSIZED ((size_t)1 << 20)
#define RIGHTS    250 /* the kernel takes 253 in one message */
#define A_LEAK    (RIGHTS / 2)

/* Finds the next inherited regular file or directory after `fd`; -1 if there are no more. */
static int next_of_kind(int fd, mode_t kind) {
	struct stat info;

	for (fd++; fd < SEARCHED; fd++)
		if (fd > STDERR_FILENO && fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == kind)
			return fd;
	return -1;
}

/* --- 3: a directory ------------------------------------------------------------------------ */

static int leave_directory(struct wf_call *call) {
	char data[4096];
	ssize_t n = -1;
	int file;

	for (int fd = next_of_kind(-1, S_IFDIR); fd >= 0 && n < 0; fd = next_of_kind(fd, S_IFDIR)) {
		file = openat(fd, "../outside/secret", O_RDONLY | O_CLOEXEC);
		if (file < 0)
			file = openat(fd, "secret", O_RDONLY | O_CLOEXEC);
		n = read(file, data, sizeof data);
	}
	return attack_answer(call, n > 0, data, n > 0 ? (size_t)n : 0);
}

/* --- 10: a file that is open for writing ---------------------------------------------------- */

static int write_inherited(struct wf_call *call) {
	bool done = false;

	for (int fd = next_of_kind(-1, S_IFREG); fd >= 0; fd = next_of_kind(fd, S_IFREG))
		done |= (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR && attack_overwrite(fd, CHANGED);
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_inherited(struct attack_ground *ground,
					   const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(!attack_is(ground, "outside/held", "held\n"));
}

/* --- 11: the offset of an input ------------------------------------------------------------- */

/* The first task moves it; the second one, in another worker, reports where it is. */
static int move_offset(struct wf_call *call) {
	uint64_t offset = 0;

	for (int fd = next_of_kind(-1, S_IFREG); fd >= 0; fd = next_of_kind(fd, S_IFREG)) {
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
			continue;
		if (attack_brief(call)->detail == 0)
			(void)lseek(fd, FAR_AWAY, SEEK_SET);
		offset = (uint64_t)lseek(fd, 0, SEEK_CUR);
		if (offset == FAR_AWAY)
			break;
	}
	attack_say(call, 't', &offset, sizeof offset);
	return attack_answer(call, offset == FAR_AWAY, NULL, 0);
}

static enum attack_verdict run_offset(struct attack_ground *ground, const struct attack *attack) {
	struct attack_bout bout = { .held = false };

	for (uint64_t i = 0; i < 2; i++) {
		ground->brief.detail = i;
		if (!attack_run(ground, attack, &bout))
			return ATTACK_ERROR;
	}
	return attack_verdict(bout.told == FAR_AWAY);
}

/* --- 12: a lock that outlives its holder ---------------------------------------------------- */

static int hold_lock(struct wf_call *call) {
	bool done = false;

	for (int fd = next_of_kind(-1, S_IFREG); fd >= 0; fd = next_of_kind(fd, S_IFREG))
		done |= flock(fd, LOCK_EX | LOCK_NB) == 0;
	return attack_answer(call, done, NULL, 0);
}

static enum attack_verdict judge_lock(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	int fd = openat(ground->root_fd, "in/held", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	(void)bout;
	if (fd >= 0)
		(void)close(fd);
	return attack_verdict(locked);
}

/* --- 13, 14, 15: the channel ---------------------------------------------------------------- */

/* Finds the next socket that is not the line to the host. */
static int next_socket(const struct wf_call *call, int fd) {
	socklen_t size = sizeof(int);
	int type;

	for (fd++; fd < SEARCHED; fd++)
		if (fd != attack_line(call) &&
		    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
			return fd;
	return -1;
}

static int send_all(struct wf_call *call, const void *data, size_t size) {
	uint64_t n = 0;

	for (int fd = next_socket(call, -1); fd >= 0; fd = next_socket(call, fd))
		n += write(fd, data, size) > 0;
	attack_say(call, 't', &n, sizeof n);
	return attack_answer(call, n > 0, NULL, 0);
}

/* Writes garbage of the size of a message, and also nothing at all, which reads like an end. */
static int write_garbage(struct wf_call *call) {
	unsigned char garbage[4096];

	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (unsigned char)(i * 197 + 13);
	return send_all(call, garbage, sizeof garbage);
}

/* Writes messages of each small type and length, and one that is as large as the socket takes. */
static int forge_messages(struct wf_call *call) {
	unsigned char message[64] = { 0 };
	size_t size = OVERSIZED;
	char *oversized =
	    mmap(NULL, OVERSIZED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t n = 0;

	for (int fd = next_socket(call, -1); fd >= 0; fd = next_socket(call, fd)) {
		if (oversized == MAP_FAILED)
			break;
		while (size > 0 && send(fd, oversized, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			size /= 2;
		n += size > 0;
		for (unsigned i = 0; i < 64; i++) {
			message[0] = (unsigned char)i;
			n += send(fd, message, 1 + i, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		}
	}
	attack_say(call, 't', &n, sizeof n);
	return attack_answer(call, n > 0, NULL, 0);
}

static bool send_rights(int socket, int fd) {
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(RIGHTS * sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof control.space };
	int rights[RIGHTS];

	for (size_t i = 0; i < RIGHTS; i++)
		rights[i] = fd;
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof rights);
	memcpy(CMSG_DATA(&control.head), rights, sizeof rights);
	return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

static int send_descriptors(struct wf_call *call) {
	uint64_t n = 0;

	for (int fd = next_socket(call, -1); fd >= 0; fd = next_socket(call, fd))
		for (unsigned i = 0; i < 4; i++)
			n += send_rights(fd, STDERR_FILENO);
	attack_say(call, 't', &n, sizeof n);
	return attack_answer(call, n > 0, NULL, 0);
}

static bool count_own(struct attack_ground *ground) {
	int n = attack_count_descriptors(getpid(), "");

	ground->number = (uint64_t)n;
	return n > 0;
}

static enum attack_verdict judge_channel(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	bool lives = bout->outcome.kind != 0 && bout->outcome.kind != WF_ZYGOTE_LOST &&
		     attack_pool_works(ground) && attack_pool_is_whole(ground);
	/* an attacker that is ended for what it sent has no time to report it */
	bool sent = bout->told > 0 ||
		    (bout->outcome.kind == WF_KILLED && bout->outcome.killed.by == WF_BY_PROTOCOL);
	bool leaks = attack_count_descriptors(getpid(), "") > (int)ground->number + A_LEAK;

	if (!sent && lives)
		return ATTACK_NOTHING;
	return attack_verdict(!lives || leaks);
}

/* --- 23: too many --------------------------------------------------------------------------- */

/* Counts those that are in flight and in no table, too. */
static int exhaust_descriptors(struct wf_call *call) {
	unsigned own = 0, flying = 0;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0)
		while (flying < 8 && send_rights(ends[0], ends[1]))
			flying++;
	while (own < ATTACK_DESCRIPTORS_TRIED && fcntl(attack_line(call), F_DUPFD_CLOEXEC, 0) >= 0)
		own++;
	attack_say(call, 't', (uint64_t[]){ own * UINT64_C(1000) + flying }, sizeof(uint64_t));
	attack_hold(call);
	return attack_answer(call, own >= ATTACK_DESCRIPTORS_MOST || flying > 1, NULL, 0);
}

/* One more than the limit proves nothing, because the worker has some from before it was set. */
static void count_theirs(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_count_descriptors(bout->pid, "") > 2 * ATTACK_DESCRIPTORS_MOST;
}

/* ------------------------------------------------------------------------------------------- */

#define DESCRIPTORS (1U << ATTACK_DESCRIPTOR_LAYER)

static const struct attack rows[] = {
	{ 3, "leave by an inherited directory", "leave_directory", leave_directory,
	  .stops = DESCRIPTORS, .judge = attack_judge_secret },
	{ 10, "write to a file that was left open", "write_inherited", write_inherited,
	  .stops = DESCRIPTORS, .judge = judge_inherited },
	{ 11, "move the offset of a shared input", "move_offset", move_offset, .stops = DESCRIPTORS,
	  .run = run_offset },
	{ 12, "hold a lock of an inherited file for ever", "hold_lock", hold_lock,
	  .stops = DESCRIPTORS, .judge = judge_lock },
	{ 13, "garbage into every socket", "write_garbage", write_garbage, ATTACK_LIBRARY,
	  .prepare = count_own, .judge = judge_channel },
	{ 14, "forged and oversized messages", "forge_messages", forge_messages, ATTACK_LIBRARY,
	  .prepare = count_own, .judge = judge_channel },
	{ 15, "a thousand descriptors for the executor", "send_descriptors", send_descriptors,
	  ATTACK_LIBRARY, .prepare = count_own, .judge = judge_channel },
	{ 23, "exhaust descriptors, also in flight", "exhaust_descriptors", exhaust_descriptors,
	  .look = count_theirs, .judge = attack_judge_seen },
};

const struct attack_rows attack_descriptors = { rows, sizeof rows / sizeof rows[0] };
