/* SPDX-License-Identifier: MIT
 *
 * Everything that attackers may damage is below one directory, or is a process or a socket of ours.
 * All of it is gone when the command ends, and so is what an attacker has left there.
 *
 * The files that are not to be reached are world-readable: if the owner of a file protected it, a
 * broken layer would not show. Directories that are world-writable are sticky, and opened without
 * following links, because the command may run as root in a /tmp that others use too.
 */
#include "cli/attack/ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/attack/host.h"
#include "cli/report.h"

#define REMOVE_DEPTH 16

/* --- files --------------------------------------------------------------------------------- */

static bool make_directory(const struct attack_ground *ground, const char *path, mode_t mode) {
	if (mkdirat(ground->root_fd, path, 0700) < 0 && errno != EEXIST)
		return false;
	return fchmodat(ground->root_fd, path, mode, 0) == 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
	(void)info;
	(void)walk;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* The directory itself stays, because a policy names it. */
static int remove_below(const char *path, const struct stat *info, int kind, struct FTW *walk) {
	return walk->level == 0 ? 0 : remove_one(path, info, kind, walk);
}

/* What cannot be removed is reported when the root is removed. */
static void empty_out(const struct attack_ground *ground) {
	(void)nftw(ground->brief.out, remove_below, REMOVE_DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static bool make_link(struct attack_ground *ground) {
	char target[ATTACK_TOKEN + 16];

	attack_make_token(ground->linked);
	(void)snprintf(target, sizeof target, "/nowhere/%s", ground->linked);
	(void)unlinkat(ground->root_fd, "outside/link", 0);
	return symlinkat(target, ground->root_fd, "outside/link") == 0;
}

/* in/held and outside/held keep their inodes, because the image has them open. out/ keeps its own,
 * because a policy is about it. */
static bool make_files(struct attack_ground *ground) {
	attack_make_token(ground->secret);
	return make_directory(ground, "in", 0755) && make_directory(ground, "out", 01777) &&
	       make_directory(ground, "outside", 0755) &&
	       make_directory(ground, "outside/mount", 0755) &&
	       attack_put(ground, "in/data", "input\n", 0644) &&
	       attack_put(ground, "in/other", "other\n", 0644) &&
	       attack_put(ground, "in/held", "held input\n", 0644) &&
	       attack_put(ground, "outside/held", "held\n", 0644) &&
	       attack_put(ground, "outside/secret", ground->secret, 0644) && make_link(ground);
}

/* --- sockets ------------------------------------------------------------------------------- */

static int listen_unix(const char *name, bool abstract) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path + abstract, sizeof address.sun_path - abstract, "%s", name);
	if (fd >= 0 &&
	    (bind(fd, (struct sockaddr *)&address, attack_address_size(&address, abstract)) < 0 ||
	     listen(fd, 16) < 0)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int bind_inet(int type, uint16_t *ret_port) {
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	    (type != SOCK_STREAM || listen(fd, 16) == 0)) {
		*ret_port = ntohs(address.sin_port);
		return fd;
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static bool open_sockets(struct attack_ground *ground) {
	ground->abstract = listen_unix(ground->brief.abstract, true);
	ground->pathname = listen_unix(ground->brief.socket, false);
	if (ground->pathname >= 0)
		(void)chmod(ground->brief.socket, 0777);
	ground->tcp = bind_inet(SOCK_STREAM, &ground->brief.tcp_port);
	ground->udp = bind_inet(SOCK_DGRAM, &ground->brief.udp_port);
	return ground->abstract >= 0 && ground->pathname >= 0 && ground->tcp >= 0 &&
	       ground->udp >= 0;
}

/* Connections and messages that an attacker made late must not count for the next one. */
static void drain_sockets(const struct attack_ground *ground) {
	const int listeners[] = { ground->abstract, ground->pathname, ground->tcp };
	char message[64];
	int fd;

	for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++)
		while ((fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0)
			(void)close(fd);
	while (recv(ground->udp, message, sizeof message, MSG_DONTWAIT) >= 0)
		continue;
}

/* --- the whole ----------------------------------------------------------------------------- */

static bool set_path(char *ret, const char *root, const char *name) {
	return snprintf(ret, ATTACK_PATH, "%s/%s", root, name) < ATTACK_PATH;
}

static bool name_all(struct attack_ground *ground) {
	struct attack_brief *brief = &ground->brief;

	attack_make_token(brief->abstract);
	return set_path(brief->in, ground->root, "in") &&
	       set_path(brief->input, ground->root, "in/data") &&
	       set_path(brief->out, ground->root, "out") &&
	       set_path(brief->outside, ground->root, "outside") &&
	       set_path(brief->secret, ground->root, "outside/secret") &&
	       set_path(brief->socket, ground->root, "outside/socket") &&
	       strlen(brief->socket) < sizeof((struct sockaddr_un){ 0 }).sun_path;
}

int attack_make_directory(char ret[ATTACK_PATH]) {
	const char *parent = getenv("TMPDIR");
	int r = 0;

	if (!parent || parent[0] != '/')
		parent = "/tmp";
	if (snprintf(ret, ATTACK_PATH, "%s/warmfork-attack.XXXXXX", parent) >= ATTACK_PATH)
		r = -ENAMETOOLONG;
	else if (!mkdtemp(ret))
		r = -errno;
	if (r < 0)
		ret[0] = '\0';
	return r;
}

static int make_root(struct attack_ground *ground) {
	int r = attack_make_directory(ground->root);

	if (r < 0)
		return r;
	if (chmod(ground->root, 0755) < 0)
		return -errno;
	ground->root_fd = open(ground->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ground->root_fd < 0 ? -errno : 0;
}

/* Memory files, because they cannot be opened by name. */
static bool make_lent(struct attack_ground *ground) {
	ground->lent = memfd_create("lent", MFD_CLOEXEC);
	ground->shared = memfd_create("shared", MFD_CLOEXEC);
	ground->other = memfd_create("other", MFD_CLOEXEC);
	ground->ended = eventfd(0, EFD_CLOEXEC);
	return ground->ended >= 0 && ground->lent >= 0 && ground->shared >= 0 && ground->other >= 0;
}

static void close_one(int *fd) {
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void start_empty(struct attack_ground *ground, const struct attack_setting *setting) {
	*ground = (struct attack_ground){
		.setting = setting,
		.root_fd = -1,
		.abstract = -1,
		.pathname = -1,
		.tcp = -1,
		.udp = -1,
		.ended = -1,
		.lent = -1,
		.shared = -1,
		.other = -1,
		.fd = -1,
		.extra = { -1, -1 },
		.sibling.line = -1,
		.stand_in = { .fd = -1, .input = -1 },
	};
}

int attack_ground_make(struct attack_ground *ground, const struct attack_setting *setting) {
	int r;

	start_empty(ground, setting);
	r = make_root(ground);
	if (r == 0 && !name_all(ground))
		r = -ENAMETOOLONG;
	errno = 0;
	if (r == 0 && (!make_files(ground) || !open_sockets(ground) || !make_lent(ground)))
		r = errno > 0 ? -errno : -EIO;
	attack_make_token(ground->environment);
	if (r == 0 && setenv(ATTACK_VARIABLE, ground->environment, 1) < 0)
		r = -errno;
	/* With a session keyring of our own, which the pool inherits, no attacker finds
	 * the user's. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (r < 0)
		report_say("attack",
			   "a directory to attack cannot be made in %s: %s; "
			   "TMPDIR can name another place",
			   ground->root[0] ? ground->root : "TMPDIR or /tmp", strerrordesc_np(-r));
	return r;
}

int attack_ground_adopt(struct attack_ground *ground, const struct attack_setting *setting,
			const char *root) {
	start_empty(ground, setting);
	if (snprintf(ground->root, sizeof ground->root, "%s", root) >= (int)sizeof ground->root ||
	    !name_all(ground))
		return -ENAMETOOLONG;
	return 0;
}

bool attack_ground_reset(struct attack_ground *ground) {
	empty_out(ground);
	drain_sockets(ground);
	attack_make_token(ground->brief.nonce);
	/* a new one, so that what an attacker has done to it does not count for the next */
	attack_stand_in_stop(&ground->stand_in);
	if (!attack_stand_in_start(&ground->stand_in))
		return false;
	ground->brief.stand_in = ground->stand_in.pid;
	return make_files(ground);
}

void attack_ground_remove(struct attack_ground *ground) {
	attack_stand_in_stop(&ground->stand_in);
	close_one(&ground->abstract);
	close_one(&ground->pathname);
	close_one(&ground->tcp);
	close_one(&ground->udp);
	close_one(&ground->ended);
	close_one(&ground->lent);
	close_one(&ground->shared);
	close_one(&ground->other);
	close_one(&ground->root_fd);
	if (ground->root[0] &&
	    nftw(ground->root, remove_one, REMOVE_DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		report_say("attack", "%s cannot be removed: %s", ground->root,
			   strerrordesc_np(errno));
}
