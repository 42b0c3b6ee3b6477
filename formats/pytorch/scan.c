/* --scan of one file: told by content what it is, and examined to the last byte. */
#include "formats/pytorch/scan.h"

#include "formats/core/bytes.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/pytorch/read.h"

#include <inttypes.h>
#include <string.h>

enum { HEAD = 512, OVERLAP = 1024 };

struct signature {
	const char *bytes;
	size_t size;
	enum phi_scan_rule rule;
	const char *what;
};

/* What is looked into nowhere here. All are too long to be met by chance in weights. */
static const struct signature signatures[] = {
	{ "7z\xBC\xAF\x27\x1C", 6, PHI_RULE_COMPRESSED, "7z" },
	{ "Rar!\x1A\x07", 6, PHI_RULE_COMPRESSED, "rar" },
	{ "\xFD" "7zXZ", 6, PHI_RULE_COMPRESSED, "xz" },
	{ "BZh", 3, PHI_RULE_COMPRESSED, "bzip2" },
	{ "\x28\xB5\x2F\xFD", 4, PHI_RULE_COMPRESSED, "zstd" },
	{ "\x04\x22\x4D\x18", 4, PHI_RULE_COMPRESSED, "lz4" },
	{ "\x5D\x00\x00", 3, PHI_RULE_COMPRESSED, "lzma" },
	{ "MSCF\0\0\0\0", 8, PHI_RULE_COMPRESSED, "a cabinet" },
	{ "\x7F" "ELF", 4, PHI_RULE_EXECUTABLE, "ELF" },
	{ "MZ", 2, PHI_RULE_EXECUTABLE, "PE" },
	{ "\xCF\xFA\xED\xFE", 4, PHI_RULE_EXECUTABLE, "Mach-O" },
	{ "\xCA\xFE\xBA\xBE", 4, PHI_RULE_EXECUTABLE, "Mach-O or Java" },
};

/* Short signatures need more than themselves. */
static bool
fits(const struct phi_scan_input *in, const struct signature *g, const uint8_t *head, size_t n)
{
	if (n < g->size || memcmp(head, g->bytes, g->size))
		return false;
	if (!strcmp(g->what, "bzip2"))
		return n >= 10 && head[3] >= '1' && head[3] <= '9' && !memcmp(head + 4, "1AY&SY", 6);
	if (!strcmp(g->what, "lzma")) /* dictionary, then the size or -1 */
		return n >= 13 && phi_load32(head + 1) && !(phi_load32(head + 1) & (phi_load32(head + 1) - 1)) &&
			(phi_load64(head + 5) == UINT64_MAX || !(phi_load64(head + 5) >> 40));
	if (strcmp(g->what, "PE") || n < 64)
		return strcmp(g->what, "PE") != 0;
	uint8_t mark[4];
	const uint32_t at = phi_load32(head + 60);
	return in->size >= 4 && at <= in->size - 4 && !phi_scan_read(in, at, mark, 4, NULL) &&
		!memcmp(mark, "PE\0\0", 4);
}

static int
check_signatures(struct phi_scan *s, const struct phi_scan_input *in, const uint8_t *head, size_t n,
	struct phi_err *err)
{
	for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
		const struct signature *const g = &signatures[i];
		if (fits(in, g, head, n))
			return phi_scan_emit(s, in, g->rule, 0, err, g->rule == PHI_RULE_COMPRESSED
				? "%s: is not unpacked here" : "%s: a program for a machine", g->what);
	}
	return 0;
}

/* gzip says so; zlib has two bytes only, so that what is no zlib is no finding. */
static int
check_deflated(struct phi_scan *s, const struct phi_scan_input *in, const uint8_t *head, size_t n,
	struct phi_err *err)
{
	const bool gzip = n >= 18 && head[0] == 0x1F && head[1] == 0x8B && head[2] == 8 && head[3] < 32;
	const bool zlib = n >= 8 && (head[0] & 0x8F) == 8 && (head[0] * 256 + head[1]) % 31 == 0;
	struct phi_scan_inflated out;
	if (!gzip && !zlib)
		return 0;
	if (phi_scan_inflate(s, in, gzip ? 31 : 15, gzip, &out, err))
		return -1;
	if (gzip && (!out.good || out.used < in->size))
		return phi_scan_emit(s, in, PHI_RULE_COMPRESSED, out.used, err, out.good
			? "bytes, or another part, follow gzip's end" : "gzip: is broken");
	return 0;
}

/* Pickles anywhere */

static bool
name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		c == '.';
}

/* "cos\nsystem\n": a dangerous global as protocol 0 writes it. */
static bool
names_danger(const uint8_t *p, size_t n)
{
	size_t module = 1;
	while (module < n && module < 128 && name_byte(p[module]))
		module++;
	if (module == 1 || module >= n || p[module] != '\n')
		return false;
	size_t name = module + 1;
	while (name < n && name - module < 128 && name_byte(p[name]))
		name++;
	return name < n && name > module + 1 && p[name] == '\n' &&
	       phi_scan_classify((const char *)p + 1, module - 1, (const char *)p + module + 1,
		       name - module - 1) == PHI_GLOBAL_DANGEROUS;
}

