/*
 * Blocks of fibers: one block after the other, its threads in turns between barriers. Nothing here
 * knows of streams but that a launch is work for one.
 */
#include "cuda_emulation.h"
#include "fiber.h"
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <link.h>
#include <map>
#include <mutex>
#include <string>
#include <vector>

emu_position emu_at;

namespace
{
enum state { READY, AT_BARRIER, IN_WARP, DONE };

struct thread {
    fiber *stack;
    uint3 id;
    state now;
    emu_place place;
    unsigned mask;
    void *mine;
    void (*meeting)(void **, unsigned);
    int flag;
    bool waited; /* for the kernels before */
};

struct copy {
    void *to;
    const void *from;
    size_t bytes;
};

struct warp {
    unsigned alive, waiting;
};

struct launch {
    const char *name;
    dim3 grid, block;
    size_t shared;
    std::function<void()> body;
};

const size_t shared_default = 48 << 10;

std::vector<thread> threads;
std::vector<warp> warps;
std::vector<std::vector<copy>> copies; /* of each thread */
int current, n_at_barrier, n_done, reduced;
const launch *running;
char *dynamic_shared;
std::string failure; /* of the block that runs; "": none */
std::map<const void *, size_t> allowed;
std::recursive_mutex one_at_a_time; /* one device */
thread_local char anchor[16];       /* shows where the thread-local memory of this module is */
uint64_t draws;

/* Splitmix64 of a counter. */
uint64_t draw()
{
    uint64_t x = (draws += 0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
}

void shuffle(std::vector<uint64_t> &order)
{
    for (size_t i = order.size(); emu_seed() && i > 1; i--)
        std::swap(order[i - 1], order[draw() % i]);
}

std::vector<uint64_t> numbers(uint64_t n)
{
    std::vector<uint64_t> order(n);
    for (uint64_t i = 0; i < n; i++)
        order[i] = i;
    return order;
}

std::string at(const emu_place &p)
{
    const char *slash = strrchr(p.file, '/');
    return std::string(p.what) + " at " + (slash ? slash + 1 : p.file) + ":" +
           std::to_string(p.line);
}

bool same(const emu_place &a, const emu_place &b)
{
    return a.line == b.line && a.what == b.what && strcmp(a.file, b.file) == 0;
}

void yield_as(state s)
{
    threads[(size_t)current].now = s;
    fiber_yield(threads[(size_t)current].stack);
}

/* Does not return: the block is given up. */
void give_up(const std::string &why)
{
    failure = failure.empty() ? why : failure;
    yield_as(IN_WARP);
    abort();
}

void expect_waited(const emu_place &place)
{
    if (!threads[(size_t)current].waited)
        give_up(at(place) + " comes before grid_wait()");
}

/* --- barriers --- */

void release_barrier()
{
    for (thread &t : threads)
        t.now = t.now == AT_BARRIER ? READY : t.now;
    n_at_barrier = 0;
}

void arrive(const emu_place &place, int flag, int (*reduce)(int, int))
{
    thread &me = threads[(size_t)current];
    int set = flag;
    expect_waited(place);
    me.place = place;
    me.flag = flag;
    if (++n_at_barrier < (int)threads.size()) {
        yield_as(AT_BARRIER);
        return;
    }
    for (thread &t : threads) {
        if (!same(t.place, place))
            give_up("threads wait at different barriers: " + at(place) + ", " + at(t.place));
        set += &t == &me ? 0 : t.flag;
    }
    reduced = reduce(set, (int)threads.size());
    me.now = AT_BARRIER;
    release_barrier();
    if (emu_seed()) /* whoever comes last need not be the first to go on */
        yield_as(READY);
}

/* --- warps --- */

thread *lane_of(int warp_number, int lane)
{
    size_t i = (size_t)warp_number * 32 + (size_t)lane;
    return i < threads.size() ? &threads[i] : nullptr;
}

/* The lanes of `mask` have all come or returned. */
bool complete(const warp &w, unsigned mask)
{
    return (w.waiting & mask) == (w.alive & mask);
}

/* The lanes with which `last` meets; 0: they do not agree on what it is, and failure is set. */
unsigned gather(int number, const thread &last, void **lanes)
{
    unsigned present = warps[(size_t)number].waiting & last.mask;
    for (int i = 0; i < 32; i++) {
        if (!(present >> i & 1))
            continue;
        thread *t = lane_of(number, i);
        if (!same(t->place, last.place) || t->mask != last.mask) {
            failure = "lanes of a warp meet in different operations: " + at(last.place) + ", " +
                      at(t->place);
            return 0;
        }
        lanes[i] = t->mine;
    }
    return present;
}

void finish_meeting(int number, const thread &last)
{
    void *lanes[32] = {};
    unsigned present = gather(number, last, lanes);
    if (!present)
        return;
    for (int i = 0; i < 32; i++)
        if (present >> i & 1)
            lane_of(number, i)->now = READY;
    warps[(size_t)number].waiting &= ~present;
    last.meeting(lanes, present);
}

/* Those who wait for the lane that has just returned wait no longer. */
void go_without(int number)
{
    warp &w = warps[(size_t)number];
    for (int i = 0; i < 32; i++) {
        thread *t = w.waiting >> i & 1 ? lane_of(number, i) : nullptr;
        if (t && complete(w, t->mask))
            finish_meeting(number, *t);
    }
}

void returned(int i)
{
    if (!threads[(size_t)i].waited && failure.empty())
        failure = "a thread returns without grid_wait()";
    threads[(size_t)i].now = DONE;
    n_done++;
    warps[(size_t)i / 32].alive &= ~(1u << i % 32);
    if (warps[(size_t)i / 32].waiting)
        go_without(i / 32);
}

/* --- blocks --- */

void thread_main(void *)
{
    running->body();
}

uint3 thread_id(unsigned i, dim3 block)
{
    return uint3{i % block.x, i / block.x % block.y, i / block.x / block.y};
}

void start_block(uint64_t number)
{
    dim3 g = running->grid;
    emu_at.block = uint3{(unsigned)(number % g.x), (unsigned)(number / g.x % g.y),
                         (unsigned)(number / g.x / g.y)};
    for (size_t i = 0; i < threads.size(); i++) {
        threads[i] = thread{fiber_start((int)i, thread_main, nullptr),
                            thread_id((unsigned)i, running->block),
                            READY,
                            {},
                            0,
                            nullptr,
                            nullptr,
                            0,
                            false};
        warps[i / 32].alive = i % 32 == 0 ? 1 : warps[i / 32].alive << 1 | 1;
        warps[i / 32].waiting = 0;
        copies[i].clear();
    }
    n_at_barrier = n_done = 0;
    failure.clear();
}

/* Who waits where, when nobody can go on. */
std::string stuck()
{
    std::map<std::string, int> places;
    std::string text;
    for (thread &t : threads)
        places[t.now == DONE ? "returned" : "wait in " + at(t.place)]++;
    for (auto &p : places)
        text += (text.empty() ? "" : ", ") + std::to_string(p.second) + " threads " + p.first;
    return "divergent barrier: " + text;
}

bool run_threads(const std::vector<uint64_t> &order)
{
    bool progress = false;
    for (uint64_t i : order) {
        if (threads[i].now != READY)
            continue;
        progress = true;
        current = (int)i;
        emu_at.thread = threads[i].id;
        if (fiber_run(threads[i].stack))
            returned((int)i);
        if (!failure.empty())
            return false;
    }
    return progress;
}

void run_block(uint64_t number, std::vector<uint64_t> &order)
{
    start_block(number);
    while (n_done < (int)threads.size()) {
        shuffle(order);
        if (run_threads(order))
            continue;
        if (failure.empty())
            failure = stuck();
        fprintf(stderr, "cuda emulation: kernel %s, block (%u, %u, %u): %s\n", running->name,
                emu_at.block.x, emu_at.block.y, emu_at.block.z, failure.c_str());
        emu_fail(cudaErrorLaunchFailure);
        return;
    }
}

/* --- shared memory --- */

struct range {
    char *at;
    size_t bytes;
};

int find_tls(dl_phdr_info *info, size_t, void *out)
{
    range *found = static_cast<range *>(out);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        char *base = static_cast<char *>(info->dlpi_tls_data);
        size_t bytes = info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type != PT_TLS || !base || anchor < base || anchor >= base + bytes)
            continue;
        *found = range{base, bytes};
        return 1;
    }
    return 0;
}

