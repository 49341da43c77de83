// Names of Fusion's interfaces, to ask an object for. Nothing here has them, and their methods are
// not declared.

#ifndef SOGLIA_WIN32_FUSION_H
#define SOGLIA_WIN32_FUSION_H

#include "windows.h"

struct IAssemblyName : public IUnknown {};
__CRT_UUID_DECL(IAssemblyName, 0xCD193BC0, 0xB4BC, 0x11D2, 0x98, 0x33, 0x00, 0xC0, 0x4F, 0xC3, 0x1D, 0x2E)

#endif
