/* SPDX-License-Identifier: MIT
 *
 * /proc is read by process number: only for workers that hold still, and for children that have not
 * been reaped, so that no number can belong to another process meanwhile.
 */
#include "cli/attack/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/absent.h"

void attack_make_token(char token[ATTACK_TOKEN]) {
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[ATTACK_TOKEN - 1];

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		memset(bytes, 0, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		token[i] = digits[bytes[i] & 15];
	token[sizeof bytes] = '\0';
}

/* --- judges -------------------------------------------------------------------------------- */

enum attack_verdict attack_verdict(bool through) {
	return through ? ATTACK_THROUGH : ATTACK_STOPPED;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

const char *attack_sanitized(void) {
#if defined(SANITIZED)
	return "this is a sanitizer's build: the filter allows what the sanitizer needs";
#else
	return NULL;
#endif
}

/* A feature that the test switch hides from the library counts as missing here too. */
static bool is_hidden(const char *feature) {
	return absent_hides(getenv("WF_ABSENT"), feature);
}

const char *attack_no_signal_scope(void) {
	const long version_asked = 1; /* LANDLOCK_CREATE_RULESET_VERSION */

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, version_asked) >= 6 &&
	    !is_hidden("landlock") && !is_hidden("landlock:2"))
		return NULL;
	return "siblings of one pool are kept apart by the scope of signals of Landlock ABI 6 "
	       "(Linux 6.12)";
}

const char *attack_no_sealed_memfd(void) {
	const unsigned noexec_seal = 8; /* MFD_NOEXEC_SEAL */
	int fd = memfd_create("warmfork-attack", MFD_CLOEXEC | noexec_seal);

	if (fd >= 0)
		(void)close(fd);
	if (fd >= 0 && !is_hidden("memfd_noexec"))
		return NULL;
	return "a memfd that cannot be executed takes MFD_NOEXEC_SEAL (Linux 6.3)";
}

const char *attack_no_trace(void) {
	char scope[16];

	attack_proc(getpid(), "../sys/kernel/yama/ptrace_scope", scope, sizeof scope);
	if (scope[0] == '3' || (scope[0] > '0' && geteuid() != 0))
		return "kernel.yama.ptrace_scope forbids it to everybody";
	return NULL;
}

bool attack_has(const struct attack_bout *bout, const char *token) {
	return memmem(bout->loot, bout->loot_size, token, strlen(token)) != NULL;
}

enum attack_verdict attack_judge_secret(struct attack_ground *ground,
					const struct attack_bout *bout) {
	return attack_verdict(attack_has(bout, ground->secret));
}

enum attack_verdict attack_judge_seen(struct attack_ground *ground,
				      const struct attack_bout *bout) {
	if (ground->controls)
		return attack_verdict(bout->seen);
	return attack_verdict(bout->seen || bout->believes);
}

enum attack_verdict attack_judge_belief(struct attack_ground *ground,
					const struct attack_bout *bout) {
	(void)ground;
	return attack_verdict(bout->believes);
}

/* --- files --------------------------------------------------------------------------------- */

static size_t read_whole(int fd, char *ret, size_t size) {
	size_t n = 0;
	ssize_t got = 1;

	while (fd >= 0 && n < size - 1 && got > 0) {
		got = read(fd, ret + n, size - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	ret[n] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return n;
}

void attack_peek(const struct attack_ground *ground, const char *path, char *ret, size_t size) {
	(void)read_whole(
	    openat(ground->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), ret,
	    size);
}

bool attack_is(const struct attack_ground *ground, const char *path, const char *content) {
	char found[4096];

	attack_peek(ground, path, found, sizeof found);
	return strcmp(found, content) == 0;
}

bool attack_put(const struct attack_ground *ground, const char *path, const char *content,
		mode_t mode) {
	int fd = openat(ground->root_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
	size_t size = strlen(content);
	bool written;

	if (fd < 0)
		return false;
	written = fchmod(fd, mode) == 0 && ftruncate(fd, 0) == 0 &&
		  pwrite(fd, content, size, 0) == (ssize_t)size;
	(void)close(fd);
	return written;
}

/* --- processes ----------------------------------------------------------------------------- */

void attack_proc(pid_t pid, const char *file, char *ret, size_t size) {
	char path[128];

	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	(void)read_whole(open(path, O_RDONLY | O_CLOEXEC), ret, size);
}

static void copy_line(const char *text, const char *key, char *ret, size_t size) {
	size_t length;

	ret[0] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		line += strlen(key);
		length = strcspn(line, "\n");
		(void)snprintf(ret, size, "%.*s", (int)length, line);
		return;
	}
}

void attack_status(pid_t pid, const char *key, char *ret, size_t size) {
	char text[8192];

	attack_proc(pid, "status", text, sizeof text);
	copy_line(text, key, ret, size);
}

void attack_thread_status(pid_t pid, const char *thread, const char *key, char *ret, size_t size) {
	char text[8192], file[64];

	(void)snprintf(file, sizeof file, "task/%.32s/status", thread);
	attack_proc(pid, file, text, sizeof text);
	copy_line(text, key, ret, size);
}

static uint64_t first_number(const char *text, uint64_t otherwise) {
	uint64_t number = 0;
	const char *digit = text + strspn(text, " \t");

	if (*digit < '0' || *digit > '9')
		return otherwise;
	for (; *digit >= '0' && *digit <= '9'; digit++)
		number = number * 10 + (uint64_t)(*digit - '0');
	return number;
}

uint64_t attack_status_bytes(pid_t pid, const char *key) {
	char value[64];

	attack_status(pid, key, value, sizeof value);
	return first_number(value, 0) * 1024;
}

uint64_t attack_soft_limit(pid_t pid, const char *name) {
	char text[8192], value[128];

	attack_proc(pid, "limits", text, sizeof text);
	copy_line(text, name, value, sizeof value);
	return first_number(value, UINT64_MAX);
}

int attack_count_descriptors(pid_t pid, const char *name) {
	char path[64], target[256];
	struct dirent *entry;
	DIR *directory;
	ssize_t length;
	int n = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	if (!directory)
		return -1;
	while ((entry = readdir(directory))) {
		length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		n += strstr(target, name) != NULL;
	}
	(void)closedir(directory);
	return n;
}
