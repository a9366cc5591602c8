/* SPDX-License-Identifier: MIT
 *
 * Capabilities: few for the zygote, none for a worker.
 */
#pragma once

/* Called in the zygote: keeps what is needed to enter the sandbox and to end processes of another
 * user. No process can gain any by exec. Returns 0 or -errno. */
int capability_keep_few(void);

/* Called in a worker. Returns 0 or -errno. */
int capability_drop_all(void);
