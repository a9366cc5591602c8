/* SPDX-License-Identifier: MIT
 *
 * Attacks on the worker's own channel.
 *
 * Its format is no secret, because the library's source is public, and a task can always write to
 * it. So these rows test the library: the pool has to live on, and lose no more than
 * this task.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

#define SEARCHED  1024 /* descriptors */
#define OVERSIZED ((size_t)1 << 20)
#define A_LEAK    (ATTACK_RIGHTS / 2)

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

static int send_descriptors(struct wf_call *call) {
	uint64_t n = 0;

	for (int fd = next_socket(call, -1); fd >= 0; fd = next_socket(call, fd))
		for (unsigned i = 0; i < 4; i++)
			n += attack_send_rights(fd, STDERR_FILENO, ATTACK_RIGHTS);
	attack_say(call, 't', &n, sizeof n);
	return attack_answer(call, n > 0, NULL, 0);
}

static bool count_own(struct attack_ground *ground) {
	int n = attack_count_descriptors(getpid(), "");

	ground->number = (uint64_t)n;
	return n > 0;
}

static bool is_protocol(const struct wf_outcome *outcome) {
	return outcome->kind == WF_KILLED && outcome->killed.by == WF_BY_PROTOCOL;
}

static bool pool_lives(struct attack_ground *ground) {
	return attack_pool_works(ground) && attack_pool_is_whole(ground);
}

static enum attack_verdict judge_channel(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	bool lives =
	    bout->outcome.kind != 0 && bout->outcome.kind != WF_ZYGOTE_LOST && pool_lives(ground);
	/* an attacker that is ended for what it sent has no time to report it */
	bool sent = bout->told > 0 || is_protocol(&bout->outcome);
	bool leaks = attack_count_descriptors(getpid(), "") > (int)ground->number + A_LEAK;

	if (!sent && lives)
		return ATTACK_NOTHING;
	return attack_verdict(!lives || leaks);
}

/* ------------------------------------------------------------------------------------------- */

static const struct attack rows[] = {
	{ 13, "garbage into every socket", "write_garbage", write_garbage, ATTACK_LIBRARY,
	  .prepare = count_own, .judge = judge_channel },
	{ 14, "forged and oversized messages", "forge_messages", forge_messages, ATTACK_LIBRARY,
	  .prepare = count_own, .judge = judge_channel },
	{ 15, "a thousand descriptors for the executor", "send_descriptors", send_descriptors,
	  ATTACK_LIBRARY, .prepare = count_own, .judge = judge_channel },
};

const struct attack_rows attack_channel = { rows, sizeof rows / sizeof rows[0] };
