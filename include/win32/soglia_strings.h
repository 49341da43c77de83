// std::wstring, std::wcout and BSTR, of 16 bits. Part of windows.h.
//
// The C++ library's own wide strings and streams have been compiled for 32 bits. In a source that
// includes windows.h, wstring is a std::basic_string with our own traits and wcout a thin layer on
// cout, which writes UTF-8; soglia_streams.h has the other streams. A std::basic_string<WCHAR> that
// a source writes out is the library's own, and must not be used.

#ifndef SOGLIA_WIN32_STRINGS_H
#define SOGLIA_WIN32_STRINGS_H

namespace soglia_win32 {

struct Traits : std::char_traits<WCHAR> {
    static int compare(const WCHAR *a, const WCHAR *b, size_t count) {
        for (size_t i = 0; i < count; i++)
            if (a[i] != b[i])
                return (uint16_t)a[i] < (uint16_t)b[i] ? -1 : 1;
        return 0;
    }
    static size_t length(const WCHAR *text) { return soglia_win32::length(text); }
    static const WCHAR *find(const WCHAR *text, size_t count, const WCHAR &c) {
        for (size_t i = 0; i < count; i++)
            if (text[i] == c)
                return text + i;
        return nullptr;
    }
    static WCHAR *move(WCHAR *to, const WCHAR *from, size_t count) {
        return (WCHAR *)memmove(to, from, count * sizeof(WCHAR));
    }
    static WCHAR *copy(WCHAR *to, const WCHAR *from, size_t count) {
        return (WCHAR *)memcpy(to, from, count * sizeof(WCHAR));
    }
    using std::char_traits<WCHAR>::assign;
    static WCHAR *assign(WCHAR *to, size_t count, WCHAR c) {
        for (size_t i = 0; i < count; i++)
            to[i] = c;
        return to;
    }
};
typedef std::basic_string<WCHAR, Traits> Wide;

// What is written there comes out on `to`.
class WideOut {
    std::ostream &to;

  public:
    explicit WideOut(std::ostream &to) : to(to) {}
    WideOut &operator<<(LPCWSTR text) {
        to << narrow(text);
        return *this;
    }
    WideOut &operator<<(LPWSTR text) { return *this << (LPCWSTR)text; }
    WideOut &operator<<(const Wide &text) {
        to << narrow(text.data(), text.size());
        return *this;
    }
    WideOut &operator<<(WCHAR c) {
        to << narrow(&c, 1);
        return *this;
    }
#ifdef __GLIBCXX__
    // setfill(L'0')
    WideOut &operator<<(std::_Setfill<WCHAR> fill) {
        to.fill((char)fill._M_c);
        return *this;
    }
#endif
    WideOut &operator<<(std::ostream &(*manipulator)(std::ostream &)) {
        to << manipulator;
        return *this;
    }
    WideOut &operator<<(std::ios_base &(*manipulator)(std::ios_base &)) {
        to << manipulator;
        return *this;
    }
    template <class T> WideOut &operator<<(const T &value) {
        to << value;
        return *this;
    }
    void flush() { to.flush(); }
};
} // namespace soglia_win32

namespace std {
typedef soglia_win32::Wide soglia_wstring;
inline soglia_win32::WideOut &soglia_wcout() {
    static soglia_win32::WideOut out(cout);
    return out;
}
inline soglia_win32::WideOut &soglia_wcerr() {
    static soglia_win32::WideOut out(cerr);
    return out;
}
template <class T> soglia_wstring soglia_to_wstring(T number) {
    string digits = to_string(number);
    return soglia_wstring(digits.begin(), digits.end());
}
// As a key of unordered_map.
template <> struct hash<soglia_wstring> {
    size_t operator()(const soglia_wstring &text) const {
        size_t hash = 14695981039346656037u; // FNV-1a
        for (WCHAR c : text)
            hash = (hash ^ (uint16_t)c) * 1099511628211u;
        return hash;
    }
};
} // namespace std

#define wstring soglia_wstring
#define to_wstring soglia_to_wstring
#define wcout soglia_wcout()
#define wcerr soglia_wcerr()
#define wclog soglia_wcerr()

// The length in bytes stands before the text.

typedef WCHAR OLECHAR;
typedef OLECHAR *LPOLESTR;
typedef const OLECHAR *LPCOLESTR;
typedef OLECHAR *BSTR;

inline BSTR SysAllocStringLen(const OLECHAR *text, UINT count) {
    struct Head {
        uint64_t unused; // so that the text is aligned as malloc aligns
        uint32_t unused_too, bytes;
    } *head = (Head *)calloc(1, sizeof(Head) + ((size_t)count + 1) * sizeof(OLECHAR));
    if (head == nullptr)
        return nullptr;
    head->bytes = count * (uint32_t)sizeof(OLECHAR);
    if (text != nullptr)
        memcpy(head + 1, text, head->bytes);
    return (BSTR)(head + 1);
}
inline BSTR SysAllocString(const OLECHAR *text) {
    return text == nullptr ? nullptr : SysAllocStringLen(text, (UINT)soglia_win32::length(text));
}
inline void SysFreeString(BSTR text) {
    if (text != nullptr)
        free((char *)text - 16);
}
inline UINT SysStringByteLen(BSTR text) { return text == nullptr ? 0 : ((uint32_t *)text)[-1]; }
inline UINT SysStringLen(BSTR text) { return SysStringByteLen(text) / (UINT)sizeof(OLECHAR); }

#endif
