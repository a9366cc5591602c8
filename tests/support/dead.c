/* SPDX-License-Identifier: MIT */
#include "tests/support/dead.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fixture.h"

static int server = -1;
static char directory[256];

static bool write_file(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	(void)close(fd);
	return written;
}

static bool enter_namespace(void) {
	char map[64];
	uid_t uid = geteuid();

	if (uid == 0)
		return unshare(CLONE_NEWNS) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	(void)snprintf(map, sizeof map, "%d %d 1", (int)uid, (int)uid);
	return write_file("/proc/self/uid_map", map);
}

bool dead_mount(void) {
	char options[128];

	(void)snprintf(directory, sizeof directory, "%s/dead", fixture_scratch());
	ck_assert_int_eq(mkdir(directory, 0755), 0);
	server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	(void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d",
		       server, (int)geteuid(), (int)getegid());
	if (server >= 0 && enter_namespace() &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("dead", directory, "fuse", MS_NOSUID | MS_NODEV, options) == 0)
		return true;
	printf("# skipped: no file system can be mounted here: %s\n", strerrordesc_np(errno));
	return false;
}

void dead_release(void) {
	(void)close(server);
	(void)umount2(directory, MNT_DETACH);
}

const char *dead_path(const char *name) {
	static char path[300];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}
