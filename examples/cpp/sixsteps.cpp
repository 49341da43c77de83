// The worked example of the hosting API: a host that is notified of six crossings.
//
//     sixsteps RUN/sixsteps.dll
//
// runs a Visual Basic program that calls a C function (1), which calls a method of a C# library
// (2), which calls another C function (3). All three return (4, 5, 6). The runtime notifies the
// host's IHostTaskManager of each, which prints it while it happens. fixtures/README.md says how to
// make RUN. The exit code is 0 if the six came in this order.

#include <mscoree.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <cuchar>
#include <dlfcn.h>
#include <string>
#include <vector>

namespace {

// The notifications that came, on the thread that runs the program.
std::vector<std::string> heard;
int depth = 0;

// The name of a native function and of the library that it is in.
struct Symbol {
    std::string function = "?", library = "?";

    explicit Symbol(SIZE_T target) {
        Dl_info found;
        if (dladdr(reinterpret_cast<void *>(target), &found) != 0) {
            if (found.dli_sname != nullptr)
                function = found.dli_sname;
            const char *slash = strrchr(found.dli_fname, '/');
            library = slash != nullptr ? slash + 1 : found.dli_fname;
        }
    }
};

void tell(const std::string &method, const char *what) {
    heard.push_back(method);
    printf("%zu  %*s%-22s %s\n", heard.size(), 2 * depth, "", method.c_str(), what);
}

// Reference counting and QueryInterface, for an object with one interface.
template <class Interface> class Object : public Interface {
  public:
    STDMETHODIMP QueryInterface(REFIID riid, void **object) override {
        if (object == nullptr)
            return E_POINTER;
        if (riid != IID_IUnknown && riid != __uuidof(Interface)) {
            *object = nullptr;
            return E_NOINTERFACE;
        }
        *object = static_cast<Interface *>(this);
        AddRef();
        return S_OK;
    }
    STDMETHODIMP_(ULONG) AddRef() override { return InterlockedIncrement(&references_); }
    STDMETHODIMP_(ULONG) Release() override {
        ULONG left = InterlockedDecrement(&references_);
        if (left == 0)
            delete this;
        return left;
    }

  protected:
    virtual ~Object() = default;

  private:
    ULONG references_ = 1;
};

// The host's half of a thread. This host only lets the CLR have its threads.
class Task final : public Object<IHostTask> {
  public:
    STDMETHODIMP Start() override { return E_NOTIMPL; }
    STDMETHODIMP Alert() override { return S_OK; }
    STDMETHODIMP Join(DWORD, DWORD) override { return E_NOTIMPL; }
    STDMETHODIMP SetPriority(int) override { return S_OK; }
    STDMETHODIMP GetPriority(int *priority) override {
        *priority = THREAD_PRIORITY_NORMAL;
        return S_OK;
    }
    STDMETHODIMP SetCLRTask(ICLRTask *) override { return S_OK; }
};

// The task of a thread, for as long as the thread lives.
struct CurrentTask {
    IHostTask *task = new Task;
    ~CurrentTask() { task->Release(); }
};

class TaskManager final : public Object<IHostTaskManager> {
  public:
    STDMETHODIMP GetCurrentTask(IHostTask **task) override {
        static thread_local CurrentTask current;
        current.task->AddRef();
        *task = current.task;
        return S_OK;
    }

    // Only the program's own library matters here, not what .NET itself calls.
    STDMETHODIMP CallNeedsHostHook(SIZE_T target, BOOL *hook) override {
        *hook = Symbol(target).library == "libsixsteps.so";
        return S_OK;
    }

    // The four crossings, on the thread that crosses. A failure of LeaveRuntime refuses the call.
    STDMETHODIMP LeaveRuntime(SIZE_T target) override {
        Symbol symbol(target);
        tell("LeaveRuntime(" + symbol.function + ")", "managed code calls native code");
        depth++;
        return S_OK;
    }
    STDMETHODIMP EnterRuntime() override {
        depth--;
        tell("EnterRuntime", "the native code is back");
        return S_OK;
    }
    STDMETHODIMP ReverseEnterRuntime() override {
        tell("ReverseEnterRuntime", "native code calls managed code");
        depth++;
        return S_OK;
    }
    STDMETHODIMP ReverseLeaveRuntime() override {
        depth--;
        tell("ReverseLeaveRuntime", "the managed code returns");
        return S_OK;
    }

