#include "formats/core/decimal.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* printf uses the decimal point of the locale; JSON knows one. */
static void
mend_point(char *text)
{
	const char *const point = localeconv()->decimal_point;
	char *const at = strcmp(point, ".") ? strstr(text, point) : NULL;
	if (!at)
		return;
	*at = '.';
	memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
}

const char *
phi_decimal(char text[PHI_DECIMAL_MAX], double v, bool single)
{
	for (int digits = single ? 6 : 15; digits <= 17; digits++) {
		snprintf(text, PHI_DECIMAL_MAX, "%.*g", digits, v);
		if (single ? (float)strtod(text, NULL) == (float)v : strtod(text, NULL) == v)
			break;
	}
	mend_point(text);
	if (!strpbrk(text, ".e"))
		strcat(text, ".0");
	return text;
}
