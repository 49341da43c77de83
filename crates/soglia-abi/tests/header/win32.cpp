// What Windows sources do with include/win32. Exit code 0, and `done` as the last line, if all is
// as on Windows.
#include <tchar.h>
#include <windows.h>

#include <corerror.h>
#include <fusion.h>
#include <list>
#include <map>
#include <metahost.h>
#include <sstream>
#include <unordered_map>

using namespace std;

#define CHECK(what)                                                                                                    \
    if (!(what)) {                                                                                                     \
        fprintf(stderr, "line %d: %s (error %u)\n", __LINE__, #what, GetLastError());                                  \
        exit(1);                                                                                                       \
    }

static CRITICAL_SECTION section;
static LONG counter = 0;
static volatile ULONG_PTR called = 0;

static DWORD WINAPI count(LPVOID until) {
    for (int i = 0; i < 10000; i++) {
        EnterCriticalSection(&section);
        EnterCriticalSection(&section);
        counter++;
        LeaveCriticalSection(&section);
        LeaveCriticalSection(&section);
    }
    return WaitForSingleObject(until, INFINITE) == WAIT_OBJECT_0 ? 42 : 0;
}

static void CALLBACK call(ULONG_PTR argument) { called = argument; }

static DWORD WINAPI alertable(LPVOID) { return SleepEx(INFINITE, TRUE); }

static void threads() {
    InitializeCriticalSection(&section);
    HANDLE go = CreateEvent(NULL, TRUE, FALSE, NULL), all[4];
    DWORD ids[4], code = 0;
    for (int i = 0; i < 4; i++)
        all[i] = CreateThread(NULL, 0, count, go, CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, &ids[i]);
    CHECK(WaitForSingleObject(all[0], 1) == WAIT_TIMEOUT && counter == 0);
    for (int i = 0; i < 4; i++) {
        CHECK(GetThreadId(all[i]) == ids[i] && ResumeThread(all[i]) == 1);
    }
    SetEvent(go);
    CHECK(WaitForMultipleObjects(4, all, TRUE, INFINITE) == WAIT_OBJECT_0);
    CHECK(counter == 40000 && GetExitCodeThread(all[3], &code) && code == 42);
    for (int i = 0; i < 4; i++) {
        CHECK(CloseHandle(all[i]));
    }
    CHECK(CloseHandle(go));
    DeleteCriticalSection(&section);

    HANDLE sleeper = CreateThread(NULL, 0, alertable, NULL, 0, NULL);
    CHECK(QueueUserAPC(call, sleeper, 7) != 0);
    CHECK(WaitForSingleObject(sleeper, INFINITE) == WAIT_OBJECT_0 && called == 7);
    CHECK(GetExitCodeThread(sleeper, &code) && code == WAIT_IO_COMPLETION);
    CloseHandle(sleeper);

    HANDLE me = NULL;
    CHECK(SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_HIGHEST));
    CHECK(DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &me, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK(GetThreadPriority(me) == THREAD_PRIORITY_HIGHEST && GetThreadId(me) == GetCurrentThreadId());
    CHECK(CloseHandle(me));
    CHECK(SuspendThread(GetCurrentThread()) == 0xFFFFFFFFu && GetLastError() == ERROR_CALL_NOT_IMPLEMENTED);
}

static void waits() {
    LONG before = -1;
    HANDLE once = CreateEvent(NULL, FALSE, TRUE, NULL), semaphore = CreateSemaphore(NULL, 1, 2, NULL);
    HANDLE mutex = CreateMutex(NULL, TRUE, NULL);
    CHECK(WaitForSingleObject(once, 0) == WAIT_OBJECT_0 && WaitForSingleObject(once, 0) == WAIT_TIMEOUT);
    CHECK(ReleaseSemaphore(semaphore, 1, &before) && before == 1);
    CHECK(!ReleaseSemaphore(semaphore, 1, NULL) && GetLastError() == ERROR_TOO_MANY_POSTS);
    HANDLE both[] = {once, semaphore};
    CHECK(WaitForMultipleObjects(2, both, FALSE, 10) == WAIT_OBJECT_0 + 1);
    CHECK(WaitForMultipleObjects(2, both, TRUE, 1) == WAIT_TIMEOUT);
    CHECK(WaitForSingleObject(mutex, 0) == WAIT_OBJECT_0 && ReleaseMutex(mutex) && ReleaseMutex(mutex));
    CHECK(!ReleaseMutex(mutex) && GetLastError() == ERROR_NOT_OWNER);
    CHECK(WaitForSingleObject(INVALID_HANDLE_VALUE, 0) == WAIT_FAILED && GetLastError() == ERROR_INVALID_HANDLE);
    CHECK(CloseHandle(once) && CloseHandle(semaphore) && CloseHandle(mutex) && !CloseHandle(NULL));
}

static void text(int argc, _TCHAR *argv[]) {
    WCHAR buffer[MAX_PATH];
    CHECK(argc == 2 && wcscmp(argv[1], L"citt\u00E0 \U0001F600") == 0 && argv[2] == NULL);
    CHECK(_tcslen(argv[1]) == 8 && wcschr(argv[1], L' ') == argv[1] + 5);
    CHECK(GetCurrentDirectoryW(MAX_PATH, buffer) == wcslen(buffer) && buffer[0] == L'/');
    wcscpy_s(buffer, L"one");
    wcscat_s(buffer, L" two");
    wcsncat_s(buffer, MAX_PATH, L" three", wcslen(L" three"));
    CHECK(_wcsicmp(buffer, L"ONE two Three") == 0 && wcscmp(buffer, L"one two") > 0);
    CHECK(swprintf_s(buffer, MAX_PATH, L"%s|%5ls|%-4hs|%S|%I64d|%08lx|%c|%5.2f|%%", argv[1], L"ab", "cd", "ef", 1LL << 40,
                     (DWORD)0xBEEF, L'x', 1.5) > 0);
    CHECK(wcscmp(buffer, L"citt\u00E0 \U0001F600|   ab|cd  |ef|1099511627776|0000beef|x| 1.50|%") == 0);
    char narrow[MAX_PATH];
    CHECK(WideCharToMultiByte(CP_UTF8, 0, argv[1], -1, narrow, MAX_PATH, NULL, NULL) == 12);
    CHECK(MultiByteToWideChar(CP_UTF8, 0, narrow, -1, buffer, MAX_PATH) == 9 && wcscmp(buffer, argv[1]) == 0);
}

static void memory() {
    char *pages = (char *)VirtualAlloc(NULL, 10000, MEM_RESERVE, PAGE_NOACCESS);
    CHECK(pages != NULL && VirtualAlloc(pages + 4096, 4096, MEM_COMMIT, PAGE_READWRITE) == pages + 4096);
    memset(pages + 4096, 1, 4096);
    CHECK(VirtualFree(pages, 0, MEM_RELEASE) && !VirtualFree(pages, 0, MEM_RELEASE));
    void *zeros = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 64);
    CHECK(zeros != NULL && memcmp(zeros, "\0\0\0", 4) == 0 && HeapFree(GetProcessHeap(), 0, zeros));
    MEMORYSTATUSEX status = {};
    status.dwLength = sizeof status;
    CHECK(GlobalMemoryStatusEx(&status) && status.dwMemoryLoad <= 100 && status.ullAvailPhys <= status.ullTotalPhys);
}

