/* SPDX-License-Identifier: MIT
 *
 * The main() of the helper program, exported only for it.
 */
#pragma once

#include <warmfork/task.h>

WF_EXPORT int wf_private_helper_main(int argc, char **argv);
