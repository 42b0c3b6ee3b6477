#include "formats/imatrix/imatrix.h"

#include "formats/core/bytes.h"

/* There is no magic: the first entry must make sense. A name of printable characters with a count
 * before and behind it is about 24 bits of evidence, less than any magic. */
static int
bid(const struct phi_probe *probe)
{
	enum { NAME_MAX = 512, FIXED = 20 };
	const uint8_t *const p = probe->head;
	if ((probe->kind != PHI_STORE_FILE && probe->kind != PHI_STORE_PIPE) || probe->size < FIXED)
		return 0;
	const uint32_t entries = phi_load32(p), size = phi_load32(p + 4);
	if (!entries || entries > PHI_IMATRIX_ENTRIES_MAX || !size || size > NAME_MAX ||
		probe->size < FIXED + size)
		return 0;
	for (uint32_t i = 0; i < size; i++)
		if (p[8 + i] <= ' ' || p[8 + i] > '~')
			return 0;
	const int32_t calls = (int32_t)phi_load32(p + 8 + size);
	const int32_t values = (int32_t)phi_load32(p + 12 + size);
	return calls >= 0 && values > 0 ? 24 : 0;
}

const struct phi_format phi_format_imatrix = {
	.name = "imatrix",
	.summary = "importance of columns, llama-imatrix's old files (the new are GGUF)",
	.bid = bid,
	.open = phi_imatrix_open,
};
