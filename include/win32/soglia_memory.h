// Pages and heaps. Part of windows.h.

#ifndef SOGLIA_WIN32_MEMORY_H
#define SOGLIA_WIN32_MEMORY_H

#include <map>
#include <mutex>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#define MEM_COMMIT 0x1000
#define MEM_RESERVE 0x2000
#define MEM_DECOMMIT 0x4000
#define MEM_RELEASE 0x8000
#define PAGE_NOACCESS 0x01
#define PAGE_READONLY 0x02
#define PAGE_READWRITE 0x04
#define PAGE_EXECUTE 0x10
#define PAGE_EXECUTE_READ 0x20
#define PAGE_EXECUTE_READWRITE 0x40
#define HEAP_NO_SERIALIZE 0x1
#define HEAP_ZERO_MEMORY 0x8
#define HEAP_CREATE_ENABLE_EXECUTE 0x40000

typedef struct _MEMORYSTATUSEX {
    DWORD dwLength;
    DWORD dwMemoryLoad;
    DWORDLONG ullTotalPhys;
    DWORDLONG ullAvailPhys;
    DWORDLONG ullTotalPageFile;
    DWORDLONG ullAvailPageFile;
    DWORDLONG ullTotalVirtual;
    DWORDLONG ullAvailVirtual;
    DWORDLONG ullAvailExtendedVirtual;
} MEMORYSTATUSEX, *LPMEMORYSTATUSEX;
typedef struct _MEMORYSTATUS {
    DWORD dwLength;
    DWORD dwMemoryLoad;
    SIZE_T dwTotalPhys;
    SIZE_T dwAvailPhys;
    SIZE_T dwTotalPageFile;
    SIZE_T dwAvailPageFile;
    SIZE_T dwTotalVirtual;
    SIZE_T dwAvailVirtual;
} MEMORYSTATUS, *LPMEMORYSTATUS;
typedef struct _MEMORY_BASIC_INFORMATION {
    PVOID BaseAddress;
    PVOID AllocationBase;
    DWORD AllocationProtect;
    SIZE_T RegionSize;
    DWORD State;
    DWORD Protect;
    DWORD Type;
} MEMORY_BASIC_INFORMATION, *PMEMORY_BASIC_INFORMATION;

namespace soglia_win32 {
// What VirtualAlloc has reserved: where, and how much.
struct Reserved {
    std::mutex lock;
    std::map<void *, SIZE_T> all;
};
inline Reserved &reserved() {
    static Reserved *all = new Reserved;
    return *all;
}
inline SIZE_T pages(SIZE_T size) { return (size + 4095) & ~(SIZE_T)4095; }
inline int protection(DWORD protect) {
    switch (protect & 0xFF) {
    case PAGE_READONLY:
        return PROT_READ;
    case PAGE_READWRITE:
        return PROT_READ | PROT_WRITE;
    case PAGE_EXECUTE:
        return PROT_EXEC;
    case PAGE_EXECUTE_READ:
        return PROT_READ | PROT_EXEC;
    case PAGE_EXECUTE_READWRITE:
        return PROT_READ | PROT_WRITE | PROT_EXEC;
    default:
        return PROT_NONE;
    }
}
} // namespace soglia_win32

