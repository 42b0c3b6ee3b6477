/* Private to edit*.c. */
#ifndef PHI_CORE_EDIT_INSIDE_H
#define PHI_CORE_EDIT_INSIDE_H

#include "formats/core/model.h"

/* A kind as edits spell it. */
struct phi_edit_kind_name {
	enum phi_value_kind kind; /* of the elements, where it is an array */
	bool array;
};
bool phi_edit_kind_named(const char *name, size_t size, struct phi_edit_kind_name *kind);
/* The kind that a new key's value looks like. */
enum phi_value_kind phi_edit_kind_of(const char *text);
/* Reads a value of a kind; fails if the text is none or does not fit. */
int phi_edit_value(struct phi_arena *arena, const char *text, struct phi_edit_kind_name kind,
	struct phi_value *value, struct phi_err *err);

/* One RENAME over all names, then a check that they are distinct. */
int phi_edit_rename(struct phi_model *model, const char *text, struct phi_err *err);

#endif
