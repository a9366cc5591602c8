/* SPDX-License-Identifier: MIT
 *
 * proto/wire: frames that are whole, frames that are not, and the descriptors that come with
 * either. The fixture's count at the end is half of each test: nothing a peer sends may stay open.
 */
#include "proto/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/support/fixture.h"

static uint8_t out[LIMIT_FRAME], in[LIMIT_FRAME];
static int ends[2];

static void wire_setup(void) {
	ck_assert_int_eq(fd_seqpacket_pair(ends), 0);
}

static void wire_teardown(void) {
	fd_close_all(ends, 2);
}

/* Bytes and `n_fds` copies of `fd` as one packet, past wire_send() and its checks. */
static void send_raw(const void *bytes, size_t size, int fd, size_t n_fds) {
	static union {
		struct cmsghdr header;
		char room[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec part = { .iov_base = out, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	memcpy(out, bytes, size < sizeof out ? size : sizeof out);
	if (n_fds) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof fd, &fd, sizeof fd);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(ends[0], &message, MSG_NOSIGNAL), (ssize_t)size);
}

static int receive(struct wire_frame *frame) {
	return wire_receive(ends[1], in, MSG_DONTWAIT, frame);
}

START_TEST(test_a_frame_arrives_as_it_was) {
	struct wire_frame frame;

	memcpy(out + WIRE_HEADER, "hello", 5);
	ck_assert_int_eq(wire_send(ends[0], 0x1234, out, 5, NULL, 0, 0), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.type, 0x1234);
	ck_assert_uint_eq(frame.size, 5);
	ck_assert_mem_eq(frame.body, "hello", 5);
	ck_assert_uint_eq(frame.n_descriptors, 0);
}
END_TEST

START_TEST(test_header_is_little_endian) {
	uint8_t raw[16];

	ck_assert_int_eq(wire_send(ends[0], 0x1234, out, 3, NULL, 0, 0), 0);
	ck_assert_int_eq(recv(ends[1], raw, sizeof raw, 0), 11);
	ck_assert_mem_eq(raw, "\x34\x12\x00\x00\x03\x00\x00\x00", 8);
}
END_TEST

START_TEST(test_an_empty_body_is_a_frame) {
	struct wire_frame frame;

	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, NULL, 0, MSG_DONTWAIT), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.size, 0);
}
END_TEST

START_TEST(test_the_largest_body_fits) {
	struct wire_frame frame;

	memset(out, 0xab, sizeof out);
	ck_assert_int_eq(wire_send(ends[0], 1, out, WIRE_BODY, NULL, 0, MSG_DONTWAIT), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.size, WIRE_BODY);
	ck_assert_uint_eq(frame.body[WIRE_BODY - 1], 0xab);
}
END_TEST

START_TEST(test_send_refuses_what_breaks_a_limit) {
	int fds[LIMIT_FRAME_DESCRIPTORS + 1] = { 0 };

	ck_assert_int_eq(wire_send(ends[0], 1, out, WIRE_BODY + 1, NULL, 0, 0), -EMSGSIZE);
	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, fds, LIMIT_FRAME_DESCRIPTORS + 1, 0),
			 -EMSGSIZE);
}
END_TEST

/* The largest frame with all its descriptors at once. */
START_TEST(test_as_many_descriptors_as_the_limit_allows) {
	int fds[LIMIT_FRAME_DESCRIPTORS];
	int fd = fixture_open_null();
	struct wire_frame frame;

	for (size_t i = 0; i < LIMIT_FRAME_DESCRIPTORS; i++)
		fds[i] = fd;
	ck_assert_int_eq(wire_send(ends[0], 1, out, WIRE_BODY, fds, LIMIT_FRAME_DESCRIPTORS, 0), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.n_descriptors, LIMIT_FRAME_DESCRIPTORS);
	for (size_t i = 0; i < frame.n_descriptors; i++)
		ck_assert_int_eq(fcntl(frame.descriptors[i], F_GETFD), FD_CLOEXEC);
	wire_frame_close(&frame);
	ck_assert_uint_eq(frame.n_descriptors, 0);
	fd_close(fd);
}
END_TEST

START_TEST(test_descriptors_keep_their_order_and_can_be_taken) {
	int pipes[2][2], fds[2], taken;
	struct wire_frame frame;
	char byte = 0;

	ck_assert_int_eq(pipe2(pipes[0], O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(pipes[1], O_CLOEXEC), 0);
	fds[0] = pipes[0][1];
	fds[1] = pipes[1][1];
	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, fds, 2, 0), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.n_descriptors, 2);
	taken = fd_steal(&frame.descriptors[1]);
	wire_frame_close(&frame);
	ck_assert_int_eq(write(taken, "b", 1), 1);
	ck_assert_int_eq(read(pipes[1][0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'b');
	fd_close(taken);
	fd_close_all(pipes[0], 2);
	fd_close_all(pipes[1], 2);
}
END_TEST

/* The receiver gets all of them, because it must choose who closes them. */
START_TEST(test_too_many_descriptors_are_malformed) {
	static const size_t numbers[] = { LIMIT_FRAME_DESCRIPTORS + 1, WIRE_DESCRIPTORS };
	int fd = fixture_open_null();
	struct wire_frame frame;

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		send_raw("\x01\x00\x00\x00\x00\x00\x00\x00", 8, fd, numbers[i]);
		ck_assert_int_eq(receive(&frame), WIRE_E_MALFORMED);
		ck_assert_uint_eq(frame.n_descriptors, numbers[i]);
		wire_frame_close(&frame);
	}
	fd_close(fd);
}
END_TEST

