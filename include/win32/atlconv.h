#include "atlbase.h"
