/* SPDX-License-Identifier: MIT
 *
 * A program for tasks of images of kind command: it tells what it finds around it, or ends as it is
 * told.
 *
 *     tell                     argc, and a line for each argument, variable and open descriptor; where
 *                              it is
 *     exit N, raise N
 *     copy                     its standard input to its standard output
 *     echo N TEXT              TEXT to descriptor N
 *     tree                     a child, and a child of it that has a session of its own; "tree" on
 *                              descriptor 3 when they are there; all of them wait for ever
 *     wait                     "pid PID" on descriptor 3; for a byte on descriptor 4
 *     read PATH, write PATH    its first bytes; "written"
 *     handle N                 "handled" when signal N has come; says "pid PID" on 3 first
 *     status KEY               of /proc/self/status
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/number.h"

static int tell_descriptors(void) {
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (directory == NULL)
		return 1;
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.' && number_at(entry->d_name, NULL) != dirfd(directory))
			printf("descriptor %s\n", entry->d_name);
	closedir(directory);
	return 0;
}

static int tell(int argc, char **argv) {
	char path[512];

	printf("arguments %d\n", argc);
	for (int i = 0; i < argc; i++)
		printf("argument %s\n", argv[i]);
	for (char **entry = environ; *entry != NULL; entry++)
		printf("environment %s\n", *entry);
	printf("directory %s\n", getcwd(path, sizeof path) != NULL ? path : "?");
	return tell_descriptors();
}

static int copy(void) {
	char bytes[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			return 1;
	return n < 0 ? errno : 0;
}

static _Noreturn void wait_for_ever(void) {
	for (;;)
		pause();
}

static _Noreturn void tree(void) {
	if (fork() == 0) {
		if (fork() == 0) {
			setsid();
			dprintf(3, "tree\n");
		}
	}
	wait_for_ever();
}

static int wait_for_byte(void) {
	char byte;

	dprintf(3, "pid %d\n", (int)getpid());
	return read(4, &byte, 1) == 1 ? 0 : 1;
}

static int handle(int number) {
	sigset_t set;
	int came = 0;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	dprintf(3, "pid %d\n", (int)getpid());
	sigwait(&set, &came);
	printf("handled\n");
	return came == number ? 0 : 1;
}

static int tell_file(const char *path) {
	char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (n < 0)
		return errno;
	printf("%.*s", (int)n, text);
	return 0;
}

static int write_file(const char *path) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	return write(fd, "written", 7) == 7 ? 0 : errno;
}

static int tell_status(const char *key) {
	FILE *file = fopen("/proc/self/status", "re");
	char line[512];

	if (file == NULL)
		return errno;
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			printf("%s", line);
	fclose(file);
	return 0;
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "tell";
	const char *argument = argc > 2 ? argv[2] : "";
	int number = (int)number_at(argument, NULL);

	if (strcmp(what, "exit") == 0)
		return number;
	if (strcmp(what, "raise") == 0)
		return raise(number);
	if (strcmp(what, "copy") == 0)
		return copy();
	if (strcmp(what, "echo") == 0)
		return argc < 4 || dprintf(number, "%s", argv[3]) < 0;
	if (strcmp(what, "tree") == 0)
		tree();
	if (strcmp(what, "wait") == 0)
		return wait_for_byte();
	if (strcmp(what, "handle") == 0)
		return handle(number);
	if (strcmp(what, "read") == 0)
		return tell_file(argument);
	if (strcmp(what, "write") == 0)
		return write_file(argument);
	if (strcmp(what, "status") == 0)
		return tell_status(argument);
	return tell(argc, argv);
}
