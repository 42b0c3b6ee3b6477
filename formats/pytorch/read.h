/* Reading torch checkpoints. Nothing in them is run: see pickle.h. */
#ifndef PHI_PYTORCH_READ_H
#define PHI_PYTORCH_READ_H

#include "formats/core/format.h"
#include "formats/pytorch/rebuild.h"

/* A random file of any of torch's containers; told apart by its first bytes. */
struct phi_source *phi_pytorch_open(
	struct phi_store *store, const struct phi_open_options *options, struct phi_err *err);

/* The two containers. Each describes source->model, and gives every storage its place in the file;
 * the state that reads them is set up by phi_pytorch_open. */
struct phi_pytorch {
	struct phi_member *member;
	bool zip; /* or a legacy file */
	struct phi_spool *spool; /* of what had to be inflated, or NULL */
	uint64_t *spool_offset; /* of each storage in the spool; UINT64_MAX: it is in the file */
	const struct phi_torch_made **made; /* of each storage, or NULL; in the model's arena */
};
int phi_pytorch_zip(
	struct phi_source *source, const struct phi_open_options *options, struct phi_err *err);
int phi_pytorch_legacy(struct phi_source *source, struct phi_err *err);

/* Their last step: what phi_torch_settle does, and made storages can be read. */
int phi_pytorch_settle(struct phi_source *source, struct phi_torch *torch, const char *file,
	uint64_t pickle, struct phi_err *err);

/* --scan (scan.h): of a file of any kind, whatever else it may be. */
int phi_pytorch_scan(
	struct phi_store *store, const struct phi_findings *findings, struct phi_err *err);

/* Two of torch's containers that are told apart, and not read: the tar of 0.1, and the flatbuffers of
 * PyTorch Mobile. */
bool phi_pytorch_is_tar(struct phi_store *store);
bool phi_pytorch_is_flat(const uint8_t *head, size_t size);
/* Do the bytes begin a legacy file? */
bool phi_pytorch_is_legacy(const uint8_t *head, size_t size);

#endif