/* Runs what may be a pickle at `at`; *next is where the search goes on. */
static int
try_hidden(struct phi_scan *s, const struct phi_scan_input *in, uint64_t at, const uint8_t *p,
	size_t n, uint64_t *next, struct phi_err *err)
{
	struct phi_scan_pickle found = { 0 };
	*next = at + 1;
	if (p[0] == 0x80 ? n < 2 || p[1] > 5 : !names_danger(p, n))
		return 0;
	if (phi_scan_pickle(s, in, at, true, &found, err))
		return -1;
	/* (cos\nsystem\n...o: the mark comes before. */
	if (!found.proven && p[0] == 'c' && at && phi_scan_pickle(s, in, at - 1, true, &found, err))
		return -1;
	if (found.proven && found.globals)
		*next = at + found.used;
	return 0;
}

static int
search(struct phi_scan *s, const struct phi_scan_input *in, uint64_t from, struct phi_err *err)
{
	struct phi_scan_window w = { .in = in };
	int result = 0;
	while (!result && !s->full && from < in->size) {
		size_t left;
		const uint8_t *const p = phi_scan_look(&w, from, 1, &left, err);
		if (!p) {
			result = -1;
			break;
		}
		/* Near the window's end, what is looked at would be cut. */
		if (left < OVERLAP && from + left < in->size && !in->memory) {
			w.size = 0;
			continue;
		}
		const size_t stop = from + left < in->size ? left - OVERLAP + 1 : left;
		size_t i = 0;
		while (i < stop && p[i] != 0x80 && p[i] != 'c')
			i++;
		uint64_t next = from + i;
		if (i < stop)
			result = try_hidden(s, in, from + i, p + i, left - i, &next, err);
		from = next;
	}
	phi_scan_window_free(&w);
	return result;
}

/* Pickles one behind the other from the start. *at: where they end. evident: there was one that is no
 * accident of a few bytes. */
static int
run_pickles(struct phi_scan *s, const struct phi_scan_input *in, uint64_t *at, bool *evident,
	struct phi_err *err)
{
	struct phi_scan_pickle p;
	bool legacy = false;
	*evident = false;
	for (unsigned count = 0; *at < in->size && !s->full; count++) {
		if (phi_scan_pickle(s, in, *at, false, &p, err))
			return -1;
		if (!p.proven)
			break;
		const bool strong = p.globals || (p.headed && p.steps >= 3);
		if (count && strong && *evident && !in->literal && !(legacy && count < 5) &&
			phi_scan_emit(s, in, PHI_RULE_CONTINUED, *at, err, "another pickle follows"))
			return -1;
		*evident |= strong;
		legacy |= !count && p.magic;
		*at += p.used;
		if (!p.stopped)
			return 0;
		/* torch's old files: five pickles, then the storages. */
		if (legacy && count == 4)
			return 0;
	}
	if (*evident && !legacy && *at < in->size && !in->literal)
		return phi_scan_emit(s, in, PHI_RULE_TRAILING, *at, err, "%" PRIu64 " bytes follow",
			in->size - *at);
	return 0;
}

int
phi_scan_raw(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err)
{
	uint64_t at = 0;
	bool evident;
	if (run_pickles(s, in, &at, &evident, err))
		return -1;
	return search(s, in, evident ? at : 0, err);
}

static bool
is_tar(const uint8_t *head, size_t n)
{
	return n >= 263 && !memcmp(head + 257, "ustar", 5);
}

int
phi_scan_content(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err)
{
	uint8_t head[HEAD];
	const size_t n = in->size < HEAD ? (size_t)in->size : HEAD;
	bool archive = false;
	if (in->depth > PHI_SCAN_DEPTH_MAX)
		return phi_scan_emit(s, in, PHI_RULE_DEPTH, 0, err, "nested deeper than %d",
			PHI_SCAN_DEPTH_MAX);
	const int charged = phi_scan_charge(s, in, in->size, err);
	if (charged || !n)
		return charged < 0 ? -1 : 0;
	if (phi_scan_read(in, 0, head, n, err) || phi_scan_zip(s, in, &archive, err))
		return -1;
	if (archive)
		return 0;
	if (is_tar(head, n))
		return phi_scan_tar(s, in, err);
	if (n >= 6 && !memcmp(head, "\x93NUMPY", 6))
		return phi_scan_numpy(s, in, err);
	if (check_signatures(s, in, head, n, err) || check_deflated(s, in, head, n, err) ||
		phi_scan_text(s, in, head, n, err))
		return -1;
	if (in->literal && phi_scan_is_base64(head, n) && phi_scan_base64(s, in, err))
		return -1;
	return phi_scan_raw(s, in, err);
}

int
phi_pytorch_scan(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_scan s = { .findings = findings, .steps = PHI_SCAN_STEPS_MAX };
	struct phi_scan_input in = { .member = phi_store_member(store, NULL, err) };
	int result = -1;
	if (in.member && !phi_member_spool(in.member, err)) {
		in.size = phi_member_size(in.member);
		s.volume = in.size < UINT64_MAX / 32 ? 16 * in.size + PHI_SCAN_VOLUME_MAX : UINT64_MAX;
		s.arena = phi_arena_new(err);
		s.said = s.arena ? phi_names_new(err) : NULL;
		if (s.said)
			result = phi_scan_content(&s, &in, err);
	}
	phi_names_free(s.said);
	phi_arena_free(s.arena);
	phi_member_close(in.member);
	return result;
}
