/* SPDX-License-Identifier: MIT
 *
 * What the commands of `warmfork` share: how they are called, and what their exit status means.
 */
#pragma once

enum command_status {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1, /* the subject cannot be used; the sentence is on stderr */
	COMMAND_USAGE = 2,  /* the command line makes no sense */
};

/* argv[0] is the name of the command; getopt_long(3) has not been called yet. */
typedef enum command_status (*command_function)(int argc, char **argv);

enum command_status attack_command(int argc, char **argv);
enum command_status doctor_command(int argc, char **argv);
enum command_status image_command(int argc, char **argv);
/* Ends with the exit status of a program, or with one of its own: see cli/run/options.h. */
enum command_status run_command(int argc, char **argv);
