/*
 * A network: encoder, projection head, classifier and online probe on one device over one parameter
 * store, and the plans that use them. Heads that the objective does not use stay in the store,
 * untouched.
 */
#ifndef SUPCON_ENGINE_NETWORK_H
#define SUPCON_ENGINE_NETWORK_H

#include "arch/arch.h"
#include "nn/plan.h"
#include "objective/objective.h"

struct network_shape {
    int channels, height, width; /* of the images */
    int n_classes;
};

struct network {
    struct device *dev; /* borrowed */
    const struct arch_class *arch;
    struct model_conf model;
    struct network_shape shape;
    struct params *params; /* owned */
    bool live[GROUP_N];    /* heads that hold something learned or loaded: these are saved */
};

/* model.dtype auto becomes the type the device prefers. */
void network_resolve(struct model_conf *, const struct device *);

/* Declares and initialises all parameters from the seed. dtype of `model` must be supported by the
 * device. */
int network_init(struct network *, struct device *, const struct model_conf *,
                 const struct network_shape *, uint64_t seed, struct err *);
void network_done(struct network *);

/*
 * One training step: inputs "images" [V*N,C,H,W], "labels" i32 [N]; outputs "loss" [STAT_N], and
 * for contrastive objectives "probe" [STAT_N], the statistics of a linear classifier (parameters
 * probe.weight, probe.bias) on features with stopped gradient.
 */
struct plan *network_train_plan(struct network *, const struct objective_class *,
                                const struct objective_conf *, int n, int views, struct err *);

/* Evaluation mode: input "images" [B,C,H,W]; outputs "features" [B,D], and with `head` GROUP_FC or
 * GROUP_PROBE "logits" [B,K] (GROUP_ENCODER: features alone). */
struct plan *network_eval_plan(struct network *, int batch, enum param_group head, struct err *);

/* The graphs behind the two, for --print-model. The caller frees. */
struct graph *network_train_graph(const struct network *, const struct objective_class *,
                                  const struct objective_conf *, int n, int views, struct err *);
struct graph *network_eval_graph(const struct network *, int batch, enum param_group head,
                                 struct err *);

/*
 * Weights as safetensors under torchvision's names: encoder, projection.*, fc.*. Reading: heads
 * that the file lacks keep their initial values, heads it has become live; an unknown name, a wrong
 * shape, or a missing encoder tensor is an error naming file and tensor (EXIT_DATA);
 * num_batches_tracked may be absent. Writing: encoder and live heads, num_batches_tracked of every
 * batch-norm, no metadata.
 */
int network_load_weights(struct network *, const char *path, struct err *);
int network_save_weights(const struct network *, const char *path, struct err *);

#endif
