#include "formats/tokenizer/side_json.h"

#include "formats/core/json.h"

/* At most so many values: each is followed by a comma, or is the last of a bracket. Those in texts are
 * counted, too, which only makes the bound a little lower. */
static size_t
count_values(const char *text, size_t size)
{
	size_t n = 1;
	for (size_t i = 0; i < size; i++)
		n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	return n;
}

json_t *
phi_side_json(const struct phi_side *side, unsigned flags, size_t values_max, struct phi_err *err)
{
	const size_t n = count_values(side->data, side->size);
	if (n > values_max) {
		phi_fail(err, PHI_LIMIT, "some %zu values, at most %zu", n, values_max);
		return NULL;
	}
	return phi_json_parse(side->data, side->size, flags, err);
}
