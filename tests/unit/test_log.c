/* SPDX-License-Identifier: MIT
 *
 * base/log: who gets a line, and that a line is one write(2) which is never too long.
 */
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/support/fixture.h"

struct seen {
	int n;
	enum log_level level;
	char line[2048];
};

static void see(void *context, enum log_level level, const char *line) {
	struct seen *seen = context;

	seen->n++;
	seen->level = level;
	ck_assert_uint_lt(strlen(line), sizeof seen->line);
	memcpy(seen->line, line, strlen(line) + 1);
	errno = ECHILD; /* a handler may; log_write() keeps the caller's */
}

/* What goes to stderr while `log` is written to; a packet for each write(2). Returns its size. */
static size_t capture(const struct log *log, enum log_level level, const char *text, char *packet,
		      size_t size) {
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	ck_assert_int_eq(fd_seqpacket_pair(fds), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_write(log, level, "%s", text);
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = recv(fds[0], packet, size - 1, MSG_DONTWAIT);
	packet[n > 0 ? n : 0] = '\0';
	ck_assert_int_eq(recv(fds[0], packet + size - 1, 1, MSG_DONTWAIT), -1);
	fd_close_all((const int[]){ fds[0], fds[1], saved }, 3);
	return n > 0 ? (size_t)n : 0;
}

START_TEST(test_off_by_default) {
	struct log log;
	char packet[64];

	unsetenv("WF_LOG");
	log_init(&log, NULL, NULL);
	ck_assert(!log.on);
	ck_assert_uint_eq(capture(&log, LOG_ERROR, "x", packet, sizeof packet), 0);
	setenv("WF_LOG", "loud", 1);
	log_init(&log, NULL, NULL);
	ck_assert(!log.on);
}
END_TEST

START_TEST(test_stderr_at_the_level_named) {
	struct log log;
	char packet[64];

	setenv("WF_LOG", "warning", 1);
	log_init(&log, NULL, NULL);
	capture(&log, LOG_WARNING, "x %d", packet, sizeof packet);
	ck_assert_str_eq(packet, "warmfork: warning: x %d\n");
	capture(&log, LOG_ERROR, "", packet, sizeof packet);
	ck_assert_str_eq(packet, "warmfork: error: \n");
	ck_assert_uint_eq(capture(&log, LOG_INFO, "x", packet, sizeof packet), 0);
}
END_TEST

START_TEST(test_handler_gets_up_to_info) {
	struct seen seen = { 0 };
	struct log log;

	unsetenv("WF_LOG");
	log_init(&log, see, &seen);
	log_write(&log, LOG_INFO, "worker %d of %s", 3, "dict");
	ck_assert_int_eq(seen.n, 1);
	ck_assert_int_eq(seen.level, LOG_INFO);
	ck_assert_str_eq(seen.line, "worker 3 of dict");
	log_write(&log, LOG_DEBUG, "no");
	ck_assert_int_eq(seen.n, 1);
}
END_TEST

START_TEST(test_handler_gets_the_level_named) {
	struct seen seen = { 0 };
	struct log log;

	setenv("WF_LOG", "debug", 1);
	log_init(&log, see, &seen);
	log_write(&log, LOG_DEBUG, "yes");
	ck_assert_int_eq(seen.n, 1);
	setenv("WF_LOG", "error", 1);
	log_init(&log, see, &seen);
	log_write(&log, LOG_WARNING, "no");
	ck_assert_int_eq(seen.n, 1);
}
END_TEST

START_TEST(test_keeps_errno) {
	struct seen seen = { 0 };
	struct log log;

	unsetenv("WF_LOG");
	log_init(&log, see, &seen);
	errno = ENOENT;
	log_write(&log, LOG_ERROR, "x"); /* see() changes errno */
	ck_assert_int_eq(seen.n, 1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* 1,023 bytes are whole, one more is cut. */
START_TEST(test_long_lines_are_cut) {
	const char *prefix = "warmfork: error: ";
	size_t room = 1023 - strlen(prefix);
	char text[2048], packet[4096];
	struct log log;

	setenv("WF_LOG", "error", 1);
	log_init(&log, NULL, NULL);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	ck_assert_uint_eq(capture(&log, LOG_ERROR, text, packet, sizeof packet), 1024);
	ck_assert_int_eq(packet[1023], '\n');
	text[room] = '\0';
	ck_assert_uint_eq(capture(&log, LOG_ERROR, text, packet, sizeof packet), 1024);
	text[room - 1] = '\0';
	ck_assert_uint_eq(capture(&log, LOG_ERROR, text, packet, sizeof packet), 1023);
}
END_TEST

START_TEST(test_long_lines_for_a_handler_are_cut) {
	struct seen seen = { 0 };
	char text[2000];
	struct log log;

	unsetenv("WF_LOG");
	log_init(&log, see, &seen);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_write(&log, LOG_INFO, "%s", text);
	ck_assert_uint_eq(strlen(seen.line), 1023);
}
END_TEST

/* A task's text may be quoted in it. */
START_TEST(test_a_line_is_one_line) {
	struct seen seen = { 0 };
	struct log log;

	unsetenv("WF_LOG");
	log_init(&log, see, &seen);
	log_write(&log, LOG_INFO, "worker 7: %s", "ended\nwarmfork: error: forged \xe2\x80\xae");
	ck_assert_str_eq(seen.line, "worker 7: ended\\nwarmfork: error: forged \\u{202e}");
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("log");

	tcase_add_test(test_case, test_off_by_default);
	tcase_add_test(test_case, test_stderr_at_the_level_named);
	tcase_add_test(test_case, test_handler_gets_up_to_info);
	tcase_add_test(test_case, test_handler_gets_the_level_named);
	tcase_add_test(test_case, test_keeps_errno);
	tcase_add_test(test_case, test_a_line_is_one_line);
	tcase_add_test(test_case, test_long_lines_are_cut);
	tcase_add_test(test_case, test_long_lines_for_a_handler_are_cut);
	return fixture_run("log", test_case);
}
