/* SPDX-License-Identifier: MIT
 *
 * A register has 64 bits. For an int the kernel uses 32 of them, whatever the others contain, so we
 * print those 32 for descriptors, flags, modes and signals. A plain number may be of either width.
 * One that would be a small negative int is printed as such, because kill(-1) does occur, and a
 * buffer of nearly 4 GiB does not.
 *
 * The text goes to terminals and logs, and a task chose the strings, so everything but printable
 * ASCII is escaped.
 */
#include "proto/call_text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Process ids, and the negated ids of groups, have 22 bits. */
#define NEGATIVE_FROM ((uint64_t)UINT32_MAX - (1u << 22))

#define CUT_MARK "..."

#define EXIT_SIGNAL_MASK 0x7fu /* of clone's flags; the bit above it is CLONE_NEWTIME */
#define SOCKET_TYPE_MASK 0xfu
/* In the library's header this is 0 for 64-bit programs, which need not ask for it. */
#define KERNEL_O_LARGEFILE 0100000u

struct text {
	char *bytes;
	size_t room; /* without the terminator */
	size_t used;
	bool cut;
};

struct flag {
	uint32_t bits;
	const char *name;
};

#define NAMED(name)                                                                                \
	{ (uint32_t)(name), #name }
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Flags that contain others come before them. */
static const struct flag open_flags[] = {
	NAMED(O_CREAT),
	NAMED(O_EXCL),
	NAMED(O_NOCTTY),
	NAMED(O_TRUNC),
	NAMED(O_APPEND),
	NAMED(O_NONBLOCK),
	NAMED(O_SYNC),
	NAMED(O_DSYNC),
	NAMED(O_ASYNC),
	NAMED(O_DIRECT),
	NAMED(O_TMPFILE),
	NAMED(O_DIRECTORY),
	NAMED(O_NOFOLLOW),
	NAMED(O_NOATIME),
	NAMED(O_CLOEXEC),
	NAMED(O_PATH),
	{ KERNEL_O_LARGEFILE, "O_LARGEFILE" },
};

static const struct flag clone_flags[] = {
	NAMED(CLONE_VM),
	NAMED(CLONE_FS),
	NAMED(CLONE_FILES),
	NAMED(CLONE_SIGHAND),
	NAMED(CLONE_PIDFD),
	NAMED(CLONE_PTRACE),
	NAMED(CLONE_VFORK),
	NAMED(CLONE_PARENT),
	NAMED(CLONE_THREAD),
	NAMED(CLONE_NEWNS),
	NAMED(CLONE_SYSVSEM),
	NAMED(CLONE_SETTLS),
	NAMED(CLONE_PARENT_SETTID),
	NAMED(CLONE_CHILD_CLEARTID),
	NAMED(CLONE_DETACHED),
	NAMED(CLONE_UNTRACED),
	NAMED(CLONE_CHILD_SETTID),
	NAMED(CLONE_NEWCGROUP),
	NAMED(CLONE_NEWUTS),
	NAMED(CLONE_NEWIPC),
	NAMED(CLONE_NEWUSER),
	NAMED(CLONE_NEWPID),
	NAMED(CLONE_NEWNET),
	NAMED(CLONE_IO),
	{ 0x80, "CLONE_NEWTIME" },
};

static const struct flag socket_flags[] = {
	NAMED(SOCK_CLOEXEC),
	NAMED(SOCK_NONBLOCK),
};

static const char *const access_modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };

static const char *const socket_types[] = {
	[SOCK_STREAM] = "SOCK_STREAM",
	[SOCK_DGRAM] = "SOCK_DGRAM",
	[SOCK_RAW] = "SOCK_RAW",
	[SOCK_RDM] = "SOCK_RDM",
	[SOCK_SEQPACKET] = "SOCK_SEQPACKET",
	[SOCK_DCCP] = "SOCK_DCCP",
	[SOCK_PACKET] = "SOCK_PACKET",
};

#define FAMILY(name) [name] = #name