void run_grid(const launch &l)
{
    std::lock_guard<std::recursive_mutex> lock(one_at_a_time);
    range tls = {};
    dl_iterate_phdr(find_tls, &tls);
    std::vector<char> kept(tls.at, tls.at + tls.bytes);
    size_t n = (size_t)l.block.x * l.block.y * l.block.z;
    uint64_t n_blocks = (uint64_t)l.grid.x * l.grid.y * l.grid.z;
    std::vector<uint64_t> order = numbers(n), blocks = numbers(n_blocks);
    running = &l;
    threads.resize(n);
    copies.resize(n);
    warps.resize((n + 31) / 32);
    draws = emu_seed();
    shuffle(blocks);
    emu_at.block_size = l.block;
    emu_at.grid_size = l.grid;
    dynamic_shared = (char *)malloc(l.shared ? l.shared : 1);
    failure.clear();
    for (size_t i = 0; i < n_blocks && failure.empty(); i++) {
        memset(tls.at, 0xFF, tls.bytes);
        memset(dynamic_shared, 0xFF, l.shared);
        run_block(blocks[i], order);
    }
    free(dynamic_shared);
    memcpy(tls.at, kept.data(), tls.bytes);
}

cudaError_t refuse(const launch &l, cudaError_t error, const char *why)
{
    fprintf(stderr,
            "cuda emulation: kernel %s, grid (%u, %u, %u), block (%u, %u, %u), "
            "%zu bytes of shared memory: %s\n",
            l.name, l.grid.x, l.grid.y, l.grid.z, l.block.x, l.block.y, l.block.z, l.shared, why);
    return emu_error(error);
}
} // namespace

