// Paths, as text: / and \ part names.

#ifndef SOGLIA_WIN32_SHLWAPI_H
#define SOGLIA_WIN32_SHLWAPI_H

#ifndef __cplusplus
#error "This header is for C++."
#endif

#include "windows.h"

namespace soglia_win32 {
// Where the last name of a path begins.
inline LPWSTR last_name(LPCWSTR path) {
    LPCWSTR name = path;
    for (; *path != 0; path++)
        if ((*path == L'/' || *path == L'\\') && path[1] != 0)
            name = path + 1;
    return const_cast<LPWSTR>(name);
}
} // namespace soglia_win32

inline LPWSTR PathFindFileNameW(LPCWSTR path) { return soglia_win32::last_name(path); }
inline LPWSTR PathFindFileName(LPCWSTR path) { return PathFindFileNameW(path); }
inline BOOL PathFileExistsW(LPCWSTR path) { return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES; }
inline BOOL PathFileExists(LPCWSTR path) { return PathFileExistsW(path); }
inline BOOL PathIsRelativeW(LPCWSTR path) { return *path != L'/'; }
inline BOOL PathIsRelative(LPCWSTR path) { return PathIsRelativeW(path); }
// Cuts the last name off, with what stands before it; the root stays.
inline BOOL PathRemoveFileSpecW(LPWSTR path) {
    LPWSTR name = soglia_win32::last_name(path);
    if (*name == 0)
        return FALSE;
    if (name - path > 1)
        name--;
    *name = 0;
    return TRUE;
}
inline BOOL PathRemoveFileSpec(LPWSTR path) { return PathRemoveFileSpecW(path); }
// `path` has room for MAX_PATH.
inline BOOL PathAppendW(LPWSTR path, LPCWSTR more) {
    size_t size = soglia_wcslen(path);
    bool apart = size > 0 && path[size - 1] != L'/' && *more != L'/';
    if (size + apart + soglia_wcslen(more) >= MAX_PATH)
        return FALSE;
    if (apart)
        soglia_wcscat(path, L"/");
    soglia_wcscat(path, more);
    return TRUE;
}
inline BOOL PathAppend(LPWSTR path, LPCWSTR more) { return PathAppendW(path, more); }
inline LPWSTR PathCombineW(LPWSTR to, LPCWSTR folder, LPCWSTR name) {
    *to = 0;
    bool whole = *name == L'/' || folder == nullptr;
    return PathAppendW(to, whole ? L"" : folder) && PathAppendW(to, name) ? to : nullptr;
}
inline LPWSTR PathCombine(LPWSTR to, LPCWSTR folder, LPCWSTR name) { return PathCombineW(to, folder, name); }

#endif
