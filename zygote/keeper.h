/* SPDX-License-Identifier: MIT
 *
 * The keeper: starts zygotes, outlives them, and ends what they leave.
 */
#pragma once

#define KEEPER_CONTROL 3 /* the executor's SEQPACKET socket */
#define KEEPER_HOST    4 /* a pidfd of the executor's process */

_Noreturn void keeper_run(int argc, char **argv);
