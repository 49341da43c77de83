// A thread's queue of window messages, and what COM does with it while it waits. Part of windows.h.
//
// Hosts wait so when they are asked for WAIT_MSGPUMP. There are no windows here and no apartments:
// the one message that ever comes is the thread's own WM_QUIT.

#ifndef SOGLIA_WIN32_MESSAGES_H
#define SOGLIA_WIN32_MESSAGES_H

typedef void *HWND;
typedef UINT_PTR WPARAM;
typedef LONG_PTR LPARAM;
typedef LONG_PTR LRESULT;
typedef struct tagPOINT {
    LONG x;
    LONG y;
} POINT;
typedef struct tagMSG {
    HWND hwnd;
    UINT message;
    WPARAM wParam;
    LPARAM lParam;
    DWORD time;
    POINT pt;
} MSG, *PMSG, *LPMSG;

#define WM_QUIT 0x12
#define PM_NOREMOVE 0
#define PM_REMOVE 1
#define QS_ALLEVENTS 0x04BF
#define QS_ALLINPUT 0x04FF
#define MWMO_WAITALL 1
#define MWMO_ALERTABLE 2
#define MWMO_INPUTAVAILABLE 4
#define COWAIT_WAITALL 1
#define COWAIT_ALERTABLE 2
#define COINIT_MULTITHREADED 0x0
#define COINIT_APARTMENTTHREADED 0x2
#define RPC_S_CALLPENDING _HRESULT_TYPEDEF_(0x80010115)

namespace soglia_win32 {
struct Quit {
    bool posted;
    WPARAM code;
};
inline Quit &quit() {
    static thread_local Quit quit = {false, 0};
    return quit;
}
} // namespace soglia_win32

inline void PostQuitMessage(int code) {
    soglia_win32::quit().posted = true;
    soglia_win32::quit().code = (WPARAM)code;
}
inline BOOL PeekMessageW(LPMSG message, HWND, UINT, UINT, UINT remove) {
    soglia_win32::Quit &quit = soglia_win32::quit();
    if (!quit.posted)
        return FALSE;
    memset(message, 0, sizeof *message);
    message->message = WM_QUIT;
    message->wParam = quit.code;
    quit.posted = (remove & PM_REMOVE) == 0;
    return TRUE;
}
inline BOOL PeekMessage(LPMSG message, HWND window, UINT first, UINT last, UINT remove) {
    return PeekMessageW(message, window, first, last, remove);
}
inline BOOL TranslateMessage(const MSG *) { return FALSE; }
inline LRESULT DispatchMessageW(const MSG *) { return 0; }
inline LRESULT DispatchMessage(const MSG *message) { return DispatchMessageW(message); }

inline DWORD MsgWaitForMultipleObjectsEx(DWORD count, const HANDLE *handles, DWORD milliseconds, DWORD, DWORD flags) {
    if (soglia_win32::quit().posted && (flags & MWMO_WAITALL) == 0)
        return WAIT_OBJECT_0 + count;
    return soglia_win32::wait(count, handles, (flags & MWMO_WAITALL) != 0, milliseconds, (flags & MWMO_ALERTABLE) != 0);
}
inline DWORD MsgWaitForMultipleObjects(DWORD count, const HANDLE *handles, BOOL all, DWORD milliseconds, DWORD mask) {
    return MsgWaitForMultipleObjectsEx(count, handles, milliseconds, mask, all ? MWMO_WAITALL : 0);
}

// As in a multi-threaded apartment.
inline HRESULT CoWaitForMultipleHandles(DWORD flags, DWORD milliseconds, ULONG count, HANDLE *handles, DWORD *which) {
    DWORD met = soglia_win32::wait(count, handles, (flags & COWAIT_WAITALL) != 0, milliseconds,
                                   (flags & COWAIT_ALERTABLE) != 0);
    if (met == WAIT_FAILED)
        return HRESULT_FROM_WIN32(GetLastError());
    if (met == WAIT_TIMEOUT)
        return RPC_S_CALLPENDING;
    if (which != nullptr)
        *which = met;
    return S_OK;
}
inline HRESULT CoInitializeEx(LPVOID, DWORD) { return S_OK; }
inline HRESULT CoInitialize(LPVOID) { return S_OK; }
inline void CoUninitialize() {}

#endif
