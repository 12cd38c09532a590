/* Augmentation: the images of the CPU's own path, to a small part of one step of u8. */
#include "kernels_test.h"
#include "data/augment_pixel.h"
#include "kernels/augment_band.h"

extern "C" {
void augment_apply(const struct augment_shape *, const struct view_params *, const uint8_t *image,
                   float *view, float *scratch);
size_t augment_scratch(const struct augment_shape *);
}

enum { SAMPLES = 3, VIEWS = 9 };

static int below(unsigned seed, int i, int n)
{
    return (int)((1 + drawn(seed, i)) / 2 * n) % n;
}

static view_params view_of(const augment_shape &s, int i)
{
    view_params p = {};
    p.sample = i == 4 ? -1 : i % SAMPLES;
    p.box.height = 1 + below(1, i, s.from_height);
    p.box.width = 1 + below(2, i, s.from_width);
    p.box.top = below(3, i, s.from_height - p.box.height + 1) - (i == 7 ? 3 : 0);
    p.box.left = below(4, i, s.from_width - p.box.width + 1) + (i == 8 ? 2 : 0);
    p.flip = (uint8_t)(i % 2);
    p.n_colour = s.channels == 3 && i % 4 != 3 ? N_COLOUR_OPS : 0;
    p.grayscale = s.channels == 3 && i == 5;
    for (int k = 0; k < N_COLOUR_OPS; k++) {
        p.order[k] = (uint8_t)((k + i) % N_COLOUR_OPS);
        p.amount[k] =
            (float)(p.order[k] == COLOUR_HUE ? 0.3 * drawn(5, i) : 1 + 0.7 * drawn(6, 4 * i + k));
    }
    p.sigma = i % 3 == 1 ? 0 : (float)(1.05 + 0.9 * drawn(7, i));
    return p;
}

/* What a block should have written for one view. */
static std::vector<double> expected(const augment_shape &s, const k_map &m, const view_params &p,
                                    const uint8_t *images)
{
    size_t pixels = (size_t)s.height * (size_t)s.width,
           image = (size_t)(s.from_height * s.from_width);
    std::vector<float> view((size_t)s.channels * pixels), scratch(augment_scratch(&s));
    std::vector<double> want(pixels * (size_t)m.cs);
    if (p.sample < 0)
        return want;
    augment_apply(&s, &p, images + (size_t)(p.sample * s.channels) * image, view.data(),
                  scratch.data());
    for (size_t i = 0; i < view.size(); i++)
        want[i % pixels * (size_t)m.cs + i / pixels] = (double)view[i];
    return want;
}

/* Largest difference of a view, in steps of u8; what bf16 rounds is taken off. */
static double steps(const augment_shape &s, const k_map &m, const elements &y, int64_t view,
                    const std::vector<double> &want)
{
    double most = 0;
    for (size_t i = 0; i < want.size(); i++) {
        size_t ch = i % (size_t)m.cs;
        double off = std::abs(get(y, view * (int64_t)want.size() + (int64_t)i) - want[i]);
        off -= m.bf16 ? std::abs(want[i]) * 0x1p-8 : 0;
        off *= 255 * (ch < (size_t)m.c ? (double)s.std[ch] : 1);
        most = off <= most ? most : off; /* NaN stays */
    }
    return most;
}

static void check(const char *what, const augment_shape &s, int bf16)
{
    k_map m = map_of(VIEWS, s.height, s.width, s.channels, bf16);
    int64_t bytes = (int64_t)SAMPLES * s.channels * s.from_height * s.from_width;
    uint8_t *images = fresh<uint8_t>(bytes);
    view_params *params = fresh<view_params>(VIEWS);
    elements y = map_new(m);
    double most = 0;
    for (int64_t i = 0; i < bytes; i++)
        images[i] = (uint8_t)(127.5 * (1 + drawn(8, i / 3)));
    for (int i = 0; i < VIEWS; i++)
        params[i] = view_of(s, i);
    struct k_augment k = {m, &s, images, params, y.p};
    int rc = k_augment(nullptr, &k);
    for (int i = 0; i < VIEWS; i++) {
        double off = steps(s, m, y, i, expected(s, m, params[i], images));
        most = off <= most ? most : off;
    }
    report(rc == 0 && most < 0.01 && padding_is_zero(y, m) && memory_done(),
           "augmentation, %s, %s (%.1e steps)", what, bf16 ? "bf16" : "f32", most);
}

static void check_bands()
{
    augment_shape s = {3, 224, 224, {0}, {0}, 256, 256};
    augment_band b = augment_band_of(&s);
    report(b.rows > 1 && b.rows < 224 && band_bytes(&b) <= BAND_BYTES,
           "bands of 224 pixels: %d rows in %d bytes", b.rows, (int)band_bytes(&b));
    s.height = s.width = 1000;
    struct k_augment k = {map_of(1, 1000, 1000, 3, 0), &s, nullptr, nullptr, nullptr};
    report(augment_band_of(&s).rows == 0 && k_augment(nullptr, &k) != 0,
           "views of 1000 pixels are refused");
}

void test_augment()
{
    static const augment_shape colour = {3, 32, 32, {.49f, .48f, .45f}, {.25f, .24f, .26f}, 32, 32},
                               grey = {1, 28, 28, {.13f}, {.31f}, 28, 28},
                               wide = {3, 60, 190, {.5f, .4f, .3f}, {.2f, .3f, .2f}, 64, 200};
    check("32 pixels", colour, 0);
    check("32 pixels", colour, 1);
    check("one channel", grey, 0);
    check("wider than high, four bands", wide, 1);
    check_bands();
}
