// VARIANT and SAFEARRAY, as far as hosts pass them about in their own process. Part of windows.h.
//
// .NET on Linux has no COM automation: nothing here can be passed to managed code. IDispatch is
// declared, and soglia has no object that answers to it.

#ifndef SOGLIA_WIN32_VARIANT_H
#define SOGLIA_WIN32_VARIANT_H

typedef uint16_t VARTYPE;
typedef int16_t VARIANT_BOOL;
typedef double DOUBLE;
typedef float FLOAT;
typedef double DATE;
typedef int32_t SCODE;
typedef int32_t DISPID;
#define VARIANT_TRUE ((VARIANT_BOOL)-1)
#define VARIANT_FALSE ((VARIANT_BOOL)0)
#define DISP_E_TYPEMISMATCH _HRESULT_TYPEDEF_(0x80020005)
#define DISP_E_BADVARTYPE _HRESULT_TYPEDEF_(0x80020008)
#define DISP_E_BADINDEX _HRESULT_TYPEDEF_(0x8002000B)
#define DISP_E_ARRAYISLOCKED _HRESULT_TYPEDEF_(0x8002000D)

enum VARENUM {
    VT_EMPTY = 0,
    VT_NULL = 1,
    VT_I2 = 2,
    VT_I4 = 3,
    VT_R4 = 4,
    VT_R8 = 5,
    VT_DATE = 7,
    VT_BSTR = 8,
    VT_DISPATCH = 9,
    VT_ERROR = 10,
    VT_BOOL = 11,
    VT_VARIANT = 12,
    VT_UNKNOWN = 13,
    VT_I1 = 16,
    VT_UI1 = 17,
    VT_UI2 = 18,
    VT_UI4 = 19,
    VT_I8 = 20,
    VT_UI8 = 21,
    VT_INT = 22,
    VT_UINT = 23,
    VT_VOID = 24,
    VT_ARRAY = 0x2000,
    VT_BYREF = 0x4000,
    VT_TYPEMASK = 0xFFF
};

typedef struct tagSAFEARRAYBOUND {
    ULONG cElements;
    LONG lLbound;
} SAFEARRAYBOUND, *LPSAFEARRAYBOUND;
// What lies before it in memory is ours: the type of its elements.
typedef struct tagSAFEARRAY {
    USHORT cDims;
    USHORT fFeatures;
    ULONG cbElements;
    ULONG cLocks;
    PVOID pvData;
    SAFEARRAYBOUND rgsabound[1];
} SAFEARRAY, *LPSAFEARRAY;

SOGLIA_INTERFACE(IDispatch, 0x00020400, 0x0000, 0x0000, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46)

typedef struct tagVARIANT {
    VARTYPE vt;
    WORD wReserved1;
    WORD wReserved2;
    WORD wReserved3;
    union {
        LONGLONG llVal;
        LONG lVal;
        BYTE bVal;
        SHORT iVal;
        FLOAT fltVal;
        DOUBLE dblVal;
        VARIANT_BOOL boolVal;
        SCODE scode;
        DATE date;
        BSTR bstrVal;
        IUnknown *punkVal;
        IDispatch *pdispVal;
        SAFEARRAY *parray;
        PVOID byref;
        CHAR cVal;
        USHORT uiVal;
        ULONG ulVal;
        ULONGLONG ullVal;
        INT intVal;
        UINT uintVal;
        PVOID two_words[2]; // as large as Windows's
    };
} VARIANT, VARIANTARG, *LPVARIANT;

typedef struct tagDISPPARAMS {
    VARIANTARG *rgvarg;
    DISPID *rgdispidNamedArgs;
    UINT cArgs;
    UINT cNamedArgs;
} DISPPARAMS;
struct ITypeInfo;
typedef struct tagEXCEPINFO EXCEPINFO;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
struct IDispatch : public IUnknown {
    virtual HRESULT GetTypeInfoCount(UINT *pctinfo) = 0;
    virtual HRESULT GetTypeInfo(UINT iTInfo, LCID lcid, ITypeInfo **ppTInfo) = 0;
    virtual HRESULT GetIDsOfNames(REFIID riid, LPOLESTR *rgszNames, UINT cNames, LCID lcid, DISPID *rgDispId) = 0;
    virtual HRESULT Invoke(DISPID dispIdMember, REFIID riid, LCID lcid, WORD wFlags, DISPPARAMS *pDispParams,
                           VARIANT *pVarResult, EXCEPINFO *pExcepInfo, UINT *puArgErr) = 0;
};
#pragma GCC diagnostic pop

