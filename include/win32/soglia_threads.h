// Threads and what they wait for. Part of windows.h.
//
// All waits share one lock and one condition: a wake-up wakes all, and each looks for itself.
// Simple, and right for the handful of threads that a host has.

#ifndef SOGLIA_WIN32_THREADS_H
#define SOGLIA_WIN32_THREADS_H

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#define WAIT_OBJECT_0 0u
#define WAIT_ABANDONED 0x80u
#define WAIT_ABANDONED_0 0x80u
#define WAIT_IO_COMPLETION 0xC0u
#define WAIT_TIMEOUT 258u
#define WAIT_FAILED 0xFFFFFFFFu
#define MAXIMUM_WAIT_OBJECTS 64
#define STILL_ACTIVE 259
#define CREATE_SUSPENDED 0x4
#define STACK_SIZE_PARAM_IS_A_RESERVATION 0x10000
#define DUPLICATE_CLOSE_SOURCE 1
#define DUPLICATE_SAME_ACCESS 2
#define TLS_OUT_OF_INDEXES 0xFFFFFFFFu
#define WT_EXECUTEDEFAULT 0
#define WT_EXECUTELONGFUNCTION 0x10
// a thread for each, whatever it says
#define WT_SET_MAX_THREADPOOL_THREADS(flags, most) ((flags) |= (most) << 16)

typedef struct _SECURITY_ATTRIBUTES *LPSECURITY_ATTRIBUTES;
typedef void(CALLBACK *PAPCFUNC)(ULONG_PTR);

namespace soglia_win32 {

struct Waits {
    std::mutex lock;
    std::condition_variable changed;
};
inline Waits &waits() {
    static Waits *all = new Waits; // outlives all threads
    return *all;
}

// Behind a HANDLE. Everything in it is guarded by the lock of waits.
struct Object {
    int references = 1;
    virtual ~Object() = default;
    virtual bool ready() const = 0;
    // The wait is over: one waiter is let through.
    virtual void pass() {}
};

inline void drop(Object *object) {
    bool last;
    {
        std::lock_guard<std::mutex> guard(waits().lock);
        last = --object->references == 0;
    }
    if (last)
        delete object;
}

struct Event final : Object {
    bool manual, set;
    Event(bool manual, bool set) : manual(manual), set(set) {}
    bool ready() const override { return set; }
    void pass() override { set = set && manual; }
};

struct Semaphore final : Object {
    LONG count, most;
    Semaphore(LONG count, LONG most) : count(count), most(most) {}
    bool ready() const override { return count > 0; }
    void pass() override { count--; }
};

struct Mutex final : Object {
    DWORD owner = 0;
    int depth = 0;
    bool ready() const override;
    void pass() override;
};

struct Thread final : Object {
    DWORD id = 0, exit_code = STILL_ACTIVE;
    int priority = THREAD_PRIORITY_NORMAL;
    bool suspended = false, ended = false;
    LPTHREAD_START_ROUTINE start = nullptr;
    LPVOID parameter = nullptr;
    std::deque<std::function<void()>> calls; // QueueUserAPC's
    bool ready() const override { return ended; }
};

// The calling thread, created by this library or not.
struct Current {
    Thread *thread = nullptr;
    ~Current() {
        if (thread != nullptr) {
            {
                std::lock_guard<std::mutex> guard(waits().lock);
                thread->ended = true;
                waits().changed.notify_all();
            }
            drop(thread);
            thread = nullptr; // other destructors of this thread may still ask
        }
    }
};
inline Thread *current(Thread *is = nullptr) {
    static thread_local Current current;
    if (current.thread == nullptr) {
        current.thread = is != nullptr ? is : new Thread;
        current.thread->id = (DWORD)syscall(SYS_gettid);
    }
    return current.thread;
}

inline bool Mutex::ready() const { return depth == 0 || owner == current()->id; }
inline void Mutex::pass() {
    owner = current()->id;
    depth++;
}

inline HANDLE this_thread() { return (HANDLE)(LONG_PTR)-2; }

// What a handle stands for, or null and ERROR_INVALID_HANDLE.
template <class Kind> Kind *get(HANDLE handle) {
    Object *object = handle == this_thread() ? current() : handle == INVALID_HANDLE_VALUE ? nullptr : (Object *)handle;
    Kind *kind = dynamic_cast<Kind *>(object);
    if (kind == nullptr)
        fail(ERROR_INVALID_HANDLE);
    return kind;
}

// Runs what QueueUserAPC has queued for this thread. Whether there was anything.
inline bool run_calls(std::unique_lock<std::mutex> &guard) {
    Thread *thread = current();
    if (thread->calls.empty())
        return false;
    while (!thread->calls.empty()) {
        std::function<void()> call = thread->calls.front();
        thread->calls.pop_front();
        guard.unlock();
        call();
        guard.lock();
    }
    return true;
}

// `let_through` is called when the wait is over, under the lock of waits.
inline DWORD wait(DWORD count, const HANDLE *handles, bool all, DWORD milliseconds, bool alertable,
                  const std::function<void()> &let_through = [] {}) {
    if (count > MAXIMUM_WAIT_OBJECTS) {
        fail(ERROR_INVALID_PARAMETER);
        return WAIT_FAILED;
    }
    Object *objects[MAXIMUM_WAIT_OBJECTS];
    for (DWORD i = 0; i < count; i++) {
        objects[i] = get<Object>(handles[i]);
        if (objects[i] == nullptr)
            return WAIT_FAILED;
    }
    current();
    auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    std::unique_lock<std::mutex> guard(waits().lock);
    while (true) {
        DWORD ready = 0;
        for (DWORD i = 0; i < count; i++) {
            if (objects[i]->ready()) {
                ready++;
                if (!all) {
                    objects[i]->pass();
                    let_through();
                    return WAIT_OBJECT_0 + i;
                }
            }
        }
        if (count != 0 && ready == count) {
            for (DWORD i = 0; i < count; i++)
                objects[i]->pass();
            let_through();
            return WAIT_OBJECT_0;
        }
        if (alertable && run_calls(guard))
            return WAIT_IO_COMPLETION;
        if (milliseconds == INFINITE)
            waits().changed.wait(guard);
        else if (std::chrono::steady_clock::now() >= until)
            return WAIT_TIMEOUT;
        else
            waits().changed.wait_until(guard, until);
    }
}

inline void *run_thread(void *argument) {
    Thread *thread = current((Thread *)argument);
    {
        std::unique_lock<std::mutex> guard(waits().lock);
        waits().changed.wait(guard, [thread] { return !thread->suspended; });
    }
    DWORD code = thread->start(thread->parameter);
    std::lock_guard<std::mutex> guard(waits().lock);
    thread->exit_code = code;
    return nullptr;
}

} // namespace soglia_win32

