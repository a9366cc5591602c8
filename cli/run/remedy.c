/* SPDX-License-Identifier: MIT
 *
 * The library prints lines of a policy file, with one value in brackets. Values for which YAML
 * needs escapes are left to the policy file, because they hold characters that cannot be typed.
 */
#include "cli/run/remedy.h"

#include <stdio.h>
#include <string.h>

#include "cli/run/options.h"

#define VALUE_SIZE 4200 /* of a path */

/* 'it''s' becomes it's. An unquoted value stays as it is. */
static void unquote(char *value) {
	size_t length = strlen(value);
	char *to = value;

	if (value[0] != '\'' || length < 2)
		return;
	for (const char *from = value + 1; from < value + length - 1; from++) {
		*to++ = *from;
		if (*from == '\'')
			from++;
	}
	*to = '\0';
}

/* Returns false if it does not fit. */
static bool quote(const char *value, char *ret, size_t size) {
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_@%+=:,./-";
	size_t used = 0;

	if (value[strspn(value, plain)] == '\0')
		return (size_t)snprintf(ret, size, "%s", value) < size;
	for (const char *at = value; used + 5 < size; at++) {
		if (at == value || *at == '\0')
			ret[used++] = '\'';
		if (*at == '\0') {
			ret[used] = '\0';
			return true;
		}
		if (*at == '\'')
			used += (size_t)snprintf(ret + used, size - used, "'\\''");
		else
			ret[used++] = *at;
	}
	return false;
}

void run_remedy_option(const char *line, char *ret, size_t size) {
	const char *colon = strstr(line, ": ["), *option;
	char key[32], value[VALUE_SIZE], quoted[VALUE_SIZE];
	size_t length = strlen(line);
	int n;

	ret[0] = '\0';
	if (!colon || line[length - 1] != ']' || colon[3] == '"')
		return;
	(void)snprintf(key, sizeof key, "%.*s", (int)(colon - line), line);
	option = run_options_name(key);
	n = snprintf(value, sizeof value, "%.*s", (int)(line + length - colon - 4), colon + 3);
	unquote(value);
	if (!option || n >= (int)sizeof value || !quote(value, quoted, sizeof quoted))
		return;
	n = snprintf(ret, size, "--%s %s", option, quoted);
	if (n < 0 || (size_t)n >= size)
		ret[0] = '\0';
}