namespace soglia_win32 {
struct ArrayHead {
    uint64_t unused;
    uint32_t unused_too;
    VARTYPE type;
    uint16_t unused_three;
};
inline ULONG size_of(VARTYPE type) {
    switch (type) {
    case VT_I1:
    case VT_UI1:
        return 1;
    case VT_I2:
    case VT_UI2:
    case VT_BOOL:
        return 2;
    case VT_I4:
    case VT_UI4:
    case VT_R4:
    case VT_INT:
    case VT_UINT:
    case VT_ERROR:
        return 4;
    case VT_I8:
    case VT_UI8:
    case VT_R8:
    case VT_DATE:
    case VT_BSTR:
    case VT_UNKNOWN:
    case VT_DISPATCH:
        return 8;
    case VT_VARIANT:
        return sizeof(VARIANT);
    default:
        return 0;
    }
}
inline ULONG count_of(const SAFEARRAY *array) {
    ULONG count = 1;
    for (USHORT i = 0; i < array->cDims; i++)
        count *= array->rgsabound[i].cElements;
    return count;
}
} // namespace soglia_win32

inline HRESULT SafeArrayGetVartype(SAFEARRAY *array, VARTYPE *type) {
    *type = ((soglia_win32::ArrayHead *)(void *)array)[-1].type;
    return S_OK;
}
inline SAFEARRAY *SafeArrayCreate(VARTYPE type, UINT dimensions, SAFEARRAYBOUND *bounds) {
    ULONG size = soglia_win32::size_of(type);
    if (size == 0 || dimensions == 0 || dimensions > 60)
        return nullptr;
    size_t bytes = sizeof(SAFEARRAY) + (dimensions - 1) * sizeof(SAFEARRAYBOUND);
    auto *head = (soglia_win32::ArrayHead *)calloc(1, sizeof(soglia_win32::ArrayHead) + bytes);
    if (head == nullptr)
        return nullptr;
    head->type = type;
    SAFEARRAY *array = (SAFEARRAY *)(void *)(head + 1);
    array->cDims = (USHORT)dimensions;
    array->cbElements = size;
    // They stand there the other way round than they are given.
    for (UINT i = 0; i < dimensions; i++)
        memcpy((char *)array->rgsabound + i * sizeof(SAFEARRAYBOUND), &bounds[dimensions - 1 - i], sizeof(SAFEARRAYBOUND));
    array->pvData = calloc(soglia_win32::count_of(array) + 1, size);
    if (array->pvData == nullptr) {
        free(head);
        return nullptr;
    }
    return array;
}
inline SAFEARRAY *SafeArrayCreateVector(VARTYPE type, LONG low, ULONG count) {
    SAFEARRAYBOUND bound = {count, low};
    return SafeArrayCreate(type, 1, &bound);
}
inline UINT SafeArrayGetDim(SAFEARRAY *array) { return array->cDims; }
inline UINT SafeArrayGetElemsize(SAFEARRAY *array) { return array->cbElements; }
// Dimensions are counted from 1, the leftmost first.
inline HRESULT SafeArrayGetLBound(SAFEARRAY *array, UINT dimension, LONG *bound) {
    if (dimension == 0 || dimension > array->cDims)
        return DISP_E_BADINDEX;
    *bound = array->rgsabound[array->cDims - dimension].lLbound;
    return S_OK;
}
inline HRESULT SafeArrayGetUBound(SAFEARRAY *array, UINT dimension, LONG *bound) {
    if (dimension == 0 || dimension > array->cDims)
        return DISP_E_BADINDEX;
    const SAFEARRAYBOUND &of = array->rgsabound[array->cDims - dimension];
    *bound = of.lLbound + (LONG)of.cElements - 1;
    return S_OK;
}
inline HRESULT SafeArrayLock(SAFEARRAY *array) {
    array->cLocks++;
    return S_OK;
}
inline HRESULT SafeArrayUnlock(SAFEARRAY *array) {
    if (array->cLocks == 0)
        return E_UNEXPECTED;
    array->cLocks--;
    return S_OK;
}
inline HRESULT SafeArrayAccessData(SAFEARRAY *array, void **data) {
    *data = array->pvData;
    return SafeArrayLock(array);
}
inline HRESULT SafeArrayUnaccessData(SAFEARRAY *array) { return SafeArrayUnlock(array); }
inline HRESULT SafeArrayPtrOfIndex(SAFEARRAY *array, LONG *indices, void **place) {
    size_t at = 0, step = 1;
    for (USHORT i = 0; i < array->cDims; i++) {
        LONG index = indices[i];
        const SAFEARRAYBOUND &of = array->rgsabound[array->cDims - 1 - i];
        if (index < of.lLbound || (ULONG)(index - of.lLbound) >= of.cElements)
            return DISP_E_BADINDEX;
        at += (size_t)(index - of.lLbound) * step;
        step *= of.cElements;
    }
    *place = (char *)array->pvData + at * array->cbElements;
    return S_OK;
}

