// The command line and small things of programs, of include/win32. `done` if all is as on Windows.
#include <windows.h>

#include <shellapi.h>

#define CHECK(what)                                                                                                    \
    if (!(what)) {                                                                                                     \
        fprintf(stderr, "line %d: %s\n", __LINE__, #what);                                                             \
        exit(1);                                                                                                       \
    }

static void taken_apart(const WCHAR *line, int expected, const WCHAR *last) {
    int count = 0;
    LPWSTR *all = CommandLineToArgvW(line, &count);
    CHECK(all != NULL && count == expected && wcscmp(all[count - 1], last) == 0 && all[count] == NULL);
    LocalFree(all);
}

int APIENTRY wWinMain(HINSTANCE instance, HINSTANCE before, LPWSTR line, int show) {
    CHECK(instance != NULL && before == NULL && show == SW_SHOWNORMAL);
    CHECK(wcscmp(line, L"one \"citt\u00E0 \U0001F600\" \"a\\\"b\" \"\"") == 0);
    int count = 0;
    LPWSTR *all = CommandLineToArgvW(GetCommandLine(), &count);
    CHECK(count == 5 && wcscmp(all[1], L"one") == 0 && wcscmp(all[2], L"citt\u00E0 \U0001F600") == 0);
    CHECK(wcscmp(all[3], L"a\"b") == 0 && all[4][0] == 0);
    LocalFree(all);
    taken_apart(L"a b  c", 3, L"c");
    taken_apart(L"a\\\\b", 1, L"a\\\\b");
    taken_apart(L"\"a\\\\\" c", 2, L"c");
    taken_apart(L"x\"y z\"w", 1, L"xy zw");

    SYSTEMTIME now, local;
    GetSystemTime(&now);
    GetLocalTime(&local);
    CHECK(now.wYear >= 2024 && now.wMonth >= 1 && now.wMonth <= 12 && local.wHour < 24 && local.wMilliseconds < 1000);

    WCHAR text[MAX_PATH];
    char *copy = NULL, narrow[8], words[] = "a,b", *left = NULL;
    size_t told = 0;
    SetEnvironmentVariable(L"SOGLIA_PROGRAM", L"value");
    CHECK(ExpandEnvironmentStrings(L"<%SOGLIA_PROGRAM%|%SOGLIA_NONE%|%>", text, MAX_PATH) == 24);
    CHECK(wcscmp(text, L"<value|%SOGLIA_NONE%|%>") == 0);
    CHECK(_dupenv_s(&copy, &told, "SOGLIA_PROGRAM") == 0 && told == 6 && strcmp(copy, "value") == 0);
    free(copy);
    CHECK(getenv_s(&told, narrow, sizeof narrow, "SOGLIA_PROGRAM") == 0 && strcmp(narrow, "value") == 0);
    CHECK(getenv_s(&told, narrow, 2, "SOGLIA_PROGRAM") == ERANGE && told == 6);
    CHECK(strcmp(strtok_s(words, ",", &left), "a") == 0 && strcmp(strtok_s(NULL, ",", &left), "b") == 0);
    CHECK(wsprintf(text, L"%s-%d", L"x", 7) == 3 && wcscmp(text, L"x-7") == 0);
    CHECK(GetTempPath(MAX_PATH, text) == wcslen(text) && text[wcslen(text) - 1] == L'/');
    puts("done");
    return 0;
}
