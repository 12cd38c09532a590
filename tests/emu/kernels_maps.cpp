/* Maps over activations, sums of columns, biases. */
#include "kernels_test.h"

/* --- element by element --- */

static void check_relu(int bf16, int64_t n)
{
    elements x = elements_new(bf16, n), y = elements_new(bf16, n), dy = elements_new(bf16, n),
             dx = elements_new(bf16, n);
    std::vector<double> want((size_t)n), back((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        put(x, i, drawn(1, i));
        put(dy, i, drawn(2, i));
        want[(size_t)i] = get(x, i) > 0 ? get(x, i) : 0;
        back[(size_t)i] = get(x, i) > 0 ? get(dy, i) : 0;
    }
    bool good = k_relu(nullptr, bf16, n, x.p, y.p) == 0 && all_of(y) == want;
    good &= k_relu_backward(nullptr, bf16, n, y.p, dy.p, dx.p) == 0 && all_of(dx) == back;
    put(x, n - 1, NAN);
    good &= k_relu(nullptr, bf16, n, x.p, x.p) == 0 && std::isnan(get(x, n - 1));
    report(good && memory_done(), "relu of %d elements, %s", (int)n, bf16 ? "bf16" : "f32");
}

static void check_add(int bf16, int64_t n)
{
    elements a = elements_new(bf16, n), b = elements_new(bf16, n), y = elements_new(bf16, n),
             dx = elements_new(bf16, n);
    uint32_t *mask = fresh<uint32_t>((n + 31) / 32);
    std::vector<double> sum((size_t)n), relu((size_t)n), gate((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        put(a, i, drawn(1, i));
        put(b, i, drawn(2, i));
        put(dx, i, get(a, i) + get(b, i)); /* rounded */
        sum[(size_t)i] = get(dx, i);
        relu[(size_t)i] = get(dx, i) > 0 ? get(dx, i) : 0;
        gate[(size_t)i] = get(dx, i) > 0 ? get(b, i) : 0;
    }
    bool good = k_add(nullptr, bf16, 0, n, a.p, b.p, y.p, nullptr) == 0 && all_of(y) == sum;
    good &= k_add(nullptr, bf16, 1, n, a.p, b.p, y.p, mask) == 0 && all_of(y) == relu;
    good &= k_mask(nullptr, bf16, n, b.p, mask, dx.p) == 0 && all_of(dx) == gate;
    good &= k_accumulate(nullptr, bf16, n, a.p, b.p) == 0 && all_of(a) == sum;
    report(good && memory_done(), "add of %d elements, %s", (int)n, bf16 ? "bf16" : "f32");
}

/* --- sums of columns --- */

static void check_column_sum(int64_t rows, int k)
{
    float *x = fresh<float>(rows * k), *sum = fresh<float>(k, 1);
    std::vector<double> want((size_t)k);
    for (int64_t i = 0; i < rows * k; i++) {
        x[i] = (float)(0.2 + drawn(1, i));
        want[(size_t)(i % k)] += (double)x[i];
    }
    int rc = k_column_sum(nullptr, rows, k, x, sum, memory(k_column_sum_workspace(rows, k)));
    double error = distance(floats(sum, k), want);
    report(rc == 0 && error < 1e-6 && memory_done(), "column sums of %d x %d (%.1e)", (int)rows, k,
           error);
}

static void check_bias(const k_map &m)
{
    elements y = map_new(m);
    float *b = fresh<float>(m.c, 1), *db = fresh<float>(m.c, 3);
    std::vector<double> want((size_t)y.n), sum((size_t)m.c);
    fill_map(y, m, 1, 0.3);
    for (int i = 0; i < m.c; i++)
        b[i] = (float)drawn(2, i);
    for (int64_t i = 0; i < y.n; i++)
        if (i % m.cs < m.c) {
            sum[(size_t)(i % m.cs)] += get(y, i);
            want[(size_t)i] = get(y, i) + (double)b[i % m.cs];
        }
    int rc = k_bias_backward(nullptr, &m, y.p, db, memory(k_bias_backward_workspace(&m)));
    bool good = rc == 0 && distance(floats(db, m.c), sum) < 1e-6;
    rc = k_bias(nullptr, &m, y.p, b);
    good &= rc == 0 && distance(all_of(y), want) < tolerance(m.bf16) && padding_is_zero(y, m);
    report(good && memory_done(), "bias of %d channels, %s", m.c, m.bf16 ? "bf16" : "f32");
}

void test_maps()
{
    static const int64_t sizes[] = {1, 7, 8, 9, 1000, 4099};
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (int64_t n : sizes) {
            check_relu(bf16, n);
            check_add(bf16, n);
        }
    check_relu(1, 300001);
    check_column_sum(1, 1);
    check_column_sum(2000, 10);
    check_column_sum(257, 33);
    check_column_sum(2049, 33);
    check_column_sum(9000, 10);
    check_column_sum(3, 1000);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        check_bias(map_of(2, 6, 6, 20, bf16));
        check_bias(map_of(3, 16, 16, 264, bf16));
        check_bias(map_of(1, 1, 1, 3, bf16));
    }
}
