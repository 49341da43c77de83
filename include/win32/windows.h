// What hosts use of windows.h beside the hosting API itself: threads, events, locks, memory, wide
// text. For sources that were written for Windows and are to stay as they are. It is an aid and not
// an emulation of Windows: what is not in here does not compile, and what cannot be done answers
// with an error. C has less of it, which is in soglia_c.h.
//
// Compile with the folder of this file as an include path in front of the others, and with
//
//     -fshort-wchar -pthread
//
// so that L"text" is UTF-16, as LPCWSTR is. The functions of the C library that take wchar_t then
// mean the wrong thing; those in soglia_text.h and soglia_wide.h take their places, and those of
// soglia_strings.h and soglia_streams.h the places of std::wstring, std::wcout and the like.

#ifndef SOGLIA_WIN32_WINDOWS_H
#define SOGLIA_WIN32_WINDOWS_H

#if __SIZEOF_WCHAR_T__ != 2
#error "Compile with -fshort-wchar, so that L\"text\" has the 16 bits of Windows."
#endif
#ifndef __cplusplus
#include "soglia_c.h"
#else

// Before anything is renamed: whatever of the C++ library names wide text.
#include <codecvt>
#include <cwchar>
#include <cwctype>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <locale>
#include <regex>
#include <sstream>
#include <string>
#if __cplusplus >= 201703L
#include <filesystem>
#include <string_view>
#endif

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

#include "../mscoree.h"
#include "sal.h"
#include "soglia_macros.h"

#define _ASSERTE(what) assert(what)
#define _ASSERT(what) assert(what)
#define ASSERT(what) assert(what)
#define MoveMemory(to, from, size) memmove((to), (from), (size))
#define FillMemory(place, size, byte) memset((place), (byte), (size))
#define __declspec(what)
#define __forceinline inline
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#define __fastcall
#define __thiscall
#define __vectorcall
#define _cdecl
#define _stdcall
#define NTAPI
#define FAR
#define NEAR
// Structured exceptions do not exist: what would be one is a signal here, and ends the process.
// __try is try already, in the C++ library of gcc. There is no __finally.
#define __except(filter) catch (const soglia_win32::StructuredException &)
#define GetExceptionCode() ((DWORD)0)
#define STATUS_NO_MEMORY ((DWORD)0xC0000017)
#define MAXDWORD 0xFFFFFFFFu

#include "soglia_errors.h"

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
#include "soglia_wide.h"

#include "soglia_messages.h"
#include "soglia_modules.h"
#include "soglia_ports.h"
#include "soglia_process.h"
#include "soglia_programs.h"
#include "soglia_strings.h"

#include "soglia_streams.h"
#include "soglia_variant.h"

#endif // __cplusplus

#endif
