/* What the files of checkpoint.h share among themselves. */
#ifndef SUPCON_ENGINE_CHECKPOINT_PART_H
#define SUPCON_ENGINE_CHECKPOINT_PART_H

#include "base/safetensors.h"
#include "engine/checkpoint.h"
#include <jansson.h>

#define CHECKPOINT_MODEL "model.safetensors"
#define CHECKPOINT_TRAIN "train.safetensors"
#define CHECKPOINT_MANIFEST "manifest.json"

/* The files a manifest vouches for; NULL-terminated. */
extern const char *const checkpoint_files[];

/* Everything that model.safetensors does not hold, to `path`. */
int checkpoint_write_train(const struct network *, const char *path, struct err *);
/* Bytes of tensors a checkpoint of this network holds. */
int64_t checkpoint_need(const struct network *);

/* Describes the files in `folder` and the state; written last, it makes the folder complete. */
int checkpoint_write_manifest(const char *folder, const struct checkpoint_source *, struct err *);
/* "files" of a manifest: bytes and checksums of what lies in `folder`. */
int checkpoint_add_files(json_t *manifest, const char *folder, struct err *);
/* The manifest of a checkpoint, its own checksum and format verified. NULL on failure. */
json_t *checkpoint_manifest(const char *path, struct err *);
/* Sizes and checksums of all files against the manifest; EXIT_DATA names file and offset. */
int checkpoint_verify(const char *path, const json_t *manifest, struct err *);
int checkpoint_state_from(const json_t *manifest, const char *path, struct checkpoint_state *,
                          struct err *);

/* Total bytes of the files named in the manifest. */
int64_t checkpoint_bytes(const json_t *manifest);

/* Renames a damaged checkpoint out of the way, with a log line. */
void checkpoint_set_aside(const char *path, const struct err *why);
/* Points dir/NAME at `target` (a name within dir), replacing an older link. */
int checkpoint_link(const char *dir, const char *name, const char *target, struct err *);
/* Step of the saved checkpoint with the highest valid_top1 (the earliest of equals), -1 none. */
int64_t checkpoint_find_best(const char *dir);
/* Removes all but the newest `keep` and `best`; steps removed are noted in *saved. */
void checkpoint_prune(const char *dir, int keep, int64_t best, struct checkpoint_saved *saved);

#endif
