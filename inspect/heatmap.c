/* The heat map: a row a layer, a column a module, in each cell the worst SQNR of its tensors in dB, with a
 * shade and, if wanted, a colour that say the same:
 *
 *     layer  self_attn.o_proj  mlp.down_proj
 *     0             ▒ 34.1            █ 18.7      what is equal is "="; "!" is missing or another shape
 */
#include "formats/core/memory.h"
#include "inspect/diff_table.h"
#include "inspect/module.h"

#include <math.h>
#include <string.h>

enum { MODULES_MAX = PHI_TABLE_COLUMNS - 1, LAYERS_MAX = 1 << 12 };

struct heatmap {
	const struct phi_comparison *c;
	struct phi_arena *arena;
	struct heat_module {
		const char *name;
		uint32_t first; /* of its tensors in the model: the order of the columns */
	} modules[MODULES_MAX];
	unsigned nmodules;
	unsigned order[MODULES_MAX]; /* of the columns */
	size_t nlayers;
	bool cut;      /* there were more modules than columns */
	double *cells; /* nlayers x MODULES_MAX: dB; NAN: no tensor, -INFINITY: not comparable */
};

/* Thresholds as one sees them in practice: 8 bits are above 40 dB, 4 bits about 20. */
static const struct shade {
	double above;
	const char *mark, *color;
} shades[] = {{50, " ", "\033[32m"}, {40, "\u2591", "\033[36m"}, {30, "\u2592", "\033[33m"},
	{20, "\u2593", "\033[35m"}, {-INFINITY, "\u2588", "\033[31m"}};

static const struct shade *
shade_of(double sqnr)
{
	const struct shade *s = shades;
	while (sqnr < s->above)
		s++;
	return s;
}

/* What all names begin with is left out: the module in its layer. */
static const char *
short_name(const char *module)
{
	const char *const star = strstr(module, "*.");
	return star ? star + 2 : module;
}

static int
module_of(struct heatmap *h, const char *name, uint32_t tensor, unsigned *column, struct phi_err *err)
{
	for (*column = 0; *column < h->nmodules; (*column)++) {
		struct heat_module *const m = &h->modules[*column];
		if (strcmp(m->name, name))
			continue;
		m->first = tensor < m->first ? tensor : m->first;
		return 0;
	}
	if (h->nmodules == MODULES_MAX) {
		h->cut = true;
		return 0;
	}
	h->modules[h->nmodules].first = tensor;
	h->modules[h->nmodules].name = phi_arena_strdup(h->arena, name, err);
	return h->modules[h->nmodules++].name ? 0 : -1;
}

/* As in model a; what only b has comes last. */
static void
sort_modules(struct heatmap *h)
{
	for (unsigned i = 0; i < h->nmodules; i++) {
		unsigned at = i;
		for (; at && h->modules[h->order[at - 1]].first > h->modules[i].first; at--)
			h->order[at] = h->order[at - 1];
		h->order[at] = i;
	}
}

static double
value_of(const struct phi_pair *pair)
{
	if (pair->state < PHI_PAIR_DIFFERS || pair->distance.strange || pair->distance.undecoded)
		return pair->state == PHI_PAIR_EQUAL ? INFINITY : -INFINITY;
	return phi_distance_sqnr(&pair->distance);
}

static int
place(struct heatmap *h, const struct phi_pair *pair, struct phi_err *err)
{
	char name[PHI_NAME_MAX + 1];
	unsigned column;
	const int layer = phi_module_name(phi_pair_name(h->c, pair), 0, name, sizeof name);
	if (layer < 0 || layer >= LAYERS_MAX)
		return 0;
	if (module_of(h, short_name(name), pair->a, &column, err))
		return -1;
	if (column == h->nmodules)
		return 0;
	double *const cell = &h->cells[(size_t)layer * MODULES_MAX + column];
	const double value = value_of(pair);
	if (isnan(*cell) || value < *cell)
		*cell = value;
	if ((size_t)layer + 1 > h->nlayers)
		h->nlayers = (size_t)layer + 1;
	return 0;
}

static double
cell_value(const struct heatmap *h, size_t row, unsigned id)
{
	return h->cells[row * MODULES_MAX + id - 1];
}

static void
heat_cell(const void *ctx, size_t row, unsigned id, struct phi_cell *cell)
{
	const struct heatmap *const h = ctx;
	if (id == 0) {
		phi_cell_set_number(cell, row);
		return;
	}
	const double x = cell_value(h, row, id);
	if (isnan(x))
		return;
	if (isinf(x)) {
		phi_cell_set_word(cell, x > 0 ? "=" : "!");
		return;
	}
	snprintf(cell->room, sizeof cell->room, "%s %.1f", shade_of(x)->mark, x);
	phi_cell_set_word(cell, cell->room);
}

static const char *
heat_paint(const void *ctx, size_t row, unsigned id)
{
	const double x = id ? cell_value(ctx, row, id) : NAN;
	return isnan(x) ? NULL : shade_of(x)->color;
}

static void
print(const struct heatmap *h, FILE *out)
{
	struct phi_column columns[PHI_TABLE_COLUMNS] = {{.id = 0, .title = "layer", .right = true}};
	for (unsigned i = 0; i < h->nmodules; i++)
		columns[i + 1] = (struct phi_column){.id = h->order[i] + 1,
			.title = h->modules[h->order[i]].name, .right = true};
	const struct phi_table table = {.columns = columns, .ncolumns = h->nmodules + 1,
		.rows = h->nlayers, .ctx = h, .cell = heat_cell, .paint_cell = heat_paint,
		.indent = "  ", .color = h->c->options->color};
	if (!h->nlayers)
		return;
	fputs("SQNR in dB by layer and module: \u2588 below 20, \u2593 30, \u2592 40, \u2591 50; = equal, "
	      "! not comparable\n", out);
	phi_table_print(&table, out);
	if (h->cut)
		fprintf(out, "  (the first %d modules)\n", MODULES_MAX);
	fputc('\n', out);
}

int
phi_heatmap_print(const struct phi_comparison *c, FILE *out, struct phi_err *err)
{
	struct heatmap h = {.c = c, .arena = phi_arena_new(err)};
	const size_t cells = (size_t)LAYERS_MAX * MODULES_MAX;
	h.cells = phi_alloc(cells * sizeof *h.cells, err);
	int result = h.arena && h.cells ? 0 : -1;
	for (size_t i = 0; i < cells && !result; i++)
		h.cells[i] = NAN;
	for (size_t i = 0; i < c->npairs && !result; i++)
		result = place(&h, &c->pairs[i], err);
	sort_modules(&h);
	if (!result)
		print(&h, out);
	phi_free(h.cells);
	phi_arena_free(h.arena);
	return result;
}
