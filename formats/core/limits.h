/* The named limits of what a file may ask of us. Each stops an attack or an accident, none stops a
 * known model; messages name the limit. Format folders add their own beside their parser. */
#ifndef PHI_CORE_LIMITS_H
#define PHI_CORE_LIMITS_H

enum {
	PHI_RANK_MAX = 8,		  /* dimensions of a tensor; GGUF allows 4, torch 64, models 5 */
	PHI_PLANES_MAX = 8,		  /* planes of a tensor: codes, scales, zero points, nested */
	PHI_TENSORS_MAX = 1 << 20,	  /* tensors of a model; the largest MoE folders have 100,000 */
	PHI_NAME_MAX = 4096,		  /* bytes of a tensor's name */
	PHI_STRING_MAX = 1 << 30,	  /* bytes of a metadata string, as llama.cpp */
	PHI_JSON_DEPTH_MAX = 64,	  /* nesting of any JSON text */
	PHI_JSON_VALUES_MAX = 8 << 20,	  /* values of a JSON text; a tokenizer.json has 2,000,000 */
	PHI_JSON_MEMBER_VALUES_MAX = 1 << 20, /* of one member, where members are read singly */
	PHI_HEADER_MAX = 100 * 1000 * 1000, /* bytes of a safetensors header, as its reference */
	PHI_SIDE_MAX = 256 << 20,	  /* bytes of one side file (tokenizer.json: 16 MiB so far) */
	PHI_PARAMETER_MAX = 1 << 20,	  /* bytes of a tensor whose values may shape other outputs */
	PHI_EXPAND_MAX = 64 << 20,	  /* bytes of a view larger than its storage (stride 0): a few
					   * bytes must not become terabytes of output */
	PHI_LITERAL_MAX = 64 << 10,	  /* bytes of a literal tensor in a plan */
	PHI_MEMBERS_MAX = 1 << 20,	  /* members of a store: files of a folder, entries of a tar */
	PHI_CHUNK_BYTES = 256 << 10,	  /* what a worker takes at a time: fits the L2 (performance.md) */
};

#endif
