/* SPDX-License-Identifier: MIT
 *
 * Two of the options are for the command itself, and are not in the help.
 */
#include "cli/attack/options.h"

#include <string.h>

#include "cli/options.h"

#define COMMAND "attack"

static const char help[] =
    "warmfork attack [OPTIONS]\n"
    "\n"
    "Tests whether the sandbox stops hostile tasks on this machine. Each attack is made without any\n"
    "layer, where it has to succeed, since it proves nothing otherwise; then under the whole policy;\n"
    "and then under each layer alone. The host finds out from outside whether it got through.\n"
    "\n"
    "  --preset NAME   pure, stage (the default) or tests\n"
    "  --policy FILE   a policy file, to use instead of a preset, or to add to the one given\n"
    "  --only N[,N]    make only the attacks with these numbers\n"
    "  --quick         do not try the layers alone\n"
    "  --json          print the table as JSON\n"
    "  --help, --version   print this, or the version of the library\n"
    "\n"
    "The command adds to the policy a directory to read and one to write, which it makes itself, and\n"
    "limits that are so small that exceeding them does no harm.\n"
    "\n"
    "Exit status: 0 if no attack got through; 1 if one did or could not be made, or if a layer does\n"
    "not stop alone what it has to stop; 2 if the command line makes no sense.\n";

static bool parse_only(const char *text, bool only[ATTACK_ROWS + 1]) {
	const char *at = text;
	unsigned number;

	only[0] = false;
	for (;;) {
		if (!options_number(&at, ATTACK_ROWS, &number) || number == 0 ||
		    (*at != ',' && *at != '\0'))
			return options_complain(
			    COMMAND,
			    "--only takes numbers from 1 to %d, with commas between "
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

	if (!options_number(&text, ATTACK_ROWS, &ret->number) || *text++ != ':' ||
	    !options_number(&text, N_ATTACK_COLUMNS - 1, &column) || *text++ != ':')
		return options_complain(COMMAND,
					"--%s is only for processes that this command starts "
					"itself",
					ATTACK_INNER);
	ret->column = (int)column;
	ret->root = text;
	return true;
}

enum option_id {
	OPTION_PRESET = OPTIONS_FIRST,
	OPTION_POLICY,
	OPTION_ONLY,
	OPTION_QUICK,
	OPTION_JSON,
	OPTION_STAND_IN,
	OPTION_INNER,
};

static const struct option known[] = {
	{ "preset", required_argument, NULL, OPTION_PRESET },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "only", required_argument, NULL, OPTION_ONLY },
	{ "quick", no_argument, NULL, OPTION_QUICK },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ ATTACK_STAND_IN, required_argument, NULL, OPTION_STAND_IN },
	{ ATTACK_INNER, required_argument, NULL, OPTION_INNER },
};

static bool take_option(void *options, int option, char *value) {
	struct attack_options *ret = options;

	switch (option) {
	case OPTION_PRESET:
		ret->setting.preset = value;
		return options_preset(COMMAND, value);
	case OPTION_POLICY:
		ret->setting.policy = value;
		return true;
	case OPTION_ONLY:
		return parse_only(value, ret->only);
	case OPTION_QUICK:
		return ret->quick = true;
	case OPTION_JSON:
		return ret->json = true;
	case OPTION_STAND_IN:
		return ret->stand_in = true;
	case OPTION_INNER:
	default:
		ret->is_inner = true;
		return parse_inner(value, &ret->inner);
	}
}

static const struct options_grammar grammar = {
	.command = COMMAND,
	.help = help,
	.known = known,
	.n_known = sizeof known / sizeof known[0],
	.take = take_option,
};

bool attack_options_parse(int argc, char **argv, struct attack_options *ret,
			  enum command_status *ret_status) {
	enum options_result result;
	int rest = argc;

	*ret = (struct attack_options){ .only = { true } };
	result = options_parse(&grammar, argc, argv, ret, &rest);
	*ret_status = result == OPTIONS_OVER ? COMMAND_OK : COMMAND_USAGE;
	if (result != OPTIONS_GOOD)
		return false;
	if (rest < argc)
		return options_complain(COMMAND, "only options are accepted, not \"%s\"",
					argv[rest]);
	if (!ret->setting.preset && !ret->setting.policy)
		ret->setting.preset = "stage";
	return true;
}
