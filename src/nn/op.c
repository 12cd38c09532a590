/* Facts about ops that do not depend on a backend; see op.h. */
#include "nn/op.h"

#define BIT(i) (1u << (i))
#define OUT BIT(OP_MAX_IN)

static const struct {
    const char *name;
    unsigned reads; /* by the backward pass */
    bool loss;
} ops[OP_N] = {
    [OP_CONV] = {"conv", BIT(0), false},
    [OP_BATCHNORM] = {"batchnorm", BIT(0), false},
    [OP_RELU] = {"relu", OUT, false},
    [OP_ADD] = {"add", 0, false},
    [OP_MAXPOOL] = {"maxpool", BIT(0) | OUT, false},
    [OP_AVGPOOL] = {"avgpool", 0, false},
    [OP_GLOBALPOOL] = {"globalpool", 0, false},
    [OP_LINEAR] = {"linear", BIT(0), false},
    [OP_L2NORM] = {"l2norm", BIT(0) | OUT, false},
    [OP_XENT] = {"xent", BIT(0) | BIT(1), true},
    [OP_CONTRASTIVE] = {"contrastive", BIT(0) | BIT(1), true},
};

const char *op_name(enum op op)
{
    return ops[op].name;
}

bool op_is_loss(enum op op)
{
    return ops[op].loss;
}

unsigned op_backward_reads(enum op op)
{
    return ops[op].reads;
}
