// Libraries, versions, counters and tokens. Part of windows.h.

#ifndef SOGLIA_WIN32_PROCESS_H
#define SOGLIA_WIN32_PROCESS_H

#include <dlfcn.h>

#define DLL_PROCESS_DETACH 0
#define DLL_PROCESS_ATTACH 1
#define DLL_THREAD_ATTACH 2
#define DLL_THREAD_DETACH 3
#define TOKEN_QUERY 0x0008
#define TOKEN_IMPERSONATE 0x0004

typedef INT_PTR(WINAPI *FARPROC)();
typedef struct _SYSTEM_INFO {
    WORD wProcessorArchitecture;
    DWORD dwPageSize;
    LPVOID lpMinimumApplicationAddress;
    LPVOID lpMaximumApplicationAddress;
    DWORD_PTR dwActiveProcessorMask;
    DWORD dwNumberOfProcessors;
    DWORD dwAllocationGranularity;
} SYSTEM_INFO, *LPSYSTEM_INFO;

// The name is given to dlopen as it is.
inline HMODULE LoadLibraryA(LPCSTR name) {
    void *library = dlopen(name, RTLD_LAZY);
    if (library == nullptr)
        soglia_win32::fail(ERROR_MOD_NOT_FOUND);
    return library;
}
inline HMODULE LoadLibraryW(LPCWSTR name) { return LoadLibraryA(soglia_win32::narrow(name).c_str()); }
inline HMODULE LoadLibrary(LPCWSTR name) { return LoadLibraryW(name); }
inline FARPROC GetProcAddress(HMODULE library, LPCSTR name) {
    void *function = dlsym(library, name);
    if (function == nullptr)
        soglia_win32::fail(ERROR_PROC_NOT_FOUND);
    return (FARPROC)function;
}
inline BOOL FreeLibrary(HMODULE library) { return dlclose(library) == 0; }
inline BOOL DisableThreadLibraryCalls(HMODULE) { return TRUE; }

// It is not one of them.
inline bool IsWindowsVistaOrGreater() { return false; }
inline bool IsWindows7OrGreater() { return false; }
inline bool IsWindows8OrGreater() { return false; }
inline bool IsWindows10OrGreater() { return false; }

// In nanoseconds.
inline BOOL QueryPerformanceCounter(LARGE_INTEGER *now) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now->QuadPart = (LONGLONG)time.tv_sec * 1000000000 + time.tv_nsec;
    return TRUE;
}
inline BOOL QueryPerformanceFrequency(LARGE_INTEGER *ticks) {
    ticks->QuadPart = 1000000000;
    return TRUE;
}
inline void GetSystemInfo(LPSYSTEM_INFO info) {
    memset(info, 0, sizeof *info);
    info->wProcessorArchitecture = 9; // PROCESSOR_ARCHITECTURE_AMD64
    info->dwPageSize = info->dwAllocationGranularity = (DWORD)sysconf(_SC_PAGESIZE);
    info->dwNumberOfProcessors = (DWORD)sysconf(_SC_NPROCESSORS_ONLN);
    info->lpMinimumApplicationAddress = (LPVOID)0x10000;
    info->lpMaximumApplicationAddress = (LPVOID)0x7FFFFFFEFFFF;
}

// To standard error, as there is no debugger that would read it.
inline void OutputDebugStringA(LPCSTR text) { fputs(text, stderr); }
inline void OutputDebugStringW(LPCWSTR text) { fputs(soglia_win32::narrow(text).c_str(), stderr); }
inline void OutputDebugString(LPCWSTR text) { OutputDebugStringW(text); }

// There are no tokens, so a thread cannot act with another identity.
inline BOOL OpenThreadToken(HANDLE, DWORD, BOOL, HANDLE *) { return soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED); }
inline BOOL OpenProcessToken(HANDLE, DWORD, HANDLE *) { return soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED); }
inline BOOL SetThreadToken(HANDLE *, HANDLE) { return soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED); }
inline BOOL ImpersonateLoggedOnUser(HANDLE) { return soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED); }
inline BOOL RevertToSelf() { return soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED); }

inline uintptr_t _beginthreadex(void *, unsigned stack, unsigned(__stdcall *start)(void *), void *argument,
                                unsigned flags, unsigned *id) {
    return (uintptr_t)CreateThread(nullptr, stack, (LPTHREAD_START_ROUTINE)start, argument, flags, (DWORD *)id);
}

#endif
