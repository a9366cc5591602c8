/* SPDX-License-Identifier: MIT
 *
 * Values may contain foreign text (a path, a setting, a variable). Both forms of the report take
 * ASCII without control characters, so values are converted to that here.
 */
#include "cli/doctor/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct finding *finding_add(struct findings *findings, const char *section, const char *key,
			    const char *label, enum finding_state state) {
	struct finding *finding;

	if (findings->n < FINDINGS_MAX)
		findings->n++;
	finding = &findings->list[findings->n - 1];
	*finding = (struct finding){
		.section = section,
		.key = key,
		.label = label,
		.state = state,
	};
	return finding;
}

__attribute__((format(printf, 3, 0))) static void fill(char *text, size_t size, const char *format,
						       va_list arguments) {
	(void)vsnprintf(text, size, format, arguments);
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

void finding_value(struct finding *finding, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	fill(finding->value, sizeof finding->value, format, arguments);
	va_end(arguments);
}

void finding_costs(struct finding *finding, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	fill(finding->costs, sizeof finding->costs, format, arguments);
	va_end(arguments);
}

void finding_remedy(struct finding *finding, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	fill(finding->remedy, sizeof finding->remedy, format, arguments);
	va_end(arguments);
}

const struct finding *finding_of(const struct findings *findings, const char *section,
				 const char *key) {
	for (size_t i = 0; i < findings->n; i++)
		if (strcmp(findings->list[i].section, section) == 0 &&
		    strcmp(findings->list[i].key, key) == 0)
			return &findings->list[i];
	return NULL;
}

const char *finding_state_name(enum finding_state state) {
	switch (state) {
	case FINDING_HERE:
		return "here";
	case FINDING_PARTLY:
		return "partly";
	case FINDING_MISSING:
		return "missing";
	case FINDING_HIDDEN:
		return "hidden";
	case FINDING_UNKNOWN:
		return "cannot tell";
	}
	return "cannot tell";
}
