/* SPDX-License-Identifier: MIT
 *
 * What would allow a thing that was refused, as it is written on a command line.
 */
#pragma once

#include <stddef.h>

/* The line of a policy file "read: [/etc/shadow]" as an option: "--read /etc/shadow", quoted for a
 * shell. Empty: it cannot be said so, or does not fit. */
void run_remedy_option(const char *line, char *ret, size_t size);