START_TEST(test_malformed_headers) {
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{ "\x01", 1 },
		{ "\x01\x00\x00\x00\x00\x00\x00", 7 },
		{ "\x01\x00\x01\x00\x00\x00\x00\x00", 8 },  /* reserved */
		{ "\x01\x00\x00\x01\x00\x00\x00\x00", 8 },  /* reserved */
		{ "\x01\x00\x00\x00\x01\x00\x00\x00", 8 },  /* says one more than there is */
		{ "\x01\x00\x00\x00\x00\x00\x00\x00x", 9 }, /* says one less */
		{ "\x01\x00\x00\x00\xff\xff\xff\xff", 8 },
		{ "\x01\x00\x00\x00\x00\x00\x00\x80", 8 },
	};
	int fd = fixture_open_null();
	struct wire_frame frame;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		send_raw(cases[i].bytes, cases[i].size, fd, i % 3);
		ck_assert_int_eq(receive(&frame), WIRE_E_MALFORMED);
		ck_assert_uint_eq(frame.n_descriptors, i % 3);
		wire_frame_close(&frame);
	}
	fd_close(fd);
}
END_TEST

START_TEST(test_an_oversized_frame_is_malformed) {
	static uint8_t big[LIMIT_FRAME + 1] = { 1, 0, 0, 0, 0xf8, 0xff, 0, 0 };
	struct wire_frame frame;
	int fd = fixture_open_null();

	ck_assert_int_eq(send(ends[0], big, sizeof big, MSG_NOSIGNAL), sizeof big);
	ck_assert_int_eq(receive(&frame), WIRE_E_MALFORMED);
	wire_frame_close(&frame);
	/* The next one is unharmed: packets have edges. */
	ck_assert_int_eq(wire_send(ends[0], 2, out, 0, &fd, 1, 0), 0);
	ck_assert_int_eq(receive(&frame), 0);
	wire_frame_close(&frame);
	fd_close(fd);
}
END_TEST

START_TEST(test_zero_length_is_the_end) {
	struct wire_frame frame;
	int fd = fixture_open_null();

	send_raw("", 0, fd, 2);
	ck_assert_int_eq(receive(&frame), WIRE_E_EOF);
	wire_frame_close(&frame);
	fd_close(fd);
}
END_TEST

START_TEST(test_nothing_to_read_is_a_wait) {
	struct wire_frame frame;

	ck_assert_int_eq(receive(&frame), WIRE_E_AGAIN);
}
END_TEST

START_TEST(test_a_full_buffer_is_a_wait) {
	struct wire_frame frame;
	int r;

	do {
		r = wire_send(ends[0], 1, out, WIRE_BODY, NULL, 0, MSG_DONTWAIT);
	} while (!r);
	ck_assert_int_eq(r, WIRE_E_AGAIN);
	ck_assert_int_eq(receive(&frame), 0);
}
END_TEST

/* No SIGPIPE either: it would end this test. */
START_TEST(test_a_closed_peer_is_the_end) {
	struct wire_frame frame;

	ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	ends[1] = fd_close(ends[1]);
	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, NULL, 0, 0), WIRE_E_EOF);
	ck_assert_int_eq(wire_receive(ends[0], in, 0, &frame), WIRE_E_EOF);
}
END_TEST

/* A peer that closes with unread data resets the connection: the reader sees that once. */
START_TEST(test_a_reset_is_the_end) {
	struct wire_frame frame;

	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, NULL, 0, 0), 0);
	ends[1] = fd_close(ends[1]);
	ck_assert_int_eq(wire_receive(ends[0], in, 0, &frame), WIRE_E_EOF);
}
END_TEST

/* What the peer had sent before comes first, whatever it left unread. */
START_TEST(test_a_reset_hides_nothing) {
	struct wire_frame frame;

	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, NULL, 0, 0), 0);
	ck_assert_int_eq(wire_send(ends[1], 7, out, 0, NULL, 0, 0), 0);
	ck_assert_int_eq(wire_send(ends[1], 8, out, 0, NULL, 0, 0), 0);
	ends[1] = fd_close(ends[1]);
	ck_assert_int_eq(wire_receive(ends[0], in, 0, &frame), 0);
	ck_assert_uint_eq(frame.type, 7);
	ck_assert_int_eq(wire_receive(ends[0], in, 0, &frame), 0);
	ck_assert_uint_eq(frame.type, 8);
	ck_assert_int_eq(wire_receive(ends[0], in, 0, &frame), WIRE_E_EOF);
}
END_TEST

