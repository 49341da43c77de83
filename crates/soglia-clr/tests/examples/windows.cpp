// A host as .NET Framework's were, in Windows's words and with their habits:
//
//     windows threads      has tasks by thread ID, keeps the ICLRTask without counting,
//                          and releases it nevertheless
//     windows untouched    answers S_OK and writes nothing to where the answers go
//
// Eight threads call managed code, which calls a native function fifty times each.

#include <map>
#include <stdio.h>
#include <tchar.h>
#include <windows.h>

#include <corerror.h>
#include <metahost.h>

#pragma comment(lib, "mscoree.lib")

static bool g_bUntouched;
static volatile LONG g_cTasks, g_cLeft, g_cEntered;
static ICLRRuntimeHost *g_pHost;

class CTaskManager;

class CTask : public IHostTask {
    volatile LONG m_cRef;
    HANDLE m_hThread;
    ICLRTask *m_pCLRTask;

  public:
    CTask(HANDLE hThread) : m_cRef(0), m_hThread(hThread), m_pCLRTask(NULL) { InterlockedIncrement(&g_cTasks); }
    virtual ~CTask() {
        if (m_pCLRTask)
            m_pCLRTask->Release();
        CloseHandle(m_hThread);
    }

    STDMETHODIMP_(DWORD) AddRef() { return InterlockedIncrement(&m_cRef); }
    STDMETHODIMP_(DWORD) Release() {
        ULONG cRef = InterlockedDecrement(&m_cRef);
        if (cRef == 0)
            delete this;
        return cRef;
    }
    STDMETHODIMP QueryInterface(const IID &riid, void **ppv) {
        *ppv = riid == IID_IUnknown || riid == IID_IHostTask ? this : NULL;
        if (*ppv == NULL)
            return E_NOINTERFACE;
        AddRef();
        return S_OK;
    }

    STDMETHODIMP Start() { return ResumeThread(m_hThread) ? S_OK : HRESULT_FROM_WIN32(GetLastError()); }
    STDMETHODIMP Alert() { return E_NOTIMPL; }
    STDMETHODIMP Join(/* in */ DWORD dwMilliseconds, /* in */ DWORD dwOption) {
        switch (WaitForSingleObjectEx(m_hThread, dwMilliseconds, dwOption & WAIT_ALERTABLE)) {
        case WAIT_OBJECT_0:
            return S_OK;
        case WAIT_TIMEOUT:
            return HOST_E_TIMEOUT;
        case WAIT_IO_COMPLETION:
            return HOST_E_INTERRUPTED;
        default:
            return HOST_E_ABANDONED;
        }
    }
    STDMETHODIMP SetPriority(/* in */ int newPriority) { return SetThreadPriority(m_hThread, newPriority) ? S_OK : E_FAIL; }
    STDMETHODIMP GetPriority(/* out */ int *pPriority) {
        *pPriority = GetThreadPriority(m_hThread);
        return S_OK;
    }
    STDMETHODIMP SetCLRTask(/* in */ ICLRTask *pCLRTask) {
        m_pCLRTask = pCLRTask;
        return S_OK;
    }
};

class CTaskManager : public IHostTaskManager {
    volatile LONG m_cRef;
    CRITICAL_SECTION m_crst;
    std::map<DWORD, CTask *> m_tasks;

  public:
    CTaskManager() : m_cRef(0) { InitializeCriticalSection(&m_crst); }
    virtual ~CTaskManager() { DeleteCriticalSection(&m_crst); }

    STDMETHODIMP_(DWORD) AddRef() { return InterlockedIncrement(&m_cRef); }
    STDMETHODIMP_(DWORD) Release() {
        ULONG cRef = InterlockedDecrement(&m_cRef);
        if (cRef == 0)
            delete this;
        return cRef;
    }
    STDMETHODIMP QueryInterface(const IID &riid, void **ppv) {
        *ppv = riid == IID_IUnknown || riid == IID_IHostTaskManager ? this : NULL;
        if (*ppv == NULL)
            return E_NOINTERFACE;
        AddRef();
        return S_OK;
    }