static const char *const families[] = {
	FAMILY(AF_UNSPEC),     FAMILY(AF_UNIX),      FAMILY(AF_INET),     FAMILY(AF_AX25),
	FAMILY(AF_IPX),        FAMILY(AF_APPLETALK), FAMILY(AF_NETROM),   FAMILY(AF_BRIDGE),
	FAMILY(AF_ATMPVC),     FAMILY(AF_X25),       FAMILY(AF_INET6),    FAMILY(AF_ROSE),
	FAMILY(AF_DECnet),     FAMILY(AF_NETBEUI),   FAMILY(AF_SECURITY), FAMILY(AF_KEY),
	FAMILY(AF_NETLINK),    FAMILY(AF_PACKET),    FAMILY(AF_ASH),      FAMILY(AF_ECONET),
	FAMILY(AF_ATMSVC),     FAMILY(AF_RDS),       FAMILY(AF_SNA),      FAMILY(AF_IRDA),
	FAMILY(AF_PPPOX),      FAMILY(AF_WANPIPE),   FAMILY(AF_LLC),      FAMILY(AF_IB),
	FAMILY(AF_MPLS),       FAMILY(AF_CAN),       FAMILY(AF_TIPC),     FAMILY(AF_BLUETOOTH),
	FAMILY(AF_IUCV),       FAMILY(AF_RXRPC),     FAMILY(AF_ISDN),     FAMILY(AF_PHONET),
	FAMILY(AF_IEEE802154), FAMILY(AF_CAIF),      FAMILY(AF_ALG),      FAMILY(AF_NFC),
	FAMILY(AF_VSOCK),      FAMILY(AF_KCM),       FAMILY(AF_QIPCRTR),  FAMILY(AF_SMC),
	FAMILY(AF_XDP),        FAMILY(AF_MCTP),
};

/* --- the text ------------------------------------------------------------------------------ */

static void text_add(struct text *text, const char *bytes) {
	size_t n = strlen(bytes);

	if (n > text->room - text->used) {
		n = text->room - text->used;
		text->cut = true;
	}
	memcpy(text->bytes + text->used, bytes, n);
	text->used += n;
}

static void text_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void text_format(struct text *text, const char *format, ...) {
	char piece[32]; /* a number */
	va_list list;

	va_start(list, format);
	(void)vsnprintf(piece, sizeof piece, format, list);
	va_end(list);
	text_add(text, piece);
}

static void text_end(struct text *text) {
	size_t n = strlen(CUT_MARK);

	if (text->cut) {
		if (n > text->room)
			n = text->room;
		memcpy(text->bytes + text->room - n, CUT_MARK, n);
	}
	text->bytes[text->used] = '\0';
}

/* --- kinds of arguments -------------------------------------------------------------------- */

static void add_number(struct text *text, uint64_t value) {
	if (value >= NEGATIVE_FROM && value <= UINT32_MAX)
		text_format(text, "%" PRId32, (int32_t)value);
	else
		text_format(text, "%" PRId64, (int64_t)value);
}

static void add_hex(struct text *text, uint64_t value) {
	text_format(text, "%#" PRIx64, value);
}

static void add_directory(struct text *text, int32_t fd) {
	if (fd == AT_FDCWD)
		text_add(text, "AT_FDCWD");
	else
		text_format(text, "%" PRId32, fd);
}

static void add_byte(struct text *text, unsigned char byte) {
	if (byte == '"' || byte == '\\')
		text_format(text, "\\%c", byte);
	else if (byte == '\n')
		text_add(text, "\\n");
	else if (byte == '\t')
		text_add(text, "\\t");
	else if (byte < ' ' || byte > '~')
		text_format(text, "\\x%02x", byte);
	else
		text_format(text, "%c", byte);
}

static void add_string(struct text *text, const char *string, uint64_t address) {
	if (!string) {
		if (address == 0)
			text_add(text, "NULL");
		else
			add_hex(text, address);
		return;
	}
	text_add(text, "\"");
	for (; *string && !text->cut; string++)
		add_byte(text, (unsigned char)*string);
	text_add(text, "\"");
}

/* Adds a piece, after a bar unless it is the first; `n` counts the pieces. */
static void add_piece(struct text *text, const char *piece, size_t *n) {
	if ((*n)++ > 0)
		text_add(text, "|");
	text_add(text, piece);
}

/* Returns the bits that no flag names. */
static uint32_t add_flags(struct text *text, uint32_t bits, const struct flag *flags,
			  size_t n_flags, size_t *n) {
	for (size_t i = 0; i < n_flags; i++)
		if ((bits & flags[i].bits) == flags[i].bits) {
			add_piece(text, flags[i].name, n);
			bits &= ~flags[i].bits;
		}
	return bits;
}

