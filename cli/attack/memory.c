/* SPDX-License-Identifier: MIT
 *
 * Attacks by taking memory, by each of the names that memory has. Each tries to take a fixed
 * amount, which is about twice what the policy allows but little for a machine, and gives it back
 * when it ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/attack/host.h"

#define PAGE  ((size_t)4096)
#define CHUNK ((size_t)1 << 20)
/* Below a stack, the kernel keeps at least 128 MiB of addresses free. */
#define STACK_TRIED ATTACK_MEMORY_TRIED
/* What lies below a frame at once may be in use. */
#define STACK_USED ((size_t)64 << 10)
/* A page of page tables maps 2 MiB. These take longer than other pages, so they are fewer. */
#define TABLE_MAPS   ((size_t)2 << 20)
#define TABLES_PIECE ((size_t)1 << 30)
#define TABLES_TRIED (ATTACK_MEMORY * 3 / 2)
/* An empty file takes about a kilobyte of the kernel's memory. */
#define FILES_TRIED (ATTACK_SCRATCH / 2048)
#define TEMPORARY   "/tmp"
/* The most that the kernel lets everybody have, unless the administrator has raised
 * net.core.wmem_max. It doubles this. */
#define SOCKET_BUFFER 212992
#define SEARCHED      1024 /* descriptors */
#define HUGE          ((size_t)2 << 20)

static void touch(char *at, size_t size) {
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile char *)(at + i) = 1;
}

/* --- 19, 20, 69: mappings ------------------------------------------------------------------ */

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

/* Each shared mapping of it is memory of its own, although it is a mapping of a file. */
static int zero_bomb(struct wf_call *call) {
	return hold_memory(call, take_memory(MAP_SHARED, open("/dev/zero", O_RDWR | O_CLOEXEC)));
}

static void weigh(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen =
	    attack_status_bytes(bout->pid, "VmRSS:") + attack_status_bytes(bout->pid, "VmSwap:") >=
	    ATTACK_MEMORY_TRIED;
}

/* --- 68: the stack ------------------------------------------------------------------------- */

/* Touches what lies below its own frame, as a deep recursion would. A stack that may not grow so
 * far ends it by SIGSEGV. */
static int stack_bomb(struct wf_call *call) {
	volatile char *frame = __builtin_frame_address(0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_STACK, &limit);
	}
	for (size_t i = STACK_USED; i < STACK_TRIED; i += PAGE)
		*(frame - i) = 1;
	attack_hold(call);
	return attack_answer(call, true, NULL, 0);
}

static void weigh_stack(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_status_bytes(bout->pid, "VmStk:") > ATTACK_MEMORY;
}

static const char *no_stack(void) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_max > STACK_TRIED)
		return NULL;
	return "the hard limit of our stack (RLIMIT_STACK) is too low for it";
}

/* --- 70: page tables ----------------------------------------------------------------------- */

/* Only reads, so all that is mapped is the one page of zeros. Returns how much the tables take. */
static size_t fill_tables(void) {
	size_t taken = 0;
	char *piece;

	for (; taken < TABLES_TRIED; taken += TABLES_PIECE / TABLE_MAPS * PAGE) {
		piece = mmap(NULL, TABLES_PIECE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (piece == MAP_FAILED)
			break;
		(void)madvise(piece, TABLES_PIECE, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < TABLES_PIECE; i += TABLE_MAPS)
			(void)*(volatile char *)(piece + i);
	}
	return taken;
}

static int table_bomb(struct wf_call *call) {
	size_t taken = fill_tables();

	attack_hold(call);
	return attack_answer(call, taken >= TABLES_TRIED, NULL, 0);
}

static void weigh_tables(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_status_bytes(bout->pid, "VmPTE:") >= TABLES_TRIED;
}

/* --- 71: empty files ----------------------------------------------------------------------- */

static bool make_empty(const char *directory, unsigned number) {
	char path[ATTACK_PATH + 16];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%u", directory, number);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static int file_bomb(struct wf_call *call) {
	char directory[ATTACK_PATH];
	unsigned n = 0;

	(void)snprintf(directory, sizeof directory, TEMPORARY "/%s", attack_brief(call)->nonce);
	(void)mkdir(directory, 0755);
	while (n < FILES_TRIED && make_empty(directory, n))
		n++;
	attack_hold(call);
	return attack_answer(call, n == FILES_TRIED, NULL, 0);
}

/* It may be in a /tmp of its own. */
static void count_files(struct attack_ground *ground, struct attack_bout *bout) {
	char path[ATTACK_PATH];
	DIR *directory;
	unsigned n = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/root" TEMPORARY "/%s", (int)bout->pid,
		       ground->brief.nonce);
	directory = opendir(path);
	while (directory && readdir(directory))
		n++;
	if (directory)
		(void)closedir(directory);
	bout->seen = n >= FILES_TRIED;
}

