/* SPDX-License-Identifier: MIT
 *
 * Two of the options are for the command itself, and in no help.
 */
#include "cli/attack/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "warmfork attack [OPTIONS]\n"
    "\n"
    "Runs the attack corpus against this kernel and a policy: each attack without any layer,\n"
    "where it has to succeed, or it proves nothing; under the whole policy; and under each layer\n"
    "alone. The host finds out from outside whether it got through.\n"
    "\n"
    "  --preset NAME   pure, stage (the default) or tests\n"
    "  --policy FILE   a policy file, instead of a preset or added to one\n"
    "  --only N[,N]    some of the attacks, by number\n"
    "  --quick         no layer alone\n"
    "  --json          the table as JSON\n"
    "  --help, --version\n"
    "\n"
    "To the policy are added a directory to read and one to write, which are made for it, and\n"
    "limits, so small that to exceed them does no harm.\n"
    "\n"
    "Exit status: 0 if no attack got through; 1 if one did, or could not be made, or if a layer\n"
    "does not stop alone what it has to; 2 if the command line makes no sense.\n";

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...) {
	va_list arguments;

	(void)fputs("warmfork attack: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputs("; `warmfork help attack` tells more\n", stderr);
	return false;
}

static bool take_number(const char **text, unsigned most, unsigned *ret) {
	size_t n = strspn(*text, "0123456789");
	unsigned value = 0;

	for (size_t i = 0; i < n && value <= most; i++)
		value = value * 10 + (unsigned)((*text)[i] - '0');
	*text += n;
	*ret = value;
	return n > 0 && value <= most;
}

static bool parse_only(const char *text, bool only[ATTACK_ROWS + 1]) {
	const char *at = text;
	unsigned number;

	only[0] = false;
	for (;;) {
		if (!take_number(&at, ATTACK_ROWS, &number) || number == 0 ||
		    (*at != ',' && *at != '\0'))
			return complain("--only takes numbers from 1 to %d, with commas between "
					"them, not \"%s\"",
					ATTACK_ROWS, text);
		only[number] = true;
		if (*at == '\0')
			return true;
		at++;
	}
}

static bool parse_inner(const char *text, struct attack_inner *ret) {
	unsigned column;

	if (!take_number(&text, ATTACK_ROWS, &ret->number) || *text++ != ':' ||
	    !take_number(&text, N_ATTACK_COLUMNS - 1, &column) || *text++ != ':')
		return complain("--%s is not for people", ATTACK_INNER);
	ret->column = (int)column;
	ret->root = text;
	return true;
}

enum option_id {
	OPTION_PRESET = 256, /* beyond all characters: none has a short form */
	OPTION_POLICY,
	OPTION_ONLY,
	OPTION_QUICK,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_STAND_IN,
	OPTION_INNER,
};

static const struct option known[] = {
	{ "preset", required_argument, NULL, OPTION_PRESET },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "only", required_argument, NULL, OPTION_ONLY },
	{ "quick", no_argument, NULL, OPTION_QUICK },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ ATTACK_STAND_IN, required_argument, NULL, OPTION_STAND_IN },
	{ ATTACK_INNER, required_argument, NULL, OPTION_INNER },
	{ NULL, 0, NULL, 0 },
};

static bool tell(const char *text, bool *ret_over) {
	(void)fputs(text, stdout);
	*ret_over = true;
	return true;
}

/* False: wrong. Sets *ret_over if it was all that was asked for. */
static bool take_option(int option, char **argv, struct attack_options *ret, bool *ret_over) {
	switch (option) {
	case OPTION_PRESET:
		ret->setting.preset = optarg;
		return true;
	case OPTION_POLICY:
		ret->setting.policy = optarg;
		return true;
	case OPTION_ONLY:
		return parse_only(optarg, ret->only);
	case OPTION_QUICK:
		return ret->quick = true;
	case OPTION_JSON:
		return ret->json = true;
	case OPTION_HELP:
		return tell(help, ret_over);
	case OPTION_VERSION:
		(void)printf("warmfork %s\n", wf_version());
		return tell("", ret_over);
	case OPTION_STAND_IN:
		return ret->stand_in = true;
	case OPTION_INNER:
		ret->is_inner = true;
		return parse_inner(optarg, &ret->inner);
	case ':':
		return complain("%s takes a value", argv[optind - 1]);
	default:
		return complain("%s is no option of this command, or has a value too many",
				argv[optind - 1]);
	}
}

static bool is_preset(const char *name) {
	static const char *const presets[] = { "pure", "stage", "tests" };

	for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
		if (strcmp(name, presets[i]) == 0)
			return true;
	return complain("--preset takes pure, stage or tests, not \"%s\"", name);
}

bool attack_options_parse(int argc, char **argv, struct attack_options *ret,
			  enum command_status *ret_status) {
	bool over = false;
	int option;

	*ret = (struct attack_options){ .only = { true } };
	*ret_status = COMMAND_USAGE;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (!take_option(option, argv, ret, &over))
			return false;
		if (over) {
			*ret_status = COMMAND_OK;
			return false;
		}
	}
	if (optind < argc)
		return complain("it takes options only, not \"%s\"", argv[optind]);
	if (ret->setting.preset)
		return is_preset(ret->setting.preset);
	if (!ret->setting.policy)
		ret->setting.preset = "stage";
	return true;
}
