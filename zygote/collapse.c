/* SPDX-License-Identifier: MIT
 *
 * Huge pages have two advantages. A worker that reads the image takes one fault for each 2 MiB. And
 * if the zygote dirties a page after all, a fork copies only the page table of its 2 MiB.
 *
 * MADV_COLLAPSE (Linux 6.1) makes the pages of the file itself huge, so a child of the zygote
 * can do it for all processes while the zygote serves. That child runs only when the CPU is
 * otherwise idle.
 *
 * Only 2 MiB that are full are collapsed: otherwise holes would be filled and a sparse
 * image would grow.
 */
#include "zygote/collapse.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/leave.h"
#include "base/memory.h"
#include "base/process.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static size_t collapse_run(uintptr_t start, uintptr_t end) {
	size_t n = 0;

	start = (start + MEMORY_HUGE - 1) & ~(MEMORY_HUGE - 1);
	for (; start + MEMORY_HUGE <= end; start += MEMORY_HUGE)
		n += madvise((void *)start, MEMORY_HUGE, MADV_COLLAPSE) == 0;
	return n;
}

size_t collapse_file(int memfd) {
	size_t n = 0;
	off_t data = 0;

	if (feature_hidden(FEATURE_COLLAPSE))
		return 0;
	while ((data = lseek(memfd, data, SEEK_DATA)) >= 0) {
		off_t hole = lseek(memfd, data, SEEK_HOLE);

		if (hole < 0)
			break;
		n += collapse_run((uintptr_t)data, (uintptr_t)hole);
		data = hole;
	}
	return n;
}

static _Noreturn void child_run(int memfd, pid_t parent) {
	const struct sched_param idle = { .sched_priority = 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		leave(1);
	(void)fd_close_others(&memfd, 1);
	(void)sched_setscheduler(0, SCHED_IDLE, &idle);
	process_title("warmfork: huge pages");
	(void)collapse_file(memfd);
	leave(0);
}

pid_t collapse_start(int memfd) {
	pid_t parent = getpid(), pid;

	if (memfd < 0 || feature_hidden(FEATURE_COLLAPSE))
		return error_origin(-EOPNOTSUPP);
	pid = fork();
	if (pid == 0)
		child_run(memfd, parent);
	return pid < 0 ? error_origin(-errno) : pid;
}
