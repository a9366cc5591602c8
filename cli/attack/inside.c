/* SPDX-License-Identifier: MIT
 *
 * What attackers share: how they talk to the host, and the sibling that some of them attack.
 *
 * After its deed an attacker holds still until the host has looked. So most oracles can inspect a
 * living process, and none depends on time. The host lets go by end-of-file, because a message
 * would wake only one of several processes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/attack/attack.h"
#include "cli/attack/image.h"

/* At the same address in all workers of an image, because they are forks of it. */
struct attack_held attack_held = { .word = ATTACK_WORD };

const struct attack_brief *attack_brief(struct wf_call *call) {
	size_t size;

	return wf_call_input(call, &size);
}

/* --- the line ------------------------------------------------------------------------------ */

int attack_line(const struct wf_call *call) {
	return wf_call_descriptor(call, 0);
}

void attack_say(const struct wf_call *call, char letter, const void *data, size_t size) {
	char message[64] = { letter };

	if (size > sizeof message - 1)
		size = sizeof message - 1;
	if (size > 0)
		memcpy(message + 1, data, size);
	(void)!write(attack_line(call), message, size + 1);
}

void attack_wait(const struct wf_call *call) {
	char byte;
	ssize_t n;

	do
		n = read(attack_line(call), &byte, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
}

void attack_hold(const struct wf_call *call) {
	attack_say(call, 'h', NULL, 0);
	attack_wait(call);
}

/* --- the answer ---------------------------------------------------------------------------- */

int attack_answer(struct wf_call *call, bool believes, const void *loot, size_t size) {
	char answer[ATTACK_ANSWER] = { believes ? '1' : '0' };

	if (size > sizeof answer - 1)
		size = sizeof answer - 1;
	if (size > 0)
		memcpy(answer + 1, loot, size);
	return wf_return(call, answer, size + 1);
}

ssize_t attack_read(const char *path, void *data, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, data, size);
	(void)close(fd);
	return n;
}

/* The kernel reads the mask before it finds that there is no such operation. */
bool attack_is_readable(const void *at) {
	return syscall(SYS_rt_sigprocmask, -1, at, NULL, sizeof(uint64_t)) < 0 && errno == EINVAL;
}

bool attack_overwrite(int fd, const char *text) {
	return fd >= 0 && pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text);
}

socklen_t attack_address_size(const struct sockaddr_un *address, bool abstract) {
	if (!abstract)
		return sizeof *address;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   strlen(address->sun_path + 1));
}

struct sockaddr_in attack_loopback(uint16_t port) {
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons(port) };
}

int attack_connect(uint16_t port) {
	struct sockaddr_in address = attack_loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

bool attack_send_rights(int socket, int fd, unsigned n) {
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(ATTACK_RIGHTS * sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(n * sizeof fd) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(n * sizeof fd);
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.head) + i * sizeof fd, &fd, sizeof fd);
	return socket >= 0 && fd >= 0 && sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* --- the sibling --------------------------------------------------------------------------- */

/* Touches one page for each bit that is set. */
static void touch_pages(unsigned bits) {
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *pages = mmap(ATTACK_PAGES, ATTACK_BITS * size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (pages == MAP_FAILED)
		return;
	(void)madvise(pages, ATTACK_BITS * size, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < ATTACK_BITS; i++)
		if (bits & 1U << i)
			*(volatile unsigned char *)(pages + i * size) = 1;
}

/* Does its own work, and answers questions about it. */
int attack_be_sibling(struct wf_call *call) {
	const struct attack_sibling_brief *brief;
	int32_t bits_at[ATTACK_BITS];
	size_t size;
	char byte;

	brief = wf_call_input(call, &size);
	memcpy(attack_held.token, brief->token, sizeof attack_held.token);
	touch_pages(brief->bits);
	for (size_t i = 0; i < ATTACK_BITS; i++)
		bits_at[i] = wf_call_descriptor(call, 2 + i);
	attack_say(call, 'h', bits_at, sizeof bits_at);
	while (read(attack_line(call), &byte, 1) > 0)
		attack_say(call, 'w', &attack_held.word, sizeof attack_held.word);
	return 0;
}

/* Stands for another task of the pool: it works or it does not. */
int attack_be_innocent(struct wf_call *call) {
	size_t size;
	const void *input = wf_call_input(call, &size);

	return wf_return(call, input, size);
}

/* --- the image ----------------------------------------------------------------------------- */

/* Leaves open what a careless preload would, so that there is something to inherit: a directory, a
 * file that is open for writing, and an input. The audit is told to allow that. If they cannot be
 * opened there is nothing to attack, which the controls will show. */
int attack_preload(const struct wf_preload_info *info) {
	char path[ATTACK_PATH];
	const char *outside = info->argument, *held = "held";

	if (info->argument_size == 0 || info->argument_size >= sizeof path)
		return 0;
	memcpy(path, outside, info->argument_size);
	path[info->argument_size] = '\0';
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return 0;
	(void)openat(directory, held, O_RDWR | O_CLOEXEC);
	(void)openat(directory, "../in/held", O_RDONLY | O_CLOEXEC);
	return 0;
}
