/* SPDX-License-Identifier: MIT */
#include "base/directory.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/uninitialized.h"

struct directory_entry { /* linux_dirent64 of getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

int directory_each(int directory, directory_visit visit, void *context) {
	_Alignas(struct directory_entry) char buffer[4096] uninitialized;
	long n;

	while ((n = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
		for (size_t at = 0; at < (size_t)n;) {
			const struct directory_entry *entry = (const void *)(buffer + at);

			at += entry->length;
			visit(context, directory, entry->name);
		}
	return n < 0 ? error_origin(-errno) : 0;
}
