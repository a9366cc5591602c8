/* SPDX-License-Identifier: MIT
 *
 * What the commands of `warmfork` have in common: how they are called, and what they say by their
 * exit status.
 */
#pragma once

enum command_status {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1, /* what was asked about cannot be used; the sentence is on stderr */
	COMMAND_USAGE = 2,  /* the command line makes no sense */
};

/* argv[0] is the command's name; getopt_long(3) has not looked at it yet. */
typedef enum command_status (*command_function)(int argc, char **argv);

enum command_status attack_command(int argc, char **argv);
enum command_status doctor_command(int argc, char **argv);
enum command_status image_command(int argc, char **argv);
/* Ends with the exit status of a program, or with those of its own: see cli/run/options.h. */
enum command_status run_command(int argc, char **argv);
