/* SPDX-License-Identifier: MIT
 *
 * Attacks through sockets, and through what processes of a machine share without one: System V
 * segments, keys, a terminal. The host owns the listeners, and checks itself whether a
 * connection came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <mqueue.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "cli/attack/bout.h"
#include "cli/attack/host.h"

#define CHANGED "changed by an attacker\n"
#define MESSAGE 64
#define LEFT    ((size_t)1 << 20)

/* --- 36, 37: Unix sockets ------------------------------------------------------------------ */

static int connect_unix(const char *name, bool abstract) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path + abstract, sizeof address.sun_path - abstract, "%s", name);
	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&address, attack_address_size(&address, abstract)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool send_nonce(struct wf_call *call, int fd) {
	const char *nonce = attack_brief(call)->nonce;

	return fd >= 0 && write(fd, nonce, ATTACK_TOKEN) == ATTACK_TOKEN;
}

static int connect_abstract(struct wf_call *call) {
	bool done = send_nonce(call, connect_unix(attack_brief(call)->abstract, true));

	return attack_answer(call, done, NULL, 0);
}

static int connect_pathname(struct wf_call *call) {
	bool done = send_nonce(call, connect_unix(attack_brief(call)->socket, false));

	return attack_answer(call, done, NULL, 0);
}

/* Tells whether `listener` has had a connection that signed. */
static bool was_visited(const struct attack_ground *ground, int listener) {
	char message[MESSAGE] = "";
	bool signed_in = false;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		(void)recv(fd, message, sizeof message - 1, MSG_DONTWAIT);
		signed_in |= strcmp(message, ground->brief.nonce) == 0;
		(void)close(fd);
	}
	return signed_in;
}

static enum attack_verdict judge_abstract(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(was_visited(ground, ground->abstract));
}

static enum attack_verdict judge_pathname(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	(void)bout;
	return attack_verdict(was_visited(ground, ground->pathname));
}

/* --- 38: a descriptor for an accomplice ------------------------------------------------------ */

static int receive_right(int socket) {
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof control.space };
	struct cmsghdr *head;
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0)
		return -1;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof fd);
	return fd;
}

/* CVE-2024-27297: the file is written to when it is believed to be finished. */
static int pass_descriptor(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	char path[ATTACK_PATH + 8];
	bool done;
	int fd;

	(void)snprintf(path, sizeof path, "%s/late", brief->out);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	done = attack_send_rights(connect_unix(brief->abstract, true), fd, 1);
	done |= attack_send_rights(connect_unix(brief->socket, false), fd, 1);
	return attack_answer(call, done, NULL, 0);
}

