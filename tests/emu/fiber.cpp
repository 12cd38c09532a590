/*
 * Fibers: on x86-64 a switch of stacks in twelve instructions, elsewhere swapcontext(), which is
 * slower for it also switches signal masks. AddressSanitizer is told of every switch.
 */
#include "fiber.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined __x86_64__
#include <ucontext.h>
#endif

namespace
{
const size_t stack_bytes = 256 << 10;

struct shadow { /* what AddressSanitizer keeps of a stack that is left */
    void *fake = nullptr;
    const void *bottom = nullptr;
    size_t bytes = 0;
};
} // namespace

struct fiber {
    char *stack;
    void (*fn)(void *);
    void *ctx;
    bool returned;
#if defined __x86_64__
    void *sp, *scheduler_sp;
#else
    ucontext_t own, scheduler;
#endif
    shadow of_fiber, of_scheduler;
};

#if defined __x86_64__
/* Saves what the calling convention says a callee keeps, stores rsp, and goes on at `to`. */
extern "C" void supcon_fiber_switch(void **save, void *to);
asm(R"(
        .text
        .globl  supcon_fiber_switch
        .type   supcon_fiber_switch, @function
supcon_fiber_switch:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .size   supcon_fiber_switch, .-supcon_fiber_switch
)");
#endif

namespace
{
fiber fibers[FIBER_MAX];
fiber *starting; /* read by entry() on its new stack */

void leave(shadow *from, const void *bottom, size_t bytes, bool for_good)
{
#if defined __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(for_good ? nullptr : &from->fake, bottom, bytes);
#else
    (void)from, (void)bottom, (void)bytes, (void)for_good;
#endif
}

void arrive(shadow *to, shadow *left)
{
#if defined __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(to->fake, &left->bottom, &left->bytes);
    to->fake = nullptr;
#else
    (void)to, (void)left;
#endif
}

void to_scheduler(fiber *f, bool for_good)
{
    leave(&f->of_fiber, f->of_scheduler.bottom, f->of_scheduler.bytes, for_good);
#if defined __x86_64__
    supcon_fiber_switch(&f->sp, f->scheduler_sp);
#else
    swapcontext(&f->own, &f->scheduler);
#endif
    arrive(&f->of_fiber, &f->of_scheduler);
}

void entry()
{
    fiber *f = starting;
    f->of_fiber.fake = nullptr;
    arrive(&f->of_fiber, &f->of_scheduler);
    f->fn(f->ctx);
    f->returned = true;
    to_scheduler(f, true);
    abort(); /* a fiber that has returned is not run again */
}

char *new_stack()
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p, page, PROT_NONE)) {
        perror("cuda emulation: stack of a thread");
        abort();
    }
    return (char *)p + page;
}
} // namespace

fiber *fiber_start(int i, void (*fn)(void *ctx), void *ctx)
{
    fiber *f = &fibers[i];
    f->stack = f->stack ? f->stack : new_stack();
    f->fn = fn;
    f->ctx = ctx;
    f->returned = false;
#if defined __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(f->stack, stack_bytes); /* left in the midst of something */
#endif
#if defined __x86_64__
    void **top = (void **)(f->stack + stack_bytes);
    top[-2] = (void *)entry; /* as after a call: rsp + 8 is a multiple of 16 */
    top[-1] = nullptr;
    f->sp = top - 8; /* six registers of any value */
#else
    getcontext(&f->own);
    f->own.uc_stack.ss_sp = f->stack;
    f->own.uc_stack.ss_size = stack_bytes;
    f->own.uc_link = nullptr;
    makecontext(&f->own, entry, 0);
#endif
    return f;
}

bool fiber_run(fiber *f)
{
    starting = f;
    leave(&f->of_scheduler, f->stack, stack_bytes, false);
#if defined __x86_64__
    supcon_fiber_switch(&f->scheduler_sp, f->sp);
#else
    swapcontext(&f->scheduler, &f->own);
#endif
    shadow ignored;
    arrive(&f->of_scheduler, &ignored);
    return f->returned;
}

void fiber_yield(fiber *f)
{
    to_scheduler(f, false);
}
