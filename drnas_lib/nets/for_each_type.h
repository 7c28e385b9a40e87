/* Includes BODY once for each type of entries, REAL, and each kind of vectors, VECTOR bytes; NAMED(x) tells their names apart.

   compiled.py chooses the machine's. Inner loops in the files that use this run over entries that follow each other, so that the compiler
   makes vectors of them. Images are contiguous (B, H, W, c), channels last. Pointers are to what the caller keeps alive. Work is divided
   by images or pixels in a way that the number of threads changes no bit of the result. */

#include <omp.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#define VECTOR 16
#define REAL float
#define NAMED(name) name##_float32
#include BODY
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_float64
#include BODY
#undef REAL
#undef NAMED
#undef VECTOR

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define VECTOR 32
#define REAL float
#define NAMED(name) name##_float32_avx2
#include BODY
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_float64_avx2
#include BODY
#undef REAL
#undef NAMED
#undef VECTOR
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define VECTOR 64
#define REAL float
#define NAMED(name) name##_float32_avx512
#include BODY
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_float64_avx512
#include BODY
#undef REAL
#undef NAMED
#undef VECTOR
#pragma GCC pop_options

#endif
