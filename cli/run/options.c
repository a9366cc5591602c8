/* SPDX-License-Identifier: MIT
 *
 * Each key of a policy has an option here, so that whatever a refusal asks for can be given
 * on the command line as well. Options end at the first word that is not one; the rest
 * belongs to the program.
 */
#include "cli/run/options.h"

#include <stdlib.h>
#include <string.h>
#include <warmfork/executor.h>

#include "cli/options.h"

#define COMMAND "run"

static const char help[] =
    "warmfork run [OPTIONS] [--] PROGRAM [ARGUMENTS]\n"
    "\n"
    "Runs PROGRAM in a sandbox, where it can do only what is allowed here. It gets the standard\n"
    "streams, the signals and the terminal of this command, and its exit status is passed on.\n"
    "\n"
    "What is allowed. Each of these options may be given any number of times:\n"
    "  --read PATH, --write PATH, --execute PATH\n"
    "                        a file, or a directory with everything below it; PROGRAM itself may be\n"
    "                        executed without this if it is given with a slash\n"
    "  --device PATH         a device, to open and control it\n"
    "  --calls NAME[,NAME]   system calls, or groups of them\n"
    "  --socket FAMILY[,FAMILY]   unix, inet, inet6, netlink\n"
    "  --tcp-connect PORT[,PORT], --tcp-bind PORT[,PORT]\n"
    "                        TCP ports, if the program has the network of the host: see --namespaces\n"
    "  --env NAME[=VALUE]    a variable, with its current value if none is given\n"
    "\n"
    "Limits. Each may be none:\n"
    "  --timeout TIME, --cpu TIME          10s, 500ms, 2m, 1h\n"
    "  --memory SIZE, --file-size SIZE     512M, 2G\n"
    "  --processes N, --descriptors N\n"
    "  --scratch SIZE        the size of a /tmp of its own\n"
    "  --output SIZE         of standard output and of standard error; both are then written only when\n"
    "                        the program has ended\n"
    "\n"
    "The rest of the policy:\n"
    "  --preset NAME         what these options are added to: pure, stage (the default) or tests\n"
    "  --policy FILE         a policy file; several are combined, and the options are added to them\n"
    "  --identity UID[:GID]  the identity under which the program runs if root starts it\n"
    "  --namespaces LIST, --layers LIST    only these, or none; by default all\n"
    "  --best-effort         leave out the layers that this machine lacks\n"
    "  --on-refusal WHAT     continue: the call fails; end: the program is ended\n"
    "  --watch WHAT          which refusals are noted: none, calls, paths\n"
    "  --probe WHEN          when it is tested that the layers are in force: once, or in each worker\n"
    "                        (worker)\n"
    "\n"
    "The run:\n"
    "  --chdir DIR           the directory to run in; by default the current one if the sandbox has it,\n"
    "                        otherwise /\n"
    "  --explain             say what was refused, and which option would allow it\n"
    "  --report json[=FILE]  write what became of the program to standard error or to FILE\n"
    "  --print-policy        print the policy, and run nothing\n"
    "  --learn[=FILE]        refuse nothing, and write the policy that the program needs to standard\n"
    "                        error or to FILE; only for programs that you trust\n"
    "  --help, --version     print this, or the version of the library\n"
    "\n"
    "Exit status: that of the program; if a signal ended it, this command ends by the same signal.\n"
    "These are the command's own:\n"
    "  240  the command line or the policy makes no sense\n"
    "  241  the program was not started\n"
    "  242  the policy ended it\n"
    "  243  it took more time than it may\n"
    "  244  it took more memory than it may\n"
    "  245  it wrote more than it may\n"
    "  246  what became of it is not known, or the report could not be written\n"
    "  247  the program itself exited with one of 240 to 247\n";

/* --- options ------------------------------------------------------------------------------- */

enum option_id {
	OPTION_RULE = OPTIONS_FIRST, /* and its place in the table of rules */
	OPTION_BEST_EFFORT = OPTIONS_FIRST + 64,
	OPTION_PRESET,
	OPTION_POLICY,
	OPTION_PRINT_POLICY,
	OPTION_CHDIR,
	OPTION_EXPLAIN,
	OPTION_REPORT,
	OPTION_LEARN,
};

static const struct rule_option {
	const char *name, *key;
	bool is_list; /* of words without commas */
} rule_options[] = {
	{ "read", "read", false },
	{ "write", "write", false },
	{ "execute", "execute", false },
	{ "device", "device", false },
	{ "calls", "calls", true },
	{ "socket", "socket", true },
	{ "tcp-connect", "tcp_connect", true },
	{ "tcp-bind", "tcp_bind", true },
	{ "env", "environment", false },
	{ "identity", "identity", false },
	{ "timeout", "limits.wall", false },
	{ "cpu", "limits.cpu", false },
	{ "memory", "limits.memory", false },
	{ "processes", "limits.processes", false },
	{ "descriptors", "limits.descriptors", false },
	{ "file-size", "limits.file_size", false },
	{ "output", "limits.output", false },
	{ "scratch", "limits.scratch", false },
	{ "namespaces", "namespaces", true },
	{ "layers", "layers", true },
	{ "on-refusal", "on_refusal", false },
	{ "watch", "report", false },
	{ "probe", "probe", false },
};
#define N_RULE_OPTIONS (sizeof rule_options / sizeof rule_options[0])

