/*
 * Validation: the classifier's cross-entropy, top-1 and top-5 on the validation split, in
 * evaluation mode, without augmentation. Logits come from the device, the rest is summed in double
 * on the host in the split's order, so that the result is bit-reproducible. The classifier is fc,
 * or the online probe where a contrastive objective trains no fc.
 */
#ifndef SUPCON_ENGINE_VALIDATE_H
#define SUPCON_ENGINE_VALIDATE_H

#include "engine/trainer.h"

struct validation {
    double loss, top1, top5; /* per cent */
    int64_t n;
    bool probe;     /* the classifier was the online probe */
    bool cancelled; /* nothing else is set */
};

/* `cancel` (may be NULL) is asked before each batch. The trainer must have an evaluation plan. */
int validate(struct trainer *, bool (*cancel)(void *ctx), void *ctx, struct validation *,
             struct err *);

/* Adds one image's terms: logits [n_classes]. Ties go to the lower class; a logit that is not a
 * number counts as wrong. */
void validation_add(struct validation *sums, const float *logits, int n_classes, int32_t label);

#endif
