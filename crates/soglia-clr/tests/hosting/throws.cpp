// A host in C++ whose methods throw.
//
// The test says which method, and what; the methods count their calls.

#include <mscoree.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <pthread.h>
#include <stdexcept>
#include <string>

#define EXPORT __attribute__((visibility("default")))

extern "C" {

// The method that throws: its name, or nothing.
EXPORT char throws_in[64];
// What it throws: 0 a standard exception, 1 a number, 2 one with a long text, 3 a pointer, and then
// 0 again. 4 ends the thread instead.
EXPORT std::atomic<int> throws_what;
// How often.
EXPORT std::atomic<int> throws_count;
// Things on the stack that were not cleaned up, and exceptions whose objects are alive.
EXPORT std::atomic<int> throws_alive;

// Exceptions that this thread has in flight.
EXPORT int throws_in_flight()
{
    return std::uncaught_exceptions();
}
}

namespace {

struct Alive {
    Alive() { throws_alive++; }
    Alive(const Alive &) { throws_alive++; }
    ~Alive() { throws_alive--; }
};

struct Failure : std::runtime_error {
    Alive alive;
    using std::runtime_error::runtime_error;
};

HRESULT maybe(const char *method)
{
    Alive local;
    if (strcmp(method, throws_in) != 0)
        return S_OK;
    throws_count++;
    int what = throws_what;
    if (what < 4)
        throws_what = (what + 1) % 4;
    switch (what) {
    case 0:
        throw Failure("what");
    case 1:
        throw 42;
    case 2:
        throw Failure(std::string(10000, 'x'));
    case 3:
        throw "text";
    default:
        pthread_exit(nullptr);
    }
}

// The same, for what is left to .NET.
HRESULT leave_it(const char *method)
{
    maybe(method);
    return E_NOTIMPL;
}

template <class Interface> class Object : public Interface {
  public:
    STDMETHODIMP QueryInterface(REFIID, void **object) override
    {
        *object = nullptr;
        return E_NOINTERFACE;
    }
    STDMETHODIMP_(ULONG) AddRef() override
    {
        maybe("AddRef");
        return ++references_;
    }
    STDMETHODIMP_(ULONG) Release() override
    {
        ULONG left = --references_;
        if (left == 0)
            delete this;
        maybe("Release");
        return left;
    }

  protected:
    virtual ~Object() = default;

  private:
    std::atomic<ULONG> references_{1};
};

class Task final : public Object<IHostTask> {
  public:
    STDMETHODIMP Start() override { return E_NOTIMPL; }
    STDMETHODIMP Alert() override { return maybe("Alert"); }
    STDMETHODIMP Join(DWORD, DWORD) override { return leave_it("Join"); }
    STDMETHODIMP SetPriority(int) override { return maybe("SetPriority"); }
    STDMETHODIMP GetPriority(int *) override { return leave_it("GetPriority"); }
    STDMETHODIMP SetCLRTask(ICLRTask *) override { return maybe("SetCLRTask"); }
};

class TaskManager final : public Object<IHostTaskManager> {
  public:
    STDMETHODIMP GetCurrentTask(IHostTask **task) override
    {
        HRESULT answer = maybe("GetCurrentTask");
        *task = new Task;
        return answer;
    }
    STDMETHODIMP CallNeedsHostHook(SIZE_T, BOOL *hook) override
    {
        *hook = TRUE;
        return maybe("CallNeedsHostHook");
    }
    STDMETHODIMP LeaveRuntime(SIZE_T) override { return maybe("LeaveRuntime"); }
    STDMETHODIMP EnterRuntime() override { return maybe("EnterRuntime"); }
    STDMETHODIMP ReverseEnterRuntime() override { return maybe("ReverseEnterRuntime"); }
    STDMETHODIMP ReverseLeaveRuntime() override { return maybe("ReverseLeaveRuntime"); }
    STDMETHODIMP CreateTask(DWORD, LPTHREAD_START_ROUTINE, PVOID, IHostTask **) override { return E_NOTIMPL; }
    STDMETHODIMP Sleep(DWORD, DWORD) override { return leave_it("Sleep"); }
    STDMETHODIMP SwitchToTask(DWORD) override { return leave_it("SwitchToTask"); }
    STDMETHODIMP SetUILocale(LCID) override { return leave_it("SetUILocale"); }
    STDMETHODIMP SetLocale(LCID) override { return leave_it("SetLocale"); }
    STDMETHODIMP BeginDelayAbort() override { return maybe("BeginDelayAbort"); }
    STDMETHODIMP EndDelayAbort() override { return maybe("EndDelayAbort"); }
    STDMETHODIMP BeginThreadAffinity() override { return maybe("BeginThreadAffinity"); }
    STDMETHODIMP EndThreadAffinity() override { return maybe("EndThreadAffinity"); }
    STDMETHODIMP SetStackGuarantee(ULONG) override { return E_NOTIMPL; }
    STDMETHODIMP GetStackGuarantee(ULONG *) override { return E_NOTIMPL; }
    STDMETHODIMP SetCLRTaskManager(ICLRTaskManager *) override { return maybe("SetCLRTaskManager"); }
};

class GCManager final : public Object<IHostGCManager> {
  public:
    STDMETHODIMP ThreadIsBlockingForSuspension() override { return maybe("ThreadIsBlockingForSuspension"); }
    STDMETHODIMP SuspensionStarting() override { return maybe("SuspensionStarting"); }
    STDMETHODIMP SuspensionEnding(DWORD) override { return maybe("SuspensionEnding"); }
};

class PolicyManager final : public Object<IHostPolicyManager> {
  public:
    STDMETHODIMP OnDefaultAction(EClrOperation, EPolicyAction) override { return maybe("OnDefaultAction"); }
    STDMETHODIMP OnTimeout(EClrOperation, EPolicyAction) override { return S_OK; }
    STDMETHODIMP OnFailure(EClrFailure, EPolicyAction) override { return maybe("OnFailure"); }
};

class MemoryManager final : public Object<IHostMemoryManager> {
  public:
    STDMETHODIMP CreateMalloc(DWORD, IHostMalloc **) override { return E_NOTIMPL; }
    STDMETHODIMP VirtualAlloc(void *, SIZE_T, DWORD, DWORD, EMemoryCriticalLevel, void **) override { return E_NOTIMPL; }
    STDMETHODIMP VirtualFree(LPVOID, SIZE_T, DWORD) override { return E_NOTIMPL; }
    STDMETHODIMP VirtualQuery(void *, void *, SIZE_T, SIZE_T *) override { return E_NOTIMPL; }
    STDMETHODIMP VirtualProtect(void *, SIZE_T, DWORD, DWORD *) override { return E_NOTIMPL; }
    STDMETHODIMP GetMemoryLoad(DWORD *, SIZE_T *) override { return leave_it("GetMemoryLoad"); }
    STDMETHODIMP RegisterMemoryNotificationCallback(ICLRMemoryNotificationCallback *) override
    {
        return maybe("RegisterMemoryNotificationCallback");
    }
    STDMETHODIMP NeedsVirtualAddressSpace(LPVOID, SIZE_T) override { return E_NOTIMPL; }
    STDMETHODIMP AcquiredVirtualAddressSpace(LPVOID, SIZE_T) override { return leave_it("AcquiredVirtualAddressSpace"); }
    STDMETHODIMP ReleasedVirtualAddressSpace(LPVOID) override { return E_NOTIMPL; }
};

class Action final : public Object<IActionOnCLREvent> {
  public:
    STDMETHODIMP OnEvent(EClrEvent, PVOID) override { return maybe("OnEvent"); }
};

class HostControl final : public Object<IHostControl> {
  public:
    STDMETHODIMP GetHostManager(REFIID riid, void **object) override
    {
        HRESULT answer = maybe("GetHostManager");
        *object = nullptr;
        if (riid == IID_IHostTaskManager)
            *object = static_cast<IHostTaskManager *>(new TaskManager);
        else if (riid == IID_IHostGCManager)
            *object = static_cast<IHostGCManager *>(new GCManager);
        else if (riid == IID_IHostPolicyManager)
            *object = static_cast<IHostPolicyManager *>(new PolicyManager);
        else if (riid == IID_IHostMemoryManager)
            *object = static_cast<IHostMemoryManager *>(new MemoryManager);
        else
            return E_NOINTERFACE;
        return answer;
    }
    STDMETHODIMP SetAppDomainManager(DWORD, IUnknown *) override { return E_NOTIMPL; }
};

} // namespace

extern "C" EXPORT IHostControl *throws_control()
{
    return new HostControl;
}

extern "C" EXPORT IActionOnCLREvent *throws_action()
{
    return new Action;
}
