// _com_error, _bstr_t, _variant_t and _com_ptr_t, with which Microsoft's compiler makes COM easier.
// Behind comdef.h.

#ifndef SOGLIA_WIN32_COMDEF_H
#define SOGLIA_WIN32_COMDEF_H

#ifndef __cplusplus
#error "This header is for C++."
#endif

#include "windows.h"

struct IErrorInfo;

// What is thrown. Its message is that of FormatMessage.
class _com_error {
    HRESULT hr;
    mutable std::soglia_wstring text;

  public:
    _com_error(HRESULT hr, IErrorInfo * = nullptr, bool = false) : hr(hr) {}
    virtual ~_com_error() {}
    HRESULT Error() const { return hr; }
    WORD WCode() const { return 0; }
    const WCHAR *ErrorMessage() const {
        if (text.empty())
            text = soglia_win32::widen(soglia_win32::message((DWORD)hr));
        return text.c_str();
    }
    IErrorInfo *ErrorInfo() const { return nullptr; }
    static HRESULT WCodeToHRESULT(WORD code) { return code == 0 ? E_FAIL : (HRESULT)(0x80040200u + code); }
};
inline void _com_raise_error(HRESULT hr, IErrorInfo * = nullptr) { throw _com_error(hr); }
inline void _com_issue_error(HRESULT hr) { _com_raise_error(hr); }
inline void _com_issue_errorex(HRESULT hr, IUnknown *, REFIID) { _com_raise_error(hr); }

namespace _com_util {
inline void CheckError(HRESULT hr) {
    if (FAILED(hr))
        _com_issue_error(hr);
}
inline BSTR ConvertStringToBSTR(const char *text) {
    if (text == nullptr)
        return nullptr;
    std::vector<WCHAR> all = soglia_win32::wide(text, strlen(text));
    return SysAllocStringLen(all.data(), (UINT)all.size());
}
// To be freed by delete[].
inline char *ConvertBSTRToString(BSTR text) {
    if (text == nullptr)
        return nullptr;
    std::string all = soglia_win32::narrow(text, SysStringLen(text));
    return (char *)memcpy(new char[all.size() + 1], all.c_str(), all.size() + 1);
}
} // namespace _com_util
inline BSTR soglia_bstr(BSTR text) {
    if (text == nullptr)
        _com_issue_error(E_OUTOFMEMORY);
    return text;
}

// A BSTR of its own, and its narrow text where that is asked for.
class _bstr_t {
    BSTR wide = nullptr;
    mutable std::string narrow;

    static BSTR copy_of(const WCHAR *text, UINT count) {
        return text == nullptr ? nullptr : soglia_bstr(SysAllocStringLen(text, count));
    }

  public:
    _bstr_t() noexcept {}
    _bstr_t(const _bstr_t &other) : wide(copy_of(other.wide, other.length())) {}
    _bstr_t(_bstr_t &&other) noexcept : wide(other.wide) { other.wide = nullptr; }
    _bstr_t(const char *text) : wide(_com_util::ConvertStringToBSTR(text)) {}
    _bstr_t(const WCHAR *text)
        : wide(copy_of(text, text == nullptr ? 0 : (UINT)soglia_win32::length(text))) {}
    // What is not copied is taken over.
    _bstr_t(BSTR text, bool copy) : wide(copy ? copy_of(text, SysStringLen(text)) : text) {}
    ~_bstr_t() { SysFreeString(wide); }
    _bstr_t &operator=(_bstr_t other) noexcept {
        std::swap(wide, other.wide);
        return *this;
    }
    operator const WCHAR *() const noexcept { return wide; }
    operator WCHAR *() const noexcept { return wide; }
    operator const char *() const {
        if (wide == nullptr)
            return nullptr;
        narrow = soglia_win32::narrow(wide, SysStringLen(wide));
        return narrow.c_str();
    }
    operator char *() const { return const_cast<char *>((const char *)*this); }
    bool operator!() const noexcept { return wide == nullptr; }
    UINT length() const noexcept { return SysStringLen(wide); }
    BSTR copy(bool = true) const { return copy_of(wide, length()); }
    BSTR Detach() {
        BSTR text = wide;
        wide = nullptr;
        return text;
    }
    void Attach(BSTR text) {
        SysFreeString(wide);
        wide = text;
    }
    BSTR &GetBSTR() { return wide; }
    BSTR *GetAddress() {
        Attach(nullptr);
        return &wide;
    }
    _bstr_t &operator+=(const _bstr_t &other) {
        std::soglia_wstring all(wide == nullptr ? L"" : wide, length());
        all.append(other.wide == nullptr ? L"" : other.wide, other.length());
        return *this = _bstr_t(soglia_bstr(SysAllocStringLen(all.data(), (UINT)all.size())), false);
    }
    friend _bstr_t operator+(_bstr_t a, const _bstr_t &b) { return a += b; }
    int compare(const _bstr_t &other) const {
        UINT mine = length(), theirs = other.length(), least = mine < theirs ? mine : theirs;
        int order = soglia_win32::Traits::compare(wide, other.wide, least);
        return order != 0 ? order : mine < theirs ? -1 : mine > theirs;
    }
    bool operator==(const _bstr_t &other) const { return compare(other) == 0; }
    bool operator!=(const _bstr_t &other) const { return compare(other) != 0; }
    bool operator<(const _bstr_t &other) const { return compare(other) < 0; }
    bool operator>(const _bstr_t &other) const { return compare(other) > 0; }
};
typedef _bstr_t bstr_t;
inline soglia_win32::WideOut &operator<<(soglia_win32::WideOut &out, const _bstr_t &text) {
    return out << soglia_win32::Wide((const WCHAR *)text == nullptr ? L"" : (const WCHAR *)text, text.length());
}

