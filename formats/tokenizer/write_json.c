/* tokenizer.json, of two kinds.
 *
 *     byte-level        no normalizer; Split by the pattern, ByteLevel; all texts with an id in the vocabulary, the
 *                       added ones too, so that their ids are those and not the next free ones; merges as they are
 *     SentencePiece     a space put first, spaces as U+2581, byte fallback, no pre-tokenizer; the pieces are the
 *                       vocabulary, and the merges are made from them */
#include "formats/core/json_write.h"
#include "formats/tokenizer/pretokenizer.h"
#include "formats/tokenizer/write.h"

#include <string.h>

#define MARK "\xe2\x96\x81"

static void
write_added(struct phi_json_writer *w, const struct phi_vocabulary *v, const struct phi_tokenizer_form *form)
{
	phi_json_write_open(w, "added_tokens", '[');
	for (uint32_t i = 0; i < v->ntokens; i++) {
		if (!phi_tokenizer_added(v, i))
			continue;
		phi_json_write_open(w, NULL, '{');
		phi_json_write_count(w, "id", i);
		phi_tokenizer_write_flags(w, v, form, i);
		phi_json_write_close(w, '}');
	}
	phi_json_write_close(w, ']');
}

/* Steps done one after the other; write them between the two. */
static void
begin_steps(struct phi_json_writer *w, const char *key, const char *steps)
{
	phi_json_write_open(w, key, '{');
	phi_json_write_text(w, "type", "Sequence");
	phi_json_write_open(w, steps, '[');
}

static void
end_steps(struct phi_json_writer *w)
{
	phi_json_write_close(w, ']');
	phi_json_write_close(w, '}');
}

static void
write_byte_level(struct phi_json_writer *w, const char *key, bool prefix, bool regex)
{
	phi_json_write_open(w, key, '{');
	phi_json_write_text(w, "type", "ByteLevel");
	phi_json_write_flag(w, "add_prefix_space", prefix);
	phi_json_write_flag(w, "trim_offsets", true);
	phi_json_write_flag(w, "use_regex", regex);
	phi_json_write_close(w, '}');
}

static void
write_split(struct phi_json_writer *w, const char *regex)
{
	begin_steps(w, "pre_tokenizer", "pretokenizers");
	phi_json_write_open(w, NULL, '{');
	phi_json_write_text(w, "type", "Split");
	phi_json_write_open(w, "pattern", '{');
	phi_json_write_text(w, "Regex", regex);
	phi_json_write_close(w, '}');
	phi_json_write_text(w, "behavior", "Removed");
	phi_json_write_flag(w, "invert", true);
	phi_json_write_close(w, '}');
	write_byte_level(w, NULL, false, false);
	end_steps(w);
}

static void
write_replace(struct phi_json_writer *w, const char *from, const char *to)
{
	phi_json_write_open(w, NULL, '{');
	phi_json_write_text(w, "type", "Replace");
	phi_json_write_open(w, "pattern", '{');
	phi_json_write_text(w, "String", from);
	phi_json_write_close(w, '}');
	phi_json_write_text(w, "content", to);
	phi_json_write_close(w, '}');
}

static void
write_normalizer(struct phi_json_writer *w, bool space_first)
{
	begin_steps(w, "normalizer", "normalizers");
	if (space_first) {
		phi_json_write_open(w, NULL, '{');
		phi_json_write_text(w, "type", "Prepend");
		phi_json_write_text(w, "prepend", MARK);
		phi_json_write_close(w, '}');
	}
	write_replace(w, " ", MARK);
	end_steps(w);
}

static void
write_type(struct phi_json_writer *w, const char *type)
{
	phi_json_write_open(w, NULL, '{');
	phi_json_write_text(w, "type", type);
	phi_json_write_close(w, '}');
}

static void
write_decoder(struct phi_json_writer *w, bool space_first)
{
	begin_steps(w, "decoder", "decoders");
	write_replace(w, MARK, " ");
	write_type(w, "ByteFallback");
	write_type(w, "Fuse");
	if (space_first) {
		phi_json_write_open(w, NULL, '{');
		phi_json_write_text(w, "type", "Strip");
		phi_json_write_text(w, "content", " ");
		phi_json_write_count(w, "start", 1);
		phi_json_write_count(w, "stop", 0);
		phi_json_write_close(w, '}');
	}
	end_steps(w);
}

static void
write_special(struct phi_json_writer *w, const struct phi_vocabulary *v, enum phi_special special, uint64_t type)
{
	if (!phi_tokenizer_adds(v, special))
		return;
	phi_json_write_open(w, NULL, '{');
	phi_json_write_open(w, "SpecialToken", '{');
	phi_json_write_string(w, "id", v->tokens[v->special[special]]);
	phi_json_write_count(w, "type_id", type);
	phi_json_write_close(w, '}');
	phi_json_write_close(w, '}');
}

/* A text with what is added to it. */
static void
write_sequence(struct phi_json_writer *w, const struct phi_vocabulary *v, const char *id, uint64_t type)
{
	write_special(w, v, PHI_SPECIAL_BOS, type);
	phi_json_write_open(w, NULL, '{');
	phi_json_write_open(w, "Sequence", '{');
	phi_json_write_text(w, "id", id);
	phi_json_write_count(w, "type_id", type);
	phi_json_write_close(w, '}');
	phi_json_write_close(w, '}');
	write_special(w, v, PHI_SPECIAL_EOS, type);
}

