#include "formats/pytorch/walk.h"

#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/pytorch/training.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 256,
	VISITS_MAX = 8 << 20, /* a node that is shared is visited again and again */
	REPEATS_MAX = 64 << 10, /* two bytes of a pickle repeat a tensor under another name */
	CLASHES_MAX = 4096, /* tensors whose name another one has */
	WARNINGS_MAX = 16,
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
	bool attributes; /* of a module: the second round, for all that is in no state_dict */
	bool module; /* the attributes of an nn.Module */
	size_t length; /* of the path to the node */
	const struct phi_pickle *unsaved; /* of a module: the set of buffers that no state_dict has */
	const struct phi_pickle *skip; /* of a module's buffers: that set */
};

struct walk {
	struct phi_torch *torch;
	struct phi_model *model;
	struct phi_names *names; /* of the tensors so far */
	struct frame frames[DEPTH_MAX];
	unsigned depth;
	unsigned quiet; /* not 0: frames above this are attributes: only what has no name yet */
	uint64_t visits;
	unsigned left_out, odd, repeats, clashes;
	const struct phi_pickle *strangers[STRANGERS_MAX]; /* callables that make no tensor */
	unsigned nstrangers;
	char path[PHI_NAME_MAX + 16];
};

static int
too_many(struct phi_err *err)
{
	return phi_fail(err, PHI_LIMIT, "more than %d values", VISITS_MAX);
}

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
	struct frame *const f = &w->frames[w->depth++];
	*f = (struct frame){ .node = node, .role = role, .length = length };
	f->module = role == ROLE_MODULE && phi_pickle_value(node, "_parameters") &&
		    phi_pickle_value(node, "_modules");
	if (f->module)
		f->unsaved = phi_pickle_value(node, "_non_persistent_buffers_set");
	return 0;
}

/* A number as Python spells it. */
static size_t
spell_float(double f, char *dst, size_t size)
{
	int n = 0;
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(dst, size, "%.*g", digits, f);
		if (strtod(dst, NULL) == f)
			break;
	}
	if (!strpbrk(dst, ".en"))
		n += snprintf(dst + n, size - (size_t)n, ".0");
	return (size_t)n;
}

/* A key as text: itself, or put into `number`; "?" for what has no short one. */
static struct phi_string
spell_key(const struct phi_pickle *key, char *number, size_t size)
{
	static const struct phi_string none = { "None", 4 }, yes = { "True", 4 },
				       no = { "False", 5 }, other = { "?", 1 };
	const struct phi_pickle *text;
	switch ((int)key->kind) {
	case PHI_PICKLE_STRING:
	case PHI_PICKLE_BYTES:
		return key->string;
	case PHI_PICKLE_INT:
		return (struct phi_string){
			number, (size_t)snprintf(number, size, "%" PRId64, key->i) };
	case PHI_PICKLE_FLOAT:
		return (struct phi_string){ number, spell_float(key->f, number, size) };
	case PHI_PICKLE_BOOL:
		return key->b ? yes : no;
	case PHI_PICKLE_NONE:
		return none;
	case PHI_PICKLE_OBJECT:
		/* bytes, as protocol 2 has them */
		text = phi_pickle_is_global(key->object->callable, "_codecs encode")
			       ? phi_pickle_item(key->object->args, 0)
			       : NULL;
		return text && text->kind == PHI_PICKLE_STRING ? text->string : other;
	default:
		return other;
	}
}

/* Appends a key to the path; *length becomes its length. */
static int
extend(struct walk *w, const struct phi_pickle *key, size_t *length, struct phi_err *err)
{
	char number[64];
	const struct phi_string text = spell_key(key, number, sizeof number);
	if (memchr(text.data, '\0', text.size))
		return phi_fail(err, PHI_FORMAT, "a name with a NUL byte");
	if (text.size + (*length > 0) > PHI_NAME_MAX - *length)
		return phi_fail(err, PHI_LIMIT, "a name longer than %d bytes", PHI_NAME_MAX);
	if (*length)
		w->path[(*length)++] = '.';
	memcpy(w->path + *length, text.data, text.size);
	*length += text.size;
	return 0;
}

