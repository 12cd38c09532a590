/*
 * The program of an emulated plan: as a text, "emulated plan " and its bytes in hexadecimal, and
 * executed. Whoever asked for a workspace overwrites it.
 */
#include "cudnn_emulation.h"
#include "stream.h"

#include <cstring>

namespace
{
const char front[] = "emulated plan ";
const char digits[] = "0123456789abcdef";

int digit(char c)
{
    const char *at = c ? strchr(digits, c) : nullptr;
    return at ? (int)(at - digits) : -1;
}
/* Where tensor i lies, of so many bytes; NULL, and a complaint, if the pack does not say, or
 * wrongly. */
void *locate(const dnn_program &program, int i, size_t bytes, const dnn_descriptor &pack)
{
    const dnn_value &ids = pack.get(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    for (size_t at = 0; at < (size_t)ids.n; at++) {
        void *p = pack.get(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).at<void *>(at);
        if (ids.at<int64_t>(at) != program.uid[i])
            continue;
        if ((uintptr_t)p % (uintptr_t)program.alignment[i] == 0 && emu_is_device(p, bytes))
            return p;
        (void)dnn_bad(CUDNN_STATUS_BAD_PARAM, "a tensor is no device memory of its size, aligned");
        return nullptr;
    }
    (void)dnn_bad(CUDNN_STATUS_BAD_PARAM, "the variant pack lacks a tensor");
    return nullptr;
}

size_t bytes_of(const dnn_tensor &t)
{
    return (size_t)dnn_elements(t) * (t.type == CUDNN_DATA_FLOAT ? 4 : 2);
}

bool locate_all(dnn_convolution *c, const dnn_program &p, const dnn_descriptor &pack)
{
    size_t channels = (size_t)c->y.dim[1] * sizeof(float);
    c->x.data = locate(p, 0, bytes_of(c->x), pack);
    c->w.data = locate(p, 1, bytes_of(c->w), pack);
    c->y.data = locate(p, 2, bytes_of(c->y), pack);
    c->sums = c->squares = nullptr;
    if (p.sums) {
        c->sums = static_cast<float *>(locate(p, 3, channels, pack));
        c->squares = static_cast<float *>(locate(p, 4, channels, pack));
    }
    return c->x.data && c->w.data && c->y.data && (!p.sums || (c->sums && c->squares));
}

void *workspace_of(const dnn_descriptor &pack)
{
    if (!pack.has(CUDNN_ATTR_VARIANT_PACK_WORKSPACE))
        return nullptr;
    return pack.get(CUDNN_ATTR_VARIANT_PACK_WORKSPACE).at<void *>();
}
} // namespace

std::vector<char> dnn_program_text(const dnn_program &p)
{
    const unsigned char *bytes = reinterpret_cast<const unsigned char *>(&p);
    std::vector<char> text(front, front + sizeof front - 1);
    for (size_t i = 0; i < sizeof p; i++) {
        text.push_back(digits[bytes[i] >> 4]);
        text.push_back(digits[bytes[i] & 15]);
    }
    return text;
}

bool dnn_program_parse(const dnn_value &text, dnn_program *p)
{
    const size_t head = sizeof front - 1;
    unsigned char bytes[sizeof *p];
    if (text.bytes.size() != head + 2 * sizeof *p || memcmp(text.bytes.data(), front, head) != 0)
        return false;
    for (size_t i = 0; i < sizeof *p; i++) {
        int high = digit(text.bytes[head + 2 * i]), low = digit(text.bytes[head + 2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    memcpy(p, bytes, sizeof *p);
    return true;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t plan_handle,
                                  cudnnBackendDescriptor_t pack_handle)
{
    static unsigned long times;
    dnn_ref plan = dnn_of(plan_handle), pack = dnn_of(pack_handle);
    if (!plan->finalized || !pack->finalized ||
        plan->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
        pack->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        return dnn_bad(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "plan or variant pack");
    dnn_program program;
    if (!dnn_program_parse(plan->get(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION), &program))
        return dnn_bad(CUDNN_STATUS_BAD_PARAM, "no plan of this library");
    dnn_convolution c = program.c;
    bool located = locate_all(&c, program, *pack);
    c.tf32 = program.engine == 3 && c.x.type == CUDNN_DATA_FLOAT;
    c.backward = program.engine == 5 && ++times % 2;
    c.other_order = program.sums && ++times % 2;
    void *workspace = workspace_of(*pack);
    size_t bytes = (size_t)program.workspace;
    if (!located)
        return CUDNN_STATUS_BAD_PARAM;
    if (bytes && !emu_is_device(workspace, bytes))
        return dnn_bad(CUDNN_STATUS_BAD_PARAM, "the workspace is no device memory of its size");
    cudaError_t error = emu_enqueue(h->stream, [=] {
        if (bytes)
            memset(workspace, 0xFF, bytes);
        dnn_convolve(c);
    });
    return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED_CUDART;
}
