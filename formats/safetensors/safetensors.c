/* The safetensors format: one file, header first, read from and written to pipes as well. */
#include "formats/safetensors/read.h"

#include "formats/core/bytes.h"
#include "formats/core/st_plan.h"

#include <string.h>

/* There is no magic. The length's upper half is zero, and a '{' follows: 40 bits; a quote or the
 * end of an empty header after that makes it sure. The suffix alone only buys a better message. */
static int
bid(const struct phi_probe *probe)
{
	if (probe->kind != PHI_STORE_FILE && probe->kind != PHI_STORE_PIPE)
		return 0;
	const char *const dot = strrchr(probe->name, '.');
	const int hint = dot && !strcmp(dot, ".safetensors");
	if (probe->size < 10 || probe->head[8] != '{')
		return hint;
	const int mark = strchr("\"} \t\r\n", probe->head[9]) ? 4 : 0;
	return (phi_load64(probe->head) <= PHI_HEADER_MAX ? 40 : 8) + mark;
}

static int
complete(struct phi_plan *plan, struct phi_err *err)
{
	uint32_t *tensors;
	size_t count;
	if (phi_st_plan_choose(plan, &tensors, &count, err) || phi_plan_add_file(plan, NULL, err))
		return -1;
	return phi_st_plan_file(plan, 0, tensors, count, err)
		       ? -1
		       : phi_plan_warn_left_out(plan, true, err);
}

const struct phi_format phi_format_safetensors = {
	.name = "safetensors",
	.summary = "tensors in one file, as Hugging Face's library writes them",
	.suffixes = (const char *const[]){ ".safetensors", NULL },
	.flags = PHI_FORMAT_FLOWS_IN | PHI_FORMAT_FLOWS_OUT | PHI_FORMAT_STRINGS |
		PHI_FORMAT_MEMBERS,
	.bid = bid,
	.open = phi_safetensors_open,
	.scan = phi_safetensors_scan,
	.lower = phi_st_lower,
	.complete = complete,
	.sink = &phi_sink_flat,
};
