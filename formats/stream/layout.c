/* --layout of a stream that lies in a file:
 *
 *     "tar header"   a member's, with what pax puts before it
 *     "member"       model.json, side files, model.xxh3
 *     "header", "tensor"   what model.safetensors consists of
 *     "padding"      up to a multiple of 512
 *     "end"          blocks of zeros
 *
 * A compressed one is one region. */
#include "formats/core/checked.h"
#include "formats/core/tile.h"
#include "formats/stream/stream.h"
#include "formats/stream/tape.h"

#include <string.h>

enum { RECORD = 512, SIZE_AT = 124, SIZE_DIGITS = 11, TYPE_AT = 156 };

/* Records that tell of the next one (pax, GNU's long names) are of the size their octal says. */
static uint64_t
octal(const uint8_t *digits)
{
	uint64_t n = 0;
	for (int i = 0; i < SIZE_DIGITS && digits[i] >= '0' && digits[i] <= '7'; i++)
		n = n << 3 | (uint64_t)(digits[i] - '0');
	return n;
}

/* Where the data of the member begins whose first header is at `at`. */
static int
find_data(struct phi_member *member, uint64_t at, uint64_t *data, struct phi_err *err)
{
	uint8_t head[RECORD];
	for (;;) {
		uint64_t skip;
		if (phi_member_read(member, at, head, sizeof head, err))
			return -1;
		if (!strchr("xgLK", head[TYPE_AT]) || !head[TYPE_AT])
			break;
		if (!phi_round_up(octal(head + SIZE_AT), RECORD, &skip) ||
			!phi_add(at, RECORD + skip, &at))
			return phi_fail(err, PHI_FORMAT, "tar: a header that passes its end");
	}
	*data = at + RECORD;
	return 0;
}

static int
tile_weights(const struct phi_model *model, const struct phi_stream_place *place,
	struct phi_tiler *tiler, struct phi_err *err)
{
	if (phi_tile(tiler, place->weights + place->start, "header", PHI_STREAM_WEIGHTS, err))
		return -1;
	for (size_t i = 0; i < model->nstorages; i++) {
		const struct phi_storage *const s = &model->storages[i];
		if (phi_tile(tiler, place->weights + s->offset + s->size, "tensor",
			    model->tensors[s->inner].name, err))
			return -1;
	}
	return 0;
}

static int
tile_member(const struct phi_model *model, const struct phi_stream_place *place, const char *name,
	uint64_t at, uint64_t size, struct phi_tiler *tiler, struct phi_err *err)
{
	uint64_t data = 0, end;
	if (phi_tile(tiler, at, "padding", NULL, err) || find_data(place->member, at, &data, err) ||
		phi_tile(tiler, data, "tar header", name, err))
		return -1;
	if (data == place->weights && tile_weights(model, place, tiler, err))
		return -1;
	if (!phi_add(data, size, &end) || phi_tile(tiler, end, "member", name, err) ||
		!phi_round_up(end, RECORD, &end))
		return -1;
	return end <= phi_member_size(place->member) ? phi_tile(tiler, end, "padding", NULL, err)
						     : 0;
}

int
phi_stream_layout(struct phi_source *source, const struct phi_regions *regions, struct phi_err *err)
{
	const struct phi_stream_place place = phi_stream_place(source);
	struct phi_tiler tiler = { .regions = regions, .file = phi_member_name(place.member) };
	const uint64_t size = phi_member_size(place.member);
	const char *name;
	uint64_t n;
	struct phi_tape *const tape = phi_tape_open(place.member, err);
	int more = tape ? 1 : -1;
	while (more > 0) {
		more = phi_tape_next(tape, &name, &n, err);
		const uint64_t at = more > 0 ? phi_tape_position(tape) : UINT64_MAX;
		if (more > 0 && at == UINT64_MAX)
			break;
		if (more > 0 && tile_member(source->model, &place, name, at, n, &tiler, err))
			more = -1;
	}
	phi_tape_close(tape);
	return more < 0 ? -1 : phi_tile(&tiler, size, more ? "compressed" : "end", NULL, err);
}
