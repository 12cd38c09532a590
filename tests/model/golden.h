/*
 * Networks with weights nobody has to store: every tensor is filled by a hash of its name, so that
 * another program can make the same ones. Shared by the tests of models.
 */
#ifndef SUPCON_TESTS_GOLDEN_H
#define SUPCON_TESTS_GOLDEN_H

#include "base/safetensors.h"
#include "nn/graph.h"
#include "nn/plan.h"

/* splitmix64 over the FNV-1a-64 hash of name and salt: uniform with this mean and deviation. */
void golden_fill(float *out, int64_t n, const char *name, const char *salt, double mean,
                 double std);
/* All parameters of a store by their role. */
int golden_fill_params(struct params *, const char *salt, struct err *);

/* |a - b| / |b| in the L2 norm. */
double relative_error(const double *a, const double *b, int64_t n);

/* A classifier: encoder, "fc", output "logits"; in training "labels" and the mean cross-entropy
 * "loss" besides. */
struct graph *classifier_graph(const char *arch, const char *stem, enum dtype, bool training,
                               const int64_t images[4], int64_t n_classes, struct err *);

/* The record of `from`, with every convolution that has several algorithms set to `name`
 * ("winograd": where it exists). The caller frees. */
struct tuning *tuning_forced(const struct tuning *from, const char *name, struct err *);

#endif
