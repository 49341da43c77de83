// ATL's pointers and texts: CComPtr, CComQIPtr, CComBSTR, CComVariant, CA2W and the like. What ATL
// has for making COM objects (CComObject, COM_MAP, modules) is not here.

#ifndef SOGLIA_WIN32_ATLBASE_H
#define SOGLIA_WIN32_ATLBASE_H

#include "soglia_comdef.h"

#define ATLASSERT(what) assert(what)
#define ATLVERIFY(what) ((void)(what))
#define ATLTRACE(...) ((void)0)
#define ATL_NO_VTABLE
#define ATLENSURE(what)                                                                                                \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            ATL::AtlThrow(E_FAIL);                                                                                     \
    } while (false)

namespace ATL {
class CAtlException {
  public:
    HRESULT m_hr;
    CAtlException(HRESULT hr = E_FAIL) : m_hr(hr) {}
    operator HRESULT() const { return m_hr; }
};
[[noreturn]] inline void AtlThrow(HRESULT hr) { throw CAtlException(hr); }

// A counted pointer to an interface.
template <class T> class CComPtr {
  public:
    T *p = nullptr;

    CComPtr() noexcept {}
    CComPtr(std::nullptr_t) noexcept {}
    CComPtr(T *other) noexcept : p(other) {
        if (p != nullptr)
            p->AddRef();
    }
    CComPtr(const CComPtr &other) noexcept : CComPtr(other.p) {}
    CComPtr(CComPtr &&other) noexcept : p(other.Detach()) {}
    ~CComPtr() { Release(); }
    CComPtr &operator=(CComPtr other) noexcept {
        std::swap(p, other.p);
        return *this;
    }
    operator T *() const noexcept { return p; }
    T &operator*() const { return *p; }
    T *operator->() const noexcept { return p; }
    // It must be null: what was there would never be released.
    T **operator&() noexcept {
        ATLASSERT(p == nullptr);
        return &p;
    }
    bool operator!() const noexcept { return p == nullptr; }
    bool operator==(T *other) const noexcept { return p == other; }
    bool operator!=(T *other) const noexcept { return p != other; }
    bool operator==(const CComPtr &other) const noexcept { return p == other.p; }
    bool operator!=(const CComPtr &other) const noexcept { return p != other.p; }
    bool operator==(std::nullptr_t) const noexcept { return p == nullptr; }
    bool operator!=(std::nullptr_t) const noexcept { return p != nullptr; }
    void Release() noexcept {
        if (T *old = Detach())
            old->Release();
    }
    void Attach(T *other) noexcept {
        Release();
        p = other;
    }
    T *Detach() noexcept {
        T *other = p;
        p = nullptr;
        return other;
    }
    HRESULT CopyTo(T **other) const noexcept {
        if (p != nullptr)
            p->AddRef();
        *other = p;
        return S_OK;
    }
    template <class U> HRESULT QueryInterface(U **other) const noexcept {
        return p->QueryInterface(__uuidof(U), (void **)other);
    }
    bool IsEqualObject(IUnknown *other) const noexcept {
        CComPtr<IUnknown> mine, theirs;
        if (p != nullptr)
            p->QueryInterface(__uuidof(IUnknown), (void **)&mine.p);
        if (other != nullptr)
            other->QueryInterface(__uuidof(IUnknown), (void **)&theirs.p);
        return mine.p == theirs.p;
    }
};
// One that asks for its interface.
template <class T, const IID *id = nullptr> class CComQIPtr : public CComPtr<T> {
    void ask(IUnknown *other) {
        if (other != nullptr)
            other->QueryInterface(id != nullptr ? *id : __uuidof(T), (void **)&this->p);
    }

  public:
    CComQIPtr() noexcept {}
    CComQIPtr(T *other) noexcept : CComPtr<T>(other) {}
    CComQIPtr(const CComQIPtr &other) noexcept : CComPtr<T>(other.p) {}
    template <class U> CComQIPtr(U *other) { ask(other); }
    template <class U> CComQIPtr(const CComPtr<U> &other) { ask(other.p); }
    CComQIPtr &operator=(CComQIPtr other) noexcept {
        std::swap(this->p, other.p);
        return *this;
    }
};

class CComBSTR {
  public:
    BSTR m_str = nullptr;

    CComBSTR() noexcept {}
    CComBSTR(const WCHAR *text) : m_str(SysAllocString(text)) {}
    CComBSTR(const char *text) : m_str(_com_util::ConvertStringToBSTR(text)) {}
    CComBSTR(int count, const WCHAR *text = nullptr) : m_str(SysAllocStringLen(text, (UINT)count)) {}
    CComBSTR(const CComBSTR &other) : m_str(other.Copy()) {}
    CComBSTR(CComBSTR &&other) noexcept : m_str(other.Detach()) {}
    ~CComBSTR() { SysFreeString(m_str); }
    CComBSTR &operator=(CComBSTR other) noexcept {
        std::swap(m_str, other.m_str);
        return *this;
    }
    operator BSTR() const noexcept { return m_str; }
    BSTR *operator&() noexcept { return &m_str; }
    bool operator!() const noexcept { return m_str == nullptr; }
    UINT Length() const noexcept { return SysStringLen(m_str); }
    UINT ByteLength() const noexcept { return SysStringByteLen(m_str); }
    BSTR Copy() const { return m_str == nullptr ? nullptr : SysAllocStringLen(m_str, Length()); }
    void Attach(BSTR text) noexcept {
        SysFreeString(m_str);
        m_str = text;
    }
    BSTR Detach() noexcept {
        BSTR text = m_str;
        m_str = nullptr;
        return text;
    }
    void Empty() noexcept { Attach(nullptr); }
    HRESULT Append(const WCHAR *text) {
        std::soglia_wstring all(m_str == nullptr ? L"" : m_str, Length());
        all += text;
        Attach(SysAllocStringLen(all.data(), (UINT)all.size()));
        return m_str != nullptr ? S_OK : E_OUTOFMEMORY;
    }
    CComBSTR &operator+=(const WCHAR *text) {
        Append(text);
        return *this;
    }
    bool operator==(const WCHAR *text) const { return soglia_win32::compare(m_str == nullptr ? L"" : m_str, text, SIZE_MAX, false) == 0; }
    bool operator!=(const WCHAR *text) const { return !(*this == text); }
};

class CComVariant : public _variant_t {
  public:
    using _variant_t::_variant_t;
    CComVariant() {}
    HRESULT Clear() { return VariantClear(this); }
};

// A text in the other width, for as long as the object lives.
class CA2W {
    std::vector<WCHAR> text;

  public:
    CA2W(const char *from, UINT = CP_UTF8) : text(soglia_win32::wide(from, strlen(from))) { text.push_back(0); }
    operator WCHAR *() { return text.data(); }
};
class CW2A {
    std::string text;

  public:
    CW2A(const WCHAR *from, UINT = CP_UTF8) : text(soglia_win32::narrow(from)) {}
    operator char *() { return &text[0]; }
};
typedef CA2W CA2T;
typedef CW2A CT2A;
typedef CA2W CA2CT;
typedef CW2A CT2CA;
class CW2W {
    std::vector<WCHAR> text;

  public:
    CW2W(const WCHAR *from) : text(from, from + soglia_win32::length(from) + 1) {}
    operator WCHAR *() { return text.data(); }
};
typedef CW2W CT2W;
typedef CW2W CW2T;
} // namespace ATL

#ifndef _ATL_NO_AUTOMATIC_NAMESPACE
using namespace ATL;
#endif

#endif
