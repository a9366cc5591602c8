/* SPDX-License-Identifier: MIT
 *
 * A line is formatted on the stack and leaves with one write(2): lines of several processes that
 * share a stderr stay whole, and a child that was forked while another thread held a stdio lock
 * can still say what went wrong.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/line.h"

#define LOG_LINE ((size_t)1024) /* with the NUL, or the newline in its place */

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
#define N_LEVELS (sizeof level_names / sizeof level_names[0])

static bool level_from_environment(enum log_level *ret) {
	const char *name = getenv("WF_LOG");

	for (size_t i = 0; name && i < N_LEVELS; i++) {
		if (!strcmp(name, level_names[i])) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_init(struct log *log, void (*handler)(void *, enum log_level, const char *),
	      void *context) {
	enum log_level level = LOG_INFO;
	bool named = level_from_environment(&level);

	log->handler = handler;
	log->context = context;
	log->level = level;
	log->on = handler || named;
}

/* Appends to line[used .. LOG_LINE - 1), always terminated; returns the new length. Escapes the
 * text, which may quote a task, so that it stays on the line. */
static size_t line_add(char *line, size_t used, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static size_t line_add(char *line, size_t used, const char *format, va_list arguments) {
	char text[LOG_LINE];

	if (vsnprintf(text, sizeof text, format, arguments) < 0)
		text[0] = '\0';
	(void)line_escape(line + used, LOG_LINE - used, text);
	return used + strlen(line + used);
}

static void line_to_stderr(char *line, size_t size) {
	ssize_t written;

	line[size++] = '\n';
	do {
		written = write(STDERR_FILENO, line, size);
	} while (written < 0 && errno == EINTR);
}

void log_write(const struct log *log, enum log_level level, const char *format, ...) {
	char line[LOG_LINE];
	int saved = errno;
	size_t used = 0;
	va_list arguments;

	if (!log->on || level > log->level)
		return;
	if (!log->handler) {
		int length = snprintf(line, sizeof line, "warmfork: %s: ", level_names[level]);

		used = length > 0 ? (size_t)length : 0;
	}
	va_start(arguments, format);
	used = line_add(line, used, format, arguments);
	va_end(arguments);
	if (log->handler)
		log->handler(log->context, level, line);
	else
		line_to_stderr(line, used);
	errno = saved;
}
