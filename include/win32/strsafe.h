// Text functions that cut rather than write too far.

#ifndef SOGLIA_WIN32_STRSAFE_H
#define SOGLIA_WIN32_STRSAFE_H

#ifndef __cplusplus
#error "This header is for C++."
#endif

#include "windows.h"

#define STRSAFE_MAX_CCH 2147483647
#define STRSAFE_E_INSUFFICIENT_BUFFER _HRESULT_TYPEDEF_(0x8007007A)
#define STRSAFE_E_INVALID_PARAMETER _HRESULT_TYPEDEF_(0x80070057)

inline HRESULT StringCchCopyNW(LPWSTR to, size_t room, LPCWSTR text, size_t most) {
    if (room == 0 || room > STRSAFE_MAX_CCH)
        return STRSAFE_E_INVALID_PARAMETER;
    size_t count = soglia_wcsnlen(text, most), kept = count < room ? count : room - 1;
    memmove(to, text, kept * sizeof(WCHAR));
    to[kept] = 0;
    return kept == count ? S_OK : STRSAFE_E_INSUFFICIENT_BUFFER;
}
inline HRESULT StringCchCopyW(LPWSTR to, size_t room, LPCWSTR text) { return StringCchCopyNW(to, room, text, SIZE_MAX); }
inline HRESULT StringCchCatW(LPWSTR to, size_t room, LPCWSTR text) {
    size_t at = soglia_wcsnlen(to, room);
    return at == room ? STRSAFE_E_INVALID_PARAMETER : StringCchCopyW(to + at, room - at, text);
}
inline HRESULT StringCchVPrintfW(LPWSTR to, size_t room, LPCWSTR text, va_list arguments) {
    if (room == 0 || room > STRSAFE_MAX_CCH)
        return STRSAFE_E_INVALID_PARAMETER;
    int count = soglia_vsnwprintf_s(to, room, _TRUNCATE, text, arguments);
    return count < 0 ? STRSAFE_E_INSUFFICIENT_BUFFER : S_OK;
}
inline HRESULT StringCchPrintfW(LPWSTR to, size_t room, LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    HRESULT hr = StringCchVPrintfW(to, room, text, arguments);
    va_end(arguments);
    return hr;
}
inline HRESULT StringCchLengthW(LPCWSTR text, size_t most, size_t *length) {
    *length = soglia_wcsnlen(text, most);
    return *length < most ? S_OK : STRSAFE_E_INVALID_PARAMETER;
}
inline HRESULT StringCchCopyA(LPSTR to, size_t room, LPCSTR text) {
    if (room == 0)
        return STRSAFE_E_INVALID_PARAMETER;
    int count = snprintf(to, room, "%s", text);
    return (size_t)count < room ? S_OK : STRSAFE_E_INSUFFICIENT_BUFFER;
}
// Sizes in bytes.
inline HRESULT StringCbCopyW(LPWSTR to, size_t size, LPCWSTR text) { return StringCchCopyW(to, size / sizeof(WCHAR), text); }
inline HRESULT StringCbCatW(LPWSTR to, size_t size, LPCWSTR text) { return StringCchCatW(to, size / sizeof(WCHAR), text); }

#define StringCchCopy StringCchCopyW
#define StringCchCopyN StringCchCopyNW
#define StringCchCat StringCchCatW
#define StringCchPrintf StringCchPrintfW
#define StringCchVPrintf StringCchVPrintfW
#define StringCchLength StringCchLengthW
#define StringCbCopy StringCbCopyW
#define StringCbCat StringCbCatW

#endif