// Waiting.

inline DWORD WaitForSingleObjectEx(HANDLE handle, DWORD milliseconds, BOOL alertable) {
    return soglia_win32::wait(1, &handle, false, milliseconds, alertable);
}
inline DWORD WaitForSingleObject(HANDLE handle, DWORD milliseconds) {
    return soglia_win32::wait(1, &handle, false, milliseconds, false);
}
inline DWORD WaitForMultipleObjectsEx(DWORD count, const HANDLE *handles, BOOL all, DWORD milliseconds, BOOL alertable) {
    return soglia_win32::wait(count, handles, all, milliseconds, alertable);
}
inline DWORD WaitForMultipleObjects(DWORD count, const HANDLE *handles, BOOL all, DWORD milliseconds) {
    return soglia_win32::wait(count, handles, all, milliseconds, false);
}
inline DWORD SleepEx(DWORD milliseconds, BOOL alertable) {
    return soglia_win32::wait(0, nullptr, false, milliseconds, alertable) == WAIT_IO_COMPLETION ? WAIT_IO_COMPLETION : 0;
}
inline void Sleep(DWORD milliseconds) { SleepEx(milliseconds, FALSE); }
inline BOOL SwitchToThread() { return sched_yield() == 0; }
inline void YieldProcessor() { __asm__ volatile("" ::: "memory"); }

// Handles.

inline BOOL CloseHandle(HANDLE handle) {
    if (handle == soglia_win32::this_thread())
        return TRUE;
    soglia_win32::Object *object = soglia_win32::get<soglia_win32::Object>(handle);
    if (object == nullptr)
        return FALSE;
    soglia_win32::drop(object);
    return TRUE;
}
inline HANDLE GetCurrentProcess() { return INVALID_HANDLE_VALUE; }
inline DWORD GetCurrentProcessId() { return (DWORD)getpid(); }
inline BOOL DuplicateHandle(HANDLE, HANDLE source, HANDLE, HANDLE *target, DWORD, BOOL, DWORD options) {
    soglia_win32::Object *object = soglia_win32::get<soglia_win32::Object>(source);
    if (object == nullptr)
        return FALSE;
    {
        std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
        object->references++;
    }
    *target = object;
    return (options & DUPLICATE_CLOSE_SOURCE) == 0 || CloseHandle(source);
}

// Events, semaphores, mutexes: inside this process, so that names mean nothing.

