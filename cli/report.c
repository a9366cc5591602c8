/* SPDX-License-Identifier: MIT
 *
 * Text comes from preloads, which may write any bytes. JSON takes only UTF-8, so invalid bytes
 * become U+FFFD, in both forms. A terminal would obey control characters, so they are made visible.
 */
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 18
#define INDENT      (2 + LABEL_WIDTH + 2)
#define WIDTH       80

#define SENTENCE_SIZE 8192

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* --- the list ------------------------------------------------------------------------------ */

static bool is_continuation(unsigned char c) {
	return (c & 0xc0) == 0x80;
}

/* The size of the UTF-8 character at `at` in a terminated string; 0 if there is none. */
static size_t character_size(const unsigned char *at) {
	unsigned char c = at[0], second = at[1];

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4 || !is_continuation(second))
		return 0;
	if (c < 0xe0)
		return 2;
	/* an overlong form, half of a surrogate pair, beyond U+10FFFF */
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	if (!is_continuation(at[2]))
		return 0;
	if (c < 0xf0)
		return 3;
	return is_continuation(at[3]) ? 4 : 0;
}

/* Returns a valid copy; NULL if there is no memory. */
static char *copy_text(const char *text) {
	char *copy = malloc(strlen(text) * strlen(replacement) + 1), *end = copy;

	while (copy && *text) {
		size_t size = character_size((const unsigned char *)text);
		bool valid = size > 0;

		memcpy(end, valid ? text : replacement, valid ? size : strlen(replacement));
		end += valid ? size : strlen(replacement);
		text += valid ? size : 1;
	}
	if (copy)
		*end = '\0';
	return copy;
}

static struct report_fact *add(struct report *report, enum report_kind kind, const char *key,
			       const char *label) {
	struct report_fact *fact = &report->facts[report->n];

	if (report->n == REPORT_FACTS) {
		report->failed = true;
		return NULL;
	}
	report->n++;
	*fact = (struct report_fact){
		.section = report->section,
		.key = key,
		.label = label,
		.kind = kind,
	};
	return fact;
}

void report_section(struct report *report, const char *section) {
	report->section = section;
}

void report_number(struct report *report, enum report_kind kind, const char *key, const char *label,
		   uint64_t number) {
	struct report_fact *fact = add(report, kind, key, label);

	if (!fact)
		return;
	fact->known = true;
	fact->number = number;
}

void report_unknown(struct report *report, enum report_kind kind, const char *key,
		    const char *label) {
	(void)add(report, kind, key, label);
}

void report_text(struct report *report, enum report_kind kind, const char *key, const char *label,
		 const char *text) {
	struct report_fact *fact = add(report, kind, key, label);

	if (!fact)
		return;
	fact->text = copy_text(text);
	fact->known = fact->text != NULL;
	report->failed |= !fact->known;
}

void report_clear(struct report *report) {
	for (size_t i = 0; i < report->n; i++)
		free(report->facts[i].text);
	*report = (struct report){ .n = 0 };
}

/* --- text ---------------------------------------------------------------------------------- */

/* Writes one character and returns what follows it. */
static const char *write_character(FILE *to, const char *text) {
	const unsigned char *at = (const unsigned char *)text;
	size_t size = character_size(at);

	if (size == 0)
		(void)fputs(replacement, to);
	else if ((at[0] < 0x20 && at[0] != '\n' && at[0] != '\t') || at[0] == 0x7f)
		(void)fprintf(to, "\\x%02x", at[0]);
	else if (at[0] == 0xc2 && at[1] < 0xa0) /* U+0080 to U+009F are control characters too */
		(void)fprintf(to, "\\u%04x", at[1]);
	else
		(void)fwrite(text, 1, size, to);
	return text + (size > 0 ? size : 1);
}

void report_write(FILE *to, const char *text) {
	while (*text)
		text = write_character(to, text);
}

void report_begin(const char *command, const char *format, va_list arguments) {
	char text[SENTENCE_SIZE];

	(void)vsnprintf(text, sizeof text, format, arguments);
	(void)fprintf(stderr, "warmfork %s: ", command);
	report_write(stderr, text);
}

