/* --scan of tar files and of NumPy's arrays.
 *
 * tar: headers of 512 bytes (name 100, mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1,
 * link 100, "ustar"), each followed by its data, filled up to 512; two empty blocks end it. A pax
 * header ('x') may say another size for the next entry; its name matters to nobody here.
 * npy: "\x93NUMPY", version, length of the header (u16, u32 from version 2), the header, the data: of
 * an array of objects, a pickle. */
#include "formats/pytorch/scan.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, HEADER_MAX = 64 << 10 };

/* Octal digits, or base 256 where the highest bit is set. */
static bool
tar_number(const uint8_t *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	if (p[0] == 0x80) {
		for (size_t i = n - 8; i < n; i++)
			v = v << 8 | p[i];
		*out = v;
		return p[n - 8] < 0x80;
	}
	size_t i = 0;
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	*out = v;
	return i == n || p[i] == '\0' || p[i] == ' ';
}

static bool
tar_checked(const uint8_t *p)
{
	uint64_t want, sum = 8 * ' ';
	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? 0 : p[i];
	return tar_number(p + 148, 8, &want) && want == sum;
}

/* Records of a pax header: "LENGTH KEY=VALUE\n"; the last size counts. */
static void
pax_size(const char *text, uint64_t *size, bool *given)
{
	for (const char *p = text; *p;) {
		char *rest;
		const uint64_t length = strtoull(p, &rest, 10);
		if (rest == p || length == 0 || length > strlen(p))
			return;
		if (!strncmp(rest, " size=", 6)) {
			*size = strtoull(rest + 6, NULL, 10);
			*given = true;
		}
		p += length;
	}
}

static bool
climbs(const char *name)
{
	return name[0] == '/' || !strncmp(name, "../", 3) || strstr(name, "/../") || !strcmp(name, "..");
}

struct tar {
	struct phi_scan *s;
	const struct phi_scan_input *in;
	uint64_t at, pax;
	bool given; /* pax says the size */
};

static int
tar_entry(struct tar *t, const uint8_t *header, uint64_t size, struct phi_err *err)
{
	char name[101], quoted[256];
	struct phi_scan_input part = phi_scan_part(t->in, t->at, size);
	memcpy(name, header, 100);
	name[100] = '\0';
	phi_escape(quoted, sizeof quoted, name, strlen(name));
	part.entry = phi_arena_printf(t->s->arena, err, "%s%s%s", t->in->entry ? t->in->entry : "",
		t->in->entry ? "!" : "", name);
	part.origin = 0;
	part.depth++;
	if (!part.entry)
		return -1;
	if (climbs(name) && phi_scan_emit(t->s, &part, PHI_RULE_TAR_NAME, UINT64_MAX, err,
		"%s leaves the folder", quoted))
		return -1;
	const char type = (char)header[156];
	if (type == 'S')
		return phi_scan_emit(t->s, &part, PHI_RULE_TAR_BROKEN, UINT64_MAX, err, "is sparse");
	if (type >= '1' && type <= '6' && type != '5' &&
		phi_scan_emit(t->s, &part, PHI_RULE_TAR_LINK, UINT64_MAX, err, "%s is no file", quoted))
		return -1;
	return phi_scan_content(t->s, &part, err);
}

/* One header and its data; 0 at the end too, with t->at where that is. */
static int
tar_step(struct tar *t, bool *more, struct phi_err *err)
{
	uint8_t header[BLOCK + 1] = { 0 };
	uint64_t size = 0;
	*more = false;
	if (t->in->size - t->at < BLOCK)
		return t->at == t->in->size ? 0
			: phi_scan_emit(t->s, t->in, PHI_RULE_TAR_BROKEN, t->at, err, "is cut");
	if (phi_scan_read(t->in, t->at, header, BLOCK, err))
		return -1;
	if (!header[0] && !memcmp(header, header + 1, BLOCK - 1))
		return 0;
	if (!tar_checked(header) || !tar_number(header + 124, 12, &size))
		return phi_scan_emit(t->s, t->in, PHI_RULE_TAR_BROKEN, t->at, err, "no header of tar");
	if (t->given && header[156] != 'x' && header[156] != 'g') {
		size = t->pax;
		t->given = false;
	}
	t->at += BLOCK;
	if (size > t->in->size - t->at)
		return phi_scan_emit(t->s, t->in, PHI_RULE_TAR_BROKEN, t->at, err,
			"an entry of %" PRIu64 " bytes passes the end", size);
	if (header[156] == 'x' || header[156] == 'g') {
		char text[4096] = { 0 };
		if (phi_scan_read(t->in, t->at, text, size < sizeof text ? (size_t)size : sizeof text - 1,
			    err))
			return -1;
		pax_size(text, &t->pax, &t->given);
	} else if (tar_entry(t, header, size, err)) {
		return -1;
	}
	const uint64_t filled = size % BLOCK ? size + BLOCK - size % BLOCK : size;
	t->at += filled < t->in->size - t->at ? filled : t->in->size - t->at;
	*more = true;
	return 0;
}

int
phi_scan_tar(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err)
{
	struct tar t = { .s = s, .in = in };
	bool more = true;
	while (more && !s->full)
		if (tar_step(&t, &more, err))
			return -1;
	/* Zeros, or what does not belong there. */
	const struct phi_scan_input rest = phi_scan_part(in, t.at, in->size - t.at);
	return rest.size ? phi_scan_raw(s, &rest, err) : 0;
}


int
phi_scan_numpy(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err)
{
	uint8_t start[12] = { 0 };
	const size_t n = in->size < sizeof start ? (size_t)in->size : sizeof start;
	if (phi_scan_read(in, 0, start, n, err))
		return -1;
	const size_t prefix = start[6] == 1 ? 10 : 12;
	const uint64_t length = start[6] == 1 ? phi_load16(start + 8) : phi_load32(start + 8);
	if (start[6] < 1 || start[6] > 3 || in->size < prefix || length > HEADER_MAX ||
		length > in->size - prefix)
		return phi_scan_emit(s, in, PHI_RULE_NUMPY, 0, err, "the header is none") ? -1
			: phi_scan_raw(s, in, err);
	const uint64_t data = prefix + length;
	const struct phi_scan_input rest = phi_scan_part(in, data, in->size - data);
	return phi_scan_raw(s, &rest, err);
}
