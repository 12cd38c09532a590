/*
 * What the kernels' tests share: device arrays between sentinels, numbers drawn from a place, the
 * stored form of bf16, and comparisons that speak TAP. Kernels run under cuda_emulation.h.
 */
#ifndef SUPCON_TESTS_KERNELS_TEST_H
#define SUPCON_TESTS_KERNELS_TEST_H

#include "cuda_emulation.h"
#include "kernels/element.h"
#include "kernels/kernels.h"

#include <string>
#include <vector>

/* One line of TAP. */
void report(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* n bytes that begin `offset` bytes after a multiple of 256, filled with 0xFF (NaN), between
 * sentinels. All are checked and freed by memory_done(). */
void *memory(size_t bytes, size_t offset = 0);
bool memory_done();

template <class T> T *fresh(int64_t n, int64_t offset = 0)
{
    return static_cast<T *>(memory((size_t)n * sizeof(T), (size_t)offset * sizeof(T)));
}

/* -1 .. 1, depends on (seed, i) alone. */
double drawn(unsigned seed, int64_t i);

/* A map's elements, f32 or bf16, behind one face. */
struct elements {
    int bf16;
    int64_t n;
    void *p;
};
elements elements_new(int bf16, int64_t n);
double get(const elements &, int64_t i);
void put(const elements &, int64_t i, double v);
std::vector<double> all_of(const elements &);
/* x[i] = centre + drawn(seed, i); channels from c up to cs are zero. */
void fill_map(const elements &, const k_map &, unsigned seed, double centre);

k_map map_of(int64_t n, int h, int w, int c, int bf16);
int64_t map_count(const k_map &);
elements map_new(const k_map &);

/* Relative distance in the L2 norm; NaN in one of them gives NaN. */
double distance(const std::vector<double> &got, const std::vector<double> &want);
std::vector<double> floats(const float *p, int64_t n);
/* Padding channels are zero. */
bool padding_is_zero(const elements &, const k_map &);
bool same_bits(const elements &, const elements &);

/* Tolerance of what was rounded once to its type. */
inline double tolerance(int bf16)
{
    return bf16 ? 4e-3 : 2e-6;
}

void test_maps();
void test_layout();
void test_norm();
void test_pools();
void test_rows();
void test_flat();
void test_augment();

#endif