inline HANDLE CreateEventW(LPSECURITY_ATTRIBUTES, BOOL manual, BOOL set, LPCWSTR) {
    return static_cast<soglia_win32::Object *>(new (std::nothrow) soglia_win32::Event(manual, set));
}
inline BOOL SetEvent(HANDLE handle) {
    soglia_win32::Event *event = soglia_win32::get<soglia_win32::Event>(handle);
    if (event == nullptr)
        return FALSE;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    event->set = true;
    soglia_win32::waits().changed.notify_all();
    return TRUE;
}
inline BOOL ResetEvent(HANDLE handle) {
    soglia_win32::Event *event = soglia_win32::get<soglia_win32::Event>(handle);
    if (event == nullptr)
        return FALSE;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    event->set = false;
    return TRUE;
}
inline HANDLE CreateSemaphoreW(LPSECURITY_ATTRIBUTES, LONG count, LONG most, LPCWSTR) {
    if (count < 0 || most < 1 || count > most) {
        soglia_win32::fail(ERROR_INVALID_PARAMETER);
        return nullptr;
    }
    return static_cast<soglia_win32::Object *>(new (std::nothrow) soglia_win32::Semaphore(count, most));
}
inline BOOL ReleaseSemaphore(HANDLE handle, LONG by, LONG *previous) {
    soglia_win32::Semaphore *semaphore = soglia_win32::get<soglia_win32::Semaphore>(handle);
    if (semaphore == nullptr)
        return FALSE;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    if (by < 1 || by > semaphore->most - semaphore->count)
        return soglia_win32::fail(ERROR_TOO_MANY_POSTS);
    if (previous != nullptr)
        *previous = semaphore->count;
    semaphore->count += by;
    soglia_win32::waits().changed.notify_all();
    return TRUE;
}
inline HANDLE CreateMutexW(LPSECURITY_ATTRIBUTES, BOOL owned, LPCWSTR) {
    soglia_win32::Mutex *mutex = new (std::nothrow) soglia_win32::Mutex;
    if (owned && mutex != nullptr)
        mutex->pass();
    return static_cast<soglia_win32::Object *>(mutex);
}
inline BOOL ReleaseMutex(HANDLE handle) {
    soglia_win32::Mutex *mutex = soglia_win32::get<soglia_win32::Mutex>(handle);
    if (mutex == nullptr)
        return FALSE;
    DWORD me = soglia_win32::current()->id;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    if (mutex->depth == 0 || mutex->owner != me)
        return soglia_win32::fail(ERROR_NOT_OWNER);
    mutex->depth--;
    soglia_win32::waits().changed.notify_all();
    return TRUE;
}
// Not macros as on Windows, which would rename methods of these names, too.
inline HANDLE CreateEvent(LPSECURITY_ATTRIBUTES of, BOOL manual, BOOL set, LPCWSTR name) {
    return CreateEventW(of, manual, set, name);
}
inline HANDLE CreateSemaphore(LPSECURITY_ATTRIBUTES of, LONG count, LONG most, LPCWSTR name) {
    return CreateSemaphoreW(of, count, most, name);
}
inline HANDLE CreateMutex(LPSECURITY_ATTRIBUTES of, BOOL owned, LPCWSTR name) { return CreateMutexW(of, owned, name); }

// Threads. Priorities are kept and have no effect.

