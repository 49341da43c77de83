/* What C sources get of include/win32. `done` if all is as on Windows. */
#define COBJMACROS
#include <metahost.h>
#include <unknwn.h>
#include <windows.h>

#define CHECK(what)                                                                                                    \
    if (!(what)) {                                                                                                     \
        fprintf(stderr, "line %d: %s\n", __LINE__, #what);                                                             \
        exit(1);                                                                                                       \
    }

static ULONG count = 1;

static HRESULT ask(IUnknown *self, REFIID id, void **object) {
    BOOL known = IsEqualIID(id, &IID_IUnknown);
    *object = known ? self : NULL;
    count += known ? 1 : 0;
    return known ? S_OK : E_NOINTERFACE;
}
static ULONG add(IUnknown *self) {
    (void)self;
    return ++count;
}
static ULONG release(IUnknown *self) {
    (void)self;
    return --count;
}

int main(void) {
    IUnknownVtbl table = {ask, add, release};
    IUnknown object = {&table};
    void *same = NULL;
    CHECK(IUnknown_QueryInterface(&object, &IID_IUnknown, &same) == S_OK && same == &object && count == 2);
    CHECK(IUnknown_QueryInterface(&object, &IID_ICLRMetaHost, &same) == E_NOINTERFACE && IUnknown_Release(&object) == 1);

    WCHAR text[MAX_PATH];
    CHECK(wcscpy_s(text, MAX_PATH, L"citt\u00E0") == 0 && wcscat(text, L" \U0001F600") == text && wcslen(text) == 8);
    CHECK(wcschr(text, L' ') == text + 5 && wcsrchr(text, L't') == text + 3 && wcscmp(text, L"citt") > 0);
    BSTR copy = SysAllocString(text);
    CHECK(SysStringLen(copy) == 8 && wcscmp(copy, text) == 0);
    SysFreeString(copy);
    SetLastError(ERROR_FILE_NOT_FOUND);
    CHECK(GetLastError() == 2 && HRESULT_FROM_WIN32(GetLastError()) == (HRESULT)0x80070002);
    Sleep(1);
    wprintf(L"%s|%5ls|%-4hs|%S|%I64d|%08lx|%c|%5.2f|%%\n", text, L"ab", "cd", "ef", 1LL << 40, (DWORD)0xBEEF, L'x', 1.5);
    puts("done");
    return 0;
}
