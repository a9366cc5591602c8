/* SPDX-License-Identifier: MIT
 *
 * What freezing an image needs, each used as the zygote uses it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/doctor/probe.h"

#define NO_EXEC_SEAL 8u /* MFD_NOEXEC_SEAL, 6.3 */
#define COLLAPSE     25 /* MADV_COLLAPSE, 6.1 */
#define HUGE_BYTES   ((size_t)2 << 20)

/* struct pm_scan_arg, 6.7 */
struct scan {
	uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
	uint64_t inverted, all_of, any_of, returned;
};
#define SCAN         _IOWR('f', 16, struct scan)
#define SCAN_PRESENT UINT64_C(8)

/* The child's end closes and unmaps everything. */
static int make_file(unsigned flags) {
	return memfd_create("warmfork doctor", MFD_CLOEXEC | flags);
}

static int try_seals(int unused) {
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	int file = make_file(MFD_ALLOW_SEALING);

	(void)unused;
	if (file < 0 || write(file, "", 1) != 1 || fcntl(file, F_ADD_SEALS, seals) < 0)
		return errno;
	return write(file, "", 1) < 0 && errno == EPERM ? PROBE_WORKS : ENOTRECOVERABLE;
}

static int try_noexec(int unused) {
	(void)unused;
	return make_file(NO_EXEC_SEAL) < 0 ? errno : PROBE_WORKS;
}

/* Twice the size always contains an aligned huge page. */
static int try_collapse(int unused) {
	int file = make_file(0);
	uintptr_t aligned;
	char *memory;

	(void)unused;
	if (file < 0 || ftruncate(file, 2 * HUGE_BYTES) < 0)
		return errno;
	memory = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		return errno;
	/* the alignment in the file counts too: map it again where both agree */
	aligned = ((uintptr_t)memory + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	memory = mmap((void *)aligned, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		      file, 0);
	if (memory == MAP_FAILED)
		return errno;
	memset(memory, 1, HUGE_BYTES);
	return madvise(memory, HUGE_BYTES, COLLAPSE) < 0 ? errno : PROBE_WORKS;
}

static int try_scan(int unused) {
	struct scan nothing = {
		.size = sizeof nothing,
		.all_of = SCAN_PRESENT,
		.returned = SCAN_PRESENT,
	};
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	(void)unused;
	return pagemap < 0 || ioctl(pagemap, SCAN, &nothing) < 0 ? errno : PROBE_WORKS;
}

static int try_dispatch(int unused) {
	static char selector; /* 0 lets all calls pass */

	(void)unused;
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0UL, 0UL, &selector) < 0 ||
	    prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0UL, 0UL, 0UL) < 0)
		return errno;
	return PROBE_WORKS;
}

/* If no two megabytes of memory in a row are free, that says nothing about the kernel. */
static int unless_scarce(int r) {
	return r == EAGAIN || r == ENOMEM || r == EBUSY ? PROBE_UNTRIED : r;
}

void probe_memory(struct probe_facts *ret) {
	ret->trials[TRIAL_MEMFD_SEALS] = probe_try(try_seals, 0);
	ret->trials[TRIAL_MEMFD_NOEXEC] = probe_try(try_noexec, 0);
	ret->trials[TRIAL_COLLAPSE] = unless_scarce(probe_try(try_collapse, 0));
	ret->trials[TRIAL_PAGEMAP_SCAN] = probe_try(try_scan, 0);
	ret->trials[TRIAL_SYSCALL_DISPATCH] = probe_try(try_dispatch, 0);
}
