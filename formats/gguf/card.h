/* The front matter of a model card: the YAML between the first line of README.md, "---", and the next such
 * line. Read as gguf-py's metadata.py reads it: tabs are two blanks, a list's bare "no" is a text.
 *
 * What is looked at are texts, lists of texts and lists of mappings of texts, so aliases are followed one
 * step at a time and never expanded. YAML 1.1 decides what is a text: a bare 1.0, yes or 2024-01-31 is none.
 * The tags of scalars are not looked at: "!!str 5" counts as a number. */
#ifndef PHI_GGUF_CARD_H
#define PHI_GGUF_CARD_H

#include "formats/core/model.h"

enum {
	PHI_CARD_MAX = 1 << 18,	      /* bytes of front matter: some hundred times a long one */
	/* Brackets that open, in quotes or not: the parser takes the square of them in time. */
	PHI_CARD_BRACKETS_MAX = 4096,
	PHI_CARD_ITEMS_MAX = 4096,    /* of a list that is looked at */
	PHI_CARD_MEMBERS_MAX = 1024,  /* of a mapping in a list */
	PHI_CARD_TEXTS_MAX = 1 << 20, /* bytes of all texts taken: an alias may name one text often */
};

enum phi_card_kind {
	PHI_CARD_ABSENT, /* or null */
	PHI_CARD_TEXT,
	PHI_CARD_LIST,
	PHI_CARD_MAP,
	PHI_CARD_OTHER, /* a number, a truth, a date, a text with a NUL */
};

struct phi_card_value {
	enum phi_card_kind kind;
	bool there;	     /* the key is, even if its value is null */
	struct phi_string text; /* NUL-ended; lent by the card */
	size_t size;	     /* of a list */
	const void *node;    /* the parser's */
};

struct phi_card;

/* NULL with err->kind PHI_OK: README.md has no front matter, or one that is no mapping. Otherwise NULL is
 * an error; PHI_FORMAT says that it is no YAML, and where. */
struct phi_card *phi_card_read(const struct phi_side *readme, struct phi_err *err);
void phi_card_free(struct phi_card *card);

struct phi_card_value phi_card_find(const struct phi_card *card, const char *key);
struct phi_card_value phi_card_item(const struct phi_card *card, const struct phi_card_value *list,
	size_t i);
struct phi_card_value phi_card_member(const struct phi_card *card, const struct phi_card_value *map,
	const char *key);

#endif
