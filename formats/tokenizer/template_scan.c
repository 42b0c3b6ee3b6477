#include "formats/tokenizer/template_scan.h"

#include <string.h>

/* No template of a model needs these. "\\x5f": an underscore spelt so that it is not seen. */
static const char *const words[] = { "__class__", "__globals__", "__builtins__", "__subclasses__",
	"__import__", "__mro__", "__base__", "__bases__", "__init__", "__getattribute__", "__getitem__",
	"__dict__", "__self__", "__code__", "__loader__", "__reduce__", "|attr(", "| attr(", "|attr (",
	"| attr (", "\\x5f", "\\u005f", "popen", "subprocess", "os.system", "import os", "lipsum",
	"cycler.", "joiner.", "_TemplateReference", "get_flashed_messages", "url_for", "eval(", "exec(" };
static const char *const addresses[] = { "http://", "https://", "ftp://" };

/* In JSON only what belongs to a template counts. */
static const char *
template_of(const char *text, size_t *size)
{
	static const char key[] = "\"chat_template\"";
	const char *const at = *size && (text[0] == '{' || text[0] == '[')
		? memmem(text, *size, key, sizeof key - 1) : NULL;
	if (at)
		*size -= (size_t)(at - text);
	return at ? at : text;
}

static const char *
first_of(const char *text, size_t size, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (memmem(text, size, list[i], strlen(list[i])))
			return list[i];
	return NULL;
}

int
phi_template_scan(const char *text, size_t size, const struct phi_findings *findings,
	const char *entry, struct phi_err *err)
{
	const char *const template = template_of(text, &size);
	const char *const word = first_of(template, size, words, sizeof words / sizeof *words);
	const char *const address =
		first_of(template, size, addresses, sizeof addresses / sizeof *addresses);
	if (word && phi_finding_emit(findings, PHI_FINDING_DANGEROUS, "template.code", NULL, entry,
		UINT64_MAX, err, "the chat template says %s", word))
		return -1;
	return address ? phi_finding_emit(findings, PHI_FINDING_SUSPICIOUS, "template.url", NULL, entry,
		UINT64_MAX, err, "the chat template says %s", address) : 0;
}
