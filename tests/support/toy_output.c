/* SPDX-License-Identifier: MIT
 *
 * The toy's steps on standard streams.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/number.h"
#include "tests/support/toy.h"

static int put(struct wf_call *call, int fd, const char *data, size_t size) {
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return wf_fail(call, errno, "cannot write");
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int out(struct wf_call *call, const char *argument) {
	return put(call, STDOUT_FILENO, argument, strlen(argument));
}

static int err(struct wf_call *call, const char *argument) {
	return put(call, STDERR_FILENO, argument, strlen(argument));
}

static int print(struct wf_call *call, const char *argument) {
	(void)call;
	fputs(argument, stdout);
	return 0;
}

static int spam(struct wf_call *call, const char *argument) {
	const char *rest;
	int stream = (int)number_at(argument, &rest);
	size_t size = (size_t)number_at(rest, NULL);
	char block[4096];
	int result = 0;

	for (size_t at = 0; at < size && result == 0; at += sizeof block) {
		size_t n = size - at < sizeof block ? size - at : sizeof block;

		for (size_t i = 0; i < n; i++)
			block[i] = toy_letter(at + i);
		result = put(call, stream, block, n);
	}
	return result != 0 ? result : toy_answer(call, "spammed");
}

static int cat(struct wf_call *call, const char *argument) {
	char text[4096];
	size_t used = 0;
	ssize_t n;

	(void)argument;
	while ((n = read(STDIN_FILENO, text + used, sizeof text - used)) > 0)
		used += (size_t)n;
	return n < 0 ? wf_fail(call, errno, "cannot read") : wf_return(call, text, used);
}

const struct toy_entry toy_output[] = {
	{ "out", out },   { "err", err }, { "print", print },
	{ "spam", spam }, { "cat", cat }, { NULL, NULL },
};
