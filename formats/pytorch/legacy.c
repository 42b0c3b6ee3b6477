/* torch's container before 1.6 (facts/pytorch_tf.md 1.6): pickles one behind the other, then the
 * storages.
 *
 *     pickle    0x1950A86A20F9469CFC6C, the magic number
 *     pickle    1001, the version
 *     pickle    {'little_endian': True, ...}
 *     pickle    the object; tensors refer to storages by key
 *     pickle    the keys, in the order of what follows
 *     for each  i64 count of elements, then the elements
 */
#include "formats/pytorch/read.h"

#include "formats/core/bytes.h"
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/pytorch/walk.h"

#include <inttypes.h>
#include <string.h>

struct file {
	struct phi_source *source;
	struct phi_member *member;
	struct phi_arena *arena; /* of the pickles; gone after describing */
	uint64_t at, pickle; /* pickle: where that of the object begins */
	bool swap;
};

bool
phi_pytorch_is_legacy(const uint8_t *head, size_t size)
{
	static const uint8_t magic[] = { 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8,
		0x50, 0x19, '.' };
	/* Protocols 4 and 5 put a frame around it: its opcode, and its size in 8 bytes. */
	const size_t at = size > 2 && head[1] >= 4 && head[2] == 0x95 ? 11 : 2;
	return size >= at + sizeof magic && head[0] == 0x80 && head[1] <= 5 &&
	       !memcmp(head + at, magic, sizeof magic);
}

/* Runs the pickle at file->at. How long it is, only running it tells: a window of the file is
 * tried, and a wider one if it ends too early. The strings of the tree are copied: they live in the
 * arena. */
static int
run_pickle(struct file *f, struct phi_pickle_tree *tree, struct phi_err *err)
{
	const uint64_t left = phi_member_size(f->member) - f->at;
	for (uint64_t window = 64 << 10;; window *= 8) {
		const size_t n = left < window ? (size_t)left : (size_t)window;
		struct phi_err tried = { 0 };
		void *const text = phi_arena_alloc(f->arena, n, err);
		if (!text || phi_member_read(f->member, f->at, text, n, err))
			return -1;
		if (!phi_pickle_run(f->arena, text, n, tree, &tried)) {
			f->at += tree->used;
			return 0;
		}
		if (tried.kind != PHI_TRUNCATED || n == left || window > PHI_PICKLE_MAX) {
			if (err)
				*err = tried;
			return phi_context(err, "pickle at offset %" PRIu64, f->at);
		}
	}
}

static int
check_header(struct file *f, struct phi_err *err)
{
	struct phi_pickle_tree magic, version, system;
	if (run_pickle(f, &magic, err) || run_pickle(f, &version, err) ||
		run_pickle(f, &system, err))
		return -1;
	if (version.root->kind != PHI_PICKLE_INT || version.root->i != 1001)
		return phi_fail(
			err, PHI_UNSUPPORTED, "old torch file of another version than 1001");
	const struct phi_pickle *const little = phi_pickle_value(system.root, "little_endian");
	if (!little || little->kind != PHI_PICKLE_BOOL)
		return phi_fail(err, PHI_FORMAT, "old torch file without its byte order");
	f->swap = !little->b;
	return 0;
}

/* The count before a storage, and its place. */
static int
place_storage(struct file *f, const struct phi_torch *torch, const struct phi_pickle *key,
	const char *file, struct phi_err *err)
{
	uint8_t bytes[8];
	struct phi_quoted q;
	const uint32_t i = key->kind == PHI_PICKLE_STRING
				   ? phi_torch_find_storage(torch, key->string)
				   : PHI_NONE;
	if (i == PHI_NONE)
		return phi_fail(err, PHI_UNSUPPORTED,
			"a storage at offset %" PRIu64 " whose type is not known", f->at);
	if (phi_member_read(f->member, f->at, bytes, sizeof bytes, err))
		return phi_context(err, "storage %s", phi_quote(&q, torch->storages[i].key));
	if (f->swap)
		phi_swap_bytes(bytes, 8, 8);
	struct phi_storage *const storage = &f->source->model->storages[i];
	if (storage->file)
		return phi_fail(err, PHI_FORMAT, "storage %s: is there twice",
			phi_quote(&q, torch->storages[i].key));
	if (phi_load64(bytes) != torch->storages[i].count)
		return phi_fail(err, PHI_FORMAT,
			"storage %s: has %" PRIu64 " elements, but the pickle says %" PRIu64,
			phi_quote(&q, torch->storages[i].key), phi_load64(bytes),
			torch->storages[i].count);
	f->at += 8;
	if (!phi_fits(f->at, storage->size, phi_member_size(f->member)))
		return phi_fail(err, PHI_TRUNCATED,
			"storage %s: %" PRIu64 " bytes at offset %" PRIu64
			" pass the end of the file (%" PRIu64 ")",
			phi_quote(&q, torch->storages[i].key), storage->size, f->at,
			phi_member_size(f->member));
	storage->file = file;
	storage->offset = f->at;
	f->at += storage->size;
	return 0;
}

static int
place_storages(struct file *f, struct phi_torch *torch, struct phi_err *err)
{
	struct phi_pickle_tree tree;
	struct phi_model *const model = f->source->model;
	const char *const file = phi_arena_strdup(model->arena, phi_member_name(f->member), err);
	if (!file || run_pickle(f, &tree, err))
		return -1;
	const struct phi_pickle *const keys = tree.root;
	if (keys->kind != PHI_PICKLE_LIST)
		return phi_fail(err, PHI_FORMAT, "old torch file without its list of storages");
	for (uint32_t i = 0; i < keys->count; i++)
		if (place_storage(f, torch, keys->items[i], file, err))
			return -1;
	for (size_t i = 0; i < model->nstorages; i++) {
		struct phi_quoted q;
		if (!model->storages[i].file && !torch->storages[i].made)
			return phi_fail(err, PHI_FORMAT, "storage %s: is missing",
				phi_quote(&q, torch->storages[i].key));
	}
	if (f->at != phi_member_size(f->member))
		return phi_fail(err, PHI_FORMAT, "%" PRIu64 " bytes follow the last storage",
			phi_member_size(f->member) - f->at);
	return phi_pytorch_settle(f->source, torch, file, f->pickle, err);
}

static int
describe(struct file *f, struct phi_err *err)
{
	struct phi_torch torch;
	struct phi_pickle_tree tree;
	struct phi_model *const model = f->source->model;
	if (check_header(f, err))
		return -1;
	f->pickle = f->at;
	if (run_pickle(f, &tree, err) || phi_torch_open(&torch, model, err))
		return -1;
	torch.swap = f->swap;
	/* All storages, also those of tensors that are not the model's: only their sizes tell where
	 * the next one begins. */
	const int result = phi_torch_add_storages(&torch, tree.persistent, err) ||
					   phi_torch_walk(&torch, tree.root, NULL, err) ||
					   phi_torch_found(&torch, err) ||
					   place_storages(f, &torch, err)
				   ? -1
				   : 0;
	phi_torch_free(&torch);
	return result;
}

int
phi_pytorch_legacy(struct phi_source *source, struct phi_err *err)
{
	const struct phi_pytorch *const s = source->state;
	struct file f = { .source = source, .member = s->member, .arena = phi_arena_new(err) };
	const int result = f.arena ? describe(&f, err) : -1;
	phi_arena_free(f.arena);
	return result;
}
