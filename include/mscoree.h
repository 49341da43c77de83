// mscoree.h: the CLR's hosting API, for C and C++ on Linux.
//
// A host starts the CLR in its own process and can take part in what the CLR does. It hands over an
// IHostControl, and is notified on each thread when managed code calls unmanaged code and the other
// way round (IHostTaskManager). MSCorEE.h of .NET Framework declared these interfaces for Windows.
// This header declares them with the same names, IDs, numbers and vtables for stock .NET 8 and
// later. libmscoree.so, which is soglia's engine, implements them. Link with -lmscoree.
//
//     ICLRMetaHost *meta;             // C++
//     ICLRRuntimeInfo *info;
//     ICLRRuntimeHost *clr;
//     CLRCreateInstance(CLSID_CLRMetaHost, IID_ICLRMetaHost, (void **)&meta);
//     meta->GetRuntime(u"v10.0", IID_ICLRRuntimeInfo, (void **)&info);
//     info->GetInterface(CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost, (void **)&clr);
//     clr->SetHostControl(&my_host_control);
//     clr->Start();
//     clr->ExecuteInDefaultAppDomain(u"app.dll", u"Program", u"Run", u"argument", &result);
//
// The host implements IHost* and the CLR calls it; ICLR* is the other way round. The CLR may call
// methods of the host on any thread. They must neither throw a C++ exception nor call managed code.
// "Not called" and E_NOTIMPL below mark what today's .NET has no occasion or means for.
//
// Sources from Windows notice two differences. WCHAR is a char16_t, so a literal is u"text" and not
// L"text" (unless the source is compiled with -fshort-wchar, where WCHAR is wchar_t). And methods
// of C++ interfaces have the calling convention of functions: STDMETHODCALLTYPE is empty.
//
// The header takes C99 and later, C++11 and later, gcc and clang. In C, call methods through
// lpVtbl, or with macros like IHostTask_Start(task) if COBJMACROS is defined before this header is
// included.

#ifndef SOGLIA_MSCOREE_H
#define SOGLIA_MSCOREE_H

#ifdef _WIN32
#error "On Windows, use the SDK's mscoree.h and metahost.h."
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

//
// Words of the compiler that Windows sources use.
//

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

#ifndef interface
#define interface struct
#endif
#ifndef __stdcall
#define __stdcall
#endif
#ifndef __cdecl
#define __cdecl
#endif
#define WINAPI
#define APIENTRY
#define CALLBACK
#define STDAPICALLTYPE
#define STDMETHODCALLTYPE
#define STDMETHODIMP HRESULT STDMETHODCALLTYPE
#define STDMETHODIMP_(type) type STDMETHODCALLTYPE
#define STDAPI EXTERN_C HRESULT STDAPICALLTYPE
#define STDAPI_(type) EXTERN_C type STDAPICALLTYPE
#define DECLSPEC_UUID(text)
#define DECLSPEC_NOVTABLE
#define DECLSPEC_SELECTANY __attribute__((weak))
#define MIDL_INTERFACE(text) struct
#define BEGIN_INTERFACE
#define END_INTERFACE
#define CONST_VTBL const
#define __RPC_FAR
#define __RPC_USER
#define __RPC_STUB
#define __RPC__in
#define __RPC__out
#define UNREFERENCED_PARAMETER(parameter) ((void)(parameter))

//
// Scalars. Their widths are Windows's: DWORD, LONG, BOOL and enums have 32 bits on 64-bit Linux
// too.
//

typedef void VOID;
typedef void *PVOID;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef int BOOL;
typedef BOOL *PBOOL;
typedef BOOL *LPBOOL;
typedef uint8_t BOOLEAN;
typedef uint8_t BYTE;
typedef BYTE *PBYTE;
typedef BYTE *LPBYTE;
typedef uint8_t UCHAR;
typedef char CHAR;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef uint16_t WORD;
typedef int INT;
typedef unsigned int UINT;
typedef int32_t LONG;
typedef LONG *PLONG;
typedef uint32_t ULONG;
typedef ULONG *PULONG;
typedef uint32_t DWORD;
typedef DWORD *PDWORD;
typedef DWORD *LPDWORD;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef uint64_t DWORDLONG;
typedef int32_t INT32;
typedef uint32_t UINT32;
typedef int64_t INT64;
typedef uint64_t UINT64;
typedef int64_t LONG64;
typedef uint64_t ULONG64;
typedef uint64_t DWORD64;
typedef intptr_t INT_PTR;
typedef uintptr_t UINT_PTR;
typedef intptr_t LONG_PTR;
typedef uintptr_t ULONG_PTR;
typedef uintptr_t DWORD_PTR;
typedef size_t SIZE_T;
typedef ptrdiff_t SSIZE_T;
typedef int32_t HRESULT;
typedef uint32_t LCID;
typedef void *HANDLE;
typedef HANDLE *PHANDLE;
typedef void *HMODULE;
typedef void *HINSTANCE;
typedef void *PACL;

// 16 bits, UTF-16, wherever it crosses the ABI; never Linux's wchar_t.
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#elif defined(__cplusplus)
typedef char16_t WCHAR;
#else
typedef uint16_t WCHAR;
#endif
typedef WCHAR *PWCHAR;
typedef WCHAR *PWSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *PCWSTR;
typedef const WCHAR *LPCWSTR;
typedef WCHAR OLECHAR;
typedef OLECHAR *LPOLESTR;
typedef const OLECHAR *LPCOLESTR;
typedef char *PSTR;
typedef char *LPSTR;
typedef const char *PCSTR;
typedef const char *LPCSTR;

#ifndef CONST
#define CONST const
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

// No limit, for every wait.
#define INFINITE 0xFFFFFFFFu
#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)

typedef union _LARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        LONG HighPart;
    };
    struct {
        DWORD LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER;

typedef union _ULARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        DWORD HighPart;
    };
    struct {
        DWORD LowPart;
        DWORD HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER;

// A time as Windows counts it: 100 nanoseconds since 1601.
typedef struct _FILETIME {
    DWORD dwLowDateTime;
    DWORD dwHighDateTime;
} FILETIME;

//
// GUIDs.
//

typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;
typedef GUID IID;
typedef GUID CLSID;

#ifdef __cplusplus
#define REFGUID const GUID &
#define REFIID const IID &
#define REFCLSID const CLSID &
#else
#define REFGUID const GUID *
#define REFIID const IID *
#define REFCLSID const CLSID *
#endif

// Constants, one copy in each object file that uses them: nothing to link.
#define SOGLIA_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    static const GUID name __attribute__((unused)) = {l, w1, w2, {b1, b2, b3, b4, b5, b6, b7, b8}}
#ifndef DEFINE_GUID
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    SOGLIA_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)
#endif
#ifndef EXTERN_GUID
#define EXTERN_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    SOGLIA_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)
#endif

#ifdef __cplusplus
extern "C++" {
inline bool IsEqualGUID(REFGUID a, REFGUID b) { return memcmp(&a, &b, sizeof(GUID)) == 0; }
inline bool IsEqualIID(REFIID a, REFIID b) { return IsEqualGUID(a, b); }
inline bool IsEqualCLSID(REFCLSID a, REFCLSID b) { return IsEqualGUID(a, b); }
inline bool InlineIsEqualGUID(REFGUID a, REFGUID b) { return IsEqualGUID(a, b); }
inline bool operator==(const GUID &a, const GUID &b) { return IsEqualGUID(a, b); }
inline bool operator!=(const GUID &a, const GUID &b) { return !IsEqualGUID(a, b); }

// __uuidof(IHostTask), and of an object or a pointer to one. A type of your own gets an ID by
// __CRT_UUID_DECL(IMine, 0x..., 0x..., 0x..., 0x.., ...), beside its declaration, outside of
// namespaces.
template <class T> struct soglia_uuid;
template <class T> struct soglia_uuid<const T> : soglia_uuid<T> {};
template <class T> struct soglia_uuid<T *> : soglia_uuid<T> {};
template <class T> struct soglia_uuid<T *const> : soglia_uuid<T> {};
template <class T> struct soglia_uuid<T &> : soglia_uuid<T> {};
// The address of a pointer, as QueryInterface takes it. Classes of pointers may have their own.
template <class T> inline void **soglia_place(T **place) { return reinterpret_cast<void **>(place); }
}
#ifndef __uuidof
#define __uuidof(what) (::soglia_uuid<__typeof__(what)>::get())
#endif
#define __CRT_UUID_DECL(type, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    extern "C++" template <> struct soglia_uuid<type> { \
        static const GUID &get() { \
            static const GUID id = {l, w1, w2, {b1, b2, b3, b4, b5, b6, b7, b8}}; \
            return id; \
        } \
    };
#define IID_PPV_ARGS(place) __uuidof(**(place)), soglia_place(place)
#else
static inline BOOL IsEqualGUID(REFGUID a, REFGUID b) { return memcmp(a, b, sizeof(GUID)) == 0; }
static inline BOOL IsEqualIID(REFIID a, REFIID b) { return IsEqualGUID(a, b); }
static inline BOOL IsEqualCLSID(REFCLSID a, REFCLSID b) { return IsEqualGUID(a, b); }
static inline BOOL InlineIsEqualGUID(REFGUID a, REFGUID b) { return IsEqualGUID(a, b); }
#endif

//
// Counting, as hosts do for AddRef and Release. All give the new value, the exchanging ones the
// old.
//

