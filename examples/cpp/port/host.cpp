// A host in the manner of .NET Framework's: binds to the runtime in one call, hands over an
// IHostControl, and counts the crossings between managed and native code while it calls a
// `static int METHOD(string)`.
//
// It was a Windows source. docs/porting.md shows the lines that had to change.

#include <mscoree.h>

#include <new>
#include <stdio.h>

class CHostTask : public IHostTask {
  private:
    volatile LONG m_cRef;
    ICLRTask *m_pCLRTask;

  public:
    CHostTask() : m_cRef(1), m_pCLRTask(NULL) {}
    virtual ~CHostTask() {
        if (m_pCLRTask != NULL)
            m_pCLRTask->Release();
    }

    // IUnknown
    STDMETHODIMP_(ULONG) AddRef() { return InterlockedIncrement(&m_cRef); }
    STDMETHODIMP_(ULONG) Release() {
        ULONG cRef = InterlockedDecrement(&m_cRef);
        if (cRef == 0)
            delete this;
        return cRef;
    }
    STDMETHODIMP QueryInterface(REFIID riid, void **ppvObject) {
        if (riid == IID_IUnknown || riid == IID_IHostTask) {
            *ppvObject = this;
            AddRef();
            return S_OK;
        }
        *ppvObject = NULL;
        return E_NOINTERFACE;
    }

    // IHostTask
    STDMETHODIMP Start() { return E_NOTIMPL; }
    STDMETHODIMP Alert() { return S_OK; }
    STDMETHODIMP Join(/* in */ DWORD, /* in */ DWORD) { return E_NOTIMPL; }
    STDMETHODIMP SetPriority(/* in */ int) { return S_OK; }
    STDMETHODIMP GetPriority(/* out */ int *pPriority) {
        *pPriority = THREAD_PRIORITY_NORMAL;
        return S_OK;
    }
    STDMETHODIMP SetCLRTask(/* in */ ICLRTask *pCLRTask) {
        m_pCLRTask = pCLRTask;
        m_pCLRTask->AddRef();
        return S_OK;
    }
};

// The task of a thread, until the thread ends.
struct CThreadTask {
    CHostTask *m_pTask;
    CThreadTask() : m_pTask(new (std::nothrow) CHostTask) {}
    ~CThreadTask() {
        if (m_pTask != NULL)
            m_pTask->Release();
    }
};

class CHostTaskManager : public IHostTaskManager {
  private:
    volatile LONG m_cRef;
    volatile LONG m_cLeft, m_cEntered, m_cReverseEntered, m_cReverseLeft;
    ICLRTaskManager *m_pCLRTaskManager;

  public:
    CHostTaskManager()
        : m_cRef(1), m_cLeft(0), m_cEntered(0), m_cReverseEntered(0), m_cReverseLeft(0), m_pCLRTaskManager(NULL) {}
    virtual ~CHostTaskManager() {}

    void Report() {
        printf("left managed code %d times, came back %d times\n", m_cLeft, m_cEntered);
        printf("called back %d times, returned %d times\n", m_cReverseEntered, m_cReverseLeft);
    }

    // IUnknown
    STDMETHODIMP_(ULONG) AddRef() { return InterlockedIncrement(&m_cRef); }
    STDMETHODIMP_(ULONG) Release() {
        ULONG cRef = InterlockedDecrement(&m_cRef);
        if (cRef == 0)
            delete this;
        return cRef;
    }
    STDMETHODIMP QueryInterface(REFIID riid, void **ppvObject) {
        if (riid == IID_IUnknown || riid == IID_IHostTaskManager) {
            *ppvObject = this;
            AddRef();
            return S_OK;
        }
        *ppvObject = NULL;
        return E_NOINTERFACE;
    }

    // IHostTaskManager: the crossings
    STDMETHODIMP CallNeedsHostHook(/* in */ SIZE_T, /* out */ BOOL *pbCallNeedsHostHook) {
        *pbCallNeedsHostHook = TRUE;
        return S_OK;
    }
    STDMETHODIMP LeaveRuntime(/* in */ SIZE_T) {
        InterlockedIncrement(&m_cLeft);
        return S_OK;
    }
    STDMETHODIMP EnterRuntime() {
        InterlockedIncrement(&m_cEntered);
        return S_OK;
    }
    STDMETHODIMP ReverseEnterRuntime() {
        InterlockedIncrement(&m_cReverseEntered);
        return S_OK;
    }
    STDMETHODIMP ReverseLeaveRuntime() {
        InterlockedIncrement(&m_cReverseLeft);
        return S_OK;
    }