    STDMETHODIMP GetCurrentTask(/* out */ IHostTask **ppTask) {
        if (g_bUntouched)
            return S_OK;
        EnterCriticalSection(&m_crst);
        CTask *&pTask = m_tasks[GetCurrentThreadId()];
        if (pTask == NULL) {
            HANDLE hThread;
            DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &hThread, 0, FALSE,
                            DUPLICATE_SAME_ACCESS);
            pTask = new CTask(hThread);
        }
        pTask->AddRef();
        *ppTask = pTask;
        LeaveCriticalSection(&m_crst);
        return S_OK;
    }
    STDMETHODIMP CreateTask(/* in */ DWORD dwStackSize, /* in */ LPTHREAD_START_ROUTINE pStartAddress,
                            /* in */ PVOID pParameter, /* out */ IHostTask **ppTask) {
        DWORD dwId;
        HANDLE hThread = CreateThread(NULL, dwStackSize, pStartAddress, pParameter,
                                      CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &dwId);
        EnterCriticalSection(&m_crst);
        CTask *pTask = m_tasks[dwId] = new CTask(hThread);
        LeaveCriticalSection(&m_crst);
        pTask->AddRef();
        *ppTask = pTask;
        return S_OK;
    }
    STDMETHODIMP Sleep(/* in */ DWORD dwMilliseconds, /* in */ DWORD option) {
        return ::SleepEx(dwMilliseconds, option & WAIT_ALERTABLE) ? HOST_E_INTERRUPTED : S_OK;
    }
    STDMETHODIMP SwitchToTask(/* in */ DWORD) {
        SwitchToThread();
        return S_OK;
    }
    STDMETHODIMP SetUILocale(/* in */ LCID) { return E_NOTIMPL; }
    STDMETHODIMP SetLocale(/* in */ LCID lcid) { return SetThreadLocale(lcid) ? S_OK : HRESULT_FROM_WIN32(GetLastError()); }
    STDMETHODIMP CallNeedsHostHook(/* in */ SIZE_T, /* out */ BOOL *pbCallNeedsHostHook) {
        if (!g_bUntouched)
            *pbCallNeedsHostHook = TRUE;
        return S_OK;
    }
    STDMETHODIMP LeaveRuntime(/* in */ SIZE_T) {
        InterlockedIncrement(&g_cLeft);
        return S_OK;
    }
    STDMETHODIMP EnterRuntime() {
        InterlockedIncrement(&g_cEntered);
        return S_OK;
    }
    STDMETHODIMP ReverseEnterRuntime() { return S_OK; }
    STDMETHODIMP ReverseLeaveRuntime() { return S_OK; }
    STDMETHODIMP BeginDelayAbort() { return S_OK; }
    STDMETHODIMP EndDelayAbort() { return S_OK; }
    STDMETHODIMP BeginThreadAffinity() { return S_OK; }
    STDMETHODIMP EndThreadAffinity() { return S_OK; }
    STDMETHODIMP SetStackGuarantee(/* in */ ULONG) { return E_NOTIMPL; }
    STDMETHODIMP GetStackGuarantee(/* out */ ULONG *) { return E_NOTIMPL; }
    STDMETHODIMP SetCLRTaskManager(/* in */ ICLRTaskManager *pManager) {
        pManager->Release(); // has no use for it
        return S_OK;
    }
};

class CHostControl : public IHostControl {
  public:
    STDMETHODIMP_(DWORD) AddRef() { return 1; }
    STDMETHODIMP_(DWORD) Release() { return 1; }
    STDMETHODIMP QueryInterface(const IID &, void **ppv) {
        *ppv = NULL;
        return E_NOINTERFACE;
    }
    STDMETHODIMP GetHostManager(const IID &riid, void **ppv) {
        if (riid == IID_IHostTaskManager)
            return (new CTaskManager)->QueryInterface(riid, ppv);
        ppv = NULL; // as it is seen in the wild
        return E_NOINTERFACE;
    }
    STDMETHODIMP SetAppDomainManager(DWORD, IUnknown *) { return E_NOTIMPL; }
};

static void Check(HRESULT hr, LPCWSTR pwzWhat) {
    if (FAILED(hr)) {
        fwprintf(stderr, L"%s failed: 0x%08lx\n", pwzWhat, hr);
        ExitProcess(1);
    }
}

static DWORD WINAPI Work(LPVOID) {
    DWORD dwResult;
    Check(g_pHost->ExecuteInDefaultAppDomain(L"hosted.dll", L"Soglia.Hosted.Entry", L"Call", L"50", &dwResult), L"Call");
    return dwResult;
}

int _tmain(int argc, _TCHAR *argv[]) {
    g_bUntouched = argc == 2 && _tcscmp(argv[1], L"untouched") == 0;
    Check(CorBindToRuntimeEx(L"v2.0.50727", L"wks", STARTUP_CONCURRENT_GC, CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost,
                             (PVOID *)&g_pHost),
          L"CorBindToRuntimeEx");
    static CHostControl control;
    Check(g_pHost->SetHostControl(&control), L"SetHostControl");
    Check(g_pHost->Start(), L"Start");

    HANDLE threads[8];
    for (size_t i = 0; i < ARRAYSIZE(threads); i++)
        threads[i] = CreateThread(NULL, 0, Work, NULL, 0, NULL);
    WaitForMultipleObjects(ARRAYSIZE(threads), threads, TRUE, INFINITE);
    for (size_t i = 0; i < ARRAYSIZE(threads); i++)
        CloseHandle(threads[i]);
    wprintf(L"%d tasks, %d left, %d entered\n", g_cTasks, g_cLeft, g_cEntered);
    g_pHost->Stop();
    g_pHost->Release();
    return 0;
}
