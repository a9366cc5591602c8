/* SPDX-License-Identifier: MIT
 *
 * See the header. Backslashes are not escaped: if a task wrote "\n", it reads like an escaped
 * newline, which forges nothing, and paths and messages stay as they are.
 */
#include "base/line.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE_MAX 16 /* "\u{10ffff}" with its NUL */

struct range {
	uint32_t first, last;
};

/* Cc, Cf, Zl and Zp of Unicode 15. */
static const struct range hidden[] = {
	{ 0x0000, 0x001f },   { 0x007f, 0x009f },   { 0x00ad, 0x00ad },   { 0x0600, 0x0605 },
	{ 0x061c, 0x061c },   { 0x06dd, 0x06dd },   { 0x070f, 0x070f },   { 0x0890, 0x0891 },
	{ 0x08e2, 0x08e2 },   { 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
	{ 0x2060, 0x206f },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },   { 0x110bd, 0x110bd },
	{ 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
	{ 0xe0001, 0xe007f },
};

static bool is_hidden(uint32_t point) {
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (point >= hidden[i].first && point <= hidden[i].last)
			return true;
	return false;
}

/* Returns the length of the character at `text`, or 0 if it is invalid. Accepts only the shortest
 * form, and no surrogates. */
static size_t decode(const unsigned char *text, uint32_t *ret) {
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = text[0] < 0x80   ? 1
		   : text[0] < 0xc0 ? 0
		   : text[0] < 0xe0 ? 2
		   : text[0] < 0xf0 ? 3
		   : text[0] < 0xf8 ? 4
				    : 0;
	uint32_t point = n > 1 ? text[0] & (0x7fu >> n) : text[0];

	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3fu);
	}
	if (n == 0 || point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret = point;
	return n;
}

static const char *short_escape(uint32_t point) {
	switch (point) {
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

/* Writes the next character of *text, escaped if necessary. Returns its length. */
static size_t next_unit(const unsigned char **text, char unit[ESCAPE_MAX]) {
	uint32_t point = 0;
	size_t n = decode(*text, &point);
	const char *named = n > 0 ? short_escape(point) : NULL;

	if (named)
		(void)snprintf(unit, ESCAPE_MAX, "%s", named);
	else if (n == 0 || (n == 1 && is_hidden(point)))
		(void)snprintf(unit, ESCAPE_MAX, "\\x%02x", (*text)[0]);
	else if (is_hidden(point))
		(void)snprintf(unit, ESCAPE_MAX, "\\u{%x}", point);
	else
		(void)snprintf(unit, ESCAPE_MAX, "%.*s", (int)n, (const char *)*text);
	*text += n > 0 ? n : 1;
	return strlen(unit);
}

size_t line_escape(char *to, size_t size, const char *text) {
	const unsigned char *from = (const unsigned char *)text;
	size_t length = 0, written = 0;
	char unit[ESCAPE_MAX];

	while (*from) {
		size_t n = next_unit(&from, unit);

		if (length == written && length + n < size) {
			memcpy(to + written, unit, n);
			written += n;
		}
		length += n;
	}
	if (size > 0)
		to[written] = '\0';
	return length;
}
