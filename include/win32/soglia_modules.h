// Where modules and files are, what errors are called, and what else a program asks of the system.
// Part of windows.h.

#ifndef SOGLIA_WIN32_MODULES_H
#define SOGLIA_WIN32_MODULES_H

#include <link.h>
#include <signal.h>
#include <sys/stat.h>

#define GET_MODULE_HANDLE_EX_FLAG_PIN 1
#define GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT 2
#define GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS 4
#define FORMAT_MESSAGE_ALLOCATE_BUFFER 0x100
#define FORMAT_MESSAGE_IGNORE_INSERTS 0x200
#define FORMAT_MESSAGE_FROM_STRING 0x400
#define FORMAT_MESSAGE_FROM_HMODULE 0x800
#define FORMAT_MESSAGE_FROM_SYSTEM 0x1000
#define FORMAT_MESSAGE_ARGUMENT_ARRAY 0x2000
#define FORMAT_MESSAGE_MAX_WIDTH_MASK 0xFF
#define LANG_NEUTRAL 0
#define SUBLANG_DEFAULT 1
#define MAKELANGID(language, sub) ((WORD)((sub) << 10 | (language)))
#define LMEM_FIXED 0
#define LMEM_ZEROINIT 0x40
#define LPTR 0x40
#define GMEM_FIXED 0
#define GMEM_ZEROINIT 0x40
#define GPTR 0x40
#define STD_INPUT_HANDLE ((DWORD)-10)
#define STD_OUTPUT_HANDLE ((DWORD)-11)
#define STD_ERROR_HANDLE ((DWORD)-12)
#define INVALID_FILE_ATTRIBUTES ((DWORD)-1)
#define FILE_ATTRIBUTE_DIRECTORY 0x10
#define FILE_ATTRIBUTE_NORMAL 0x80
#define MB_OK 0x0
#define MB_OKCANCEL 0x1
#define MB_YESNO 0x4
#define MB_ICONERROR 0x10
#define MB_ICONHAND 0x10
#define MB_ICONSTOP 0x10
#define MB_ICONQUESTION 0x20
#define MB_ICONWARNING 0x30
#define MB_ICONEXCLAMATION 0x30
#define MB_ICONINFORMATION 0x40
#define MB_ICONASTERISK 0x40
#define MB_TOPMOST 0x40000
#define MB_SETFOREGROUND 0x10000
#define MB_SYSTEMMODAL 0x1000
#define IDOK 1
#define IDCANCEL 2
#define IDYES 6
#define IDNO 7

typedef void *HLOCAL;
typedef void *HGLOBAL;
typedef void *HINSTANCE__;
// Of `extern "C" IMAGE_DOS_HEADER __ImageBase`, whose address is the module that the source is
// compiled into.
typedef struct _IMAGE_DOS_HEADER {
    BYTE elf[64];
} IMAGE_DOS_HEADER, *PIMAGE_DOS_HEADER;
#define __ImageBase __ehdr_start

