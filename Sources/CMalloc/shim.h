#pragma once
// `mallopt`: the Glibc module of Swift leaves <malloc.h> out.
#include <malloc.h>
