/* How a target with a graph has its weights quantized, and what for: ONNX. Facts: facts/onnx.md 3 and 4. */
#ifndef PHI_CORE_GRAPH_OPTIONS_H
#define PHI_CORE_GRAPH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* How codes, scales and zero points are found, as ONNX Runtime names its ways. */
enum phi_algorithm {
	PHI_ALGORITHM_DEFAULT,
	PHI_ALGORITHM_RTN,
	PHI_ALGORITHM_K_QUANT, /* always with zero points */
};

/* What is to run the graph: it says which types inputs, outputs and scales have, and which operators there are. */
enum phi_device {
	PHI_DEVICE_CPU,
	PHI_DEVICE_CUDA,
	PHI_DEVICE_DML,
	PHI_DEVICE_QNN,
};

enum phi_symmetry {
	PHI_SYMMETRY_OWN, /* as the algorithm has it where nothing is said */
	PHI_SYMMETRY_YES, /* the zero point is the middle code */
	PHI_SYMMETRY_NO,
};

struct phi_ranges;

struct phi_graph_options {
	enum phi_algorithm algorithm;
	enum phi_device device;
	enum phi_symmetry symmetry;
	unsigned group;	   /* elements of a block; 0: as usual */
	unsigned accuracy; /* accuracy_level of MatMulNBits, 1 to 4; 0: not said */
	/* What is computed lies between these (core/ranges.h); NULL: nobody knows. */
	const struct phi_ranges *ranges;
	bool per_channel; /* weights with one scale get one a column */
	bool reduced;	  /* and codes of 7 bits: core/scaling.h */
	/* Where all floats get another type: globs of the weights and nodes that keep theirs; inputs and outputs keep theirs. */
	const char *const *keep;
	size_t nkeep;
	bool keep_io;
	bool qdq; /* standard operators (DequantizeLinear), not ONNX Runtime's own */
};

#endif
