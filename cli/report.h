/* SPDX-License-Identifier: MIT
 *
 * A report: one list of facts, which is printed as aligned text for people or as JSON for programs,
 * so that the two cannot differ.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define REPORT_FACTS 48

/* In JSON the key ends with the unit: "heap" in bytes is "heap_bytes". */
enum report_kind {
	REPORT_COUNT,
	REPORT_FLAG,
	REPORT_BYTES, /* ..._bytes */
	REPORT_TIME,  /* ..._ns */
	REPORT_TEXT,
	REPORT_LINES, /* an array in JSON */
};

struct report_fact {
	const char *section, *key, *label; /* static strings */
	enum report_kind kind;
	bool known; /* else null: unknown, or there is none */
	uint64_t number;
	char *text; /* owned; valid UTF-8, whatever was given */
};

struct report {
	struct report_fact facts[REPORT_FACTS];
	size_t n;
	const char *section;
	bool failed; /* there was no memory for a fact */
};

/* Facts that are added from now on belong to `section`. Sections, keys and labels are
 * static strings. */
void report_section(struct report *report, const char *section);
void report_number(struct report *report, enum report_kind kind, const char *key, const char *label,
		   uint64_t number);
void report_unknown(struct report *report, enum report_kind kind, const char *key,
		    const char *label);
/* Borrows `text` for the call. */
void report_text(struct report *report, enum report_kind kind, const char *key, const char *label,
		 const char *text);

/* Returns 0, -ENOMEM, or -EIO if writing to `to` failed. */
int report_print(const struct report *report, FILE *to);
int report_print_json(const struct report *report, FILE *to);
void report_clear(struct report *report);

/* Writes foreign text, with everything that could control a terminal made visible. */
void report_write(FILE *to, const char *text);

/* Prints "warmfork COMMAND: ..." and a newline on standard error, written as above. */
__attribute__((format(printf, 2, 3))) void report_say(const char *command, const char *format, ...);
/* The same without the newline, because there is more to say. */
__attribute__((format(printf, 2, 0))) void report_begin(const char *command, const char *format,
							va_list arguments);
