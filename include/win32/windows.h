// What hosts use of windows.h beside the hosting API itself: threads, events, locks, memory, wide text. For sources that
// were written for Windows and are to stay as they are; C++ only. It is an aid and not an emulation of Windows: what is
// not in here does not compile, and what cannot be done answers with an error.
//
// Compile with the folder of this file as an include path in front of the others, and with
//
//     -fshort-wchar -pthread
//
// so that L"text" is UTF-16, as LPCWSTR is. The functions of the C library that take wchar_t then mean the wrong thing;
// those in soglia_text.h take their places. std::wstring, std::wcout and the like must not be used.

#ifndef SOGLIA_WIN32_WINDOWS_H
#define SOGLIA_WIN32_WINDOWS_H

#ifndef __cplusplus
#error "The windows.h that comes with soglia is for C++."
#endif
#if __SIZEOF_WCHAR_T__ != 2
#error "Compile with -fshort-wchar, so that L\"text\" has the 16 bits of Windows."
#endif

// Before anything is renamed.
#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

#include "../mscoree.h"
#include "sal.h"

#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif

#define MAX_PATH 260
#define _MAX_PATH 260
#define _ASSERTE(what) assert(what)
#define _ASSERT(what) assert(what)
#define ASSERT(what) assert(what)
#define ZeroMemory(place, size) memset((place), 0, (size))
#define CopyMemory(to, from, size) memcpy((to), (from), (size))
#define MoveMemory(to, from, size) memmove((to), (from), (size))
#define FillMemory(place, size, byte) memset((place), (byte), (size))
#define ARRAYSIZE(array) (sizeof(array) / sizeof((array)[0]))
#define _countof(array) (sizeof(array) / sizeof((array)[0]))
#define __declspec(what)
#define __forceinline inline
#define NTAPI
#define FAR
#define NEAR
// Structured exceptions do not exist: what would be one is a signal here, and ends the process. __try is try already, in
// the C++ library of gcc. There is no __finally.
#define __except(filter) catch (const soglia_win32::StructuredException &)
#define GetExceptionCode() ((DWORD)0)
#define STATUS_NO_MEMORY ((DWORD)0xC0000017)
#define MAXDWORD 0xFFFFFFFFu

#define ERROR_SUCCESS 0
#define NO_ERROR 0
#define ERROR_FILE_NOT_FOUND 2
#define ERROR_ACCESS_DENIED 5
#define ERROR_INVALID_HANDLE 6
#define ERROR_NOT_ENOUGH_MEMORY 8
#define ERROR_INVALID_PARAMETER 87
#define ERROR_CALL_NOT_IMPLEMENTED 120
#define ERROR_INSUFFICIENT_BUFFER 122
#define ERROR_MOD_NOT_FOUND 126
#define ERROR_PROC_NOT_FOUND 127
#define ERROR_NOT_OWNER 288
#define ERROR_ABANDONED_WAIT_0 735
#define ERROR_NO_TOKEN 1008
#define ERROR_TOO_MANY_POSTS 298

#ifndef NOMINMAX // macros on Windows
#include <algorithm>
using std::max;
using std::min;
#endif

namespace soglia_win32 {
struct StructuredException {}; // is never thrown
inline DWORD &last_error() {
    static thread_local DWORD error = ERROR_SUCCESS;
    return error;
}
// Sets the error and answers FALSE.
inline BOOL fail(DWORD error) {
    last_error() = error;
    return FALSE;
}
} // namespace soglia_win32

inline DWORD GetLastError() { return soglia_win32::last_error(); }
inline void SetLastError(DWORD error) { soglia_win32::last_error() = error; }

#include "soglia_crt.h"
#include "soglia_memory.h"
#include "soglia_text.h"
#include "soglia_threads.h"

#include "soglia_messages.h"
#include "soglia_ports.h"
#include "soglia_process.h"
#include "soglia_strings.h"

#endif
