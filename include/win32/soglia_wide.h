// More of Microsoft's and the standard's functions for wide text, of 16 bits. Part of windows.h.
//
// Narrow text is UTF-8. Numbers have the digits of ASCII.

#ifndef SOGLIA_WIN32_WIDE_H
#define SOGLIA_WIN32_WIDE_H

namespace soglia_win32 {
// What strtol and its kin do with wide text. They never look beyond ASCII, so that each WCHAR can
// be one byte.
template <class Number, class... More>
Number number(Number (*read)(const char *, char **, More...), LPCWSTR text, WCHAR **end, More... more) {
    std::string bytes;
    for (size_t i = 0; text[i] != 0; i++)
        bytes += (uint16_t)text[i] < 0x80 ? (char)text[i] : '?';
    char *stopped = nullptr;
    Number value = read(bytes.c_str(), &stopped, more...);
    if (end != nullptr)
        *end = const_cast<WCHAR *>(text) + (stopped - bytes.c_str());
    return value;
}
// Whether a text has this WCHAR.
inline bool has(LPCWSTR set, WCHAR c) {
    for (; *set != 0; set++)
        if (*set == c)
            return true;
    return false;
}
// How many at the beginning are in the set, or are not.
inline size_t span(LPCWSTR text, LPCWSTR set, bool in) {
    size_t count = 0;
    while (text[count] != 0 && has(set, text[count]) == in)
        count++;
    return count;
}
inline WCHAR lower(WCHAR c) { return c >= L'A' && c <= L'Z' ? (WCHAR)(c + 32) : c; }
inline WCHAR upper(WCHAR c) { return c >= L'a' && c <= L'z' ? (WCHAR)(c - 32) : c; }
inline errno_t put_number(LPWSTR to, size_t room, long long value, int base, bool is_signed) {
    bool minus = is_signed && base == 10 && value < 0;
    unsigned long long left = minus ? 0 - (unsigned long long)value : (unsigned long long)value;
    std::vector<WCHAR> digits;
    do
        digits.push_back((WCHAR) "0123456789abcdefghijklmnopqrstuvwxyz"[left % (unsigned)base]);
    while ((left /= (unsigned)base) != 0);
    if (minus)
        digits.push_back(L'-');
    if (to == nullptr || digits.size() >= room)
        abort();
    for (size_t i = 0; i < digits.size(); i++)
        to[i] = digits[digits.size() - 1 - i];
    to[digits.size()] = 0;
    return 0;
}
} // namespace soglia_win32

