#include "formats/pytorch/walk.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	DEPTH_MAX = 256,
	VISITS_MAX = 8 << 20, /* a node that is shared is visited again and again */
	REPEATS_MAX = 64 << 10, /* two bytes of a pickle repeat a tensor under another name */
	WARNINGS_MAX = 16,
	METADATA_MAX = 256,
	METADATA_STRING_MAX = 4096,
	STRANGERS_MAX = 8, /* callables told of */
};

enum role {
	ROLE_PAIRS, /* items are keys and values in turn */
	ROLE_ELEMENTS, /* items are elements */
	ROLE_TUPLES, /* items are (key, value): Python 2's OrderedDict */
	ROLE_MODULE, /* pairs of an object's state: _parameters, _buffers, _modules are no names */
};

struct frame {
	const struct phi_pickle *node;
	enum role role;
	uint32_t next;
	size_t length; /* of the path to the node */
};

struct walk {
	struct phi_model *model;
	struct phi_torch_storages *storages;
	bool swap;
	struct frame frames[DEPTH_MAX];
	unsigned depth;
	uint64_t visits;
	unsigned left_out, repeats;
	const struct phi_pickle *strangers[STRANGERS_MAX]; /* callables that make no tensor */
	unsigned nstrangers;
	char path[PHI_NAME_MAX];
};

static int
open_frame(struct walk *w, const struct phi_pickle *node, enum role role, size_t length,
	struct phi_err *err)
{
	if (!node || !node->count)
		return 0;
	for (unsigned i = 0; i < w->depth; i++)
		if (w->frames[i].node == node)
			return 0; /* it holds itself; once is enough */
	if (w->depth == DEPTH_MAX)
		return phi_fail(err, PHI_LIMIT, "values nested deeper than %d", DEPTH_MAX);
	w->frames[w->depth++] = (struct frame){ .node = node, .role = role, .length = length };
	return 0;
}

/* Appends a key to the path; *length becomes its length. */
static int
extend(struct walk *w, const struct phi_pickle *key, size_t *length, struct phi_err *err)
{
	char number[32];
	const char *text = "?";
	size_t n = 1;
	if (key->kind == PHI_PICKLE_STRING) {
		text = key->string.data;
		n = key->string.size;
	} else if (key->kind == PHI_PICKLE_INT) {
		n = (size_t)snprintf(number, sizeof number, "%" PRId64, key->i);
		text = number;
	}
	if (memchr(text, '\0', n))
		return phi_fail(err, PHI_FORMAT, "a name with a NUL byte");
	if (n + 2 > sizeof w->path - *length)
		return phi_fail(err, PHI_LIMIT, "a name longer than %d bytes", PHI_NAME_MAX);
	if (*length)
		w->path[(*length)++] = '.';
	memcpy(w->path + *length, text, n);
	*length += n;
	return 0;
}

static int
add_tensor(struct walk *w, const struct phi_pickle *node, size_t length, struct phi_err *err)
{
	const char *why;
	struct phi_quoted q;
	if (!length)
		length = (size_t)snprintf(w->path, sizeof w->path, "tensor");
	w->path[length] = '\0';
	if (node->object->named && ++w->repeats > REPEATS_MAX)
		return phi_fail(err, PHI_LIMIT,
			"more than %d names for tensors that have one already", REPEATS_MAX);
	node->object->named = true;
	if (phi_torch_add_tensor(w->model, w->storages, node, w->path, w->swap, &why, err))
		return phi_context(err, "tensor %s", phi_quote(&q, w->path));
	if (!why || ++w->left_out > WARNINGS_MAX)
		return 0;
	return phi_model_warn(
		w->model, err, "tensor %s is left out: %s", phi_quote(&q, w->path), why);
}

/* TorchScript's typed lists are calls with the list as their argument. */
static const struct phi_pickle *
pass_through(const struct phi_pickle *node)
{
	static const char prefix[] = "torch.jit._pickle ";
	const struct phi_pickle *const callable =
		node->kind == PHI_PICKLE_OBJECT ? node->object->callable : NULL;
	if (!callable || callable->kind != PHI_PICKLE_GLOBAL ||
		strncmp(callable->string.data, prefix, strlen(prefix)) != 0)
		return node;
	const struct phi_pickle *const inner = phi_pickle_item(node->object->args, 0);
	return inner ? inner : node;
}

static bool
same_global(const struct phi_pickle *a, const struct phi_pickle *b)
{
	return a->string.size == b->string.size &&
	       !memcmp(a->string.data, b->string.data, a->string.size);
}

/* Containers and modules, whose parts are walked, and values that hold no tensor and do no harm:
 * what torch's weights_only lets pass (facts/pytorch_tf.md 1.5). A name that ends in a dot or a
 * space stands for all that begin with it. */
