// Wide text of include/win32: what the standard's functions and streams do with 16 bits. `done` if
// all is as on Windows.
#include <windows.h>

#include <locale>
#include <string>

#include <shlwapi.h>
#include <strsafe.h>

#define CHECK(what)                                                                                                    \
    if (!(what)) {                                                                                                     \
        fprintf(stderr, "line %d: %s (error %u)\n", __LINE__, #what, GetLastError());                                  \
        exit(1);                                                                                                       \
    }

static const WCHAR face[] = L"citt\u00E0 \U0001F600";

static void in_std() {
    WCHAR buffer[40], *end = nullptr, *left = nullptr;
    CHECK(std::wcslen(face) == 8 && std::wcscmp(face, L"citt\u00E0") > 0 && std::wcsncmp(face, L"cit", 3) == 0);
    CHECK(std::wcscpy(buffer, face) == buffer && std::wcscat(buffer, L"!") == buffer && std::wcslen(buffer) == 9);
    CHECK(std::wcschr(face, L' ') == face + 5 && std::wcsrchr(face, L't') == face + 3 && !std::wcschr(face, L'z'));
    CHECK(std::wcsstr(face, L"tt") == face + 2 && std::wcsstr(face, L"") == face && !std::wcsstr(face, L"ttt"));
    CHECK(std::wcsspn(face, L"cit") == 4 && std::wcscspn(face, L" ") == 5 && std::wcspbrk(face, L"t ") == face + 2);
    CHECK(std::wcsncpy(buffer, L"abcdef", 3) == buffer && buffer[3] == L't' && wcsnlen(buffer, 2) == 2);
    std::wcscpy(buffer, L"one,,two");
    CHECK(std::wcscmp(wcstok_s(buffer, L",", &left), L"one") == 0 && std::wcscmp(std::wcstok(nullptr, L",", &left), L"two") == 0);
    CHECK(wcstok_s(nullptr, L",", &left) == nullptr);
    CHECK(std::wcstol(L" -42x", &end, 10) == -42 && *end == L'x' && std::wcstoul(L"ff", nullptr, 16) == 255);
    CHECK(std::wcstod(L"1.5\u00E0", &end) == 1.5 && *end == L'\u00E0' && _wtoi(L"17 ") == 17 && _wtoi64(L"-1") == -1);
    CHECK(std::wmemcmp(face, L"citt", 4) == 0 && std::wmemcpy(buffer, face, 9)[8] == 0 && std::wmemset(buffer, L'x', 2)[1] == L'x');
    CHECK(std::mbstowcs(buffer, "citt\xC3\xA0", 40) == 5 && std::wcscmp(buffer, L"citt\u00E0") == 0);
    char narrow[40];
    CHECK(std::wcstombs(narrow, face, 40) == 11 && strcmp(narrow, "citt\xC3\xA0 \xF0\x9F\x98\x80") == 0);
    CHECK(std::wcstombs(nullptr, face, 0) == 11 && std::mbstowcs(nullptr, narrow, 0) == 8);
    CHECK(_wcsicmp(_wcsupr(std::wcscpy(buffer, L"aBc")), L"abc") == 0 && std::wcscmp(_wcslwr(buffer), L"abc") == 0);
}

static int formatted(WCHAR *to, size_t room, const WCHAR *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = vswprintf_s(to, room, text, arguments);
    va_end(arguments);
    return count;
}
static int length_of(const WCHAR *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = _vscwprintf(text, arguments);
    va_end(arguments);
    return count;
}
static int narrow_length_of(const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    int count = _vscprintf(text, arguments);
    va_end(arguments);
    return count;
}

static void printed() {
    WCHAR array[12];
    char narrow[12];
    size_t told = 0;
    CHECK(swprintf_s(array, L"%d %s", 7, L"\u00E0") == 3 && wcscmp(array, L"7 \u00E0") == 0);
    CHECK(std::swprintf(array, 12, L"%hs", "x") == 1 && array[0] == L'x' && array[1] == 0);
    CHECK(formatted(array, 12, L"%04x", 0xBEu) == 4 && wcscmp(array, L"00be") == 0);
    CHECK(length_of(L"%s|%d", face, 12) == 11 && narrow_length_of("%s|%d", "four", 12) == 7 && _scwprintf(L"%c", L'x') == 1);
    CHECK(_snwprintf_s(array, _TRUNCATE, L"%s and more", face) == -1 && wcslen(array) == 11);
    CHECK(_snwprintf(array, 12, L"%s", L"x") == 1);
    CHECK(mbstowcs_s(&told, array, "\xC3\xA0!", _TRUNCATE) == 0 && told == 3 && wcscmp(array, L"\u00E0!") == 0);
    CHECK(wcstombs_s(&told, narrow, L"\u00E0!", _TRUNCATE) == 0 && told == 4 && strcmp(narrow, "\xC3\xA0!") == 0);
    CHECK(mbstowcs_s(&told, nullptr, 0, "abc", 0) == 0 && told == 1);
    CHECK(_itow_s(-12, array, 10) == 0 && wcscmp(array, L"-12") == 0 && _itow_s(-1, array, 16) == 0);
    CHECK(wcscmp(array, L"ffffffff") == 0 && wcsncpy_s(array, L"abc", 2) == 0 && wcscmp(array, L"ab") == 0);
    CHECK(StringCchPrintf(array, 12, L"%s", L"just short") == S_OK && StringCchCat(array, 12, L"abc") == STRSAFE_E_INSUFFICIENT_BUFFER);
    CHECK(wcscmp(array, L"just shorta") == 0 && StringCchCopy(array, 12, L"x") == S_OK && StringCchLength(array, 12, &told) == S_OK && told == 1);
    std::wprintf(L"%s\n", face);
    fputws(L"\u00E0\n", stdout);
    _putws(L"put");
}

static void streams() {
    std::wstringstream both;
    both << L"citt\u00E0 " << std::hex << 255 << L' ' << std::dec << std::setw(4) << std::setfill(L'0') << 7 << std::endl;
    CHECK(both.str() == L"citt\u00E0 ff 0007\n");
    std::wstring word;
    int number = 0;
    CHECK(both >> word >> std::hex >> number && word == L"citt\u00E0" && number == 255);
    std::wostringstream out;
    out << word << L"!" << 1.5 << true << (const WCHAR *)L"x";
    CHECK(out.str() == L"citt\u00E0!1.51x" && std::stoi(std::wstring(L"42")) == 42 && std::to_wstring(7) == L"7");
    std::wistringstream in(L"one\ntwo\u00E0\n");
    CHECK(std::getline(in, word) && word == L"one" && std::getline(in, word) && word == L"two\u00E0" && !std::getline(in, word));

    char path[] = "/tmp/soglia-wide-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0 && close(file) == 0);
    std::wofstream(path) << face << L"\n" << 12;
    std::wstring name = soglia_win32::widen(path);
    std::wifstream back(name);
    CHECK(back.is_open() && std::getline(back, word) && word == face && back >> number && number == 12);
    FILE *reopened = nullptr;
    WCHAR line[40];
    CHECK(_wfopen_s(&reopened, name.c_str(), L"r") == 0 && fgetws(line, 40, reopened) && wcslen(line) == 9);
    fclose(reopened);
    CHECK(fopen_s(&reopened, path, "r") == 0 && fclose(reopened) == 0 && GetFileAttributes(name.c_str()) == FILE_ATTRIBUTE_NORMAL);
    CHECK(_waccess(name.c_str(), 0) == 0 && unlink(path) == 0 && !PathFileExists(name.c_str()));
    std::wcout << face << std::endl;
}

static void modules(char *program) {
    WCHAR path[MAX_PATH], *message = nullptr;
    char narrow[MAX_PATH];
    CHECK(GetModuleFileName(NULL, path, MAX_PATH) == wcslen(path) && GetModuleFileNameA(NULL, narrow, MAX_PATH) == strlen(narrow));
    CHECK(strcmp(soglia_win32::narrow(path).c_str(), narrow) == 0 && strcmp(strrchr(narrow, '/'), strrchr(program, '/')) == 0);
    CHECK(GetModuleHandle(NULL) != NULL && GetModuleHandleW(L"libnothing.so") == NULL && GetLastError() == ERROR_MOD_NOT_FOUND);
    HMODULE libc = GetModuleHandleA("libc.so.6"), again = NULL;
    CHECK(libc != NULL && GetModuleFileNameA(libc, narrow, MAX_PATH) != 0 && strstr(narrow, "libc.so.6") != NULL);
    CHECK(GetModuleHandleEx(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)GetProcAddress(libc, "puts"), &again));
    CHECK(GetModuleFileNameA(again, narrow, MAX_PATH) != 0 && strstr(narrow, "libc.so.6") != NULL);
    CHECK(GetModuleFileNameW(NULL, path, 4) == 0 && GetLastError() == ERROR_INSUFFICIENT_BUFFER);

    CHECK(FormatMessage(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                        (DWORD)HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND), MAKELANGID(LANG_NEUTRAL, SUBLANG_DEFAULT),
                        (LPWSTR)&message, 0, NULL) == wcslen(message));
    CHECK(wcsstr(message, L"cannot find the file") != NULL && LocalFree(message) == NULL);
    CHECK(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, 0x8013FFFF, 0, narrow, MAX_PATH, NULL) != 0);
    CHECK(strcmp(narrow, "Error 0x8013FFFF\r\n") == 0);
    CHECK(MessageBox(NULL, L"to standard error", L"title", MB_OK | MB_ICONERROR) == IDOK && MessageBoxA(NULL, "x", NULL, MB_YESNO) == IDYES);

    CHECK(SetEnvironmentVariable(L"SOGLIA_WIDE", L"citt\u00E0") && GetEnvironmentVariable(L"SOGLIA_WIDE", path, MAX_PATH) == 5);
    CHECK(GetEnvironmentVariable(L"SOGLIA_WIDE", path, 2) == 6 && GetEnvironmentVariable(L"SOGLIA_NONE", path, 9) == 0);
    wcscpy_s(path, L"/a/b/c.dll");
    CHECK(wcscmp(PathFindFileName(path), L"c.dll") == 0 && PathRemoveFileSpec(path) && wcscmp(path, L"/a/b") == 0);
    CHECK(PathAppend(path, L"d.dll") && wcscmp(path, L"/a/b/d.dll") == 0 && PathCombine(path, L"/x", L"y") && wcscmp(path, L"/x/y") == 0);
    CHECK(GetFullPathName(L"/", MAX_PATH, path, NULL) == 1 && lstrlen(face) == 8 && lstrcmpi(L"AB", L"ab") == 0);
    __int64 wide_number = 1LL << 40;
    unsigned __int32 narrow_number = 7;
    CHECK(wide_number > narrow_number && sizeof(wide_number) == 8);
    GUID id = __uuidof(IUnknown);
    CHECK(StringFromGUID2(id, path, MAX_PATH) == 39 && wcscmp(path, L"{00000000-0000-0000-C000-000000000046}") == 0);
}

int main(int, char **arguments) {
    in_std();
    printed();
    streams();
    modules(arguments[0]);
    puts("done");
    return 0;
}
