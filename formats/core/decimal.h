/* Numbers as the shortest decimal text that reads back the same, valid as JSON and never mistaken for a whole
 * number: 1e-05, 10000.0. Whatever the locale, the point is a point. */
#ifndef PHI_CORE_DECIMAL_H
#define PHI_CORE_DECIMAL_H

#include <stdbool.h>

enum { PHI_DECIMAL_MAX = 40 };

/* v is finite. `single`: v is a float, and its text shall read back as that float, not as the double. */
const char *phi_decimal(char text[PHI_DECIMAL_MAX], double v, bool single);

#endif