// A VARIANT of its own.
class _variant_t : public tagVARIANT {
    void become(VARTYPE type) { vt = type; }

  public:
    _variant_t() noexcept { VariantInit(this); }
    _variant_t(const VARIANT &other) {
        VariantInit(this);
        _com_util::CheckError(VariantCopy(this, &other));
    }
    _variant_t(const _variant_t &other) : _variant_t((const VARIANT &)other) {}
    _variant_t(SHORT value) : _variant_t() { become(VT_I2), iVal = value; }
    _variant_t(int value) : _variant_t() { become(VT_I4), lVal = value; }
    _variant_t(long value) : _variant_t() { become(VT_I8), llVal = value; }
    _variant_t(long long value) : _variant_t() { become(VT_I8), llVal = value; }
    _variant_t(unsigned value) : _variant_t() { become(VT_UI4), ulVal = value; }
    _variant_t(float value) : _variant_t() { become(VT_R4), fltVal = value; }
    _variant_t(double value) : _variant_t() { become(VT_R8), dblVal = value; }
    _variant_t(bool value) : _variant_t() { become(VT_BOOL), boolVal = value ? VARIANT_TRUE : VARIANT_FALSE; }
    _variant_t(const WCHAR *text) : _variant_t() { become(VT_BSTR), bstrVal = _bstr_t(text).Detach(); }
    _variant_t(const char *text) : _variant_t() { become(VT_BSTR), bstrVal = _bstr_t(text).Detach(); }
    _variant_t(const _bstr_t &text) : _variant_t() { become(VT_BSTR), bstrVal = text.copy(); }
    _variant_t(IUnknown *object, bool add = true) : _variant_t() {
        become(VT_UNKNOWN), punkVal = object;
        if (add && object != nullptr)
            object->AddRef();
    }
    _variant_t(IDispatch *object, bool add = true) : _variant_t((IUnknown *)object, add) { vt = VT_DISPATCH; }
    ~_variant_t() { VariantClear(this); }
    _variant_t &operator=(_variant_t other) {
        VARIANT mine = *this;
        static_cast<tagVARIANT &>(*this) = other;
        static_cast<tagVARIANT &>(other) = mine;
        return *this;
    }
    void Clear() { _com_util::CheckError(VariantClear(this)); }
    void Attach(VARIANT &other) {
        Clear();
        static_cast<tagVARIANT &>(*this) = other;
        other.vt = VT_EMPTY;
    }
    VARIANT Detach() {
        VARIANT mine = *this;
        vt = VT_EMPTY;
        return mine;
    }
    VARIANT &GetVARIANT() { return *this; }
    VARIANT *GetAddress() {
        Clear();
        return this;
    }
    // A number as another kind of number; a text, as it is. _com_error where it is neither.
    operator LONG() const { return (LONG)whole(); }
    operator long long() const { return whole(); }
    operator double() const { return vt == VT_R8 ? dblVal : vt == VT_R4 ? (double)fltVal : (double)whole(); }
    operator bool() const { return whole() != 0; }
    operator _bstr_t() const {
        if (vt == VT_BSTR)
            return _bstr_t(bstrVal, true);
        return _bstr_t(std::to_string(whole()).c_str());
    }

  private:
    long long whole() const {
        switch (vt) {
        case VT_I1:
            return cVal;
        case VT_UI1:
            return bVal;
        case VT_I2:
            return iVal;
        case VT_UI2:
            return uiVal;
        case VT_BOOL:
            return boolVal != 0;
        case VT_I4:
        case VT_INT:
        case VT_ERROR:
            return lVal;
        case VT_UI4:
        case VT_UINT:
            return ulVal;
        case VT_I8:
        case VT_UI8:
            return llVal;
        case VT_R4:
            return (long long)fltVal;
        case VT_R8:
            return (long long)dblVal;
        default:
            _com_issue_error(DISP_E_TYPEMISMATCH);
            return 0;
        }
    }
};
typedef _variant_t variant_t;

