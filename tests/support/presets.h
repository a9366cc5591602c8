/* SPDX-License-Identifier: MIT
 *
 * The presets in turn, in the words of sandboxed.h, and files of which a policy allows some: "in"
 * to read, "out" to write, "closed" to nobody.
 */
#pragma once

#include "tests/support/sandboxed.h"

extern const char *const presets[3];
/* The loop index is regime * 3 + preset; those who continue after a refusal are the last two. */
#define add_for_presets(story, test)    tcase_add_loop_test(story, test, 0, 6)
#define add_for_continuing(story, test) tcase_add_loop_test(story, test, 0, 4)
#define PRESET(i)                       presets[(i) % 3]
#define REGIME(i)                       ((i) / 3)
#define CONTINUING(i)                   presets[1 + (i) % 2]
#define CONTINUING_REGIME(i)            ((i) / 2)

#define SECRET "it is under the third stone"

/* Steps with "@" for the scratch directory. A static buffer, one of 8 in turn. */
const char *at_scratch(const char *text);

void prepare_files(void);

/* Asserts that what is closed is as it was. */
void check_files(void);

/* Prepares them, and opens a pool that may read "in" and write "out". */
struct wf_executor *open_with_files(int regime, const char *preset);