/* Two values may have one path: {"a.b": x, "a": {"b": y}}, {1: x, "1": y}. The second gets a number
 * behind its name. */
static int
settle_name(struct walk *w, size_t length, struct phi_err *err)
{
	struct phi_quoted q;
	w->path[length] = '\0';
	if (phi_names_find(w->names, w->path, length) == PHI_NONE)
		return 0;
	if (++w->clashes > CLASHES_MAX)
		return phi_fail(err, PHI_LIMIT, "more than %d names that are there twice",
			CLASHES_MAX);
	phi_quote(&q, w->path);
	snprintf(w->path + length, 16, "~%u", w->clashes + 1);
	return w->clashes > WARNINGS_MAX
		       ? 0
		       : phi_model_warn(w->model, err, "two tensors are called %s; one is shown as %s",
				 q.text, w->path);
}

/* What there is to say about a tensor, or why it is not there. */
static int
tell(struct walk *w, const char *why, bool left, struct phi_err *err)
{
	struct phi_quoted q;
	unsigned *const count = left ? &w->left_out : &w->odd;
	if (!why || ++*count > WARNINGS_MAX)
		return 0;
	return phi_model_warn(w->model, err, "tensor %s%s: %s", phi_quote(&q, w->path),
		left ? " is left out" : "", why);
}

static int
add_tensor(struct walk *w, const struct phi_pickle *node, size_t length, struct phi_err *err)
{
	const char *why;
	bool left;
	struct phi_quoted q;
	if (!length)
		length = (size_t)snprintf(w->path, sizeof w->path, "tensor");
	if (node->kind == PHI_PICKLE_OBJECT) {
		if (node->object->named && w->quiet)
			return 0;
		if (node->object->named && ++w->repeats > REPEATS_MAX)
			return phi_fail(err, PHI_LIMIT,
				"more than %d names for tensors that have one already",
				REPEATS_MAX);
		node->object->named = true;
	}
	if (settle_name(w, length, err))
		return -1;
	size_t i = w->model->ntensors;
	if (phi_torch_add_tensor(w->torch, node, w->path, &why, &left, err))
		return phi_context(err, "tensor %s", phi_quote(&q, w->path));
	for (; i < w->model->ntensors; i++) {
		const char *const name = w->model->tensors[i].name;
		if (phi_names_add(w->names, name, strlen(name), (uint32_t)i, err) < 0)
			return -1;
	}
	return tell(w, why, left, err);
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
		"builtins frozenset", "builtins bytearray", "builtins complex",
		"numpy.core.multiarray scalar", "numpy._core.multiarray scalar", "numpy dtype" };
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
	if (!w->torch->stranger)
		w->torch->stranger = callable->string.data;
	struct phi_quoted q;
	return phi_model_warn(w->model, err, "left out, and not run: a call of %s",
		phi_quote(&q, callable->string.data));
}

/* The attributes of an object: a dict; (dict, dict) if its class has slots; or what its class makes of
 * a list. */
static int
enter_state(struct walk *w, const struct phi_pickle *state, size_t length, struct phi_err *err)
{
	if (!state)
		return 0;
	const struct phi_pickle *const slots = phi_pickle_item(state, 1);
	if (state->kind == PHI_PICKLE_DICT)
		return open_frame(w, state, ROLE_MODULE, length, err);
	if (state->kind == PHI_PICKLE_TUPLE && state->count == 2 &&
		slots->kind == PHI_PICKLE_DICT) {
		if (state->items[0]->kind == PHI_PICKLE_DICT &&
			open_frame(w, state->items[0], ROLE_MODULE, length, err))
			return -1;
		return open_frame(w, slots, ROLE_MODULE, length, err);
	}
	if (state->kind == PHI_PICKLE_TUPLE || state->kind == PHI_PICKLE_LIST)
		return open_frame(w, state, ROLE_ELEMENTS, length, err);
	if (phi_torch_is_tensor(state))
		return add_tensor(w, state, length, err);
	return 0;
}

