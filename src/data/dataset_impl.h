/* What the data set files share: the instances, and how images in memory are checksummed. */
#ifndef SUPCON_DATA_DATASET_IMPL_H
#define SUPCON_DATA_DATASET_IMPL_H

#include "data/dataset.h"
#include <stddef.h>

extern const struct dataset_class cifar10_dataset, cifar100_dataset, folder_dataset, shapes_dataset;

extern const char *const cifar10_names[10], *const cifar100_names[100];

/* Start value of data_hash. */
#define DATA_HASH_INIT UINT64_C(0xcbf29ce484222325)

/* 64-bit checksum of n more bytes, eight at a time: quick enough to run over a whole data set at
 * start, and any change of content changes it. Not cryptographic. */
uint64_t data_hash(uint64_t hash, const uint8_t *bytes, size_t n);

#endif
