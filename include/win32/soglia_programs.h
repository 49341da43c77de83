// The command line, WinMain, dates, and small things of programs and their logs. Part of windows.h.

#ifndef SOGLIA_WIN32_PROGRAMS_H
#define SOGLIA_WIN32_PROGRAMS_H

#include <sys/time.h>

#define SW_HIDE 0
#define SW_SHOW 5
#define SW_SHOWNORMAL 1

typedef struct _SYSTEMTIME {
    WORD wYear;
    WORD wMonth;
    WORD wDayOfWeek;
    WORD wDay;
    WORD wHour;
    WORD wMinute;
    WORD wSecond;
    WORD wMilliseconds;
} SYSTEMTIME, *PSYSTEMTIME, *LPSYSTEMTIME;

namespace soglia_win32 {
// The arguments of this process, as the kernel has them.
inline std::vector<std::string> arguments() {
    std::vector<std::string> all;
    if (FILE *file = fopen("/proc/self/cmdline", "r")) {
        std::string one;
        for (int c; (c = fgetc(file)) != EOF;) {
            if (c != 0) {
                one += (char)c;
                continue;
            }
            all.push_back(one);
            one.clear();
        }
        fclose(file);
    }
    return all;
}
// As CommandLineToArgvW takes it apart: in quotes where there is a blank, with \ before a quote.
inline std::string joined(const std::vector<std::string> &arguments, size_t from) {
    std::string line;
    for (size_t i = from; i < arguments.size(); i++) {
        const std::string &argument = arguments[i];
        bool plain = !argument.empty() && argument.find_first_of(" \t\"") == std::string::npos;
        line += i > from ? " " : "";
        line += plain ? "" : "\"";
        size_t slashes = 0;
        for (char c : argument) {
            slashes = c == '\\' ? slashes + 1 : slashes;
            if (c == '"')
                line += std::string(slashes + 1, '\\');
            slashes = c == '\\' ? slashes : 0;
            line += c;
        }
        line += plain ? "" : std::string(slashes, '\\') + "\"";
    }
    return line;
}
inline SYSTEMTIME date(bool local) {
    struct timeval now;
    struct tm parts;
    gettimeofday(&now, nullptr);
    if (local)
        localtime_r(&now.tv_sec, &parts);
    else
        gmtime_r(&now.tv_sec, &parts);
    SYSTEMTIME date = {(WORD)(parts.tm_year + 1900), (WORD)(parts.tm_mon + 1), (WORD)parts.tm_wday, (WORD)parts.tm_mday,
                       (WORD)parts.tm_hour,          (WORD)parts.tm_min,       (WORD)parts.tm_sec,  (WORD)(now.tv_usec / 1000)};
    return date;
}
// %NAME% becomes the variable's value, where there is one.
inline std::string expanded(const std::string &text) {
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        size_t end = text[i] == '%' ? text.find('%', i + 1) : std::string::npos;
        const char *value = end == std::string::npos ? nullptr : getenv(text.substr(i + 1, end - i - 1).c_str());
        if (value == nullptr) {
            out += text[i];
            continue;
        }
        out += value;
        i = end;
    }
    return out;
}
inline int run_win_main(int (*main)(HINSTANCE, HINSTANCE, LPWSTR, int)) {
    std::vector<WCHAR> line = wide(joined(arguments(), 1).c_str(), joined(arguments(), 1).size() + 1);
    return main(GetModuleHandle(nullptr), nullptr, line.data(), SW_SHOWNORMAL);
}
inline int run_win_main(int (*main)(HINSTANCE, HINSTANCE, LPSTR, int)) {
    std::string line = joined(arguments(), 1);
    return main(GetModuleHandle(nullptr), nullptr, &line[0], SW_SHOWNORMAL);
}
} // namespace soglia_win32

