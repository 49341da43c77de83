// Lines of Microsoft's samples that other compilers warn of.
#include <stdio.h>
#include <time.h>

#pragma comment(lib, "mscoree.lib")
#import "mscorlib.tlb" raw_interfaces_only                                                                             \
    high_property_prefixes("_get", "_put", "_putref")                                                                  \
    rename("ReportEvent", "InteropServices_ReportEvent")
#import "mscorlib.tlb" raw_interfaces_only
using namespace mscorlib;

int wmain() {
    struct tm date;
    time_t then = 0;
    gmtime_s(&date, &then);
    wprintf(L"%d\n", date.tm_year + 1900);
    return 0;
}
