// The worked example of the hosting API in C: a host that is notified of six crossings.
//
//     sixsteps RUN/sixsteps.dll
//
// runs a Visual Basic program that calls a C function (1), which calls a method of a C# library
// (2), which calls another C function (3). All three return (4, 5, 6). The runtime notifies the
// host's IHostTaskManager of each, which prints it while it happens. fixtures/README.md says how to
// make RUN. The exit code is 0 if the six came in this order.
//
// The host's objects are static: there is one of each, and counting its references changes nothing.

#define COBJMACROS
#define _GNU_SOURCE // dladdr
#include <mscoree.h>

#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <uchar.h>

// The notifications that came, on the thread that runs the program: a letter for each crossing.
static char heard[64];
static size_t count;
static int depth;

// The names of a native function and of the library that it is in; "?" if they are unknown.
static void symbol(SIZE_T target, const char **function, const char **library) {
    Dl_info found;
    *function = *library = "?";
    if (dladdr((void *)target, &found) == 0)
        return;
    if (found.dli_sname != NULL)
        *function = found.dli_sname;
    const char *slash = strrchr(found.dli_fname, '/');
    *library = slash != NULL ? slash + 1 : found.dli_fname;
}

static void tell(char letter, const char *method, const char *what, const char *function) {
    if (count < sizeof heard - 1)
        heard[count++] = letter;
    printf("%zu  %*s%-22s %s%s\n", count, 2 * depth, "", method, what, function);
}

// What all objects share.

static ULONG count_up(void) { return 2; }
static ULONG count_down(void) { return 1; }

static HRESULT query(void *self, REFIID riid, REFIID own, void **object) {
    if (object == NULL)
        return E_POINTER;
    *object = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, own) ? self : NULL;
    return *object != NULL ? S_OK : E_NOINTERFACE;
}

#define UNKNOWN_METHODS(interface_name)                                                                                \
    static HRESULT interface_name##_query(interface_name *self, REFIID riid, void **object) {                          \
        return query(self, riid, &IID_##interface_name, object);                                                       \
    }                                                                                                                  \
    static ULONG interface_name##_add(interface_name *self) {                                                          \
        UNREFERENCED_PARAMETER(self);                                                                                  \
        return count_up();                                                                                             \
    }                                                                                                                  \
    static ULONG interface_name##_release(interface_name *self) {                                                      \
        UNREFERENCED_PARAMETER(self);                                                                                  \
        return count_down();                                                                                           \
    }

// The host's half of a thread. This host leaves threads to the CLR, and has one task for all.

UNKNOWN_METHODS(IHostTask)

static HRESULT task_start(IHostTask *self) {
    UNREFERENCED_PARAMETER(self);
    return E_NOTIMPL;
}
static HRESULT task_alert(IHostTask *self) {
    UNREFERENCED_PARAMETER(self);
    return S_OK;
}
static HRESULT task_join(IHostTask *self, DWORD milliseconds, DWORD option) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(milliseconds);
    UNREFERENCED_PARAMETER(option);
    return E_NOTIMPL;
}
static HRESULT task_set_priority(IHostTask *self, int priority) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(priority);
    return S_OK;
}
static HRESULT task_get_priority(IHostTask *self, int *priority) {
    UNREFERENCED_PARAMETER(self);
    *priority = THREAD_PRIORITY_NORMAL;
    return S_OK;
}
static HRESULT task_set_clr_task(IHostTask *self, ICLRTask *task) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(task);
    return S_OK;
}

static const IHostTaskVtbl task_methods = {
    .QueryInterface = IHostTask_query,
    .AddRef = IHostTask_add,
    .Release = IHostTask_release,
    .Start = task_start,
    .Alert = task_alert,
    .Join = task_join,
    .SetPriority = task_set_priority,
    .GetPriority = task_get_priority,
    .SetCLRTask = task_set_clr_task,
};
static IHostTask every_task = {&task_methods};

// The task manager.

UNKNOWN_METHODS(IHostTaskManager)

static HRESULT get_current_task(IHostTaskManager *self, IHostTask **task) {
    UNREFERENCED_PARAMETER(self);
    *task = &every_task;
    return S_OK;
}

