/* PyTorch checkpoints: zip files of torch 1.6 and later, TorchScript archives, the files before
 * them. */
#include "formats/pytorch/read.h"
#include "formats/pytorch/write.h"

#include "formats/core/bytes.h"
#include "formats/core/st_plan.h"
#include "formats/core/zip.h"
#include "formats/core/zip_plan.h"

#include <string.h>

static bool
has_suffix(const char *name)
{
	static const char *const suffixes[] = { ".pt", ".pth", ".bin", ".ckpt", ".ptl", ".jit" };
	const char *const dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
		if (!strcmp(dot, suffixes[i]))
			return true;
	return false;
}

/* Many things are zips: what is sure is torch's first entry, NAME/data.pkl (or a file of
 * TorchScript's). */
static int
bid_zip(const struct phi_probe *probe)
{
	static const char *const firsts[] = { "/data.pkl", "/version", "/constants.pkl",
		"/.format_version", "/byteorder" };
	const size_t n = probe->size >= PHI_ZIP_LOCAL ? phi_load16(probe->head + 26) : 0;
	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
		const size_t m = strlen(firsts[i]);
		if (n > m && PHI_ZIP_LOCAL + n <= probe->size &&
			!memcmp(probe->head + PHI_ZIP_LOCAL + n - m, firsts[i], m))
			return 72;
	}
	return has_suffix(probe->name) ? 33 : 8;
}

static int
bid(const struct phi_probe *probe)
{
	if (probe->kind == PHI_STORE_TAR)
		return phi_pytorch_is_tar(probe->store) ? 24 : 0;
	if (probe->kind != PHI_STORE_FILE && probe->kind != PHI_STORE_PIPE)
		return 0;
	if (phi_pytorch_is_flat(probe->head, probe->size))
		return 32;
	if (probe->size >= 4 && phi_load32(probe->head) == 0x04034B50)
		return bid_zip(probe);
	if (phi_pytorch_is_legacy(probe->head, probe->size))
		return 120;
	const bool pickle = probe->size >= 3 && probe->head[0] == 0x80 && probe->head[1] >= 2 &&
			    probe->head[1] <= 5;
	return pickle && has_suffix(probe->name) ? 12 : 0;
}

const struct phi_format phi_format_pytorch = {
	.name = "pytorch",
	.summary = "checkpoints of torch.save and TorchScript; nothing in them is run",
	.suffixes = (const char *const[]){ ".pt", ".pth", ".bin", ".ckpt", NULL },
	.flags = PHI_FORMAT_FLOWS_OUT | PHI_FORMAT_MEMBERS,
	.bid = bid,
	.open = phi_pytorch_open,
	.lower = phi_st_lower,
	.complete = phi_pytorch_complete,
	.plan_file = phi_pytorch_plan_file,
	.sink = &phi_sink_zip,
	.scan = phi_pytorch_scan,
};