#ifdef __cplusplus
// For any integer, so that a `long` counts too, which has 64 bits on Linux.
extern "C++" {
template <class T> inline T InterlockedIncrement(T volatile *counter) {
    return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}
template <class T> inline T InterlockedDecrement(T volatile *counter) {
    return __atomic_sub_fetch(counter, 1, __ATOMIC_SEQ_CST);
}
template <class T, class U> inline T InterlockedExchangeAdd(T volatile *place, U by) {
    return __atomic_fetch_add(place, (T)by, __ATOMIC_SEQ_CST);
}
template <class T, class U> inline T InterlockedExchange(T volatile *place, U value) {
    return __atomic_exchange_n(place, (T)value, __ATOMIC_SEQ_CST);
}
template <class T, class U, class V> inline T InterlockedCompareExchange(T volatile *place, U value, V expected) {
    T found = (T)expected;
    __atomic_compare_exchange_n(place, &found, (T)value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return found;
}
}
#else
static inline LONG InterlockedIncrement(LONG volatile *counter) {
    return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}
static inline LONG InterlockedDecrement(LONG volatile *counter) {
    return __atomic_sub_fetch(counter, 1, __ATOMIC_SEQ_CST);
}
static inline LONG InterlockedExchangeAdd(LONG volatile *place, LONG by) {
    return __atomic_fetch_add(place, by, __ATOMIC_SEQ_CST);
}
static inline LONG InterlockedExchange(LONG volatile *place, LONG value) {
    return __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST);
}
static inline LONG InterlockedCompareExchange(LONG volatile *place, LONG value, LONG expected) {
    __atomic_compare_exchange_n(place, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}
#endif
static inline PVOID InterlockedExchangePointer(PVOID volatile *place, PVOID value) {
    return __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST);
}
static inline PVOID InterlockedCompareExchangePointer(PVOID volatile *place, PVOID value, PVOID expected) {
    __atomic_compare_exchange_n(place, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

//
// Results. The CLR's have facility 0x13.
//

#define SUCCEEDED(hr) (((HRESULT)(hr)) >= 0)
#define FAILED(hr) (((HRESULT)(hr)) < 0)
#define HRESULT_CODE(hr) ((hr) & 0xFFFF)
#define HRESULT_FACILITY(hr) (((hr) >> 16) & 0x1FFF)
#define HRESULT_SEVERITY(hr) (((hr) >> 31) & 0x1)
#define SEVERITY_SUCCESS 0
#define SEVERITY_ERROR 1
#define FACILITY_NULL 0
#define FACILITY_ITF 4
#define FACILITY_WIN32 7
#define FACILITY_URT 0x13
#define MAKE_HRESULT(severity, facility, code) \
    ((HRESULT)(((uint32_t)(severity) << 31) | ((uint32_t)(facility) << 16) | ((uint32_t)(code))))
static inline HRESULT HRESULT_FROM_WIN32(DWORD error) {
    return (HRESULT)error <= 0 ? (HRESULT)error : MAKE_HRESULT(SEVERITY_ERROR, FACILITY_WIN32, error & 0xFFFF);
}
#define _HRESULT_TYPEDEF_(code) ((HRESULT)code)

#define S_OK _HRESULT_TYPEDEF_(0x00000000)                       // Done.
// Done, or nothing to do; the method says which.
#define S_FALSE _HRESULT_TYPEDEF_(0x00000001)
#define E_NOTIMPL _HRESULT_TYPEDEF_(0x80004001)                  // The method is not there.
// The object does not have that interface.
#define E_NOINTERFACE _HRESULT_TYPEDEF_(0x80004002)
// A pointer is null that must not be.
#define E_POINTER _HRESULT_TYPEDEF_(0x80004003)
#define E_ABORT _HRESULT_TYPEDEF_(0x80004004)                    // Given up.
#define E_FAIL _HRESULT_TYPEDEF_(0x80004005)                     // Failed, and no more is known.
// Not in this state; for the hosting API also an End without its Begin.
#define E_UNEXPECTED _HRESULT_TYPEDEF_(0x8000FFFF)
#define E_ACCESSDENIED _HRESULT_TYPEDEF_(0x80070005)             // Not allowed.
#define E_HANDLE _HRESULT_TYPEDEF_(0x80070006)                   // Not a handle.
#define E_OUTOFMEMORY _HRESULT_TYPEDEF_(0x8007000E)              // No memory.
#define E_INVALIDARG _HRESULT_TYPEDEF_(0x80070057)               // An argument is wrong.
// The class cannot be part of an aggregate.
#define CLASS_E_NOAGGREGATION _HRESULT_TYPEDEF_(0x80040110)
#define CLASS_E_CLASSNOTAVAILABLE _HRESULT_TYPEDEF_(0x80040111)  // The library has no such class.

// Host: the wait is broken to end a deadlock.
#define HOST_E_DEADLOCK _HRESULT_TYPEDEF_(0x80131020)
#define HOST_E_INTERRUPTED _HRESULT_TYPEDEF_(0x80131021)         // Host: an alert ended the wait.
// Wrong state or wrong thread for this call.
#define HOST_E_INVALIDOPERATION _HRESULT_TYPEDEF_(0x80131022)
// The runtime has not started, or can run managed code no more.
#define HOST_E_CLRNOTAVAILABLE _HRESULT_TYPEDEF_(0x80131023)
#define HOST_E_TIMEOUT _HRESULT_TYPEDEF_(0x80131024)             // Host: the wait ran out of time.
// Host: the lock belongs to somebody else.
#define HOST_E_NOT_OWNER _HRESULT_TYPEDEF_(0x80131025)
// Host: what was waited for is gone.
#define HOST_E_ABANDONED _HRESULT_TYPEDEF_(0x80131026)
// Exit code: policy turned a thread abort into the end of the process.
#define HOST_E_EXITPROCESS_THREADABORT _HRESULT_TYPEDEF_(0x80131027)
// Exit code: policy turned the unload of a domain into the end of the process.
#define HOST_E_EXITPROCESS_ADUNLOAD _HRESULT_TYPEDEF_(0x80131028)
// Exit code: policy turned a timeout into the end of the process.
#define HOST_E_EXITPROCESS_TIMEOUT _HRESULT_TYPEDEF_(0x80131029)
// Exit code: policy turned a lack of memory into the end of the process.
#define HOST_E_EXITPROCESS_OUTOFMEMORY _HRESULT_TYPEDEF_(0x8013102A)
// Exit code: policy turned a stack overflow into the end of the process.
#define HOST_E_EXITPROCESS_STACKOVERFLOW _HRESULT_TYPEDEF_(0x8013102B)

#define COR_E_APPDOMAINUNLOADED _HRESULT_TYPEDEF_(0x80131014)    // The domain is unloaded.
#define COR_E_CANNOTUNLOADAPPDOMAIN _HRESULT_TYPEDEF_(0x80131015) // The domain cannot be unloaded.
#define COR_E_EXCEPTION _HRESULT_TYPEDEF_(0x80131500)            // Managed code: Exception.
#define COR_E_SYSTEM _HRESULT_TYPEDEF_(0x80131501)               // Managed code: SystemException.
#define COR_E_TIMEOUT _HRESULT_TYPEDEF_(0x80131505)              // Managed code: timed out.
// Managed code: the engine is broken.
#define COR_E_EXECUTIONENGINE _HRESULT_TYPEDEF_(0x80131506)
// Managed code: InvalidOperationException.
#define COR_E_INVALIDOPERATION _HRESULT_TYPEDEF_(0x80131509)
#define COR_E_MISSINGFIELD _HRESULT_TYPEDEF_(0x80131511)         // Managed code: no such field.
#define COR_E_MISSINGMEMBER _HRESULT_TYPEDEF_(0x80131512)        // Managed code: no such member.
#define COR_E_MISSINGMETHOD _HRESULT_TYPEDEF_(0x80131513)        // Managed code: no such method.
// Managed code: NotSupportedException.
#define COR_E_NOTSUPPORTED _HRESULT_TYPEDEF_(0x80131515)
// Managed code: a lock used without being held.
#define COR_E_SYNCHRONIZATIONLOCK _HRESULT_TYPEDEF_(0x80131518)
// Managed code: the thread was interrupted.
#define COR_E_THREADINTERRUPTED _HRESULT_TYPEDEF_(0x80131519)
// Managed code: the thread is in the wrong state.
#define COR_E_THREADSTATE _HRESULT_TYPEDEF_(0x80131520)
// Managed code: no such type, or not loadable.
#define COR_E_TYPELOAD _HRESULT_TYPEDEF_(0x80131522)
// Managed code: a native library has no such function.
#define COR_E_ENTRYPOINTNOTFOUND _HRESULT_TYPEDEF_(0x80131523)
// Managed code: no such native library.
#define COR_E_DLLNOTFOUND _HRESULT_TYPEDEF_(0x80131524)
// Managed code: one release too many.
#define COR_E_SEMAPHOREFULL _HRESULT_TYPEDEF_(0x8013152B)
// Managed code: the owner of a mutex went without releasing it.
#define COR_E_ABANDONEDMUTEX _HRESULT_TYPEDEF_(0x8013152D)
// Managed code: the thread was aborted.
#define COR_E_THREADABORTED _HRESULT_TYPEDEF_(0x80131530)
// Managed code: a type's initialiser failed.
#define COR_E_TYPEINITIALIZATION _HRESULT_TYPEDEF_(0x80131534)
// Managed code: OperationCanceledException.
#define COR_E_OPERATIONCANCELED _HRESULT_TYPEDEF_(0x8013153B)
// Managed code: what was called by reflection threw.
#define COR_E_TARGETINVOCATION _HRESULT_TYPEDEF_(0x80131604)
// An assembly was found and could not be loaded.
#define COR_E_FILELOAD _HRESULT_TYPEDEF_(0x80131621)
// There is no such assembly or file.
#define COR_E_FILENOTFOUND _HRESULT_TYPEDEF_(0x80070002)
// Not an assembly, or not one for this machine.
#define COR_E_BADIMAGEFORMAT _HRESULT_TYPEDEF_(0x8007000B)
#define COR_E_STACKOVERFLOW _HRESULT_TYPEDEF_(0x800703E9)        // Managed code: no stack left.

// The shim found no runtime of that version.
#define CLR_E_SHIM_RUNTIMELOAD _HRESULT_TYPEDEF_(0x80131700)
// The shim's runtime has no such export.
#define CLR_E_SHIM_RUNTIMEEXPORT _HRESULT_TYPEDEF_(0x80131701)
// The shim's installation root is wrong.
#define CLR_E_SHIM_INSTALLROOT _HRESULT_TYPEDEF_(0x80131702)
// The shim misses an installed component.
#define CLR_E_SHIM_INSTALLCOMP _HRESULT_TYPEDEF_(0x80131703)
// The process is bound to another legacy runtime.
#define CLR_E_SHIM_LEGACYRUNTIMEALREADYBOUND _HRESULT_TYPEDEF_(0x80131704)
#define CLR_E_SHIM_SHUTDOWNINPROGRESS _HRESULT_TYPEDEF_(0x80131705) // The shim is on its way out.
#define COR_E_OUTOFMEMORY E_OUTOFMEMORY
#define NOERROR S_OK

//
// The interfaces and their IDs, IID_I...
//

#ifdef __cplusplus
#define SOGLIA_INTERFACE(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    struct name; \
    SOGLIA_GUID(IID_##name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8); \
    __CRT_UUID_DECL(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)
#else
#define SOGLIA_INTERFACE(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    typedef struct name name; \
    typedef struct name##Vtbl name##Vtbl; \
    SOGLIA_GUID(IID_##name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8);
#endif

SOGLIA_INTERFACE(IUnknown, 0x00000000, 0x0000, 0x0000, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46)
SOGLIA_INTERFACE(IClassFactory, 0x00000001, 0x0000, 0x0000, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46)
SOGLIA_INTERFACE(IEnumUnknown, 0x00000100, 0x0000, 0x0000, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46)
SOGLIA_INTERFACE(ISequentialStream, 0x0C733A30, 0x2A1C, 0x11CE, 0xAD, 0xE5, 0x00, 0xAA, 0x00, 0x44, 0x77, 0x3D)
SOGLIA_INTERFACE(IStream, 0x0000000C, 0x0000, 0x0000, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46)

SOGLIA_INTERFACE(IHostControl, 0x02CA073C, 0x7079, 0x4860, 0x88, 0x0A, 0xC2, 0xF7, 0xA4, 0x49, 0xC9, 0x91)
SOGLIA_INTERFACE(ICLRControl, 0x9065597E, 0xD1A1, 0x4FB2, 0xB6, 0xBA, 0x7E, 0x1F, 0xCE, 0x23, 0x0F, 0x61)
SOGLIA_INTERFACE(ICLRDomainManager, 0x270D00A2, 0x8E15, 0x4D0B, 0xAD, 0xEB, 0x37, 0xBC, 0x3E, 0x47, 0xDF, 0x77)

SOGLIA_INTERFACE(ICLRRuntimeHost, 0x90F1A06C, 0x7712, 0x4762, 0x86, 0xB5, 0x7A, 0x5E, 0xBA, 0x6B, 0xDB, 0x02)
SOGLIA_INTERFACE(ICLRRuntimeHost2, 0x712AB73F, 0x2C22, 0x4807, 0xAD, 0x7E, 0xF5, 0x01, 0xD7, 0xB7, 0x2C, 0x2D)
SOGLIA_INTERFACE(ICLRRuntimeHost4, 0x64F6D366, 0xD7C2, 0x4F1F, 0xB4, 0xB2, 0xE8, 0x16, 0x0C, 0xAC, 0x43, 0xAF)
SOGLIA_INTERFACE(ICLRExecutionManager, 0x1000A3E7, 0xB420, 0x4620, 0xAE, 0x30, 0xFB, 0x19, 0xB5, 0x87, 0xAD, 0x1D)

SOGLIA_INTERFACE(ICLRMetaHost, 0xD332DB9E, 0xB9B3, 0x4125, 0x82, 0x07, 0xA1, 0x48, 0x84, 0xF5, 0x32, 0x16)
SOGLIA_INTERFACE(ICLRMetaHostPolicy, 0xE2190695, 0x77B2, 0x492E, 0x8E, 0x14, 0xC4, 0xB3, 0xA7, 0xFD, 0xD5, 0x93)
SOGLIA_INTERFACE(ICLRRuntimeInfo, 0xBD39D1D2, 0xBA2F, 0x486A, 0x89, 0xB0, 0xB4, 0xB0, 0xCB, 0x46, 0x68, 0x91)

SOGLIA_INTERFACE(IHostTaskManager, 0x997FF24C, 0x43B7, 0x4352, 0x86, 0x67, 0x0D, 0xC0, 0x4F, 0xAF, 0xD3, 0x54)
SOGLIA_INTERFACE(IHostTask, 0xC2275828, 0xC4B1, 0x4B55, 0x82, 0xC9, 0x92, 0x13, 0x5F, 0x74, 0xDF, 0x1A)

SOGLIA_INTERFACE(ICLRTaskManager, 0x4862EFBE, 0x3AE5, 0x44F8, 0x8F, 0xEB, 0x34, 0x61, 0x90, 0xEE, 0x8A, 0x34)
SOGLIA_INTERFACE(ICLRTask, 0x28E66A4A, 0x9906, 0x4225, 0xB2, 0x31, 0x91, 0x87, 0xC3, 0xEB, 0x86, 0x11)
SOGLIA_INTERFACE(ICLRTask2, 0x28E66A4A, 0x9906, 0x4225, 0xB2, 0x31, 0x91, 0x87, 0xC3, 0xEB, 0x86, 0x12)

SOGLIA_INTERFACE(IHostThreadpoolManager, 0x983D50E2, 0xCB15, 0x466B, 0x80, 0xFC, 0x84, 0x5D, 0xC6, 0xE8, 0xC5, 0xFD)
SOGLIA_INTERFACE(IHostIoCompletionManager, 0x8BDE9D80, 0xEC06, 0x41D6, 0x83, 0xE6, 0x22, 0x58, 0x0E, 0xFF, 0xCC, 0x20)
SOGLIA_INTERFACE(ICLRIoCompletionManager, 0x2D74CE86, 0xB8D6, 0x4C84, 0xB3, 0xA7, 0x97, 0x68, 0x93, 0x3B, 0x3C, 0x12)

SOGLIA_INTERFACE(IHostSyncManager, 0x234330C7, 0x5F10, 0x4F20, 0x96, 0x15, 0x51, 0x22, 0xDA, 0xB7, 0xA0, 0xAC)
SOGLIA_INTERFACE(ICLRSyncManager, 0x55FF199D, 0xAD21, 0x48F9, 0xA1, 0x6C, 0xF2, 0x4E, 0xBB, 0xB8, 0x72, 0x7D)
SOGLIA_INTERFACE(IHostCrst, 0x6DF710A6, 0x26A4, 0x4A65, 0x8C, 0xD5, 0x72, 0x37, 0xB8, 0xBD, 0xA8, 0xDC)
SOGLIA_INTERFACE(IHostAutoEvent, 0x50B0CFCE, 0x4063, 0x4278, 0x96, 0x73, 0xE5, 0xCB, 0x4E, 0xD0, 0xBD, 0xB8)
SOGLIA_INTERFACE(IHostManualEvent, 0x1BF4EC38, 0xAFFE, 0x4FB9, 0x85, 0xA6, 0x52, 0x52, 0x68, 0xF1, 0x5B, 0x54)
SOGLIA_INTERFACE(IHostSemaphore, 0x855EFD47, 0xCC09, 0x463A, 0xA9, 0x7D, 0x16, 0xAC, 0xAB, 0x88, 0x26, 0x61)

SOGLIA_INTERFACE(IHostMemoryManager, 0x7BC698D1, 0xF9E3, 0x4460, 0x9C, 0xDE, 0xD0, 0x42, 0x48, 0xE9, 0xFA, 0x25)
SOGLIA_INTERFACE(IHostMalloc, 0x1831991C, 0xCC53, 0x4A31, 0xB2, 0x18, 0x04, 0xE9, 0x10, 0x44, 0x64, 0x79)
SOGLIA_INTERFACE(ICLRMemoryNotificationCallback, 0x47EB8E57, 0x0846, 0x4546, 0xAF, 0x76, 0x6F, 0x42, 0xFC, 0xFC, 0x26, 0x49)

SOGLIA_INTERFACE(IHostGCManager, 0x5D4EC34E, 0xF248, 0x457B, 0xB6, 0x03, 0x25, 0x5F, 0xAA, 0xBA, 0x0D, 0x21)
SOGLIA_INTERFACE(ICLRGCManager, 0x54D9007E, 0xA8E2, 0x4885, 0xB7, 0xBF, 0xF9, 0x98, 0xDE, 0xEE, 0x4F, 0x2A)
SOGLIA_INTERFACE(ICLRGCManager2, 0x0603B793, 0xA97A, 0x4712, 0x9C, 0xB4, 0x0C, 0xD1, 0xC7, 0x4C, 0x0F, 0x7C)
SOGLIA_INTERFACE(ICLRAppDomainResourceMonitor, 0xC62DE18C, 0x2E23, 0x4AEA, 0x84, 0x23, 0xB4, 0x0C, 0x1F, 0xC5, 0x9E, 0xAE)

SOGLIA_INTERFACE(ICLRPolicyManager, 0x7D290010, 0xD781, 0x45DA, 0xA6, 0xF8, 0xAA, 0x5D, 0x71, 0x1A, 0x73, 0x0E)
SOGLIA_INTERFACE(IHostPolicyManager, 0x7AE49844, 0xB1E3, 0x4683, 0xBA, 0x7C, 0x1E, 0x82, 0x12, 0xEA, 0x3B, 0x79)
SOGLIA_INTERFACE(ICLROnEventManager, 0x1D0E0132, 0xE64F, 0x493D, 0x92, 0x60, 0x02, 0x5C, 0x0E, 0x32, 0xC1, 0x75)
SOGLIA_INTERFACE(IActionOnCLREvent, 0x607BE24B, 0xD91B, 0x4E28, 0xA2, 0x42, 0x61, 0x87, 0x1C, 0xE5, 0x6E, 0x35)

SOGLIA_INTERFACE(ICLRDebugManager, 0x00DCAEC6, 0x2AC0, 0x43A9, 0xAC, 0xF9, 0x1E, 0x36, 0xC1, 0x39, 0xB1, 0x0D)
SOGLIA_INTERFACE(ICLRErrorReportingManager, 0x980D2F1A, 0xBF79, 0x4C08, 0x81, 0x2A, 0xBB, 0x97, 0x78, 0x92, 0x8F, 0x78)
SOGLIA_INTERFACE(ICLRErrorReportingManager2, 0xC68F63B1, 0x4D8B, 0x4E0B, 0x95, 0x64, 0x9D, 0x2E, 0xFE, 0x2F, 0xA1, 0x8C)
SOGLIA_INTERFACE(ICLRHostProtectionManager, 0x89F25F5C, 0xCEEF, 0x43E1, 0x9C, 0xFA, 0xA6, 0x8C, 0xE8, 0x63, 0xAA, 0xAC)

SOGLIA_INTERFACE(IHostAssemblyManager, 0x613DABD7, 0x62B2, 0x493E, 0x9E, 0x65, 0xC1, 0xE3, 0x2A, 0x1E, 0x0C, 0x5E)
SOGLIA_INTERFACE(IHostAssemblyStore, 0x7B102A88, 0x3F7F, 0x496D, 0x8F, 0xA2, 0xC3, 0x53, 0x74, 0xE0, 0x1A, 0xF3)
SOGLIA_INTERFACE(ICLRAssemblyReferenceList, 0x1B2C9750, 0x2E66, 0x4BDA, 0x8B, 0x44, 0x0A, 0x64, 0x2C, 0x5C, 0xD7, 0x33)

SOGLIA_INTERFACE(IHostSecurityManager, 0x75AD2468, 0xA349, 0x4D02, 0xA7, 0x64, 0x76, 0xA6, 0x8A, 0xEE, 0x0C, 0x4F)
SOGLIA_INTERFACE(IHostSecurityContext, 0x7E573CE4, 0x0343, 0x4423, 0x98, 0xD7, 0x63, 0x18, 0x34, 0x8A, 0x1D, 0x3C)

// Another name of IID_ICLRMemoryNotificationCallback.
#define IID_IHostMemoryNeededCallback IID_ICLRMemoryNotificationCallback

// By number only.
SOGLIA_GUID(IID_ICorRuntimeHost, 0xCB2F6722, 0xAB3A, 0x11D2, 0x9C, 0x40, 0x00, 0xC0, 0x4F, 0xA3, 0x0A, 0x3E);
SOGLIA_GUID(IID_ICLRDebugging, 0xD28F3C5A, 0x9634, 0x4206, 0xA5, 0x09, 0x47, 0x75, 0x52, 0xEE, 0xFB, 0x10);
SOGLIA_GUID(IID_ICLRProfiling, 0xB349ABE3, 0xB56F, 0x4689, 0xBF, 0xCD, 0x76, 0xBF, 0x39, 0xD8, 0x88, 0xEA);
SOGLIA_GUID(GUID_NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
#define IID_NULL GUID_NULL

//
// Classes, for CLRCreateInstance and ICLRRuntimeInfo::GetInterface.
//

SOGLIA_GUID(CLSID_CLRRuntimeHost, 0x90F1A06E, 0x7712, 0x4762, 0x86, 0xB5, 0x7A, 0x5E, 0xBA, 0x6B, 0xDB, 0x02);
SOGLIA_GUID(CLSID_CorRuntimeHost, 0xCB2F6723, 0xAB3A, 0x11D2, 0x9C, 0x40, 0x00, 0xC0, 0x4F, 0xA3, 0x0A, 0x3E);
SOGLIA_GUID(CLSID_CLRMetaHost, 0x9280188D, 0x0E8E, 0x4867, 0xB3, 0x0C, 0x7F, 0xA8, 0x38, 0x84, 0xE8, 0xDE);
SOGLIA_GUID(CLSID_CLRMetaHostPolicy, 0x2EBCD49A, 0x1B47, 0x4A61, 0xB1, 0x3A, 0x4A, 0x03, 0x70, 0x1E, 0x59, 0x4B);
SOGLIA_GUID(CLSID_CLRDebugging, 0xBACC578D, 0xFBDD, 0x48A4, 0x96, 0x9F, 0x02, 0xD9, 0x32, 0xB7, 0x46, 0x34);
SOGLIA_GUID(CLSID_CLRDebuggingLegacy, 0xDF8395B5, 0xA4BA, 0x450B, 0xA7, 0x7C, 0xA9, 0xA4, 0x77, 0x62, 0xC5, 0x20);
SOGLIA_GUID(CLSID_CLRProfiling, 0xBD097ED8, 0x733E, 0x43FE, 0x8E, 0xD7, 0xA9, 0x5F, 0xF9, 0xA8, 0x44, 0x8C);
SOGLIA_GUID(CLSID_CLRStrongName, 0xB79B0ACD, 0xF5CD, 0x409B, 0xB5, 0xA5, 0xA1, 0x62, 0x44, 0x61, 0x0B, 0x92);
SOGLIA_GUID(CLSID_TypeNameFactory, 0xB81FF171, 0x20F3, 0x11D2, 0x8D, 0xCC, 0x00, 0xA0, 0xC9, 0xB0, 0x05, 0x25);
SOGLIA_GUID(LIBID_mscoree, 0x5477469E, 0x83B1, 0x11D2, 0x8B, 0x49, 0x00, 0xA0, 0xC9, 0xB7, 0xC9, 0xC4);

//
// Flags, enumerations, structs and callbacks.
//

// The host's number for a task, 64 bits.
typedef UINT64 TASKID;
// A connection, as debuggers know them.
typedef DWORD CONNID;
// An enumeration of domains, in version 1.
typedef void *HDOMAINENUM;
typedef DWORD ApplicationDataKey;

// What a task runs.
typedef DWORD(STDMETHODCALLTYPE *LPTHREAD_START_ROUTINE)(LPVOID lpThreadParameter);
typedef LPTHREAD_START_ROUTINE PTHREAD_START_ROUTINE;
// What ICLRRuntimeHost::ExecuteInAppDomain runs.
typedef HRESULT(STDMETHODCALLTYPE *FExecuteInAppDomainCallback)(void *cookie);
// What LockClrVersion takes and gives.
typedef HRESULT(STDMETHODCALLTYPE *FLockClrVersionCallback)(void);
// What a timer or a wait calls.
typedef VOID(STDMETHODCALLTYPE *WAITORTIMERCALLBACK)(PVOID lpParameter, BOOL TimerOrWaitFired);
// What an I/O completion calls.
typedef VOID(STDMETHODCALLTYPE *LPOVERLAPPED_COMPLETION_ROUTINE)(DWORD dwErrorCode, DWORD dwNumberOfBytesTransfered,
                                                                 LPVOID lpOverlapped);
// What ICLRMetaHost::RequestRuntimeLoadedNotification would call.
typedef HRESULT(STDMETHODCALLTYPE *CallbackThreadSetFnPtr)(void);
typedef HRESULT(STDMETHODCALLTYPE *CallbackThreadUnsetFnPtr)(void);
typedef void(STDMETHODCALLTYPE *RuntimeLoadedCallbackFnPtr)(ICLRRuntimeInfo *pRuntimeInfo,
                                                            CallbackThreadSetFnPtr pfnCallbackThreadSet,
                                                            CallbackThreadUnsetFnPtr pfnCallbackThreadUnset);

// How the CLR starts. A bit set. .NET still reads CONCURRENT_GC (its default), SERVER_GC and
// HOARD_GC_VM.
typedef enum STARTUP_FLAGS {
    STARTUP_CONCURRENT_GC = 0x1,
    STARTUP_LOADER_OPTIMIZATION_MASK = 0x6,
    STARTUP_LOADER_OPTIMIZATION_SINGLE_DOMAIN = 0x2,
    STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN = 0x4,
    STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN_HOST = 0x6,
    STARTUP_LOADER_SAFEMODE = 0x10,
    STARTUP_LOADER_SETPREFERENCE = 0x100,
    STARTUP_SERVER_GC = 0x1000,
    STARTUP_HOARD_GC_VM = 0x2000,
    STARTUP_SINGLE_VERSION_HOSTING_INTERFACE = 0x4000,
    STARTUP_LEGACY_IMPERSONATION = 0x10000,
    STARTUP_DISABLE_COMMITTHREADSTACK = 0x20000,
    STARTUP_ALWAYSFLOW_IMPERSONATION = 0x40000,
    STARTUP_TRIM_GC_COMMIT = 0x80000,
    STARTUP_ETW = 0x100000,
    STARTUP_ARM = 0x400000,
    STARTUP_SINGLE_APPDOMAIN = 0x800000,
    STARTUP_APPX_APP_MODEL = 0x1000000,
    STARTUP_DISABLE_RANDOMIZED_STRING_HASHING = 0x2000000,
} STARTUP_FLAGS;

// What kind of program a host is.
typedef enum HOST_TYPE {
    HOST_TYPE_DEFAULT = 0x0,
    HOST_TYPE_APPLAUNCH = 0x1,
    HOST_TYPE_CORFLAG = 0x2,
} HOST_TYPE;

// The option of waits. A bit set, and a DWORD in signatures. WAIT_ALERTABLE: IHostTask::Alert may
// break the wait. WAIT_NOTINDEADLOCK: HOST_E_DEADLOCK may not.
typedef enum WAIT_OPTION {
    WAIT_MSGPUMP = 0x1,
    WAIT_ALERTABLE = 0x2,
    WAIT_NOTINDEADLOCK = 0x4,
} WAIT_OPTION;

// What a task is for. Spaced like a bit set, but GetCurrentTaskType answers exactly one.
typedef enum ETaskType {
    TT_DEBUGGERHELPER = 0x1,
    TT_GC = 0x2,
    TT_FINALIZER = 0x4,
    TT_THREADPOOL_TIMER = 0x8,
    TT_THREADPOOL_GATE = 0x10,
    TT_THREADPOOL_WORKER = 0x20,
    TT_THREADPOOL_IOCOMPLETION = 0x40,
    TT_ADUNLOAD = 0x80,
    TT_USER = 0x100,
    TT_THREADPOOL_WAIT = 0x200,
    TT_UNKNOWN = (int)0x80000000,
} ETaskType;

// What IHostTask::SetPriority takes and GetPriority gives.
#define THREAD_PRIORITY_IDLE (-15)
#define THREAD_PRIORITY_LOWEST (-2)
#define THREAD_PRIORITY_BELOW_NORMAL (-1)
#define THREAD_PRIORITY_NORMAL 0
#define THREAD_PRIORITY_ABOVE_NORMAL 1
#define THREAD_PRIORITY_HIGHEST 2
#define THREAD_PRIORITY_TIME_CRITICAL 15
#define THREAD_PRIORITY_ERROR_RETURN 0x7FFFFFFF

// COR_GC_THREAD_STATS::Flags: the last collection promoted bytes of this thread.
typedef enum COR_GC_THREAD_STATS_TYPES {
    COR_GC_THREAD_HAS_PROMOTED_BYTES = 0x1,
} COR_GC_THREAD_STATS_TYPES;

// What ICLRTask::GetMemStats fills. Zero it first: the flag is only ever set.
typedef struct _COR_GC_THREAD_STATS {
    ULONGLONG PerThreadAllocation; // bytes that the thread has allocated
    ULONG Flags;                   // COR_GC_THREAD_STATS_TYPES
} COR_GC_THREAD_STATS;

// COR_GC_STATS::Flags: what to fill. A bit set.
typedef enum COR_GC_STAT_TYPES {
    COR_GC_COUNTS = 0x1,
    COR_GC_MEMORYUSAGE = 0x2,
} COR_GC_STAT_TYPES;

// What ICLRGCManager::GetStats fills. The caller sets Flags to what it wants.
typedef struct _COR_GC_STATS {
    ULONG Flags; // COR_GC_STAT_TYPES
    // COR_GC_COUNTS
    SIZE_T ExplicitGCCount;
    SIZE_T GenCollectionsTaken[3];
    // COR_GC_MEMORYUSAGE
    SIZE_T CommittedKBytes;
    SIZE_T ReservedKBytes;
    SIZE_T Gen0HeapSizeKBytes;
    SIZE_T Gen1HeapSizeKBytes;
    SIZE_T Gen2HeapSizeKBytes;
    SIZE_T LargeObjectHeapSizeKBytes;
    SIZE_T KBytesPromotedFromGen0;
    SIZE_T KBytesPromotedFromGen1;
} COR_GC_STATS;

// IHostMemoryManager::CreateMalloc: used by several threads; can be executed. A bit set.
typedef enum MALLOC_TYPE {
    MALLOC_THREADSAFE = 0x1,
    MALLOC_EXECUTABLE = 0x2,
} MALLOC_TYPE;

// How scarce memory is.
typedef enum EMemoryAvailable {
    eMemoryAvailableLow = 1,
    eMemoryAvailableNeutral = 2,
    eMemoryAvailableHigh = 3,
} EMemoryAvailable;

// What is lost if an allocation fails.
typedef enum EMemoryCriticalLevel {
    eTaskCritical = 0,
    eAppDomainCritical = 1,
    eProcessCritical = 2,
} EMemoryCriticalLevel;

// What the CLR does that can take long or fail.
typedef enum EClrOperation {
    OPR_ThreadAbort = 0,
    OPR_ThreadRudeAbortInNonCriticalRegion = 1,
    OPR_ThreadRudeAbortInCriticalRegion = 2,
    OPR_AppDomainUnload = 3,
    OPR_AppDomainRudeUnload = 4,
    OPR_ProcessExit = 5,
    OPR_FinalizerRun = 6,
    MaxClrOperation = 7,
} EClrOperation;

// What can fail.
typedef enum EClrFailure {
    FAIL_NonCriticalResource = 0,
    FAIL_CriticalResource = 1,
    FAIL_FatalRuntime = 2,
    FAIL_OrphanedLock = 3,
    FAIL_StackOverflow = 4,
    FAIL_AccessViolation = 5,
    FAIL_CodeContract = 6,
    MaxClrFailure = 7,
} EClrFailure;

// What to do about it, in order of severity.
typedef enum EPolicyAction {
    eNoAction = 0,
    eThrowException = 1,
    eAbortThread = 2,
    eRudeAbortThread = 3,
    eUnloadAppDomain = 4,
    eRudeUnloadAppDomain = 5,
    eExitProcess = 6,
    eFastExitProcess = 7,
    eRudeExitProcess = 8,
    eDisableRuntime = 9,
    MaxPolicyAction = 10,
} EPolicyAction;

// Who decides on unhandled exceptions.
typedef enum EClrUnhandledException {
    eRuntimeDeterminedPolicy = 0,
    eHostDeterminedPolicy = 1,
} EClrUnhandledException;

// The events that an IActionOnCLREvent can be registered for.
typedef enum EClrEvent {
    Event_DomainUnload = 0,
    Event_ClrDisabled = 1,
    Event_MDAFired = 2,
    Event_StackOverflow = 3,
    MaxClrEvent = 4,
} EClrEvent;

// Whose stack it was.
typedef enum StackOverflowType {
    SO_Managed = 0,
    SO_ClrEngine = 1,
    SO_Other = 2,
} StackOverflowType;

// With Event_MDAFired.
typedef struct _MDAInfo {
    LPCWSTR lpMDACaption;
    LPCWSTR lpMDAMessage;
    LPCWSTR lpStackTrace;
} MDAInfo;

// With Event_StackOverflow. Linux has no EXCEPTION_POINTERS.
typedef struct _StackOverflowInfo {
    StackOverflowType soType;
    struct _EXCEPTION_POINTERS *pExceptionInfo;
} StackOverflowInfo;

// When stack traces read symbol files.
typedef enum ESymbolReadingPolicy {
    eSymbolReadingNever = 0,
    eSymbolReadingAlways = 1,
    eSymbolReadingFullTrustOnly = 2,
} ESymbolReadingPolicy;

// How much a crash dump holds.
typedef enum ECustomDumpFlavor {
    DUMP_FLAVOR_Mini = 0,
    DUMP_FLAVOR_CriticalCLRState = 1,
    DUMP_FLAVOR_NonHeapCLRState = 2,
    DUMP_FLAVOR_Default = 0,
} ECustomDumpFlavor;

// What a CustomDumpItem is.
typedef enum ECustomDumpItemKind {
    DUMP_ITEM_None = 0,
} ECustomDumpItemKind;

// Something to be put into a dump.
typedef struct _CustomDumpItem {
    ECustomDumpItemKind itemKind;
    __extension__ union {
        UINT_PTR pReserved;
    };
} CustomDumpItem;

// The strings of BucketParameters.
typedef enum BucketParameterIndex {
    Parameter1 = 0,
    Parameter2 = 1,
    Parameter3 = 2,
    Parameter4 = 3,
    Parameter5 = 4,
    Parameter6 = 5,
    Parameter7 = 6,
    Parameter8 = 7,
    Parameter9 = 8,
    InvalidBucketParamIndex = 9,
} BucketParameterIndex;

enum { BucketParamsCount = 10, BucketParamLength = 255 };

// What a crash is filed under.
typedef struct _BucketParameters {
    BOOL fInited;
    WCHAR pszEventTypeName[BucketParamLength];
    WCHAR pszParams[BucketParamsCount][BucketParamLength];
} BucketParameters;

// What can be kept from partially trusted code. A bit set.
typedef enum EApiCategories {
    eNoChecks = 0x0,
    eSynchronization = 0x1,
    eSharedState = 0x2,
    eExternalProcessMgmt = 0x4,
    eSelfAffectingProcessMgmt = 0x8,
    eExternalThreading = 0x10,
    eSelfAffectingThreading = 0x20,
    eSecurityInfrastructure = 0x40,
    eUI = 0x80,
    eMayLeakOnAbort = 0x100,
    eAll = 0x1FF,
} EApiCategories;

// What ICLRDomainManager::SetAppDomainManagerType allows the new domain.
typedef enum EInitializeNewDomainFlags {
    eInitializeNewDomainFlags_None = 0x0,
    eInitializeNewDomainFlags_NoSecurityChanges = 0x2,
} EInitializeNewDomainFlags;

// Which context is meant.
typedef enum EContextType {
    eCurrentContext = 0x0,
    eRestrictedContext = 0x1,
} EContextType;

// Which assembly is wanted.
typedef struct _AssemblyBindInfo {
    DWORD dwAppDomainId;
    LPCWSTR lpReferencedIdentity;
    LPCWSTR lpPostPolicyIdentity;
    DWORD ePolicyLevel;
} AssemblyBindInfo;

// Which module is wanted.
typedef struct _ModuleBindInfo {
    DWORD dwAppDomainId;
    LPCWSTR lpAssemblyIdentity;
    LPCWSTR lpModuleName;
} ModuleBindInfo;

// How GetRequestedRuntime chooses. A bit set.
typedef enum METAHOST_POLICY_FLAGS {
    METAHOST_POLICY_HIGHCOMPAT = 0x0,
    METAHOST_POLICY_APPLY_UPGRADE_POLICY = 0x8,
    METAHOST_POLICY_EMULATE_EXE_LAUNCH = 0x10,
    METAHOST_POLICY_SHOW_ERROR_DIALOG = 0x20,
    METAHOST_POLICY_USE_PROCESS_IMAGE_PATH = 0x40,
    METAHOST_POLICY_ENSURE_SKU_SUPPORTED = 0x80,
    METAHOST_POLICY_IGNORE_ERROR_MODE = 0x1000,
} METAHOST_POLICY_FLAGS;

// What GetRequestedRuntime found in the configuration.
typedef enum METAHOST_CONFIG_FLAGS {
    METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_UNSET = 0x0,
    METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_TRUE = 0x1,
    METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_FALSE = 0x2,
    METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_MASK = 0x3,
} METAHOST_CONFIG_FLAGS;

// What the legacy GetRequestedRuntimeInfo was asked for. A bit set.
typedef enum RUNTIME_INFO_FLAGS {
    RUNTIME_INFO_UPGRADE_VERSION = 0x1,
    RUNTIME_INFO_REQUEST_IA64 = 0x2,
    RUNTIME_INFO_REQUEST_AMD64 = 0x4,
    RUNTIME_INFO_REQUEST_X86 = 0x8,
    RUNTIME_INFO_DONT_RETURN_DIRECTORY = 0x10,
    RUNTIME_INFO_DONT_RETURN_VERSION = 0x20,
    RUNTIME_INFO_DONT_SHOW_ERROR_DIALOG = 0x40,
    RUNTIME_INFO_IGNORE_ERROR_MODE = 0x1000,
    RUNTIME_INFO_REQUEST_ARM64 = 0x2000,
} RUNTIME_INFO_FLAGS;

// What IStream::Stat fills.
typedef struct tagSTATSTG {
    LPOLESTR pwcsName;
    DWORD type;
    ULARGE_INTEGER cbSize;
    FILETIME mtime;
    FILETIME ctime;
    FILETIME atime;
    DWORD grfMode;
    DWORD grfLocksSupported;
    CLSID clsid;
    DWORD grfStateBits;
    DWORD reserved;
} STATSTG;

// Windows Runtime only.
typedef struct IActivationFactory IActivationFactory;

//
// How an interface is declared: once, for C and C++.
//
// In C++ it is an abstract class. In C it is a struct whose first member, lpVtbl, points to a
// struct of functions, and the base's methods come first, by a macro that is empty in C++.
//

#ifdef __cplusplus
#define STDMETHOD(method) virtual HRESULT STDMETHODCALLTYPE method
#define STDMETHOD_(type, method) virtual type STDMETHODCALLTYPE method
#define PURE = 0
#define THIS_
#define THIS void
#define DECLARE_INTERFACE(name) struct name
#define DECLARE_INTERFACE_(name, base) struct name : public base
#else
#define STDMETHOD(method) HRESULT(STDMETHODCALLTYPE *method)
#define STDMETHOD_(type, method) type(STDMETHODCALLTYPE *method)
#define PURE
#define THIS_ INTERFACE *This,
#define THIS INTERFACE *This
#define DECLARE_INTERFACE(name) \
    struct name { \
        CONST_VTBL struct name##Vtbl *lpVtbl; \
    }; \
    struct name##Vtbl
#define DECLARE_INTERFACE_(name, base) DECLARE_INTERFACE(name)
#endif
#define DECLARE_INTERFACE_IID(name, iid) DECLARE_INTERFACE(name)
#define DECLARE_INTERFACE_IID_(name, base, iid) DECLARE_INTERFACE_(name, base)

#ifdef __cplusplus
extern "C++" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif

// COM's root. QueryInterface gives another interface of the same object, with a reference; AddRef
// and Release count.
#undef INTERFACE
#define INTERFACE IUnknown
DECLARE_INTERFACE(IUnknown) {
    // S_OK, or E_NOINTERFACE and null.
    STDMETHOD(QueryInterface)(THIS_ REFIID riid, void **ppvObject) PURE;

    // One more reference. Gives the number of references, for debugging only.
    STDMETHOD_(ULONG, AddRef)(THIS) PURE;

    // One less; with the last one the object goes.
    STDMETHOD_(ULONG, Release)(THIS) PURE;

#ifdef __cplusplus
    template <class Q> HRESULT QueryInterface(Q **place) {
        return QueryInterface(__uuidof(Q), reinterpret_cast<void **>(place));
    }
#endif
};
typedef IUnknown *LPUNKNOWN;

#ifdef __cplusplus
#define SOGLIA_IUNKNOWN_METHODS
#else
#define SOGLIA_IUNKNOWN_METHODS \
    STDMETHOD(QueryInterface)(THIS_ REFIID riid, void **ppvObject); \
    STDMETHOD_(ULONG, AddRef)(THIS); \
    STDMETHOD_(ULONG, Release)(THIS);
#endif

// What makes objects of a class.
#undef INTERFACE
#define INTERFACE IClassFactory
DECLARE_INTERFACE_(IClassFactory, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // A new object. CLASS_E_NOAGGREGATION if it cannot be part of pUnkOuter.
    STDMETHOD(CreateInstance)(THIS_ IUnknown *pUnkOuter, REFIID riid, void **ppvObject) PURE;

    // Keeps the library loaded, or lets it go.
    STDMETHOD(LockServer)(THIS_ BOOL fLock) PURE;
};

// COM's enumeration of objects. ICLRMetaHost returns runtimes with it.
#undef INTERFACE
#define INTERFACE IEnumUnknown
DECLARE_INTERFACE_(IEnumUnknown, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Stores up to celt objects, each with a reference. S_FALSE if there were fewer. pceltFetched
    // may be null if celt is 1.
    STDMETHOD(Next)(THIS_ ULONG celt, IUnknown **rgelt, ULONG *pceltFetched) PURE;

    // Skips celt objects. S_FALSE if there were fewer.
    STDMETHOD(Skip)(THIS_ ULONG celt) PURE;

    // Goes back to the beginning.
    STDMETHOD(Reset)(THIS) PURE;

    // Returns a second enumeration at the same position.
    STDMETHOD(Clone)(THIS_ IEnumUnknown **ppenum) PURE;
};

// COM's stream without positions.
#undef INTERFACE
#define INTERFACE ISequentialStream
DECLARE_INTERFACE_(ISequentialStream, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Reads up to cb bytes. S_FALSE at the end.
    STDMETHOD(Read)(THIS_ void *pv, ULONG cb, ULONG *pcbRead) PURE;

    // Writes cb bytes.
    STDMETHOD(Write)(THIS_ const void *pv, ULONG cb, ULONG *pcbWritten) PURE;
};

#ifdef __cplusplus
#define SOGLIA_ISEQUENTIALSTREAM_METHODS
#else
#define SOGLIA_ISEQUENTIALSTREAM_METHODS \
    SOGLIA_IUNKNOWN_METHODS \
    STDMETHOD(Read)(THIS_ void *pv, ULONG cb, ULONG *pcbRead); \
    STDMETHOD(Write)(THIS_ const void *pv, ULONG cb, ULONG *pcbWritten);
#endif

// COM's stream. Assembly stores return it, and configurations are passed with it.
#undef INTERFACE
#define INTERFACE IStream
DECLARE_INTERFACE_(IStream, ISequentialStream) {
    SOGLIA_ISEQUENTIALSTREAM_METHODS

    // Moves the position and stores the new one; plibNewPosition may be null. dwOrigin is 0 for the
    // beginning, 1 for the position, 2 for the end.
    STDMETHOD(Seek)(THIS_ LARGE_INTEGER dlibMove, DWORD dwOrigin, ULARGE_INTEGER *plibNewPosition) PURE;

    // Sets the size of the stream.
    STDMETHOD(SetSize)(THIS_ ULARGE_INTEGER libNewSize) PURE;

    // Copies bytes to another stream.
    STDMETHOD(CopyTo)(THIS_ IStream *pstm, ULARGE_INTEGER cb, ULARGE_INTEGER *pcbRead,
                      ULARGE_INTEGER *pcbWritten) PURE;

    // Writes changes out.
    STDMETHOD(Commit)(THIS_ DWORD grfCommitFlags) PURE;

    // Drops changes that were not committed.
    STDMETHOD(Revert)(THIS) PURE;

    // Locks bytes.
    STDMETHOD(LockRegion)(THIS_ ULARGE_INTEGER libOffset, ULARGE_INTEGER cb, DWORD dwLockType) PURE;

    // Unlocks bytes.
    STDMETHOD(UnlockRegion)(THIS_ ULARGE_INTEGER libOffset, ULARGE_INTEGER cb, DWORD dwLockType) PURE;

    // Stores name, size and times.
    STDMETHOD(Stat)(THIS_ STATSTG *pstatstg, DWORD grfStatFlag) PURE;

    // Returns a second stream on the same bytes.
    STDMETHOD(Clone)(THIS_ IStream **ppstm) PURE;
};

//
// Host and CLR control
//

// Says which parts of the runtime the host manages itself. The host passes it to
// ICLRRuntimeHost::SetHostControl before Start. The engine keeps it until the process ends.
#undef INTERFACE
#define INTERFACE IHostControl
DECLARE_INTERFACE_(IHostControl, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns a manager. The engine calls it inside SetHostControl, on the thread that called that,
    // once for each manager, in this order: memory, task, thread pool, I/O completion,
    // synchronisation, assembly, GC, security, policy. For a manager that you have, store a pointer
    // with a reference and return S_OK. For the others, store null and return E_NOINTERFACE. Only
    // exactly S_OK with a pointer counts.
    STDMETHOD(GetHostManager)(THIS_ REFIID riid, void **ppObject) PURE;

    // Notifies the host of a domain that has an AppDomainManager. Not called: managed objects
    // cannot be called through COM.
    STDMETHOD(SetAppDomainManager)(THIS_ DWORD dwAppDomainID, IUnknown *pUnkAppDomainManager) PURE;
};

// Returns the CLR's managers. A control that the host got before Start returns all of them. One
// that it got later returns the error reporting manager, and HOST_E_INVALIDOPERATION for the
// others.
#undef INTERFACE
#define INTERFACE ICLRControl
DECLARE_INTERFACE_(ICLRControl, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns the CLR's manager with that IID, with a reference. E_INVALIDARG if a pointer is null,
    // E_NOINTERFACE for an unknown IID. Hosts may leave managers uncounted: these live until the
    // process ends.
    STDMETHOD(GetCLRManager)(THIS_ REFIID riid, void **ppObject) PURE;

    // Set the type that manages new domains. E_NOTIMPL: .NET has no such managers.
    STDMETHOD(SetAppDomainManagerType)(THIS_ LPCWSTR pwzAppDomainManagerAssembly,
                                       LPCWSTR pwzAppDomainManagerType) PURE;
};

// Configures the default domain before Start. .NET has one domain, and no domain managers.
#undef INTERFACE
#define INTERFACE ICLRDomainManager
DECLARE_INTERFACE_(ICLRDomainManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Set the type that manages the default domain. E_NOTIMPL.
    STDMETHOD(SetAppDomainManagerType)(THIS_ LPCWSTR wszAppDomainManagerAssembly, LPCWSTR wszAppDomainManagerType,
                                       EInitializeNewDomainFlags dwInitializeDomainFlags) PURE;

    // Sets properties of the default domain: nProperties names and as many values.
    // AppContext.GetData returns them. E_INVALIDARG for a null text, HOST_E_INVALIDOPERATION once a
    // runtime runs.
    STDMETHOD(SetPropertiesForDefaultAppDomain)(THIS_ DWORD nProperties, LPCWSTR *pwszPropertyNames,
                                                LPCWSTR *pwszPropertyValues) PURE;
};

//
// The runtime host
//

// Starts the CLR and runs code in it. CLRCreateInstance, ICLRMetaHost::GetRuntime and
// ICLRRuntimeInfo::GetInterface lead to it.
#undef INTERFACE
#define INTERFACE ICLRRuntimeHost
DECLARE_INTERFACE_(ICLRRuntimeHost, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Starts the CLR. Settings that shape the start must come before it. S_FALSE if this object has
    // started it already.
    STDMETHOD(Start)(THIS) PURE;

    // Undoes one Start. S_FALSE while other starts are outstanding, E_UNEXPECTED if there was none.
    // A CLR that has started stays in the process until the process ends.
    STDMETHOD(Stop)(THIS) PURE;

    // Takes the host's IHostControl, and asks it for its managers before it returns. E_INVALIDARG
    // for null, E_ACCESSDENIED once the CLR has started. A second call adds managers that are
    // missing, and the first IHostControl stays.
    STDMETHOD(SetHostControl)(THIS_ IHostControl *pHostControl) PURE;

    // Returns the CLR's ICLRControl with a reference. E_POINTER for null. Call it before Start to
    // get all managers.
    STDMETHOD(GetCLRControl)(THIS_ ICLRControl **pCLRControl) PURE;

    // Unloads a domain of CreateAppDomainWithManager, and with fWaitUntilDone returns when it is
    // gone. COR_E_APPDOMAINUNLOADED if it is gone already, HOST_E_TIMEOUT if it does not go in
    // time, COR_E_CANNOTUNLOADAPPDOMAIN if the calling thread would wait for itself.
    // HOST_E_INVALIDOPERATION for domain 1, and where there never was a domain.
    STDMETHOD(UnloadAppDomain)(THIS_ DWORD dwAppDomainId, BOOL fWaitUntilDone) PURE;

    // Calls pCallback(cookie) in that domain on this thread, and returns its result.
    STDMETHOD(ExecuteInAppDomain)(THIS_ DWORD dwAppDomainId, FExecuteInAppDomainCallback pCallback,
                                  void *cookie) PURE;

    // Stores the number of this thread's domain. E_UNEXPECTED on a thread that the runtime does not
    // know.
    STDMETHOD(GetCurrentAppDomainId)(THIS_ DWORD *pdwAppDomainId) PURE;

    // Ran an application from its manifest (ClickOnce). E_NOTIMPL.
    STDMETHOD(ExecuteApplication)(THIS_ LPCWSTR pwzAppFullName, DWORD dwManifestPaths, LPCWSTR *ppwzManifestPaths,
                                  DWORD dwActivationData, LPCWSTR *ppwzActivationData, int *pReturnValue) PURE;

    // Loads an assembly, calls its `static int METHOD(string)` on this thread, and stores the
    // result. pwzArgument and pReturnValue may be null. COR_E_MISSINGMETHOD if there is no method
    // with that name and signature. Otherwise the HRESULT of the exception that left the method, or
    // of the failure to load.
    STDMETHOD(ExecuteInDefaultAppDomain)(THIS_ LPCWSTR pwzAssemblyPath, LPCWSTR pwzTypeName, LPCWSTR pwzMethodName,
                                         LPCWSTR pwzArgument, DWORD *pReturnValue) PURE;
};

#ifdef __cplusplus
#define SOGLIA_ICLRRUNTIMEHOST_METHODS
#else
#define SOGLIA_ICLRRUNTIMEHOST_METHODS \
    SOGLIA_IUNKNOWN_METHODS \
    STDMETHOD(Start)(THIS); \
    STDMETHOD(Stop)(THIS); \
    STDMETHOD(SetHostControl)(THIS_ IHostControl *pHostControl); \
    STDMETHOD(GetCLRControl)(THIS_ ICLRControl **pCLRControl); \
    STDMETHOD(UnloadAppDomain)(THIS_ DWORD dwAppDomainId, BOOL fWaitUntilDone); \
    STDMETHOD(ExecuteInAppDomain)(THIS_ DWORD dwAppDomainId, FExecuteInAppDomainCallback pCallback, void *cookie); \
    STDMETHOD(GetCurrentAppDomainId)(THIS_ DWORD *pdwAppDomainId); \
    STDMETHOD(ExecuteApplication)(THIS_ LPCWSTR pwzAppFullName, DWORD dwManifestPaths, LPCWSTR *ppwzManifestPaths, \
                                  DWORD dwActivationData, LPCWSTR *ppwzActivationData, int *pReturnValue); \
    STDMETHOD(ExecuteInDefaultAppDomain)(THIS_ LPCWSTR pwzAssemblyPath, LPCWSTR pwzTypeName, LPCWSTR pwzMethodName, \
                                         LPCWSTR pwzArgument, DWORD *pReturnValue);
#endif

// Domains and function pointers, which .NET Core added.
#undef INTERFACE
#define INTERFACE ICLRRuntimeHost2
DECLARE_INTERFACE_(ICLRRuntimeHost2, ICLRRuntimeHost) {
    SOGLIA_ICLRRUNTIMEHOST_METHODS

    // Makes a domain, an AssemblyLoadContext that can be unloaded, and stores its number. It finds
    // assemblies by the properties TRUSTED_PLATFORM_ASSEMBLIES, APP_PATHS and APPBASE, and native
    // libraries by NATIVE_DLL_SEARCH_DIRECTORIES. An object of the manager's type, if one is named,
    // lives as long as the domain. Flags have no effect. The HRESULT of the exception if there can
    // be no such object.
    STDMETHOD(CreateAppDomainWithManager)(THIS_ LPCWSTR wszFriendlyName, DWORD dwFlags,
                                          LPCWSTR wszAppDomainManagerAssemblyName,
                                          LPCWSTR wszAppDomainManagerTypeName, int nProperties,
                                          LPCWSTR *pPropertyNames, LPCWSTR *pPropertyValues,
                                          DWORD *pAppDomainID) PURE;

    // Stores a native function pointer that calls a static managed method. The assembly is named as
    // in .NET ("Plugin"). A name with a '/' in it is the assembly's file: then the method must have
    // UnmanagedCallersOnly, and the file must be named after the assembly. In a domain of
    // CreateAppDomainWithManager, the method must have UnmanagedCallersOnly, and the pointer does
    // nothing once the domain is unloaded.
    STDMETHOD(CreateDelegate)(THIS_ DWORD appDomainID, LPCWSTR wszAssemblyName, LPCWSTR wszClassName,
                              LPCWSTR wszMethodName, INT_PTR *fnPtr) PURE;

    // S_OK. The key is not read.
    STDMETHOD(Authenticate)(THIS_ ULONGLONG authKey) PURE;

    // S_OK. It has a meaning on macOS only.
    STDMETHOD(RegisterMacEHPort)(THIS) PURE;

    // Sets STARTUP_FLAGS. .NET still reads CONCURRENT_GC, SERVER_GC and HOARD_GC_VM.
    // HOST_E_INVALIDOPERATION once a runtime runs.
    STDMETHOD(SetStartupFlags)(THIS_ STARTUP_FLAGS dwFlags) PURE;

    // Belongs to the Windows Runtime. E_NOTIMPL.
    STDMETHOD(DllGetActivationFactory)(THIS_ DWORD appDomainID, LPCWSTR wszTypeName,
                                       IActivationFactory **factory) PURE;

    // Runs an assembly's Main on this thread with argc arguments, and stores its exit code.
    STDMETHOD(ExecuteAssembly)(THIS_ DWORD dwAppDomainId, LPCWSTR pwzAssemblyPath, int argc, LPCWSTR *argv,
                               DWORD *pReturnValue) PURE;
};

#ifdef __cplusplus
#define SOGLIA_ICLRRUNTIMEHOST2_METHODS
#else
#define SOGLIA_ICLRRUNTIMEHOST2_METHODS \
    SOGLIA_ICLRRUNTIMEHOST_METHODS \
    STDMETHOD(CreateAppDomainWithManager)(THIS_ LPCWSTR wszFriendlyName, DWORD dwFlags, \
                                          LPCWSTR wszAppDomainManagerAssemblyName, \
                                          LPCWSTR wszAppDomainManagerTypeName, int nProperties, \
                                          LPCWSTR *pPropertyNames, LPCWSTR *pPropertyValues, DWORD *pAppDomainID); \
    STDMETHOD(CreateDelegate)(THIS_ DWORD appDomainID, LPCWSTR wszAssemblyName, LPCWSTR wszClassName, \
                              LPCWSTR wszMethodName, INT_PTR *fnPtr); \
    STDMETHOD(Authenticate)(THIS_ ULONGLONG authKey); \
    STDMETHOD(RegisterMacEHPort)(THIS); \
    STDMETHOD(SetStartupFlags)(THIS_ STARTUP_FLAGS dwFlags); \
    STDMETHOD(DllGetActivationFactory)(THIS_ DWORD appDomainID, LPCWSTR wszTypeName, IActivationFactory **factory); \
    STDMETHOD(ExecuteAssembly)(THIS_ DWORD dwAppDomainId, LPCWSTR pwzAssemblyPath, int argc, LPCWSTR *argv, \
                               DWORD *pReturnValue);
#endif

// What .NET Core added last. There never was an ICLRRuntimeHost3.
#undef INTERFACE
#define INTERFACE ICLRRuntimeHost4
DECLARE_INTERFACE_(ICLRRuntimeHost4, ICLRRuntimeHost2) {
    SOGLIA_ICLRRUNTIMEHOST2_METHODS

    // As UnloadAppDomain. It also stores what ExecuteAssembly has returned last in the domain.
    STDMETHOD(UnloadAppDomain2)(THIS_ DWORD dwAppDomainId, BOOL fWaitUntilDone, int *pLatchedExitCode) PURE;
};

// Paused and resumed all managed threads of a domain, in Silverlight for phones. Not in .NET.
#undef INTERFACE
#define INTERFACE ICLRExecutionManager
DECLARE_INTERFACE_(ICLRExecutionManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Stops the domain's threads at their next safe place.
    STDMETHOD(Pause)(THIS_ DWORD dwAppDomainId, DWORD dwFlags) PURE;

    // Lets the domain's threads run on.
    STDMETHOD(Resume)(THIS_ DWORD dwAppDomainId) PURE;
};

//
// Finding a runtime
//

// Finds runtimes. CLRCreateInstance(CLSID_CLRMetaHost, IID_ICLRMetaHost, ...) returns it.
#undef INTERFACE
#define INTERFACE ICLRMetaHost
DECLARE_INTERFACE_(ICLRMetaHost, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns the ICLRRuntimeInfo of a version, such as "v10.0". The versions of .NET Framework,
    // "v4.0.30319" and "v2.0.50727", mean the newest .NET that is installed. CLR_E_SHIM_RUNTIMELOAD
    // if there is none.
    STDMETHOD(GetRuntime)(THIS_ LPCWSTR pwzVersion, REFIID riid, LPVOID *ppRuntime) PURE;

    // Stores the version that an assembly was built for, from its metadata. *pcchBuffer is the room
    // of the buffer in WCHARs. It becomes the number that is needed, with the final zero.
    STDMETHOD(GetVersionFromFile)(THIS_ LPCWSTR pwzFilePath, LPWSTR pwzBuffer, DWORD *pcchBuffer) PURE;

    // Returns an enumeration of the installed runtimes, as ICLRRuntimeInfo objects.
    STDMETHOD(EnumerateInstalledRuntimes)(THIS_ IEnumUnknown **ppEnumerator) PURE;

    // Returns an enumeration of the runtimes that are loaded in a process. On Linux hndProcess is a
    // process ID; 0 and -1 mean this process.
    STDMETHOD(EnumerateLoadedRuntimes)(THIS_ HANDLE hndProcess, IEnumUnknown **ppEnumerator) PURE;

    // Asked for a call when a runtime is loaded. E_NOTIMPL.
    STDMETHOD(RequestRuntimeLoadedNotification)(THIS_ RuntimeLoadedCallbackFnPtr pCallbackFunction) PURE;

    // Returned the runtime that legacy calls are bound to. E_NOTIMPL.
    STDMETHOD(QueryLegacyV2RuntimeBinding)(THIS_ REFIID riid, LPVOID *ppUnk) PURE;

    // Ends the process. If a runtime runs, its exit handlers run first.
    STDMETHOD(ExitProcess)(THIS_ INT32 iExitCode) PURE;
};

// Chooses a runtime by policy and configuration file.
#undef INTERFACE
#define INTERFACE ICLRMetaHostPolicy
DECLARE_INTERFACE_(ICLRMetaHostPolicy, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns the runtime that fits a program, a configuration and a version together. pwzVersion
    // holds the wanted version and receives the one that was found. Sizes are as in
    // GetVersionFromFile.
    STDMETHOD(GetRequestedRuntime)(THIS_ METAHOST_POLICY_FLAGS dwPolicyFlags, LPCWSTR pwzBinary, IStream *pCfgStream,
                                   LPWSTR pwzVersion, DWORD *pcchVersion, LPWSTR pwzImageVersion,
                                   DWORD *pcchImageVersion, DWORD *pdwConfigFlags, REFIID riid,
                                   LPVOID *ppRuntime) PURE;
};

// One runtime: its properties, and the interface that starts it.
#undef INTERFACE
#define INTERFACE ICLRRuntimeInfo
DECLARE_INTERFACE_(ICLRRuntimeInfo, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Stores the runtime's version. *pcchBuffer is the room of the buffer in WCHARs. It becomes the
    // number that is needed, with the final zero.
    STDMETHOD(GetVersionString)(THIS_ LPWSTR pwzBuffer, DWORD *pcchBuffer) PURE;

    // Stores the runtime's directory, with a final separator. Sizes are as in GetVersionString.
    STDMETHOD(GetRuntimeDirectory)(THIS_ LPWSTR pwzBuffer, DWORD *pcchBuffer) PURE;

    // Stores whether that process has loaded this runtime.
    STDMETHOD(IsLoaded)(THIS_ HANDLE hndProcess, BOOL *pbLoaded) PURE;

    // Stored the text of one of the runtime's errors. E_NOTIMPL: the texts are resources of a
    // Windows DLL.
    STDMETHOD(LoadErrorString)(THIS_ UINT iResourceID, LPWSTR pwzBuffer, DWORD *pcchBuffer, LONG iLocaleID) PURE;

    // Loads a library from the runtime's directory.
    STDMETHOD(LoadLibrary)(THIS_ LPCWSTR pwzDllName, HMODULE *phndModule) PURE;

    // Stores the address of one of the runtime's exports. CLR_E_SHIM_RUNTIMEEXPORT if there is no
    // such export.
    STDMETHOD(GetProcAddress)(THIS_ LPCSTR pszProcName, LPVOID *ppProc) PURE;

    // Returns an interface of the runtime: (CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost) is the one
    // for hosts.
    STDMETHOD(GetInterface)(THIS_ REFCLSID rclsid, REFIID riid, LPVOID *ppUnk) PURE;

    // Stores whether this process can still load this runtime. A process takes one .NET.
    STDMETHOD(IsLoadable)(THIS_ BOOL *pbLoadable) PURE;

    // Sets the STARTUP_FLAGS and the configuration file for the start. A null file means the
    // default. HOST_E_INVALIDOPERATION once a runtime runs.
    STDMETHOD(SetDefaultStartupFlags)(THIS_ DWORD dwStartupFlags, LPCWSTR pwzHostConfigFile) PURE;

    // Stores the flags and the file that SetDefaultStartupFlags has set.
    STDMETHOD(GetDefaultStartupFlags)(THIS_ DWORD *pdwStartupFlags, LPWSTR pwzHostConfigFile,
                                      DWORD *pcchHostConfigFile) PURE;

    // Bound legacy calls, such as CorBindToRuntimeEx, to this runtime. E_NOTIMPL.
    STDMETHOD(BindAsLegacyV2Runtime)(THIS) PURE;

    // Stores whether this runtime has started in this process, and with which flags.
    STDMETHOD(IsStarted)(THIS_ BOOL *pbStarted, DWORD *pdwStartupFlags) PURE;
};

//
// Tasks, the host's side
//

// The host's tasks. The CLR creates, schedules and finds threads through it, and the engine
// notifies it of every crossing between managed and unmanaged code.
//
// For managed code that calls unmanaged A, which calls managed B, which calls unmanaged C, the
// calls are LeaveRuntime(A), ReverseEnterRuntime, LeaveRuntime(C), EnterRuntime,
// ReverseLeaveRuntime, EnterRuntime. On each thread they form a stack. On a thread that unmanaged
// code has created, the first is ReverseEnterRuntime.
//
// All methods are called on the thread that they are about, in preemptive mode, on several threads
// at once, and also on threads that the host has not seen before. The host may block in the four
// crossings, in Sleep, SwitchToTask and Join. It must not call managed code from any method.
// Microsoft's page says that E_FAIL from a method takes the CLR out of use in this process: every
// hosting method returns HOST_E_CLRNOTAVAILABLE from then on.
#undef INTERFACE
#define INTERFACE IHostTaskManager
DECLARE_INTERFACE_(IHostTaskManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns the task of the calling thread, with a reference. Called on that thread: as a thread
    // that .NET has created begins, and on others before their first notification. In .NET
    // Framework a null task kept the thread out of managed code. Today it cannot: the thread runs
    // without a task and without notifications.
    STDMETHOD(GetCurrentTask)(THIS_ IHostTask **pTask) PURE;

    // Returns a task for a new thread, suspended until IHostTask::Start. dwStackSize is in bytes, 0
    // for the default. Called for each Thread that starts, of the thread pool too, on the thread
    // that starts it. Call pStartAddress once with pParameter, on a thread with such a stack. It
    // returns 0 when the task is over. After E_NOTIMPL, or S_OK without a task, .NET creates the
    // thread. After any other failure Thread.Start throws OutOfMemoryException.
    STDMETHOD(CreateTask)(THIS_ DWORD dwStackSize, LPTHREAD_START_ROUTINE pStartAddress, PVOID pParameter,
                          IHostTask **ppTask) PURE;

    // This thread sleeps: managed code has called Thread.Sleep in any form. option is
    // WAIT_ALERTABLE. Return S_OK when it has slept, HOST_E_INTERRUPTED after an Alert. After
    // HOST_E_INTERRUPTED, managed code gets its ThreadInterruptedException if it was interrupted;
    // otherwise this method is called again for the rest of the time. After any other result .NET
    // sleeps itself.
    STDMETHOD(Sleep)(THIS_ DWORD dwMilliseconds, DWORD option) PURE;

    // This thread has nothing to do at the moment, in Thread.Yield or in a spin. The host may run
    // another task. Return S_OK if it did. After any other result .NET yields itself. option is 0.
    STDMETHOD(SwitchToTask)(THIS_ DWORD option) PURE;

    // Managed code sets this thread's UI culture. E_NOTIMPL leaves it to .NET, which sets the
    // culture. After any other failure the culture is not set, and an ArgumentException is thrown.
    STDMETHOD(SetUILocale)(THIS_ LCID lcid) PURE;

    // Managed code sets this thread's culture. Results have the same meaning as in SetUILocale.
    STDMETHOD(SetLocale)(THIS_ LCID lcid) PURE;

    // Store whether LeaveRuntime and EnterRuntime should be called for the unmanaged function at
    // target. FALSE saves the cost of both. The result code is ignored: only the BOOL counts, which
    // is FALSE beforehand. It has no effect on the reverse pair.
    STDMETHOD(CallNeedsHostHook)(THIS_ SIZE_T target, BOOL *pbCallNeedsHostHook) PURE;

    // This thread leaves managed code: it is about to call the unmanaged function at target (0 if
    // that is unknown). A failure denies the call: it becomes a managed exception, the function is
    // not called, and no EnterRuntime follows. Denying needs crossings from the `woven` source,
    // since the runtime's own callbacks cannot be denied.
    STDMETHOD(LeaveRuntime)(THIS_ SIZE_T target) PURE;

    // The unmanaged function has returned to this thread's managed code: one call for each
    // LeaveRuntime that succeeded. A failure becomes a managed exception. What the function did
    // stays done, and its result is lost.
    STDMETHOD(EnterRuntime)(THIS) PURE;

    // Managed code returns to the unmanaged code that had called it.
    STDMETHOD(ReverseLeaveRuntime)(THIS) PURE;

    // Unmanaged code calls managed code on this thread: a callback, or the first managed code of a
    // thread that unmanaged code has created. Any result except S_OK, even S_FALSE, denies the call
    // where that is still possible.
    STDMETHOD(ReverseEnterRuntime)(THIS) PURE;

    // This thread must not be aborted from here to the matching End. Called for the outermost
    // Thread.BeginCriticalRegion; .NET Framework 4 never called it. E_UNEXPECTED if there is a
    // Begin already.
    STDMETHOD(BeginDelayAbort)(THIS) PURE;

    // Ends that region, if its Begin succeeded. E_UNEXPECTED without a Begin.
    STDMETHOD(EndDelayAbort)(THIS) PURE;

    // The task must stay on its thread from here to the matching End. Called for each
    // Thread.BeginThreadAffinity: pairs nest, and the host counts them. The result is ignored.
    STDMETHOD(BeginThreadAffinity)(THIS) PURE;

    // Ends that region. E_UNEXPECTED without a Begin.
    STDMETHOD(EndThreadAffinity)(THIS) PURE;

    // Set how many bytes of stack must be left after a stack overflow. Windows only: not called.
    STDMETHOD(SetStackGuarantee)(THIS_ ULONG guarantee) PURE;

    // Stored what SetStackGuarantee has set. Not called.
    STDMETHOD(GetStackGuarantee)(THIS_ ULONG *pGuarantee) PURE;

    // Gives the host the CLR's side, once, inside SetHostControl, right after GetHostManager
    // returned this manager. Keep the pointer: it lives as long as the CLR.
    STDMETHOD(SetCLRTaskManager)(THIS_ ICLRTaskManager *ppManager) PURE;
};

// One task of the host: a thread, as the CLR sees it. The CLR holds a reference from GetCurrentTask
// until the thread has ended.
#undef INTERFACE
#define INTERFACE IHostTask
DECLARE_INTERFACE_(IHostTask, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Lets a task of CreateTask run. Called right after it, on the same thread. It must return at
    // once: .NET waits, with a lock held, until the task has begun. A failure counts as one of
    // CreateTask.
    STDMETHOD(Start)(THIS) PURE;

    // Wakes the task from a wait with WAIT_ALERTABLE, or from its next one: managed code has called
    // Thread.Interrupt. Called on any thread. It must return at once.
    STDMETHOD(Alert)(THIS) PURE;

    // Waits for the task's end, at most 100 ms at a time: managed code has called Thread.Join in
    // any form. option is WAIT_ALERTABLE and WAIT_NOTINDEADLOCK. After S_OK, .NET checks itself
    // whether the thread has ended. After HOST_E_TIMEOUT it calls again until the time is over.
    // HOST_E_INTERRUPTED has the same meaning as in Sleep. After any other result .NET waits
    // itself.
    STDMETHOD(Join)(THIS_ DWORD dwMilliseconds, DWORD option) PURE;

    // Sets a THREAD_PRIORITY_ value, from Thread.Priority. The host may ignore it and return S_OK.
    // After E_NOTIMPL, .NET sets the priority itself. After any other failure the priority stays as
    // it was.
    STDMETHOD(SetPriority)(THIS_ int newPriority) PURE;

    // Stores the priority. After any result except S_OK, .NET uses its own.
    STDMETHOD(GetPriority)(THIS_ int *pPriority) PURE;

    // Lends the CLR's side of the task. Called on the task's own thread when the CLR first sees it.
    // A failure denies the crossing that it came with. A host that keeps the pointer for longer
    // than the thread lives calls AddRef.
    STDMETHOD(SetCLRTask)(THIS_ ICLRTask *pCLRTask) PURE;
};

//
// Tasks, the CLR's side
//

// The CLR's side of IHostTaskManager. SetCLRTaskManager and ICLRControl::GetCLRManager return it.
#undef INTERFACE
#define INTERFACE ICLRTaskManager
DECLARE_INTERFACE_(ICLRTaskManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Makes the calling thread a task of the CLR. The CLR must not know the thread yet:
    // HOST_E_INVALIDOPERATION.
    STDMETHOD(CreateTask)(THIS_ ICLRTask **pTask) PURE;

    // Lends the CLR's task of the calling thread, without a reference, or null. It allocates no
    // memory.
    STDMETHOD(GetCurrentTask)(THIS_ ICLRTask **pTask) PURE;

    // Sets this thread's UI culture, because the host has set its UI locale.
    // HOST_E_INVALIDOPERATION if the CLR does not know the thread, E_INVALIDARG if .NET does not
    // know the culture.
    STDMETHOD(SetUILocale)(THIS_ LCID lcid) PURE;

    // Sets this thread's culture, as SetUILocale sets the UI culture.
    STDMETHOD(SetLocale)(THIS_ LCID lcid) PURE;

    // Stores what the calling thread is for: one value of ETaskType. A thread that runs managed
    // code for the program is TT_USER. A thread that the CLR does not know is TT_UNKNOWN.
    STDMETHOD(GetCurrentTaskType)(THIS_ ETaskType *pTaskType) PURE;
};

// The CLR's side of a task. GetCurrentTask, SetCLRTask and CreateTask return it.
#undef INTERFACE
#define INTERFACE ICLRTask
DECLARE_INTERFACE_(ICLRTask, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Said that the task runs on this thread from here on. E_NOTIMPL: .NET's threads cannot be
    // switched.
    STDMETHOD(SwitchIn)(THIS_ HANDLE threadHandle) PURE;

    // Said that the task is off its thread. E_NOTIMPL, as in .NET Framework 4.
    STDMETHOD(SwitchOut)(THIS) PURE;

    // Stores the bytes that the task has allocated. Set the structure to zero first: Flags is only
    // ever set, never cleared. E_NOTIMPL on another thread than the task's.
    STDMETHOD(GetMemStats)(THIS_ COR_GC_THREAD_STATS *memUsage) PURE;

    // Made the thread as new, to be used again. fFull cleared statistics too. E_NOTIMPL.
    STDMETHOD(Reset)(THIS_ BOOL fFull) PURE;

    // Ended the task, on its own thread. E_NOTIMPL.
    STDMETHOD(ExitTask)(THIS) PURE;

    // Asks the CLR to abort what the task runs, and returns at once. The task's next crossing
    // throws COR_E_THREADABORTED, or its wait ends. E_NOTIMPL if the task runs nothing that
    // ExecuteInDefaultAppDomain has started, and without an IHostTaskManager.
    STDMETHOD(Abort)(THIS) PURE;

    // As Abort, again and again until what the task runs is over, also in finally blocks.
    STDMETHOD(RudeAbort)(THIS) PURE;

    // Stores TRUE if the task should be scheduled first: it is in managed code, or it is the
    // finalizer.
    STDMETHOD(NeedsPriorityScheduling)(THIS_ BOOL *pbNeedsPriorityScheduling) PURE;

    // Asks the task to let others run. HOST_E_INVALIDOPERATION on the task's own thread, S_FALSE if
    // it has been asked already.
    STDMETHOD(YieldTask)(THIS) PURE;

    // Stores the number of critical regions that the task is in; .NET does not report locks.
    // E_NOTIMPL if the host has no IHostTaskManager.
    STDMETHOD(LocksHeld)(THIS_ SIZE_T *pLockCount) PURE;

    // Sets the host's number for the task, for debuggers and reports to show. Microsoft's page says
    // DWORD; the ABI has 64 bits.
    STDMETHOD(SetTaskIdentifier)(THIS_ TASKID asked) PURE;
};

#ifdef __cplusplus
#define SOGLIA_ICLRTASK_METHODS
#else
#define SOGLIA_ICLRTASK_METHODS \
    SOGLIA_IUNKNOWN_METHODS \
    STDMETHOD(SwitchIn)(THIS_ HANDLE threadHandle); \
    STDMETHOD(SwitchOut)(THIS); \
    STDMETHOD(GetMemStats)(THIS_ COR_GC_THREAD_STATS *memUsage); \
    STDMETHOD(Reset)(THIS_ BOOL fFull); \
    STDMETHOD(ExitTask)(THIS); \
    STDMETHOD(Abort)(THIS); \
    STDMETHOD(RudeAbort)(THIS); \
    STDMETHOD(NeedsPriorityScheduling)(THIS_ BOOL *pbNeedsPriorityScheduling); \
    STDMETHOD(YieldTask)(THIS); \
    STDMETHOD(LocksHeld)(THIS_ SIZE_T *pLockCount); \
    STDMETHOD(SetTaskIdentifier)(THIS_ TASKID asked);
#endif

// Delays aborts.
#undef INTERFACE
#define INTERFACE ICLRTask2
DECLARE_INTERFACE_(ICLRTask2, ICLRTask) {
    SOGLIA_ICLRTASK_METHODS

    // The task is not aborted from here to the matching End. Calls nest. HOST_E_INVALIDOPERATION on
    // another thread than the task's.
    STDMETHOD(BeginPreventAsyncAbort)(THIS) PURE;

    // Ends one such region. E_UNEXPECTED without a Begin.
    STDMETHOD(EndPreventAsyncAbort)(THIS) PURE;
};

//
// Thread pool and I/O completion
//

// The host's thread pool. .NET's thread pool has the host run its work items, if the host has an
// IHostTaskManager too.
#undef INTERFACE
#define INTERFACE IHostThreadpoolManager
DECLARE_INTERFACE_(IHostThreadpoolManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Has a thread of the host call Function(Context), which runs work items until none is left.
    // Flags is 0: the calling thread must not call it. After a failure .NET's own thread pool runs
    // them.
    STDMETHOD(QueueUserWorkItem)(THIS_ LPTHREAD_START_ROUTINE Function, PVOID Context, ULONG Flags) PURE;

    // Sets the largest number of worker threads. After E_NOTIMPL, .NET sets its own.
    STDMETHOD(SetMaxThreads)(THIS_ DWORD dwMaxWorkerThreads) PURE;

    // Stores the largest number of worker threads. After a failure, .NET's own counts.
    STDMETHOD(GetMaxThreads)(THIS_ DWORD *pdwMaxWorkerThreads) PURE;

    // Stores how many more workers there could be now. After a failure, .NET's own counts.
    STDMETHOD(GetAvailableThreads)(THIS_ DWORD *pdwAvailableWorkerThreads) PURE;

    // Sets the smallest number of worker threads. After E_NOTIMPL, .NET sets its own. The
    // parameter's name is the IDL's.
    STDMETHOD(SetMinThreads)(THIS_ DWORD dwMinIOCompletionThreads) PURE;

    // Stores the smallest number of worker threads. After a failure, .NET's own counts.
    STDMETHOD(GetMinThreads)(THIS_ DWORD *pdwMinIOCompletionThreads) PURE;
};

// The host's I/O completion. Windows only, so no method is called.
#undef INTERFACE
#define INTERFACE IHostIoCompletionManager
DECLARE_INTERFACE_(IHostIoCompletionManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns a port to bind handles to.
    STDMETHOD(CreateIoCompletionPort)(THIS_ HANDLE *phPort) PURE;

    // Closes a port.
    STDMETHOD(CloseIoCompletionPort)(THIS_ HANDLE hPort) PURE;

    // Sets the largest number of threads that serve completions.
    STDMETHOD(SetMaxThreads)(THIS_ DWORD dwMaxIOCompletionThreads) PURE;

    // Stores the largest number of threads that serve completions.
    STDMETHOD(GetMaxThreads)(THIS_ DWORD *pdwMaxIOCompletionThreads) PURE;

    // Stores how many more such threads there could be now.
    STDMETHOD(GetAvailableThreads)(THIS_ DWORD *pdwAvailableIOCompletionThreads) PURE;

    // Stores how many bytes of its own the host wants behind each OVERLAPPED.
    STDMETHOD(GetHostOverlappedSize)(THIS_ DWORD *pcbSize) PURE;

    // Gives the host the CLR's side.
    STDMETHOD(SetCLRIoCompletionManager)(THIS_ ICLRIoCompletionManager *pManager) PURE;

    // Initialises the host's bytes behind an OVERLAPPED.
    STDMETHOD(InitializeHostOverlapped)(THIS_ void *pvOverlapped) PURE;

    // Binds a handle to a port, or to the host's own port with null.
    STDMETHOD(Bind)(THIS_ HANDLE hPort, HANDLE hHandle) PURE;

    // Sets the smallest number of threads that serve completions.
    STDMETHOD(SetMinThreads)(THIS_ DWORD dwMinIOCompletionThreads) PURE;

    // Stores the smallest number of threads that serve completions.
    STDMETHOD(GetMinThreads)(THIS_ DWORD *pdwMinIOCompletionThreads) PURE;
};

// The CLR's side of IHostIoCompletionManager.
#undef INTERFACE
#define INTERFACE ICLRIoCompletionManager
DECLARE_INTERFACE_(ICLRIoCompletionManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // An operation has ended: its error, its bytes and its OVERLAPPED.
    STDMETHOD(OnComplete)(THIS_ DWORD dwErrorCode, DWORD NumberOfBytesTransferred, void *pvOverlapped) PURE;
};

//
// Synchronisation
//

// The host's locks and events. Threads wait on them for what managed code waits for.
// The runtime's own locks are no critical sections of the host.
#undef INTERFACE
#define INTERFACE IHostSyncManager
DECLARE_INTERFACE_(IHostSyncManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Gives the host the CLR's side.
    STDMETHOD(SetCLRSyncManager)(THIS_ ICLRSyncManager *pManager) PURE;

    // Returns a critical section.
    STDMETHOD(CreateCrst)(THIS_ IHostCrst **ppCrst) PURE;

    // Returns a critical section that spins dwSpinCount times before it waits.
    STDMETHOD(CreateCrstWithSpinCount)(THIS_ DWORD dwSpinCount, IHostCrst **ppCrst) PURE;

    // Returns an event that lets one waiter through for each Set.
    STDMETHOD(CreateAutoEvent)(THIS_ IHostAutoEvent **ppEvent) PURE;

    // Returns an event that stays set until Reset.
    STDMETHOD(CreateManualEvent)(THIS_ BOOL bInitialState, IHostManualEvent **ppEvent) PURE;

    // Returns the event behind a managed monitor. Cookie is for ICLRSyncManager::GetMonitorOwner.
    STDMETHOD(CreateMonitorEvent)(THIS_ SIZE_T Cookie, IHostAutoEvent **ppEvent) PURE;

    // Returns the event for the writers of a reader-writer lock.
    STDMETHOD(CreateRWLockWriterEvent)(THIS_ SIZE_T Cookie, IHostAutoEvent **ppEvent) PURE;

    // Returns the event for the readers of a reader-writer lock.
    STDMETHOD(CreateRWLockReaderEvent)(THIS_ BOOL bInitialState, SIZE_T Cookie, IHostManualEvent **ppEvent) PURE;

    // Returns a semaphore.
    STDMETHOD(CreateSemaphore)(THIS_ DWORD dwInitial, DWORD dwMax, IHostSemaphore **ppSemaphore) PURE;
};

// Says which task owns a lock, for a host that looks for deadlocks. Cookies are those of
// IHostSyncManager.
#undef INTERFACE
#define INTERFACE ICLRSyncManager
DECLARE_INTERFACE_(ICLRSyncManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns the task that owns a monitor, with a reference, or null.
    STDMETHOD(GetMonitorOwner)(THIS_ SIZE_T Cookie, IHostTask **ppOwnerHostTask) PURE;

    // Begins a list of the owners of a reader-writer lock.
    STDMETHOD(CreateRWLockOwnerIterator)(THIS_ SIZE_T Cookie, SIZE_T *pIterator) PURE;

    // Returns the next owner of the list, with a reference, or null.
    STDMETHOD(GetRWLockOwnerNext)(THIS_ SIZE_T Iterator, IHostTask **ppOwnerHostTask) PURE;

    // Ends the list.
    STDMETHOD(DeleteRWLockOwnerIterator)(THIS_ SIZE_T Iterator) PURE;
};

// A critical section of the host, which one thread may enter several times.
#undef INTERFACE
#define INTERFACE IHostCrst
DECLARE_INTERFACE_(IHostCrst, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Waits for the critical section and enters it. option is WAIT_NOTINDEADLOCK, or 0 for a wait
    // that HOST_E_DEADLOCK may end.
    STDMETHOD(Enter)(THIS_ DWORD option) PURE;

    // Leaves the critical section.
    STDMETHOD(Leave)(THIS) PURE;

    // Enters the critical section if it is free.
    STDMETHOD(TryEnter)(THIS_ DWORD option, BOOL *pbSucceeded) PURE;

    // Sets how many times to spin before a wait.
    STDMETHOD(SetSpinCount)(THIS_ DWORD dwSpinCount) PURE;
};

// An event of the host that lets one waiter through for each Set.
#undef INTERFACE
#define INTERFACE IHostAutoEvent
DECLARE_INTERFACE_(IHostAutoEvent, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, HOST_E_ABANDONED or HOST_E_DEADLOCK.
    STDMETHOD(Wait)(THIS_ DWORD dwMilliseconds, DWORD option) PURE;

    // Lets one waiter through, now or when it comes.
    STDMETHOD(Set)(THIS) PURE;
};

// An event of the host that stays set.
#undef INTERFACE
#define INTERFACE IHostManualEvent
DECLARE_INTERFACE_(IHostManualEvent, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, HOST_E_ABANDONED or HOST_E_DEADLOCK.
    STDMETHOD(Wait)(THIS_ DWORD dwMilliseconds, DWORD option) PURE;

    // Makes waiters wait again.
    STDMETHOD(Reset)(THIS) PURE;

    // Lets all waiters through, until Reset.
    STDMETHOD(Set)(THIS) PURE;
};

// A semaphore of the host.
#undef INTERFACE
#define INTERFACE IHostSemaphore
DECLARE_INTERFACE_(IHostSemaphore, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns S_OK, HOST_E_TIMEOUT or HOST_E_INTERRUPTED.
    STDMETHOD(Wait)(THIS_ DWORD dwMilliseconds, DWORD option) PURE;

    // Adds lReleaseCount to the count, and stores the previous count if lpPreviousCount is not
    // null.
    STDMETHOD(ReleaseSemaphore)(THIS_ LONG lReleaseCount, LONG *lpPreviousCount) PURE;
};

//
// Memory
//

// The host's memory. .NET's allocations cannot be redirected, so no allocating method is called.
// The other methods may be called while all threads stand still.
#undef INTERFACE
#define INTERFACE IHostMemoryManager
DECLARE_INTERFACE_(IHostMemoryManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns a heap. dwMallocType is a bit set of MALLOC_TYPE.
    STDMETHOD(CreateMalloc)(THIS_ DWORD dwMallocType, IHostMalloc **ppMalloc) PURE;

    // Allocates pages, with the flags of Windows. The level says what is lost if there are none.
    STDMETHOD(VirtualAlloc)(THIS_ void *pAddress, SIZE_T dwSize, DWORD flAllocationType, DWORD flProtect,
                            EMemoryCriticalLevel eCriticalLevel, void **ppMem) PURE;

    // Frees pages.
    STDMETHOD(VirtualFree)(THIS_ LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType) PURE;

    // Describes the pages at an address.
    STDMETHOD(VirtualQuery)(THIS_ void *lpAddress, void *lpBuffer, SIZE_T dwLength, SIZE_T *pResult) PURE;

    // Changes the protection of pages, and stores the previous one.
    STDMETHOD(VirtualProtect)(THIS_ void *lpAddress, SIZE_T dwSize, DWORD flNewProtect, DWORD *pflOldProtect) PURE;

    // Stores how full the machine's memory is, in percent, and how much is free, in bytes. Called
    // in each collection. After S_OK the collector goes by this, and otherwise by what the system
    // says.
    STDMETHOD(GetMemoryLoad)(THIS_ DWORD *pMemoryLoad, SIZE_T *pAvailableBytes) PURE;

    // Gives the host an ICLRMemoryNotificationCallback to call when memory is scarce. Called inside
    // SetHostControl.
    STDMETHOD(RegisterMemoryNotificationCallback)(THIS_ ICLRMemoryNotificationCallback *pCallback) PURE;

    // The CLR wants to use this much address space, and there is none. After a success it tries
    // again.
    STDMETHOD(NeedsVirtualAddressSpace)(THIS_ LPVOID startAddress, SIZE_T size) PURE;

    // The CLR has taken address space without the host. The result is ignored.
    STDMETHOD(AcquiredVirtualAddressSpace)(THIS_ LPVOID startAddress, SIZE_T size) PURE;

    // The CLR gives that address space back. The result is ignored.
    STDMETHOD(ReleasedVirtualAddressSpace)(THIS_ LPVOID startAddress) PURE;
};

// A heap of the host. Not called.
#undef INTERFACE
#define INTERFACE IHostMalloc
DECLARE_INTERFACE_(IHostMalloc, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Allocates cbSize bytes. The level says what is lost if there are none.
    STDMETHOD(Alloc)(THIS_ SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel, void **ppMem) PURE;

    // As Alloc, with the place in the source that asks.
    STDMETHOD(DebugAlloc)(THIS_ SIZE_T cbSize, EMemoryCriticalLevel eCriticalLevel, char *pszFileName, int iLineNo,
                          void **ppMem) PURE;

    // Frees what Alloc returned.
    STDMETHOD(Free)(THIS_ void *pMem) PURE;
};

// The host calls it when memory is scarce.
#undef INTERFACE
#define INTERFACE ICLRMemoryNotificationCallback
DECLARE_INTERFACE_(ICLRMemoryNotificationCallback, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // After eMemoryAvailableLow the CLR collects garbage, on another thread and at most every 8
    // seconds. Before Start it does nothing.
    STDMETHOD(OnMemoryNotification)(THIS_ EMemoryAvailable eMemoryAvailable) PURE;
};

//
// Garbage collection
//

// Notifies the host of suspensions, in which all managed threads stand still: when they begin and
// how long they last. Results are ignored. Do nothing that waits for managed code.
#undef INTERFACE
#define INTERFACE IHostGCManager
DECLARE_INTERFACE_(IHostGCManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // The calling thread is about to wait for the end of a suspension.
    STDMETHOD(ThreadIsBlockingForSuspension)(THIS) PURE;

    // A suspension begins. Called on the thread that suspends the others.
    STDMETHOD(SuspensionStarting)(THIS) PURE;

    // The suspension has ended. Generation is the generation that was collected, or 0xFFFFFFFF if
    // the suspension had another reason.
    STDMETHOD(SuspensionEnding)(THIS_ DWORD Generation) PURE;
};

// The garbage collector.
#undef INTERFACE
#define INTERFACE ICLRGCManager
DECLARE_INTERFACE_(ICLRGCManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Collects this generation and those below it, all with -1, and returns when that is done.
    // E_INVALIDARG above the highest generation, 2.
    STDMETHOD(Collect)(THIS_ LONG Generation) PURE;

    // Stores what Flags asks for (COR_GC_STAT_TYPES), and leaves other fields as they are.
    STDMETHOD(GetStats)(THIS_ COR_GC_STATS *pStats) PURE;

    // Sets sizes in bytes, before Start. 0 and 0xFFFFFFFF leave a size as it is. E_NOTIMPL for a
    // segment size, as .NET has no segments.
    STDMETHOD(SetGCStartupLimits)(THIS_ DWORD SegmentSize, DWORD MaxGen0Size) PURE;
};

#ifdef __cplusplus
#define SOGLIA_ICLRGCMANAGER_METHODS
#else
#define SOGLIA_ICLRGCMANAGER_METHODS \
    SOGLIA_IUNKNOWN_METHODS \
    STDMETHOD(Collect)(THIS_ LONG Generation); \
    STDMETHOD(GetStats)(THIS_ COR_GC_STATS *pStats); \
    STDMETHOD(SetGCStartupLimits)(THIS_ DWORD SegmentSize, DWORD MaxGen0Size);
#endif

// Limits with 64 bits.
#undef INTERFACE
#define INTERFACE ICLRGCManager2
DECLARE_INTERFACE_(ICLRGCManager2, ICLRGCManager) {
    SOGLIA_ICLRGCMANAGER_METHODS

    // As SetGCStartupLimits, for sizes above 4 GB.
    STDMETHOD(SetGCStartupLimitsEx)(THIS_ SIZE_T SegmentSize, SIZE_T MaxGen0Size) PURE;
};

// What domain 1 uses: the numbers are those of the process. E_NOTIMPL for other domains, and
// COR_E_APPDOMAINUNLOADED for those that are gone. Null pointers are allowed.
#undef INTERFACE
#define INTERFACE ICLRAppDomainResourceMonitor
DECLARE_INTERFACE_(ICLRAppDomainResourceMonitor, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Stores the bytes that were allocated so far.
    STDMETHOD(GetCurrentAllocated)(THIS_ DWORD dwAppDomainId, ULONGLONG *pBytesAllocated) PURE;

    // Stores the bytes that were in use after the last full collection, of the domain and of all.
    STDMETHOD(GetCurrentSurvived)(THIS_ DWORD dwAppDomainId, ULONGLONG *pAppDomainBytesSurvived,
                                  ULONGLONG *pTotalBytesSurvived) PURE;

    // Stores the processor time in milliseconds.
    STDMETHOD(GetCurrentCpuTime)(THIS_ DWORD dwAppDomainId, ULONGLONG *pMilliseconds) PURE;
};

//
// Policy and events
//

// Sets what the CLR does when code fails or hangs. A host chooses what aborts do. Of everything
// else: S_OK for what .NET does anyway, E_NOTIMPL otherwise.
#undef INTERFACE
#define INTERFACE ICLRPolicyManager
DECLARE_INTERFACE_(ICLRPolicyManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Sets what an operation does. The action must be at least as severe as the operation.
    STDMETHOD(SetDefaultAction)(THIS_ EClrOperation operation, EPolicyAction action) PURE;

    // Sets how long an operation may take.
    STDMETHOD(SetTimeout)(THIS_ EClrOperation operation, DWORD dwMilliseconds) PURE;

    // Sets what follows a timeout. The action must be more severe than the operation.
    STDMETHOD(SetActionOnTimeout)(THIS_ EClrOperation operation, EPolicyAction action) PURE;

    // Sets a timeout and its action.
    STDMETHOD(SetTimeoutAndAction)(THIS_ EClrOperation operation, DWORD dwMilliseconds, EPolicyAction action) PURE;

    // Sets what a failure leads to.
    STDMETHOD(SetActionOnFailure)(THIS_ EClrFailure failure, EPolicyAction action) PURE;

    // Sets whether an unhandled exception ends the process. The host can decide from .NET 10 on;
    // before that, E_NOTIMPL.
    STDMETHOD(SetUnhandledExceptionPolicy)(THIS_ EClrUnhandledException policy) PURE;
};

// Notifies the host of actions that the CLR takes by policy. Results are ignored.
#undef INTERFACE
#define INTERFACE IHostPolicyManager
DECLARE_INTERFACE_(IHostPolicyManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // An operation took its default action.
    STDMETHOD(OnDefaultAction)(THIS_ EClrOperation operation, EPolicyAction action) PURE;

    // An operation took too long.
    STDMETHOD(OnTimeout)(THIS_ EClrOperation operation, EPolicyAction action) PURE;

    // A failure happened.
    STDMETHOD(OnFailure)(THIS_ EClrFailure failure, EPolicyAction action) PURE;
};

// Registers actions for events of the CLR.
#undef INTERFACE
#define INTERFACE ICLROnEventManager
DECLARE_INTERFACE_(ICLROnEventManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // The CLR calls pAction at that event from here on. E_INVALIDARG for a null action or an
    // unknown event, E_NOTIMPL for an event that .NET gives no occasion for.
    STDMETHOD(RegisterActionOnEvent)(THIS_ EClrEvent event, IActionOnCLREvent *pAction) PURE;

    // Ends that. HOST_E_INVALIDOPERATION for an action that was not registered, and always for
    // Event_StackOverflow.
    STDMETHOD(UnregisterActionOnEvent)(THIS_ EClrEvent event, IActionOnCLREvent *pAction) PURE;
};

// An action that the host registers.
#undef INTERFACE
#define INTERFACE IActionOnCLREvent
DECLARE_INTERFACE_(IActionOnCLREvent, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // The event has happened. data is the domain's number for Event_DomainUnload, null for
    // Event_ClrDisabled (called once), an MDAInfo* for Event_MDAFired, and a StackOverflowInfo* for
    // Event_StackOverflow.
    STDMETHOD(OnEvent)(THIS_ EClrEvent event, PVOID data) PURE;
};

//
// Debugging, crash reports, protection
//

// What a host configures for debuggers. .NET implements IsDebuggerAttached. The other methods
// return E_NOTIMPL.
#undef INTERFACE
#define INTERFACE ICLRDebugManager
DECLARE_INTERFACE_(ICLRDebugManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Named a group of tasks for debuggers.
    STDMETHOD(BeginConnection)(THIS_ CONNID dwConnectionId, WCHAR *szConnectionName) PURE;

    // Set which tasks belong to the group.
    STDMETHOD(SetConnectionTasks)(THIS_ CONNID id, DWORD dwCount, ICLRTask **ppCLRTask) PURE;

    // Ended the group.
    STDMETHOD(EndConnection)(THIS_ CONNID dwConnectionId) PURE;

    // Set who may debug, on Windows.
    STDMETHOD(SetDacl)(THIS_ PACL pacl) PURE;

    // Stored what SetDacl has set.
    STDMETHOD(GetDacl)(THIS_ PACL *pacl) PURE;

    // Stores whether a managed debugger is attached.
    STDMETHOD(IsDebuggerAttached)(THIS_ BOOL *pbAttached) PURE;

    // Set whether stack traces read symbol files.
    STDMETHOD(SetSymbolReadingPolicy)(THIS_ ESymbolReadingPolicy policy) PURE;
};

// Crash reports of Windows. All methods return E_NOTIMPL.
#undef INTERFACE
#define INTERFACE ICLRErrorReportingManager
DECLARE_INTERFACE_(ICLRErrorReportingManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Stored what Windows would file the current exception under.
    STDMETHOD(GetBucketParametersForCurrentException)(THIS_ BucketParameters *pParams) PURE;

    // Set what a crash dump contains.
    STDMETHOD(BeginCustomDump)(THIS_ ECustomDumpFlavor dwFlavor, DWORD dwNumItems, CustomDumpItem *items,
                               DWORD dwReserved) PURE;

    // Set that to the default again.
    STDMETHOD(EndCustomDump)(THIS) PURE;
};

#ifdef __cplusplus
#define SOGLIA_ICLRERRORREPORTINGMANAGER_METHODS
#else
#define SOGLIA_ICLRERRORREPORTINGMANAGER_METHODS \
    SOGLIA_IUNKNOWN_METHODS \
    STDMETHOD(GetBucketParametersForCurrentException)(THIS_ BucketParameters *pParams); \
    STDMETHOD(BeginCustomDump)(THIS_ ECustomDumpFlavor dwFlavor, DWORD dwNumItems, CustomDumpItem *items, \
                               DWORD dwReserved); \
    STDMETHOD(EndCustomDump)(THIS);
#endif

// More for crash reports. Both methods return E_NOTIMPL.
#undef INTERFACE
#define INTERFACE ICLRErrorReportingManager2
DECLARE_INTERFACE_(ICLRErrorReportingManager2, ICLRErrorReportingManager) {
    SOGLIA_ICLRERRORREPORTINGMANAGER_METHODS

    // Set a text for the report.
    STDMETHOD(SetApplicationData)(THIS_ ApplicationDataKey key, const WCHAR *pValue) PURE;

    // Set what to file an unhandled exception under.
    STDMETHOD(SetBucketParametersForUnhandledException)(THIS_ const BucketParameters *pBucketParams,
                                                        DWORD *pCountParams) PURE;
};

// Kept partially trusted code from parts of the framework. .NET has no partial trust: E_NOTIMPL.
#undef INTERFACE
#define INTERFACE ICLRHostProtectionManager
DECLARE_INTERFACE_(ICLRHostProtectionManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Set which categories of functions to block.
    STDMETHOD(SetProtectedCategories)(THIS_ EApiCategories categories) PURE;

    // Changed how grant sets are compared.
    STDMETHOD(SetEagerSerializeGrantSets)(THIS) PURE;
};

//
// Assemblies
//

// Loads assemblies from other sources than files.
#undef INTERFACE
#define INTERFACE IHostAssemblyManager
DECLARE_INTERFACE_(IHostAssemblyManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns which assemblies the CLR looks for itself.
    STDMETHOD(GetNonHostStoreAssemblies)(THIS_ ICLRAssemblyReferenceList **ppReferenceList) PURE;

    // Returns the source of the other assemblies.
    STDMETHOD(GetAssemblyStore)(THIS_ IHostAssemblyStore **ppAssemblyStore) PURE;
};

// Returns assemblies as streams.
#undef INTERFACE
#define INTERFACE IHostAssemblyStore
DECLARE_INTERFACE_(IHostAssemblyStore, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns an assembly's image and symbols. The ID distinguishes the assembly from others.
    STDMETHOD(ProvideAssembly)(THIS_ AssemblyBindInfo *pBindInfo, UINT64 *pAssemblyId, UINT64 *pContext,
                               IStream **ppStmAssemblyImage, IStream **ppStmPDB) PURE;

    // Returns a module's image and symbols. Not called: .NET has no assemblies of several modules.
    STDMETHOD(ProvideModule)(THIS_ ModuleBindInfo *pBindInfo, DWORD *pdwModuleId, IStream **ppStmModuleImage,
                             IStream **ppStmPDB) PURE;
};

// A list of assemblies that the CLR looks for itself.
#undef INTERFACE
#define INTERFACE ICLRAssemblyReferenceList
DECLARE_INTERFACE_(ICLRAssemblyReferenceList, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // S_OK if the list has an assembly of that name, S_FALSE if it does not.
    STDMETHOD(IsStringAssemblyReferenceInList)(THIS_ LPCWSTR pwzAssemblyName) PURE;

    // As IsStringAssemblyReferenceInList, for a name object.
    STDMETHOD(IsAssemblyReferenceInList)(THIS_ IUnknown *pName) PURE;
};

//
// Security
//

// The identity that a thread acts with. Windows only, so no method is called.
#undef INTERFACE
#define INTERFACE IHostSecurityManager
DECLARE_INTERFACE_(IHostSecurityManager, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // The thread acts with that token.
    STDMETHOD(ImpersonateLoggedOnUser)(THIS_ HANDLE hToken) PURE;

    // The thread acts with its own identity again.
    STDMETHOD(RevertToSelf)(THIS) PURE;

    // Stores the token that the thread acts with.
    STDMETHOD(OpenThreadToken)(THIS_ DWORD dwDesiredAccess, BOOL bOpenAsSelf, HANDLE *phThreadToken) PURE;

    // Sets the thread's token, or removes it with null.
    STDMETHOD(SetThreadToken)(THIS_ HANDLE hToken) PURE;

    // Returns the host's context of the calling thread.
    STDMETHOD(GetSecurityContext)(THIS_ EContextType eContextType, IHostSecurityContext **ppSecurityContext) PURE;

    // Sets the host's context of the calling thread.
    STDMETHOD(SetSecurityContext)(THIS_ EContextType eContextType, IHostSecurityContext *pSecurityContext) PURE;
};

// A context that the CLR carries from thread to thread.
#undef INTERFACE
#define INTERFACE IHostSecurityContext
DECLARE_INTERFACE_(IHostSecurityContext, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Returns a copy, with a reference.
    STDMETHOD(Capture)(THIS_ IHostSecurityContext **ppClonedContext) PURE;
};

#undef INTERFACE
#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

//
// What libmscoree.so exports.
//

// Visible even under -fvisibility=hidden.
#pragma GCC visibility push(default)

// The way in: (CLSID_CLRMetaHost, IID_ICLRMetaHost) gives the ICLRMetaHost. E_POINTER for a null
// place, CLASS_E_CLASSNOTAVAILABLE for a class that is not there, E_NOINTERFACE for an interface
// that the class has not.
STDAPI CLRCreateInstance(REFCLSID clsid, REFIID riid, LPVOID *ppInterface);

// The way in before version 4, in one call: (..., CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost) gives
// the ICLRRuntimeHost of that version (null: the newest; see ICLRMetaHost::GetRuntime).
// pwszBuildFlavor, "wks" or "svr", and startupFlags say which garbage collector.
// CLR_E_SHIM_RUNTIMELOAD if there is no such version.
STDAPI CorBindToRuntimeEx(LPCWSTR pwszVersion, LPCWSTR pwszBuildFlavor, DWORD startupFlags, REFCLSID rclsid,
                          REFIID riid, LPVOID *ppv);

// The same without flags.
STDAPI CorBindToRuntime(LPCWSTR pwszVersion, LPCWSTR pwszBuildFlavor, REFCLSID rclsid, REFIID riid, LPVOID *ppv);

// The same with a host's configuration file.
STDAPI CorBindToRuntimeHost(LPCWSTR pwszVersion, LPCWSTR pwszBuildFlavor, LPCWSTR pwszHostConfigFile,
                            VOID *pReserved, DWORD startupFlags, REFCLSID rclsid, REFIID riid, LPVOID *ppv);

// The same, the version taken from a configuration that comes as a stream.
STDAPI CorBindToRuntimeByCfg(IStream *pCfgStream, DWORD reserved, DWORD startupFlags, REFCLSID rclsid, REFIID riid,
                             LPVOID *ppv);

// The same, the version taken from a program's configuration file.
STDAPI CorBindToCurrentRuntime(LPCWSTR pwszFileName, REFCLSID rclsid, REFIID riid, LPVOID *ppv);

// The version of the runtime that this process runs or would run. cchBuffer: WCHARs in the buffer;
// *dwLength: those needed, with the final zero.
STDAPI GetCORVersion(LPWSTR pbBuffer, DWORD cchBuffer, DWORD *dwLength);

// Its directory. Sizes as in GetCORVersion.
STDAPI GetCORSystemDirectory(LPWSTR pbuffer, DWORD cchBuffer, DWORD *dwLength);

// The version that this program asks for. Sizes as in GetCORVersion.
STDAPI GetCORRequiredVersion(LPWSTR pbuffer, DWORD cchBuffer, DWORD *dwLength);

// The version that an assembly was built for. Sizes as in GetCORVersion.
STDAPI GetFileVersion(LPCWSTR szFilename, LPWSTR szBuffer, DWORD cchBuffer, DWORD *dwLength);

// The address of one of the runtime's exports.
STDAPI GetRealProcAddress(LPCSTR pwszProcName, VOID **ppv);

// Lets the host decide which version is loaded, when the process needs one.
STDAPI LockClrVersion(FLockClrVersionCallback hostCallback, FLockClrVersionCallback *pBegin,
                      FLockClrVersionCallback *pEnd);

// Ends the process, as orderly as the runtime can.
STDAPI_(void) CorExitProcess(int exitCode);

// What libcoreclr.so exports under this name, with the host's part added: an ICLRRuntimeHost, 2 or
// 4.
STDAPI GetCLRRuntimeHost(REFIID riid, IUnknown **pUnk);

// soglia's own: names the .NET root whose runtimes are meant from here on, in place of the one that
// `dotnet` would use; null takes that back. CLR_E_SHIM_INSTALLROOT if there is no .NET,
// HOST_E_INVALIDOPERATION once a runtime runs.
STDAPI SogliaSetDotnetRoot(LPCSTR path);

#pragma GCC visibility pop

//
// Macros for C: IHostTask_Start(task).
//

#if defined(COBJMACROS) && !defined(__cplusplus)

#define IUnknown_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IUnknown_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IUnknown_Release(This) ((This)->lpVtbl->Release(This))

#define IClassFactory_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IClassFactory_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IClassFactory_Release(This) ((This)->lpVtbl->Release(This))
#define IClassFactory_CreateInstance(This, ...) ((This)->lpVtbl->CreateInstance(This, __VA_ARGS__))
#define IClassFactory_LockServer(This, ...) ((This)->lpVtbl->LockServer(This, __VA_ARGS__))

#define IEnumUnknown_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IEnumUnknown_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IEnumUnknown_Release(This) ((This)->lpVtbl->Release(This))
#define IEnumUnknown_Next(This, ...) ((This)->lpVtbl->Next(This, __VA_ARGS__))
#define IEnumUnknown_Skip(This, ...) ((This)->lpVtbl->Skip(This, __VA_ARGS__))
#define IEnumUnknown_Reset(This) ((This)->lpVtbl->Reset(This))
#define IEnumUnknown_Clone(This, ...) ((This)->lpVtbl->Clone(This, __VA_ARGS__))

#define ISequentialStream_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ISequentialStream_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ISequentialStream_Release(This) ((This)->lpVtbl->Release(This))
#define ISequentialStream_Read(This, ...) ((This)->lpVtbl->Read(This, __VA_ARGS__))
#define ISequentialStream_Write(This, ...) ((This)->lpVtbl->Write(This, __VA_ARGS__))

#define IStream_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IStream_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IStream_Release(This) ((This)->lpVtbl->Release(This))
#define IStream_Read(This, ...) ((This)->lpVtbl->Read(This, __VA_ARGS__))
#define IStream_Write(This, ...) ((This)->lpVtbl->Write(This, __VA_ARGS__))
#define IStream_Seek(This, ...) ((This)->lpVtbl->Seek(This, __VA_ARGS__))
#define IStream_SetSize(This, ...) ((This)->lpVtbl->SetSize(This, __VA_ARGS__))
#define IStream_CopyTo(This, ...) ((This)->lpVtbl->CopyTo(This, __VA_ARGS__))
#define IStream_Commit(This, ...) ((This)->lpVtbl->Commit(This, __VA_ARGS__))
#define IStream_Revert(This) ((This)->lpVtbl->Revert(This))
#define IStream_LockRegion(This, ...) ((This)->lpVtbl->LockRegion(This, __VA_ARGS__))
#define IStream_UnlockRegion(This, ...) ((This)->lpVtbl->UnlockRegion(This, __VA_ARGS__))
#define IStream_Stat(This, ...) ((This)->lpVtbl->Stat(This, __VA_ARGS__))
#define IStream_Clone(This, ...) ((This)->lpVtbl->Clone(This, __VA_ARGS__))

#define IHostControl_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostControl_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostControl_Release(This) ((This)->lpVtbl->Release(This))
#define IHostControl_GetHostManager(This, ...) ((This)->lpVtbl->GetHostManager(This, __VA_ARGS__))
#define IHostControl_SetAppDomainManager(This, ...) ((This)->lpVtbl->SetAppDomainManager(This, __VA_ARGS__))

#define ICLRControl_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRControl_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRControl_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRControl_GetCLRManager(This, ...) ((This)->lpVtbl->GetCLRManager(This, __VA_ARGS__))
#define ICLRControl_SetAppDomainManagerType(This, ...) ((This)->lpVtbl->SetAppDomainManagerType(This, __VA_ARGS__))

#define ICLRDomainManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRDomainManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRDomainManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRDomainManager_SetAppDomainManagerType(This, ...) \
    ((This)->lpVtbl->SetAppDomainManagerType(This, __VA_ARGS__))
#define ICLRDomainManager_SetPropertiesForDefaultAppDomain(This, ...) \
    ((This)->lpVtbl->SetPropertiesForDefaultAppDomain(This, __VA_ARGS__))

#define ICLRRuntimeHost_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRRuntimeHost_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRRuntimeHost_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRRuntimeHost_Start(This) ((This)->lpVtbl->Start(This))
#define ICLRRuntimeHost_Stop(This) ((This)->lpVtbl->Stop(This))
#define ICLRRuntimeHost_SetHostControl(This, ...) ((This)->lpVtbl->SetHostControl(This, __VA_ARGS__))
#define ICLRRuntimeHost_GetCLRControl(This, ...) ((This)->lpVtbl->GetCLRControl(This, __VA_ARGS__))
#define ICLRRuntimeHost_UnloadAppDomain(This, ...) ((This)->lpVtbl->UnloadAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost_ExecuteInAppDomain(This, ...) ((This)->lpVtbl->ExecuteInAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost_GetCurrentAppDomainId(This, ...) ((This)->lpVtbl->GetCurrentAppDomainId(This, __VA_ARGS__))
#define ICLRRuntimeHost_ExecuteApplication(This, ...) ((This)->lpVtbl->ExecuteApplication(This, __VA_ARGS__))
#define ICLRRuntimeHost_ExecuteInDefaultAppDomain(This, ...) \
    ((This)->lpVtbl->ExecuteInDefaultAppDomain(This, __VA_ARGS__))

#define ICLRRuntimeHost2_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRRuntimeHost2_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRRuntimeHost2_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRRuntimeHost2_Start(This) ((This)->lpVtbl->Start(This))
#define ICLRRuntimeHost2_Stop(This) ((This)->lpVtbl->Stop(This))
#define ICLRRuntimeHost2_SetHostControl(This, ...) ((This)->lpVtbl->SetHostControl(This, __VA_ARGS__))
#define ICLRRuntimeHost2_GetCLRControl(This, ...) ((This)->lpVtbl->GetCLRControl(This, __VA_ARGS__))
#define ICLRRuntimeHost2_UnloadAppDomain(This, ...) ((This)->lpVtbl->UnloadAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost2_ExecuteInAppDomain(This, ...) ((This)->lpVtbl->ExecuteInAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost2_GetCurrentAppDomainId(This, ...) ((This)->lpVtbl->GetCurrentAppDomainId(This, __VA_ARGS__))
#define ICLRRuntimeHost2_ExecuteApplication(This, ...) ((This)->lpVtbl->ExecuteApplication(This, __VA_ARGS__))
#define ICLRRuntimeHost2_ExecuteInDefaultAppDomain(This, ...) \
    ((This)->lpVtbl->ExecuteInDefaultAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost2_CreateAppDomainWithManager(This, ...) \
    ((This)->lpVtbl->CreateAppDomainWithManager(This, __VA_ARGS__))
#define ICLRRuntimeHost2_CreateDelegate(This, ...) ((This)->lpVtbl->CreateDelegate(This, __VA_ARGS__))
#define ICLRRuntimeHost2_Authenticate(This, ...) ((This)->lpVtbl->Authenticate(This, __VA_ARGS__))
#define ICLRRuntimeHost2_RegisterMacEHPort(This) ((This)->lpVtbl->RegisterMacEHPort(This))
#define ICLRRuntimeHost2_SetStartupFlags(This, ...) ((This)->lpVtbl->SetStartupFlags(This, __VA_ARGS__))
#define ICLRRuntimeHost2_DllGetActivationFactory(This, ...) \
    ((This)->lpVtbl->DllGetActivationFactory(This, __VA_ARGS__))
#define ICLRRuntimeHost2_ExecuteAssembly(This, ...) ((This)->lpVtbl->ExecuteAssembly(This, __VA_ARGS__))

#define ICLRRuntimeHost4_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRRuntimeHost4_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRRuntimeHost4_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRRuntimeHost4_Start(This) ((This)->lpVtbl->Start(This))
#define ICLRRuntimeHost4_Stop(This) ((This)->lpVtbl->Stop(This))
#define ICLRRuntimeHost4_SetHostControl(This, ...) ((This)->lpVtbl->SetHostControl(This, __VA_ARGS__))
#define ICLRRuntimeHost4_GetCLRControl(This, ...) ((This)->lpVtbl->GetCLRControl(This, __VA_ARGS__))
#define ICLRRuntimeHost4_UnloadAppDomain(This, ...) ((This)->lpVtbl->UnloadAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost4_ExecuteInAppDomain(This, ...) ((This)->lpVtbl->ExecuteInAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost4_GetCurrentAppDomainId(This, ...) ((This)->lpVtbl->GetCurrentAppDomainId(This, __VA_ARGS__))
#define ICLRRuntimeHost4_ExecuteApplication(This, ...) ((This)->lpVtbl->ExecuteApplication(This, __VA_ARGS__))
#define ICLRRuntimeHost4_ExecuteInDefaultAppDomain(This, ...) \
    ((This)->lpVtbl->ExecuteInDefaultAppDomain(This, __VA_ARGS__))
#define ICLRRuntimeHost4_CreateAppDomainWithManager(This, ...) \
    ((This)->lpVtbl->CreateAppDomainWithManager(This, __VA_ARGS__))
#define ICLRRuntimeHost4_CreateDelegate(This, ...) ((This)->lpVtbl->CreateDelegate(This, __VA_ARGS__))
#define ICLRRuntimeHost4_Authenticate(This, ...) ((This)->lpVtbl->Authenticate(This, __VA_ARGS__))
#define ICLRRuntimeHost4_RegisterMacEHPort(This) ((This)->lpVtbl->RegisterMacEHPort(This))
#define ICLRRuntimeHost4_SetStartupFlags(This, ...) ((This)->lpVtbl->SetStartupFlags(This, __VA_ARGS__))
#define ICLRRuntimeHost4_DllGetActivationFactory(This, ...) \
    ((This)->lpVtbl->DllGetActivationFactory(This, __VA_ARGS__))
#define ICLRRuntimeHost4_ExecuteAssembly(This, ...) ((This)->lpVtbl->ExecuteAssembly(This, __VA_ARGS__))
#define ICLRRuntimeHost4_UnloadAppDomain2(This, ...) ((This)->lpVtbl->UnloadAppDomain2(This, __VA_ARGS__))

#define ICLRExecutionManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRExecutionManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRExecutionManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRExecutionManager_Pause(This, ...) ((This)->lpVtbl->Pause(This, __VA_ARGS__))
#define ICLRExecutionManager_Resume(This, ...) ((This)->lpVtbl->Resume(This, __VA_ARGS__))

#define ICLRMetaHost_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRMetaHost_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRMetaHost_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRMetaHost_GetRuntime(This, ...) ((This)->lpVtbl->GetRuntime(This, __VA_ARGS__))
#define ICLRMetaHost_GetVersionFromFile(This, ...) ((This)->lpVtbl->GetVersionFromFile(This, __VA_ARGS__))
#define ICLRMetaHost_EnumerateInstalledRuntimes(This, ...) \
    ((This)->lpVtbl->EnumerateInstalledRuntimes(This, __VA_ARGS__))
#define ICLRMetaHost_EnumerateLoadedRuntimes(This, ...) ((This)->lpVtbl->EnumerateLoadedRuntimes(This, __VA_ARGS__))
#define ICLRMetaHost_RequestRuntimeLoadedNotification(This, ...) \
    ((This)->lpVtbl->RequestRuntimeLoadedNotification(This, __VA_ARGS__))
#define ICLRMetaHost_QueryLegacyV2RuntimeBinding(This, ...) \
    ((This)->lpVtbl->QueryLegacyV2RuntimeBinding(This, __VA_ARGS__))
#define ICLRMetaHost_ExitProcess(This, ...) ((This)->lpVtbl->ExitProcess(This, __VA_ARGS__))

#define ICLRMetaHostPolicy_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRMetaHostPolicy_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRMetaHostPolicy_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRMetaHostPolicy_GetRequestedRuntime(This, ...) ((This)->lpVtbl->GetRequestedRuntime(This, __VA_ARGS__))

#define ICLRRuntimeInfo_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRRuntimeInfo_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRRuntimeInfo_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRRuntimeInfo_GetVersionString(This, ...) ((This)->lpVtbl->GetVersionString(This, __VA_ARGS__))
#define ICLRRuntimeInfo_GetRuntimeDirectory(This, ...) ((This)->lpVtbl->GetRuntimeDirectory(This, __VA_ARGS__))
#define ICLRRuntimeInfo_IsLoaded(This, ...) ((This)->lpVtbl->IsLoaded(This, __VA_ARGS__))
#define ICLRRuntimeInfo_LoadErrorString(This, ...) ((This)->lpVtbl->LoadErrorString(This, __VA_ARGS__))
#define ICLRRuntimeInfo_LoadLibrary(This, ...) ((This)->lpVtbl->LoadLibrary(This, __VA_ARGS__))
#define ICLRRuntimeInfo_GetProcAddress(This, ...) ((This)->lpVtbl->GetProcAddress(This, __VA_ARGS__))
#define ICLRRuntimeInfo_GetInterface(This, ...) ((This)->lpVtbl->GetInterface(This, __VA_ARGS__))
#define ICLRRuntimeInfo_IsLoadable(This, ...) ((This)->lpVtbl->IsLoadable(This, __VA_ARGS__))
#define ICLRRuntimeInfo_SetDefaultStartupFlags(This, ...) ((This)->lpVtbl->SetDefaultStartupFlags(This, __VA_ARGS__))
#define ICLRRuntimeInfo_GetDefaultStartupFlags(This, ...) ((This)->lpVtbl->GetDefaultStartupFlags(This, __VA_ARGS__))
#define ICLRRuntimeInfo_BindAsLegacyV2Runtime(This) ((This)->lpVtbl->BindAsLegacyV2Runtime(This))
#define ICLRRuntimeInfo_IsStarted(This, ...) ((This)->lpVtbl->IsStarted(This, __VA_ARGS__))

#define IHostTaskManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostTaskManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostTaskManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostTaskManager_GetCurrentTask(This, ...) ((This)->lpVtbl->GetCurrentTask(This, __VA_ARGS__))
#define IHostTaskManager_CreateTask(This, ...) ((This)->lpVtbl->CreateTask(This, __VA_ARGS__))
#define IHostTaskManager_Sleep(This, ...) ((This)->lpVtbl->Sleep(This, __VA_ARGS__))
#define IHostTaskManager_SwitchToTask(This, ...) ((This)->lpVtbl->SwitchToTask(This, __VA_ARGS__))
#define IHostTaskManager_SetUILocale(This, ...) ((This)->lpVtbl->SetUILocale(This, __VA_ARGS__))
#define IHostTaskManager_SetLocale(This, ...) ((This)->lpVtbl->SetLocale(This, __VA_ARGS__))
#define IHostTaskManager_CallNeedsHostHook(This, ...) ((This)->lpVtbl->CallNeedsHostHook(This, __VA_ARGS__))
#define IHostTaskManager_LeaveRuntime(This, ...) ((This)->lpVtbl->LeaveRuntime(This, __VA_ARGS__))
#define IHostTaskManager_EnterRuntime(This) ((This)->lpVtbl->EnterRuntime(This))
#define IHostTaskManager_ReverseLeaveRuntime(This) ((This)->lpVtbl->ReverseLeaveRuntime(This))
#define IHostTaskManager_ReverseEnterRuntime(This) ((This)->lpVtbl->ReverseEnterRuntime(This))
#define IHostTaskManager_BeginDelayAbort(This) ((This)->lpVtbl->BeginDelayAbort(This))
#define IHostTaskManager_EndDelayAbort(This) ((This)->lpVtbl->EndDelayAbort(This))
#define IHostTaskManager_BeginThreadAffinity(This) ((This)->lpVtbl->BeginThreadAffinity(This))
#define IHostTaskManager_EndThreadAffinity(This) ((This)->lpVtbl->EndThreadAffinity(This))
#define IHostTaskManager_SetStackGuarantee(This, ...) ((This)->lpVtbl->SetStackGuarantee(This, __VA_ARGS__))
#define IHostTaskManager_GetStackGuarantee(This, ...) ((This)->lpVtbl->GetStackGuarantee(This, __VA_ARGS__))
#define IHostTaskManager_SetCLRTaskManager(This, ...) ((This)->lpVtbl->SetCLRTaskManager(This, __VA_ARGS__))

#define IHostTask_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostTask_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostTask_Release(This) ((This)->lpVtbl->Release(This))
#define IHostTask_Start(This) ((This)->lpVtbl->Start(This))
#define IHostTask_Alert(This) ((This)->lpVtbl->Alert(This))
#define IHostTask_Join(This, ...) ((This)->lpVtbl->Join(This, __VA_ARGS__))
#define IHostTask_SetPriority(This, ...) ((This)->lpVtbl->SetPriority(This, __VA_ARGS__))
#define IHostTask_GetPriority(This, ...) ((This)->lpVtbl->GetPriority(This, __VA_ARGS__))
#define IHostTask_SetCLRTask(This, ...) ((This)->lpVtbl->SetCLRTask(This, __VA_ARGS__))

#define ICLRTaskManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRTaskManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRTaskManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRTaskManager_CreateTask(This, ...) ((This)->lpVtbl->CreateTask(This, __VA_ARGS__))
#define ICLRTaskManager_GetCurrentTask(This, ...) ((This)->lpVtbl->GetCurrentTask(This, __VA_ARGS__))
#define ICLRTaskManager_SetUILocale(This, ...) ((This)->lpVtbl->SetUILocale(This, __VA_ARGS__))
#define ICLRTaskManager_SetLocale(This, ...) ((This)->lpVtbl->SetLocale(This, __VA_ARGS__))
#define ICLRTaskManager_GetCurrentTaskType(This, ...) ((This)->lpVtbl->GetCurrentTaskType(This, __VA_ARGS__))

#define ICLRTask_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRTask_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRTask_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRTask_SwitchIn(This, ...) ((This)->lpVtbl->SwitchIn(This, __VA_ARGS__))
#define ICLRTask_SwitchOut(This) ((This)->lpVtbl->SwitchOut(This))
#define ICLRTask_GetMemStats(This, ...) ((This)->lpVtbl->GetMemStats(This, __VA_ARGS__))
#define ICLRTask_Reset(This, ...) ((This)->lpVtbl->Reset(This, __VA_ARGS__))
#define ICLRTask_ExitTask(This) ((This)->lpVtbl->ExitTask(This))
#define ICLRTask_Abort(This) ((This)->lpVtbl->Abort(This))
#define ICLRTask_RudeAbort(This) ((This)->lpVtbl->RudeAbort(This))
#define ICLRTask_NeedsPriorityScheduling(This, ...) ((This)->lpVtbl->NeedsPriorityScheduling(This, __VA_ARGS__))
#define ICLRTask_YieldTask(This) ((This)->lpVtbl->YieldTask(This))
#define ICLRTask_LocksHeld(This, ...) ((This)->lpVtbl->LocksHeld(This, __VA_ARGS__))
#define ICLRTask_SetTaskIdentifier(This, ...) ((This)->lpVtbl->SetTaskIdentifier(This, __VA_ARGS__))

#define ICLRTask2_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRTask2_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRTask2_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRTask2_SwitchIn(This, ...) ((This)->lpVtbl->SwitchIn(This, __VA_ARGS__))
#define ICLRTask2_SwitchOut(This) ((This)->lpVtbl->SwitchOut(This))
#define ICLRTask2_GetMemStats(This, ...) ((This)->lpVtbl->GetMemStats(This, __VA_ARGS__))
#define ICLRTask2_Reset(This, ...) ((This)->lpVtbl->Reset(This, __VA_ARGS__))
#define ICLRTask2_ExitTask(This) ((This)->lpVtbl->ExitTask(This))
#define ICLRTask2_Abort(This) ((This)->lpVtbl->Abort(This))
#define ICLRTask2_RudeAbort(This) ((This)->lpVtbl->RudeAbort(This))
#define ICLRTask2_NeedsPriorityScheduling(This, ...) ((This)->lpVtbl->NeedsPriorityScheduling(This, __VA_ARGS__))
#define ICLRTask2_YieldTask(This) ((This)->lpVtbl->YieldTask(This))
#define ICLRTask2_LocksHeld(This, ...) ((This)->lpVtbl->LocksHeld(This, __VA_ARGS__))
#define ICLRTask2_SetTaskIdentifier(This, ...) ((This)->lpVtbl->SetTaskIdentifier(This, __VA_ARGS__))
#define ICLRTask2_BeginPreventAsyncAbort(This) ((This)->lpVtbl->BeginPreventAsyncAbort(This))
#define ICLRTask2_EndPreventAsyncAbort(This) ((This)->lpVtbl->EndPreventAsyncAbort(This))

#define IHostThreadpoolManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostThreadpoolManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostThreadpoolManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostThreadpoolManager_QueueUserWorkItem(This, ...) ((This)->lpVtbl->QueueUserWorkItem(This, __VA_ARGS__))
#define IHostThreadpoolManager_SetMaxThreads(This, ...) ((This)->lpVtbl->SetMaxThreads(This, __VA_ARGS__))
#define IHostThreadpoolManager_GetMaxThreads(This, ...) ((This)->lpVtbl->GetMaxThreads(This, __VA_ARGS__))
#define IHostThreadpoolManager_GetAvailableThreads(This, ...) ((This)->lpVtbl->GetAvailableThreads(This, __VA_ARGS__))
#define IHostThreadpoolManager_SetMinThreads(This, ...) ((This)->lpVtbl->SetMinThreads(This, __VA_ARGS__))
#define IHostThreadpoolManager_GetMinThreads(This, ...) ((This)->lpVtbl->GetMinThreads(This, __VA_ARGS__))

#define IHostIoCompletionManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostIoCompletionManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostIoCompletionManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostIoCompletionManager_CreateIoCompletionPort(This, ...) \
    ((This)->lpVtbl->CreateIoCompletionPort(This, __VA_ARGS__))
#define IHostIoCompletionManager_CloseIoCompletionPort(This, ...) \
    ((This)->lpVtbl->CloseIoCompletionPort(This, __VA_ARGS__))
#define IHostIoCompletionManager_SetMaxThreads(This, ...) ((This)->lpVtbl->SetMaxThreads(This, __VA_ARGS__))
#define IHostIoCompletionManager_GetMaxThreads(This, ...) ((This)->lpVtbl->GetMaxThreads(This, __VA_ARGS__))
#define IHostIoCompletionManager_GetAvailableThreads(This, ...) \
    ((This)->lpVtbl->GetAvailableThreads(This, __VA_ARGS__))
#define IHostIoCompletionManager_GetHostOverlappedSize(This, ...) \
    ((This)->lpVtbl->GetHostOverlappedSize(This, __VA_ARGS__))
#define IHostIoCompletionManager_SetCLRIoCompletionManager(This, ...) \
    ((This)->lpVtbl->SetCLRIoCompletionManager(This, __VA_ARGS__))
#define IHostIoCompletionManager_InitializeHostOverlapped(This, ...) \
    ((This)->lpVtbl->InitializeHostOverlapped(This, __VA_ARGS__))
#define IHostIoCompletionManager_Bind(This, ...) ((This)->lpVtbl->Bind(This, __VA_ARGS__))
#define IHostIoCompletionManager_SetMinThreads(This, ...) ((This)->lpVtbl->SetMinThreads(This, __VA_ARGS__))
#define IHostIoCompletionManager_GetMinThreads(This, ...) ((This)->lpVtbl->GetMinThreads(This, __VA_ARGS__))

#define ICLRIoCompletionManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRIoCompletionManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRIoCompletionManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRIoCompletionManager_OnComplete(This, ...) ((This)->lpVtbl->OnComplete(This, __VA_ARGS__))

#define IHostSyncManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostSyncManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostSyncManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostSyncManager_SetCLRSyncManager(This, ...) ((This)->lpVtbl->SetCLRSyncManager(This, __VA_ARGS__))
#define IHostSyncManager_CreateCrst(This, ...) ((This)->lpVtbl->CreateCrst(This, __VA_ARGS__))
#define IHostSyncManager_CreateCrstWithSpinCount(This, ...) \
    ((This)->lpVtbl->CreateCrstWithSpinCount(This, __VA_ARGS__))
#define IHostSyncManager_CreateAutoEvent(This, ...) ((This)->lpVtbl->CreateAutoEvent(This, __VA_ARGS__))
#define IHostSyncManager_CreateManualEvent(This, ...) ((This)->lpVtbl->CreateManualEvent(This, __VA_ARGS__))
#define IHostSyncManager_CreateMonitorEvent(This, ...) ((This)->lpVtbl->CreateMonitorEvent(This, __VA_ARGS__))
#define IHostSyncManager_CreateRWLockWriterEvent(This, ...) \
    ((This)->lpVtbl->CreateRWLockWriterEvent(This, __VA_ARGS__))
#define IHostSyncManager_CreateRWLockReaderEvent(This, ...) \
    ((This)->lpVtbl->CreateRWLockReaderEvent(This, __VA_ARGS__))
#define IHostSyncManager_CreateSemaphore(This, ...) ((This)->lpVtbl->CreateSemaphore(This, __VA_ARGS__))

#define ICLRSyncManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRSyncManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRSyncManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRSyncManager_GetMonitorOwner(This, ...) ((This)->lpVtbl->GetMonitorOwner(This, __VA_ARGS__))
#define ICLRSyncManager_CreateRWLockOwnerIterator(This, ...) \
    ((This)->lpVtbl->CreateRWLockOwnerIterator(This, __VA_ARGS__))
#define ICLRSyncManager_GetRWLockOwnerNext(This, ...) ((This)->lpVtbl->GetRWLockOwnerNext(This, __VA_ARGS__))
#define ICLRSyncManager_DeleteRWLockOwnerIterator(This, ...) \
    ((This)->lpVtbl->DeleteRWLockOwnerIterator(This, __VA_ARGS__))

#define IHostCrst_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostCrst_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostCrst_Release(This) ((This)->lpVtbl->Release(This))
#define IHostCrst_Enter(This, ...) ((This)->lpVtbl->Enter(This, __VA_ARGS__))
#define IHostCrst_Leave(This) ((This)->lpVtbl->Leave(This))
#define IHostCrst_TryEnter(This, ...) ((This)->lpVtbl->TryEnter(This, __VA_ARGS__))
#define IHostCrst_SetSpinCount(This, ...) ((This)->lpVtbl->SetSpinCount(This, __VA_ARGS__))

#define IHostAutoEvent_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostAutoEvent_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostAutoEvent_Release(This) ((This)->lpVtbl->Release(This))
#define IHostAutoEvent_Wait(This, ...) ((This)->lpVtbl->Wait(This, __VA_ARGS__))
#define IHostAutoEvent_Set(This) ((This)->lpVtbl->Set(This))

#define IHostManualEvent_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostManualEvent_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostManualEvent_Release(This) ((This)->lpVtbl->Release(This))
#define IHostManualEvent_Wait(This, ...) ((This)->lpVtbl->Wait(This, __VA_ARGS__))
#define IHostManualEvent_Reset(This) ((This)->lpVtbl->Reset(This))
#define IHostManualEvent_Set(This) ((This)->lpVtbl->Set(This))

#define IHostSemaphore_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostSemaphore_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostSemaphore_Release(This) ((This)->lpVtbl->Release(This))
#define IHostSemaphore_Wait(This, ...) ((This)->lpVtbl->Wait(This, __VA_ARGS__))
#define IHostSemaphore_ReleaseSemaphore(This, ...) ((This)->lpVtbl->ReleaseSemaphore(This, __VA_ARGS__))

#define IHostMemoryManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostMemoryManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostMemoryManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostMemoryManager_CreateMalloc(This, ...) ((This)->lpVtbl->CreateMalloc(This, __VA_ARGS__))
#define IHostMemoryManager_VirtualAlloc(This, ...) ((This)->lpVtbl->VirtualAlloc(This, __VA_ARGS__))
#define IHostMemoryManager_VirtualFree(This, ...) ((This)->lpVtbl->VirtualFree(This, __VA_ARGS__))
#define IHostMemoryManager_VirtualQuery(This, ...) ((This)->lpVtbl->VirtualQuery(This, __VA_ARGS__))
#define IHostMemoryManager_VirtualProtect(This, ...) ((This)->lpVtbl->VirtualProtect(This, __VA_ARGS__))
#define IHostMemoryManager_GetMemoryLoad(This, ...) ((This)->lpVtbl->GetMemoryLoad(This, __VA_ARGS__))
#define IHostMemoryManager_RegisterMemoryNotificationCallback(This, ...) \
    ((This)->lpVtbl->RegisterMemoryNotificationCallback(This, __VA_ARGS__))
#define IHostMemoryManager_NeedsVirtualAddressSpace(This, ...) \
    ((This)->lpVtbl->NeedsVirtualAddressSpace(This, __VA_ARGS__))
#define IHostMemoryManager_AcquiredVirtualAddressSpace(This, ...) \
    ((This)->lpVtbl->AcquiredVirtualAddressSpace(This, __VA_ARGS__))
#define IHostMemoryManager_ReleasedVirtualAddressSpace(This, ...) \
    ((This)->lpVtbl->ReleasedVirtualAddressSpace(This, __VA_ARGS__))

#define IHostMalloc_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostMalloc_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostMalloc_Release(This) ((This)->lpVtbl->Release(This))
#define IHostMalloc_Alloc(This, ...) ((This)->lpVtbl->Alloc(This, __VA_ARGS__))
#define IHostMalloc_DebugAlloc(This, ...) ((This)->lpVtbl->DebugAlloc(This, __VA_ARGS__))
#define IHostMalloc_Free(This, ...) ((This)->lpVtbl->Free(This, __VA_ARGS__))

#define ICLRMemoryNotificationCallback_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRMemoryNotificationCallback_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRMemoryNotificationCallback_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRMemoryNotificationCallback_OnMemoryNotification(This, ...) \
    ((This)->lpVtbl->OnMemoryNotification(This, __VA_ARGS__))

#define IHostGCManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostGCManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostGCManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostGCManager_ThreadIsBlockingForSuspension(This) ((This)->lpVtbl->ThreadIsBlockingForSuspension(This))
#define IHostGCManager_SuspensionStarting(This) ((This)->lpVtbl->SuspensionStarting(This))
#define IHostGCManager_SuspensionEnding(This, ...) ((This)->lpVtbl->SuspensionEnding(This, __VA_ARGS__))

#define ICLRGCManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRGCManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRGCManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRGCManager_Collect(This, ...) ((This)->lpVtbl->Collect(This, __VA_ARGS__))
#define ICLRGCManager_GetStats(This, ...) ((This)->lpVtbl->GetStats(This, __VA_ARGS__))
#define ICLRGCManager_SetGCStartupLimits(This, ...) ((This)->lpVtbl->SetGCStartupLimits(This, __VA_ARGS__))

#define ICLRGCManager2_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRGCManager2_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRGCManager2_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRGCManager2_Collect(This, ...) ((This)->lpVtbl->Collect(This, __VA_ARGS__))
#define ICLRGCManager2_GetStats(This, ...) ((This)->lpVtbl->GetStats(This, __VA_ARGS__))
#define ICLRGCManager2_SetGCStartupLimits(This, ...) ((This)->lpVtbl->SetGCStartupLimits(This, __VA_ARGS__))
#define ICLRGCManager2_SetGCStartupLimitsEx(This, ...) ((This)->lpVtbl->SetGCStartupLimitsEx(This, __VA_ARGS__))

#define ICLRAppDomainResourceMonitor_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRAppDomainResourceMonitor_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRAppDomainResourceMonitor_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRAppDomainResourceMonitor_GetCurrentAllocated(This, ...) \
    ((This)->lpVtbl->GetCurrentAllocated(This, __VA_ARGS__))
#define ICLRAppDomainResourceMonitor_GetCurrentSurvived(This, ...) \
    ((This)->lpVtbl->GetCurrentSurvived(This, __VA_ARGS__))
#define ICLRAppDomainResourceMonitor_GetCurrentCpuTime(This, ...) \
    ((This)->lpVtbl->GetCurrentCpuTime(This, __VA_ARGS__))

#define ICLRPolicyManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRPolicyManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRPolicyManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRPolicyManager_SetDefaultAction(This, ...) ((This)->lpVtbl->SetDefaultAction(This, __VA_ARGS__))
#define ICLRPolicyManager_SetTimeout(This, ...) ((This)->lpVtbl->SetTimeout(This, __VA_ARGS__))
#define ICLRPolicyManager_SetActionOnTimeout(This, ...) ((This)->lpVtbl->SetActionOnTimeout(This, __VA_ARGS__))
#define ICLRPolicyManager_SetTimeoutAndAction(This, ...) ((This)->lpVtbl->SetTimeoutAndAction(This, __VA_ARGS__))
#define ICLRPolicyManager_SetActionOnFailure(This, ...) ((This)->lpVtbl->SetActionOnFailure(This, __VA_ARGS__))
#define ICLRPolicyManager_SetUnhandledExceptionPolicy(This, ...) \
    ((This)->lpVtbl->SetUnhandledExceptionPolicy(This, __VA_ARGS__))

#define IHostPolicyManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostPolicyManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostPolicyManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostPolicyManager_OnDefaultAction(This, ...) ((This)->lpVtbl->OnDefaultAction(This, __VA_ARGS__))
#define IHostPolicyManager_OnTimeout(This, ...) ((This)->lpVtbl->OnTimeout(This, __VA_ARGS__))
#define IHostPolicyManager_OnFailure(This, ...) ((This)->lpVtbl->OnFailure(This, __VA_ARGS__))

#define ICLROnEventManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLROnEventManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLROnEventManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLROnEventManager_RegisterActionOnEvent(This, ...) ((This)->lpVtbl->RegisterActionOnEvent(This, __VA_ARGS__))
#define ICLROnEventManager_UnregisterActionOnEvent(This, ...) \
    ((This)->lpVtbl->UnregisterActionOnEvent(This, __VA_ARGS__))

#define IActionOnCLREvent_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IActionOnCLREvent_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IActionOnCLREvent_Release(This) ((This)->lpVtbl->Release(This))
#define IActionOnCLREvent_OnEvent(This, ...) ((This)->lpVtbl->OnEvent(This, __VA_ARGS__))

#define ICLRDebugManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRDebugManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRDebugManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRDebugManager_BeginConnection(This, ...) ((This)->lpVtbl->BeginConnection(This, __VA_ARGS__))
#define ICLRDebugManager_SetConnectionTasks(This, ...) ((This)->lpVtbl->SetConnectionTasks(This, __VA_ARGS__))
#define ICLRDebugManager_EndConnection(This, ...) ((This)->lpVtbl->EndConnection(This, __VA_ARGS__))
#define ICLRDebugManager_SetDacl(This, ...) ((This)->lpVtbl->SetDacl(This, __VA_ARGS__))
#define ICLRDebugManager_GetDacl(This, ...) ((This)->lpVtbl->GetDacl(This, __VA_ARGS__))
#define ICLRDebugManager_IsDebuggerAttached(This, ...) ((This)->lpVtbl->IsDebuggerAttached(This, __VA_ARGS__))
#define ICLRDebugManager_SetSymbolReadingPolicy(This, ...) ((This)->lpVtbl->SetSymbolReadingPolicy(This, __VA_ARGS__))

#define ICLRErrorReportingManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRErrorReportingManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRErrorReportingManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRErrorReportingManager_GetBucketParametersForCurrentException(This, ...) \
    ((This)->lpVtbl->GetBucketParametersForCurrentException(This, __VA_ARGS__))
#define ICLRErrorReportingManager_BeginCustomDump(This, ...) ((This)->lpVtbl->BeginCustomDump(This, __VA_ARGS__))
#define ICLRErrorReportingManager_EndCustomDump(This) ((This)->lpVtbl->EndCustomDump(This))

#define ICLRErrorReportingManager2_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRErrorReportingManager2_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRErrorReportingManager2_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRErrorReportingManager2_GetBucketParametersForCurrentException(This, ...) \
    ((This)->lpVtbl->GetBucketParametersForCurrentException(This, __VA_ARGS__))
#define ICLRErrorReportingManager2_BeginCustomDump(This, ...) ((This)->lpVtbl->BeginCustomDump(This, __VA_ARGS__))
#define ICLRErrorReportingManager2_EndCustomDump(This) ((This)->lpVtbl->EndCustomDump(This))
#define ICLRErrorReportingManager2_SetApplicationData(This, ...) \
    ((This)->lpVtbl->SetApplicationData(This, __VA_ARGS__))
#define ICLRErrorReportingManager2_SetBucketParametersForUnhandledException(This, ...) \
    ((This)->lpVtbl->SetBucketParametersForUnhandledException(This, __VA_ARGS__))

#define ICLRHostProtectionManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRHostProtectionManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRHostProtectionManager_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRHostProtectionManager_SetProtectedCategories(This, ...) \
    ((This)->lpVtbl->SetProtectedCategories(This, __VA_ARGS__))
#define ICLRHostProtectionManager_SetEagerSerializeGrantSets(This) ((This)->lpVtbl->SetEagerSerializeGrantSets(This))

#define IHostAssemblyManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostAssemblyManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostAssemblyManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostAssemblyManager_GetNonHostStoreAssemblies(This, ...) \
    ((This)->lpVtbl->GetNonHostStoreAssemblies(This, __VA_ARGS__))
#define IHostAssemblyManager_GetAssemblyStore(This, ...) ((This)->lpVtbl->GetAssemblyStore(This, __VA_ARGS__))

#define IHostAssemblyStore_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostAssemblyStore_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostAssemblyStore_Release(This) ((This)->lpVtbl->Release(This))
#define IHostAssemblyStore_ProvideAssembly(This, ...) ((This)->lpVtbl->ProvideAssembly(This, __VA_ARGS__))
#define IHostAssemblyStore_ProvideModule(This, ...) ((This)->lpVtbl->ProvideModule(This, __VA_ARGS__))

#define ICLRAssemblyReferenceList_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ICLRAssemblyReferenceList_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ICLRAssemblyReferenceList_Release(This) ((This)->lpVtbl->Release(This))
#define ICLRAssemblyReferenceList_IsStringAssemblyReferenceInList(This, ...) \
    ((This)->lpVtbl->IsStringAssemblyReferenceInList(This, __VA_ARGS__))
#define ICLRAssemblyReferenceList_IsAssemblyReferenceInList(This, ...) \
    ((This)->lpVtbl->IsAssemblyReferenceInList(This, __VA_ARGS__))

#define IHostSecurityManager_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostSecurityManager_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostSecurityManager_Release(This) ((This)->lpVtbl->Release(This))
#define IHostSecurityManager_ImpersonateLoggedOnUser(This, ...) \
    ((This)->lpVtbl->ImpersonateLoggedOnUser(This, __VA_ARGS__))
#define IHostSecurityManager_RevertToSelf(This) ((This)->lpVtbl->RevertToSelf(This))
#define IHostSecurityManager_OpenThreadToken(This, ...) ((This)->lpVtbl->OpenThreadToken(This, __VA_ARGS__))
#define IHostSecurityManager_SetThreadToken(This, ...) ((This)->lpVtbl->SetThreadToken(This, __VA_ARGS__))
#define IHostSecurityManager_GetSecurityContext(This, ...) ((This)->lpVtbl->GetSecurityContext(This, __VA_ARGS__))
#define IHostSecurityManager_SetSecurityContext(This, ...) ((This)->lpVtbl->SetSecurityContext(This, __VA_ARGS__))

#define IHostSecurityContext_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define IHostSecurityContext_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define IHostSecurityContext_Release(This) ((This)->lpVtbl->Release(This))
#define IHostSecurityContext_Capture(This, ...) ((This)->lpVtbl->Capture(This, __VA_ARGS__))

#endif

#endif
