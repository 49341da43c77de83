// What a method takes, in letters. signature.rs says which, and says them for the crate.
#include <stdio.h>
#include <string>
#include <type_traits>

template <class T, class = void> struct Word {
    static std::string word() { return ""; } // void, functions, structs: only ever behind a pointer
};
template <class T> struct Word<T, typename std::enable_if<std::is_arithmetic<T>::value || std::is_enum<T>::value>::type> {
    static std::string word() {
        bool is_signed = std::is_arithmetic<T>::value && std::is_signed<T>::value;
        return (is_signed ? "i" : "u") + std::to_string(sizeof(T));
    }
};
template <class T> struct Word<T *> {
    static std::string word() { return "p" + Word<typename std::remove_cv<T>::type>::word(); }
};
template <class T> struct Word<T &> : Word<T *> {};
template <> struct Word<LARGE_INTEGER> : Word<LONGLONG> {};
template <> struct Word<ULARGE_INTEGER> : Word<ULONGLONG> {};

inline std::string words() { return ""; }
template <class First> std::string words() { return Word<First>::word(); }
template <class First, class Second, class... Rest> std::string words() {
    return Word<First>::word() + "," + words<Second, Rest...>();
}
template <class... All> struct List {
    static std::string all() { return words<All...>(); }
};
template <> struct List<> {
    static std::string all() { return ""; }
};

// A pointer to a virtual method is one more than its place in the vtable, in the ABI of C++ on
// Linux.
template <class Class, class Result, class... Parameters>
void tell(const char *name, Result (Class::*method)(Parameters...)) {
    size_t place[2];
    static_assert(sizeof place == sizeof method, "");
    memcpy(place, &method, sizeof place);
    printf("%s %zu %s(%s)\n", name, (place[0] - 1) / sizeof(void *), Word<Result>::word().c_str(),
           List<Parameters...>::all().c_str());
}