namespace soglia_win32 {
// The file of a module: of the program for null; else a handle of dlopen's, or where the module
// begins in memory.
inline std::string file_of(HMODULE module) {
    Dl_info about;
    struct link_map *map = nullptr;
    std::string name;
    if (module != nullptr && dladdr(module, &about) != 0 && about.dli_fbase == module)
        name = about.dli_fname;
    else if (module != nullptr && dlinfo(module, RTLD_DI_LINKMAP, &map) == 0)
        name = map->l_name;
    char path[PATH_MAX];
    if (name.empty() || name.find('/') == std::string::npos) {
        ssize_t size = readlink("/proc/self/exe", path, sizeof path);
        return std::string(path, size < 0 ? 0 : (size_t)size);
    }
    return realpath(name.c_str(), path) != nullptr ? path : name;
}
inline DWORD put_narrow(const std::string &text, LPSTR to, DWORD room) {
    if (text.empty() || text.size() >= room)
        return (DWORD)fail(ERROR_INSUFFICIENT_BUFFER);
    memcpy(to, text.c_str(), text.size() + 1);
    return (DWORD)text.size();
}
// WCHARs written, without the zero; or, if there is no room for them, those needed, with it.
inline DWORD put_or_ask(const std::string &text, LPWSTR to, DWORD room) {
    std::vector<WCHAR> all = wide(text.c_str(), text.size() + 1);
    if (all.size() > room)
        return (DWORD)all.size();
    memcpy(to, all.data(), all.size() * sizeof(WCHAR));
    return (DWORD)all.size() - 1;
}
// The text of an error, of Windows or an HRESULT.
inline std::string message(DWORD code) {
    DWORD plain = (code & 0xFFFF0000u) == 0x80070000u ? code & 0xFFFF : code;
    switch (plain) {
    case ERROR_SUCCESS:
        return "The operation completed successfully.";
    case ERROR_FILE_NOT_FOUND:
        return "The system cannot find the file specified.";
    case ERROR_ACCESS_DENIED:
        return "Access is denied.";
    case ERROR_INVALID_HANDLE:
        return "The handle is invalid.";
    case ERROR_NOT_ENOUGH_MEMORY:
    case 14:
        return "Not enough memory is available.";
    case ERROR_INVALID_PARAMETER:
        return "The parameter is incorrect.";
    case ERROR_CALL_NOT_IMPLEMENTED:
        return "This function is not supported on this system.";
    case ERROR_INSUFFICIENT_BUFFER:
        return "The data area passed to a system call is too small.";
    case ERROR_MOD_NOT_FOUND:
        return "The specified module could not be found.";
    case ERROR_PROC_NOT_FOUND:
        return "The specified procedure could not be found.";
    case (DWORD)E_NOTIMPL:
        return "Not implemented";
    case (DWORD)E_NOINTERFACE:
        return "No such interface supported";
    case (DWORD)E_POINTER:
        return "Invalid pointer";
    case (DWORD)E_FAIL:
        return "Unspecified error";
    case (DWORD)E_UNEXPECTED:
        return "Catastrophic failure";
    }
    char text[32];
    snprintf(text, sizeof text, "Error 0x%08X", code);
    return text;
}
inline std::string said(DWORD flags, std::string text) {
    if ((flags & FORMAT_MESSAGE_FROM_STRING) == 0 && (flags & FORMAT_MESSAGE_MAX_WIDTH_MASK) == 0)
        text += "\r\n";
    return text;
}
} // namespace soglia_win32

inline HMODULE GetModuleHandleA(LPCSTR name) {
    void *module = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (module == nullptr)
        soglia_win32::fail(ERROR_MOD_NOT_FOUND);
    else
        dlclose(module); // it does not count
    return module;
}
inline HMODULE GetModuleHandleW(LPCWSTR name) {
    return GetModuleHandleA(name == nullptr ? nullptr : soglia_win32::narrow(name).c_str());
}
inline HMODULE GetModuleHandle(LPCWSTR name) { return GetModuleHandleW(name); }
// The name is an address where the flags say so. The count of the module stays.
inline BOOL GetModuleHandleExW(DWORD flags, LPCWSTR name, HMODULE *module) {
    if ((flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS) == 0)
        return (*module = GetModuleHandleW(name)) != nullptr;
    Dl_info about;
    bool found = dladdr((const void *)name, &about) != 0;
    *module = found ? about.dli_fbase : nullptr;
    return found || soglia_win32::fail(ERROR_MOD_NOT_FOUND);
}
inline BOOL GetModuleHandleEx(DWORD flags, LPCWSTR name, HMODULE *module) {
    return GetModuleHandleExW(flags, name, module);
}
inline DWORD GetModuleFileNameA(HMODULE module, LPSTR to, DWORD room) {
    return soglia_win32::put_narrow(soglia_win32::file_of(module), to, room);
}
inline DWORD GetModuleFileNameW(HMODULE module, LPWSTR to, DWORD room) {
    std::string path = soglia_win32::file_of(module);
    DWORD size = soglia_win32::put_or_ask(path, to, room);
    return path.empty() || size >= room ? (DWORD)soglia_win32::fail(ERROR_INSUFFICIENT_BUFFER) : size;
}
inline DWORD GetModuleFileName(HMODULE module, LPWSTR to, DWORD room) { return GetModuleFileNameW(module, to, room); }

