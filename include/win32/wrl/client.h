// Microsoft::WRL::ComPtr: a counted pointer to an interface.

#ifndef SOGLIA_WIN32_WRL_CLIENT_H
#define SOGLIA_WIN32_WRL_CLIENT_H

#ifndef __cplusplus
#error "This header is for C++."
#endif

#include "../windows.h"

namespace Microsoft {
namespace WRL {
template <class T> class ComPtr;

namespace Details {
// The address of a pointer, that can be the address of its interface too.
template <class T> class ComPtrRef {
    ComPtr<T> *of;

  public:
    explicit ComPtrRef(ComPtr<T> *of) : of(of) {}
    operator T **() const { return of->ReleaseAndGetAddressOf(); }
    operator void **() const { return reinterpret_cast<void **>(of->ReleaseAndGetAddressOf()); }
    operator ComPtr<T> *() const { return of; }
    T *operator*() const { return of->Get(); }
};
// IID_PPV_ARGS of such an address.
template <class T> void **soglia_place(ComPtrRef<T> place) { return place; }
} // namespace Details

template <class T> class ComPtr {
    T *object = nullptr;

  public:
    typedef T InterfaceType;

    ComPtr() noexcept {}
    ComPtr(std::nullptr_t) noexcept {}
    template <class U> ComPtr(U *other) noexcept : object(other) {
        if (object != nullptr)
            object->AddRef();
    }
    ComPtr(const ComPtr &other) noexcept : ComPtr(other.object) {}
    ComPtr(ComPtr &&other) noexcept : object(other.Detach()) {}
    template <class U> ComPtr(const ComPtr<U> &other) noexcept : ComPtr(other.Get()) {}
    ~ComPtr() { Reset(); }
    ComPtr &operator=(ComPtr other) noexcept {
        std::swap(object, other.object);
        return *this;
    }
    T *Get() const noexcept { return object; }
    T *operator->() const noexcept { return object; }
    explicit operator bool() const noexcept { return object != nullptr; }
    bool operator==(std::nullptr_t) const noexcept { return object == nullptr; }
    bool operator!=(std::nullptr_t) const noexcept { return object != nullptr; }
    template <class U> bool operator==(const ComPtr<U> &other) const noexcept { return object == other.Get(); }
    template <class U> bool operator!=(const ComPtr<U> &other) const noexcept { return object != other.Get(); }
    // What is written there is taken over; what was there is released.
    Details::ComPtrRef<T> operator&() noexcept { return Details::ComPtrRef<T>(this); }
    T **ReleaseAndGetAddressOf() noexcept {
        Reset();
        return &object;
    }
    T *const *GetAddressOf() const noexcept { return &object; }
    T **GetAddressOf() noexcept { return &object; }
    T *Detach() noexcept {
        T *other = object;
        object = nullptr;
        return other;
    }
    void Attach(T *other) noexcept {
        Reset();
        object = other;
    }
    unsigned long Reset() noexcept {
        T *old = Detach();
        return old == nullptr ? 0 : old->Release();
    }
    void Swap(ComPtr &other) noexcept { std::swap(object, other.object); }
    HRESULT CopyTo(T **other) const noexcept {
        if (object != nullptr)
            object->AddRef();
        *other = object;
        return S_OK;
    }
    template <class U> HRESULT CopyTo(U **other) const noexcept {
        return object->QueryInterface(__uuidof(U), reinterpret_cast<void **>(other));
    }
    template <class U> HRESULT As(ComPtr<U> *other) const noexcept {
        return object->QueryInterface(__uuidof(U), reinterpret_cast<void **>(other->ReleaseAndGetAddressOf()));
    }
    template <class U> HRESULT As(Details::ComPtrRef<U> other) const noexcept { return As((ComPtr<U> *)other); }
    HRESULT AsIID(REFIID id, ComPtr<IUnknown> *other) const noexcept {
        return object->QueryInterface(id, reinterpret_cast<void **>(other->ReleaseAndGetAddressOf()));
    }
};
} // namespace WRL
} // namespace Microsoft

#endif
