/* SPDX-License-Identifier: MIT
 *
 * A file system that does not answer: one of FUSE whose server, which is this test, reads no
 * request.
 */
#pragma once

#include <stdbool.h>

/* Mounts it below fixture_scratch(), in a mount namespace of its own. Returns false, and says why,
 * if this cannot be done here. */
bool dead_mount(void);
/* Whoever waits for it gets an error. */
void dead_release(void);
/* `name` there. A static buffer. */
const char *dead_path(const char *name);