    // What this host leaves to the CLR.
    STDMETHODIMP CreateTask(DWORD, LPTHREAD_START_ROUTINE, PVOID, IHostTask **) override { return E_NOTIMPL; }
    STDMETHODIMP Sleep(DWORD, DWORD) override { return E_NOTIMPL; }
    STDMETHODIMP SwitchToTask(DWORD) override { return E_NOTIMPL; }
    STDMETHODIMP SetUILocale(LCID) override { return E_NOTIMPL; }
    STDMETHODIMP SetLocale(LCID) override { return E_NOTIMPL; }
    STDMETHODIMP BeginDelayAbort() override { return S_OK; }
    STDMETHODIMP EndDelayAbort() override { return S_OK; }
    STDMETHODIMP BeginThreadAffinity() override { return S_OK; }
    STDMETHODIMP EndThreadAffinity() override { return S_OK; }
    STDMETHODIMP SetStackGuarantee(ULONG) override { return E_NOTIMPL; }
    STDMETHODIMP GetStackGuarantee(ULONG *) override { return E_NOTIMPL; }
    STDMETHODIMP SetCLRTaskManager(ICLRTaskManager *) override { return S_OK; }
};

class HostControl final : public Object<IHostControl> {
  public:
    STDMETHODIMP GetHostManager(REFIID riid, void **object) override {
        if (riid == IID_IHostTaskManager) {
            // Its reference belongs to the CLR, which keeps it.
            *object = static_cast<IHostTaskManager *>(new TaskManager);
            return S_OK;
        }
        *object = nullptr;
        return E_NOINTERFACE;
    }
    STDMETHODIMP SetAppDomainManager(DWORD, IUnknown *) override { return S_OK; }
};

std::u16string wide(const char *text) {
    std::u16string out;
    std::mbstate_t state{};
    const char *end = text + strlen(text);
    while (true) {
        char16_t unit = 0;
        size_t read = std::mbrtoc16(&unit, text, static_cast<size_t>(end - text) + 1, &state);
        if (read == 0 || read == static_cast<size_t>(-1) || read == static_cast<size_t>(-2))
            return out;
        out.push_back(unit);
        if (read != static_cast<size_t>(-3)) // the second half of a pair takes nothing
            text += read;
    }
}

bool failed(HRESULT hr, const char *what) {
    if (SUCCEEDED(hr))
        return false;
    fprintf(stderr, "%s: 0x%08x\n", what, static_cast<unsigned>(hr));
    return true;
}

} // namespace

int main(int argc, char *argv[]) {
    setlocale(LC_ALL, "");
    setvbuf(stdout, nullptr, _IOLBF, 0); // each line at once, in a file too
    if (argc != 2) {
        fprintf(stderr, "usage: sixsteps RUN/sixsteps.dll\n");
        return 2;
    }

    // Find .NET. A version of .NET Framework means the newest .NET that there is.
    ICLRMetaHost *meta = nullptr;
    ICLRRuntimeInfo *info = nullptr;
    ICLRRuntimeHost *clr = nullptr;
    if (failed(CLRCreateInstance(CLSID_CLRMetaHost, IID_PPV_ARGS(&meta)), "CLRCreateInstance") ||
        failed(meta->GetRuntime(u"v4.0.30319", IID_PPV_ARGS(&info)), "GetRuntime") ||
        failed(info->GetInterface(CLSID_CLRRuntimeHost, IID_PPV_ARGS(&clr)), "GetInterface"))
        return 1;

    // Register for notifications, then start.
    HostControl *control = new HostControl;
    if (failed(clr->SetHostControl(control), "SetHostControl") || failed(clr->Start(), "Start"))
        return 1;

    // Run the program's Main on this thread. ExecuteInDefaultAppDomain would call any
    // `static int METHOD(string)`.
    ICLRRuntimeHost2 *clr2 = nullptr;
    DWORD exit_code = 0;
    if (failed(clr->QueryInterface(IID_PPV_ARGS(&clr2)), "ICLRRuntimeHost2") ||
        failed(clr2->ExecuteAssembly(1, wide(argv[1]).c_str(), 0, nullptr, &exit_code), "ExecuteAssembly"))
        return 1;
    failed(clr->Stop(), "Stop");

    clr2->Release();
    clr->Release();
    info->Release();
    meta->Release();
    control->Release();

    const std::vector<std::string> six = {"LeaveRuntime(first)", "ReverseEnterRuntime", "LeaveRuntime(second)",
                                          "EnterRuntime",        "ReverseLeaveRuntime", "EnterRuntime"};
    if (heard != six) {
        fprintf(stderr, "these are not the six steps\n");
        return 1;
    }
    return 0;
}