inline void VariantInit(VARIANTARG *value) { memset(value, 0, sizeof *value); }
inline HRESULT SafeArrayDestroy(SAFEARRAY *array);
inline HRESULT VariantClear(VARIANTARG *value) {
    HRESULT hr = S_OK;
    if ((value->vt & VT_BYREF) != 0)
        ;
    else if ((value->vt & VT_ARRAY) != 0)
        hr = value->parray != nullptr ? SafeArrayDestroy(value->parray) : S_OK;
    else if (value->vt == VT_BSTR)
        SysFreeString(value->bstrVal);
    else if ((value->vt == VT_UNKNOWN || value->vt == VT_DISPATCH) && value->punkVal != nullptr)
        value->punkVal->Release();
    if (SUCCEEDED(hr))
        VariantInit(value);
    return hr;
}
inline HRESULT SafeArrayCopy(SAFEARRAY *from, SAFEARRAY **to);
inline HRESULT VariantCopy(VARIANTARG *to, const VARIANTARG *from) {
    VARIANT copy = *from;
    if ((from->vt & VT_BYREF) != 0)
        ;
    else if ((from->vt & VT_ARRAY) != 0 && from->parray != nullptr) {
        HRESULT hr = SafeArrayCopy(from->parray, &copy.parray);
        if (FAILED(hr))
            return hr;
    } else if (from->vt == VT_BSTR && from->bstrVal != nullptr) {
        copy.bstrVal = SysAllocStringLen(from->bstrVal, SysStringLen(from->bstrVal));
        if (copy.bstrVal == nullptr)
            return E_OUTOFMEMORY;
    } else if ((from->vt == VT_UNKNOWN || from->vt == VT_DISPATCH) && from->punkVal != nullptr)
        from->punkVal->AddRef();
    HRESULT hr = VariantClear(to);
    *to = copy;
    return hr;
}

namespace soglia_win32 {
// An element that is given as Windows's functions take one: pointers themselves, all else by
// address.
inline HRESULT put_element(VARTYPE type, ULONG size, void *place, void *value) {
    if (type == VT_BSTR) {
        SysFreeString(*(BSTR *)place);
        *(BSTR *)place = value == nullptr ? nullptr : SysAllocStringLen((BSTR)value, SysStringLen((BSTR)value));
    } else if (type == VT_UNKNOWN || type == VT_DISPATCH) {
        if (value != nullptr)
            ((IUnknown *)value)->AddRef();
        if (*(IUnknown **)place != nullptr)
            (*(IUnknown **)place)->Release();
        *(IUnknown **)place = (IUnknown *)value;
    } else if (type == VT_VARIANT)
        return VariantCopy((VARIANT *)place, (VARIANT *)value);
    else
        memcpy(place, value, size);
    return S_OK;
}
inline bool is_pointer(VARTYPE type) { return type == VT_BSTR || type == VT_UNKNOWN || type == VT_DISPATCH; }
} // namespace soglia_win32

inline HRESULT SafeArrayPutElement(SAFEARRAY *array, LONG *indices, void *value) {
    VARTYPE type;
    void *place;
    SafeArrayGetVartype(array, &type);
    HRESULT hr = SafeArrayPtrOfIndex(array, indices, &place);
    return FAILED(hr) ? hr : soglia_win32::put_element(type, array->cbElements, place, value);
}
// A copy, with a reference of its own.
inline HRESULT SafeArrayGetElement(SAFEARRAY *array, LONG *indices, void *value) {
    VARTYPE type;
    void *place;
    SafeArrayGetVartype(array, &type);
    HRESULT hr = SafeArrayPtrOfIndex(array, indices, &place);
    if (FAILED(hr))
        return hr;
    memset(value, 0, array->cbElements);
    return soglia_win32::put_element(type, array->cbElements, value,
                                     soglia_win32::is_pointer(type) ? *(void **)place : place);
}
inline HRESULT SafeArrayDestroy(SAFEARRAY *array) {
    if (array == nullptr)
        return S_OK;
    if (array->cLocks != 0)
        return DISP_E_ARRAYISLOCKED;
    VARTYPE type;
    SafeArrayGetVartype(array, &type);
    for (ULONG i = 0; i < soglia_win32::count_of(array); i++) {
        void *place = (char *)array->pvData + (size_t)i * array->cbElements;
        if (type == VT_VARIANT)
            VariantClear((VARIANT *)place);
        else if (soglia_win32::is_pointer(type))
            soglia_win32::put_element(type, array->cbElements, place, nullptr);
    }
    free(array->pvData);
    free((soglia_win32::ArrayHead *)(void *)array - 1);
    return S_OK;
}
inline HRESULT SafeArrayCopy(SAFEARRAY *from, SAFEARRAY **to) {
    VARTYPE type;
    SafeArrayGetVartype(from, &type);
    std::vector<SAFEARRAYBOUND> bounds;
    for (UINT i = 0; i < from->cDims; i++)
        bounds.push_back(from->rgsabound[from->cDims - 1 - i]);
    *to = SafeArrayCreate(type, from->cDims, bounds.data());
    if (*to == nullptr)
        return E_OUTOFMEMORY;
    for (ULONG i = 0; i < soglia_win32::count_of(from); i++) {
        void *source = (char *)from->pvData + (size_t)i * from->cbElements;
        void *target = (char *)(*to)->pvData + (size_t)i * from->cbElements;
        soglia_win32::put_element(type, from->cbElements, target,
                                  soglia_win32::is_pointer(type) ? *(void **)source : source);
    }
    return S_OK;
}

#endif