inline HLOCAL LocalAlloc(UINT flags, SIZE_T size) { return (flags & LMEM_ZEROINIT) != 0 ? calloc(1, size) : malloc(size); }
inline HLOCAL LocalFree(HLOCAL place) {
    free(place);
    return nullptr;
}
inline HGLOBAL GlobalAlloc(UINT flags, SIZE_T size) { return LocalAlloc(flags, size); }
inline HGLOBAL GlobalFree(HGLOBAL place) { return LocalFree(place); }
inline LPVOID CoTaskMemAlloc(SIZE_T size) { return malloc(size); }
inline LPVOID CoTaskMemRealloc(LPVOID place, SIZE_T size) { return realloc(place, size); }
inline void CoTaskMemFree(LPVOID place) { free(place); }

// Messages are in English. Inserts (%1) of strings are not put in.
inline DWORD FormatMessageW(DWORD flags, LPCVOID source, DWORD code, DWORD, LPWSTR to, DWORD room, va_list *) {
    using namespace soglia_win32;
    bool given = (flags & FORMAT_MESSAGE_FROM_STRING) != 0;
    std::string text = said(flags, given ? narrow((LPCWSTR)source) : message(code));
    std::vector<WCHAR> all = wide(text.c_str(), text.size() + 1);
    if ((flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) != 0)
        *(LPWSTR *)(void *)to = (LPWSTR)memcpy(LocalAlloc(0, all.size() * sizeof(WCHAR)), all.data(), all.size() * sizeof(WCHAR));
    else if (all.size() > room)
        return (DWORD)fail(ERROR_INSUFFICIENT_BUFFER);
    else
        memcpy(to, all.data(), all.size() * sizeof(WCHAR));
    return (DWORD)all.size() - 1;
}
inline DWORD FormatMessageA(DWORD flags, LPCVOID source, DWORD code, DWORD, LPSTR to, DWORD room, va_list *) {
    using namespace soglia_win32;
    bool given = (flags & FORMAT_MESSAGE_FROM_STRING) != 0;
    std::string text = said(flags, given ? std::string((LPCSTR)source) : message(code));
    if ((flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) == 0)
        return put_narrow(text, to, room);
    *(LPSTR *)(void *)to = (LPSTR)memcpy(LocalAlloc(0, text.size() + 1), text.c_str(), text.size() + 1);
    return (DWORD)text.size();
}
inline DWORD FormatMessage(DWORD flags, LPCVOID source, DWORD code, DWORD language, LPWSTR to, DWORD room, va_list *more) {
    return FormatMessageW(flags, source, code, language, to, room, more);
}

// To standard error. A question is answered with yes.
inline int MessageBoxA(HWND, LPCSTR text, LPCSTR title, UINT kind) {
    fprintf(stderr, "%s: %s\n", title != nullptr ? title : "Error", text);
    return (kind & 7) == MB_YESNO ? IDYES : IDOK;
}
inline int MessageBoxW(HWND window, LPCWSTR text, LPCWSTR title, UINT kind) {
    std::string narrow_title = soglia_win32::narrow(title != nullptr ? title : L"Error");
    return MessageBoxA(window, soglia_win32::narrow(text).c_str(), narrow_title.c_str(), kind);
}
inline int MessageBox(HWND window, LPCWSTR text, LPCWSTR title, UINT kind) {
    return MessageBoxW(window, text, title, kind);
}

