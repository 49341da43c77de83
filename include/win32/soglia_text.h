// Wide text of 16 bits, and main with it. Part of windows.h.
//
// The C library's own functions of these names expect 32 bits. The macros at the end put ours into
// their places.

#ifndef SOGLIA_WIN32_TEXT_H
#define SOGLIA_WIN32_TEXT_H

#include <string>
#include <vector>

typedef WCHAR TCHAR;
typedef WCHAR _TCHAR;
typedef WCHAR *LPTSTR;
typedef const WCHAR *LPCTSTR;
#define TEXT(text) L##text
#define _T(text) L##text
#define _TEXT(text) L##text
#define CP_ACP 0
#define CP_UTF8 65001

namespace soglia_win32 {

inline size_t length(LPCWSTR text) {
    size_t length = 0;
    while (text[length] != 0)
        length++;
    return length;
}

// A lone half of a pair becomes U+FFFD.
inline std::string narrow(LPCWSTR text, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; i++) {
        uint32_t c = (uint16_t)text[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < count && ((uint16_t)text[i + 1] & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c & 0x3FF) << 10) + ((uint16_t)text[++i] & 0x3FF);
        else if (c >= 0xD800 && c < 0xE000)
            c = 0xFFFD;
        int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        out += (char)(more == 0 ? c : (0xF0 << (3 - more) & 0xFF) | c >> (6 * more));
        while (more-- > 0)
            out += (char)(0x80 | (c >> (6 * more) & 0x3F));
    }
    return out;
}
inline std::string narrow(LPCWSTR text) { return narrow(text, length(text)); }

// A byte that is not UTF-8 becomes U+FFFD.
inline std::vector<WCHAR> wide(const char *text, size_t count) {
    std::vector<WCHAR> out;
    for (size_t i = 0; i < count;) {
        unsigned char first = (unsigned char)text[i++];
        int more = first < 0x80 ? 0 : first < 0xC2 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : -1;
        uint32_t c = more < 0 ? 0xFFFD : more == 0 ? first : first & (0x3F >> more);
        for (int n = 0; n < more; n++) {
            if (i == count || ((unsigned char)text[i] & 0xC0) != 0x80) {
                c = 0xFFFD;
                break;
            }
            c = c << 6 | ((unsigned char)text[i++] & 0x3F);
        }
        if (c >= 0x10000) {
            out.push_back((WCHAR)(0xD7C0 + (c >> 10)));
            c = 0xDC00 | (c & 0x3FF);
        }
        out.push_back((WCHAR)c);
    }
    return out;
}

inline int compare(LPCWSTR a, LPCWSTR b, size_t count, bool any_case) {
    for (size_t i = 0; i < count; i++) {
        int x = (uint16_t)a[i], y = (uint16_t)b[i];
        if (any_case) {
            x = x >= 'A' && x <= 'Z' ? x + 32 : x;
            y = y >= 'A' && y <= 'Z' ? y + 32 : y;
        }
        if (x != y || x == 0)
            return x - y;
    }
    return 0;
}
// Like Windows's, the functions with a size end the process rather than write too far.
inline int put(LPWSTR to, size_t room, size_t at, LPCWSTR text, size_t most) {
    size_t count = 0;
    while (count < most && text[count] != 0)
        count++;
    if (to == nullptr || at + count >= room)
        abort();
    memmove(to + at, text, count * sizeof(WCHAR));
    to[at + count] = 0;
    return 0;
}