inline WCHAR *soglia_wcsncpy(LPWSTR to, LPCWSTR text, size_t count) {
    size_t i = 0;
    for (; i < count && text[i] != 0; i++)
        to[i] = text[i];
    for (; i < count; i++)
        to[i] = 0;
    return to;
}
inline WCHAR *soglia_wcsncat(LPWSTR to, LPCWSTR text, size_t count) {
    size_t at = soglia_win32::length(to), i = 0;
    for (; i < count && text[i] != 0; i++)
        to[at + i] = text[i];
    to[at + i] = 0;
    return to;
}
inline WCHAR *soglia_wcsstr(LPCWSTR text, LPCWSTR part) {
    size_t length = soglia_win32::length(part);
    for (;; text++) {
        if (soglia_win32::compare(text, part, length, false) == 0)
            return const_cast<WCHAR *>(text);
        if (*text == 0)
            return nullptr;
    }
}
inline size_t soglia_wcsspn(LPCWSTR text, LPCWSTR set) { return soglia_win32::span(text, set, true); }
inline size_t soglia_wcscspn(LPCWSTR text, LPCWSTR set) { return soglia_win32::span(text, set, false); }
inline WCHAR *soglia_wcspbrk(LPCWSTR text, LPCWSTR set) {
    text += soglia_win32::span(text, set, false);
    return *text == 0 ? nullptr : const_cast<WCHAR *>(text);
}
inline WCHAR *soglia_wcstok(LPWSTR text, LPCWSTR set, WCHAR **left) {
    WCHAR *from = text != nullptr ? text : *left;
    from += soglia_win32::span(from, set, true);
    WCHAR *end = from + soglia_win32::span(from, set, false);
    *left = *end == 0 ? end : end + 1;
    if (from == end)
        return nullptr;
    *end = 0;
    return from;
}
inline size_t soglia_wcsnlen(LPCWSTR text, size_t most) {
    size_t length = 0;
    while (text != nullptr && length < most && text[length] != 0)
        length++;
    return length;
}
inline WCHAR *soglia_wmemcpy(WCHAR *to, LPCWSTR from, size_t count) {
    return (WCHAR *)memcpy(to, from, count * sizeof(WCHAR));
}
inline WCHAR *soglia_wmemmove(WCHAR *to, LPCWSTR from, size_t count) {
    return (WCHAR *)memmove(to, from, count * sizeof(WCHAR));
}
inline WCHAR *soglia_wmemset(WCHAR *to, WCHAR c, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = c;
    return to;
}
inline int soglia_wmemcmp(LPCWSTR a, LPCWSTR b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (a[i] != b[i])
            return (uint16_t)a[i] < (uint16_t)b[i] ? -1 : 1;
    return 0;
}
inline WCHAR *_wcslwr(LPWSTR text) {
    for (WCHAR *c = text; *c != 0; c++)
        *c = soglia_win32::lower(*c);
    return text;
}
inline WCHAR *_wcsupr(LPWSTR text) {
    for (WCHAR *c = text; *c != 0; c++)
        *c = soglia_win32::upper(*c);
    return text;
}

inline long soglia_wcstol(LPCWSTR text, WCHAR **end, int base) { return soglia_win32::number(strtol, text, end, base); }
inline unsigned long soglia_wcstoul(LPCWSTR text, WCHAR **end, int base) {
    return soglia_win32::number(strtoul, text, end, base);
}
inline long long soglia_wcstoll(LPCWSTR text, WCHAR **end, int base) {
    return soglia_win32::number(strtoll, text, end, base);
}
inline unsigned long long soglia_wcstoull(LPCWSTR text, WCHAR **end, int base) {
    return soglia_win32::number(strtoull, text, end, base);
}
inline double soglia_wcstod(LPCWSTR text, WCHAR **end) { return soglia_win32::number(strtod, text, end); }
inline int _wtoi(LPCWSTR text) { return (int)soglia_wcstol(text, nullptr, 10); }
inline LONG _wtol(LPCWSTR text) { return (LONG)soglia_wcstol(text, nullptr, 10); }
inline long long _wtoi64(LPCWSTR text) { return soglia_wcstoll(text, nullptr, 10); }
inline double _wtof(LPCWSTR text) { return soglia_wcstod(text, nullptr); }
inline errno_t _itow_s(int value, LPWSTR to, size_t room, int base) {
    // In other bases than 10 it has the 32 bits of an int.
    return soglia_win32::put_number(to, room, base == 10 ? (long long)value : (long long)(unsigned)value, base, true);
}
template <size_t room> errno_t _itow_s(int value, WCHAR (&to)[room], int base) { return _itow_s(value, to, room, base); }
inline errno_t _ui64tow_s(unsigned long long value, LPWSTR to, size_t room, int base) {
    return soglia_win32::put_number(to, room, (long long)value, base, false);
}

