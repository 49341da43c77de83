// Names of the C library for text of 16 bits, in C and C++. The library's own functions of these
// names take 32 bits. No include guard is needed: the same macro may be defined twice.

#define wcslen soglia_wcslen
#define wcscmp soglia_wcscmp
#define wcsncmp soglia_wcsncmp
#define wcscpy soglia_wcscpy
#define wcscat soglia_wcscat
#define wcschr soglia_wcschr
#define wcsrchr soglia_wcsrchr
#define wprintf soglia_wprintf
#define wprintf_s soglia_wprintf
#define fwprintf soglia_fwprintf
#define fwprintf_s soglia_fwprintf
#define printf_s printf
#define fprintf_s fprintf
