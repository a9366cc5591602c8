/* SPDX-License-Identifier: MIT
 *
 * Attacks by taking memory, by each of the names that memory has. Each tries to take a fixed
 * amount, which is about twice what the policy allows but little for a machine, and gives it back
 * when it ends.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/attack/host.h"

#define PAGE  ((size_t)4096)
#define CHUNK ((size_t)1 << 20)

static void touch(char *at, size_t size) {
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile char *)(at + i) = 1;
}

/* --- 19, 20: mappings ---------------------------------------------------------------------- */

/* Takes memory in pieces, as a program would: one mapping that is refused as a whole would
 * prove little. */
static size_t take_memory(int flags, int fd) {
	size_t taken = 0;
	char *piece;

	for (; taken < ATTACK_MEMORY_TRIED; taken += CHUNK) {
		piece = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, flags, fd, 0);
		if (piece == MAP_FAILED)
			break;
		touch(piece, CHUNK);
	}
	return taken;
}

static int hold_memory(struct wf_call *call, size_t taken) {
	attack_hold(call);
	return attack_answer(call, taken == ATTACK_MEMORY_TRIED, NULL, 0);
}

static int memory_bomb(struct wf_call *call) {
	return hold_memory(call, take_memory(MAP_PRIVATE | MAP_ANONYMOUS, -1));
}

/* Memory files that are mapped and closed count as no descriptor, no file size and no
 * private memory. */
static size_t take_files(void) {
	size_t taken = 0;
	char *piece;
	int fd;

	for (; taken < ATTACK_MEMORY_TRIED; taken += CHUNK) {
		fd = memfd_create("taken", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, CHUNK) < 0)
			break;
		piece = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		(void)close(fd);
		if (piece == MAP_FAILED)
			break;
		touch(piece, CHUNK);
	}
	return taken;
}

static int shared_bomb(struct wf_call *call) {
	size_t taken = take_files();

	if (taken < ATTACK_MEMORY_TRIED)
		taken = take_memory(MAP_SHARED | MAP_ANONYMOUS, -1);
	return hold_memory(call, taken);
}

static void weigh(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen =
	    attack_status_bytes(bout->pid, "VmRSS:") + attack_status_bytes(bout->pid, "VmSwap:") >=
	    ATTACK_MEMORY_TRIED;
}

/* ------------------------------------------------------------------------------------------- */

#define CGROUP (1U << ATTACK_CGROUP)

static const struct attack rows[] = {
	{ 19, "memory bomb", "memory_bomb", memory_bomb, .stops = CGROUP, .look = weigh,
	  .judge = attack_judge_seen },
	{ 20, "memory by another name: shared, memfd", "shared_bomb", shared_bomb, .stops = CGROUP,
	  .look = weigh, .judge = attack_judge_seen },
};

const struct attack_rows attack_memory = { rows, sizeof rows / sizeof rows[0] };
