// What include/win32 has of Microsoft's ways to make COM easier: comdef.h, atlbase.h, wrl/client.h.
// `done` if all is as there.
#include <atlbase.h>
#include <atlstr.h>
#include <comdef.h>
#include <metahost.h>
#include <wrl/client.h>

#define CHECK(what)                                                                                                    \
    if (!(what)) {                                                                                                     \
        fprintf(stderr, "line %d: %s\n", __LINE__, #what);                                                             \
        exit(1);                                                                                                       \
    }

_COM_SMARTPTR_TYPEDEF(IHostControl, __uuidof(IHostControl));
_COM_SMARTPTR_TYPEDEF(ICLRMetaHost, IID_ICLRMetaHost);
using Microsoft::WRL::ComPtr;

static int alive = 0;

// Has its references counted, and is an IHostControl.
class Control final : public IHostControl {
    LONG count = 1;

  public:
    Control() { alive++; }
    ~Control() { alive--; }
    STDMETHODIMP QueryInterface(REFIID id, void **object) override {
        bool known = id == IID_IUnknown || id == IID_IHostControl;
        *object = known ? this : nullptr;
        if (known)
            AddRef();
        return known ? S_OK : E_NOINTERFACE;
    }
    STDMETHODIMP_(ULONG) AddRef() override { return (ULONG)InterlockedIncrement(&count); }
    STDMETHODIMP_(ULONG) Release() override {
        ULONG left = (ULONG)InterlockedDecrement(&count);
        if (left == 0)
            delete this;
        return left;
    }
    STDMETHODIMP GetHostManager(REFIID, void **object) override {
        *object = nullptr;
        return E_NOINTERFACE;
    }
    STDMETHODIMP SetAppDomainManager(DWORD, IUnknown *) override { return E_NOTIMPL; }
};

static HRESULT make(REFIID id, void **object) {
    Control *control = new Control;
    HRESULT hr = control->QueryInterface(id, object);
    control->Release();
    return hr;
}

static void smart_pointers() {
    {
        IHostControlPtr a, b;
        CHECK(a == nullptr && !a && SUCCEEDED(make(IID_PPV_ARGS(&a))) && a && alive == 1);
        b = a;
        IUnknownPtr unknown(a);
        ICLRMetaHostPtr other(unknown);
        CHECK(unknown != nullptr && other == nullptr && b->SetAppDomainManager(1, nullptr) == E_NOTIMPL && alive == 1);
        CHECK(SUCCEEDED(make(IID_IHostControl, (void **)&a)) && alive == 2 && a != b.GetInterfacePtr());
        IHostControl *raw = b.Detach();
        CHECK(b == nullptr && raw->Release() == 1);
        bool thrown = false;
        try {
            b->SetAppDomainManager(1, nullptr);
        } catch (const _com_error &error) {
            thrown = error.Error() == E_POINTER && wcscmp(error.ErrorMessage(), L"Invalid pointer") == 0;
        }
        CHECK(thrown);
    }
    CHECK(alive == 0);
    {
        CComPtr<IHostControl> a;
        CHECK(SUCCEEDED(make(IID_PPV_ARGS(&a))) && a != nullptr && alive == 1);
        CComPtr<IHostControl> b = a, c(std::move(b));
        CComQIPtr<IUnknown> unknown(a);
        CComQIPtr<ICLRMetaHost> other(a);
        CHECK(b == nullptr && c.IsEqualObject(unknown) && other == nullptr && c->SetAppDomainManager(1, nullptr) == E_NOTIMPL);
        a.Release();
        CHECK(!a && alive == 1 && SUCCEEDED(c.QueryInterface(&a)) && a == c);
    }
    CHECK(alive == 0);
    {
        ComPtr<IHostControl> a, b;
        CHECK(SUCCEEDED(make(IID_PPV_ARGS(&a))) && SUCCEEDED(make(IID_PPV_ARGS(b.GetAddressOf()))) && alive == 2);
        CHECK(SUCCEEDED(make(IID_PPV_ARGS(b.ReleaseAndGetAddressOf()))) && alive == 2 && a != b);
        ComPtr<IUnknown> unknown;
        ComPtr<ICLRMetaHost> other;
        CHECK(SUCCEEDED(a.As(&unknown)) && a.As(&other) == E_NOINTERFACE && !other && unknown.Get() != nullptr);
        b = nullptr;
        unknown.Reset();
        CHECK(alive == 1 && a->SetAppDomainManager(1, nullptr) == E_NOTIMPL && SUCCEEDED(a.CopyTo(&b)) && b == a);
        a = b = nullptr;
    }
    CHECK(alive == 0);
}

static void texts() {
    bstr_t empty, one("citt\xC3\xA0"), two(L"!"), all = one + two;
    CHECK(!empty && empty.length() == 0 && one.length() == 5 && wcscmp(all, L"citt\u00E0!") == 0 && one != all && one < all);
    CHECK(strcmp((const char *)one, "citt\xC3\xA0") == 0 && _bstr_t(SysAllocString(L"x"), false) == _bstr_t(L"x"));
    one = L"other";
    all += L"?";
    CHECK(all == _bstr_t(L"citt\u00E0!?") && wcscmp(one, L"other") == 0);
    SysFreeString(one.Detach());
    CHECK(!one);
    CComBSTR text(L"a");
    text += L"bc";
    BSTR copy = text.Copy();
    CHECK(text.Length() == 3 && text == L"abc" && CComBSTR(3).Length() == 3 && wcscmp(copy, L"abc") == 0);
    SysFreeString(copy);
    CHECK(wcscmp(CA2W("\xC3\xA0"), L"\u00E0") == 0 && strcmp(CW2A(L"\u00E0"), "\xC3\xA0") == 0);
    CAtlString format;
    format.Format(L"%s is %d", L"x", 7);
    format += L"!";
    CHECK(wcscmp(format, L"x is 7!") == 0 && format.GetLength() == 7 && format.Find(L"is") == 2 && format.Left(1) == L"x");
    CHECK(_com_error(E_NOTIMPL).Error() == E_NOTIMPL && wcscmp(_com_error(E_FAIL).ErrorMessage(), L"Unspecified error") == 0);
}

static void values() {
    variant_t text(L"x"), number(42), flag(true), nothing, copy = text;
    CHECK(text.vt == VT_BSTR && copy.bstrVal != text.bstrVal && wcscmp(copy.bstrVal, L"x") == 0 && nothing.vt == VT_EMPTY);
    CHECK((LONG)number == 42 && (bool)flag && flag.boolVal == VARIANT_TRUE && _bstr_t(number) == _bstr_t(L"42"));
    copy = number;
    CHECK(copy.vt == VT_I4 && copy.lVal == 42 && sizeof(VARIANT) == 24);
    bool thrown = false;
    try {
        (void)(LONG)nothing;
    } catch (_com_error &error) {
        thrown = error.Error() == DISP_E_TYPEMISMATCH;
    }
    CHECK(thrown);

    SAFEARRAY *texts = SafeArrayCreateVector(VT_BSTR, 1, 2), *twin = nullptr;
    LONG index = 2, low = 0, high = 0;
    BSTR word = SysAllocString(L"two"), back = nullptr;
    CHECK(texts != nullptr && SafeArrayPutElement(texts, &index, word) == S_OK && SafeArrayGetElement(texts, &index, &back) == S_OK);
    CHECK(back != word && wcscmp(back, L"two") == 0 && SafeArrayCopy(texts, &twin) == S_OK);
    SysFreeString(word);
    SysFreeString(back);
    CHECK(SafeArrayGetLBound(texts, 1, &low) == S_OK && SafeArrayGetUBound(texts, 1, &high) == S_OK && low == 1 && high == 2);
    index = 3;
    CHECK(SafeArrayPutElement(texts, &index, nullptr) == DISP_E_BADINDEX && SafeArrayDestroy(texts) == S_OK);
    BSTR *data = nullptr;
    CHECK(SafeArrayAccessData(twin, (void **)&data) == S_OK && wcscmp(data[1], L"two") == 0 && data[0] == nullptr);
    CHECK(SafeArrayDestroy(twin) == DISP_E_ARRAYISLOCKED && SafeArrayUnaccessData(twin) == S_OK && SafeArrayDestroy(twin) == S_OK);
    SAFEARRAYBOUND bounds[2] = {{2, 0}, {3, 10}};
    SAFEARRAY *grid = SafeArrayCreate(VT_I4, 2, bounds);
    LONG at[2] = {1, 12}, value = 7;
    int *cells = nullptr;
    CHECK(SafeArrayPutElement(grid, at, &value) == S_OK && SafeArrayGetLBound(grid, 2, &low) == S_OK && low == 10);
    CHECK(SafeArrayAccessData(grid, (void **)&cells) == S_OK && cells[5] == 7 && SafeArrayUnaccessData(grid) == S_OK);
    variant_t owner;
    owner.vt = VT_ARRAY | VT_I4;
    owner.parray = grid;
    variant_t unknown((IUnknown *)nullptr), twice = owner;
    CHECK(twice.parray != grid && twice.parray->rgsabound[0].cElements == 3);
}

int main() {
    smart_pointers();
    texts();
    values();
    puts("done");
    return 0;
}