// Only the program's own library matters here, not what .NET itself calls.
static HRESULT call_needs_host_hook(IHostTaskManager *self, SIZE_T target, BOOL *hook) {
    const char *function, *library;
    UNREFERENCED_PARAMETER(self);
    symbol(target, &function, &library);
    *hook = strcmp(library, "libsixsteps.so") == 0;
    return S_OK;
}

// The four crossings, on the thread that crosses. A failure of LeaveRuntime refuses the call.

static HRESULT leave_runtime(IHostTaskManager *self, SIZE_T target) {
    const char *function, *library;
    UNREFERENCED_PARAMETER(self);
    symbol(target, &function, &library);
    tell('L', "LeaveRuntime", "managed code calls native code: ", function);
    depth++;
    return S_OK;
}
static HRESULT enter_runtime(IHostTaskManager *self) {
    UNREFERENCED_PARAMETER(self);
    depth--;
    tell('E', "EnterRuntime", "the native code is back", "");
    return S_OK;
}
static HRESULT reverse_enter_runtime(IHostTaskManager *self) {
    UNREFERENCED_PARAMETER(self);
    tell('R', "ReverseEnterRuntime", "native code calls managed code", "");
    depth++;
    return S_OK;
}
static HRESULT reverse_leave_runtime(IHostTaskManager *self) {
    UNREFERENCED_PARAMETER(self);
    depth--;
    tell('V', "ReverseLeaveRuntime", "the managed code returns", "");
    return S_OK;
}

// What this host leaves to the CLR.

static HRESULT create_task(IHostTaskManager *self, DWORD stack, LPTHREAD_START_ROUTINE start, PVOID parameter,
                           IHostTask **task) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(stack);
    UNREFERENCED_PARAMETER(start);
    UNREFERENCED_PARAMETER(parameter);
    *task = NULL;
    return E_NOTIMPL;
}
static HRESULT not_mine_2(IHostTaskManager *self, DWORD milliseconds, DWORD option) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(milliseconds);
    UNREFERENCED_PARAMETER(option);
    return E_NOTIMPL;
}
static HRESULT not_mine_1(IHostTaskManager *self, DWORD value) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(value);
    return E_NOTIMPL;
}
static HRESULT get_stack_guarantee(IHostTaskManager *self, ULONG *guarantee) {
    UNREFERENCED_PARAMETER(self);
    *guarantee = 0;
    return E_NOTIMPL;
}
static HRESULT fine(IHostTaskManager *self) {
    UNREFERENCED_PARAMETER(self);
    return S_OK;
}
static HRESULT set_clr_task_manager(IHostTaskManager *self, ICLRTaskManager *manager) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(manager);
    return S_OK;
}

static const IHostTaskManagerVtbl task_manager_methods = {
    .QueryInterface = IHostTaskManager_query,
    .AddRef = IHostTaskManager_add,
    .Release = IHostTaskManager_release,
    .GetCurrentTask = get_current_task,
    .CreateTask = create_task,
    .Sleep = not_mine_2,
    .SwitchToTask = not_mine_1,
    .SetUILocale = not_mine_1,
    .SetLocale = not_mine_1,
    .CallNeedsHostHook = call_needs_host_hook,
    .LeaveRuntime = leave_runtime,
    .EnterRuntime = enter_runtime,
    .ReverseLeaveRuntime = reverse_leave_runtime,
    .ReverseEnterRuntime = reverse_enter_runtime,
    .BeginDelayAbort = fine,
    .EndDelayAbort = fine,
    .BeginThreadAffinity = fine,
    .EndThreadAffinity = fine,
    .SetStackGuarantee = not_mine_1,
    .GetStackGuarantee = get_stack_guarantee,
    .SetCLRTaskManager = set_clr_task_manager,
};
static IHostTaskManager task_manager = {&task_manager_methods};

// The host control, which has one manager to give.

UNKNOWN_METHODS(IHostControl)

