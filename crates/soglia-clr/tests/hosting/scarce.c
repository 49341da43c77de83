// Memory that runs out: an allocator that is preloaded, and fails for the engine alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

// Allocations of the engine, counted while armed.
EXPORT atomic_long scarce_count;
// Those from `first` to `last` fail, counted from 0.
EXPORT atomic_long scarce_first, scarce_last;
EXPORT atomic_int scarce_armed;
EXPORT atomic_long scarce_failed;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *piece, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

static atomic_uintptr_t begin, end;

static int find(struct dl_phdr_info *info, size_t size, void *nothing)
{
    (void)size, (void)nothing;
    if (strstr(info->dlpi_name, "libsoglia.so") == NULL && strstr(info->dlpi_name, "libmscoree.so") == NULL)
        return 0;
    uintptr_t most = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && part->p_vaddr + part->p_memsz > most)
            most = part->p_vaddr + part->p_memsz;
    }
    end = info->dlpi_addr + most;
    begin = info->dlpi_addr;
    return 1;
}

EXPORT void scarce_arm(long first, long last)
{
    dl_iterate_phdr(find, NULL);
    scarce_count = 0;
    scarce_failed = 0;
    scarce_first = first;
    scarce_last = last;
    scarce_armed = 1;
}

EXPORT void scarce_disarm(void)
{
    scarce_armed = 0;
}

static int fails(void *caller)
{
    uintptr_t from = (uintptr_t)caller;
    if (!scarce_armed || from < begin || from >= end)
        return 0;
    long number = scarce_count++;
    if (number < scarce_first || number > scarce_last)
        return 0;
    scarce_failed++;
    errno = ENOMEM;
    return 1;
}

EXPORT void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *piece, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(piece, size);
}

EXPORT int posix_memalign(void **piece, size_t align, size_t size)
{
    if (fails(__builtin_return_address(0)))
        return ENOMEM;
    *piece = __libc_memalign(align, size);
    return *piece == NULL ? ENOMEM : 0;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}