inline LPWSTR GetCommandLineW() {
    static std::vector<WCHAR> line = [] {
        std::string all = soglia_win32::joined(soglia_win32::arguments(), 0);
        return soglia_win32::wide(all.c_str(), all.size() + 1);
    }();
    return line.data();
}
inline LPWSTR GetCommandLine() { return GetCommandLineW(); }
// One place for pointers and texts, for LocalFree.
inline LPWSTR *CommandLineToArgvW(LPCWSTR line, int *count) {
    std::vector<std::vector<WCHAR>> all;
    while (*line == L' ' || *line == L'\t')
        line++;
    while (*line != 0) {
        std::vector<WCHAR> one;
        bool quoted = false;
        for (; *line != 0 && (quoted || (*line != L' ' && *line != L'\t')); line++) {
            size_t slashes = 0;
            while (line[slashes] == L'\\')
                slashes++;
            if (slashes > 0 && line[slashes] == L'"') {
                one.insert(one.end(), slashes / 2, L'\\');
                line += slashes - (slashes % 2 == 0 ? 1 : 0);
                if (slashes % 2 != 0)
                    one.push_back(L'"');
            } else if (*line == L'"')
                quoted = !quoted;
            else
                one.push_back(*line);
        }
        one.push_back(0);
        all.push_back(one);
        while (*line == L' ' || *line == L'\t')
            line++;
    }
    size_t size = (all.size() + 1) * sizeof(LPWSTR);
    for (const std::vector<WCHAR> &one : all)
        size += one.size() * sizeof(WCHAR);
    LPWSTR *pointers = (LPWSTR *)LocalAlloc(LPTR, size);
    if (pointers == nullptr)
        return nullptr;
    WCHAR *to = (WCHAR *)(void *)(pointers + all.size() + 1);
    for (size_t i = 0; i < all.size(); i++) {
        pointers[i] = to;
        memcpy(to, all[i].data(), all[i].size() * sizeof(WCHAR));
        to += all[i].size();
    }
    *count = (int)all.size();
    return pointers;
}

inline void GetSystemTime(LPSYSTEMTIME to) { *to = soglia_win32::date(false); }
inline void GetLocalTime(LPSYSTEMTIME to) { *to = soglia_win32::date(true); }
// With the zero, in WCHARs, whether or not there was room.
inline DWORD ExpandEnvironmentStringsW(LPCWSTR text, LPWSTR to, DWORD room) {
    DWORD size = soglia_win32::put_or_ask(soglia_win32::expanded(soglia_win32::narrow(text)), to, room);
    return size < room ? size + 1 : size;
}
inline DWORD ExpandEnvironmentStrings(LPCWSTR text, LPWSTR to, DWORD room) {
    return ExpandEnvironmentStringsW(text, to, room);
}
inline DWORD GetTempPathW(DWORD room, LPWSTR to) {
    const char *folder = getenv("TMPDIR");
    return soglia_win32::put_or_ask(std::string(folder != nullptr ? folder : "/tmp") + "/", to, room);
}
inline DWORD GetTempPath(DWORD room, LPWSTR to) { return GetTempPathW(room, to); }
// `to` has room for 1024.
inline int wsprintfW(LPWSTR to, LPCWSTR text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = soglia_win32::print(to, 1024, text, arguments);
    va_end(arguments);
    return count;
}
#define wsprintf wsprintfW
inline int _vsnprintf(char *to, size_t room, const char *text, va_list arguments) {
    int count = vsnprintf(to, room, text, arguments);
    return count < 0 || (size_t)count > room ? -1 : count;
}
inline char *strtok_s(char *text, const char *set, char **left) { return strtok_r(text, set, left); }
inline errno_t getenv_s(size_t *told, char *to, size_t room, const char *name) {
    const char *value = getenv(name);
    *told = value == nullptr ? 0 : strlen(value) + 1;
    if (*told > room)
        return ERANGE;
    if (value != nullptr)
        memcpy(to, value, *told);
    return 0;
}
// To be freed.
inline errno_t _dupenv_s(char **to, size_t *told, const char *name) {
    const char *value = getenv(name);
    *to = value == nullptr ? nullptr : strdup(value);
    if (told != nullptr)
        *told = value == nullptr ? 0 : strlen(value) + 1;
    return 0;
}

// WinMain becomes a function that main calls.
#define SOGLIA_WIN_MAIN(name, ...)                                                                                     \
    name(__VA_ARGS__);                                                                                                 \
    int main() { return soglia_win32::run_win_main(name); }                                                            \
    int name(__VA_ARGS__)
#define WinMain(...) SOGLIA_WIN_MAIN(soglia_win_main, __VA_ARGS__)
#define wWinMain(...) SOGLIA_WIN_MAIN(soglia_win_main, __VA_ARGS__)
#define _tWinMain wWinMain

#endif