// printf with a wide format, as Windows has it: %s is wide, %S and %hs are not, and a long has 32
// bits.
inline std::string format(LPCWSTR format, va_list arguments) {
    std::string out, all = narrow(format);
    for (size_t i = 0; i < all.size(); i++) {
        if (all[i] != '%') {
            out += all[i];
            continue;
        }
        std::string spec = "%", size;
        for (i++; i < all.size() && strchr("-+ #0123456789.*", all[i]) != nullptr; i++)
            spec += all[i] == '*' ? std::to_string(va_arg(arguments, int)) : std::string(1, all[i]);
        for (; i < all.size() && strchr("hlLwIzjt64832", all[i]) != nullptr; i++)
            size += all[i];
        if (i == all.size())
            break;
        bool quad = size == "ll" || size == "I64" || size == "I" || size == "z" || size == "j" || size == "t";
        char kind = all[i], buffer[512];
        const char *text = buffer;
        std::string long_text;
        switch (kind) {
        case '%':
            out += '%';
            continue;
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            if (quad)
                snprintf(buffer, sizeof buffer, (spec + "ll" + kind).c_str(), va_arg(arguments, long long));
            else
                snprintf(buffer, sizeof buffer, (spec + kind).c_str(), va_arg(arguments, int));
            break;
        case 'c':
        case 'C': {
            WCHAR c = (WCHAR)va_arg(arguments, int);
            long_text = narrow(&c, 1);
            text = long_text.c_str();
            break;
        }
        case 's':
        case 'S': {
            bool is_wide = (kind == 's') != (size == "h") && !(kind == 'S' && size == "");
            if (kind == 'S' && (size == "l" || size == "w"))
                is_wide = true;
            const void *argument = va_arg(arguments, const void *);
            if (argument == nullptr)
                long_text = "(null)";
            else
                long_text = is_wide ? narrow((LPCWSTR)argument) : std::string((const char *)argument);
            if (spec != "%") {
                std::vector<char> padded(long_text.size() + 512);
                snprintf(padded.data(), padded.size(), (spec + "s").c_str(), long_text.c_str());
                long_text = padded.data();
            }
            text = long_text.c_str();
            break;
        }
        case 'p':
            snprintf(buffer, sizeof buffer, (spec + kind).c_str(), va_arg(arguments, void *));
            break;
        default:
            snprintf(buffer, sizeof buffer, (spec + kind).c_str(), va_arg(arguments, double));
        }
        out += text;
    }
    return out;
}

inline int print(FILE *file, LPCWSTR text, va_list arguments) {
    std::string out = format(text, arguments);
    return fwrite(out.data(), 1, out.size(), file) == out.size() ? (int)out.size() : -1;
}
inline int print(LPWSTR to, size_t room, LPCWSTR text, va_list arguments) {
    std::string out = format(text, arguments);
    std::vector<WCHAR> all = wide(out.data(), out.size());
    if (room == 0 || all.size() >= room)
        return -1;
    memcpy(to, all.data(), all.size() * sizeof(WCHAR));
    to[all.size()] = 0;
    return (int)all.size();
}

// main's arguments for wmain.
struct Arguments {
    std::vector<std::vector<WCHAR>> texts;
    std::vector<WCHAR *> pointers;
    Arguments(int count, char **narrow) {
        for (int i = 0; i < count; i++) {
            texts.push_back(wide(narrow[i], strlen(narrow[i])));
            texts.back().push_back(0);
        }
        for (std::vector<WCHAR> &text : texts)
            pointers.push_back(text.data());
        pointers.push_back(nullptr);
    }
};
inline int run_main(int (*wmain)(int, WCHAR **), int count, char **narrow) {
    Arguments arguments(count, narrow);
    return wmain(count, arguments.pointers.data());
}
inline int run_main(int (*wmain)(), int, char **) { return wmain(); }

inline WCHAR *copy(LPCWSTR text) {
    size_t size = (length(text) + 1) * sizeof(WCHAR);
    void *place = malloc(size);
    return place == nullptr ? nullptr : (WCHAR *)memcpy(place, text, size);
}
} // namespace soglia_win32

inline size_t soglia_wcslen(LPCWSTR text) { return soglia_win32::length(text); }
inline int soglia_wcscmp(LPCWSTR a, LPCWSTR b) { return soglia_win32::compare(a, b, SIZE_MAX, false); }
inline int soglia_wcsncmp(LPCWSTR a, LPCWSTR b, size_t count) { return soglia_win32::compare(a, b, count, false); }
inline int _wcsicmp(LPCWSTR a, LPCWSTR b) { return soglia_win32::compare(a, b, SIZE_MAX, true); }
inline int _wcsnicmp(LPCWSTR a, LPCWSTR b, size_t count) { return soglia_win32::compare(a, b, count, true); }
inline WCHAR *soglia_wcscpy(LPWSTR to, LPCWSTR text) {
    return (WCHAR *)memcpy(to, text, (soglia_win32::length(text) + 1) * sizeof(WCHAR));
}
inline WCHAR *soglia_wcscat(LPWSTR to, LPCWSTR text) {
    soglia_wcscpy(to + soglia_win32::length(to), text);
    return to;
}
inline WCHAR *soglia_wcschr(LPCWSTR text, WCHAR c) {
    for (; *text != c; text++)
        if (*text == 0)
            return nullptr;
    return const_cast<WCHAR *>(text);
}
inline WCHAR *soglia_wcsrchr(LPCWSTR text, WCHAR c) {
    for (size_t i = soglia_win32::length(text) + 1; i-- > 0;)
        if (text[i] == c)
            return const_cast<WCHAR *>(text + i);
    return nullptr;
}
inline WCHAR *_wcsdup(LPCWSTR text) { return soglia_win32::copy(text); }
inline int wcscpy_s(LPWSTR to, size_t room, LPCWSTR text) { return soglia_win32::put(to, room, 0, text, SIZE_MAX); }
inline int wcsncpy_s(LPWSTR to, size_t room, LPCWSTR text, size_t most) {
    return soglia_win32::put(to, room, 0, text, most == _TRUNCATE ? room - 1 : most);
}
inline int wcscat_s(LPWSTR to, size_t room, LPCWSTR text) {
    return soglia_win32::put(to, room, soglia_win32::length(to), text, SIZE_MAX);
}
inline int wcsncat_s(LPWSTR to, size_t room, LPCWSTR text, size_t most) {
    size_t at = soglia_win32::length(to);
    return soglia_win32::put(to, room, at, text, most == _TRUNCATE ? room - 1 - at : most);
}
template <size_t room> int wcsncpy_s(WCHAR (&to)[room], LPCWSTR text, size_t most) {
    return wcsncpy_s(to, room, text, most);
}
template <size_t room> int wcscpy_s(WCHAR (&to)[room], LPCWSTR text) { return wcscpy_s(to, room, text); }
template <size_t room> int wcscat_s(WCHAR (&to)[room], LPCWSTR text) { return wcscat_s(to, room, text); }

