/* SPDX-License-Identifier: MIT
 *
 * The file is read through a window, one line at a time: it may be of any length, and a zygote that
 * freezes its image again must not call malloc.
 *
 * A mapping is complete when its VmFlags have been read, which are its last line.
 */
#include "zygote/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Of a longer line the rest is a path, of which the end is kept. */
#define LINE_HEAD 320

struct reader {
	char line[LINE_HEAD];
	size_t length;
	char tail[MAPPING_NAME]; /* a ring of the last bytes of the line */
	size_t total;
	struct mapping mapping;
	void (*take)(void *context, const struct mapping *mapping);
	void *context;
};

static bool begins_with(const char *text, const char *beginning) {
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

static uint64_t hexadecimal(const char **at) {
	uint64_t value = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return value;
	}
}

/* "Anonymous:          12 kB" */
static uint64_t kibibytes(const char *line) {
	uint64_t value = 0;

	for (const char *c = strchr(line, ':'); c && *c; c++)
		if (*c >= '0' && *c <= '9')
			value = value * 10 + (uint64_t)(*c - '0');
	return value << 10;
}

static enum mapping_kind kind_of(const char *path, uint64_t inode) {
	if (begins_with(path, "/memfd:" MAPPING_FROZEN_NAME))
		return MAPPING_FROZEN;
	if (begins_with(path, "[heap]"))
		return MAPPING_HEAP;
	if (begins_with(path, "[stack"))
		return MAPPING_STACK;
	if (begins_with(path, "[v"))
		return MAPPING_SPECIAL;
	return inode != 0 ? MAPPING_FILE : MAPPING_ANONYMOUS;
}

static void name_copy(struct reader *reader, size_t path_length) {
	size_t size = path_length < MAPPING_NAME - 1 ? path_length : MAPPING_NAME - 1;

	for (size_t i = 0; i < size; i++)
		reader->mapping.name[i] = reader->tail[(reader->total - size + i) % MAPPING_NAME];
	reader->mapping.name[size] = '\0';
}

/* "7f0000000000-7f0000001000 rw-p 00000000 00:00 0       [heap]" */
static void take_header(struct reader *reader) {
	struct mapping *mapping = &reader->mapping;
	const char *at = reader->line;
	uint64_t inode = 0;

	*mapping = (struct mapping){ .start = hexadecimal(&at) };
	at++;
	mapping->end = hexadecimal(&at);
	at++;
	mapping->protection = (at[0] == 'r' ? PROT_READ : 0) | (at[1] == 'w' ? PROT_WRITE : 0) |
			      (at[2] == 'x' ? PROT_EXEC : 0);
	mapping->flags = at[3] == 's' ? MAPPING_SHARED : 0;
	at += 5;
	(void)hexadecimal(&at); /* offset */
	at++;
	while (*at && *at != ' ') /* device */
		at++;
	while (*++at >= '0' && *at <= '9')
		inode = inode * 10 + (uint64_t)(*at - '0');
	while (*at == ' ')
		at++;
	mapping->kind = kind_of(at, inode);
	mapping->inode = inode;
	name_copy(reader, reader->total - (size_t)(at - reader->line));
}

static void take_flags(struct reader *reader) {
	static const struct {
		const char *name;
		unsigned flag;
	} flags[] = {
		{ " lo", MAPPING_LOCKED },      { " um", MAPPING_USERFAULTFD },
		{ " uw", MAPPING_USERFAULTFD }, { " ui", MAPPING_USERFAULTFD },
		{ " dd", MAPPING_NO_DUMP },     { " wf", MAPPING_ODD },
		{ " dc", MAPPING_ODD },         { " io", MAPPING_ODD },
		{ " pf", MAPPING_ODD },         { " mm", MAPPING_ODD },
		{ " ht", MAPPING_ODD },         { " gd", MAPPING_ODD },
		{ " dp", MAPPING_ODD },         { " ss", MAPPING_ODD },
		{ " sl", MAPPING_ODD },
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (strstr(reader->line, flags[i].name))
			reader->mapping.flags |= flags[i].flag;
	reader->take(reader->context, &reader->mapping);
}

static void take_line(struct reader *reader) {
	const char *line = reader->line;
	char first = line[0];

	if ((first >= '0' && first <= '9') || (first >= 'a' && first <= 'f'))
		take_header(reader);
	else if (begins_with(line, "Anonymous:"))
		reader->mapping.anonymous = kibibytes(line);
	else if (begins_with(line, "Rss:"))
		reader->mapping.resident = kibibytes(line);
	else if (begins_with(line, "ProtectionKey:") && kibibytes(line) != 0)
		reader->mapping.flags |= MAPPING_KEYED;
	else if (begins_with(line, "VmFlags:"))
		take_flags(reader);
}

static void take_bytes(struct reader *reader, const char *bytes, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (reader->length < LINE_HEAD - 1)
				reader->line[reader->length++] = bytes[i];
			reader->tail[reader->total++ % MAPPING_NAME] = bytes[i];
			continue;
		}
		reader->line[reader->length] = '\0';
		take_line(reader);
		reader->length = reader->total = 0;
	}
}

int mapping_each(void (*take)(void *context, const struct mapping *mapping), void *context) {
	cleanup_close int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	struct reader reader = { .take = take, .context = context };
	char window[4096];
	ssize_t n;

	if (fd < 0)
		return error_origin(-errno);
	while ((n = read(fd, window, sizeof window)) > 0)
		take_bytes(&reader, window, (size_t)n);
	return n < 0 ? error_origin(-errno) : 0;
}
