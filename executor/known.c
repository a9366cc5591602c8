/* SPDX-License-Identifier: MIT
 *
 * The size member says how much of a struct the caller knew. What he did not know is zero, which is the
 * default; what we do not know must be zero, or we would ignore a wish.
 */
#include "executor/known.h"

#include <errno.h>
#include <string.h>

#include <warmfork/executor.h>

#include "executor/report.h"

#define KNOWN_MAX 16384 /* no struct of ours will ever be so large */

int known_take(void *ours, size_t our_size, const void *given, size_t first, const char *what) {
	const unsigned char *bytes = given;
	size_t size;

	memcpy(&size, given, sizeof(size));
	if (size < first || size > KNOWN_MAX)
		return report_error(
		    -EINVAL, "%s.size is %zu; initialise it with its WF_...() macro", what, size);
	for (size_t i = our_size; i < size; i++)
		if (bytes[i])
			return report_error(
			    -EINVAL, "%s has a member set that this library (%s) does not know",
			    what, wf_version());
	memset(ours, 0, our_size);
	memcpy(ours, given, size < our_size ? size : our_size);
	memcpy(ours, &our_size, sizeof(our_size));
	return 0;
}

int known_timeout(const char *what, int timeout_ms) {
	if (timeout_ms < 0 && timeout_ms != WF_FOREVER)
		return report_error(-EINVAL, "%s is %d; it must be from 0 on, or WF_FOREVER", what,
				    timeout_ms);
	return 0;
}