static void strings() {
    wstring text(L"citt\u00E0");
    text += L" \U0001F600";
    CHECK(text.size() == 8 && text.find(L' ') == 5 && text == L"citt\u00E0 \U0001F600" && text < wstring(L"d"));
    CHECK(text.substr(6) + L"!" == L"\U0001F600!" && text.compare(text.c_str()) == 0 && wstring(3, L'x') == L"xxx");
    text.insert(0, L"la ");
    text.erase(2, 1);
    text.resize(4);
    CHECK(text == L"laci" && to_wstring(-7) == L"-7");
    wstring far(100, L'a');
    for (int i = 0; i < 10; i++)
        far += far.substr(0, 10);
    CHECK(far.size() == 200 && far.find_last_not_of(L'a') == wstring::npos);
    map<wstring, int> numbers;
    unordered_map<wstring, int> again;
    for (int i = 0; i < 100; i++)
        numbers[to_wstring(i % 10)] = again[to_wstring(i % 10)] = i;
    CHECK(numbers.size() == 10 && again.size() == 10 && numbers[L"3"] == 93 && again[L"3"] == 93);

    ostringstream out;
    soglia_win32::WideOut(out) << L"citt\u00E0 " << text << L'!' << hex << 255 << " " << 1.5 << endl;
    CHECK(out.str() == "citt\xC3\xA0 laci!ff 1.5\n");

    BSTR copy = SysAllocString(L"four"), empty = SysAllocStringLen(NULL, 3);
    CHECK(SysStringLen(copy) == 4 && SysStringByteLen(copy) == 8 && wcscmp(copy, L"four") == 0 && empty[3] == 0);
    SysFreeString(copy);
    SysFreeString(empty);
    SysFreeString(NULL);

    char small[6];
    struct tm date;
    time_t then = 0;
    CHECK(sprintf_s(small, "%d", 12345) == 5 && strcpy_s(small, "one") == 0 && strcat_s(small, sizeof small, "!!") == 0);
    CHECK(_snprintf_s(small, sizeof small, _TRUNCATE, "%s", "too long") == -1 && strcmp(small, "too l") == 0);
    CHECK(_snprintf_s(small, sizeof small, 3, "%s", "too long") == -1 && strcmp(small, "too") == 0);
    CHECK(gmtime_s(&date, &then) == 0 && date.tm_year == 70 && _stricmp("ABC", "abc") == 0);
}

