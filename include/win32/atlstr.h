// CString, as far as hosts make a text of several.

#ifndef SOGLIA_WIN32_ATLSTR_H
#define SOGLIA_WIN32_ATLSTR_H

#include "atlbase.h"

namespace ATL {
class CStringW {
    std::soglia_wstring text;

  public:
    CStringW() {}
    CStringW(const WCHAR *from) : text(from == nullptr ? L"" : from) {}
    CStringW(const WCHAR *from, int count) : text(from, (size_t)count) {}
    CStringW(const char *from) : text(soglia_win32::widen(from)) {}
    operator const WCHAR *() const { return text.c_str(); }
    const WCHAR *GetString() const { return text.c_str(); }
    int GetLength() const { return (int)text.size(); }
    bool IsEmpty() const { return text.empty(); }
    void Empty() { text.clear(); }
    void Append(const WCHAR *more) { text += more; }
    int Find(const WCHAR *part, int from = 0) const { return (int)text.find(part, (size_t)from); }
    int Find(WCHAR c, int from = 0) const { return (int)text.find(c, (size_t)from); }
    int ReverseFind(WCHAR c) const { return (int)text.rfind(c); }
    CStringW Left(int count) const { return text.substr(0, (size_t)count).c_str(); }
    CStringW Right(int count) const { return text.substr(text.size() - (size_t)count).c_str(); }
    CStringW Mid(int from) const { return text.substr((size_t)from).c_str(); }
    CStringW Mid(int from, int count) const { return text.substr((size_t)from, (size_t)count).c_str(); }
    WCHAR operator[](int at) const { return text[(size_t)at]; }
    int Compare(const WCHAR *other) const { return text.compare(other); }
    int CompareNoCase(const WCHAR *other) const { return _wcsicmp(text.c_str(), other); }
    BSTR AllocSysString() const { return SysAllocStringLen(text.data(), (UINT)text.size()); }
    void Format(const WCHAR *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        text = soglia_win32::widen(soglia_win32::format(format, arguments));
        va_end(arguments);
    }
    void AppendFormat(const WCHAR *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        text += soglia_win32::widen(soglia_win32::format(format, arguments));
        va_end(arguments);
    }
    CStringW &operator+=(const WCHAR *more) {
        text += more;
        return *this;
    }
    CStringW &operator+=(WCHAR c) {
        text += c;
        return *this;
    }
    friend CStringW operator+(CStringW a, const CStringW &b) { return a += b.GetString(); }
    friend CStringW operator+(CStringW a, const WCHAR *b) { return a += b; }
    friend CStringW operator+(const WCHAR *a, const CStringW &b) { return CStringW(a) += b.GetString(); }
    friend bool operator==(const CStringW &a, const WCHAR *b) { return a.text == b; }
    friend bool operator!=(const CStringW &a, const WCHAR *b) { return a.text != b; }
};
typedef CStringW CString;
typedef CStringW CAtlString;
typedef CStringW CAtlStringW;
} // namespace ATL

#endif
