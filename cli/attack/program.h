/* SPDX-License-Identifier: MIT
 *
 * A program of some hundred bytes, small enough to be made anywhere.
 */
#pragma once

#include <stdint.h>

struct attack_program {
	unsigned char bytes[256];
};

/* Makes a program that writes `text` (at most 31 bytes, and its NUL) to the descriptor `fd` and
 * ends; with `fd` -1, one that waits for a signal. */
void attack_program_make(struct attack_program *ret, int fd, const char *text);
