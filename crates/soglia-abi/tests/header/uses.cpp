// What sources do with the header in C++.
#include <map>
#include <mscoree.h>
#include <string>

#if __SIZEOF_WCHAR_T__ == 2
#define TEXT16(text) L##text
#else
#define TEXT16(text) u##text
#endif

MIDL_INTERFACE("6E5F9E9C-7F1B-4E57-9D57-1B0A2F3C4D5E")
IMine : public IUnknown {
  public:
    virtual HRESULT STDMETHODCALLTYPE Do(/* [in] */ LPCWSTR what) = 0;
};
__CRT_UUID_DECL(IMine, 0x6E5F9E9C, 0x7F1B, 0x4E57, 0x9D, 0x57, 0x1B, 0x0A, 0x2F, 0x3C, 0x4D, 0x5E)

interface DECLSPEC_UUID("00000000-0000-0000-0000-000000000001") DECLSPEC_NOVTABLE IOther;

class Control final : public IHostControl {
  public:
    // Parameters as various headers have spelt them.
    STDMETHODIMP QueryInterface(const IID &riid, void **ppv) override {
        if (riid == IID_IUnknown || riid == __uuidof(IHostControl)) {
            *ppv = static_cast<IHostControl *>(this);
            AddRef();
            return S_OK;
        }
        *ppv = NULL;
        return E_NOINTERFACE;
    }
    STDMETHODIMP_(DWORD) AddRef() override { return InterlockedIncrement(&references); }
    STDMETHODIMP_(ULONG) Release() override {
        ULONG left = ::InterlockedDecrement(&references);
        if (left == 0)
            delete this;
        return left;
    }
    HRESULT __stdcall GetHostManager(REFIID riid, void __RPC_FAR *__RPC_FAR *ppObject) override {
        *ppObject = NULL;
        return IsEqualIID(riid, IID_IHostTaskManager) ? S_FALSE : E_NOINTERFACE;
    }
    STDMETHOD(SetAppDomainManager)(THIS_ DWORD, IUnknown *) override { return E_NOTIMPL; }

  private:
    volatile LONG references = 0;
};

int use();
int use() {
    ULONG unsigned_count = 0;
    long long_count = 0;
    InterlockedIncrement(&unsigned_count);
    InterlockedCompareExchange(&long_count, 1, 0);

    Control *control = new Control;
    IMine *mine = NULL;
    IHostControl *same = NULL;
    control->AddRef();
    IUnknown *unknown = control;
    if (unknown->QueryInterface(&mine) == E_NOINTERFACE && unknown->QueryInterface(IID_PPV_ARGS(&same)) == S_OK)
        same->Release();
    if (__uuidof(*same) != __uuidof(same) || __uuidof(same) == __uuidof(mine))
        return 1;

    ICLRRuntimeHost *clr = NULL;
    DWORD result = 0;
    std::map<DWORD, ICLRTask *> tasks;
    HRESULT hr = CorBindToRuntimeEx(TEXT16("v2.0.50727"), TEXT16("wks"),
                                    STARTUP_SERVER_GC | STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN, CLSID_CLRRuntimeHost,
                                    IID_ICLRRuntimeHost, reinterpret_cast<PVOID *>(&clr));
    if (SUCCEEDED(hr))
        hr = clr->ExecuteInDefaultAppDomain(TEXT16("a.dll"), TEXT16("T"), TEXT16("M"), TEXT16(""), &result);
    switch (hr) {
    case HOST_E_CLRNOTAVAILABLE:
    case COR_E_MISSINGMETHOD:
        break;
    }
    return tasks.empty() && TT_UNKNOWN == ETaskType(0x80000000u);
}