// Printing into arrays, and how long it would be.
template <size_t room, class... More> int soglia_swprintf(WCHAR (&to)[room], LPCWSTR text, More... more) {
    return soglia_swprintf((LPWSTR)to, room, text, more...);
}
// At most `most` WCHARs are kept; with _TRUNCATE, as many as there is room for. -1 if it was
// longer.
inline int soglia_vsnwprintf_s(LPWSTR to, size_t room, size_t most, LPCWSTR text, va_list arguments) {
    std::string out = soglia_win32::format(text, arguments);
    std::vector<WCHAR> all = soglia_win32::wide(out.data(), out.size());
    size_t count = all.size() < most ? all.size() : most;
    if (to == nullptr || room == 0 || (count >= room && most != _TRUNCATE))
        abort();
    count = count < room ? count : room - 1;
    memcpy(to, all.data(), count * sizeof(WCHAR));
    to[count] = 0;
    return count < all.size() ? -1 : (int)count;
}
// Not terminated where there is no room for the zero, and -1 where it was longer.
inline int _vsnwprintf(LPWSTR to, size_t room, LPCWSTR text, va_list arguments) {
    std::string out = soglia_win32::format(text, arguments);
    std::vector<WCHAR> all = soglia_win32::wide(out.data(), out.size());
    size_t count = all.size() < room ? all.size() : room;
    memcpy(to, all.data(), count * sizeof(WCHAR));
    if (count < room)
        to[count] = 0;
    return all.size() > room ? -1 : (int)count;
}
inline int soglia_vswprintf(LPWSTR to, size_t room, LPCWSTR text, va_list arguments) {
    return soglia_win32::print(to, room, text, arguments);
}
template <size_t room> int soglia_vswprintf(WCHAR (&to)[room], LPCWSTR text, va_list arguments) {
    return soglia_win32::print(to, room, text, arguments);
}
inline int soglia_vfwprintf(FILE *file, LPCWSTR text, va_list arguments) {
    return soglia_win32::print(file, text, arguments);
}
inline int _vscwprintf(LPCWSTR text, va_list arguments) {
    std::string out = soglia_win32::format(text, arguments);
    return (int)soglia_win32::wide(out.data(), out.size()).size();
}
inline int _vscprintf(const char *text, va_list arguments) { return vsnprintf(nullptr, 0, text, arguments); }
inline int _scprintf(const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = _vscprintf(text, arguments);
    va_end(arguments);
    return count;
}
inline int _scwprintf(LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = _vscwprintf(text, arguments);
    va_end(arguments);
    return count;
}
inline int _snwprintf_s(LPWSTR to, size_t room, size_t most, LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = soglia_vsnwprintf_s(to, room, most, text, arguments);
    va_end(arguments);
    return count;
}
template <size_t room, class... More> int _snwprintf_s(WCHAR (&to)[room], size_t most, LPCWSTR text, More... more) {
    return _snwprintf_s((LPWSTR)to, room, most, text, more...);
}
inline int _snwprintf(LPWSTR to, size_t room, LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = _vsnwprintf(to, room, text, arguments);
    va_end(arguments);
    return count;
}

// Between narrow and wide. The number counts the zero; what is too long for the room ends the
// process.
inline errno_t mbstowcs_s(size_t *told, LPWSTR to, size_t room, const char *text, size_t most) {
    std::vector<WCHAR> all = soglia_win32::wide(text, strlen(text));
    size_t count = all.size() < most ? all.size() : most;
    if (to != nullptr && count >= room) {
        if (most != _TRUNCATE)
            abort();
        count = room - 1;
    }
    if (to != nullptr) {
        memcpy(to, all.data(), count * sizeof(WCHAR));
        to[count] = 0;
    }
    if (told != nullptr)
        *told = count + 1;
    return 0;
}
template <size_t room> errno_t mbstowcs_s(size_t *told, WCHAR (&to)[room], const char *text, size_t most) {
    return mbstowcs_s(told, to, room, text, most);
}
inline errno_t wcstombs_s(size_t *told, char *to, size_t room, LPCWSTR text, size_t most) {
    std::string all = soglia_win32::narrow(text);
    size_t count = all.size() < most ? all.size() : most;
    if (to != nullptr && count >= room) {
        if (most != _TRUNCATE)
            abort();
        count = room - 1;
    }
    if (to != nullptr) {
        memcpy(to, all.data(), count);
        to[count] = 0;
    }
    if (told != nullptr)
        *told = count + 1;
    return 0;
}
template <size_t room> errno_t wcstombs_s(size_t *told, char (&to)[room], LPCWSTR text, size_t most) {
    return wcstombs_s(told, to, room, text, most);
}
inline size_t soglia_mbstowcs(LPWSTR to, const char *text, size_t room) {
    std::vector<WCHAR> all = soglia_win32::wide(text, strlen(text));
    if (to == nullptr)
        return all.size();
    size_t count = all.size() < room ? all.size() : room;
    memcpy(to, all.data(), count * sizeof(WCHAR));
    if (count < room)
        to[count] = 0;
    return count;
}
inline size_t soglia_wcstombs(char *to, LPCWSTR text, size_t room) {
    std::string all = soglia_win32::narrow(text);
    if (to == nullptr)
        return all.size();
    size_t count = all.size() < room ? all.size() : room;
    memcpy(to, all.data(), count);
    if (count < room)
        to[count] = 0;
    return count;
}

