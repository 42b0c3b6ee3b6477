/* NumPy's files: .npy, one array; .npz, a zip of them. */
#include "formats/numpy/read.h"
#include "formats/numpy/write.h"

#include "formats/core/bytes.h"
#include "formats/core/st_plan.h"
#include "formats/core/zip_plan.h"

#include <string.h>

static bool
ends_with(const char *name, size_t n, const char *suffix)
{
	const size_t m = strlen(suffix);
	return n >= m && !memcmp(name + n - m, suffix, m);
}

/* Many things are zips: what is sure is an array as the first entry. */
static int
bid_zip(const struct phi_probe *probe)
{
	const size_t n = probe->size >= 30 ? phi_load16(probe->head + 26) : 0;
	if (n && 30 + n <= probe->size && ends_with((const char *)probe->head + 30, n, ".npy"))
		return 72;
	return ends_with(probe->name, strlen(probe->name), ".npz") ? 40 : 0;
}

static int
bid(const struct phi_probe *probe)
{
	if (probe->kind != PHI_STORE_FILE && probe->kind != PHI_STORE_PIPE)
		return 0;
	if (phi_npy_is(probe->head, probe->size))
		return 48;
	const uint32_t first = probe->size >= 4 ? phi_load32(probe->head) : 0;
	return first == 0x04034B50 || first == 0x06054B50 ? bid_zip(probe) : 0;
}

const struct phi_format phi_format_numpy = {
	.name = "numpy",
	.summary = ".npy, one array; .npz, an archive of them; objects in them are not read",
	.suffixes = (const char *const[]){ ".npz", ".npy", NULL },
	.flags = PHI_FORMAT_FLOWS_OUT | PHI_FORMAT_MEMBERS,
	.bid = bid,
	.open = phi_numpy_open,
	.lower = phi_st_lower,
	.complete = phi_numpy_complete,
	.sink = &phi_sink_zip,
};
