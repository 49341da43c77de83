// Macros of windows.h, in C and C++.

#ifndef SOGLIA_WIN32_MACROS_H
#define SOGLIA_WIN32_MACROS_H

#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif

#define MAX_PATH 260
#define _MAX_PATH 260
#define ZeroMemory(place, size) memset((place), 0, (size))
#define CopyMemory(to, from, size) memcpy((to), (from), (size))
#define ARRAYSIZE(array) (sizeof(array) / sizeof((array)[0]))
#define _countof(array) (sizeof(array) / sizeof((array)[0]))

#endif