inline DWORD GetEnvironmentVariableW(LPCWSTR name, LPWSTR to, DWORD room) {
    const char *value = getenv(soglia_win32::narrow(name).c_str());
    return value == nullptr ? (DWORD)soglia_win32::fail(203) : soglia_win32::put_or_ask(value, to, room);
}
inline DWORD GetEnvironmentVariable(LPCWSTR name, LPWSTR to, DWORD room) {
    return GetEnvironmentVariableW(name, to, room);
}
inline BOOL SetEnvironmentVariableW(LPCWSTR name, LPCWSTR value) {
    std::string narrow_name = soglia_win32::narrow(name);
    if (value == nullptr)
        return unsetenv(narrow_name.c_str()) == 0;
    return setenv(narrow_name.c_str(), soglia_win32::narrow(value).c_str(), 1) == 0;
}
inline BOOL SetEnvironmentVariable(LPCWSTR name, LPCWSTR value) { return SetEnvironmentVariableW(name, value); }
inline BOOL SetCurrentDirectoryW(LPCWSTR path) {
    return chdir(soglia_win32::narrow(path).c_str()) == 0 || soglia_win32::fail(ERROR_FILE_NOT_FOUND);
}
inline BOOL SetCurrentDirectory(LPCWSTR path) { return SetCurrentDirectoryW(path); }
// Of a path that need not be there.
inline DWORD GetFullPathNameW(LPCWSTR path, DWORD room, LPWSTR to, LPWSTR *file) {
    std::string full = soglia_win32::narrow(path);
    char here[PATH_MAX];
    if (full.empty() || full[0] != '/')
        full = std::string(getcwd(here, sizeof here) != nullptr ? here : "") + "/" + full;
    char real[PATH_MAX];
    if (realpath(full.c_str(), real) != nullptr)
        full = real;
    DWORD size = soglia_win32::put_or_ask(full, to, room);
    if (file != nullptr && size < room)
        *file = soglia_wcsrchr(to, L'/') + 1;
    return size;
}
inline DWORD GetFullPathName(LPCWSTR path, DWORD room, LPWSTR to, LPWSTR *file) {
    return GetFullPathNameW(path, room, to, file);
}
inline DWORD GetFileAttributesA(LPCSTR path) {
    struct stat about;
    if (stat(path, &about) != 0) {
        soglia_win32::fail(ERROR_FILE_NOT_FOUND);
        return INVALID_FILE_ATTRIBUTES;
    }
    return S_ISDIR(about.st_mode) ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_NORMAL;
}
inline DWORD GetFileAttributesW(LPCWSTR path) { return GetFileAttributesA(soglia_win32::narrow(path).c_str()); }
inline DWORD GetFileAttributes(LPCWSTR path) { return GetFileAttributesW(path); }

inline HANDLE GetStdHandle(DWORD which) {
    static char streams[3];
    return &streams[which == STD_INPUT_HANDLE ? 0 : which == STD_OUTPUT_HANDLE ? 1 : 2];
}
// There is a console already: whatever the standard streams are.
inline BOOL AllocConsole() { return soglia_win32::fail(ERROR_ACCESS_DENIED); }
inline BOOL FreeConsole() { return TRUE; }
inline BOOL AttachConsole(DWORD) { return soglia_win32::fail(ERROR_ACCESS_DENIED); }
inline BOOL SetConsoleTitleW(LPCWSTR) { return TRUE; }
inline BOOL SetConsoleTitle(LPCWSTR) { return TRUE; }
inline BOOL SetConsoleOutputCP(UINT) { return TRUE; }
inline UINT SetErrorMode(UINT) { return 0; }
inline BOOL IsDebuggerPresent() { return FALSE; }
inline void DebugBreak() { raise(SIGTRAP); }
inline void __debugbreak() { raise(SIGTRAP); }

inline int lstrlenW(LPCWSTR text) { return text == nullptr ? 0 : (int)soglia_win32::length(text); }
inline int lstrlen(LPCWSTR text) { return lstrlenW(text); }
inline int lstrlenA(LPCSTR text) { return text == nullptr ? 0 : (int)strlen(text); }
inline int lstrcmpW(LPCWSTR a, LPCWSTR b) { return soglia_wcscmp(a, b); }
inline int lstrcmpiW(LPCWSTR a, LPCWSTR b) { return _wcsicmp(a, b); }
inline int lstrcmpi(LPCWSTR a, LPCWSTR b) { return _wcsicmp(a, b); }
inline LPWSTR lstrcpyW(LPWSTR to, LPCWSTR text) { return soglia_wcscpy(to, text); }
inline LPWSTR lstrcatW(LPWSTR to, LPCWSTR text) { return soglia_wcscat(to, text); }

inline HRESULT StringFromGUID2(REFGUID id, LPWSTR to, int room) {
    const BYTE *d = id.Data4;
    int size = soglia_swprintf(to, (size_t)room, L"{%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X}", id.Data1, id.Data2,
                               id.Data3, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
    return size < 0 ? 0 : size + 1;
}

#endif
