/* GGUF files that are refused: one for each rule. Used by the test of the rules and as seeds for
 * fuzzing. */
#ifndef TESTS_UNIT_GGUF_BAD_H
#define TESTS_UNIT_GGUF_BAD_H

#include "formats/core/limits.h"
#include "tests/unit/gguf_maker.h"

/* Each rule that refuses: what is wrong, with which kind of failure, and words of the message. */
struct bad {
	const char *name;
	enum phi_kind kind;
	const char *words;
	struct maker (*make)(void);
};

static struct maker
bad_magic(void)
{
	struct maker m = { .version = 3 };
	put(&m, "GGUX\3\0\0\0", 8);
	pad(&m, 32);
	return m;
}

static struct maker
bad_version_0(void)
{
	return start(0, false, 0, 0);
}

static struct maker
bad_version_4(void)
{
	return start(4, false, 0, 0);
}

static struct maker
bad_version_big(void)
{
	return start(4, true, 0, 0);
}

/* A file whose counts are these, with `room` zeros after them. */
static struct maker
counts(uint64_t tensors, uint64_t keys, size_t room)
{
	struct maker m = start(3, false, tensors, keys);
	made(phi_buffer_zeros(&m.bytes, room, NULL));
	return m;
}

static struct maker
bad_tensors_negative(void)
{
	return counts(UINT64_MAX, 0, 64);
}

static struct maker
bad_tensors_wrap(void)
{
	return counts(UINT64_MAX / 25 + 2, 0, 64);
}

static struct maker
bad_tensors_room(void)
{
	return counts(3, 0, 74);
}

static struct maker
bad_keys_many(void)
{
	return counts(0, UINT64_C(1) << 60, 64);
}

static struct maker
bad_keys_room(void)
{
	return counts(0, 5, 69);
}

/* A file whose only key is being written. */
static struct maker
key(const char *name, uint32_t kind)
{
	struct maker m = start(3, false, 0, 1);
	put_key(&m, name, kind);
	return m;
}

static struct maker
bad_key_empty(void)
{
	struct maker m = key("", PHI_VALUE_U32);
	put_number(&m, 0, 4);
	return m;
}

static struct maker
bad_key_nul(void)
{
	struct maker m = start(3, false, 0, 1);
	put_count(&m, 3);
	put(&m, "a\0b", 3);
	put_number(&m, PHI_VALUE_U32, 4);
	put_number(&m, 0, 4);
	return m;
}

static struct maker
bad_key_long(void)
{
	struct maker m = start(3, false, 0, 1);
	put_count(&m, 65536);
	made(phi_buffer_zeros(&m.bytes, 70000, NULL));
	return m;
}

static struct maker
bad_key_twice(void)
{
	struct maker m = start(3, false, 0, 2);
	put_u32(&m, "general.file_type", 1);
	put_u32(&m, "general.file_type", 2);
	return m;
}

static struct maker
bad_kind(void)
{
	struct maker m = key("k", 13);
	put_number(&m, 0, 8);
	return m;
}

static struct maker
bad_kind_negative(void)
{
	struct maker m = key("k", UINT32_MAX);
	put_number(&m, 0, 8);
	return m;
}

static struct maker
string_of(uint64_t size)
{
	struct maker m = key("k", PHI_VALUE_STRING);
	put_count(&m, size);
	put(&m, "some text", 9);
	return m;
}

static struct maker
bad_string_long(void)
{
	return string_of(10);
}

static struct maker
bad_string_max(void)
{
	return string_of(UINT64_MAX);
}

static struct maker
bad_string_tib(void)
{
	return string_of(UINT64_C(1) << 40);
}

static struct maker
array_of(uint32_t kind, uint64_t count)
{
	struct maker m = key("k", PHI_VALUE_ARRAY);
	put_number(&m, kind, 4);
	put_count(&m, count);
	made(phi_buffer_zeros(&m.bytes, 64, NULL));
	return m;
}

static struct maker
bad_array_nested(void)
{
	return array_of(PHI_VALUE_ARRAY, 1);
}

static struct maker
bad_array_kind(void)
{
	return array_of(13, 1);
}

static struct maker
bad_array_long(void)
{
	return array_of(PHI_VALUE_U32, 17);
}

static struct maker
bad_array_strings(void)
{
	return array_of(PHI_VALUE_STRING, 9);
}

static struct maker
bad_array_wrap(void)
{
	return array_of(PHI_VALUE_U64, (UINT64_C(1) << 61) + 1);
}

static struct maker
bad_array_string(void)
{
	struct maker m = key("k", PHI_VALUE_ARRAY);
	put_number(&m, PHI_VALUE_STRING, 4);
	put_count(&m, 2);
	put_text(&m, "ok");
	put_count(&m, 1000);
	return m;
}

static struct maker
alignment_of(uint32_t alignment)
{
	struct maker m = start(3, false, 1, 1);
	put_u32(&m, "general.alignment", alignment);
	put_info(&m, "t", 4, 0, 0, 0);
	pad(&m, 32);
	put_data(&m, 16, 0, 32);
	return m;
}

static struct maker
bad_alignment_0(void)
{
	return alignment_of(0);
}