/* The host plays the accomplice. */
static enum attack_verdict judge_passed(struct attack_ground *ground,
					const struct attack_bout *bout) {
	const int listeners[] = { ground->abstract, ground->pathname };
	int socket, fd;

	(void)bout;
	for (size_t i = 0; i < 2; i++)
		while ((socket = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0) {
			fd = receive_right(socket);
			(void)attack_overwrite(fd, CHANGED);
			if (fd >= 0)
				(void)close(fd);
			(void)close(socket);
		}
	return attack_verdict(attack_is(ground, "out/late", CHANGED));
}

/* --- 39: TCP ------------------------------------------------------------------------------- */

static int use_tcp(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	struct sockaddr_in address = attack_loopback(brief->free_port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)send_nonce(call, attack_connect(brief->tcp_port));
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
		(void)listen(fd, 1);
	attack_hold(call);
	return attack_answer(call, false, NULL, 0);
}

/* Chooses a port that was free a moment ago; nothing else has a reason to take it at once. */
static bool choose_port(struct attack_ground *ground) {
	struct sockaddr_in address = attack_loopback(0);
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool chosen = fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
		      getsockname(fd, (struct sockaddr *)&address, &size) == 0;

	if (fd >= 0)
		(void)close(fd);
	ground->brief.free_port = ntohs(address.sin_port);
	return chosen;
}

static void visit_port(struct attack_ground *ground, struct attack_bout *bout) {
	int fd = attack_connect(ground->brief.free_port);

	bout->seen = fd >= 0;
	if (fd >= 0)
		(void)close(fd);
}

static enum attack_verdict judge_tcp(struct attack_ground *ground, const struct attack_bout *bout) {
	return attack_verdict(was_visited(ground, ground->tcp) || bout->seen);
}

/* --- 40: other families ----------------------------------------------------------------------- */

/* The names of network interfaces: the worker must not see the host's. */
static size_t list_interfaces(char *loot, size_t size) {
	struct if_nameindex *all = if_nameindex();
	size_t length = 0;

	for (size_t i = 0; all && all[i].if_index > 0 && length < size; i++)
		length += (size_t)snprintf(loot + length, size - length, " %s ", all[i].if_name);
	if (all)
		if_freenameindex(all);
	return length < size ? length : size;
}

/* Uses what a kernel offers to every process; the hash function is one that was really loaded. */
static bool use_algorithm(void) {
	struct sockaddr_alg address = { .salg_family = AF_ALG,
					.salg_type = "hash",
					.salg_name = "sha256" };
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

	if (fd >= 0)
		(void)close(fd);
	return bound;
}

static int use_families(struct wf_call *call) {
	static const int families[][2] = { { AF_PACKET, SOCK_RAW },
					   { AF_INET, SOCK_RAW },
					   { AF_VSOCK, SOCK_STREAM } };
	const struct attack_brief *brief = attack_brief(call);
	struct sockaddr_in address = attack_loopback(brief->udp_port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done = use_algorithm();
	char loot[1024];

	(void)sendto(fd, brief->nonce, ATTACK_TOKEN, 0, (struct sockaddr *)&address,
		     sizeof address);
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		done |= socket(families[i][0], families[i][1] | SOCK_CLOEXEC, IPPROTO_ICMP) >= 0;
	return attack_answer(call, done, loot, list_interfaces(loot, sizeof loot));
}

static bool knows_interfaces(const struct attack_bout *bout) {
	struct if_nameindex *all = if_nameindex();
	char name[IF_NAMESIZE + 2];
	bool knows = false;

	for (size_t i = 0; all && all[i].if_index > 0; i++) {
		(void)snprintf(name, sizeof name, " %s ", all[i].if_name);
		knows |= strcmp(all[i].if_name, "lo") != 0 && attack_has(bout, name);
	}
	if (all)
		if_freenameindex(all);
	return knows;
}

static enum attack_verdict judge_families(struct attack_ground *ground,
					  const struct attack_bout *bout) {
	char message[MESSAGE] = "";

	(void)recv(ground->udp, message, sizeof message - 1, MSG_DONTWAIT);
	return attack_verdict(strcmp(message, ground->brief.nonce) == 0 || bout->believes ||
			      knows_interfaces(bout));
}

/* --- 56: the user's terminal --------------------------------------------------------------- */

/* CVE-2017-5226: what is pushed into the terminal's input is what the user's shell reads next. */
static void type_nonce(struct wf_call *call) {
	const char *nonce = attack_brief(call)->nonce;
	int terminal = wf_call_descriptor(call, 1);

	(void)ioctl(terminal, TIOCSCTTY, 0);
	for (size_t i = 0; i < ATTACK_TOKEN - 1; i++)
		(void)ioctl(terminal, TIOCSTI, nonce + i);
}

/* The leader of a process group cannot become leader of a session, so a child does. It lives until
 * the host has read, because its end would hang up the terminal. */
static int type_for_user(struct wf_call *call) {
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		type_nonce(call);
		attack_hold(call);
		_exit(0);
	}
	if (pid < 0) {
		type_nonce(call);
		attack_say(call, 'h', NULL, 0);
	}
	attack_wait(call);
	return attack_answer(call, false, NULL, 0);
}

/* ground->fd is the master, without which the slave hangs up. */
bool attack_terminal_open(struct attack_ground *ground) {
	struct termios raw = { 0 };

	cfmakeraw(&raw);
	raw.c_cflag |= CREAD;
	return openpty(&ground->fd, &ground->extra[0], NULL, &raw, NULL) == 0 &&
	       fcntl(ground->fd, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(ground->extra[0], F_SETFD, FD_CLOEXEC) == 0 &&
	       fchmod(ground->extra[0], 0666) == 0;
}

void attack_terminal_read(struct attack_ground *ground, struct attack_bout *bout) {
	struct pollfd poll_fd = { .fd = ground->extra[0], .events = POLLIN };
	char typed[MESSAGE] = "";

	if (poll(&poll_fd, 1, 0) == 1)
		(void)!read(ground->extra[0], typed, sizeof typed - 1);
	bout->seen = strcmp(typed, ground->brief.nonce) == 0;
}

const char *attack_no_terminal(void) {
	char allowed[16];

	attack_proc(getpid(), "../sys/dev/tty/legacy_tiocsti", allowed, sizeof allowed);
	if (allowed[0] == '0' && geteuid() != 0)
		return "dev.tty.legacy_tiocsti is 0: the kernel forbids it to everybody";
	return NULL;
}

/* --- 83: a signal for the user of the terminal --------------------------------------------- */

/* With O_ASYNC, whoever the terminal belongs to by then gets SIGIO, which ends most programs. The
 * flag is one of the open file, which the user's shell has too. */
static int make_asynchronous(struct wf_call *call) {
	int terminal = wf_call_descriptor(call, 1), on = 1;
	bool done = fcntl(terminal, F_SETFL, O_RDWR | O_ASYNC) == 0;

	done |= ioctl(terminal, FIOASYNC, &on) == 0;
	attack_hold(call);
	return attack_answer(call, done, NULL, 0);
}

static void look_at_flags(struct attack_ground *ground, struct attack_bout *bout) {
	bout->seen = (fcntl(ground->extra[0], F_GETFL) & O_ASYNC) != 0;
}

/* --- 65: shared by number or name ---------------------------------------------------------- */

static int use_segments(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	const char *segment = shmat(brief->segment, NULL, SHM_RDONLY);
	bool attached = (intptr_t)segment != -1;
	char name[ATTACK_TOKEN + 1];
	mqd_t queue;

	(void)snprintf(name, sizeof name, "/%s", brief->nonce);
	queue = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
	return attack_answer(call, attached || queue >= 0, attached ? segment : "",
			     attached ? ATTACK_TOKEN : 0);
}

static bool make_segment(struct attack_ground *ground) {
	char *segment;

	attack_make_token(ground->segment_token);
	ground->brief.segment = shmget(IPC_PRIVATE, ATTACK_TOKEN, IPC_CREAT | 0644);
	if (ground->brief.segment < 0)
		return false;
	segment = shmat(ground->brief.segment, NULL, 0);
	if ((intptr_t)segment == -1)
		return false;
	memcpy(segment, ground->segment_token, ATTACK_TOKEN);
	return shmdt(segment) == 0;
}

static enum attack_verdict judge_segment(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	char name[ATTACK_TOKEN + 1];
	mqd_t queue;

	(void)snprintf(name, sizeof name, "/%s", ground->brief.nonce);
	queue = mq_open(name, O_RDONLY);
	if (queue >= 0)
		(void)mq_close(queue);
	return attack_verdict(queue >= 0 || attack_has(bout, ground->segment_token));
}

static void remove_segment(struct attack_ground *ground) {
	char name[ATTACK_TOKEN + 1];

	(void)snprintf(name, sizeof name, "/%s", ground->brief.nonce);
	(void)mq_unlink(name);
	(void)shmctl(ground->brief.segment, IPC_RMID, NULL);
}

/* --- 74: left behind for the next task ------------------------------------------------------ */

struct left {
	long type;
	char text[ATTACK_TOKEN];
};

static bool leave(const struct attack_brief *brief) {
	int segment = shmget(brief->queue_key, LEFT, IPC_CREAT | 0666);
	int queue = msgget(brief->queue_key, IPC_CREAT | 0666);
	char *at = segment < 0 ? NULL : shmat(segment, NULL, 0);
	struct left left = { .type = 1 };

	memcpy(left.text, brief->nonce, sizeof left.text);
	if (at && (intptr_t)at != -1) {
		memset(at, 1, LEFT);
		memcpy(at, brief->nonce, ATTACK_TOKEN);
	}
	return msgsnd(queue, &left, sizeof left.text, IPC_NOWAIT) == 0 ||
	       (at && (intptr_t)at != -1);
}

static bool find_left(const struct attack_brief *brief, char loot[ATTACK_TOKEN]) {
	int segment = shmget(brief->queue_key, 0, 0);
	const char *at = segment < 0 ? NULL : shmat(segment, NULL, SHM_RDONLY);
	struct left left;
	ssize_t n;

	if (at && (intptr_t)at != -1) {
		memcpy(loot, at, ATTACK_TOKEN);
		return true;
	}
	n = msgrcv(msgget(brief->queue_key, 0), &left, sizeof left.text, 0, IPC_NOWAIT);
	if (n == ATTACK_TOKEN)
		memcpy(loot, left.text, ATTACK_TOKEN);
	return n == ATTACK_TOKEN;
}

/* The first task leaves something, and the second one looks for it. */
static int leave_segment(struct wf_call *call) {
	const struct attack_brief *brief = attack_brief(call);
	char loot[ATTACK_TOKEN] = "";
	bool done = brief->detail == 0 ? leave(brief) : find_left(brief, loot);

	return attack_answer(call, done, loot, sizeof loot);
}

/* The token of the first task is its nonce, and the second one has another. */
static enum attack_verdict run_left(struct attack_ground *ground, const struct attack *attack) {
	struct attack_bout bout;
	uint32_t key = 0;

	memcpy(ground->segment_token, ground->brief.nonce, ATTACK_TOKEN);
	memcpy(&key, ground->brief.nonce, sizeof key);
	ground->brief.queue_key = (int32_t)((key & 0x0fffffff) | 0x30000000);
	for (uint64_t i = 0; i < 2; i++) {
		ground->brief.detail = i;
		if (!attack_run(ground, attack, &bout) || bout.outcome.kind == WF_NOT_STARTED)
			return ATTACK_ERROR;
		attack_make_token(ground->brief.nonce);
	}
	return attack_verdict(attack_has(&bout, ground->segment_token));
}

static void remove_left(struct attack_ground *ground) {
	int segment = shmget(ground->brief.queue_key, 0, 0);
	int queue = msgget(ground->brief.queue_key, 0);

	if (segment >= 0)
		(void)shmctl(segment, IPC_RMID, NULL);
	if (queue >= 0)
		(void)msgctl(queue, IPC_RMID, NULL);
}

/* --- 78: a port without bind(2) ------------------------------------------------------------- */

/* listen(2) gives a socket without an address a port by itself. */
static int listen_unbound(struct wf_call *call) {
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), fd;
	struct sockaddr_in address = { .sin_port = 0 };
	socklen_t size = sizeof address;
	uint64_t port = 0;

	if (listen(listener, 1) == 0 &&
	    getsockname(listener, (struct sockaddr *)&address, &size) == 0)
		port = ntohs(address.sin_port);
	attack_say(call, 't', &port, sizeof port);
	attack_hold(call);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return attack_answer(call, send_nonce(call, fd), NULL, 0);
}

static void visit_unbound(struct attack_ground *ground, struct attack_bout *bout) {
	if (bout->told > 0 && bout->told <= UINT16_MAX)
		ground->fd = attack_connect((uint16_t)bout->told);
}

/* Something else may have that port in our network, but it does not know the nonce. */
static enum attack_verdict judge_unbound(struct attack_ground *ground,
					 const struct attack_bout *bout) {
	char message[MESSAGE] = "";

	(void)bout;
	if (ground->fd >= 0)
		(void)recv(ground->fd, message, sizeof message - 1, MSG_DONTWAIT);
	return attack_verdict(strcmp(message, ground->brief.nonce) == 0);
}

/* ------------------------------------------------------------------------------------------- */

#define LANDLOCK   (1U << ATTACK_LANDLOCK)
#define SECCOMP    (1U << ATTACK_SECCOMP)
#define NAMESPACES (1U << ATTACK_NAMESPACES)

static const struct attack rows[] = {
	{ 36, "connect to an abstract Unix socket", "connect_abstract", connect_abstract,
	  .landlock = 6, .stops = LANDLOCK | NAMESPACES, .judge = judge_abstract },
	{ 37, "connect to a Unix socket by its path", "connect_pathname", connect_pathname,
	  .stops = NAMESPACES, .judge = judge_pathname },
	{ 38, "pass a descriptor of an output outside", "pass_descriptor", pass_descriptor,
	  .stops = NAMESPACES, .judge = judge_passed },
	{ 39, "TCP: connect, and be connected to", "use_tcp", use_tcp, .landlock = 4,
	  .stops = LANDLOCK | NAMESPACES, .prepare = choose_port, .look = visit_port,
	  .judge = judge_tcp },
	{ 40, "UDP, raw, packet, netlink, vsock, AF_ALG", "use_families", use_families,
	  .judge = judge_families },
	{ 56, "type into the user's terminal", "type_for_user", type_for_user, .stops = SECCOMP,
	  .prepare = attack_terminal_open, .look = attack_terminal_read, .judge = attack_judge_seen,
	  .inapplicable = attack_no_terminal },
	{ 65, "shared segments and message queues", "use_segments", use_segments,
	  .stops = NAMESPACES, .prepare = make_segment, .judge = judge_segment,
	  .clean = remove_segment },
	{ 74, "shared memory left for the next task", "leave_segment", leave_segment,
	  .run = run_left, .clean = remove_left },
	{ 78, "a port by listen() alone", "listen_unbound", listen_unbound,
	  .stops = SECCOMP | NAMESPACES, .look = visit_unbound, .judge = judge_unbound },
	{ 83, "signals by O_ASYNC on the user's terminal", "make_asynchronous", make_asynchronous,
	  .prepare = attack_terminal_open, .look = look_at_flags, .judge = attack_judge_seen },
};

const struct attack_rows attack_network = { rows, sizeof rows / sizeof rows[0] };
