/* SPDX-License-Identifier: MIT
 *
 * The release.
 */
#include <warmfork/executor.h>

const char *wf_version(void) {
	return "0.1.0";
}