/* A subclass of tensors that wraps others: (function, class, arguments, attributes). */
static int
enter_wrapper(struct walk *w, const struct phi_pickle *args, size_t length, struct phi_err *err)
{
	const struct phi_pickle *const class = phi_pickle_item(args, 1);
	const struct phi_pickle *inner = phi_pickle_item(args, 2);
	if (class && tell_stranger(w, class, err))
		return -1;
	if (enter_state(w, phi_pickle_item(args, 3), length, err))
		return -1;
	if (inner && inner->kind == PHI_PICKLE_TUPLE && inner->count == 1 &&
		inner->items[0]->kind == PHI_PICKLE_DICT)
		return open_frame(w, inner->items[0], ROLE_PAIRS, length, err);
	return enter_state(w, inner, length, err);
}

/* An object that is no tensor: what it was called with, what was put into it, its state. The last frame
 * opened is walked first. */
static int
enter_object(struct walk *w, const struct phi_pickle *node, size_t length, struct phi_err *err)
{
	const struct phi_pickle_object *const o = node->object;
	if (phi_pickle_is_global(o->callable, "torch._tensor _rebuild_from_type_v2"))
		return enter_wrapper(w, o->args, length, err);
	if (o->callable && tell_stranger(w, o->callable, err))
		return -1;
	if (phi_pickle_is_global(o->callable, "collections OrderedDict")) {
		const struct phi_pickle *const pairs = phi_pickle_item(o->args, 0);
		if (pairs && pairs->kind == PHI_PICKLE_LIST)
			return open_frame(w, pairs, ROLE_TUPLES, length, err);
		return open_frame(w, node, ROLE_PAIRS, length, err);
	}
	if (enter_state(w, o->state, length, err) ||
		(o->list && open_frame(w, o->list, ROLE_ELEMENTS, length, err)))
		return -1;
	if (o->callable && o->callable->kind == PHI_PICKLE_GLOBAL && !is_usual(o->callable) &&
		open_frame(w, o->args, ROLE_ELEMENTS, length, err))
		return -1;
	return open_frame(w, node, ROLE_PAIRS, length, err);
}

static int
enter(struct walk *w, const struct phi_pickle *node, size_t length, struct phi_err *err)
{
	node = pass_through(node);
	if (++w->visits > VISITS_MAX)
		return too_many(err);
	switch ((int)node->kind) {
	case PHI_PICKLE_DICT:
		return open_frame(w, node, ROLE_PAIRS, length, err);
	case PHI_PICKLE_LIST:
	case PHI_PICKLE_TUPLE:
	case PHI_PICKLE_SET:
		return open_frame(w, node, ROLE_ELEMENTS, length, err);
	case PHI_PICKLE_OBJECT:
		return phi_torch_is_tensor(node) || phi_torch_is_like_tensor(node)
			       ? add_tensor(w, node, length, err)
			       : enter_object(w, node, length, err);
	case PHI_PICKLE_PERSISTENT:
		return phi_torch_is_like_tensor(node) ? add_tensor(w, node, length, err) : 0;
	default:
		return 0;
	}
}

static bool
is_transparent(const struct phi_pickle *key)
{
	return phi_pickle_is_string(key, "_parameters") || phi_pickle_is_string(key, "_buffers") ||
	       phi_pickle_is_string(key, "_modules");
}

/* Is a buffer one of the set of those that no state_dict has? */
static bool
is_skipped(struct walk *w, const struct phi_pickle *set, const struct phi_pickle *key)
{
	if (set && set->kind == PHI_PICKLE_OBJECT)
		set = phi_pickle_item(set->object->args, 0);
	if (!set || key->kind != PHI_PICKLE_STRING ||
		(set->kind != PHI_PICKLE_SET && set->kind != PHI_PICKLE_LIST))
		return false;
	w->visits += set->count;
	for (uint32_t i = 0; i < set->count; i++)
		if (set->items[i]->kind == PHI_PICKLE_STRING &&
			set->items[i]->string.size == key->string.size &&
			!memcmp(set->items[i]->string.data, key->string.data, key->string.size))
			return true;
	return false;
}

/* One attribute of an object. Of a module the parameters, buffers and modules come first, under no name
 * of their own, then, in a second round, what else has tensors that have no name yet. */