static struct maker
bad_alignment_24(void)
{
	return alignment_of(24);
}

static struct maker
bad_alignment_huge(void)
{
	return alignment_of(UINT32_C(1) << 31);
}

static struct maker
bad_alignment_kind(void)
{
	struct maker m = key("general.alignment", PHI_VALUE_U64);
	put_number(&m, 32, 8);
	return m;
}

/* One tensor of this shape, type and offset, and 64 bytes of data. */
static struct maker
tensor(uint64_t ne0, uint64_t ne1, uint32_t type, uint64_t offset)
{
	struct maker m = start(3, false, 1, 0);
	put_info(&m, "blk.0.x", ne0, ne1, type, offset);
	pad(&m, 32);
	put_data(&m, 64, 0, 32);
	return m;
}

static struct maker
bad_tensor_nameless(void)
{
	struct maker m = start(3, false, 1, 0);
	put_info(&m, "", 4, 0, 0, 0);
	put_data(&m, 64, 0, 32);
	return m;
}

static struct maker
bad_tensor_long_name(void)
{
	struct maker m = start(3, false, 1, 0);
	char name[PHI_NAME_MAX + 2];
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = 0;
	put_info(&m, name, 4, 0, 0, 0);
	put_data(&m, 64, 0, 32);
	return m;
}

static struct maker
two_tensors(const char *first, const char *second, uint64_t offset)
{
	struct maker m = start(3, false, 2, 0);
	put_info(&m, first, 8, 0, 0, 0);
	put_info(&m, second, 8, 0, 0, offset);
	pad(&m, 32);
	put_data(&m, 64, 0, 32);
	return m;
}

static struct maker
bad_tensor_twice(void)
{
	return two_tensors("blk.0.x", "blk.0.x", 32);
}

static struct maker
bad_overlap(void)
{
	return two_tensors("blk.0.x", "blk.0.y", 28);
}

static struct maker
bad_same_range(void)
{
	return two_tensors("blk.0.x", "blk.0.y", 0);
}

static struct maker
rank_of(uint32_t rank)
{
	struct maker m = start(3, false, 1, 0);
	put_text(&m, "blk.0.x");
	put_number(&m, rank, 4);
	made(phi_buffer_zeros(&m.bytes, 200, NULL));
	return m;
}

static struct maker
bad_rank_5(void)
{
	return rank_of(5);
}

static struct maker
bad_rank_max(void)
{
	return rank_of(UINT32_MAX);
}

static struct maker
bad_dimension_negative(void)
{
	return tensor(UINT64_MAX, 0, 0, 0);
}

static struct maker
bad_product_wraps_to_0(void)
{
	return tensor(UINT64_C(1) << 32, UINT64_C(1) << 32, 0, 0);
}

static struct maker
bad_product_negative(void)
{
	return tensor(INT64_MAX, 2, 24, 0);
}

static struct maker
bad_product_hidden(void)
{
	struct maker m = start(3, false, 1, 0);
	put_text(&m, "blk.0.x");
	put_number(&m, 3, 4);
	put_count(&m, 0);
	put_count(&m, INT64_MAX);
	put_count(&m, INT64_MAX);
	put_number(&m, 0, 4);
	put_number(&m, 0, 8);
	put_data(&m, 64, 0, 32);
	return m;
}

static struct maker
bad_bytes_wrap(void)
{
	return tensor(UINT64_C(1) << 62, 0, 0, 0);
}

static struct maker
bad_end_wraps(void)
{
	return tensor(8, 0, 0, UINT64_MAX - 31);
}

static struct maker
bad_start_wraps(void)
{
	return tensor(8, 0, 0, UINT64_MAX - 63);
}

static struct maker
bad_type_removed(void)
{
	return tensor(32, 0, 4, 0);
}

static struct maker
bad_type_unknown(void)
{
	return tensor(32, 0, 43, 0);
}

static struct maker
bad_type_negative(void)
{
	return tensor(32, 0, UINT32_MAX, 0);
}

static struct maker
bad_type_255(void)
{
	return tensor(32, 0, 255, 0);
}

static struct maker
bad_block(void)
{
	return tensor(33, 0, 8, 0);
}

static struct maker
bad_block_scalar(void)
{
	struct maker m = start(3, false, 1, 0);
	put_text(&m, "blk.0.x");
	put_number(&m, 0, 4);
	put_number(&m, 8, 4);
	put_number(&m, 0, 8);
	put_data(&m, 64, 0, 32);
	return m;
}

static struct maker
bad_range(void)
{
	return tensor(17, 0, 0, 0);
}

static struct maker
bad_range_offset(void)
{
	return tensor(8, 0, 0, 64);
}

static struct maker
bad_data_missing(void)
{
	struct maker m = start(3, false, 1, 0);
	put_info(&m, "blk.0.x", 8, 0, 0, 0);
	return m;
}

