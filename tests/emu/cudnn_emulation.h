/*
 * What the files of the emulated cuDNN share. A descriptor is a list of attributes; what may stand
 * in which is a table (cudnn_attribute.cpp), what makes sense together is checked when it is
 * finalized (cudnn.cpp). A plan is then a program (cudnn_program.cpp), whose work, three passes of
 * a convolution, are plain loops (cudnn_convolution.cpp).
 */
#ifndef SUPCON_TESTS_CUDNN_EMULATION_H
#define SUPCON_TESTS_CUDNN_EMULATION_H

#include <cudnn.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

struct cudnnContext {
    cudaStream_t stream;
};

struct dnn_descriptor;
typedef std::shared_ptr<dnn_descriptor> dnn_ref;

struct dnn_value {
    int64_t n = 0;
    std::vector<char> bytes;   /* of anything but descriptors */
    std::vector<dnn_ref> refs; /* of descriptors */

    template <class T> T at(size_t i = 0) const
    {
        return reinterpret_cast<const T *>(bytes.data())[i];
    }
};

struct dnn_descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalized = false;
    std::map<int, dnn_value> attributes;

    bool has(int name) const
    {
        return attributes.count(name) != 0;
    }
    const dnn_value &get(int name) const
    {
        return attributes.at(name);
    }
    const dnn_descriptor &ref(int name) const
    {
        return *attributes.at(name).refs[0];
    }
    /* For attributes that finalizing computes. */
    template <class T> void put(int name, const std::vector<T> &values)
    {
        dnn_value v;
        const char *p = reinterpret_cast<const char *>(values.data());
        v.n = (int64_t)values.size();
        v.bytes.assign(p, p + values.size() * sizeof(T));
        attributes[name] = v;
    }
};

/* Says why on stderr. */
cudnnStatus_t dnn_bad(cudnnStatus_t, const char *why, int name = 0);
/* All attributes that the descriptor's type demands have been set. */
cudnnStatus_t dnn_complete(const dnn_descriptor &);
dnn_ref dnn_of(cudnnBackendDescriptor_t);

/* A pass of a convolution: logical [N,C,H,W] and [K,C,R,S] at any strides. */
struct dnn_tensor {
    cudnnDataType_t type;
    int64_t dim[4], stride[4];
    void *data;
};

enum dnn_pass { DNN_FORWARD, DNN_BACKWARD_DATA, DNN_BACKWARD_FILTER };

struct dnn_convolution {
    dnn_pass pass;
    dnn_tensor x, w, y; /* or their gradients */
    int64_t stride[2], pad[2], dilation[2];
    float alpha, beta;
    bool tf32;             /* f32 operands are rounded */
    bool backward;         /* images in the other order: other rounding */
    bool other_order;      /* of the sums */
    float *sums, *squares; /* DNN_FORWARD: of y before it is rounded, [K]; NULL: not made */
};

/* All that executing a plan takes, in itself: what its description as a text is made of. */
struct dnn_program {
    dnn_convolution c;            /* without places */
    int64_t engine, workspace;    /* bytes */
    int64_t uid[5], alignment[5]; /* of x, w, y, and of the sums where there are some */
    bool sums;
};

std::vector<char> dnn_program_text(const dnn_program &);
bool dnn_program_parse(const dnn_value &text, dnn_program *); /* false: it is none */

void dnn_convolve(const dnn_convolution &);
int64_t dnn_elements(const dnn_tensor &); /* from the first to the last, at these strides */

#endif