    // IHostTaskManager: the tasks
    STDMETHODIMP GetCurrentTask(/* out */ IHostTask **ppTask) {
        static thread_local CThreadTask current;
        *ppTask = current.m_pTask;
        if (current.m_pTask == NULL)
            return E_OUTOFMEMORY;
        current.m_pTask->AddRef();
        return S_OK;
    }
    STDMETHODIMP CreateTask(/* in */ DWORD, /* in */ LPTHREAD_START_ROUTINE, /* in */ PVOID, /* out */ IHostTask **) {
        return E_NOTIMPL;
    }
    STDMETHODIMP SetCLRTaskManager(/* in */ ICLRTaskManager *pManager) {
        m_pCLRTaskManager = pManager;
        return S_OK;
    }
    STDMETHODIMP Sleep(/* in */ DWORD, /* in */ DWORD) { return E_NOTIMPL; }
    STDMETHODIMP SwitchToTask(/* in */ DWORD) { return E_NOTIMPL; }
    STDMETHODIMP SetUILocale(/* in */ LCID) { return E_NOTIMPL; }
    STDMETHODIMP SetLocale(/* in */ LCID) { return E_NOTIMPL; }
    STDMETHODIMP BeginDelayAbort() { return S_OK; }
    STDMETHODIMP EndDelayAbort() { return S_OK; }
    STDMETHODIMP BeginThreadAffinity() { return S_OK; }
    STDMETHODIMP EndThreadAffinity() { return S_OK; }
    STDMETHODIMP SetStackGuarantee(/* in */ ULONG) { return E_NOTIMPL; }
    STDMETHODIMP GetStackGuarantee(/* out */ ULONG *) { return E_NOTIMPL; }
};

class CHostControl : public IHostControl {
  private:
    volatile LONG m_cRef;
    CHostTaskManager *m_pTaskManager;

  public:
    explicit CHostControl(CHostTaskManager *pTaskManager) : m_cRef(1), m_pTaskManager(pTaskManager) {
        m_pTaskManager->AddRef();
    }
    virtual ~CHostControl() { m_pTaskManager->Release(); }

    // IUnknown
    STDMETHODIMP_(ULONG) AddRef() { return InterlockedIncrement(&m_cRef); }
    STDMETHODIMP_(ULONG) Release() {
        ULONG cRef = InterlockedDecrement(&m_cRef);
        if (cRef == 0)
            delete this;
        return cRef;
    }
    STDMETHODIMP QueryInterface(REFIID riid, void **ppvObject) {
        if (riid == IID_IUnknown || riid == IID_IHostControl) {
            *ppvObject = this;
            AddRef();
            return S_OK;
        }
        *ppvObject = NULL;
        return E_NOINTERFACE;
    }

    // IHostControl
    STDMETHODIMP GetHostManager(REFIID riid, void **ppObject) {
        if (riid == IID_IHostTaskManager)
            return m_pTaskManager->QueryInterface(IID_IHostTaskManager, ppObject);
        *ppObject = NULL;
        return E_NOINTERFACE;
    }
    STDMETHODIMP SetAppDomainManager(/* in */ DWORD, /* in */ IUnknown *) { return S_OK; }
};

static int Fail(const char *pszWhat, HRESULT hr) {
    fprintf(stderr, "%s failed: 0x%08x\n", pszWhat, (unsigned)hr);
    return 1;
}

int main() {
    ICLRRuntimeHost *pHost = NULL;
    HRESULT hr = CorBindToRuntimeEx(u"v2.0.50727", u"wks", 0, CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost, (PVOID *)&pHost);
    if (FAILED(hr))
        return Fail("CorBindToRuntimeEx", hr);

    CHostTaskManager *pTaskManager = new CHostTaskManager();
    CHostControl *pControl = new CHostControl(pTaskManager);
    hr = pHost->SetHostControl(pControl);
    if (FAILED(hr))
        return Fail("SetHostControl", hr);
    hr = pHost->Start();
    if (FAILED(hr))
        return Fail("Start", hr);

    DWORD dwResult = 0;
    hr = pHost->ExecuteInDefaultAppDomain(u"hosted.dll", u"Soglia.Hosted.Entry", u"Call", u"3", &dwResult);
    if (FAILED(hr))
        return Fail("ExecuteInDefaultAppDomain", hr);
    printf("result %u\n", dwResult);
    pTaskManager->Report();

    pHost->Stop();
    pHost->Release();
    pControl->Release();
    pTaskManager->Release();
    return 0;
}