inline HANDLE CreateThread(LPSECURITY_ATTRIBUTES, SIZE_T stack, LPTHREAD_START_ROUTINE start, LPVOID parameter,
                           DWORD flags, DWORD *id) {
    using namespace soglia_win32;
    Thread *thread = new (std::nothrow) Thread;
    if (thread == nullptr)
        return nullptr;
    thread->start = start;
    thread->parameter = parameter;
    thread->suspended = (flags & CREATE_SUSPENDED) != 0;
    thread->references = 2; // the handle's and the thread's
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (stack != 0)
        pthread_attr_setstacksize(&attributes, stack < 65536 ? 65536 : (stack + 4095) & ~(SIZE_T)4095);
    // The id is known to the new thread only, which is asked for it before it may run.
    struct Start {
        Thread *thread;
        bool known;
        static void *run(void *argument) {
            Start *self = (Start *)argument;
            Thread *thread = current(self->thread);
            {
                std::lock_guard<std::mutex> guard(waits().lock);
                self->known = true;
                waits().changed.notify_all();
            }
            return run_thread(thread);
        }
    } begin = {thread, false};
    pthread_t unused;
    int error = pthread_create(&unused, &attributes, Start::run, &begin);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        delete thread;
        fail(ERROR_NOT_ENOUGH_MEMORY);
        return nullptr;
    }
    std::unique_lock<std::mutex> guard(waits().lock);
    waits().changed.wait(guard, [&begin] { return begin.known; });
    if (id != nullptr)
        *id = thread->id;
    return static_cast<Object *>(thread);
}
inline DWORD ResumeThread(HANDLE handle) {
    soglia_win32::Thread *thread = soglia_win32::get<soglia_win32::Thread>(handle);
    if (thread == nullptr)
        return 0xFFFFFFFFu;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    DWORD before = thread->suspended;
    thread->suspended = false;
    soglia_win32::waits().changed.notify_all();
    return before;
}
inline DWORD SuspendThread(HANDLE) {
    soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED);
    return 0xFFFFFFFFu;
}
inline BOOL TerminateThread(HANDLE, DWORD) { return soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED); }
inline HANDLE GetCurrentThread() { return soglia_win32::this_thread(); }
inline DWORD GetCurrentThreadId() { return soglia_win32::current()->id; }
inline DWORD GetThreadId(HANDLE handle) {
    soglia_win32::Thread *thread = soglia_win32::get<soglia_win32::Thread>(handle);
    return thread == nullptr ? 0 : thread->id;
}
inline BOOL GetExitCodeThread(HANDLE handle, DWORD *code) {
    soglia_win32::Thread *thread = soglia_win32::get<soglia_win32::Thread>(handle);
    if (thread == nullptr)
        return FALSE;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    *code = thread->exit_code;
    return TRUE;
}
inline BOOL SetThreadPriority(HANDLE handle, int priority) {
    soglia_win32::Thread *thread = soglia_win32::get<soglia_win32::Thread>(handle);
    if (thread == nullptr)
        return FALSE;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    thread->priority = priority;
    return TRUE;
}
inline int GetThreadPriority(HANDLE handle) {
    soglia_win32::Thread *thread = soglia_win32::get<soglia_win32::Thread>(handle);
    if (thread == nullptr)
        return THREAD_PRIORITY_ERROR_RETURN;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    return thread->priority;
}
// Linux has no locale IDs, so there is nothing to set.
inline BOOL SetThreadLocale(LCID) { return TRUE; }
inline DWORD QueueUserAPC(PAPCFUNC call, HANDLE handle, ULONG_PTR argument) {
    soglia_win32::Thread *thread = soglia_win32::get<soglia_win32::Thread>(handle);
    if (thread == nullptr)
        return 0;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    thread->calls.push_back([call, argument] { call(argument); });
    soglia_win32::waits().changed.notify_all();
    return 1;
}
inline BOOL QueueUserWorkItem(LPTHREAD_START_ROUTINE work, PVOID context, ULONG) {
    HANDLE thread = CreateThread(nullptr, 0, work, context, 0, nullptr);
    return thread != nullptr && CloseHandle(thread);
}

// Critical sections: recursive, as Windows's are.

typedef struct _CRITICAL_SECTION {
    PVOID DebugInfo; // the first member on Windows: sources write {NULL} or {0}
    pthread_mutex_t mutex;
} CRITICAL_SECTION, *PCRITICAL_SECTION, *LPCRITICAL_SECTION;

inline void InitializeCriticalSection(CRITICAL_SECTION *section) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&section->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}
inline BOOL InitializeCriticalSectionAndSpinCount(CRITICAL_SECTION *section, DWORD) {
    InitializeCriticalSection(section);
    return TRUE;
}
inline DWORD SetCriticalSectionSpinCount(CRITICAL_SECTION *, DWORD) { return 0; }
inline void DeleteCriticalSection(CRITICAL_SECTION *section) { pthread_mutex_destroy(&section->mutex); }
inline void EnterCriticalSection(CRITICAL_SECTION *section) { pthread_mutex_lock(&section->mutex); }
inline BOOL TryEnterCriticalSection(CRITICAL_SECTION *section) { return pthread_mutex_trylock(&section->mutex) == 0; }
inline void LeaveCriticalSection(CRITICAL_SECTION *section) { pthread_mutex_unlock(&section->mutex); }

// Thread-local storage and time.

inline DWORD TlsAlloc() {
    pthread_key_t key;
    return pthread_key_create(&key, nullptr) == 0 ? (DWORD)key : TLS_OUT_OF_INDEXES;
}
inline LPVOID TlsGetValue(DWORD key) { return pthread_getspecific((pthread_key_t)key); }
inline BOOL TlsSetValue(DWORD key, LPVOID value) { return pthread_setspecific((pthread_key_t)key, value) == 0; }
inline BOOL TlsFree(DWORD key) { return pthread_key_delete((pthread_key_t)key) == 0; }
inline ULONGLONG GetTickCount64() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (ULONGLONG)now.tv_sec * 1000 + (ULONGLONG)now.tv_nsec / 1000000;
}
inline DWORD GetTickCount() { return (DWORD)GetTickCount64(); }
inline void ExitProcess(UINT code) { exit((int)code); }

#endif