void report_say(const char *command, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	report_begin(command, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
}

/* The number of bytes of `text` that fit into a line: up to a blank or newline, if there is one. */
static size_t line_size(const char *text) {
	size_t blank = 0, columns = 0, i = 0;

	for (; text[i] && text[i] != '\n' && columns < WIDTH - INDENT; i++) {
		if (text[i] == ' ')
			blank = i;
		columns += !is_continuation((unsigned char)text[i]);
	}
	while (is_continuation((unsigned char)text[i]))
		i++;
	return !text[i] || text[i] == '\n' || text[i] == ' ' || blank == 0 ? i : blank;
}

static void write_wrapped(FILE *to, const char *text) {
	while (*text) {
		const char *end = text + line_size(text);

		while (text < end)
			text = write_character(to, text);
		if (*text == '\n' || *text == ' ')
			text++;
		if (*text)
			(void)fprintf(to, "\n%*s", *text == '\n' ? 0 : INDENT, "");
	}
}

static void write_scaled(FILE *to, double value, const char *unit) {
	(void)fprintf(to, value < 100 ? "%.1f %s" : "%.0f %s", value, unit);
}

static void write_bytes(FILE *to, uint64_t bytes) {
	if (bytes < 1024)
		(void)fprintf(to, "%" PRIu64 " B", bytes);
	else if (bytes < 1 << 20)
		(void)fprintf(to, "%" PRIu64 " KiB", bytes >> 10);
	else if (bytes < 1 << 30)
		write_scaled(to, (double)bytes / (1 << 20), "MiB");
	else
		write_scaled(to, (double)bytes / (1 << 30), "GiB");
}

static void write_time(FILE *to, uint64_t ns) {
	if (ns < 1000000)
		write_scaled(to, (double)ns / 1e3, "us");
	else if (ns < 1000000000)
		write_scaled(to, (double)ns / 1e6, "ms");
	else
		write_scaled(to, (double)ns / 1e9, "s");
}

static void write_value(FILE *to, const struct report_fact *fact) {
	if (!fact->known) {
		(void)fputs("-", to); /* unknown, or there is none */
		return;
	}
	switch (fact->kind) {
	case REPORT_COUNT:
		(void)fprintf(to, "%" PRIu64, fact->number);
		break;
	case REPORT_FLAG:
		(void)fputs(fact->number ? "yes" : "no", to);
		break;
	case REPORT_BYTES:
		write_bytes(to, fact->number);
		break;
	case REPORT_TIME:
		write_time(to, fact->number);
		break;
	case REPORT_TEXT:
	case REPORT_LINES:
		if (*fact->text)
			write_wrapped(to, fact->text);
		else
			(void)fputs("-", to);
		break;
	}
}

int report_print(const struct report *report, FILE *to) {
	const char *section = NULL;

	if (report->failed)
		return -ENOMEM;
	for (size_t i = 0; i < report->n; i++) {
		const struct report_fact *fact = &report->facts[i];

		if (!section || strcmp(section, fact->section) != 0)
			(void)fprintf(to, "%s%s\n", section ? "\n" : "", fact->section);
		section = fact->section;
		(void)fprintf(to, "  %-*s  ", LABEL_WIDTH, fact->label);
		write_value(to, fact);
		(void)fputc('\n', to);
	}
	return ferror(to) ? -EIO : 0;
}

/* --- JSON ---------------------------------------------------------------------------------- */

static json_t *json_lines(const char *text) {
	json_t *array = json_array();

	while (array && *text) {
		size_t size = strcspn(text, "\n");

		if (json_array_append_new(array, json_stringn(text, size)) < 0) {
			json_decref(array);
			return NULL;
		}
		text += size + (text[size] == '\n');
	}
	return array;
}

static json_t *json_value(const struct report_fact *fact) {
	if (!fact->known)
		return json_null();
	switch (fact->kind) {
	case REPORT_COUNT:
	case REPORT_BYTES:
	case REPORT_TIME:
		return json_integer((json_int_t)fact->number);
	case REPORT_FLAG:
		return json_boolean(fact->number != 0);
	case REPORT_TEXT:
		return json_string(fact->text);
	case REPORT_LINES:
		return json_lines(fact->text);
	}
	return NULL;
}

static bool put(json_t *root, const struct report_fact *fact) {
	const char *unit = fact->kind == REPORT_BYTES  ? "_bytes"
			   : fact->kind == REPORT_TIME ? "_ns"
						       : "";
	json_t *section = json_object_get(root, fact->section);
	char key[64];

	if (!section) {
		section = json_object();
		if (json_object_set_new(root, fact->section, section) < 0)
			return false;
	}
	(void)snprintf(key, sizeof key, "%s%s", fact->key, unit);
	return json_object_set_new(section, key, json_value(fact)) == 0;
}

int report_print_json(const struct report *report, FILE *to) {
	json_t *root = json_object();
	bool whole = root && !report->failed;
	int r = -ENOMEM;

	for (size_t i = 0; i < report->n && whole; i++)
		whole = put(root, &report->facts[i]);
	if (whole)
		r = json_dumpf(root, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF ? -EIO : 0;
	json_decref(root);
	return r;
}
