/* SPDX-License-Identifier: MIT
 *
 * The size member says how much of a struct the caller's header knows. Members it does not know
 * take their default, zero. Members that we do not know must be zero, or we would ignore a
 * request.
 */
#include "executor/known.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <warmfork/inspect.h>
#include <warmfork/map.h>

#include "base/report.h"

#define KNOWN_MAX 16384 /* no struct of ours will ever be this large */

/* Up to the last member of 0.1, with the padding after it. */
#define SIZE_WITH(type, last)                                                                      \
	((offsetof(struct type, last) + sizeof(((struct type *)NULL)->last) + 7) / 8 * 8)
#define FIRST(constant, type, last)                                                                \
	_Static_assert((constant) == SIZE_WITH(type, last), "the size of 0.1 must not change")

FIRST(KNOWN_FIRST_OPTIONS, wf_executor_options, tuning);
FIRST(KNOWN_FIRST_CONTEXT, wf_context, n_cpus);
FIRST(KNOWN_FIRST_TASK, wf_task, argv);
FIRST(KNOWN_FIRST_MAP_OPTIONS, wf_map_options, window);
FIRST(KNOWN_FIRST_IMAGE_FACTS, wf_image_facts, page_table_bytes);

static size_t size_of(const void *given) {
	size_t size;

	memcpy(&size, given, sizeof size);
	return size;
}

int known_check_size(const void *theirs, size_t first, const char *what) {
	if (size_of(theirs) < first || size_of(theirs) > KNOWN_MAX)
		return report_error(-EINVAL,
				    "%s.size is %zu; initialise it with its WF_...() macro", what,
				    size_of(theirs));
	return 0;
}

int known_take(void *ours, size_t our_size, const void *given, size_t first, const char *what) {
	const unsigned char *bytes = given;
	size_t size = size_of(given);
	int r = known_check_size(given, first, what);

	if (r < 0)
		return r;
	for (size_t i = our_size; i < size; i++)
		if (bytes[i])
			return report_error(
			    -EINVAL,
			    "%s has a member set that this library (%s) does not know; leave it "
			    "zero, or use a newer library",
			    what, wf_version());
	memset(ours, 0, our_size);
	memcpy(ours, given, size < our_size ? size : our_size);
	memcpy(ours, &our_size, sizeof our_size);
	return 0;
}

void known_give(void *theirs, const void *ours, size_t our_size) {
	size_t size = size_of(theirs);
	size_t shared = size < our_size ? size : our_size;

	memset((char *)theirs + shared, 0, size - shared);
	memcpy((char *)theirs + sizeof size, (const char *)ours + sizeof size,
	       shared - sizeof size);
}

int known_reserved(const uint64_t *reserved, size_t n, const char *what) {
	for (size_t i = 0; i < n; i++)
		if (reserved[i])
			return report_error(
			    -EINVAL,
			    "%s has a member set that this library (%s) does not know; leave it "
			    "zero, or use a newer library",
			    what, wf_version());
	return 0;
}

int known_timeout(const char *what, int timeout_ms) {
	if (timeout_ms < 0 && timeout_ms != WF_FOREVER)
		return report_error(-EINVAL, "%s is %d; it must be 0 or more, or WF_FOREVER", what,
				    timeout_ms);
	return 0;
}
