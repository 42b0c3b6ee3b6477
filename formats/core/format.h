/* A format: one folder, one `const struct phi_format phi_format_NAME`, one line in formats.def. */
#ifndef PHI_CORE_FORMAT_H
#define PHI_CORE_FORMAT_H

#include "formats/core/plan.h"
#include "formats/core/sink.h"
#include "formats/core/source.h"

/* What there is to see before opening. */
struct phi_probe {
	enum phi_store_kind kind; /* folder and tar: look at members; file and pipe: at the head */
	struct phi_store *store;
	const char *name;    /* last component of the path; a hint only */
	const uint8_t *head; /* first bytes of a file or pipe */
	size_t size;	     /* at most PHI_PEEK_MAX */
};

struct phi_registry;
struct phi_edit;
struct phi_patch;

struct phi_open_options {
	size_t size;
	const char *format; /* -f of the input, or NULL: by content */
	const char *name;   /* --name: base name, or NULL */
	const struct phi_spool_options *spool;
	bool random; /* a pipe is spooled first, whatever the format */
	/* Packed weights stay the tensors the file holds (qweight, scales ...), to be copied; else each is
	 * one logical tensor (formats/packed/packed.h). */
	bool members;
	/* Given to formats by the registry: how a folder opens its members. */
	const struct phi_registry *registry;
};

/* A format folder knows no other format folder: it opens members, and has files of its output laid out,
 * through this. */
struct phi_registry {
	/* Opens member `name` of a store as a model of its own. The store stays the caller's. */
	struct phi_source *(*open_member)(struct phi_store *store, const char *name,
		const struct phi_open_options *options, struct phi_err *err);
	/* Opens a whole store as format `format` does, for what is that with something added. */
	struct phi_source *(*open_as)(const char *format, struct phi_store *store,
		const struct phi_open_options *options, struct phi_err *err);
	/* Describes to the end what was opened by no one else: checks, and logical tensors in the place of packed
	 * weights' members. */
	int (*settle)(struct phi_source *source, const struct phi_open_options *options, struct phi_err *err);
	/* Lays out a planned file as format `format` does (its plan_file). */
	int (*plan_file)(const char *format, struct phi_plan *plan, unsigned file,
		const uint32_t *tensors, size_t count, struct phi_err *err);
};

/* What a target's metadata says about the importance that types were chosen and made with. */
struct phi_importance_note {
	const char *file;    /* as the user named it */
	const char *dataset; /* or NULL */
	uint64_t entries, chunks; /* chunks 0: not said */
};

struct phi_lower_options {
	size_t size;
	const char *name;   /* --name, or NULL */
	const char *pre;    /* --pre NAME: the pre-tokenizer, or NULL: recognised */
	const char *recipe; /* -t in lower case, or NULL (repack): types stay, or "auto" where the target
			     * has a notion of it */
	bool pure;	    /* --pure */
	const struct phi_importance_note *importance; /* or NULL */
	/* --compat: the faults of the target's own converter, too (quant.h has the list). */
	bool faults;
	bool keep_all; /* --keep-all: what the target has no place for is kept beside (core/kept.h) */
	const struct phi_graph_options *graph; /* or NULL */
	bool keep_order; /* tensors stay in the source's order, to be cut where its files were */
};

enum {
	PHI_FORMAT_FLOWS_IN = 1,  /* can be read from a pipe in order; others are spooled first */
	PHI_FORMAT_FLOWS_OUT = 2, /* can be written to a pipe in order */
	PHI_FORMAT_FOLDER = 4,	  /* its output is a folder */
	/* Holds any tensors under any names: the members of packed weights go into it as they are. */
	PHI_FORMAT_MEMBERS = 64,
	PHI_FORMAT_SHARDS = 8,	  /* its output can be cut into files of a size asked for */
	PHI_FORMAT_STRINGS = 32,  /* its keys have strings as values, and nothing else */
	/* Holds Hugging Face's names and files: a GGUF of a known family is made canonical first (formats.h). */
	PHI_FORMAT_CANONICAL = 128,
	PHI_FORMAT_COUNTED = 16,  /* and into as many as asked for */
	/* Holds blocks that are torn into fields (type.h); for others they become the floats they stand for. */
	PHI_FORMAT_FIELDS = 256,
};

struct phi_format {
	const char *name;	      /* "gguf": what -f takes */
	const char *summary;	      /* one line for --help */
	const char *folder_of;	      /* what -f takes this for, too, where the output is a folder; or NULL */
	const char *const *suffixes;  /* NULL-ended: ".gguf"; of outputs; the first is the usual one */
	unsigned flags;
	/* Bits of evidence in the probe; 0: not mine. The highest bid opens. */
	int (*bid)(const struct phi_probe *probe);
	/* Describes. The store is lent for the source's life; exactly one of member reads is expected to
	 * have happened: the peek. NULL: cannot be read. */
	struct phi_source *(*open)(struct phi_store *store, const struct phi_open_options *options,
		struct phi_err *err);
	/* --scan: looks for what could harm, in files too broken or odd to be described as well; the store
	 * is random and lent. Whatever cannot be examined is a finding. NULL: it is
	 * examined as a file of no format (formats/scan.c). */
	int (*scan)(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err);
	/* The model as this target sees it: names, parts, metadata, types it demands; NULL: as it is.
	 * `model` outlives the result. */
	struct phi_model *(*lower)(const struct phi_model *model, const struct phi_lower_options *options,
		struct phi_err *err);
	/* Makes the bytes that would stand at the file's start after edits that leave the data where it
	 * is, or refuses; `patch` is the caller's to free, also then. The store is a random file. NULL:
	 * cannot be changed in place. */
	int (*patch)(struct phi_store *store, const struct phi_edit *edits, size_t nedits,
		struct phi_patch *patch, struct phi_err *err);
	/* Bytes that the place of a tensor in a file is a multiple of, by what a lowered model says and, with
	 * `faults`, by what the runtime's own converter makes of it. NULL: 1. */
	int (*alignment)(const struct phi_model *lowered, bool faults, uint32_t *alignment, struct phi_err *err);
	/* Completes a plan, or refuses. NULL: cannot be written. */
	int (*complete)(struct phi_plan *plan, struct phi_err *err);
	/* Lays out planned file number `file`, just added and empty, with these tensors of the plan's model:
	 * the weights of another format's folder. That format's sink is this one's. NULL: not to be had. */
	int (*plan_file)(struct phi_plan *plan, unsigned file, const uint32_t *tensors, size_t count,
		struct phi_err *err);
	const struct phi_sink_ops *sink;
};

#endif
