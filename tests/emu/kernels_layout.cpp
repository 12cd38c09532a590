/* Layouts: images and filters, there and back. */
#include "kernels_test.h"

static void check_images(const k_map &m)
{
    int64_t pixels = m.h * m.w, n = m.n * m.c * pixels;
    float *planes = fresh<float>(n, 1), *back = fresh<float>(n, 2);
    elements x = map_new(m);
    bool good = true;
    for (int64_t i = 0; i < n; i++)
        planes[i] = m.bf16 ? bf16_widen(bf16_narrow((float)drawn(1, i))) : (float)drawn(1, i);
    int rc = k_to_nhwc(nullptr, &m, planes, x.p);
    for (int64_t i = 0; i < x.n; i++) {
        int64_t ch = i % m.cs, pixel = i / m.cs % pixels, image = i / m.cs / pixels;
        double want = ch < m.c ? (double)planes[(image * m.c + ch) * pixels + pixel] : 0;
        good &= get(x, i) == want;
    }
    rc |= k_from_nhwc(nullptr, &m, x.p, back);
    good &= rc == 0 && memcmp(planes, back, (size_t)n * sizeof *planes) == 0;
    report(good && memory_done(), "images [%d,%d,%d,%d] to NHWC and back, %s", (int)m.n, m.c, m.h,
           m.w, m.bf16 ? "bf16" : "f32");
}

static bool packed_is_right(const k_filter &f, const float *w, const elements &packed)
{
    bool good = true;
    int taps = f.r * f.s;
    for (int64_t i = 0; i < packed.n; i++) {
        int64_t ch = i % f.cs, tap = i / f.cs % taps, k = i / f.cs / taps;
        bool real = ch < f.c && k < f.k;
        good &= get(packed, i) == (real ? (double)w[(k * f.c + ch) * taps + tap] : 0);
    }
    return good;
}

/* A filter there and back. */
struct filter_trip {
    k_filter f;
    int64_t n;
    float *w, *back;
    elements packed;
};

static filter_trip trip_new(int k, int c, int r, int s, int bf16, int number)
{
    k_filter f = {k, (k + 7) / 8 * 8, c, (c + 7) / 8 * 8, r, s, bf16};
    int64_t n = (int64_t)k * c * r * s;
    filter_trip t = {f, n, fresh<float>(n, 1), fresh<float>(n, 3),
                     elements_new(bf16, (int64_t)f.ks * f.cs * r * s)};
    for (int64_t i = 0; i < n; i++)
        t.w[i] = bf16_widen(bf16_narrow((float)drawn(number, i)));
    return t;
}

static bool trips_are_right(const std::vector<filter_trip> &trips)
{
    std::vector<k_filter_job> there, back;
    float *zero = fresh<float>(300, 1);
    for (const filter_trip &t : trips) {
        there.push_back({t.f, t.w, t.packed.p, nullptr, 0});
        back.push_back({t.f, t.packed.p, t.back, nullptr, 0});
    }
    there.back().zero = zero;
    there.back().n_zero = 300;
    bool good = k_pack_filters(nullptr, there.data(), (int)there.size()) == 0 &&
                k_unpack_filters(nullptr, back.data(), (int)back.size()) == 0;
    for (int i = 0; i < 300; i++)
        good &= zero[i] == 0;
    for (const filter_trip &t : trips)
        good &= packed_is_right(t.f, t.w, t.packed) &&
                memcmp(t.w, t.back, (size_t)t.n * sizeof *t.w) == 0;
    return good;
}

static void check_filter(int k, int c, int r, int s, int bf16)
{
    bool good = trips_are_right({trip_new(k, c, r, s, bf16, 1)});
    report(good && memory_done(), "filter [%d,%d,%d,%d] packed and back, %s", k, c, r, s,
           bf16 ? "bf16" : "f32");
}

/* More than a launch takes, of all sizes. */
static void check_many_filters()
{
    static const int side[] = {1, 3, 7};
    std::vector<filter_trip> trips;
    for (int i = 0; i < 130; i++)
        trips.push_back(
            trip_new(1 + i % 11, 1 + i * 7 % 40, side[i % 3], side[i % 3], i % 2, i + 1));
    report(trips_are_right(trips) && memory_done(), "130 filters at once, packed and back");
    report(k_pack_filters(nullptr, nullptr, 0) == 0, "no filter at all");
}

void test_layout()
{
    for (int bf16 = 0; bf16 < 2; bf16++) {
        check_images(map_of(2, 5, 7, 3, bf16));
        check_images(map_of(1, 1, 1, 20, bf16));
        check_images(map_of(3, 20, 20, 16, bf16));
        check_filter(16, 3, 7, 7, bf16);
        check_filter(5, 300, 3, 3, bf16);
        check_filter(9, 20, 1, 1, bf16);
        check_filter(8, 3, 19, 19, bf16);
    }
    check_many_filters();
    const k_filter_job vast = {{8, 8, 8, 8, 40, 40, 0}, nullptr, nullptr, nullptr, 0};
    report(k_pack_filters(nullptr, &vast, 1) != 0, "a filter of 40x40 is refused");
}