/* --- public --- */

void emu_grid_wait(const emu_place &place)
{
    if (threads[(size_t)current].waited)
        give_up(at(place) + " is not the first");
    threads[(size_t)current].waited = true;
}

void emu_barrier(const emu_place &place)
{
    arrive(place, 0, [](int, int) { return 0; });
}

int emu_barrier_reduce(const emu_place &place, int flag, int (*reduce)(int n_set, int n))
{
    arrive(place, flag, reduce);
    return reduced;
}

int emu_lane()
{
    return current % 32;
}

void emu_meet(const emu_place &place, unsigned mask, void *mine, void (*fn)(void **, unsigned))
{
    thread &me = threads[(size_t)current];
    int number = current / 32, lane = current % 32;
    warp &w = warps[(size_t)number];
    expect_waited(place);
    me.place = place;
    me.mask = mask;
    me.mine = mine ? mine : &me;
    me.meeting = fn;
    if (!(mask >> lane & 1))
        give_up("a lane is not in the mask it gives: " + at(place));
    w.waiting |= 1u << lane;
    if (!complete(w, mask)) {
        yield_as(IN_WARP);
        return;
    }
    finish_meeting(number, me);
    if (!failure.empty())
        give_up(failure);
    if (emu_seed())
        yield_as(READY);
}

void emu_copy_later(void *to, const void *from, size_t bytes)
{
    expect_waited(EMU_HERE("an asynchronous copy"));
    if ((uintptr_t)to % bytes || (uintptr_t)from % bytes)
        give_up("an asynchronous copy is not aligned");
    memset(to, 0xFF, bytes); /* from here on others must not read what was there */
    copies[(size_t)current].push_back(copy{to, from, bytes});
}

void emu_copies_done()
{
    for (const copy &c : copies[(size_t)current])
        memcpy(c.to, c.from, c.bytes);
    copies[(size_t)current].clear();
}

unsigned emu_ballot(const emu_place &place, unsigned mask, bool flag)
{
    unsigned mine = flag;
    emu_meet(place, mask, &mine, [](void **lanes, unsigned) {
        unsigned votes = 0;
        for (int i = 0; i < 32; i++)
            votes |= lanes[i] ? *static_cast<unsigned *>(lanes[i]) << i : 0;
        for (int i = 0; i < 32; i++)
            if (lanes[i])
                *static_cast<unsigned *>(lanes[i]) = votes;
    });
    return mine;
}

unsigned emu_match(const emu_place &place, unsigned mask, unsigned long long value)
{
    struct vote {
        unsigned long long value;
        unsigned equal;
    } mine = {value, 0};
    emu_meet(place, mask, &mine, [](void **lanes, unsigned) {
        for (int i = 0; i < 32; i++)
            for (int j = 0; j < 32 && lanes[i]; j++)
                if (lanes[j] &&
                    static_cast<vote *>(lanes[i])->value == static_cast<vote *>(lanes[j])->value)
                    static_cast<vote *>(lanes[i])->equal |= 1u << j;
    });
    return mine.equal;
}

void *emu_dynamic_shared(size_t)
{
    return dynamic_shared;
}

unsigned long emu_seed()
{
    static const unsigned long seed = [] {
        const char *text = getenv("SUPCON_EMULATION_SEED");
        return text ? strtoul(text, nullptr, 10) : 0;
    }();
    return seed;
}

cudaError_t emu_allow_shared(const void *kernel, size_t bytes)
{
    if (bytes > emu_shared_most())
        return emu_error(cudaErrorInvalidValue);
    allowed[kernel] = bytes;
    return cudaSuccess;
}

int emu_launch_body(const char *name, const void *kernel, dim3 grid, dim3 block, size_t shared,
                    cudaStream_t stream, std::function<void()> body)
{
    launch l = {name, grid, block, shared, std::move(body)};
    size_t most = allowed.count(kernel) ? allowed[kernel] : 0;
    if (block.x * block.y * block.z - 1 >= 1024u || block.z > 64)
        return (int)refuse(l, cudaErrorInvalidConfiguration, "a block has 1 to 1024 threads");
    if (grid.x - 1 >= 0x7FFFFFFFu || grid.y - 1 >= 65535u || grid.z - 1 >= 65535u)
        return (int)refuse(l, cudaErrorInvalidConfiguration,
                           "a grid has 1 to 2^31 - 1, 65535, 65535 blocks");
    if (shared > (most > shared_default ? most : shared_default))
        return (int)refuse(l, cudaErrorInvalidValue,
                           "more than 48 KiB without, or more than cudaFuncSetAttribute() allowed");
    return (int)emu_enqueue(stream, [l] { run_grid(l); });
}