// An interface and its ID.
template <class Interface, const IID *id = nullptr> class _com_IIID {
  public:
    typedef Interface soglia_interface;
    static const IID &GetIID() noexcept { return id != nullptr ? *id : __uuidof(Interface); }
};

// A counted pointer to an interface.
template <class Id> class _com_ptr_t {
  public:
    typedef Id ThisIIID;
    typedef typename Id::soglia_interface Interface;

  private:
    Interface *object = nullptr;

    void ask(IUnknown *other) {
        if (other == nullptr)
            return;
        HRESULT hr = other->QueryInterface(GetIID(), (void **)&object);
        if (FAILED(hr) && hr != E_NOINTERFACE)
            _com_issue_error(hr);
    }

  public:
    static const IID &GetIID() noexcept { return Id::GetIID(); }
    _com_ptr_t() noexcept {}
    _com_ptr_t(std::nullptr_t) noexcept {}
    _com_ptr_t(int null) {
        if (null != 0)
            _com_issue_error(E_POINTER);
    }
    _com_ptr_t(Interface *other) noexcept : object(other) { AddRef(); }
    _com_ptr_t(Interface *other, bool add) noexcept : object(other) {
        if (add)
            AddRef();
    }
    _com_ptr_t(const _com_ptr_t &other) noexcept : _com_ptr_t(other.object) {}
    _com_ptr_t(_com_ptr_t &&other) noexcept : object(other.Detach()) {}
    // Of another interface: that is asked for this one, and the pointer is null if it has it not.
    template <class Other> _com_ptr_t(const _com_ptr_t<Other> &other) { ask(other.GetInterfacePtr()); }
    template <class Other> _com_ptr_t(Other *other) { ask(other); }
    ~_com_ptr_t() { soglia_release(); }
    _com_ptr_t &operator=(_com_ptr_t other) noexcept {
        std::swap(object, other.object);
        return *this;
    }
    operator Interface *() const noexcept { return object; }
    Interface &operator*() const { return *checked(); }
    Interface *operator->() const { return checked(); }
    // What is written there is taken over; what was there is released.
    Interface **operator&() noexcept {
        soglia_release();
        return &object;
    }
    explicit operator bool() const noexcept { return object != nullptr; }
    bool operator!() const noexcept { return object == nullptr; }
    bool operator==(Interface *other) const noexcept { return object == other; }
    bool operator!=(Interface *other) const noexcept { return object != other; }
    bool operator==(const _com_ptr_t &other) const noexcept { return object == other.object; }
    bool operator!=(const _com_ptr_t &other) const noexcept { return object != other.object; }
    bool operator==(std::nullptr_t) const noexcept { return object == nullptr; }
    bool operator!=(std::nullptr_t) const noexcept { return object != nullptr; }
    Interface *GetInterfacePtr() const noexcept { return object; }
    Interface *&GetInterfacePtr() noexcept { return object; }
    void AddRef() const {
        if (object != nullptr)
            object->AddRef();
    }
    void Release() {
        if (object == nullptr)
            _com_issue_error(E_POINTER);
        soglia_release();
    }
    void Attach(Interface *other) noexcept {
        soglia_release();
        object = other;
    }
    void Attach(Interface *other, bool add) noexcept {
        Attach(other);
        if (add)
            AddRef();
    }
    Interface *Detach() noexcept {
        Interface *other = object;
        object = nullptr;
        return other;
    }
    template <class Other> HRESULT QueryInterface(const IID &id, Other *&other) {
        return object == nullptr ? E_POINTER : object->QueryInterface(id, (void **)&other);
    }
    template <class Other> HRESULT QueryInterface(const IID &id, Other **other) {
        return object == nullptr ? E_POINTER : object->QueryInterface(id, (void **)other);
    }

  private:
    Interface *checked() const {
        if (object == nullptr)
            _com_issue_error(E_POINTER);
        return object;
    }
    void soglia_release() noexcept {
        if (Interface *old = Detach())
            old->Release();
    }
};

#define _COM_SMARTPTR _com_ptr_t
#define _COM_SMARTPTR_LEVEL2 _com_IIID
// The ID is that of the interface, whatever is written there.
#define _COM_SMARTPTR_TYPEDEF(Interface, id) typedef _com_ptr_t<_com_IIID<Interface>> Interface##Ptr

_COM_SMARTPTR_TYPEDEF(IUnknown, __uuidof(IUnknown));
_COM_SMARTPTR_TYPEDEF(IDispatch, __uuidof(IDispatch));

#endif