static void remove_files(struct attack_ground *ground) {
	int temporary = open(TEMPORARY, O_RDONLY | O_DIRECTORY | O_CLOEXEC), directory;
	char name[16];

	directory =
	    openat(temporary, ground->brief.nonce, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (unsigned i = 0; i < FILES_TRIED && directory >= 0; i++) {
		(void)snprintf(name, sizeof name, "%u", i);
		(void)unlinkat(directory, name, 0);
	}
	if (directory >= 0)
		(void)close(directory);
	(void)unlinkat(temporary, ground->brief.nonce, AT_REMOVEDIR);
	if (temporary >= 0)
		(void)close(temporary);
}

/* --- 72: buffers of sockets ---------------------------------------------------------------- */

/* Returns how much the socket takes for a peer that does not read. */
static size_t fill_socket(int fd) {
	static const char block[1 << 16];
	const int wanted = SOCKET_BUFFER;
	size_t size = 0;
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
	for (; size < ATTACK_MEMORY_TRIED; size += (size_t)n) {
		n = send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			break;
	}
	return size;
}

static int buffer_bomb(struct wf_call *call) {
	size_t size = 0;
	int ends[2];

	while (size < ATTACK_MEMORY_TRIED &&
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
		size += fill_socket(ends[0]) + fill_socket(ends[1]);
	attack_hold(call);
	return attack_answer(call, size >= ATTACK_MEMORY_TRIED, NULL, 0);
}

/* The kernel tells whoever has the socket how much of its memory it takes. */
static void weigh_buffers(struct attack_ground *ground, struct attack_bout *bout) {
	int owner = (int)syscall(SYS_pidfd_open, bout->pid, 0), fd, size;
	uint64_t all = 0;

	(void)ground;
	for (int i = 0; i < SEARCHED && owner >= 0; i++) {
		fd = (int)syscall(SYS_pidfd_getfd, owner, i, 0);
		if (fd < 0)
			continue;
		if (ioctl(fd, SIOCOUTQ, &size) == 0 && size > 0)
			all += (uint64_t)size;
		(void)close(fd);
	}
	if (owner >= 0)
		(void)close(owner);
	bout->seen = all >= ATTACK_MEMORY_TRIED;
}

/* --- 73: huge pages ------------------------------------------------------------------------ */

static bool map_huge(int flags, int fd) {
	char *page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (page == MAP_FAILED)
		return false;
	touch(page, HUGE);
	return true;
}

static bool attach_huge(void) {
	int segment = shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | IPC_CREAT | 0600);
	char *page = segment < 0 ? MAP_FAILED : shmat(segment, NULL, 0);

	if (segment >= 0)
		(void)shmctl(segment, IPC_RMID, NULL);
	if (page == MAP_FAILED) /* shmat returns the same on failure */
		return false;
	touch(page, HUGE);
	return true;
}

static int huge_page(struct wf_call *call) {
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	bool done = map_huge(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);

	if (!done)
		done = fd >= 0 && ftruncate(fd, (off_t)HUGE) == 0 && map_huge(MAP_SHARED, fd);
	if (!done)
		done = attach_huge();
	attack_hold(call);
	return attack_answer(call, done, NULL, 0);
}

static void weigh_huge(struct attack_ground *ground, struct attack_bout *bout) {
	(void)ground;
	bout->seen = attack_status_bytes(bout->pid, "HugetlbPages:") > 0;
}

static const char *no_huge(void) {
	void *page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (page == MAP_FAILED)
		return "there are no huge pages to take (vm.nr_hugepages is 0), or none is left";
	(void)munmap(page, HUGE);
	return NULL;
}

/* ------------------------------------------------------------------------------------------- */

#define LANDLOCK   (1U << ATTACK_LANDLOCK)
#define SECCOMP    (1U << ATTACK_SECCOMP)
#define NAMESPACES (1U << ATTACK_NAMESPACES)
#define LIMITS     (1U << ATTACK_LIMITS)
#define CGROUP     (1U << ATTACK_CGROUP)

static const struct attack rows[] = {
	{ 19, "memory bomb", "memory_bomb", memory_bomb, .stops = CGROUP, .look = weigh,
	  .judge = attack_judge_seen },
	{ 20, "memory by another name: shared, memfd", "shared_bomb", shared_bomb, .stops = CGROUP,
	  .look = weigh, .judge = attack_judge_seen },
	{ 68, "memory by its stack", "stack_bomb", stack_bomb, .stops = LIMITS | CGROUP,
	  .look = weigh_stack, .judge = attack_judge_seen, .inapplicable = no_stack },
	{ 69, "shared memory of /dev/zero", "zero_bomb", zero_bomb, .stops = CGROUP, .look = weigh,
	  .judge = attack_judge_seen },
	{ 70, "page tables", "table_bomb", table_bomb, .stops = LIMITS | CGROUP,
	  .look = weigh_tables, .judge = attack_judge_seen },
	{ 71, "thousands of empty files in /tmp", "file_bomb", file_bomb,
	  .stops = LANDLOCK | NAMESPACES, .look = count_files, .judge = attack_judge_seen,
	  .clean = remove_files },
	{ 72, "buffers of sockets", "buffer_bomb", buffer_bomb, .stops = LIMITS | CGROUP,
	  .look = weigh_buffers, .judge = attack_judge_seen, .inapplicable = attack_no_trace },
	{ 73, "huge pages", "huge_page", huge_page, .stops = SECCOMP, .look = weigh_huge,
	  .judge = attack_judge_seen, .inapplicable = no_huge },
};

const struct attack_rows attack_memory = { rows, sizeof rows / sizeof rows[0] };
