/* A JSON value as Python's json.dump(indent=4) writes it, but for characters beyond ASCII, which stay as they are. */
#ifndef PHI_MLX_JSON_TEXT_H
#define PHI_MLX_JSON_TEXT_H

#include "formats/core/buffer.h"

#include <jansson.h>

/* `depth`: how deep the value lies. Values are as deep as phi_json_parse lets them be. */
int phi_json_text(const json_t *value, unsigned depth, struct phi_buffer *out, struct phi_err *err);

#endif
