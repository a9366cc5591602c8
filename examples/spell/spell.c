/* SPDX-License-Identifier: MIT */
#include "spell.h"

#include <errno.h>
#include <fcntl.h>
#include <hunspell.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AFFIXES    "/usr/share/hunspell/en_US.aff"
#define WORDS      "/usr/share/hunspell/en_US.dic"
#define WORD_BYTES 64 /* no dictionary has longer words; the rest is skipped */

struct spell_dictionary {
	Hunhandle *hunspell;
};

struct spell_dictionary *spell_load(void) {
	struct spell_dictionary *dictionary;

	/* hunspell treats a missing file as an empty dictionary */
	if (access(AFFIXES, R_OK) < 0 || access(WORDS, R_OK) < 0)
		return NULL;
	dictionary = calloc(1, sizeof *dictionary);
	if (!dictionary)
		return NULL;
	dictionary->hunspell = Hunspell_create(AFFIXES, WORDS);
	if (!dictionary->hunspell)
		return spell_free(dictionary);
	return dictionary;
}

struct spell_dictionary *spell_free(struct spell_dictionary *dictionary) {
	if (dictionary && dictionary->hunspell)
		Hunspell_destroy(dictionary->hunspell);
	free(dictionary);
	return NULL;
}

/* Returns the file, or its first SPELL_FILE_MAX bytes, to be freed by the caller. NULL
 * with errno. */
static char *read_whole(const char *path, size_t *ret_size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	size_t size, got = 0;
	char *text;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		(void)close(fd);
		errno = EINVAL;
		return NULL;
	}
	size = (size_t)status.st_size < SPELL_FILE_MAX ? (size_t)status.st_size : SPELL_FILE_MAX;
	text = malloc(size + 1);
	while (text && got < size) {
		ssize_t n = read(fd, text + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	(void)close(fd);
	*ret_size = got;
	return text;
}

static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_of_a_token(char c) {
	return is_letter(c) || c == '\'' || (c >= '0' && c <= '9');
}

static void count_token(struct spell_dictionary *dictionary, const char *token, size_t size,
			struct spell_count *count) {
	char word[WORD_BYTES];

	while (size && *token == '\'') {
		token++;
		size--;
	}
	while (size && token[size - 1] == '\'')
		size--;
	if (size < 2 || size >= sizeof word)
		return;
	for (size_t i = 0; i < size; i++)
		if (!is_letter(token[i]) && token[i] != '\'')
			return;
	memcpy(word, token, size);
	word[size] = '\0';
	count->words++;
	if (!Hunspell_spell(dictionary->hunspell, word))
		count->misspelt++;
}

int spell_file(struct spell_dictionary *dictionary, const char *path, struct spell_count *ret) {
	struct spell_count count = { 0 };
	size_t size = 0, start = 0;
	char *text = read_whole(path, &size);

	if (!text)
		return -errno;
	for (size_t at = 0; at <= size; at++)
		if (at == size || !is_of_a_token(text[at])) {
			count_token(dictionary, text + start, at - start, &count);
			start = at + 1;
		}
	free(text);
	*ret = count;
	return 0;
}
