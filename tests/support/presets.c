/* SPDX-License-Identifier: MIT
 *
 * The presets in turn, and files of which a policy allows some.
 */
#include "tests/support/presets.h"

#include <stdio.h>
#include <unistd.h>

const char *const presets[3] = { "pure", "stage", "tests" };

const char *at_scratch(const char *text) {
	static char texts[8][2048];
	static unsigned next;
	char *to = texts[next++ % 8];
	size_t used = 0;

	for (; *text != '\0' && used < sizeof texts[0] - 512; text++)
		used += (size_t)(*text == '@' ? snprintf(to + used, 512, "%s", scratch_path(""))
					      : snprintf(to + used, 2, "%c", *text));
	to[used] = '\0';
	return to;
}

void prepare_files(void) {
	scratch_make_directory("in");
	scratch_make_directory("out");
	scratch_make_directory("closed");
	scratch_write("in/a", "alpha");
	scratch_write("out/old", "old");
	scratch_write("closed/secret", SECRET);
	scratch_write("closed/other", "other");
	scratch_install("closed/program", "/bin/true");
}

void check_files(void) {
	scratch_expect("in/a", "alpha");
	scratch_expect("closed/secret", SECRET);
	scratch_expect("closed/other", "other");
	ck_assert_int_ne(access(scratch_path("closed/new"), F_OK), 0);
}

struct wf_executor *open_with_files(int regime, const char *preset) {
	prepare_files();
	return sandboxed_open(regime, policy_of(preset, "read", scratch_path("in"), "write",
						scratch_path("out"), NULL));
}