// Files: what is in them is UTF-8.
inline int soglia_fputws(LPCWSTR text, FILE *file) { return fputs(soglia_win32::narrow(text).c_str(), file); }
inline int _putws(LPCWSTR text) { return puts(soglia_win32::narrow(text).c_str()); }
inline wint_t soglia_fputwc(WCHAR c, FILE *file) {
    return fputs(soglia_win32::narrow(&c, 1).c_str(), file) < 0 ? WEOF : (wint_t)c;
}
inline wint_t soglia_putwchar(WCHAR c) { return soglia_fputwc(c, stdout); }
// A line, which must have room as bytes.
inline WCHAR *soglia_fgetws(LPWSTR to, int room, FILE *file) {
    std::vector<char> line((size_t)(room > 0 ? room : 1));
    if (fgets(line.data(), (int)line.size(), file) == nullptr)
        return nullptr;
    std::vector<WCHAR> all = soglia_win32::wide(line.data(), strlen(line.data()));
    memcpy(to, all.data(), all.size() * sizeof(WCHAR));
    to[all.size()] = 0;
    return to;
}
inline FILE *_wfopen(LPCWSTR path, LPCWSTR mode) {
    std::string how = soglia_win32::narrow(mode);
    size_t set = how.find(','); // ", ccs=UTF-8"
    return fopen(soglia_win32::narrow(path).c_str(), how.substr(0, set).c_str());
}
inline errno_t _wfopen_s(FILE **file, LPCWSTR path, LPCWSTR mode) {
    *file = _wfopen(path, mode);
    return *file != nullptr ? 0 : errno;
}
inline errno_t fopen_s(FILE **file, const char *path, const char *mode) {
    *file = fopen(path, mode);
    return *file != nullptr ? 0 : errno;
}
// The console is the standard stream itself.
inline errno_t freopen_s(FILE **file, const char *path, const char *mode, FILE *old) {
    bool console = strcmp(path, "CONOUT$") == 0 || strcmp(path, "CONIN$") == 0;
    *file = console ? old : freopen(path, mode, old);
    return *file != nullptr ? 0 : errno;
}
// What a console would show otherwise: everything is UTF-8.
#define _O_TEXT 0x4000
#define _O_BINARY 0x8000
#define _O_WTEXT 0x10000
#define _O_U16TEXT 0x20000
#define _O_U8TEXT 0x40000
inline int _fileno(FILE *file) { return fileno(file); }
inline int _setmode(int, int) { return _O_TEXT; }
inline int _getch() { return getchar(); }
inline int _waccess(LPCWSTR path, int mode) { return access(soglia_win32::narrow(path).c_str(), mode); }
inline int _access(const char *path, int mode) { return access(path, mode); }

#define SOGLIA_IN_STD(name)                                                                                            \
    namespace std {                                                                                                    \
    using ::soglia_##name;                                                                                             \
    }
