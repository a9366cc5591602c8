/* SPDX-License-Identifier: MIT
 *
 * A module that is overwritten in place (cp over it) changes the pages of every process that has it
 * mapped: code under a running task, and data that no worker has touched yet. So what the loader
 * mapped from the file is mapped from a copy in a memfd instead:
 *
 *     segments that are not writable    the copy is mapped elsewhere, compared byte by byte (the
 *                                       file may have changed while it was loaded), and moved over
 *                                       them with mremap(2), which replaces a mapping in one step
 *     writable segments                 their present bytes are copied into anonymous memory, which
 *                                       is moved over them likewise; then what the loader had made
 *                                       read-only after relocation (GNU_RELRO) is read-only again
 *
 * For writable segments it is not enough to write to each page so that the kernel makes it
 * private: when a file is truncated, which cp(1) does first, the kernel drops private copies of
 * its pages as well.
 *
 * While other threads run nothing is moved, because whatever they write meanwhile would be lost.
 *
 * Only the module itself is detached, not the libraries that it needs: those belong to the system,
 * whose package managers rename new files over old ones. Modules with text relocations are left
 * alone because they are never equal to their file.
 *
 * A memfd with MFD_NOEXEC_SEAL cannot be executed, but it can be mapped PROT_EXEC.
 */
#include "zygote/detach.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "zygote/facts.h"

/* The module's own memory has redzones under ASan and other threads under TSan. Here it is read and
 * written as bytes of a mapping, not as objects. */
#define RAW_MEMORY __attribute__((no_sanitize_address, no_sanitize_thread, noinline))

struct object {
	const struct link_map *map;
	const ElfW(Phdr) * headers;
	size_t n_headers;
	uintptr_t base;
};

static size_t page_size(void) {
	return (size_t)sysconf(_SC_PAGESIZE);
}

static uintptr_t page_floor(uintptr_t address) {
	return address & ~((uintptr_t)page_size() - 1);
}

static uintptr_t page_ceiling(uintptr_t address) {
	return page_floor(address + page_size() - 1);
}

/* --- the object ---------------------------------------------------------------------------- */

static int find_object(struct dl_phdr_info *info, size_t size, void *context) {
	struct object *object = context;

	(void)size;
	if (info->dlpi_addr != object->map->l_addr ||
	    strcmp(info->dlpi_name, object->map->l_name) != 0)
		return 0;
	object->headers = info->dlpi_phdr;
	object->n_headers = info->dlpi_phnum;
	object->base = info->dlpi_addr;
	return 1;
}

