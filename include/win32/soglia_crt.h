// What Microsoft's C library has and others have not. Part of windows.h.
//
// Like Microsoft's, the functions with a size end the process rather than write too far.

#ifndef SOGLIA_WIN32_CRT_H
#define SOGLIA_WIN32_CRT_H

#include <errno.h>
#include <strings.h>
#include <time.h>

typedef int errno_t;
#ifndef _TRUNCATE
#define _TRUNCATE ((size_t)-1)
#endif

namespace soglia_win32 {
inline int put(char *to, size_t room, size_t at, const char *text, size_t most) {
    size_t count = strnlen(text, most);
    if (to == nullptr || at + count >= room)
        abort();
    memcpy(to + at, text, count);
    to[at + count] = 0;
    return 0;
}
} // namespace soglia_win32

inline errno_t strcpy_s(char *to, size_t room, const char *text) {
    return soglia_win32::put(to, room, 0, text, SIZE_MAX);
}
inline errno_t strncpy_s(char *to, size_t room, const char *text, size_t most) {
    return soglia_win32::put(to, room, 0, text, most == _TRUNCATE ? room - 1 : most);
}
inline errno_t strcat_s(char *to, size_t room, const char *text) {
    return soglia_win32::put(to, room, strlen(to), text, SIZE_MAX);
}
template <size_t room> errno_t strcpy_s(char (&to)[room], const char *text) { return strcpy_s(to, room, text); }
template <size_t room> errno_t strcat_s(char (&to)[room], const char *text) { return strcat_s(to, room, text); }
inline errno_t memcpy_s(void *to, size_t room, const void *from, size_t size) {
    if (size > room)
        abort();
    memcpy(to, from, size);
    return 0;
}

// -1 if `most` characters were not enough; with _TRUNCATE that is all that there is room for.
inline int vsnprintf_s(char *to, size_t room, size_t most, const char *text, va_list arguments) {
    size_t limit = most < room ? most + 1 : room;
    int count = vsnprintf(to, limit, text, arguments);
    if (count >= 0 && (size_t)count >= limit && most != _TRUNCATE && most >= room)
        abort();
    return count < 0 || (size_t)count >= limit ? -1 : count;
}
template <size_t room> int vsnprintf_s(char (&to)[room], size_t most, const char *text, va_list arguments) {
    return vsnprintf_s(to, room, most, text, arguments);
}
inline int vsprintf_s(char *to, size_t room, const char *text, va_list arguments) {
    return vsnprintf_s(to, room, room, text, arguments);
}
inline int sprintf_s(char *to, size_t room, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = vsprintf_s(to, room, text, arguments);
    va_end(arguments);
    return count;
}
template <size_t room, class... More> int sprintf_s(char (&to)[room], const char *text, More... more) {
    return sprintf_s(to, room, text, more...);
}
inline int _snprintf_s(char *to, size_t room, size_t most, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = vsnprintf_s(to, room, most, text, arguments);
    va_end(arguments);
    return count;
}

inline int _stricmp(const char *a, const char *b) { return strcasecmp(a, b); }
inline int _strnicmp(const char *a, const char *b, size_t count) { return strncasecmp(a, b, count); }
inline char *_strdup(const char *text) { return strdup(text); }

// In time.h of Microsoft's: the other way round than the C standard's.
inline errno_t localtime_s(struct tm *out, const time_t *time) {
    return localtime_r(time, out) != nullptr ? 0 : errno;
}
inline errno_t gmtime_s(struct tm *out, const time_t *time) { return gmtime_r(time, out) != nullptr ? 0 : errno; }

#endif
