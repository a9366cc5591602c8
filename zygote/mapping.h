/* SPDX-License-Identifier: MIT
 *
 * The memory of this process, as /proc/self/smaps lists it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPPING_NAME 64

enum mapping_kind {
	MAPPING_ANONYMOUS,
	MAPPING_HEAP,    /* of brk(2) */
	MAPPING_STACK,   /* of the main thread */
	MAPPING_FILE,    /* a private mapping of a file, or a shared one */
	MAPPING_FROZEN,  /* of a frozen image */
	MAPPING_SPECIAL, /* [vdso] and its kin */
};

/* What VmFlags says, as far as it matters here. */
enum mapping_flag {
	MAPPING_SHARED = 1 << 0,
	MAPPING_LOCKED = 1 << 1,      /* lo */
	MAPPING_USERFAULTFD = 1 << 2, /* um, uw, ui */
	MAPPING_ODD = 1 << 3, /* wf dc io pf mm ht gd dp ss sl: not forked, or not replaceable */
	MAPPING_NO_DUMP = 1 << 4, /* dd */
	MAPPING_KEYED = 1 << 5,   /* it has a protection key */
};

struct mapping {
	uintptr_t start, end;
	int protection; /* PROT_... */
	enum mapping_kind kind;
	unsigned flags;     /* enum mapping_flag, or-ed */
	uint64_t anonymous; /* bytes of pages of its own */
	uint64_t resident;
	uint64_t inode;          /* of its file; 0: none */
	char name[MAPPING_NAME]; /* the end of its path, or "" */
};

/* Calls `take` for each mapping, in the order of addresses, without malloc and stdio. Returns 0
 * or -errno. */
int mapping_each(void (*take)(void *context, const struct mapping *mapping), void *context);

#define MAPPING_FROZEN_NAME "warmfork-image"
