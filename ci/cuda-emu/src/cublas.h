// What the emulated cuBLAS and cuBLASLt share.
#pragma once
#include "emu.h"
#include <cstring>
#include <algorithm>
enum { ST_OK = 0, ST_NOT_INIT = 1, ST_INVALID = 7, ST_EXEC = 13, ST_INTERNAL = 14, ST_NOT_SUPPORTED = 15 };
struct Handle { uint64_t magic = 0xB1A5; cudaStream_t stream = nullptr; int pointer_mode = 0, math_mode = 0, atomics = 0; };
int status(cudaError_t e);
cudaError_t need(const void *p, size_t bytes, const char *what);   // is it device memory?
size_t extent(long rows, long cols, long ld);                      // elements of a column-major matrix
size_t type_size(int t);                                           // of a cudaDataType
float load(const void *p, size_t i, int t);
void store(void *p, size_t i, int t, float v);
// c = al op(A) op(B) + be c in float32, c on the host; parts: a type of halves if partial sums may be rounded to it
cudaError_t gemm_into(int ta, int tb, long m, long n, long k, float al, const void *A, int At, long lda, const void *B, int Bt, long ldb, float be, float *c, long ldc, int parts = 0);