static bool
is_usual(const struct phi_pickle *callable)
{
	static const char *const usual[] = { "collections OrderedDict", "collections defaultdict",
		"collections Counter", "torch.nn.", "__torch__.", "torch.jit._pickle ",
		"torch Size", "torch device", "torch.serialization _get_layout", "_codecs encode",
		"__builtin__ set", "__builtin__ bytearray", "__builtin__ complex", "builtins set",
		"builtins frozenset", "builtins bytearray", "builtins complex" };
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
		const size_t n = strlen(usual[i]);
		const bool prefix = usual[i][n - 1] == '.' || usual[i][n - 1] == ' ';
		if (prefix ? !strncmp(callable->string.data, usual[i], n)
			   : phi_pickle_is_global(callable, usual[i]))
			return true;
	}
	return false;
}

/* Tells, once, of a callable that a pickle calls and that is none of the usual: its result is not
 * in the model. */
static int
tell_stranger(struct walk *w, const struct phi_pickle *callable, struct phi_err *err)
{
	if (callable->kind != PHI_PICKLE_GLOBAL || w->nstrangers == STRANGERS_MAX ||
		is_usual(callable))
		return 0;
	for (unsigned i = 0; i < w->nstrangers; i++)
		if (same_global(w->strangers[i], callable))
			return 0;
	w->strangers[w->nstrangers++] = callable;
	struct phi_quoted q;
	return phi_model_warn(w->model, err, "left out, and not run: a call of %s",
		phi_quote(&q, callable->string.data));
}

/* An object that is no tensor: what was put into it, and its state. The last frame opened is walked
 * first. */
static int
enter_object(struct walk *w, const struct phi_pickle *node, size_t length, struct phi_err *err)
{
	const struct phi_pickle_object *const o = node->object;
	if (o->callable && tell_stranger(w, o->callable, err))
		return -1;
	if (phi_pickle_is_global(o->callable, "collections OrderedDict")) {
		const struct phi_pickle *const pairs = phi_pickle_item(o->args, 0);
		if (pairs && pairs->kind == PHI_PICKLE_LIST)
			return open_frame(w, pairs, ROLE_TUPLES, length, err);
		return open_frame(w, node, ROLE_PAIRS, length, err);
	}
	const bool state = o->state && o->state->kind == PHI_PICKLE_DICT;
	if ((state && open_frame(w, o->state, ROLE_MODULE, length, err)) ||
		(o->list && open_frame(w, o->list, ROLE_ELEMENTS, length, err)))
		return -1;
	return open_frame(w, node, ROLE_PAIRS, length, err);
}

