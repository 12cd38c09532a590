/*
 * The cases. Odd on purpose: 1x1 maps, channels that are no multiple of 16, one image, strides that
 * do not divide, ragged tiles. Tolerances are relative in the L2 norm and by dtype, unless a case
 * names its own:
 *   f32   1e-5: sums of some thousand products, and Winograd, which loses about one digit;
 *   bf16  5e-3 out, 1e-2 gradients: one rounding is 2^-9 at most (1e-3 in the mean), and a
 *         backward pass may read values that were rounded before.
 */
#include "op_test.h"

/* clang-format off */
#define PLAIN            .attr = {.stride = 0}
#define CONV(s, p)       .attr = {.stride = s, .pad = p}
#define POOL(win, s, p)  .attr = {.window = win, .stride = s, .pad = p}
#define NORM(train, act) .attr = {.training = train, .relu = act, .momentum = 0.1f, .eps = 1e-5f}
#define LOSS(v, tau, sc) .attr = {.views = v, .temperature = tau, .scale = sc}
/* clang-format on */

const struct op_case op_cases[] = {
    {"conv 3x3", OP_CONV, DT_F32, 2, 16, 8, 8, 32, 3, CONV(1, 1)},
    {"conv 3x3, 64 channels", OP_CONV, DT_F32, 4, 64, 8, 8, 64, 3, CONV(1, 1)},
    {"conv 3x3, odd map and channels", OP_CONV, DT_F32, 3, 20, 7, 5, 24, 3, CONV(1, 1)},
    {"conv 3x3, stride 2", OP_CONV, DT_F32, 2, 16, 9, 8, 32, 3, CONV(2, 1)},
    {"conv 3x3, 1x1 map", OP_CONV, DT_F32, 4, 32, 1, 1, 32, 3, CONV(1, 1)},
    {"conv 1x1, stride 2", OP_CONV, DT_F32, 2, 32, 8, 8, 64, 1, CONV(2, 0)},
    {"conv 1x1, one image", OP_CONV, DT_F32, 1, 16, 4, 4, 48, 1, CONV(1, 0)},
    {"conv stem 3x3", OP_CONV, DT_F32, 2, 3, 16, 16, 64, 3, CONV(1, 1), .no_dx = true},
    {"conv stem 7x7, stride 2", OP_CONV, DT_F32, 2, 3, 32, 32, 64, 7, CONV(2, 3), .no_dx = true},
    {"conv stem with gradient", OP_CONV, DT_F32, 1, 3, 11, 11, 16, 5, CONV(2, 2)},
    {"conv with bias", OP_CONV, DT_F32, 2, 16, 6, 6, 20, 3, CONV(1, 1), .extra = true},
    {"conv 11x11, stride 4, bias", OP_CONV, DT_F32, 1, 3, 35, 35, 16, 11, CONV(4, 2), .extra = true,
     .no_dx = true},
    {"conv 3x3, added", OP_CONV, DT_F32, 3, 20, 7, 5, 24, 3, CONV(1, 1), .adds = true},
    {"conv 1x1, stride 2, added", OP_CONV, DT_F32, 2, 32, 8, 8, 64, 1, CONV(2, 0), .adds = true},
    {"conv evaluation", OP_CONV, DT_F32, 2, 16, 8, 8, 32, 3, CONV(1, 1), .forward_only = true},
    {"conv 3x3 bf16", OP_CONV, DT_BF16, 2, 16, 8, 8, 32, 3, CONV(1, 1)},
    {"conv 3x3 bf16, odd map and channels", OP_CONV, DT_BF16, 3, 20, 7, 5, 24, 3, CONV(1, 1)},
    {"conv 3x3 bf16, stride 2", OP_CONV, DT_BF16, 2, 32, 8, 8, 64, 3, CONV(2, 1)},
    {"conv 1x1 bf16, stride 2", OP_CONV, DT_BF16, 2, 32, 8, 8, 64, 1, CONV(2, 0)},
    {"conv 3x3 bf16, stride 2, added", OP_CONV, DT_BF16, 2, 32, 8, 8, 64, 3, CONV(2, 1),
     .adds = true},
    {"conv 1x1 bf16, added", OP_CONV, DT_BF16, 2, 20, 8, 8, 64, 1, CONV(1, 0), .adds = true},
    {"conv stem bf16", OP_CONV, DT_BF16, 2, 3, 16, 16, 64, 3, CONV(1, 1), .no_dx = true},
    {"conv with bias bf16", OP_CONV, DT_BF16, 2, 16, 6, 6, 20, 3, CONV(1, 1), .extra = true},

    {"batchnorm", OP_BATCHNORM, DT_F32, 4, 16, 6, 6, NORM(true, false)},
    {"batchnorm, 7 channels", OP_BATCHNORM, DT_F32, 3, 7, 5, 3, NORM(true, false)},
    {"batchnorm, 1x1 map", OP_BATCHNORM, DT_F32, 6, 32, 1, 1, NORM(true, false)},
    {"batchnorm, one image", OP_BATCHNORM, DT_F32, 1, 16, 5, 5, NORM(true, false)},
    /* x - mean cancels three digits of eight in f32 */
    {"batchnorm, mean far from 0", OP_BATCHNORM, DT_F32, 8, 16, 6, 6, NORM(true, false),
     .mean = 100, .tol_out = 2e-4, .tol_grad = 2e-4},
    {"batchnorm evaluation", OP_BATCHNORM, DT_F32, 2, 20, 4, 4, NORM(false, false),
     .forward_only = true},
    {"batchnorm relu", OP_BATCHNORM, DT_F32, 4, 16, 6, 6, NORM(true, true)},
    {"batchnorm relu, odd", OP_BATCHNORM, DT_F32, 3, 20, 5, 7, NORM(true, true)},
    {"batchnorm relu evaluation", OP_BATCHNORM, DT_F32, 2, 20, 4, 4, NORM(false, true),
     .forward_only = true},
    {"batchnorm add relu", OP_BATCHNORM, DT_F32, 4, 16, 6, 6, NORM(true, true), .extra = true},
    {"batchnorm add relu, odd", OP_BATCHNORM, DT_F32, 3, 20, 5, 7, NORM(true, true), .extra = true},
    {"batchnorm add relu evaluation", OP_BATCHNORM, DT_F32, 2, 20, 4, 4, NORM(false, true),
     .extra = true, .forward_only = true},
    {"batchnorm bf16", OP_BATCHNORM, DT_BF16, 4, 16, 6, 6, NORM(true, false)},
    {"batchnorm relu bf16, odd", OP_BATCHNORM, DT_BF16, 3, 20, 5, 7, NORM(true, true)},
    {"batchnorm add relu bf16", OP_BATCHNORM, DT_BF16, 4, 32, 6, 6, NORM(true, true),
     .extra = true},
    {"batchnorm add relu bf16 evaluation", OP_BATCHNORM, DT_BF16, 2, 20, 4, 4, NORM(false, true),
     .extra = true, .forward_only = true},

    {"relu", OP_RELU, DT_F32, 2, 16, 5, 5, PLAIN},
    {"relu, 3 channels, one image", OP_RELU, DT_F32, 1, 3, 7, 2, PLAIN},
    {"relu bf16", OP_RELU, DT_BF16, 2, 20, 5, 5, PLAIN},
    {"add", OP_ADD, DT_F32, 2, 16, 5, 5, PLAIN},
    {"add, odd", OP_ADD, DT_F32, 1, 19, 3, 1, PLAIN},
    {"add relu", OP_ADD, DT_F32, 2, 20, 5, 5, .attr = {.relu = true}},
    {"add bf16", OP_ADD, DT_BF16, 2, 20, 5, 5, PLAIN},
    {"add relu bf16", OP_ADD, DT_BF16, 2, 16, 5, 5, .attr = {.relu = true}},

    {"maxpool 3, stride 2", OP_MAXPOOL, DT_F32, 2, 16, 12, 12, POOL(3, 2, 1)},
    {"maxpool 2, odd map", OP_MAXPOOL, DT_F32, 1, 20, 9, 7, POOL(2, 2, 0)},
    {"maxpool 3, no padding", OP_MAXPOOL, DT_F32, 2, 5, 8, 8, POOL(3, 2, 0)},
    {"maxpool bf16", OP_MAXPOOL, DT_BF16, 2, 20, 12, 12, POOL(3, 2, 1)},
    {"avgpool 2", OP_AVGPOOL, DT_F32, 2, 16, 8, 8, POOL(2, 2, 0)},
    {"avgpool 3, padding counts", OP_AVGPOOL, DT_F32, 2, 20, 7, 7, POOL(3, 2, 1)},
    {"avgpool bf16", OP_AVGPOOL, DT_BF16, 2, 16, 6, 6, POOL(3, 3, 0)},
    {"globalpool", OP_GLOBALPOOL, DT_F32, 3, 20, 4, 4, PLAIN},
    {"globalpool, 1x1 map", OP_GLOBALPOOL, DT_F32, 2, 16, 1, 1, PLAIN},
    {"globalpool, 7x7 map", OP_GLOBALPOOL, DT_F32, 1, 48, 7, 7, PLAIN},
    {"globalpool bf16", OP_GLOBALPOOL, DT_BF16, 3, 32, 4, 4, PLAIN},

    {"linear", OP_LINEAR, DT_F32, 8, 64, .k = 32},
    {"linear, odd", OP_LINEAR, DT_F32, 7, 33, .k = 10},
    {"linear, one row", OP_LINEAR, DT_F32, 1, 512, .k = 128},
    {"linear without dx", OP_LINEAR, DT_F32, 16, 64, .k = 100, .no_dx = true},
    {"linear relu", OP_LINEAR, DT_F32, 9, 64, .k = 48, .attr = {.relu = true}},
    {"linear relu, whole masks", OP_LINEAR, DT_F32, 9, 64, .k = 256, .attr = {.relu = true}},
    {"linear evaluation", OP_LINEAR, DT_F32, 5, 64, .k = 10, .forward_only = true},

    {"l2norm", OP_L2NORM, DT_F32, 16, 128, PLAIN},
    {"l2norm, odd", OP_L2NORM, DT_F32, 5, 37, PLAIN},
    {"l2norm, one row", OP_L2NORM, DT_F32, 1, 1, PLAIN},
    {"l2norm, a row of zeros", OP_L2NORM, DT_F32, 6, 16, PLAIN, .extra = true},

    {"xent", OP_XENT, DT_F32, 16, .k = 10, .attr = {.views = 1}},
    {"xent, 1000 classes", OP_XENT, DT_F32, 7, .k = 1000, .attr = {.views = 1}},
    {"xent, two views", OP_XENT, DT_F32, 9, .k = 10, .attr = {.views = 2}},
    {"xent, one row, two classes", OP_XENT, DT_F32, 1, .k = 2, .attr = {.views = 1}},
    {"xent, label smoothing", OP_XENT, DT_F32, 33, .k = 17,
     .attr = {.views = 1, .label_smoothing = 0.1f}},
    {"xent, soft targets", OP_XENT, DT_F32, 12, .k = 10, .attr = {.views = 1, .soft = true}},
    {"xent, large scores", OP_XENT, DT_F32, 12, .k = 10, .attr = {.views = 1}, .mean = 300,
     .tol_out = 1e-4, .tol_grad = 1e-4}, /* scores near 300 carry 3e-5 of rounding */
    {"xent evaluation", OP_XENT, DT_F32, 12, .k = 10, .attr = {.views = 1}, .forward_only = true},

    {"supcon", OP_CONTRASTIVE, DT_F32, 32, 10, .k = 128, LOSS(2, 0.1f, 1)},
    {"supcon, ragged", OP_CONTRASTIVE, DT_F32, 129, 10, .k = 128, LOSS(2, 0.1f, 1)},
    {"supcon, scaled", OP_CONTRASTIVE, DT_F32, 20, 4, .k = 64, LOSS(2, 0.07f, 1.4286f)},
    {"supcon, odd size of embedding", OP_CONTRASTIVE, DT_F32, 21, 4, .k = 19, LOSS(2, 0.1f, 1)},
    {"supcon, embedding wider than a panel", OP_CONTRASTIVE, DT_F32, 17, 4, .k = 300,
     LOSS(2, 0.1f, 1)},
    {"supcon, five views", OP_CONTRASTIVE, DT_F32, 11, 3, .k = 32, LOSS(5, 0.1f, 1)},
    {"supcon, one view, lonely anchors", OP_CONTRASTIVE, DT_F32, 40, 25, .k = 32, LOSS(1, 0.1f, 1)},
    {"supcon, nobody has a positive", OP_CONTRASTIVE, DT_F32, 12, 0, .k = 16, LOSS(1, 0.1f, 1)},
    {"supcon, one class", OP_CONTRASTIVE, DT_F32, 24, 1, .k = 16, LOSS(2, 0.1f, 1)},
    /* lse and positive score are equal: 0 is the difference of two numbers near 10 in f32 */
    {"supcon, one sample", OP_CONTRASTIVE, DT_F32, 1, 1, .k = 8, LOSS(2, 0.1f, 1), .tol_out = 2e-3},
    {"supcon, anchors of view 0", OP_CONTRASTIVE, DT_F32, 37, 5, .k = 48,
     .attr = {.views = 2, .temperature = 0.1f, .scale = 1, .anchors_one = true}},
    {"supcon, anchors of view 0, lonely", OP_CONTRASTIVE, DT_F32, 30, 25, .k = 48,
     .attr = {.views = 1, .temperature = 0.1f, .scale = 1, .anchors_one = true}},
    /* similarities up to 200: their rounding alone is 1e-5, and exp turns it into relative error */
    {"supcon, tiny temperature", OP_CONTRASTIVE, DT_F32, 48, 5, .k = 64, LOSS(2, 0.005f, 1),
     .tol_grad = 1e-4},
    /* |s| reaches 1000 with the same consequence */
    {"supcon, rows of any length", OP_CONTRASTIVE, DT_F32, 48, 5, .k = 64, LOSS(2, 0.1f, 1),
     .stretch = 9, .tol_grad = 1e-4},
    {"supcon, evaluation", OP_CONTRASTIVE, DT_F32, 32, 10, .k = 128, LOSS(2, 0.1f, 1),
     .forward_only = true},
    {"simclr", OP_CONTRASTIVE, DT_F32, 40, 10, .k = 128,
     .attr = {.views = 2, .temperature = 0.5f, .scale = 1, .simclr = true}},
    {"simclr, three views, ragged", OP_CONTRASTIVE, DT_F32, 23, 10, .k = 33,
     .attr = {.views = 3, .temperature = 0.1f, .scale = 2, .simclr = true}},
    {"simclr, anchors of view 0", OP_CONTRASTIVE, DT_F32, 23, 10, .k = 64,
     .attr = {.views = 2, .temperature = 0.5f, .scale = 1, .simclr = true, .anchors_one = true}},
    /* networks in bf16; scores may then be computed with 11 bits, as TF32 has: in the gradient, and
     * in a score of 10, some 2^-11 */
    {"supcon, bf16", OP_CONTRASTIVE, DT_BF16, 129, 10, .k = 128, LOSS(2, 0.1f, 1), .tol_out = 1e-4,
     .tol_grad = 2e-3},
    {"supcon, bf16, narrow temperature", OP_CONTRASTIVE, DT_BF16, 40, 4, .k = 96, LOSS(2, 0.07f, 1),
     .tol_out = 1e-4, .tol_grad = 2e-3},
    {"supcon, bf16, wide embedding", OP_CONTRASTIVE, DT_BF16, 17, 4, .k = 300, LOSS(2, 0.1f, 1),
     .tol_out = 1e-4, .tol_grad = 2e-3},
    {"supcon, bf16, anchors of view 0, lonely", OP_CONTRASTIVE, DT_BF16, 30, 25, .k = 48,
     .attr = {.views = 1, .temperature = 0.1f, .scale = 1, .anchors_one = true}, .tol_out = 1e-4,
     .tol_grad = 2e-3},
    {"simclr, bf16, ragged", OP_CONTRASTIVE, DT_BF16, 70, 10, .k = 33,
     .attr = {.views = 2, .temperature = 0.5f, .scale = 1, .simclr = true}, .tol_out = 1e-4,
     .tol_grad = 2e-3},
};

const int n_op_cases = sizeof op_cases / sizeof *op_cases;