static const struct bad bads[] = {
	{ "magic", PHI_FORMAT, "is no GGUF: begins with \"GGUX\"", bad_magic },
	{ "version 0", PHI_UNSUPPORTED, "version 0", bad_version_0 },
	{ "version 4", PHI_UNSUPPORTED, "version 4", bad_version_4 },
	{ "version 4, big-endian", PHI_UNSUPPORTED, "version 4", bad_version_big },
	{ "negative count of tensors", PHI_LIMIT, "tensors", bad_tensors_negative },
	{ "count of tensors that wraps", PHI_LIMIT, "tensors", bad_tensors_wrap },
	{ "tensors beyond the file", PHI_TRUNCATED, "3 tensors do not fit", bad_tensors_room },
	{ "2^60 keys", PHI_LIMIT, "keys", bad_keys_many },
	{ "keys beyond the file", PHI_TRUNCATED, "5 keys do not fit", bad_keys_room },
	{ "empty key", PHI_FORMAT, "key 1 of 1: its name is empty", bad_key_empty },
	{ "key with NUL", PHI_FORMAT, "key 1 of 1: its name has a NUL byte (a...)", bad_key_nul },
	{ "long key", PHI_LIMIT, "longer than the limit", bad_key_long },
	{ "key twice", PHI_FORMAT, "general.file_type stands there twice", bad_key_twice },
	{ "unknown kind", PHI_FORMAT, "key k: unknown kind of value (13)", bad_kind },
	{ "negative kind", PHI_FORMAT, "unknown kind of value (-1)", bad_kind_negative },
	{ "string one byte too long", PHI_TRUNCATED, "key k: string of 10", bad_string_long },
	{ "string of 2^64-1", PHI_TRUNCATED, "key k: string", bad_string_max },
	{ "string of 1 TiB", PHI_TRUNCATED, "key k: string", bad_string_tib },
	{ "array of arrays", PHI_UNSUPPORTED, "array of arrays", bad_array_nested },
	{ "array of an unknown kind", PHI_FORMAT, "unknown kind", bad_array_kind },
	{ "array beyond the file", PHI_TRUNCATED, "17 elements do not fit", bad_array_long },
	{ "strings beyond the file", PHI_TRUNCATED, "9 elements do not fit", bad_array_strings },
	{ "array that wraps", PHI_LIMIT, "array of", bad_array_wrap },
	{ "string in an array", PHI_TRUNCATED, "key k: element 1: string of 1000",
		bad_array_string },
	{ "alignment 0", PHI_FORMAT, "0 is no power of two", bad_alignment_0 },
	{ "alignment 24", PHI_FORMAT, "24 is no power of two", bad_alignment_24 },
	{ "alignment 2^31", PHI_LIMIT, "more than the limit", bad_alignment_huge },
	{ "alignment u64", PHI_FORMAT, "general.alignment is u64, must be u32",
		bad_alignment_kind },
	{ "tensor without name", PHI_FORMAT, "tensor 1 of 1: its name is empty",
		bad_tensor_nameless },
	{ "tensor with a long name", PHI_LIMIT, "longer than the limit", bad_tensor_long_name },
	{ "tensor twice", PHI_FORMAT, "tensor blk.0.x stands there twice", bad_tensor_twice },
	{ "overlap", PHI_FORMAT, "tensor blk.0.y: offset 28 overlaps", bad_overlap },
	{ "same range", PHI_FORMAT, "overlaps", bad_same_range },
	{ "rank 5", PHI_FORMAT, "tensor blk.0.x: 5 dimensions", bad_rank_5 },
	{ "rank 2^32-1", PHI_FORMAT, "4294967295 dimensions", bad_rank_max },
	{ "negative dimension", PHI_FORMAT, "negative dimension (-1)", bad_dimension_negative },
	{ "product wraps to 0", PHI_FORMAT, "multiply beyond", bad_product_wraps_to_0 },
	{ "product negative", PHI_FORMAT, "multiply beyond", bad_product_negative },
	{ "product hidden by 0", PHI_FORMAT, "multiply beyond", bad_product_hidden },
	{ "bytes wrap", PHI_FORMAT, "more bytes than", bad_bytes_wrap },
	{ "end wraps", PHI_FORMAT, "more bytes than", bad_end_wraps },
	{ "start wraps", PHI_FORMAT, "beyond what 64 bits", bad_start_wraps },
	{ "removed type", PHI_UNSUPPORTED, "type 4 was taken out", bad_type_removed },
	{ "unknown type", PHI_UNSUPPORTED, "unknown type (43)", bad_type_unknown },
	{ "negative type", PHI_UNSUPPORTED, "unknown type (-1)", bad_type_negative },
	{ "type 255", PHI_UNSUPPORTED, "unknown type (255)", bad_type_255 },
	{ "row no multiple of the block", PHI_FORMAT, "rows of 33", bad_block },
	{ "block type without dimensions", PHI_FORMAT, "rows of 1", bad_block_scalar },
	{ "data beyond the file", PHI_TRUNCATED, "68 bytes at offset 64", bad_range },
	{ "offset beyond the file", PHI_TRUNCATED, "tensor blk.0.x: 32 bytes", bad_range_offset },
	{ "no data", PHI_TRUNCATED, "end beyond the end of the file", bad_data_missing },
};

enum { BADS = sizeof bads / sizeof *bads };

#endif
