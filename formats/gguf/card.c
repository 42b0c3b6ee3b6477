#include "formats/gguf/card.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <regex.h>
#include <string.h>
#include <yaml.h>

struct phi_card {
	yaml_document_t document;
	regex_t no_text; /* YAML 1.1's numbers, truths, dates, as PyYAML resolves them */
	const yaml_node_t *root;
};

#define INT "[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|" \
	"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+"
#define FLOAT "[-+]?[0-9][0-9_]*\\.[0-9_]*([eE][-+][0-9]+)?|\\.[0-9][0-9_]*([eE][-+][0-9]+)?|" \
	"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\\.[0-9_]*|[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN)"
#define BOOL "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"
#define DATE "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]|" \
	"[0-9][0-9][0-9][0-9]-[0-9][0-9]?-[0-9][0-9]?([Tt]|[ \t]+)[0-9][0-9]?:[0-9][0-9]:[0-9][0-9]" \
	"(\\.[0-9]*)?([ \t]*(Z|[-+][0-9][0-9]?(:[0-9][0-9])?))?"
static const char no_text[] = "^(" INT "|" FLOAT "|" BOOL "|" DATE "|<<|=)$";
static const char text_tag[] = "tag:yaml.org,2002:str";

/* Bytes of the end of line at p, as Python's splitlines() sees it; 0: none. */
static size_t
line_end(const char *p, size_t left)
{
	if (*p == '\r')
		return left > 1 && p[1] == '\n' ? 2 : 1;
	if ((*p >= '\n' && *p <= '\f') || (*p >= 0x1c && *p <= 0x1e))
		return 1;
	if (left > 1 && !memcmp(p, "\xc2\x85", 2))
		return 2;
	return left > 2 && (!memcmp(p, "\xe2\x80\xa8", 3) || !memcmp(p, "\xe2\x80\xa9", 3)) ? 3 : 0;
}

static int
append_line(struct phi_buffer *out, const char *line, size_t n, struct phi_err *err)
{
	const bool no = n >= 4 && !memcmp(line + n - 4, "- no", 4);
	if (no)
		n -= 2;
	for (size_t i = 0; i < n; i++)
		if (phi_buffer_append(out, line[i] == '\t' ? "  " : line + i, line[i] == '\t' ? 2 : 1,
			    err) < 0)
			return -1;
	return phi_buffer_append(out, no ? "\"no\"\n" : "\n", no ? 5 : 1, err);
}

/* 0: the front matter is in *out; 1: there is none. */
static int
front_matter(const struct phi_side *readme, struct phi_buffer *out, struct phi_err *err)
{
	const char *p = readme->data;
	size_t left = readme->size;
	if (left < 4 || memcmp(p, "---", 3) != 0 || !line_end(p + 3, left - 3))
		return left == 3 && !memcmp(p, "---", 3) ? 0 : 1;
	for (bool first = true; left; first = false) {
		size_t n = 0, end = 0;
		while (n < left && !(end = line_end(p + n, left - n)))
			n++;
		if (!first && n == 3 && !memcmp(p, "---", 3))
			return 0;
		if (out->size + n > PHI_CARD_MAX)
			return phi_fail(err, PHI_LIMIT, "more than %d bytes of front matter",
				PHI_CARD_MAX);
		if (!first && append_line(out, p, n, err) < 0)
			return -1;
		p += n + end;
		left -= n + end;
	}
	return 0;
}

static int
check_brackets(const struct phi_buffer *text, struct phi_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < text->size; i++)
		n += text->data[i] == '[' || text->data[i] == '{';
	return n <= PHI_CARD_BRACKETS_MAX ? 0 : phi_fail(err, PHI_LIMIT,
		"%zu brackets in the front matter, at most %d", n, PHI_CARD_BRACKETS_MAX);
}

static int
not_yaml(const yaml_parser_t *parser, struct phi_err *err)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return phi_fail(err, PHI_MEMORY, "out of memory");
	/* Lines count from 0 behind the one of "---". */
	return phi_fail(err, PHI_FORMAT, "line %zu is no YAML: %s",
		parser->problem_mark.line + 2, parser->problem ? parser->problem : "syntax error");
}

/* The only document of the text. */
static int
load(yaml_parser_t *parser, struct phi_card *card, struct phi_err *err)
{
	yaml_document_t next;
	if (!yaml_parser_load(parser, &card->document))
		return not_yaml(parser, err);
	if (!yaml_document_get_root_node(&card->document))
		return 0;
	if (!yaml_parser_load(parser, &next)) {
		yaml_document_delete(&card->document);
		return not_yaml(parser, err);
	}
	const bool more = yaml_document_get_root_node(&next) != NULL;
	yaml_document_delete(&next);
	if (!more)
		return 0;
	yaml_document_delete(&card->document);
	return phi_fail(err, PHI_FORMAT, "the front matter is more than one YAML document");
}

