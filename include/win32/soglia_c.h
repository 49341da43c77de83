// What C sources get of windows.h: types, errors, wide text and its printing. Threads, events and
// files are C++'s alone.

#ifndef SOGLIA_WIN32_C_H
#define SOGLIA_WIN32_C_H

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wchar.h>

#include "../mscoree.h"
#include "sal.h"
#include "soglia_macros.h"

#define __declspec(what)
#define __forceinline static inline
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#define __fastcall
#define _cdecl
#define TEXT(text) L##text
#define _T(text) L##text
#define CP_ACP 0
#define CP_UTF8 65001

#include "soglia_errors.h"

typedef WCHAR TCHAR;
typedef WCHAR *LPTSTR;
typedef const WCHAR *LPCTSTR;
typedef OLECHAR *BSTR;

// Of each source file: what its own calls of these functions have set.
static __thread DWORD soglia_last_error __attribute__((unused));
static inline DWORD GetLastError(void) { return soglia_last_error; }
static inline void SetLastError(DWORD error) { soglia_last_error = error; }

static inline HRESULT CoInitializeEx(LPVOID reserved, DWORD how) {
    (void)reserved;
    (void)how;
    return S_OK;
}
static inline void CoUninitialize(void) {}
static inline void Sleep(DWORD milliseconds) {
    struct timespec left = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

static inline size_t soglia_wcslen(LPCWSTR text) {
    size_t length = 0;
    while (text[length] != 0)
        length++;
    return length;
}
static inline int soglia_wcsncmp(LPCWSTR a, LPCWSTR b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (a[i] != b[i] || a[i] == 0)
            return (int)(uint16_t)a[i] - (int)(uint16_t)b[i];
    return 0;
}
static inline int soglia_wcscmp(LPCWSTR a, LPCWSTR b) { return soglia_wcsncmp(a, b, SIZE_MAX); }
static inline LPWSTR soglia_wcscpy(LPWSTR to, LPCWSTR text) {
    return (LPWSTR)memcpy(to, text, (soglia_wcslen(text) + 1) * sizeof(WCHAR));
}
static inline LPWSTR soglia_wcscat(LPWSTR to, LPCWSTR text) {
    soglia_wcscpy(to + soglia_wcslen(to), text);
    return to;
}
static inline LPWSTR soglia_wcschr(LPCWSTR text, WCHAR c) {
    for (; *text != c; text++)
        if (*text == 0)
            return NULL;
    return (LPWSTR)text;
}
static inline LPWSTR soglia_wcsrchr(LPCWSTR text, WCHAR c) {
    for (size_t i = soglia_wcslen(text) + 1; i-- > 0;)
        if (text[i] == c)
            return (LPWSTR)text + i;
    return NULL;
}
// Like Microsoft's, they end the process rather than write too far.
static inline int wcscpy_s(LPWSTR to, size_t room, LPCWSTR text) {
    if (to == NULL || soglia_wcslen(text) >= room)
        abort();
    soglia_wcscpy(to, text);
    return 0;
}
static inline int wcscat_s(LPWSTR to, size_t room, LPCWSTR text) {
    size_t at = soglia_wcslen(to);
    return wcscpy_s(to + at, room - at, text);
}

// UTF-8 of a wide text, to be freed. A lone half of a pair becomes U+FFFD.
static inline char *soglia_narrow(LPCWSTR text, size_t count) {
    char *out = (char *)malloc(count * 3 + 1), *to = out;
    if (out == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        uint32_t c = (uint16_t)text[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < count && ((uint16_t)text[i + 1] & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c & 0x3FF) << 10) + ((uint16_t)text[++i] & 0x3FF);
        else if (c >= 0xD800 && c < 0xE000)
            c = 0xFFFD;
        int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        *to++ = (char)(more == 0 ? c : ((0xF0u << (3 - more)) & 0xFF) | c >> (6 * more));
        while (more-- > 0)
            *to++ = (char)(0x80 | (c >> (6 * more) & 0x3F));
    }
    *to = 0;
    return out;
}

// printf with a wide format, as Windows has it: %s is wide, %S and %hs are not, and a long has 32
// bits.
static inline int soglia_vfwprintf(FILE *file, LPCWSTR wide, va_list arguments) {
    char *all = soglia_narrow(wide, soglia_wcslen(wide)), spec[64];
    int count = 0;
    for (const char *at = all; *at != 0; at++) {
        if (*at != '%') {
            count += fputc(*at, file) == EOF ? 0 : 1;
            continue;
        }
        size_t size = 1;
        char length[8] = "";
        size_t lengths = 0;
        spec[0] = '%';
        for (at++; *at != 0 && strchr("-+ #0123456789.*", *at) != NULL; at++) {
            if (*at == '*')
                size += (size_t)snprintf(spec + size, 16, "%d", va_arg(arguments, int));
            else if (size < 40)
                spec[size++] = *at;
        }
        for (; *at != 0 && strchr("hlLwIzjt64832", *at) != NULL; at++)
            if (lengths < sizeof length - 1)
                length[lengths++] = *at;
        length[lengths] = 0;
        bool quad = strcmp(length, "ll") == 0 || strcmp(length, "I64") == 0 || strcmp(length, "z") == 0 || strcmp(length, "I") == 0;
        if (*at == 0)
            break;
        if (strchr("diuxXo", *at) != NULL) {
            snprintf(spec + size, sizeof spec - size, quad ? "ll%c" : "%c", *at);
            count += quad ? fprintf(file, spec, va_arg(arguments, long long)) : fprintf(file, spec, va_arg(arguments, int));
        } else if (*at == 's' || *at == 'S') {
            bool is_wide = (*at == 's' && strcmp(length, "h") != 0) || (*at == 'S' && lengths > 0 && length[0] != 'h');
            const void *text = va_arg(arguments, const void *);
            char *narrow = is_wide && text != NULL ? soglia_narrow((LPCWSTR)text, soglia_wcslen((LPCWSTR)text)) : NULL;
            snprintf(spec + size, sizeof spec - size, "s");
            count += fprintf(file, spec, narrow != NULL ? narrow : text != NULL ? (const char *)text : "(null)");
            free(narrow);
        } else if (*at == 'c' || *at == 'C') {
            WCHAR c = (WCHAR)va_arg(arguments, int);
            char *narrow = soglia_narrow(&c, 1);
            count += fprintf(file, "%s", narrow);
            free(narrow);
        } else if (*at == 'p') {
            count += fprintf(file, "%p", va_arg(arguments, void *));
        } else if (*at == '%') {
            count += fputc('%', file) == EOF ? 0 : 1;
        } else {
            snprintf(spec + size, sizeof spec - size, "%c", *at);
            count += fprintf(file, spec, va_arg(arguments, double));
        }
    }
    free(all);
    return count;
}
static inline int soglia_fwprintf(FILE *file, LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = soglia_vfwprintf(file, text, arguments);
    va_end(arguments);
    return count;
}
static inline int soglia_wprintf(LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = soglia_vfwprintf(stdout, text, arguments);
    va_end(arguments);
    return count;
}

// The length in bytes stands before the text.
static inline BSTR SysAllocStringLen(const OLECHAR *text, UINT count) {
    char *place = (char *)calloc(1, 16 + ((size_t)count + 1) * sizeof(OLECHAR));
    uint32_t bytes = count * (uint32_t)sizeof(OLECHAR);
    if (place == NULL)
        return NULL;
    memcpy(place + 12, &bytes, sizeof bytes);
    if (text != NULL)
        memcpy(place + 16, text, bytes);
    return (BSTR)(void *)(place + 16);
}
static inline BSTR SysAllocString(const OLECHAR *text) {
    return text == NULL ? NULL : SysAllocStringLen(text, (UINT)soglia_wcslen(text));
}
static inline void SysFreeString(BSTR text) {
    if (text != NULL)
        free((char *)text - 16);
}
static inline UINT SysStringLen(BSTR text) {
    uint32_t bytes = 0;
    if (text != NULL)
        memcpy(&bytes, (char *)text - 4, sizeof bytes);
    return bytes / (UINT)sizeof(OLECHAR);
}

#include "soglia_names.h"

#endif
