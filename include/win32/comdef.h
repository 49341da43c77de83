#include "soglia_comdef.h"
