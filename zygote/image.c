/* SPDX-License-Identifier: MIT
 *
 * The table that a module declares, checked once, so that nobody who uses it has to doubt it.
 */
#include "zygote/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

_Static_assert(LIMIT_FUNCTIONS == WF_MAX_FUNCTIONS, "the public limit is the protocol's");

static bool names_contain(const struct image *image, const char *name) {
	for (size_t i = 0; i < image->n_functions; i++)
		if (strcmp(image->functions[i], name) == 0)
			return true;
	return false;
}

/* NULL, or what is wrong with entry number image->n_functions. */
static const char *entry_check(const struct image *image, const struct wf_function_entry *entry) {
	if (image->n_functions == LIMIT_FUNCTIONS)
		return "more than 256 functions";
	if (entry->name[0] == '\0')
		return "a function with an empty name";
	if (strlen(entry->name) >= LIMIT_NAME)
		return "a function's name longer than 127 bytes";
	if (!entry->function)
		return "a name without a function";
	if (names_contain(image, entry->name))
		return "two functions of one name";
	return NULL;
}

static const char *module_check(struct image *image, const struct wf_module *module) {
	if (!module)
		return "no declaration: it is NULL";
	if (module->size < sizeof *module)
		return "a size that is too small: set .size = sizeof(struct wf_module)";
	if (module->size > sizeof *module)
		return "a size that this library does not know: it was built for a newer one";
	if (!module->functions || !module->functions[0].name)
		return "no functions";
	for (const struct wf_function_entry *entry = module->functions; entry->name; entry++) {
		const char *wrong = entry_check(image, entry);

		if (wrong)
			return wrong;
		image->functions[image->n_functions++] = entry->name;
	}
	return NULL;
}

int image_set_module(struct image *image, const struct wf_module *module, char *text,
		     size_t text_size) {
	const char *wrong;

	image->n_functions = 0;
	wrong = module_check(image, module);
	if (wrong) {
		(void)snprintf(text, text_size,
			       "its struct wf_module has %s: see <warmfork/task.h>", wrong);
		return error_origin(-EINVAL);
	}
	image->module = module;
	return 0;
}
