/* SPDX-License-Identifier: MIT */
#include "sandbox/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "proto/calls.h"
#include "sandbox/filter_compile.h"
#include "sandbox/filter_ready.h"

/* <linux/seccomp.h> of 5.19: a process that waits for an answer can still be killed. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

bool filter_suits_zygote(const struct policy *policy) {
	const uint64_t needed = UINT64_C(1) << CALLS_PROCESSES | UINT64_C(1) << CALLS_FILES;

	return (policy->groups & needed) == needed;
}

/* The numbers that stand for the identity are compared with nothing else. */
static void fill_in(struct sock_filter *to, const struct filter_ready *ready, uint32_t uid,
		    uint32_t gid) {
	memcpy(to, ready->code, ready->n * sizeof *to);
	for (size_t i = 0; i < ready->n; i++) {
		if (to[i].k == FILTER_READY_UID)
			to[i].k = uid;
		else if (to[i].k == FILTER_READY_GID)
			to[i].k = gid;
	}
}

bool filter_find(const struct filter_key *key, uint32_t uid, uint32_t gid,
		 struct sandbox_filter *ret) {
	for (size_t i = 0; i < filters_ready_n; i++) {
		const struct filter_ready *ready = &filters_ready[i];
		struct sock_filter *code;

		if (memcmp(&ready->key, key, sizeof *key) != 0)
			continue;
		code = mmap(NULL, ready->n * sizeof *code, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (code == MAP_FAILED)
			return false;
		fill_in(code, ready, uid, gid);
		*ret = (struct sandbox_filter){ code, ready->n };
		return true;
	}
	return false;
}

int filter_map(int memfd, struct sandbox_filter *ret) {
	struct stat status;
	void *map;

	if (fstat(memfd, &status) < 0)
		return error_origin(-errno);
	if (status.st_size == 0 ||
	    (size_t)status.st_size > BPF_MAXINSNS * sizeof(struct sock_filter))
		return error_origin(-E2BIG);
	map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, memfd, 0);
	if (map == MAP_FAILED)
		return error_origin(-errno);
	ret->program = map;
	ret->n = (size_t)status.st_size / sizeof(struct sock_filter);
	return 0;
}

/* --- in force ------------------------------------------------------------------------------ */

int filter_install(const struct sandbox_filter *filter, bool listen) {
	union {
		const void *in;
		struct sock_filter *out; /* the kernel only reads it */
	} program = { filter->program };
	const struct sock_fprog code = { (unsigned short)filter->n, program.out };
	unsigned long flags =
	    listen ? SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0;
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &code);

	return r < 0 ? error_origin(-errno) : (int)r;
}

int filter_probe(void) {
	if (syscall(FILTER_PROBE_CALL) < 0 && errno == FILTER_PROBE_ERROR)
		return 0;
	return error_origin(-ENOENT);
}
