/* SPDX-License-Identifier: MIT
 *
 * Attacks on the worker's own channel: on its sockets, and on the claim words that it shares with
 * the executor.
 *
 * The format of both is no secret, because the library's source is public, and a task can always
 * write to them. So these rows test the library: the pool has to live on, and lose no more than
 * this task.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

#define SEARCHED  1024 /* descriptors */
#define OVERSIZED ((size_t)1 << 20)
#define A_LEAK    (ATTACK_RIGHTS / 2)
#define HUNG_MS   500
#define OFTEN     64
#define LINGER_NS UINT64_C(30000000000)
#define PAGE      ((uintptr_t)4096)
/* Libraries and what a process maps lie next to each other. */
#define NEAR   ((uintptr_t)64 << 20)
#define CLAIMS ((size_t)64)
/* States of a claim word, in its last two bits. */
#define QUEUED    1
#define STARTED   2
#define RECENT_NS UINT64_C(60000000000)
#define SCRIBBLES 10000
#define OTHERS    4

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

/* --- 79: a socket that lingers --------------------------------------------------------------- */

static uint64_t now_ns(void) {
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* In a network of the pool's own there is no listener but one that the attacker makes. */
static int connect_somewhere(uint16_t port, int *ret_listener) {
	struct sockaddr_in address = attack_loopback(0);
	socklen_t size = sizeof address;
	int fd = attack_connect(port);

	*ret_listener = -1;
	if (fd >= 0)
		return fd;
	*ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_listener < 0 || bind(*ret_listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(*ret_listener, 1) < 0 ||
	    getsockname(*ret_listener, (struct sockaddr *)&address, &size) < 0)
		return -1;
	return attack_connect(ntohs(address.sin_port));
}

/* Fills it until its peer takes no more: whoever closes it last waits for the rest to be read. */
static void make_linger(int fd) {
	static const char block[1 << 16];
	const struct linger linger = { 1, (int)(LINGER_NS / 1000000000) };

	while (send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		continue;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* The executor kills the attacker for the first message. Then the others, which it has not read,
 * have the only descriptors of the socket. */
static uint64_t send_often(struct wf_call *call, int lingering, int listener) {
	uint64_t n = 0;

	for (int fd = next_socket(call, -1); fd >= 0; fd = next_socket(call, fd))
		for (unsigned i = 0; i < OFTEN && fd != lingering && fd != listener; i++)
			n += attack_send_rights(fd, lingering, 1);
	attack_say(call, 't', &n, sizeof n);
	return n;
}

static int send_lingering(struct wf_call *call) {
	int listener, lingering;
	uint64_t n = 0;

	lingering = connect_somewhere(attack_brief(call)->tcp_port, &listener);
	if (lingering >= 0) {
		make_linger(lingering);
		n = send_often(call, lingering, listener);
		(void)close(lingering);
	}
	attack_wait(call);
	return attack_answer(call, n > 0, NULL, 0);
}

static bool note_begin(struct attack_ground *ground) {
	ground->number = now_ns();
	return true;
}

/* Its own deadline has to end it, unless the library has done so for what it sent. A pool that goes
 * on only when nothing lingers any more was stopped all the same. */
static enum attack_verdict judge_hung(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	bool ended = bout->outcome.kind == WF_TIMED_OUT || is_protocol(&bout->outcome);
	bool lives = ended && pool_lives(ground) && now_ns() - ground->number < LINGER_NS;

	if (bout->told == 0 && lives && !is_protocol(&bout->outcome))
		return ATTACK_NOTHING;
	return attack_verdict(!lives);
}

/* What lingers ends with its connection. */
static void reset_connections(struct attack_ground *ground) {
	int fd;

	while ((fd = accept4(ground->tcp, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		(void)close(fd);
}

/* --- 80: the claim words --------------------------------------------------------------------- */

/* Begins the page with claims, of which one has started? Each is a word, whose number tells its
 * place, and the time of its start. */
static bool is_cell(const uint64_t *page, uint64_t now) {
	for (size_t i = 0; i < CLAIMS; i++)
		if ((page[2 * i] & 3) == STARTED && (page[2 * i] >> 2) % CLAIMS == i &&
		    page[2 * i + 1] <= now && now - page[2 * i + 1] < RECENT_NS)
			return true;
	return false;
}

static volatile uint64_t *find_cell(void) {
	void *map = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t middle = (uintptr_t)map;
	uint64_t now = now_ns();

	for (uintptr_t at = middle - NEAR; map != MAP_FAILED && at < middle + NEAR; at += PAGE)
		if (attack_is_readable((void *)at) && is_cell((uint64_t *)at, now))
			return (uint64_t *)at;
	return NULL;
}

/* The attacker is its only task, so its page of claims tells nothing that it needs itself. */
static void scribble(volatile uint64_t *cell, uint64_t *seed) {
	const uint64_t all = UINT64_MAX;

	for (unsigned n = 0; n < SCRIBBLES; n++) {
		*seed = *seed * 6364136223846793005 + 1442695040888963407;
		for (size_t i = 0; i < 2 * CLAIMS; i++)
			cell[i] = n % 3 == 0 ? 0 : n % 3 == 1 ? all : *seed + i;
	}
}

/* One attacker says that it has never begun; the other says anything, and never the same. */
static int scribble_claims(struct wf_call *call) {
	volatile uint64_t *cell = find_cell();
	uint64_t seed = now_ns();
	bool again = attack_brief(call)->detail > 0;

	for (size_t i = 0; i < CLAIMS && cell && !again; i++)
		cell[2 * i] = (cell[2 * i] & ~UINT64_C(3)) | QUEUED;
	if (cell && again)
		scribble(cell, &seed);
	attack_say(call, 't', (uint64_t[]){ cell != NULL }, sizeof(uint64_t));
	attack_hold(call);
	while (cell && again)
		scribble(cell, &seed);
	while (attack_line(call) >= 0)
		(void)pause();
	return attack_answer(call, cell != NULL, NULL, 0);
}

/* Meanwhile, other tasks come and go, and have results of their own. */
static void run_others(struct attack_ground *ground, struct attack_bout *bout) {
	bout->seen = true;
	for (unsigned i = 0; i < OTHERS && bout->seen; i++)
		bout->seen = attack_pool_works(ground);
}

static enum attack_verdict run_scribblers(struct attack_ground *ground,
					  const struct attack *attack) {
	bool lives = true, tried = false;
	struct attack_bout bout;

	for (uint64_t i = 0; i < 2 && lives; i++) {
		ground->brief.detail = i;
		if (!attack_run(ground, attack, &bout))
			return ATTACK_ERROR;
		tried |= bout.told > 0;
		lives = (bout.seen || !bout.held) && bout.outcome.kind == WF_TIMED_OUT &&
			pool_lives(ground);
	}
	return tried || !lives ? attack_verdict(!lives) : ATTACK_NOTHING;
}

/* ------------------------------------------------------------------------------------------- */

static const struct attack rows[] = {
	{ 13, "garbage into every socket", "write_garbage", write_garbage, ATTACK_LIBRARY,
	  .prepare = count_own, .judge = judge_channel },
	{ 14, "forged and oversized messages", "forge_messages", forge_messages, ATTACK_LIBRARY,
	  .prepare = count_own, .judge = judge_channel },
	{ 15, "a thousand descriptors for the executor", "send_descriptors", send_descriptors,
	  ATTACK_LIBRARY, .prepare = count_own, .judge = judge_channel },
	{ 79, "a socket that lingers, for the executor", "send_lingering", send_lingering,
	  ATTACK_LIBRARY, .timeout_ms = HUNG_MS, .prepare = note_begin, .judge = judge_hung,
	  .clean = reset_connections },
	{ 80, "its claim words", "scribble_claims", scribble_claims, ATTACK_LIBRARY,
	  .timeout_ms = HUNG_MS, .look = run_others, .run = run_scribblers },
};

const struct attack_rows attack_channel = { rows, sizeof rows / sizeof rows[0] };
