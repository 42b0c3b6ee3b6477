#include "formats/tokenizer/pretokenizer.h"

#include <string.h>

/* Splits, letter by letter as tokenizer.json has them (facts/README.md). */
static const struct {
	const char *regex, *name;
} splits[] = {
	/* cl100k: Phi-4. llama-bpe also splits so, but takes whole words before it merges. */
	{ "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
	  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
		"dbrx" },
	/* o200k. Phi-4-mini. */
	{ "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
	  "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
	  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
	  "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
	  "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
		"gpt-4o" },
	/* GPT-2's, spelled out; ByteLevel has it built in. */
	{ "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
		"phi-2" },
};

static bool
is(const json_t *object, const char *key, const char *text)
{
	const char *const s = json_string_value(json_object_get(object, key));
	return s && !strcmp(s, text);
}

static bool
empty(const json_t *normalizer)
{
	if (!normalizer || json_is_null(normalizer))
		return true;
	return is(normalizer, "type", "Sequence") &&
		json_array_size(json_object_get(normalizer, "normalizers")) == 0;
}

bool
phi_pretokenizer_bytes(const json_t *pre)
{
	if (is(pre, "type", "ByteLevel"))
		return true;
	const json_t *const list = json_object_get(pre, "pretokenizers");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (is(json_array_get(list, i), "type", "ByteLevel"))
			return true;
	return false;
}

/* A ByteLevel that only maps bytes, or also splits by GPT-2's pattern (use_regex, true if absent). A
 * leading space is added by none of the known ones. */
static bool
byte_level(const json_t *pre, bool splits_too)
{
	const json_t *const regex = json_object_get(pre, "use_regex");
	return is(pre, "type", "ByteLevel") && !json_is_true(json_object_get(pre, "add_prefix_space")) &&
		(!regex || json_is_true(regex)) == splits_too;
}

/* The pattern of a split that keeps every match as a piece: nothing is removed, since the known
 * patterns match every character. */
static const char *
split_regex(const json_t *pre)
{
	const json_t *const invert = json_object_get(pre, "invert");
	if (!is(pre, "type", "Split"))
		return NULL;
	if (!(is(pre, "behavior", "Isolated") && !json_is_true(invert)) &&
		!(is(pre, "behavior", "Removed") && json_is_true(invert)))
		return NULL;
	return json_string_value(json_object_get(json_object_get(pre, "pattern"), "Regex"));
}

const char *
phi_pretokenizer_name(const json_t *pre, const json_t *normalizer)
{
	/* llama.cpp normalizes nothing here: a text that is changed first would be cut otherwise. */
	if (!empty(normalizer))
		return NULL;
	const json_t *const list = json_object_get(pre, "pretokenizers");
	const bool sequence = is(pre, "type", "Sequence");
	const size_t n = sequence ? json_array_size(list) : 1;
	/* GPT-2's own pattern: Phi-1.5 and Phi-2. */
	if (n == 1)
		return byte_level(sequence ? json_array_get(list, 0) : pre, true) ? "phi-2" : NULL;
	const char *const regex = n == 2 ? split_regex(json_array_get(list, 0)) : NULL;
	if (!regex || !byte_level(json_array_get(list, 1), false))
		return NULL;
	for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
		if (!strcmp(splits[i].regex, regex))
			return splits[i].name;
	return NULL;
}

/* Names that llama.cpp (0c1e57098) takes for one of the patterns above. */
static const struct {
	const char *name, *as;
	bool ignore_merges;
} aliases[] = {
	{ "gpt-2", "phi-2", false },
	{ "smaug-bpe", "dbrx", false },
	{ "llama-bpe", "dbrx", true },
	{ "llama4", "gpt-4o", false },
};

bool
phi_pretokenizer_find(const char *name, struct phi_pretokenizer *out)
{
	*out = (struct phi_pretokenizer){ NULL, false };
	for (size_t i = 0; name && i < sizeof aliases / sizeof *aliases; i++)
		if (!strcmp(aliases[i].name, name)) {
			name = aliases[i].as;
			out->ignore_merges = aliases[i].ignore_merges;
			break;
		}
	if (name && !strcmp(name, "phi-2"))
		return true;
	for (size_t i = 0; name && i < sizeof splits / sizeof *splits; i++)
		if (!strcmp(splits[i].name, name)) {
			out->regex = splits[i].regex;
			return true;
		}
	return false;
}

bool
phi_pretokenizer_allowed(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.:";
	const size_t n = strlen(name);
	return n > 0 && n < 64 && strspn(name, letters) == n;
}