static void add_rest(struct text *text, uint32_t bits, size_t *n) {
	if (bits == 0 && *n > 0)
		return;
	add_piece(text, "", n);
	add_hex(text, bits);
}

static void add_open_flags(struct text *text, uint32_t bits) {
	size_t n = 0;

	add_piece(text, access_modes[bits & O_ACCMODE], &n);
	bits = add_flags(text, bits & ~(uint32_t)O_ACCMODE, open_flags, N_OF(open_flags), &n);
	add_rest(text, bits, &n);
}

static void add_signal(struct text *text, int number) {
	const char *name = number > 0 && number < NSIG ? sigabbrev_np(number) : NULL;

	if (name)
		text_format(text, "SIG%s", name);
	else if (number >= SIGRTMIN && number <= SIGRTMAX)
		text_format(text, "SIGRTMIN+%d", number - SIGRTMIN);
	else
		text_format(text, "%d", number);
}

static void add_clone_flags(struct text *text, uint32_t bits) {
	int exit_signal = (int)(bits & EXIT_SIGNAL_MASK);
	size_t n = 0;

	bits = add_flags(text, bits & ~EXIT_SIGNAL_MASK, clone_flags, N_OF(clone_flags), &n);
	if (exit_signal > 0) {
		add_piece(text, "", &n);
		add_signal(text, exit_signal);
	}
	add_rest(text, bits, &n);
}

static void add_family(struct text *text, uint32_t family) {
	if (family < N_OF(families) && families[family])
		text_add(text, families[family]);
	else
		text_format(text, "%" PRIu32, family);
}

static void add_socket_type(struct text *text, uint32_t bits) {
	uint32_t type = bits & SOCKET_TYPE_MASK;
	size_t n = 0;

	if (type < N_OF(socket_types) && socket_types[type]) {
		add_piece(text, socket_types[type], &n);
		bits &= ~SOCKET_TYPE_MASK;
	}
	add_rest(text, add_flags(text, bits, socket_flags, N_OF(socket_flags), &n), &n);
}

static void add_argument(struct text *text, enum call_argument kind, uint64_t value,
			 const char *string) {
	switch (kind) {
	case ARGUMENT_NONE:
		return;
	case ARGUMENT_NUMBER:
		add_number(text, value);
		return;
	case ARGUMENT_HEX:
	case ARGUMENT_REQUEST:
		add_hex(text, value);
		return;
	case ARGUMENT_DIRECTORY_FD:
		add_directory(text, (int32_t)value);
		return;
	case ARGUMENT_FD:
		text_format(text, "%" PRId32, (int32_t)value);
		return;
	case ARGUMENT_PATH:
		add_string(text, string, value);
		return;
	case ARGUMENT_OPEN_FLAGS:
		add_open_flags(text, (uint32_t)value);
		return;
	case ARGUMENT_MODE:
		text_format(text, "%#" PRIo32, (uint32_t)value);
		return;
	case ARGUMENT_FAMILY:
		add_family(text, (uint32_t)value);
		return;
	case ARGUMENT_SOCKET_TYPE:
		add_socket_type(text, (uint32_t)value);
		return;
	case ARGUMENT_CLONE_FLAGS:
		add_clone_flags(text, (uint32_t)value);
		return;
	case ARGUMENT_SIGNAL:
		add_signal(text, (int32_t)value);
		return;
	}
}

/* The kernel only looks at the mode, and what follows it, when a file is created; otherwise these
 * can hold anything. */
static bool is_last(const struct call *call, size_t i, uint64_t value) {
	if (i + 1 == CALL_ARGUMENTS || call->arguments[i + 1] == ARGUMENT_NONE)
		return true;
	return call->arguments[i] == ARGUMENT_OPEN_FLAGS &&
	       call->arguments[i + 1] == ARGUMENT_MODE && !(value & O_CREAT) &&
	       (value & O_TMPFILE) != O_TMPFILE;
}

void call_text(const struct call *call, const uint64_t arguments[CALL_ARGUMENTS],
	       const char *const paths[CALL_ARGUMENTS], char *text, size_t size) {
	struct text to = { .bytes = text, .room = size - 1 };

	if (size == 0)
		return;
	for (size_t i = 0; i < CALL_ARGUMENTS; i++) {
		add_argument(&to, (enum call_argument)call->arguments[i], arguments[i], paths[i]);
		if (is_last(call, i, arguments[i]))
			break;
		text_add(&to, ", ");
	}
	text_end(&to);
}
