/* The neutral vocabulary: what a tokenizer knows, whatever file says it. Built from the side files of
 * a folder (tokenizer.json, tokenizer.model, added_tokens.json, tokenizer_config.json,
 * generation_config.json, chat_template.jinja); GGUF keys are made from it. No tokenization is done here.
 *
 * Two kinds: byte-level BPE has merges and a pre-tokenizer; the SentencePiece kind has a score for each
 * token, byte tokens, and the pre-tokenizer "default". */
#ifndef PHI_TOKENIZER_VOCABULARY_H
#define PHI_TOKENIZER_VOCABULARY_H

#include "formats/core/model.h"

enum phi_token_kind { /* GGUF's numbers, on purpose */
	PHI_TOKEN_NORMAL = 1,
	PHI_TOKEN_UNKNOWN,
	PHI_TOKEN_CONTROL,
	PHI_TOKEN_USER_DEFINED,
	PHI_TOKEN_UNUSED,
	PHI_TOKEN_BYTE,
};

enum phi_special { /* in the order the GGUF converter looks for them */
	PHI_SPECIAL_BOS,
	PHI_SPECIAL_EOS,
	PHI_SPECIAL_UNK,
	PHI_SPECIAL_SEP,
	PHI_SPECIAL_PAD,
	PHI_SPECIAL_CLS,
	PHI_SPECIAL_MASK,
	PHI_SPECIAL_EOT, /* the last two only when a post-processor ends texts with another token than */
	PHI_SPECIAL_EOM, /* eos: then that one is eos, and the former eos one of these */
	PHI_SPECIALS,
};

/* "bos", "eos", ... as tokenizer_config.json and config.json spell them. */
const char *phi_special_name(enum phi_special special);
/* GGUF's keys of a special token: its id, and whether it is added to every text; NULL: there is none. */
const char *phi_special_key(enum phi_special special);
const char *phi_special_add_key(enum phi_special special);

/* A chat template with a name: of tokenizer_config.json's list form. */
struct phi_template {
	const char *name; /* letters, digits and underscores */
	struct phi_string text;
};

struct phi_vocabulary {
	const char *model; /* "gpt2" (byte-level BPE) or "llama" (SentencePiece) */
	const char *pre;   /* GGUF's name of the pre-tokenizer: "gpt-4o", "dbrx", ... */
	struct phi_string *tokens; /* by id; padded with [PADn] up to the embedding's rows */
	int32_t *kinds;		   /* enum phi_token_kind */
	float *scores;		   /* or NULL */
	uint32_t ntokens;
	struct phi_string *merges;
	uint32_t nmerges;
	int64_t special[PHI_SPECIALS]; /* id or -1 */
	uint8_t special_order[PHI_SPECIALS]; /* in which they were found; nspecial of them */
	unsigned nspecial;
	/* Is the token added to every text? For those of which it is said; in the order of finding. */
	struct {
		uint8_t special;
		bool added;
	} add[PHI_SPECIALS];
	unsigned nadd;
	struct phi_string chat_template; /* data NULL: none */
	struct phi_template *templates;	 /* those with a name other than "default" */
	unsigned ntemplates;
	uint32_t nmoved; /* added tokens whose id is not the one their file declares */
	signed char lowercase, strip_accents; /* the normalizer does; 1, 0, or -1: not said */
	signed char space_first; /* a space is put before every text, which is the rule of the SentencePiece
				  * kind; 1, 0, or -1: not of that kind */
};

/* From the side files of a canonical model. `rows`: the embedding's rows. pre: --pre NAME or NULL: an
 * unknown pre-tokenizer is then an error that names --pre. Arrays live in `arena`; returns 1 if the
 * model has no tokenizer files at all. Takes at most eight times the size of tokenizer.json while it runs,
 * twice afterwards. */
int phi_vocabulary_read(const struct phi_model *model, uint32_t rows, const char *pre,
	struct phi_arena *arena, struct phi_vocabulary *out, struct phi_err *err);

#endif