static bool has_text_relocations(const struct link_map *map) {
	for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_TEXTREL ||
		    (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
			return true;
	return false;
}

/* Tells whether the file of `fd` still has the name that the loader opened. If it does not,
 * the loader may have opened another file. Code is compared byte by byte as well, but data
 * cannot be. */
static bool is_same_file(int fd, const char *path) {
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

static int copy_file(int file) {
	cleanup_close int copy = -1;
	struct stat status;
	off_t at = 0;

	if (fstat(file, &status) < 0)
		return error_origin(-errno);
	copy = fd_memfd("warmfork: module", (size_t)status.st_size);
	if (copy < 0)
		return error_trace(copy);
	while (at < status.st_size) {
		ssize_t n = sendfile(copy, file, &at, (size_t)(status.st_size - at));

		if (n <= 0)
			return error_origin(n < 0 ? -errno : -EIO);
	}
	return fd_steal(&copy);
}

/* --- segments that are not writable -------------------------------------------------------- */

RAW_MEMORY static bool equal_bytes(uintptr_t one, uintptr_t other, size_t size) {
	const uint64_t *a = (const void *)one, *b = (const void *)other;

	for (size_t i = 0; i < size / sizeof *a; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static int protection(const ElfW(Phdr) * header) {
	return (header->p_flags & PF_R ? PROT_READ : 0) |
	       (header->p_flags & PF_W ? PROT_WRITE : 0) | (header->p_flags & PF_X ? PROT_EXEC : 0);
}

static int move_over(void *fresh, size_t size, uintptr_t start) {
	int r;

	if (mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) != MAP_FAILED)
		return 0;
	r = error_origin(-errno);
	(void)munmap(fresh, size);
	return r;
}

static int replace_segment(const struct object *object, const ElfW(Phdr) * header, int copy) {
	uintptr_t start = page_floor(object->base + header->p_vaddr);
	size_t size = page_ceiling(object->base + header->p_vaddr + header->p_filesz) - start;
	off_t offset = (off_t)page_floor(header->p_offset);
	void *fresh;

	if (header->p_filesz == 0)
		return 0;
	if (header->p_memsz != header->p_filesz || !(header->p_flags & PF_R))
		return error_origin(-ENOEXEC);
	fresh = mmap(NULL, size, protection(header), MAP_PRIVATE, copy, offset);
	if (fresh == MAP_FAILED)
		return error_origin(-errno);
	if (equal_bytes((uintptr_t)fresh, start, size))
		return error_trace(move_over(fresh, size, start));
	(void)munmap(fresh, size);
	return error_origin(-ESTALE);
}

/* --- writable segments --------------------------------------------------------------------- */

/* Volatile, so that the compiler does not turn it into a call of memcpy(3), which ASan checks. */
RAW_MEMORY static void copy_bytes(volatile uint64_t *to, const volatile uint64_t *from,
				  size_t size) {
	for (size_t i = 0; i < size / sizeof *to; i++)
		to[i] = from[i];
}

/* Finds the part of [start, end) that the loader has made read-only: the whole pages
 * of GNU_RELRO. */
static void find_relro(const struct object *object, uintptr_t start, uintptr_t end,
		       uintptr_t *ret_start, size_t *ret_size) {
	*ret_size = 0;
	for (size_t i = 0; i < object->n_headers; i++) {
		const ElfW(Phdr) *header = &object->headers[i];
		uintptr_t at = object->base + header->p_vaddr, last;

		if (header->p_type != PT_GNU_RELRO || at < start || at >= end)
			continue;
		last = page_floor(at + header->p_memsz);
		*ret_start = page_floor(at);
		if (last > *ret_start)
			*ret_size = (last < end ? last : end) - *ret_start;
	}
}

static int copy_segment(const struct object *object, const ElfW(Phdr) * header) {
	uintptr_t start = page_floor(object->base + header->p_vaddr), relro = 0;
	uintptr_t end = page_ceiling(object->base + header->p_vaddr + header->p_filesz);
	size_t relro_size;
	void *fresh;
	int r;

	if (header->p_filesz == 0)
		return 0;
	find_relro(object, start, end, &relro, &relro_size);
	fresh = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED)
		return error_origin(-errno);
	copy_bytes(fresh, (const void *)start, end - start);
	if (header->p_flags & PF_X && mprotect(fresh, end - start, protection(header)) < 0) {
		r = error_origin(-errno);
		(void)munmap(fresh, end - start);
		return r;
	}
	r = move_over(fresh, end - start, start);
	if (r < 0)
		return error_trace(r);
	if (relro_size > 0 && mprotect((void *)relro, relro_size, PROT_READ) < 0)
		return error_origin(-errno);
	return 0;
}

/* ------------------------------------------------------------------------------------------- */

static int detach(const struct object *object, int file) {
	cleanup_close int copy = copy_file(file);

	if (copy < 0)
		return error_trace(copy);
	for (size_t i = 0; i < object->n_headers; i++) {
		const ElfW(Phdr) *header = &object->headers[i];
		int r;

		if (header->p_type != PT_LOAD)
			continue;
		r = header->p_flags & PF_W ? copy_segment(object, header)
					   : replace_segment(object, header, copy);
		if (r < 0)
			return error_trace(r);
	}
	return 0;
}

void module_detach(void *handle, int file, const struct log *log) {
	struct link_map *map = NULL;
	struct object object = { 0 };
	int r;

	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !map)
		return;
	object.map = map;
	if (dl_iterate_phdr(find_object, &object) != 1)
		r = error_origin(-ENOEXEC);
	else if (has_text_relocations(map))
		r = error_origin(-ENOTSUP);
	else if (facts_threads_run())
		r = error_origin(-EBUSY);
	else
		r = is_same_file(file, map->l_name) ? detach(&object, file) : error_origin(-ESTALE);
	if (r < 0)
		log_write(log, LOG_WARNING,
			  "zygote: %s stays mapped from its file (%s): replace it by renaming, do "
			  "not overwrite it",
			  map->l_name, strerrordesc_np(-r));
}