static int
enter(struct walk *w, const struct phi_pickle *node, size_t length, struct phi_err *err)
{
	node = pass_through(node);
	if (++w->visits > VISITS_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d values", VISITS_MAX);
	switch ((int)node->kind) {
	case PHI_PICKLE_DICT:
		return open_frame(w, node, ROLE_PAIRS, length, err);
	case PHI_PICKLE_LIST:
	case PHI_PICKLE_TUPLE:
	case PHI_PICKLE_SET:
		return open_frame(w, node, ROLE_ELEMENTS, length, err);
	case PHI_PICKLE_OBJECT:
		return phi_torch_is_tensor(node) ? add_tensor(w, node, length, err)
						 : enter_object(w, node, length, err);
	default:
		return 0;
	}
}

static bool
is_transparent(const struct frame *f, const struct phi_pickle *key)
{
	return f->role == ROLE_MODULE &&
	       (phi_pickle_is_string(key, "_parameters") || phi_pickle_is_string(key, "_buffers") ||
		       phi_pickle_is_string(key, "_modules"));
}

/* The next child of the frame on top. */
static int
advance(struct walk *w, struct phi_err *err)
{
	struct frame *const f = &w->frames[w->depth - 1];
	const struct phi_pickle *const node = f->node, *key, *value;
	struct phi_pickle number = { .kind = PHI_PICKLE_INT, .i = f->next };
	size_t length = f->length;
	if (f->role == ROLE_PAIRS || f->role == ROLE_MODULE) {
		key = node->items[f->next];
		value = node->items[f->next + 1];
		f->next += 2;
	} else {
		value = node->items[f->next++];
		key = &number;
		if (f->role == ROLE_TUPLES) {
			key = phi_pickle_item(value, 0);
			value = phi_pickle_item(value, 1);
			if (!key || !value)
				return 0;
		}
	}
	if (!is_transparent(f, key) && extend(w, key, &length, err))
		return -1;
	return enter(w, value, length, err);
}

static int
walk(struct walk *w, const struct phi_pickle *root, struct phi_err *err)
{
	if (enter(w, root, 0, err))
		return -1;
	while (w->depth) {
		const struct frame *const f = &w->frames[w->depth - 1];
		if (f->next >= f->node->count)
			w->depth--;
		else if (advance(w, err))
			return -1;
	}
	if (w->left_out > WARNINGS_MAX)
		return phi_model_warn(
			w->model, err, "%u more tensors are left out", w->left_out - WARNINGS_MAX);
	return 0;
}

/* Training checkpoints */

static bool
is_dict(const struct phi_pickle *node)
{
	return node && (node->kind == PHI_PICKLE_DICT ||
			       (node->kind == PHI_PICKLE_OBJECT &&
				       phi_pickle_is_global(
					       node->object->callable, "collections OrderedDict")));
}

static bool
holds_tensors(const struct phi_pickle *node)
{
	for (uint32_t i = 1; is_dict(node) && i < node->count; i += 2)
		if (phi_torch_is_tensor(node->items[i]))
			return true;
	return false;
}

/* The one known key whose value is a dict of tensors, or NULL. */
static const char *
model_key(const struct phi_pickle *root)
{
	static const char *const known[] = { "state_dict", "model_state_dict", "model", "module",
		"model_state", "net", "generator", "params", "params_ema", "ema" };
	const char *found = NULL;
	if (!is_dict(root) || holds_tensors(root))
		return NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (holds_tensors(phi_pickle_value(root, known[i]))) {
			if (found)
				return NULL;
			found = known[i];
		}
	return found;
}

/* "optimizer, epoch": the keys beside the model's, cut where the room ends. */
static void
list_others(const struct phi_pickle *root, const char *key, char *dst, size_t size)
{
	size_t n = 0;
	*dst = '\0';
	for (uint32_t i = 0; i + 1 < root->count; i += 2) {
		const struct phi_pickle *const k = root->items[i];
		char text[64];
		if (k->kind != PHI_PICKLE_STRING || phi_pickle_is_string(k, key))
			continue;
		phi_escape(text, sizeof text, k->string.data, k->string.size);
		if (n + strlen(text) + 8 > size) {
			strcpy(dst + n, ", ...");
			return;
		}
		n += (size_t)sprintf(dst + n, "%s%s", n ? ", " : "", text);
	}
}

static int
start_at(struct phi_model *model, const struct phi_pickle **root, struct phi_err *err)
{
	const char *const key = model_key(*root);
	char others[256];
	if (!key)
		return 0;
	list_others(*root, key, others, sizeof others);
	*root = phi_pickle_value(*root, key);
	return *others ? phi_model_warn(
				 model, err, "the model is \"%s\"; left out are: %s", key, others)
		       : 0;
}

/* Numbers and short strings right in the root: epoch, version ... */
static int
add_metadata(struct phi_model *model, const struct phi_pickle *root, struct phi_err *err)
{
	for (uint32_t i = 0; is_dict(root) && i + 1 < root->count; i += 2) {
		const struct phi_pickle *const k = root->items[i], *const v = root->items[i + 1];
		struct phi_value value = { .kind = PHI_VALUE_NULL };
		if (k->kind != PHI_PICKLE_STRING || !k->string.size ||
			k->string.size > METADATA_STRING_MAX ||
			model->metadata.count == METADATA_MAX)
			continue;
		if (v->kind == PHI_PICKLE_INT) {
			value = (struct phi_value){ .kind = PHI_VALUE_I64, .i = v->i };
		} else if (v->kind == PHI_PICKLE_FLOAT) {
			value = (struct phi_value){ .kind = PHI_VALUE_F64, .f = v->f };
		} else if (v->kind == PHI_PICKLE_BOOL) {
			value = (struct phi_value){ .kind = PHI_VALUE_BOOL, .b = v->b };
		} else if (v->kind == PHI_PICKLE_STRING && v->string.size <= METADATA_STRING_MAX) {
			value.kind = PHI_VALUE_STRING;
			value.s.size = v->string.size;
			value.s.data =
				phi_arena_copy(model->arena, v->string.data, v->string.size, err);
			if (!value.s.data)
				return -1;
		} else {
			continue;
		}
		const char *const key =
			phi_arena_copy(model->arena, k->string.data, k->string.size, err);
		if (!key || phi_metadata_add(&model->metadata, model->arena, key, value, err))
			return -1;
	}
	return 0;
}

static int
fail_empty(const struct walk *w, struct phi_err *err)
{
	struct phi_quoted q;
	if (w->nstrangers)
		return phi_fail(err, PHI_UNSUPPORTED, "no tensor in it; a call of %s is not run",
			phi_quote(&q, w->strangers[0]->string.data));
	return phi_fail(err, PHI_UNSUPPORTED, "no tensor in it");
}

int
phi_torch_walk(struct phi_model *model, struct phi_torch_storages *storages,
	const struct phi_pickle *root, bool swap, struct phi_err *err)
{
	struct walk *const w = phi_calloc(1, sizeof *w, err);
	if (!w)
		return -1;
	w->model = model;
	w->storages = storages;
	w->swap = swap;
	int result =
		add_metadata(model, root, err) || start_at(model, &root, err) || walk(w, root, err)
			? -1
			: 0;
	if (!result && !model->ntensors)
		result = fail_empty(w, err);
	phi_free(w);
	return result;
}
