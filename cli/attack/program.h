/* SPDX-License-Identifier: MIT
 *
 * A program that fits into a hundred and some bytes, so that one can be made anywhere.
 */
#pragma once

#include <stdint.h>

struct attack_program {
	unsigned char bytes[256];
};

/* Writes `text` (at most 31 bytes, and the zero after it) to the descriptor `fd` and ends; or with
 * `fd` -1 waits for a signal. */
void attack_program_make(struct attack_program *ret, int fd, const char *text);
