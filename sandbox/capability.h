/* SPDX-License-Identifier: MIT
 *
 * Capabilities: few for the zygote, none for a worker.
 */
#pragma once

/* In the zygote: what entering takes, and ending processes of another user; nobody can gain any by
 * exec. 0 or -errno. */
int capability_keep_few(void);

/* In a worker. 0 or -errno. */
int capability_drop_all(void);
