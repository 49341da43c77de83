// Completion ports, as queues. Part of windows.h.
//
// Linux does not complete anything to them: binding a file to one fails, and what comes out is what
// PostQueuedCompletionStatus has put in.

#ifndef SOGLIA_WIN32_PORTS_H
#define SOGLIA_WIN32_PORTS_H

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnested-anon-types"
#endif
typedef struct _OVERLAPPED {
    ULONG_PTR Internal;
    ULONG_PTR InternalHigh;
    union {
        __extension__ struct {
            DWORD Offset;
            DWORD OffsetHigh;
        };
        PVOID Pointer;
    };
    HANDLE hEvent;
} OVERLAPPED, *LPOVERLAPPED;
#ifdef __clang__
#pragma clang diagnostic pop
#endif

namespace soglia_win32 {
struct Packet {
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED overlapped;
};
struct Port final : Object {
    std::deque<Packet> packets;
    Packet taken = {};
    bool ready() const override { return !packets.empty(); }
    void pass() override {
        taken = packets.front();
        packets.pop_front();
    }
};
} // namespace soglia_win32

inline HANDLE CreateIoCompletionPort(HANDLE file, HANDLE, ULONG_PTR, DWORD) {
    if (file != INVALID_HANDLE_VALUE) {
        soglia_win32::fail(ERROR_CALL_NOT_IMPLEMENTED);
        return nullptr;
    }
    return static_cast<soglia_win32::Object *>(new (std::nothrow) soglia_win32::Port);
}
inline BOOL PostQueuedCompletionStatus(HANDLE handle, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped) {
    soglia_win32::Port *port = soglia_win32::get<soglia_win32::Port>(handle);
    if (port == nullptr)
        return FALSE;
    std::lock_guard<std::mutex> guard(soglia_win32::waits().lock);
    port->packets.push_back({bytes, key, overlapped});
    soglia_win32::waits().changed.notify_all();
    return TRUE;
}
// The key of sources for 32 bits is a ULONG or a DWORD.
template <class Key>
BOOL GetQueuedCompletionStatus(HANDLE handle, DWORD *bytes, Key *key, LPOVERLAPPED *overlapped, DWORD milliseconds) {
    soglia_win32::Packet packet = {};
    *overlapped = nullptr;
    soglia_win32::Port *port = soglia_win32::get<soglia_win32::Port>(handle);
    if (port == nullptr)
        return FALSE;
    DWORD met = soglia_win32::wait(1, &handle, false, milliseconds, false, [&] { packet = port->taken; });
    if (met != WAIT_OBJECT_0)
        return soglia_win32::fail(met == WAIT_TIMEOUT ? WAIT_TIMEOUT : ERROR_INVALID_HANDLE);
    *bytes = packet.bytes;
    *key = (Key)packet.key;
    *overlapped = packet.overlapped;
    return TRUE;
}
inline BOOL GetThreadIOPendingFlag(HANDLE, BOOL *pending) {
    *pending = FALSE;
    return TRUE;
}

#endif