SOGLIA_IN_STD(wcslen)
SOGLIA_IN_STD(wcscmp)
SOGLIA_IN_STD(wcsncmp)
SOGLIA_IN_STD(wcscpy)
SOGLIA_IN_STD(wcscat)
SOGLIA_IN_STD(wcschr)
SOGLIA_IN_STD(wcsrchr)
SOGLIA_IN_STD(wprintf)
SOGLIA_IN_STD(fwprintf)
SOGLIA_IN_STD(swprintf)
SOGLIA_IN_STD(vwprintf)
SOGLIA_IN_STD(vfwprintf)
SOGLIA_IN_STD(vswprintf)
SOGLIA_IN_STD(wcsncpy)
SOGLIA_IN_STD(wcsncat)
SOGLIA_IN_STD(wcsstr)
SOGLIA_IN_STD(wcsspn)
SOGLIA_IN_STD(wcscspn)
SOGLIA_IN_STD(wcspbrk)
SOGLIA_IN_STD(wcstok)
SOGLIA_IN_STD(wmemcpy)
SOGLIA_IN_STD(wmemmove)
SOGLIA_IN_STD(wmemset)
SOGLIA_IN_STD(wmemcmp)
SOGLIA_IN_STD(wcstol)
SOGLIA_IN_STD(wcstoul)
SOGLIA_IN_STD(wcstoll)
SOGLIA_IN_STD(wcstoull)
SOGLIA_IN_STD(wcstod)
SOGLIA_IN_STD(mbstowcs)
SOGLIA_IN_STD(wcstombs)
SOGLIA_IN_STD(fputws)
SOGLIA_IN_STD(fgetws)
SOGLIA_IN_STD(fputwc)
SOGLIA_IN_STD(putwchar)
#undef SOGLIA_IN_STD

#define wcsncpy soglia_wcsncpy
#define wcsncat soglia_wcsncat
#define wcsstr soglia_wcsstr
#define wcsspn soglia_wcsspn
#define wcscspn soglia_wcscspn
#define wcspbrk soglia_wcspbrk
#define wcstok soglia_wcstok
#define wcstok_s soglia_wcstok
#define wcsnlen soglia_wcsnlen
#define wcsnlen_s soglia_wcsnlen
#define wcsdup _wcsdup
#define wcscoll soglia_wcscmp
#define wcscasecmp _wcsicmp
#define wmemcpy soglia_wmemcpy
#define wmemmove soglia_wmemmove
#define wmemset soglia_wmemset
#define wmemcmp soglia_wmemcmp
#define wcstol soglia_wcstol
#define wcstoul soglia_wcstoul
#define wcstoll soglia_wcstoll
#define wcstoull soglia_wcstoull
#define wcstod soglia_wcstod
#define _wcstoi64 soglia_wcstoll
#define _wcstoui64 soglia_wcstoull
#define vswprintf soglia_vswprintf
#define vswprintf_s soglia_vswprintf
#define _vsnwprintf_s soglia_vsnwprintf_s
#define vfwprintf soglia_vfwprintf
#define mbstowcs soglia_mbstowcs
#define wcstombs soglia_wcstombs
#define fputws soglia_fputws
#define fgetws soglia_fgetws
#define fputwc soglia_fputwc
#define putwc soglia_fputwc
#define putwchar soglia_putwchar
#define _tcsstr soglia_wcsstr
#define _tcschr soglia_wcschr
#define _tcsrchr soglia_wcsrchr
#define _tcscat soglia_wcscat
#define _tcsncpy soglia_wcsncpy
#define _tcsnicmp _wcsnicmp
#define _tcsdup _wcsdup
#define _ttoi _wtoi
#define _stprintf_s soglia_swprintf
#define _vstprintf_s soglia_vswprintf
#define _tfopen _wfopen
#define _tfopen_s _wfopen_s

#endif
