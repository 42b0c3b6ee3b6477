/* --scan of texts: what a loader of models takes for code, or for a template. Told by name and by a look
 * at the text; nothing is parsed. */
#include "formats/pytorch/scan.h"

#include "formats/core/memory.h"
#include "formats/tokenizer/template_scan.h"

#include <string.h>

static bool
ends_with(const char *name, const char *suffix)
{
	const size_t n = strlen(name), m = strlen(suffix);
	return n >= m && !strcmp(name + n - m, suffix);
}

static const char *
name_of(const struct phi_scan_input *in)
{
	return in->entry ? in->entry : in->member ? phi_member_name(in->member) : "";
}

static bool
has(const char *text, size_t n, const char *word)
{
	return memmem(text, n, word, strlen(word)) != NULL;
}

static int
torchscript(struct phi_scan *s, const struct phi_scan_input *in, const char *text, size_t n,
	struct phi_err *err)
{
	static const char *const files[] = { "from_file", "aten.save", "torch.save", "torch.load",
		"ops.aten.load", "ops.inductor", "read_file", "write_file" };
	/* Entries of one archive are many: the archive's name, not the entry's. */
	struct phi_scan_input archive = *in;
	const char *const bang = strrchr(in->entry, '!');
	archive.entry = bang ? phi_arena_copy(s->arena, in->entry, (size_t)(bang - in->entry), err)
			     : NULL;
	if (bang && !archive.entry)
		return -1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (has(text, n, files[i]) && phi_scan_emit(s, in, PHI_RULE_SCRIPT_FILES, UINT64_MAX, err,
			"code of TorchScript that calls %s", files[i]))
			return -1;
	return phi_scan_emit(s, &archive, PHI_RULE_SCRIPT, UINT64_MAX, err,
		"holds code of TorchScript, which runs when the model is called");
}

static int
json(struct phi_scan *s, const struct phi_scan_input *in, const char *name, const char *text, size_t n,
	struct phi_err *err)
{
	if (has(text, n, "\"Lambda\"") && has(text, n, "\"class_name\"") &&
		phi_scan_emit(s, in, PHI_RULE_LAMBDA, UINT64_MAX, err, "a Lambda layer of Keras"))
		return -1;
	if (!has(text, n, "\"chat_template\"") && !ends_with(name, "chat_template.json"))
		return 0;
	return phi_template_scan(text, n, s->findings, in->entry, err);
}

static int
read(struct phi_scan *s, const struct phi_scan_input *in, const char *name, struct phi_err *err)
{
	if (in->size > PHI_SCAN_TEXT_MAX)
		return phi_scan_emit(s, in, PHI_RULE_LIMIT, UINT64_MAX, err,
			"a text longer than %d bytes", PHI_SCAN_TEXT_MAX);
	char *const text = phi_alloc((size_t)in->size, err);
	int result = text ? phi_scan_read(in, 0, text, (size_t)in->size, err) : -1;
	if (!result && ends_with(name, ".py"))
		result = torchscript(s, in, text, (size_t)in->size, err);
	else if (!result && ends_with(name, ".jinja"))
		result = phi_template_scan(text, (size_t)in->size, s->findings, in->entry, err);
	else if (!result)
		result = json(s, in, name, text, (size_t)in->size, err);
	phi_free(text);
	return result;
}

/* HDF5 holds Keras's configuration as JSON somewhere inside. */
static int
hdf5(struct phi_scan *s, const struct phi_scan_input *in, struct phi_err *err)
{
	struct phi_scan_window w = { .in = in };
	int result = 0;
	for (uint64_t at = 0; !result && at < in->size;) {
		size_t left;
		const uint8_t *const p = phi_scan_look(&w, at, 1, &left, err);
		if (!p) {
			result = -1;
		} else if (has((const char *)p, left, "\"Lambda\"")) {
			result = phi_scan_emit(s, in, PHI_RULE_LAMBDA, at, err, "a Lambda layer of Keras");
			break;
		} else {
			at += left > 16 && at + left < in->size ? left - 16 : left;
			w.size = 0;
		}
	}
	phi_scan_window_free(&w);
	return result;
}

int
phi_scan_text(struct phi_scan *s, const struct phi_scan_input *in, const uint8_t *head, size_t n,
	struct phi_err *err)
{
	const char *const name = name_of(in);
	if (in->literal)
		return 0;
	if (n >= 8 && !memcmp(head, "\x89HDF\r\n\x1A\n", 8))
		return hdf5(s, in, err);
	/* TorchScript's code is beside its constants; other Python in an archive is a loader's. */
	if (in->entry && ends_with(name, ".py") && strstr(name, "code/"))
		return read(s, in, name, err);
	if (in->entry && (ends_with(name, ".py") || ends_with(name, ".pyc")))
		return phi_scan_emit(s, in, PHI_RULE_CODE, UINT64_MAX, err, "Python code in an archive");
	size_t i = 0;
	while (i < n && strchr(" \t\r\n", head[i]) && head[i])
		i++;
	/* Not tokenizer.json and the like: large, and nobody runs what is in them. */
	const bool told = ends_with(name, "config.json") || ends_with(name, "template.json");
	if (ends_with(name, ".jinja") || (i < n && head[i] == '{' && told))
		return read(s, in, name, err);
	return 0;
}
