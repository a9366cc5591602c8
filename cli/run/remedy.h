/* SPDX-License-Identifier: MIT
 *
 * What would allow something that was refused, as a command-line option.
 */
#pragma once

#include <stddef.h>

/* Turns the line of a policy file "read: [/etc/shadow]" into an option: "--read /etc/shadow",
 * quoted for a shell. Empty if there is no such option, or it does not fit. */
void run_remedy_option(const char *line, char *ret, size_t size);
