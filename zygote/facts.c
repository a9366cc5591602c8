/* SPDX-License-Identifier: MIT
 *
 * The facts are read once, before the zygote serves, so stdio and malloc may be used; but
 * facts_threads_run() may be called at any time.
 */
#include "zygote/facts.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/process.h"
#include "zygote/mapping.h"

static uint64_t rollup_bytes(FILE *file, const char *key) {
	char line[256], name[64];
	unsigned long long kib;

	rewind(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "%63[^:]: %llu kB", name, &kib) == 2 && strcmp(name, key) == 0)
			return (uint64_t)kib * 1024;
	return 0;
}

static void fill_memory(struct message_image_ready *ret) {
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	uint64_t resident;

	if (!file)
		return;
	resident = rollup_bytes(file, "Rss");
	ret->anonymous_bytes = rollup_bytes(file, "Anonymous");
	ret->file_bytes = resident > ret->anonymous_bytes ? resident - ret->anonymous_bytes : 0;
	(void)fclose(file);
}

static uint32_t count_lines(const char *path) {
	FILE *file = fopen(path, "re");
	uint32_t n = 0;
	int c;

	if (!file)
		return 0;
	while ((c = getc(file)) != EOF)
		n += c == '\n';
	(void)fclose(file);
	return n;
}

static uint32_t count_entries(const char *path) {
	DIR *directory = opendir(path);
	const struct dirent *entry;
	uint32_t n = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory)))
		n += entry->d_name[0] != '.';
	(void)closedir(directory);
	return n;
}

static void take_mapping(void *context, const struct mapping *mapping) {
	struct message_image_ready *ret = context;

	if (mapping->kind == MAPPING_HEAP)
		ret->heap_bytes += mapping->resident;
	else if (mapping->kind == MAPPING_STACK)
		ret->stack_bytes += mapping->resident;
}

void facts_fill(struct message_image_ready *ret) {
	uint32_t descriptors = count_entries("/proc/self/fd");

	fill_memory(ret);
	(void)mapping_each(take_mapping, ret);
	ret->page_table_bytes = process_status(0, "VmPTE:") * 1024;
	ret->mappings = count_lines("/proc/self/maps");
	ret->descriptors = descriptors > 0 ? descriptors - 1 : 0; /* minus that of the directory */
	ret->threads = count_entries("/proc/self/task");
}

/* The directory has a subdirectory for each thread, and the kernel maintains its link count as for
 * any other. */
bool facts_threads_run(void) {
	struct stat status;

	return stat("/proc/self/task", &status) == 0 && status.st_nlink > 3;
}
