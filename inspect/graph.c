/* --graph: how often each operator is there, and the nodes. */
#include "inspect/inspect.h"

#include "formats/core/buffer.h"
#include "formats/core/memory.h"
#include "inspect/table.h"

#include <stdlib.h>
#include <string.h>

struct row {
	const char *graph, *name, *op, *domain, *inputs, *outputs;
};

struct kind {
	const char *op, *domain;
	uint64_t count;
};

struct nodes {
	struct phi_arena *arena;
	struct row *rows;
	size_t count, capacity;
	struct kind *kinds;
	size_t nkinds;
};

static const char *
joined(struct nodes *n, const char *const *names, size_t count, struct phi_err *err)
{
	struct phi_buffer text = { 0 };
	int result = 0;
	for (size_t i = 0; !result && i < count; i++)
		result = phi_buffer_printf(&text, err, "%s%s", i ? " " : "", names[i][0] ? names[i] : "-");
	const char *const copy = result ? NULL : phi_arena_copy(n->arena, text.data, text.size, err);
	phi_buffer_free(&text);
	return copy;
}

static int
keep(void *ctx, const struct phi_node_view *v, struct phi_err *err)
{
	struct nodes *const n = ctx;
	if (phi_grow(&n->rows, &n->capacity, n->count, sizeof *n->rows, err) < 0)
		return -1;
	struct row *const r = &n->rows[n->count];
	r->graph = phi_arena_strdup(n->arena, v->graph, err);
	r->name = phi_arena_strdup(n->arena, v->name, err);
	r->op = phi_arena_strdup(n->arena, v->op, err);
	r->domain = phi_arena_strdup(n->arena, v->domain, err);
	r->inputs = joined(n, v->inputs, v->ninputs, err);
	r->outputs = joined(n, v->outputs, v->noutputs, err);
	if (!r->graph || !r->name || !r->op || !r->domain || !r->inputs || !r->outputs)
		return -1;
	n->count++;
	return 0;
}

static int
by_operator(const void *a, const void *b)
{
	const struct kind *const x = a, *const y = b;
	const int op = strcmp(x->op, y->op);
	return op ? op : strcmp(x->domain, y->domain);
}

static int
by_count(const void *a, const void *b)
{
	const struct kind *const x = a, *const y = b;
	return x->count != y->count ? (x->count < y->count ? 1 : -1) : by_operator(a, b);
}

static int
tally(struct nodes *n, struct phi_err *err)
{
	n->kinds = phi_calloc(n->count + 1, sizeof *n->kinds, err);
	if (!n->kinds)
		return -1;
	for (size_t i = 0; i < n->count; i++)
		n->kinds[i] = (struct kind){ n->rows[i].op, n->rows[i].domain, 1 };
	if (n->count)
		qsort(n->kinds, n->count, sizeof *n->kinds, by_operator);
	for (size_t i = 0; i < n->count; i++) {
		if (n->nkinds && !by_operator(&n->kinds[n->nkinds - 1], &n->kinds[i]))
			n->kinds[n->nkinds - 1].count++;
		else
			n->kinds[n->nkinds++] = n->kinds[i];
	}
	if (n->nkinds)
		qsort(n->kinds, n->nkinds, sizeof *n->kinds, by_count);
	return 0;
}

enum { OPERATOR, DOMAIN, COUNT, NAME, INPUTS, OUTPUTS, GRAPH };

static void
set(struct phi_cell *cell, const char *text)
{
	phi_cell_set_text(cell, text[0] ? text : NULL);
}

static void
kind_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct kind *const k = &((const struct nodes *)ctx)->kinds[row];
	if (id == COUNT)
		phi_cell_set_number(cell, k->count);
	else
		set(cell, id == OPERATOR ? k->op : k->domain);
}

static void
node_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct row *const r = &((const struct nodes *)ctx)->rows[row];
	set(cell, id == OPERATOR ? r->op : id == DOMAIN ? r->domain : id == NAME ? r->name
			: id == INPUTS ? r->inputs : id == OUTPUTS ? r->outputs : r->graph);
}

static const struct phi_column kind_columns[] = { { OPERATOR, "operator", "operator", false, NULL, 0 },
	{ DOMAIN, "domain", "domain", false, NULL, 0 }, { COUNT, "nodes", "nodes", true, NULL, 0 } };
static const struct phi_column node_columns[] = { { OPERATOR, "operator", "operator", false, NULL, 0 },
	{ DOMAIN, "domain", "domain", false, NULL, 0 }, { NAME, "name", "name", false, NULL, 0 },
	{ INPUTS, "inputs", "inputs", false, NULL, 0 }, { OUTPUTS, "outputs", "outputs", false, NULL, 0 },
	{ GRAPH, "graph", "graph", false, NULL, 0 } };

static int
print(const struct nodes *n, const struct phi_inspect_options *options, FILE *out, struct phi_err *err)
{
	const struct phi_table kinds = { .title = "operators", .columns = kind_columns,
		.ncolumns = sizeof kind_columns / sizeof *kind_columns, .rows = n->nkinds, .ctx = n, .cell = kind_cell,
		.color = options->color, .indent = "  " };
	const struct phi_table nodes = { .title = "nodes", .record = "node", .columns = node_columns,
		.ncolumns = sizeof node_columns / sizeof *node_columns, .rows = n->count, .ctx = n, .cell = node_cell,
		.color = options->color, .indent = "  " };
	struct phi_emit e;
	switch (options->style) {
	case PHI_STYLE_TEXT:
		phi_table_print(&kinds, out);
		fputc('\n', out);
		phi_table_print(&nodes, out);
		return 0;
	case PHI_STYLE_JSON:
		phi_emit_begin(&e, out, 1);
		phi_table_emit(&nodes, &e);
		return phi_emit_finish(&e, err);
	case PHI_STYLE_LINES:
		return phi_table_lines(&nodes, out, err);
	case PHI_STYLE_CSV:
		phi_table_csv(&nodes, !options->headless, out);
		return 0;
	}
	return 0;
}

int
phi_graph_print(struct phi_source *source, const struct phi_inspect_options *options, FILE *out, struct phi_err *err)
{
	struct nodes n = { .arena = phi_arena_new(err) };
	const struct phi_nodes to = { .emit = keep, .ctx = &n };
	int result = n.arena ? 0 : -1;
	if (!result && !source->ops->graph) {
		phi_fail(err, PHI_UNSUPPORTED, "%s has no graph to show", source->format);
		result = phi_source_blame(source, PHI_NONE, err);
	}
	if (!result)
		result = source->ops->graph(source, &to, err) < 0 || tally(&n, err) < 0 ? -1
			: print(&n, options, out, err);
	phi_free(n.rows);
	phi_free(n.kinds);
	phi_arena_free(n.arena);
	return result;
}
