/* SPDX-License-Identifier: MIT
 *
 * Log lines: to a handler, or to stderr when WF_LOG asks for it; by default nowhere.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
	void (*handler)(void *context, enum log_level level, const char *line);
	void *context;
	enum log_level level; /* the least important level that is written */
	bool on;
};

/* A NULL `handler` writes to stderr, at the level that the environment variable WF_LOG names
 * (error, warning, info, debug), and nothing if it names none. A handler gets everything up to
 * info, or up to WF_LOG's level. */
void log_init(struct log *log, void (*handler)(void *, enum log_level, const char *),
	      void *context);

/* Writes one line, whatever it quotes: line_escape(). Keeps errno. Uses one write(2) per line and
 * no stdio, so it is safe in a forked child. Lines over 1,023 bytes are truncated. */
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