static int
parse(struct phi_card *card, const struct phi_buffer *text, struct phi_err *err)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return phi_fail(err, PHI_MEMORY, "out of memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text->data, text->size);
	const int result = load(&parser, card, err);
	yaml_parser_delete(&parser);
	if (result < 0)
		return -1;
	card->root = yaml_document_get_root_node(&card->document);
	return 0;
}

struct phi_card *
phi_card_read(const struct phi_side *readme, struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	*err = (struct phi_err){ .kind = PHI_OK };
	const int found = front_matter(readme, &text, err);
	struct phi_card *const card = found == 0 && text.size ? phi_calloc(1, sizeof *card, err) : NULL;
	int result = card ? 0 : -1;
	if (result == 0 && !phi_utf8_valid((const char *)text.data, text.size))
		result = phi_fail(err, PHI_FORMAT, "the front matter is no UTF-8");
	if (result == 0)
		result = check_brackets(&text, err);
	if (result == 0 && regcomp(&card->no_text, no_text, REG_EXTENDED | REG_NOSUB))
		result = phi_fail(err, PHI_MEMORY, "out of memory");
	else if (result == 0 && parse(card, &text, err) < 0) {
		regfree(&card->no_text);
		result = -1;
	}
	phi_buffer_free(&text);
	if (result < 0) {
		phi_free(card);
		return NULL;
	}
	if (card->root && card->root->type == YAML_MAPPING_NODE)
		return card;
	phi_card_free(card);
	return NULL;
}

void
phi_card_free(struct phi_card *card)
{
	if (!card)
		return;
	yaml_document_delete(&card->document);
	regfree(&card->no_text);
	phi_free(card);
}

static const yaml_node_t *
node_of(const struct phi_card *card, int number)
{
	return &card->document.nodes.start[number - 1];
}

static enum phi_card_kind
scalar_kind(const struct phi_card *card, const yaml_node_t *node)
{
	static const char *const nothing[] = { "", "~", "null", "Null", "NULL" };
	const char *const s = (const char *)node->data.scalar.value;
	if (strlen(s) != node->data.scalar.length || strcmp((const char *)node->tag, text_tag) != 0)
		return PHI_CARD_OTHER;
	if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return PHI_CARD_TEXT;
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		if (!strcmp(nothing[i], s))
			return PHI_CARD_ABSENT;
	/* No number or date is longer, and the pattern takes the longer the longer a text is. */
	enum { LONGEST = 256 };
	if (node->data.scalar.length > LONGEST)
		return PHI_CARD_TEXT;
	return regexec(&card->no_text, s, 0, NULL, 0) ? PHI_CARD_TEXT : PHI_CARD_OTHER;
}

static struct phi_card_value
value_of(const struct phi_card *card, const yaml_node_t *node)
{
	struct phi_card_value v = { .there = true, .node = node };
	switch (node->type) {
	case YAML_SCALAR_NODE:
		v.kind = scalar_kind(card, node);
		v.text = (struct phi_string){ (const char *)node->data.scalar.value,
			node->data.scalar.length };
		break;
	case YAML_SEQUENCE_NODE:
		v.kind = PHI_CARD_LIST;
		v.size = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
		break;
	case YAML_MAPPING_NODE:
		v.kind = PHI_CARD_MAP;
		break;
	case YAML_NO_NODE:
		v.kind = PHI_CARD_OTHER;
		break;
	}
	return v;
}

/* The last of equal keys is the one that counts. */
static struct phi_card_value
member(const struct phi_card *card, const yaml_node_t *map, const char *key)
{
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.top;
		p-- > map->data.mapping.pairs.start;) {
		const yaml_node_t *const k = node_of(card, p->key);
		if (k->type == YAML_SCALAR_NODE && !strcmp((const char *)k->data.scalar.value, key) &&
			scalar_kind(card, k) == PHI_CARD_TEXT)
			return value_of(card, node_of(card, p->value));
	}
	return (struct phi_card_value){ .kind = PHI_CARD_ABSENT };
}

struct phi_card_value
phi_card_find(const struct phi_card *card, const char *key)
{
	return member(card, card->root, key);
}

struct phi_card_value
phi_card_item(const struct phi_card *card, const struct phi_card_value *list, size_t i)
{
	const yaml_node_t *const node = list->node;
	return value_of(card, node_of(card, node->data.sequence.items.start[i]));
}

struct phi_card_value
phi_card_member(const struct phi_card *card, const struct phi_card_value *map, const char *key)
{
	const yaml_node_t *const node = map->node;
	const size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	return n <= PHI_CARD_MEMBERS_MAX ? member(card, node, key)
					 : (struct phi_card_value){ .kind = PHI_CARD_ABSENT };
}
