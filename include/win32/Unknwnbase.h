#if defined(__cplusplus) || __SIZEOF_WCHAR_T__ == 2
#include "windows.h"
#else
#include "../mscoree.h" // C, with u"text"
#endif
