/* --scan of a GGUF: it holds no code but its chat templates. */
#include "formats/core/checked.h"
#include "formats/core/escape.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/header.h"
#include "formats/tokenizer/template_scan.h"

#include <inttypes.h>
#include <string.h>

#include "formats/core/memory.h"

static int
check_templates(const struct phi_model *model, const struct phi_findings *findings,
	struct phi_err *err)
{
	static const char key[] = "tokenizer.chat_template";
	for (size_t i = 0; i < model->metadata.count; i++) {
		const struct phi_meta *const m = &model->metadata.items[i];
		if (!strncmp(m->key, key, sizeof key - 1) && m->value.kind == PHI_VALUE_STRING &&
			phi_template_scan(m->value.s.data, m->value.s.size, findings, NULL, err))
			return -1;
	}
	return 0;
}

/* Bytes behind the last tensor and its padding would be another file's. */
static int
check_end(const struct phi_gguf_header *header, uint64_t size, const struct phi_findings *findings,
	struct phi_err *err)
{
	uint64_t end = header->data;
	for (uint32_t i = 0; i < header->ntensors; i++) {
		const struct phi_gguf_extent *const e = &header->extents[i];
		uint64_t at;
		if (!phi_add(header->data, e->offset, &at) || !phi_fits(at, e->size, size))
			return phi_finding_emit(findings, PHI_FINDING_UNSCANNABLE, "file.unreadable",
				NULL, NULL, UINT64_MAX, err, "a tensor's data passes the end");
		end = at + e->size > end ? at + e->size : end;
	}
	if (size <= end || size - end <= header->alignment)
		return 0;
	return phi_finding_emit(findings, PHI_FINDING_SUSPICIOUS, "file.trailing", NULL, NULL, end, err,
		"%" PRIu64 " bytes follow the last tensor", size - end);
}

static int
scan(struct phi_member *member, struct phi_model *model, const struct phi_findings *findings,
	struct phi_err *err)
{
	struct phi_gguf_cursor cursor = { 0 };
	struct phi_gguf_header header = { 0 };
	struct phi_err why = { 0 };
	int result = phi_gguf_cursor_open(&cursor, member, err);
	if (!result && phi_gguf_read_header(&cursor, model, &header, &why)) {
		result = why.kind == PHI_MEMORY || why.kind == PHI_SYSTEM ? -1
			: phi_finding_emit(findings, PHI_FINDING_UNSCANNABLE, "file.unreadable",
				  NULL, NULL, UINT64_MAX, err, "%s", why.text);
		if (result && err)
			*err = why;
	} else if (!result) {
		result = check_end(&header, phi_member_size(member), findings, err) ||
				check_templates(model, findings, err) ? -1 : 0;
	}
	phi_free(header.extents);
	phi_gguf_cursor_close(&cursor);
	return result;
}

int
phi_gguf_scan(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_member *const member = phi_store_member(store, NULL, err);
	struct phi_model *const model = member ? phi_model_new("gguf", err) : NULL;
	const int result = model && !phi_member_spool(member, err)
		? scan(member, model, findings, err) : -1;
	phi_model_free(model);
	phi_member_close(member);
	return result;
}