inline LPVOID VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect) {
    using namespace soglia_win32;
    int access = (type & MEM_COMMIT) != 0 ? protection(protect) : PROT_NONE;
    if ((type & MEM_RESERVE) == 0 && address != nullptr) {
        if (mprotect(address, pages(size), access) == 0)
            return address;
    } else {
        void *got = mmap(nullptr, pages(size), access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (got != MAP_FAILED && address != nullptr && got != address) {
            munmap(got, pages(size)); // only there, and there it is not
            got = MAP_FAILED;
        }
        if (got != MAP_FAILED) {
            std::lock_guard<std::mutex> guard(reserved().lock);
            reserved().all[got] = pages(size);
            return got;
        }
    }
    fail(ERROR_NOT_ENOUGH_MEMORY);
    return nullptr;
}
inline BOOL VirtualFree(LPVOID address, SIZE_T size, DWORD type) {
    using namespace soglia_win32;
    if (type == MEM_DECOMMIT)
        return mmap(address, pages(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
                       MAP_FAILED ||
               fail(ERROR_INVALID_PARAMETER);
    std::lock_guard<std::mutex> guard(reserved().lock);
    auto found = reserved().all.find(address);
    if (found == reserved().all.end() || size != 0)
        return fail(ERROR_INVALID_PARAMETER);
    munmap(address, found->second);
    reserved().all.erase(found);
    return TRUE;
}
inline BOOL VirtualProtect(LPVOID address, SIZE_T size, DWORD protect, DWORD *before) {
    if (before != nullptr)
        *before = PAGE_READWRITE; // the previous protection is not known
    return mprotect(address, soglia_win32::pages(size), soglia_win32::protection(protect)) == 0 ||
           soglia_win32::fail(ERROR_INVALID_PARAMETER);
}
inline SIZE_T VirtualQuery(LPCVOID, PMEMORY_BASIC_INFORMATION, SIZE_T) {
    soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED);
    return 0;
}

// There is one heap, malloc's.
inline HANDLE GetProcessHeap() {
    static char heap;
    return &heap;
}
inline HANDLE HeapCreate(DWORD, SIZE_T, SIZE_T) { return GetProcessHeap(); }
inline BOOL HeapDestroy(HANDLE) { return TRUE; }
inline LPVOID HeapAlloc(HANDLE, DWORD flags, SIZE_T size) {
    return (flags & HEAP_ZERO_MEMORY) != 0 ? calloc(1, size) : malloc(size);
}
inline LPVOID HeapReAlloc(HANDLE, DWORD, LPVOID place, SIZE_T size) { return realloc(place, size); }
inline BOOL HeapFree(HANDLE, DWORD, LPVOID place) {
    free(place);
    return TRUE;
}
// malloc ends the process when it sees corruption, whatever this says.
typedef enum _HEAP_INFORMATION_CLASS {
    HeapCompatibilityInformation = 0,
    HeapEnableTerminationOnCorruption = 1,
} HEAP_INFORMATION_CLASS;
inline BOOL HeapSetInformation(HANDLE, HEAP_INFORMATION_CLASS what, PVOID, SIZE_T) {
    return what == HeapEnableTerminationOnCorruption || soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED);
}
inline BOOL HeapValidate(HANDLE, DWORD, LPCVOID) { return TRUE; }

inline BOOL GlobalMemoryStatusEx(MEMORYSTATUSEX *status) {
    struct sysinfo info;
    if (sysinfo(&info) != 0)
        return soglia_win32::fail(ERROR_INVALID_PARAMETER);
    status->ullTotalPhys = (DWORDLONG)info.totalram * info.mem_unit;
    status->ullAvailPhys = (DWORDLONG)(info.freeram + info.bufferram) * info.mem_unit;
    status->ullTotalPageFile = status->ullTotalPhys + (DWORDLONG)info.totalswap * info.mem_unit;
    status->ullAvailPageFile = status->ullAvailPhys + (DWORDLONG)info.freeswap * info.mem_unit;
    status->ullTotalVirtual = status->ullAvailVirtual = 0x7FFFFFFF0000;
    status->ullAvailExtendedVirtual = 0;
    status->dwMemoryLoad = (DWORD)(100 - status->ullAvailPhys * 100 / status->ullTotalPhys);
    return TRUE;
}
inline void GlobalMemoryStatus(MEMORYSTATUS *status) {
    MEMORYSTATUSEX all = {};
    GlobalMemoryStatusEx(&all);
    status->dwMemoryLoad = all.dwMemoryLoad;
    status->dwTotalPhys = (SIZE_T)all.ullTotalPhys;
    status->dwAvailPhys = (SIZE_T)all.ullAvailPhys;
    status->dwTotalPageFile = (SIZE_T)all.ullTotalPageFile;
    status->dwAvailPageFile = (SIZE_T)all.ullAvailPageFile;
    status->dwTotalVirtual = (SIZE_T)all.ullTotalVirtual;
    status->dwAvailVirtual = (SIZE_T)all.ullAvailVirtual;
}

#endif