static void
write_ids(struct phi_json_writer *w, const struct phi_vocabulary *v, enum phi_special special)
{
	const int64_t id = v->special[special];
	const bool again = special == PHI_SPECIAL_EOS && id == v->special[PHI_SPECIAL_BOS] &&
		phi_tokenizer_adds(v, PHI_SPECIAL_BOS);
	if (again || !phi_tokenizer_adds(v, special))
		return;
	phi_json_write_string_open(w, v->tokens[id], '{');
	phi_json_write_string(w, "id", v->tokens[id]);
	phi_json_write_open(w, "ids", '[');
	phi_json_write_count(w, NULL, (uint64_t)id);
	phi_json_write_close(w, ']');
	phi_json_write_open(w, "tokens", '[');
	phi_json_write_string(w, NULL, v->tokens[id]);
	phi_json_write_close(w, ']');
	phi_json_write_close(w, '}');
}

static void
write_post_processor(struct phi_json_writer *w, const struct phi_vocabulary *v)
{
	if (!phi_tokenizer_adds(v, PHI_SPECIAL_BOS) && !phi_tokenizer_adds(v, PHI_SPECIAL_EOS)) {
		phi_json_write_word(w, "post_processor", "null");
		return;
	}
	phi_json_write_open(w, "post_processor", '{');
	phi_json_write_text(w, "type", "TemplateProcessing");
	phi_json_write_open(w, "single", '[');
	write_sequence(w, v, "A", 0);
	phi_json_write_close(w, ']');
	phi_json_write_open(w, "pair", '[');
	write_sequence(w, v, "A", 0);
	write_sequence(w, v, "B", 1);
	phi_json_write_close(w, ']');
	phi_json_write_open(w, "special_tokens", '{');
	write_ids(w, v, PHI_SPECIAL_BOS);
	write_ids(w, v, PHI_SPECIAL_EOS);
	phi_json_write_close(w, '}');
	phi_json_write_close(w, '}');
}

static void
write_vocab(struct phi_json_writer *w, const struct phi_vocabulary *v, uint32_t n)
{
	phi_json_write_open(w, "vocab", '{');
	for (uint32_t i = 0; i < n; i++)
		if (!phi_tokenizer_padding(v, i))
			phi_json_write_keyed_count(w, v->tokens[i], i);
	phi_json_write_close(w, '}');
}

static void
write_merges(struct phi_json_writer *w, const struct phi_string *merges, size_t n)
{
	phi_json_write_open(w, "merges", '[');
	for (size_t i = 0; i < n; i++)
		phi_json_write_string(w, NULL, merges[i]);
	phi_json_write_close(w, ']');
}

static void
begin_model(struct phi_json_writer *w)
{
	phi_json_write_open(w, "model", '{');
	phi_json_write_text(w, "type", "BPE");
	phi_json_write_word(w, "dropout", "null");
	phi_json_write_word(w, "continuing_subword_prefix", "null");
	phi_json_write_word(w, "end_of_word_suffix", "null");
}

static void
write_bytes_kind(struct phi_json_writer *w, const struct phi_vocabulary *v)
{
	struct phi_pretokenizer pre;
	phi_pretokenizer_find(v->pre, &pre);
	phi_json_write_word(w, "normalizer", "null");
	if (pre.regex)
		write_split(w, pre.regex);
	else
		write_byte_level(w, "pre_tokenizer", false, true);
	write_post_processor(w, v);
	write_byte_level(w, "decoder", true, true);
	begin_model(w);
	phi_json_write_word(w, "unk_token", "null");
	phi_json_write_flag(w, "fuse_unk", false);
	phi_json_write_flag(w, "byte_fallback", false);
	phi_json_write_flag(w, "ignore_merges", pre.ignore_merges);
	write_vocab(w, v, v->ntokens);
	write_merges(w, v->merges, v->nmerges);
	phi_json_write_close(w, '}');
}

static int
write_pieces_kind(struct phi_json_writer *w, const struct phi_vocabulary *v, struct phi_arena *arena,
	struct phi_err *err)
{
	struct phi_string *merges;
	size_t n;
	if (phi_tokenizer_make_merges(v, arena, &merges, &n, err) < 0)
		return -1;
	write_normalizer(w, v->space_first != 0);
	phi_json_write_word(w, "pre_tokenizer", "null");
	write_post_processor(w, v);
	write_decoder(w, v->space_first != 0);
	begin_model(w);
	phi_json_write_string(w, "unk_token", v->tokens[v->special[PHI_SPECIAL_UNK]]);
	phi_json_write_flag(w, "fuse_unk", true);
	phi_json_write_flag(w, "byte_fallback", true);
	phi_json_write_flag(w, "ignore_merges", false);
	write_vocab(w, v, phi_tokenizer_pieces(v));
	write_merges(w, merges, n);
	phi_json_write_close(w, '}');
	return 0;
}

int
phi_tokenizer_write_json(const struct phi_vocabulary *v, const struct phi_tokenizer_form *form,
	struct phi_buffer *out, struct phi_err *err)
{
	struct phi_json_writer w;
	phi_json_write_begin(&w, out, err);
	phi_json_write_text(&w, "version", "1.0");
	phi_json_write_word(&w, "truncation", "null");
	phi_json_write_word(&w, "padding", "null");
	write_added(&w, v, form);
	if (phi_tokenizer_byte_level(v)) {
		write_bytes_kind(&w, v);
		return phi_json_write_end(&w);
	}
	struct phi_arena *const arena = phi_arena_new(err);
	const int result = arena ? write_pieces_kind(&w, v, arena, err) : -1;
	phi_arena_free(arena);
	return result < 0 ? -1 : phi_json_write_end(&w);
}
