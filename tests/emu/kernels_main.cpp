/*
 * The launchers of kernels.h against plain loops in double, emulated on the CPU: once with threads
 * in the order of their numbers, once in another. Shapes are odd on purpose, and some are cut into
 * many chunks and tiles.
 */
#include "kernels_test.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUARD = 256 };

struct count {
    int tests, failures;
};
static count *total; /* shared with the children */
static const char *order;

void report(bool good, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("%sok %d - %s, %s\n", good ? "" : "not ", ++total->tests, text, order);
    total->failures += !good;
}

/* --- memory --- */

struct block {
    unsigned char *base;
    size_t begin, end, all;
};
static std::vector<block> blocks;

void *memory(size_t bytes, size_t offset)
{
    block b = {nullptr, GUARD + offset, GUARD + offset + bytes, 0};
    b.all = (b.end + 2 * GUARD - 1) / GUARD * GUARD;
    b.base = static_cast<unsigned char *>(aligned_alloc(GUARD, b.all));
    memset(b.base, 0xFF, b.all);
    blocks.push_back(b);
    return b.base + b.begin;
}

bool memory_done()
{
    bool good = true;
    for (const block &b : blocks) {
        for (size_t i = 0; i < b.all; i++)
            good &= (i >= b.begin && i < b.end) || b.base[i] == 0xFF;
        free(b.base);
    }
    blocks.clear();
    return good;
}

/* --- numbers --- */

double drawn(unsigned seed, int64_t i)
{
    uint64_t x = ((uint64_t)seed << 40) + (uint64_t)i * 0x9E3779B97F4A7C15;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-52 - 1;
}

elements elements_new(int bf16, int64_t n)
{
    return {bf16, n, memory((size_t)n * (bf16 ? 2 : 4))};
}

double get(const elements &e, int64_t i)
{
    return e.bf16 ? (double)bf16_widen(static_cast<bfloat16 *>(e.p)[i])
                  : (double)static_cast<float *>(e.p)[i];
}

void put(const elements &e, int64_t i, double v)
{
    if (e.bf16)
        static_cast<bfloat16 *>(e.p)[i] = bf16_narrow((float)v);
    else
        static_cast<float *>(e.p)[i] = (float)v;
}

std::vector<double> all_of(const elements &e)
{
    std::vector<double> v((size_t)e.n);
    for (int64_t i = 0; i < e.n; i++)
        v[(size_t)i] = get(e, i);
    return v;
}

void fill_map(const elements &e, const k_map &m, unsigned seed, double centre)
{
    for (int64_t i = 0; i < e.n; i++)
        put(e, i, i % m.cs < m.c ? centre + drawn(seed, i) : 0);
}

k_map map_of(int64_t n, int h, int w, int c, int bf16)
{
    return {n, h, w, c, (c + CHANNEL_ALIGN - 1) / CHANNEL_ALIGN * CHANNEL_ALIGN, bf16};
}

int64_t map_count(const k_map &m)
{
    return m.n * m.h * m.w * m.cs;
}

elements map_new(const k_map &m)
{
    return elements_new(m.bf16, map_count(m));
}

double distance(const std::vector<double> &got, const std::vector<double> &want)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < want.size(); i++) {
        error += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    return error == 0 ? 0 : sqrt(error / (norm > 0 ? norm : 1e-30));
}

std::vector<double> floats(const float *p, int64_t n)
{
    return std::vector<double>(p, p + n);
}

bool padding_is_zero(const elements &e, const k_map &m)
{
    bool good = true;
    for (int64_t i = 0; i < e.n; i++)
        good &= i % m.cs < m.c || get(e, i) == 0;
    return good;
}

bool same_bits(const elements &a, const elements &b)
{
    return memcmp(a.p, b.p, (size_t)a.n * (a.bf16 ? 2 : 4)) == 0;
}

/* --- both orders --- */

static void run(const char *seed, const char *name)
{
    fflush(stdout);
    pid_t child = fork();
    if (child > 0) {
        int status = 1;
        waitpid(child, &status, 0);
        if (status != 0)
            printf("not ok %d - the tests came to their end, %s\n", ++total->tests, name);
        total->failures += status != 0;
        return;
    }
    setenv("SUPCON_EMULATION_SEED", seed, 1);
    order = name;
    test_maps();
    test_layout();
    test_norm();
    test_pools();
    test_rows();
    test_flat();
    test_augment();
    fflush(stdout);
    _exit(0);
}

int main()
{
    total = static_cast<count *>(
        mmap(nullptr, sizeof *total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    unsetenv("SUPCON_EMULATION_DELAY");
    run("0", "in order");
    run("7", "out of order");
    printf("1..%d\n", total->tests);
    return total->failures != 0;
}
