// std::wstringstream, std::wofstream, std::wifstream and std::wcin, of 16 bits. Part of windows.h.
//
// Each is a thin layer on the narrow stream of the C++ library, which holds UTF-8.

#ifndef SOGLIA_WIN32_STREAMS_H
#define SOGLIA_WIN32_STREAMS_H

namespace soglia_win32 {
inline Wide widen(const std::string &text) {
    std::vector<WCHAR> all = wide(text.data(), text.size());
    return Wide(all.data(), all.size());
}

// What is read there comes from `from`.
class WideIn {
    std::istream &from;

  public:
    explicit WideIn(std::istream &from) : from(from) {}
    WideIn &operator>>(Wide &text) {
        std::string word;
        if (from >> word)
            text = widen(word);
        return *this;
    }
    WideIn &operator>>(WCHAR &c) {
        char byte;
        if (from >> byte)
            c = (WCHAR)(unsigned char)byte;
        return *this;
    }
    WideIn &operator>>(std::ios_base &(*manipulator)(std::ios_base &)) {
        from >> manipulator;
        return *this;
    }
    template <class T> WideIn &operator>>(T &value) {
        from >> value;
        return *this;
    }
    WideIn &line(Wide &text, WCHAR end) {
        std::string bytes;
        if (std::getline(from, bytes, (char)end))
            text = widen(bytes);
        return *this;
    }
    int get() { return from.get(); }
    WideIn &ignore(std::streamsize count = 1, int end = -1) {
        from.ignore(count, end);
        return *this;
    }
    explicit operator bool() const { return !from.fail(); }
    bool operator!() const { return from.fail(); }
    bool eof() const { return from.eof(); }
};

// A narrow stream, read and written as a wide one.
template <class Narrow> class WideStream {
  protected:
    Narrow narrow_stream;

  public:
    WideStream() {}
    explicit WideStream(const std::string &text) : narrow_stream(text) {}
    explicit operator bool() const { return !narrow_stream.fail(); }
    bool operator!() const { return narrow_stream.fail(); }
    bool good() const { return narrow_stream.good(); }
    bool fail() const { return narrow_stream.fail(); }
    bool bad() const { return narrow_stream.bad(); }
    bool eof() const { return narrow_stream.eof(); }
    void clear(std::ios_base::iostate state = std::ios_base::goodbit) { narrow_stream.clear(state); }
    std::streamsize width(std::streamsize to) { return narrow_stream.width(to); }
    std::streamsize precision(std::streamsize to) { return narrow_stream.precision(to); }
    WCHAR fill(WCHAR to) { return (WCHAR)narrow_stream.fill((char)to); }
    // Whatever it is, the text stays UTF-8.
    std::locale imbue(const std::locale &) { return narrow_stream.getloc(); }
    template <class T> auto operator<<(T &&value) -> decltype(std::declval<WideOut &>() << value, *this) {
        WideOut(narrow_stream) << value;
        return *this;
    }
    WideStream &operator<<(std::ostream &(*manipulator)(std::ostream &)) {
        narrow_stream << manipulator;
        return *this;
    }
    WideStream &operator<<(std::ios_base &(*manipulator)(std::ios_base &)) {
        manipulator(narrow_stream);
        return *this;
    }
    WideStream &operator>>(std::ios_base &(*manipulator)(std::ios_base &)) {
        manipulator(narrow_stream);
        return *this;
    }
    template <class T> WideStream &operator>>(T &value) {
        WideIn(narrow_stream) >> value;
        return *this;
    }
    WideStream &line(Wide &text, WCHAR end) {
        WideIn(narrow_stream).line(text, end);
        return *this;
    }
    WideStream &write(LPCWSTR text, std::streamsize count) {
        narrow_stream << narrow(text, (size_t)count);
        return *this;
    }
    WideStream &put(WCHAR c) { return write(&c, 1); }
    void flush() { narrow_stream.flush(); }
};

template <class Narrow> class WideStringStream : public WideStream<Narrow> {
  public:
    WideStringStream() {}
    explicit WideStringStream(const Wide &text) : WideStream<Narrow>(narrow(text.data(), text.size())) {}
    explicit WideStringStream(LPCWSTR text) : WideStream<Narrow>(narrow(text)) {}
    Wide str() const { return widen(this->narrow_stream.str()); }
    void str(const Wide &text) { this->narrow_stream.str(narrow(text.data(), text.size())); }
};

template <class Narrow> class WideFileStream : public WideStream<Narrow> {
  public:
    WideFileStream() {}
    template <class... Mode> explicit WideFileStream(LPCWSTR path, Mode... mode) { open(path, mode...); }
    template <class... Mode> explicit WideFileStream(const Wide &path, Mode... mode) { open(path.c_str(), mode...); }
    template <class... Mode> explicit WideFileStream(const char *path, Mode... mode) {
        this->narrow_stream.open(path, mode...);
    }
    template <class... Mode> explicit WideFileStream(const std::string &path, Mode... mode) {
        this->narrow_stream.open(path, mode...);
    }
    template <class... Mode> void open(LPCWSTR path, Mode... mode) {
        this->narrow_stream.open(narrow(path), mode...);
    }
    template <class... Mode> void open(const Wide &path, Mode... mode) { open(path.c_str(), mode...); }
    bool is_open() const { return this->narrow_stream.is_open(); }
    void close() { this->narrow_stream.close(); }
};
} // namespace soglia_win32

namespace std {
typedef soglia_win32::WideStringStream<stringstream> soglia_wstringstream;
typedef soglia_win32::WideStringStream<ostringstream> soglia_wostringstream;
typedef soglia_win32::WideStringStream<istringstream> soglia_wistringstream;
typedef soglia_win32::WideFileStream<fstream> soglia_wfstream;
typedef soglia_win32::WideFileStream<ofstream> soglia_wofstream;
typedef soglia_win32::WideFileStream<ifstream> soglia_wifstream;
inline soglia_win32::WideIn &soglia_wcin() {
    static soglia_win32::WideIn in(cin);
    return in;
}
template <class Narrow>
soglia_win32::WideStream<Narrow> &getline(soglia_win32::WideStream<Narrow> &from, soglia_wstring &text, WCHAR end = L'\n') {
    return from.line(text, end);
}
inline soglia_win32::WideIn &getline(soglia_win32::WideIn &from, soglia_wstring &text, WCHAR end = L'\n') {
    return from.line(text, end);
}
inline int stoi(const soglia_wstring &text, size_t *end = nullptr, int base = 10) { return stoi(soglia_win32::narrow(text.data(), text.size()), end, base); }
inline long stol(const soglia_wstring &text, size_t *end = nullptr, int base = 10) { return stol(soglia_win32::narrow(text.data(), text.size()), end, base); }
inline double stod(const soglia_wstring &text, size_t *end = nullptr) { return stod(soglia_win32::narrow(text.data(), text.size()), end); }
} // namespace std

#define wcin soglia_wcin()
#define wstringstream soglia_wstringstream
#define wistringstream soglia_wistringstream
#define wostringstream soglia_wostringstream
#define wifstream soglia_wifstream
#define wofstream soglia_wofstream
#define wfstream soglia_wfstream

#endif