static const struct option other_options[] = {
	{ "best-effort", no_argument, NULL, OPTION_BEST_EFFORT },
	{ "preset", required_argument, NULL, OPTION_PRESET },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "print-policy", no_argument, NULL, OPTION_PRINT_POLICY },
	{ "chdir", required_argument, NULL, OPTION_CHDIR },
	{ "explain", no_argument, NULL, OPTION_EXPLAIN },
	{ "report", required_argument, NULL, OPTION_REPORT },
	{ "learn", optional_argument, NULL, OPTION_LEARN },
};
#define N_OTHER_OPTIONS (sizeof other_options / sizeof other_options[0])

const char *run_options_name(const char *key) {
	for (size_t i = 0; i < N_RULE_OPTIONS; i++)
		if (strcmp(rule_options[i].key, key) == 0)
			return rule_options[i].name;
	return NULL;
}

static void fill_known(struct option known[N_RULE_OPTIONS + N_OTHER_OPTIONS]) {
	for (size_t i = 0; i < N_RULE_OPTIONS; i++)
		known[i] = (struct option){ rule_options[i].name, required_argument, NULL,
					    OPTION_RULE + (int)i };
	memcpy(known + N_RULE_OPTIONS, other_options, sizeof other_options);
}

/* --- values -------------------------------------------------------------------------------- */

static bool no_memory(void) {
	run_say("there is no memory for the options");
	return false;
}

static bool add_rule(struct run_options *ret, const char *option, const char *key,
		     const char *value) {
	struct run_rule *more = realloc(ret->rules, (ret->n_rules + 1) * sizeof ret->rules[0]);

	if (!more)
		return no_memory();
	ret->rules = more;
	ret->rules[ret->n_rules++] = (struct run_rule){ option, key, value };
	return true;
}

static bool add_policy(struct run_options *ret, const char *file) {
	const char **more = realloc(ret->policies, (ret->n_policies + 1) * sizeof ret->policies[0]);

	if (!more)
		return no_memory();
	ret->policies = more;
	ret->policies[ret->n_policies++] = file;
	return true;
}

/* Takes the words of a list, which may be cut up because it is our own command line. */
static bool take_rule(const struct rule_option *option, char *text, struct run_options *ret) {
	if (strcmp(option->name, "output") == 0)
		ret->capture = strcmp(text, "none") != 0;
	for (char *comma; option->is_list && (comma = strchr(text, ',')); text = comma + 1) {
		*comma = '\0';
		if (!add_rule(ret, option->name, option->key, text))
			return false;
	}
	return add_rule(ret, option->name, option->key, text);
}

static bool take_report(const char *text, struct run_options *ret) {
	const char form[] = "json";
	size_t size = strlen(form);

	if (strncmp(text, form, size) != 0 || (text[size] != '\0' && text[size] != '='))
		return options_complain(COMMAND, "--report takes json or json=FILE, not \"%s\"",
					text);
	if (strcmp(text + size, "=") == 0)
		return options_complain(COMMAND, "--report json= needs the name of a file");
	ret->report = text[size] ? text + size + 1 : "";
	return true;
}

static bool take_option(void *options, int option, char *value) {
	struct run_options *ret = options;

	if (option >= OPTION_RULE && option < OPTION_RULE + (int)N_RULE_OPTIONS)
		return take_rule(&rule_options[option - OPTION_RULE], value, ret);
	switch (option) {
	case OPTION_BEST_EFFORT:
		return add_rule(ret, "best-effort", "strict", "no");
	case OPTION_PRESET:
		ret->preset = value;
		return options_preset(COMMAND, value);
	case OPTION_POLICY:
		return add_policy(ret, value);
	case OPTION_PRINT_POLICY:
		ret->print_policy = true;
		return true;
	case OPTION_CHDIR:
		ret->directory = value;
		return true;
	case OPTION_EXPLAIN:
		ret->explain = true;
		return true;
	case OPTION_REPORT:
		return take_report(value, ret);
	case OPTION_LEARN:
	default:
		ret->learn = value ? value : "";
		return true;
	}
}

static bool check(const struct run_options *options) {
	if (!options->program && !options->print_policy)
		return options_complain(
		    COMMAND, "no program is given; write it and its arguments after the options");
	return true;
}

bool run_options_parse(int argc, char **argv, struct run_options *ret,
		       enum run_status *ret_status) {
	struct option known[N_RULE_OPTIONS + N_OTHER_OPTIONS];
	const struct options_grammar grammar = {
		.command = COMMAND,
		.help = help,
		.known = known,
		.n_known = sizeof known / sizeof known[0],
		.leading = true,
		.unknown =
		    "is not an option of this command, or is abbreviated, or takes no value; "
		    "write the program's own options after the program",
		.take = take_option,
	};
	enum options_result result;
	int rest = argc;

	*ret = (struct run_options){ .preset = NULL };
	fill_known(known);
	result = options_parse(&grammar, argc, argv, ret, &rest);
	*ret_status = result == OPTIONS_OVER ? RUN_OK : RUN_USAGE;
	ret->program = rest < argc ? argv + rest : NULL;
	if (result == OPTIONS_GOOD && check(ret))
		return true;
	run_options_clear(ret);
	return false;
}

void run_options_clear(struct run_options *options) {
	free(options->policies);
	free(options->rules);
	*options = (struct run_options){ .preset = NULL };
}