static HRESULT get_host_manager(IHostControl *self, REFIID riid, void **object) {
    UNREFERENCED_PARAMETER(self);
    *object = IsEqualIID(riid, &IID_IHostTaskManager) ? &task_manager : NULL;
    return *object != NULL ? S_OK : E_NOINTERFACE;
}
static HRESULT set_app_domain_manager(IHostControl *self, DWORD id, IUnknown *manager) {
    UNREFERENCED_PARAMETER(self);
    UNREFERENCED_PARAMETER(id);
    UNREFERENCED_PARAMETER(manager);
    return S_OK;
}

static const IHostControlVtbl host_control_methods = {
    .QueryInterface = IHostControl_query,
    .AddRef = IHostControl_add,
    .Release = IHostControl_release,
    .GetHostManager = get_host_manager,
    .SetAppDomainManager = set_app_domain_manager,
};
static IHostControl host_control = {&host_control_methods};

// In UTF-16, cut off at the end of the room.
static void wide(const char *text, WCHAR *out, size_t room) {
    mbstate_t state;
    const char *end = text + strlen(text);
    memset(&state, 0, sizeof state);
    while (room > 1) {
        char16_t unit;
        size_t read = mbrtoc16(&unit, text, (size_t)(end - text) + 1, &state);
        if (read == 0 || read == (size_t)-1 || read == (size_t)-2)
            break;
        *out++ = unit;
        room--;
        if (read != (size_t)-3) // the second half of a pair takes nothing
            text += read;
    }
    *out = 0;
}

static int failed(HRESULT hr, const char *what) {
    if (FAILED(hr))
        fprintf(stderr, "%s: 0x%08x\n", what, (unsigned)hr);
    return FAILED(hr);
}

int main(int argc, char *argv[]) {
    static WCHAR path[4096];
    ICLRMetaHost *meta = NULL;
    ICLRRuntimeInfo *info = NULL;
    ICLRRuntimeHost *clr = NULL;
    ICLRRuntimeHost2 *clr2 = NULL;
    DWORD exit_code = 0;

    setlocale(LC_ALL, "");
    setvbuf(stdout, NULL, _IOLBF, 0); // each line at once, in a file too
    if (argc != 2) {
        fprintf(stderr, "usage: sixsteps RUN/sixsteps.dll\n");
        return 2;
    }
    wide(argv[1], path, sizeof path / sizeof *path);

    // Find .NET. A version of .NET Framework means the newest .NET that there is.
    if (failed(CLRCreateInstance(&CLSID_CLRMetaHost, &IID_ICLRMetaHost, (void **)&meta), "CLRCreateInstance") ||
        failed(ICLRMetaHost_GetRuntime(meta, u"v4.0.30319", &IID_ICLRRuntimeInfo, (void **)&info), "GetRuntime") ||
        failed(ICLRRuntimeInfo_GetInterface(info, &CLSID_CLRRuntimeHost, &IID_ICLRRuntimeHost, (void **)&clr),
               "GetInterface"))
        return 1;

    // Register for notifications, then start.
    if (failed(ICLRRuntimeHost_SetHostControl(clr, &host_control), "SetHostControl") ||
        failed(ICLRRuntimeHost_Start(clr), "Start"))
        return 1;

    // Run the program's Main on this thread. ExecuteInDefaultAppDomain would call any
    // `static int METHOD(string)`.
    if (failed(ICLRRuntimeHost_QueryInterface(clr, &IID_ICLRRuntimeHost2, (void **)&clr2), "ICLRRuntimeHost2") ||
        failed(ICLRRuntimeHost2_ExecuteAssembly(clr2, 1, path, 0, NULL, &exit_code), "ExecuteAssembly"))
        return 1;
    failed(ICLRRuntimeHost_Stop(clr), "Stop");

    ICLRRuntimeHost2_Release(clr2);
    ICLRRuntimeHost_Release(clr);
    ICLRRuntimeInfo_Release(info);
    ICLRMetaHost_Release(meta);

    if (strcmp(heard, "LRLEVE") != 0) {
        fprintf(stderr, "these are not the six steps: %s\n", heard);
        return 1;
    }
    return 0;
}
