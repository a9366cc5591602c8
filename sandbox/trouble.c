/* SPDX-License-Identifier: MIT */
#include "sandbox/trouble.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

int trouble_fail(struct sandbox_trouble *trouble, uint32_t layer, int error, const char *format,
		 ...) {
	va_list arguments;

	trouble->layer = layer;
	va_start(arguments, format);
	(void)vsnprintf(trouble->text, sizeof trouble->text, format, arguments);
	va_end(arguments);
	return error_origin(error > 0 ? -error : -EIO);
}