static int
advance_module(struct walk *w, struct frame *f, const struct phi_pickle *key,
	const struct phi_pickle *value, struct phi_err *err)
{
	size_t length = f->length;
	const bool module = f->module, transparent = is_transparent(key);
	const struct phi_pickle *const skip =
		phi_pickle_is_string(key, "_buffers") ? f->unsaved : NULL;
	if (module && transparent == f->attributes)
		return 0;
	if (!transparent && extend(w, key, &length, err))
		return -1;
	const unsigned depth = w->depth;
	if (module && f->attributes && !w->quiet)
		w->quiet = depth;
	if (enter(w, value, length, err))
		return -1;
	if (skip && w->depth > depth)
		w->frames[depth].skip = skip;
	return 0;
}

/* The next child of the frame on top. */
static int
advance(struct walk *w, struct phi_err *err)
{
	struct frame *const f = &w->frames[w->depth - 1];
	const struct phi_pickle *const node = f->node, *key, *value;
	struct phi_pickle number = { .kind = PHI_PICKLE_INT, .i = f->next };
	size_t length = f->length;
	if (w->quiet >= w->depth)
		w->quiet = 0;
	if (f->role == ROLE_PAIRS || f->role == ROLE_MODULE) {
		key = node->items[f->next];
		value = node->items[f->next + 1];
		f->next += 2;
		if (f->skip && is_skipped(w, f->skip, key))
			return ++w->visits > VISITS_MAX ? too_many(err) : 0;
		if (f->role == ROLE_MODULE)
			return advance_module(w, f, key, value, err);
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
	if (extend(w, key, &length, err))
		return -1;
	return enter(w, value, length, err);
}

/* Is there another child? */
static bool
is_open(struct frame *f)
{
	if (f->next < f->node->count)
		return true;
	if (f->attributes || !f->module)
		return false;
	f->attributes = true;
	f->next = 0;
	return true;
}

static int
walk(struct walk *w, const struct phi_pickle *root, size_t length, struct phi_err *err)
{
	if (enter(w, root, length, err))
		return -1;
	while (w->depth) {
		if (!is_open(&w->frames[w->depth - 1]))
			w->depth--;
		else if (advance(w, err))
			return -1;
	}
	if (w->left_out > WARNINGS_MAX &&
		phi_model_warn(w->model, err, "%u more tensors are left out",
			w->left_out - WARNINGS_MAX))
		return -1;
	if (w->odd > WARNINGS_MAX)
		return phi_model_warn(w->model, err, "%u more tensors are shown in another form",
			w->odd - WARNINGS_MAX);
	return 0;
}

int
phi_torch_found(const struct phi_torch *torch, struct phi_err *err)
{
	struct phi_quoted q;
	if (torch->model->ntensors || torch->empty)
		return 0;
	if (torch->stranger)
		return phi_fail(err, PHI_UNSUPPORTED, "no tensor in it; a call of %s is not run",
			phi_quote(&q, torch->stranger));
	return phi_fail(err, PHI_UNSUPPORTED, "no tensor in it");
}

/* The names so far, and the walk. */
static int
run(struct walk *w, const struct phi_pickle *root, const char *prefix, struct phi_err *err)
{
	size_t length = 0;
	w->names = phi_names_new(err);
	if (!w->names)
		return -1;
	for (size_t i = 0; i < w->model->ntensors; i++) {
		const char *const name = w->model->tensors[i].name;
		if (phi_names_add(w->names, name, strlen(name), (uint32_t)i, err) < 0)
			return -1;
	}
	if (prefix)
		length = (size_t)snprintf(w->path, sizeof w->path, "%s", prefix);
	else if (phi_torch_add_metadata(w->model, root, err) ||
		 phi_torch_find_model(w->model, &root, err))
		return -1;
	return walk(w, root, length, err);
}

int
phi_torch_walk(struct phi_torch *torch, const struct phi_pickle *root, const char *prefix,
	struct phi_err *err)
{
	struct walk *const w = phi_calloc(1, sizeof *w, err);
	if (!w)
		return -1;
	w->torch = torch;
	torch->empty = phi_torch_is_dict(root) && !root->count;
	w->model = torch->model;
	const int result = run(w, root, prefix, err);
	phi_names_free(w->names);
	phi_free(w);
	return result;
}