static DWORD WINAPI post(LPVOID port) {
    static OVERLAPPED overlapped;
    overlapped.Offset = 7;
    return PostQueuedCompletionStatus(port, 5, 6, &overlapped);
}

static unsigned __stdcall begun(void *value) { return *(unsigned *)value; }

static void ports_and_messages() {
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED *overlapped = NULL;
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 1) && GetLastError() == WAIT_TIMEOUT);
    HANDLE poster = CreateThread(NULL, 0, post, port, 0, NULL);
    CHECK(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE));
    CHECK(bytes == 5 && key == 6 && overlapped->Offset == 7 && WaitForSingleObject(poster, INFINITE) == WAIT_OBJECT_0);
    CHECK(CreateIoCompletionPort(poster, port, 0, 0) == NULL && GetLastError() == ERROR_CALL_NOT_IMPLEMENTED);
    CHECK(CloseHandle(poster) && CloseHandle(port));

    unsigned value = 9, id = 0;
    HANDLE thread = (HANDLE)_beginthreadex(NULL, 0, begun, &value, 0, &id);
    DWORD code = 0, which = 9;
    CHECK(CoWaitForMultipleHandles(COWAIT_ALERTABLE, INFINITE, 1, &thread, &which) == S_OK && which == 0);
    CHECK(GetExitCodeThread(thread, &code) && code == 9 && id != 0 && CloseHandle(thread));

    MSG message;
    HANDLE never = CreateEvent(NULL, TRUE, FALSE, NULL);
    CHECK(CoWaitForMultipleHandles(0, 1, 1, &never, NULL) == RPC_S_CALLPENDING);
    CHECK(!PeekMessage(&message, NULL, 0, 0, PM_REMOVE));
    CHECK(MsgWaitForMultipleObjectsEx(1, &never, 1, QS_ALLINPUT, MWMO_INPUTAVAILABLE) == WAIT_TIMEOUT);
    PostQuitMessage(3);
    CHECK(MsgWaitForMultipleObjectsEx(1, &never, INFINITE, QS_ALLINPUT, MWMO_INPUTAVAILABLE) == WAIT_OBJECT_0 + 1);
    CHECK(PeekMessage(&message, NULL, 0, 0, PM_REMOVE) && message.message == WM_QUIT && message.wParam == 3);
    CHECK(!PeekMessage(&message, NULL, 0, 0, PM_REMOVE) && CloseHandle(never));
}

static int structured() {
    int reached = 0;
    __try {
        reached = 1;
    } __except (GetExceptionCode() == STATUS_NO_MEMORY) {
        reached = 2;
    }
    return reached;
}

static void process() {
    LARGE_INTEGER before, after, second;
    CHECK(QueryPerformanceCounter(&before) && QueryPerformanceCounter(&after) && QueryPerformanceFrequency(&second));
    CHECK(after.QuadPart >= before.QuadPart && second.QuadPart > 0);
    CHECK(LoadLibrary(L"no such library.dll") == NULL && GetLastError() == ERROR_MOD_NOT_FOUND);
    HMODULE c = LoadLibrary(L"libc.so.6");
    CHECK(c != NULL && GetProcAddress(c, "malloc") != NULL && GetProcAddress(c, "no_such_function") == NULL);
    CHECK(GetLastError() == ERROR_PROC_NOT_FOUND && FreeLibrary(c));
    HANDLE token;
    CHECK(!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token));
    CHECK(GetLastError() == ERROR_CALL_NOT_IMPLEMENTED && structured() == 1);
    CHECK(__uuidof(IAssemblyName) != __uuidof(IUnknown) && min(1, 2) == 1 && max(1, 2) == 2);
}

int _tmain(int argc, _TCHAR *argv[]) {
    threads();
    waits();
    text(argc, argv);
    memory();
    strings();
    ports_and_messages();
    process();
    wcout << wstring(L"written") << endl;
    wprintf(L"%s\n", L"done");
    return 0;
}
