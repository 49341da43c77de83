// A small host: starts .NET and calls methods of a plug-in by name.
//
//     embed        in the folder of guest.dll
//
// The plug-in is fixtures/guest. This host wants no notifications, so the runtime runs without the
// engine.

#include <mscoree.h>

#include <cstdio>

// Calls `static int METHOD(string)` of the class Guest.Plugin.
static HRESULT call(ICLRRuntimeHost *clr, LPCWSTR method, LPCWSTR text, DWORD *result) {
    return clr->ExecuteInDefaultAppDomain(u"guest.dll", u"Guest.Plugin", method, text, result);
}

int main() {
    // The newest .NET that is installed.
    ICLRRuntimeHost *clr = nullptr;
    HRESULT hr = GetCLRRuntimeHost(IID_ICLRRuntimeHost, reinterpret_cast<IUnknown **>(&clr));
    if (SUCCEEDED(hr))
        hr = clr->Start();
    if (FAILED(hr)) {
        std::fprintf(stderr, ".NET does not start: 0x%08x\n", static_cast<unsigned>(hr));
        return 1;
    }

    DWORD words = 0;
    hr = call(clr, u"Words", u"a plug-in in C#", &words);
    if (SUCCEEDED(hr))
        std::printf("the plug-in counts %u words\n", words);

    // An exception that leaves the method comes back as its HRESULT: InvalidOperationException.
    hr = call(clr, u"Fail", u"no", &words);
    std::printf("Fail returns 0x%08x\n", static_cast<unsigned>(hr));

    clr->Stop();
    clr->Release();
    return 0;
}
