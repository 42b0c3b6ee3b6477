/* --scan: operators that a library of somebody has to be loaded for, and external data that lead elsewhere. Works on
 * models that cannot be described, as long as their messages can be followed; where not, that is the finding. */
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/onnx/read.h"

#include <string.h>

struct look {
	const struct phi_findings *findings;
	const char *file;
	struct phi_names *domains; /* that were told of, or that need nothing */
	struct phi_err failed;	   /* ours, not the file's */
};

/* Stays beneath the folder: no root, no "..", none empty. */
static bool
stays(const char *location)
{
	for (const char *p = location;;) {
		const size_t n = strcspn(p, "/\\");
		if (!n || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
		p += n + 1;
	}
}

/* The numbers go, whatever they are. */
static int
look_at_tensor(void *ctx, const struct phi_onnx_found *t, struct phi_onnx_change *change, struct phi_err *err)
{
	struct look *const l = ctx;
	struct phi_quoted q;
	(void)change;
	if (t->has_location && !stays(t->location) &&
		phi_finding_emit(l->findings, PHI_FINDING_DANGEROUS, "onnx.external", l->file, NULL, t->at, err,
			"external data that lead out of the folder: %s", phi_quote(&q, t->location)) < 0) {
		l->failed = *err;
		return -1;
	}
	return 1;
}

static int
look_at_node(struct look *l, const PhiOnnx__Node *node, struct phi_err *err)
{
	const char *const domain = node->domain ? node->domain : "";
	struct phi_quoted a, b;
	const int known = phi_names_add(l->domains, domain, strlen(domain), 0, err);
	if (known)
		return known < 0 ? -1 : 0;
	return phi_finding_emit(l->findings, PHI_FINDING_SUSPICIOUS, "onnx.domain", l->file, NULL, UINT64_MAX, err,
		"operators of %s (%s): a library has to be loaded for them", phi_quote(&a, domain),
		phi_quote(&b, node->op_type ? node->op_type : "?"));
}

/* Graphs in graphs: no deeper than the scanner lets messages be. */
static int
look_at_nodes(struct look *l, PhiOnnx__Node *const *nodes, size_t n, struct phi_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (look_at_node(l, nodes[i], err) < 0)
			return -1;
		for (size_t k = 0; k < nodes[i]->n_attribute; k++) {
			const PhiOnnx__Attribute *const a = nodes[i]->attribute[k];
			if (a->g && look_at_nodes(l, a->g->node, a->g->n_node, err) < 0)
				return -1;
			for (size_t g = 0; g < a->n_graphs; g++)
				if (look_at_nodes(l, a->graphs[g]->node, a->graphs[g]->n_node, err) < 0)
					return -1;
		}
	}
	return 0;
}

static int
look_at_graph(struct look *l, const PhiOnnx__Model *m, struct phi_err *err)
{
	static const char *const known[] = { "", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview",
		"ai.onnx.preview.training", "ai.onnx.training", "com.microsoft", "com.microsoft.nchwc",
		"com.microsoft.experimental", "com.ms.internal.nhwc" };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (phi_names_add(l->domains, known[i], strlen(known[i]), 0, err) < 0)
			return -1;
	for (size_t i = 0; i < m->n_functions; i++) {
		const char *const own = m->functions[i]->domain ? m->functions[i]->domain : "";
		if (phi_names_add(l->domains, own, strlen(own), 0, err) < 0)
			return -1;
	}
	if (m->graph && look_at_nodes(l, m->graph->node, m->graph->n_node, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_functions; i++)
		if (look_at_nodes(l, m->functions[i]->node, m->functions[i]->n_node, err) < 0)
			return -1;
	return 0;
}

static int
follow(struct look *l, struct phi_member *member, struct phi_buffer *bytes, struct phi_err *err)
{
	struct phi_onnx_edits edits = { 0 };
	struct phi_wire_file *const file = phi_calloc(1, sizeof *file, err);
	int result = file ? 0 : -1;
	if (!result) {
		phi_wire_file_open(file, member);
		result = phi_onnx_scan(file, look_at_tensor, l, &edits, err);
	}
	if (!result)
		result = phi_onnx_edited(file, &edits, bytes, err);
	phi_onnx_edits_free(&edits);
	phi_free(file);
	return result;
}

static int
examine(struct look *l, struct phi_member *member, struct phi_arena *arena, struct phi_err *err)
{
	struct phi_buffer bytes = { 0 };
	struct phi_onnx_graph graph = { 0 };
	int result = follow(l, member, &bytes, err);
	if (!result)
		result = phi_onnx_graph_open(&graph, bytes.data, bytes.size, arena, err);
	if (result && !l->failed.kind && err->kind != PHI_MEMORY && err->kind != PHI_SYSTEM) {
		const struct phi_err why = *err;
		result = phi_finding_emit(l->findings, PHI_FINDING_UNSCANNABLE, "onnx.message", l->file, NULL,
			UINT64_MAX, err, "%s", why.text);
	} else if (!result) {
		result = look_at_graph(l, graph.model, err);
	}
	phi_onnx_graph_close(&graph);
	phi_buffer_free(&bytes);
	return result;
}

int
phi_onnx_scan_store(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_err own = { 0 };
	struct phi_err *const e = err ? err : &own;
	struct phi_member *const member = phi_store_member(store, NULL, e);
	struct phi_arena *const arena = member ? phi_arena_new(e) : NULL;
	struct look l = { .findings = findings, .domains = arena ? phi_names_new(e) : NULL };
	l.file = member ? phi_member_name(member) : NULL;
	const int result = l.domains ? examine(&l, member, arena, e) : -1;
	phi_names_free(l.domains);
	phi_arena_free(arena);
	phi_member_close(member);
	return result;
}