START_TEST(test_shutdown_lets_what_was_sent_arrive) {
	struct wire_frame frame;

	ck_assert_int_eq(wire_send(ends[0], 5, out, 0, NULL, 0, 0), 0);
	ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.type, 5);
	ck_assert_int_eq(receive(&frame), WIRE_E_EOF);
	ck_assert_int_eq(wire_send(ends[1], 6, out, 0, NULL, 0, 0), 0);
	ck_assert_int_eq(wire_receive(ends[0], in, 0, &frame), 0);
	ck_assert_uint_eq(frame.type, 6);
}
END_TEST

START_TEST(test_a_bad_socket_is_an_error) {
	struct wire_frame frame;
	int fd = fixture_open_null();

	ck_assert_int_eq(wire_receive(fd, in, 0, &frame), -ENOTSOCK);
	ck_assert_int_eq(wire_send(fd, 1, out, 0, NULL, 0, 0), -ENOTSOCK);
	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, (const int[]){ 9999 }, 1, 0), -EBADF);
	fd_close(fd);
}
END_TEST

START_TEST(test_a_full_table_costs_the_descriptors_only) {
	struct wire_frame frame;
	rlim_t before;
	int fds[3], fd = fixture_open_null();

	for (rlim_t room = 0; room < 3; room++) {
		fds[0] = fds[1] = fds[2] = fd;
		memcpy(out + WIRE_HEADER, "body", 4);
		ck_assert_int_eq(wire_send(ends[0], 9, out, 4, fds, 3, 0), 0);
		before = fixture_limit_room(room);
		ck_assert_int_eq(receive(&frame), WIRE_E_TRUNCATED);
		(void)fixture_limit_descriptors(before);
		ck_assert_uint_eq(frame.type, 9);
		ck_assert_uint_eq(frame.size, 4);
		ck_assert_mem_eq(frame.body, "body", 4);
		ck_assert_uint_eq(frame.n_descriptors, room);
		wire_frame_close(&frame);
	}
	fd_close(fd);
}
END_TEST

START_TEST(test_a_full_table_does_not_excuse_a_bad_header) {
	struct wire_frame frame;
	rlim_t before;
	int fd = fixture_open_null();

	send_raw("\x01\x00\x00\x00\x07\x00\x00\x00", 8, fd, 2);
	before = fixture_limit_room(1);
	ck_assert_int_eq(receive(&frame), WIRE_E_MALFORMED);
	wire_frame_close(&frame);
	(void)fixture_limit_descriptors(before);
	fd_close(fd);
}
END_TEST

/* Credentials come with each frame once a socket asks for them; they are not ours to read. */
START_TEST(test_other_control_messages_are_ignored) {
	int on = 1, fd = fixture_open_null(), fds[LIMIT_FRAME_DESCRIPTORS];
	struct wire_frame frame;

	ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	for (size_t i = 0; i < LIMIT_FRAME_DESCRIPTORS; i++)
		fds[i] = fd;
	ck_assert_int_eq(wire_send(ends[0], 1, out, 0, fds, LIMIT_FRAME_DESCRIPTORS, 0), 0);
	ck_assert_int_eq(receive(&frame), 0);
	ck_assert_uint_eq(frame.n_descriptors, LIMIT_FRAME_DESCRIPTORS);
	wire_frame_close(&frame);
	fd_close(fd);
}
END_TEST

int main(void) {
	TCase *test_case = fixture_case("wire");

	tcase_add_checked_fixture(test_case, wire_setup, wire_teardown);
	tcase_add_test(test_case, test_a_frame_arrives_as_it_was);
	tcase_add_test(test_case, test_header_is_little_endian);
	tcase_add_test(test_case, test_an_empty_body_is_a_frame);
	tcase_add_test(test_case, test_the_largest_body_fits);
	tcase_add_test(test_case, test_send_refuses_what_breaks_a_limit);
	tcase_add_test(test_case, test_as_many_descriptors_as_the_limit_allows);
	tcase_add_test(test_case, test_descriptors_keep_their_order_and_can_be_taken);
	tcase_add_test(test_case, test_too_many_descriptors_are_malformed);
	tcase_add_test(test_case, test_malformed_headers);
	tcase_add_test(test_case, test_an_oversized_frame_is_malformed);
	tcase_add_test(test_case, test_zero_length_is_the_end);
	tcase_add_test(test_case, test_nothing_to_read_is_a_wait);
	tcase_add_test(test_case, test_a_full_buffer_is_a_wait);
	tcase_add_test(test_case, test_a_closed_peer_is_the_end);
	tcase_add_test(test_case, test_a_reset_is_the_end);
	tcase_add_test(test_case, test_a_reset_hides_nothing);
	tcase_add_test(test_case, test_shutdown_lets_what_was_sent_arrive);
	tcase_add_test(test_case, test_a_bad_socket_is_an_error);
	tcase_add_test(test_case, test_a_full_table_costs_the_descriptors_only);
	tcase_add_test(test_case, test_a_full_table_does_not_excuse_a_bad_header);
	tcase_add_test(test_case, test_other_control_messages_are_ignored);
	return fixture_run("wire", test_case);
}