#define SOGLIA_PRINT(call)                                                                                             \
    va_list arguments;                                                                                                 \
    va_start(arguments, text);                                                                                         \
    int count = soglia_win32::print call;                                                                              \
    va_end(arguments);                                                                                                 \
    return count
inline int soglia_wprintf(LPCWSTR text, ...) { SOGLIA_PRINT((stdout, text, arguments)); }
inline int soglia_fwprintf(FILE *file, LPCWSTR text, ...) { SOGLIA_PRINT((file, text, arguments)); }
inline int soglia_swprintf(LPWSTR to, size_t room, LPCWSTR text, ...) { SOGLIA_PRINT((to, room, text, arguments)); }
#undef SOGLIA_PRINT
inline int soglia_vwprintf(LPCWSTR text, va_list arguments) { return soglia_win32::print(stdout, text, arguments); }

inline int MultiByteToWideChar(UINT, DWORD, LPCSTR text, int count, LPWSTR to, int room) {
    std::vector<WCHAR> all = soglia_win32::wide(text, count < 0 ? strlen(text) + 1 : (size_t)count);
    if (room == 0)
        return (int)all.size();
    if (all.size() > (size_t)room)
        return soglia_win32::fail(ERROR_INSUFFICIENT_BUFFER);
    memcpy(to, all.data(), all.size() * sizeof(WCHAR));
    return (int)all.size();
}
inline int WideCharToMultiByte(UINT, DWORD, LPCWSTR text, int count, LPSTR to, int room, LPCSTR, BOOL *) {
    std::string all = soglia_win32::narrow(text, count < 0 ? soglia_win32::length(text) + 1 : (size_t)count);
    if (room == 0)
        return (int)all.size();
    if (all.size() > (size_t)room)
        return soglia_win32::fail(ERROR_INSUFFICIENT_BUFFER);
    memcpy(to, all.data(), all.size());
    return (int)all.size();
}
// WCHARs written, without the zero; or, if there is no room for them, those needed, with it.
inline DWORD GetCurrentDirectoryW(DWORD room, LPWSTR to) {
    char path[PATH_MAX];
    if (getcwd(path, sizeof path) == nullptr)
        return (DWORD)soglia_win32::fail(ERROR_FILE_NOT_FOUND);
    std::vector<WCHAR> all = soglia_win32::wide(path, strlen(path) + 1);
    if (all.size() > room)
        return (DWORD)all.size();
    memcpy(to, all.data(), all.size() * sizeof(WCHAR));
    return (DWORD)all.size() - 1;
}
inline DWORD GetCurrentDirectory(DWORD room, LPWSTR to) { return GetCurrentDirectoryW(room, to); }

#include "soglia_names.h"
#define swprintf soglia_swprintf
#define swprintf_s soglia_swprintf
#define vwprintf soglia_vwprintf
#define _tcslen soglia_wcslen
#define _tcscmp soglia_wcscmp
#define _tcsicmp _wcsicmp
#define _tcscpy soglia_wcscpy
#define _tcscpy_s wcscpy_s
#define _tcscat_s wcscat_s
#define _tprintf soglia_wprintf
#define _ftprintf soglia_fwprintf

// wmain becomes a function that main calls.
#define wmain(...)                                                                                                     \
    soglia_wmain(__VA_ARGS__);                                                                                         \
    int main(int count, char **arguments) { return soglia_win32::run_main(soglia_wmain, count, arguments); }           \
    int soglia_wmain(__VA_ARGS__)
#define _tmain wmain

#endif
