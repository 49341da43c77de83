// The name of an interface of Windows's isolation, to ask an object for. Nothing here has it, and
// its methods are not declared.

#ifndef SOGLIA_WIN32_ISOLATION_H
#define SOGLIA_WIN32_ISOLATION_H

#include "windows.h"

struct IReferenceIdentity : public IUnknown {};
__CRT_UUID_DECL(IReferenceIdentity, 0x6EAF5ACE, 0x7917, 0x4F3C, 0xB1, 0x29, 0xE0, 0x46, 0xA9, 0x70, 0x47, 0x66)

#endif
