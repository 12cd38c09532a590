/*
 * Drawing one image of the generated data set. Only the four operations and square roots in double
 * are used, so that the pixels are the same on every machine.
 */
#ifndef SUPCON_DATA_SHAPES_DRAW_H
#define SUPCON_DATA_SHAPES_DRAW_H

#include "base/rng.h"
#include <stdint.h>

enum { SHAPES_SIDE = 32, SHAPES_CLASSES = 10, SHAPES_BYTES = 3 * SHAPES_SIDE * SHAPES_SIDE };

extern const char *const shapes_names[SHAPES_CLASSES];

/* image: [3, 32, 32] u8. Everything but the class is drawn from r. */
void shapes_draw(struct rng *r, int label, uint8_t *image);

#endif
