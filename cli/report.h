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

/* The key in JSON gets the unit as its end: "heap" of bytes is "heap_bytes". */
enum report_kind {
	REPORT_COUNT,
	REPORT_FLAG,
	REPORT_BYTES, /* ..._bytes */
	REPORT_TIME,  /* ..._ns */
	REPORT_TEXT,
	REPORT_LINES, /* in JSON an array */
};

struct report_fact {
	const char *section, *key, *label; /* static strings */
	enum report_kind kind;
	bool known; /* else null: nobody knows, or there is none */
	uint64_t number;
	char *text; /* ours: valid UTF-8, whatever was given */
};

struct report {
	struct report_fact facts[REPORT_FACTS];
	size_t n;
	const char *section;
	bool failed; /* there was no memory for a fact */
};

/* Facts that are added from now on belong to `section`, a static string; so are keys and labels. */
void report_section(struct report *report, const char *section);
void report_number(struct report *report, enum report_kind kind, const char *key, const char *label,
		   uint64_t number);
void report_unknown(struct report *report, enum report_kind kind, const char *key,
		    const char *label);
/* `text` is borrowed during the call. */
void report_text(struct report *report, enum report_kind kind, const char *key, const char *label,
		 const char *text);

/* 0, -ENOMEM, or -EIO: `to` does not take it. */
int report_print(const struct report *report, FILE *to);
int report_print_json(const struct report *report, FILE *to);
void report_clear(struct report *report);

/* Writes text that came from elsewhere, with what could steer a terminal made visible. */
void report_write(FILE *to, const char *text);

/* "warmfork COMMAND: ..." on standard error, a line, written as above. */
__attribute__((format(printf, 2, 3))) void report_say(const char *command, const char *format, ...);
/* The same without the end of the line: there is more to say. */
__attribute__((format(printf, 2, 0))) void report_begin(const char *command, const char *format,
							va_list arguments);
