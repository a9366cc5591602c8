/* SPDX-License-Identifier: MIT
 *
 * spell_once FILE: the alternative to a zygote. Loads the dictionary, checks one file, and prints
 * "WORDS MISSPELT".
 */
#include <inttypes.h>
#include <stdio.h>

#include "spell.h"

int main(int argc, char **argv) {
	struct spell_dictionary *dictionary;
	struct spell_count count;
	int r;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: spell_once FILE\n");
		return 2;
	}
	dictionary = spell_load();
	if (!dictionary) {
		(void)fprintf(stderr, "spell_once: no English dictionary (hunspell-en-us)\n");
		return 1;
	}
	r = spell_file(dictionary, argv[1], &count);
	if (r == 0)
		(void)printf("%" PRIu64 " %" PRIu64 "\n", count.words, count.misspelt);
	spell_free(dictionary);
	return r == 0 ? 0 : 1;
}
