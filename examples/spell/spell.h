/* SPDX-License-Identifier: MIT
 *
 * Shared by the task module and the plain program of the spelling demo: counts the words of a file
 * that a dictionary does not have.
 */
#pragma once

#include <stdint.h>

#define SPELL_FILE_MAX ((size_t)4 << 20) /* bytes; larger files are truncated */

/* The result of a task, as it is sent. */
struct spell_count {
	uint64_t words, misspelt;
};

struct spell_dictionary;

/* Loads hunspell's English dictionary, which is the slow part. NULL if it is not installed. */
struct spell_dictionary *spell_load(void);
struct spell_dictionary *spell_free(struct spell_dictionary *dictionary);

/* A word is a run of two or more ASCII letters and inner apostrophes, without digits in it or next
 * to it. Returns 0, or -errno if the file cannot be read. */
int spell_file(struct spell_dictionary *dictionary, const char *path, struct spell_count *ret);
