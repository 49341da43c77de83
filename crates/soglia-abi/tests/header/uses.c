// What sources do with the header in C.
#include <mscoree.h>

struct control {
    IHostControl base;
    LONG references;
};

static HRESULT query(IHostControl *self, REFIID riid, void **out) {
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IHostControl)) {
        *out = NULL;
        return E_NOINTERFACE;
    }
    self->lpVtbl->AddRef(self);
    *out = self;
    return S_OK;
}

static ULONG add(IHostControl *self) {
    return (ULONG)InterlockedIncrement(&((struct control *)self)->references);
}

static ULONG release(IHostControl *self) {
    return (ULONG)InterlockedDecrement(&((struct control *)self)->references);
}

static HRESULT manager(IHostControl *self, REFIID riid, void **out) {
    UNREFERENCED_PARAMETER(self);
    *out = NULL;
    return IsEqualGUID(riid, &IID_IHostTaskManager) ? HOST_E_INVALIDOPERATION : E_NOINTERFACE;
}

static HRESULT domain(IHostControl *self, DWORD id, IUnknown *manager_of) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(id);
    UNREFERENCED_PARAMETER(manager_of);
    return E_NOTIMPL;
}

static const IHostControlVtbl vtable = {query, add, release, manager, domain};

int use(void);
int use(void) {
    struct control control = {{&vtable}, 1};
    void *out = NULL;
    HRESULT hr = control.base.lpVtbl->QueryInterface(&control.base, &IID_IHostControl, &out);
    if (FAILED(hr) || SUCCEEDED(HRESULT_FROM_WIN32(5)))
        return 1;
#ifdef COBJMACROS
    IHostControl_Release(&control.base);
#endif
    switch (hr) {
    case S_OK:
    case HOST_E_CLRNOTAVAILABLE:
        return CLRCreateInstance(&CLSID_CLRMetaHost, &IID_ICLRMetaHost, &out) == S_OK;
    default:
        return TT_UNKNOWN == (ETaskType)0;
    }
}
