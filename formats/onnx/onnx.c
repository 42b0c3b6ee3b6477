/* ONNX: a protobuf message without a magic. Facts: onnx.proto of ONNX 1.23 and what ONNX Runtime 1.32 makes of
 * it (IR 3 to 14). */
#include "formats/onnx/read.h"
#include "formats/onnx/write.h"

#include <string.h>

/* Fields of a ModelProto that come before its graph in what anybody writes, and their wire types. */
static int
form_of(uint32_t number)
{
	switch (number) {
	case 1:
	case 5:
		return PHI_WIRE_VARINT;
	case 2:
	case 3:
	case 4:
	case 6:
	case 7:
	case 8:
	case 14:
	case 20:
	case 25:
	case 26:
		return PHI_WIRE_BYTES;
	default:
		return -1;
	}
}

static bool
is_named(const struct phi_probe *probe)
{
	const size_t n = probe->name ? strlen(probe->name) : 0;
	return n > 5 && !strcmp(probe->name + n - 5, ".onnx");
}

/* Evidence: the first fields are a ModelProto's, with a version that can be, up to the graph or an opset. With
 * less than that the name decides. */
static int
bid(const struct phi_probe *probe)
{
	enum { IR_MAX = 1000, CERTAIN = 22, NAMED = 8 };
	struct phi_wire w = { probe->head, probe->size };
	struct phi_wire_field f;
	bool version = false, graph = false;
	if (probe->kind != PHI_STORE_FILE && probe->kind != PHI_STORE_PIPE)
		return 0;
	while (w.size) {
		struct phi_wire key = w;
		uint64_t k;
		if (phi_wire_varint(&key, &k, NULL) < 0 || k >> 3 > PHI_WIRE_NUMBER_MAX ||
			form_of((uint32_t)(k >> 3)) != (int)(k & 7))
			break;
		graph = graph || k >> 3 == 7 || k >> 3 == 8;
		/* A field that is cut is beyond the head. */
		if (phi_wire_next(&w, &f, NULL) <= 0)
			break;
		version = version || (f.number == 1 && f.value > 0 && f.value < IR_MAX);
	}
	return version && graph ? CERTAIN : is_named(probe) ? NAMED : 0;
}

static const char *const suffixes[] = { ".onnx", NULL };

const struct phi_format phi_format_onnx = {
	.name = "onnx",
	.summary = "ONNX models, with external data",
	.suffixes = suffixes,
	.flags = PHI_FORMAT_FLOWS_OUT | PHI_FORMAT_MEMBERS | PHI_FORMAT_FIELDS,
	.bid = bid,
	.open = phi_onnx_open,
	.scan = phi_onnx_scan_store,
	.lower = phi_onnx_lower,
	.complete = phi_onnx_complete,
	.sink = &phi_sink_flat,
};
