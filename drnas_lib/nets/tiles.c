/* Winograd's transforms of images in 4x4 blocks, (36, tiles, c), around the products of winograd.py. Numbers of channels are
   multiples of 32. */

#ifndef REAL

#define LANES (long)(sizeof(NAMED(lanes)) / sizeof(REAL))
#define ROWS 5 /* tiles that are multiplied at once: their sums fit the registers */
#define TILES 35 /* that a thread takes from image to image while they are in its cache; no power of two, so that they spread there */
#define CHANNELS 64 /* of them at a time */

const long work_of_convolve = 2 * 36 * TILES * CHANNELS; /* entries for each thread: transformed tiles, and products */

#define BODY "tiles.c"
#include "for_each_type.h"

#else

typedef REAL NAMED(lanes) __attribute__((vector_size(VECTOR), aligned(sizeof(REAL)), may_alias)); /* so many channels at once */

/* One tile of Winograd's transform: out[a, b] = sum over i, j < k of m[a, i] m[b, j] in[i, j], a, b < n. */
INLINE void NAMED(both_sides)(const long n, const long k, const REAL *restrict m, const NAMED(lanes) *restrict in,
                              NAMED(lanes) *restrict half, NAMED(lanes) *restrict out)
{
    for (long a = 0; a < n; a++)
#pragma GCC unroll 6
        for (long j = 0; j < k; j++) {
            NAMED(lanes) sum = m[a * k] * in[j];
#pragma GCC unroll 6
            for (long i = 1; i < k; i++)
                sum += m[a * k + i] * in[i * k + j];
            half[a * k + j] = sum;
        }
    for (long a = 0; a < n; a++)
#pragma GCC unroll 6
        for (long b = 0; b < n; b++) {
            NAMED(lanes) sum = m[b * k] * half[a * k];
#pragma GCC unroll 6
            for (long j = 1; j < k; j++)
                sum += m[b * k + j] * half[a * k + j];
            out[a * n + b] = sum;
        }
}

/* A tile of x (B, H, W, c), a 4x4 block with a margin of `pad` around it, its LANES channels from x on, into 36 numbers `step` apart. */
INLINE void NAMED(spread_tile)(const long k, const long pad, const REAL *restrict m, long H, long W, long c, long tile,
                               const REAL *restrict x, REAL *restrict out, long step)
{
    const long columns = W / 4, rows = H / 4, b = tile / (rows * columns);
    const long top = tile / columns % rows * 4 - pad, left = tile % columns * 4 - pad;
    NAMED(lanes) in[36], half[36], spread[36];
    for (long i = 0; i < k; i++)
        for (long j = 0; j < k; j++) {
            const long h = top + i, w = left + j;
            if (h >= 0 && h < H && w >= 0 && w < W)
                in[i * k + j] = *(const NAMED(lanes) *)(x + ((b * H + h) * W + w) * c);
            else
                in[i * k + j] = (NAMED(lanes)){0};
        }
    NAMED(both_sides)(6, k, m, in, half, spread);
    for (long s = 0; s < 36; s++)
        *(NAMED(lanes) *)(out + s * step) = spread[s];
}

/* Its inverse: 36 numbers `step` apart into the tile's block of y (B, H, W, c). */
INLINE void NAMED(collect_tile)(const REAL *restrict m, long H, long W, long c, long tile, const REAL *restrict products, long step,
                                REAL *restrict y)
{
    const long columns = W / 4, rows = H / 4, b = tile / (rows * columns);
    const long top = tile / columns % rows * 4, left = tile % columns * 4;
    NAMED(lanes) in[36], half[36], block[16];
    for (long s = 0; s < 36; s++)
        in[s] = *(const NAMED(lanes) *)(products + s * step);
    NAMED(both_sides)(4, 6, m, in, half, block);
    for (long s = 0; s < 16; s++)
        *(NAMED(lanes) *)(y + ((b * H + top + s / 4) * W + left + s % 4) * c) = block[s];
}

/* All tiles of x, with a margin of 1 where they are `windows`, as (36, tiles, c); m (6, 6 or 4). */
void NAMED(spread)(long threads, long windows, const REAL *m, long B, long H, long W, long c, const REAL *x, REAL *out)
{
    const long tiles = B * (H / 4) * (W / 4);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long tile = 0; tile < tiles; tile++)
        for (long from = 0; from < c; from += LANES)
            if (windows)
                NAMED(spread_tile)(6, 1, m, H, W, c, tile, x + from, out + tile * c + from, tiles * c);
            else
                NAMED(spread_tile)(4, 0, m, H, W, c, tile, x + from, out + tile * c + from, tiles * c);
}

/* out (TILES, to) of in (TILES, from) by kernel (from, ...), rows of `width`; added to what is there unless it is the first. */
INLINE void NAMED(multiply)(long from, long to, long width, const REAL *restrict in, const REAL *restrict kernel, REAL *restrict out,
                            int first)
{
    for (long t = 0; t < TILES; t += ROWS)
        for (long j = 0; j < to; j += 2 * LANES) {
            NAMED(lanes) sum[ROWS][2] = {{{0}}};
            if (!first)
                for (long r = 0; r < ROWS; r++)
                    for (long v = 0; v < 2; v++)
                        sum[r][v] = *(const NAMED(lanes) *)(out + (t + r) * to + j + v * LANES);
            for (long i = 0; i < from; i++) {
                const NAMED(lanes) one = *(const NAMED(lanes) *)(kernel + i * width + j);
                const NAMED(lanes) two = *(const NAMED(lanes) *)(kernel + i * width + j + LANES);
#pragma GCC unroll 8
                for (long r = 0; r < ROWS; r++) {
                    sum[r][0] += in[(t + r) * from + i] * one;
                    sum[r][1] += in[(t + r) * from + i] * two;
                }
            }
            for (long r = 0; r < ROWS; r++)
                for (long v = 0; v < 2; v++)
                    *(NAMED(lanes) *)(out + (t + r) * to + j + v * LANES) = sum[r][v];
        }
}

/* y (B, H, W, to) of x (B, H, W, from), `kernels` (36, from, to). `work` has `work_of_convolve` entries for each thread. */
void NAMED(convolve)(long threads, const REAL *b, const REAL *a, long B, long H, long W, long from, long to, const REAL *x,
                     const REAL *kernels, REAL *y, REAL *work)
{
    const long tiles = B * (H / 4) * (W / 4);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long tile = 0; tile < tiles; tile += TILES) {
        REAL *spread = work + omp_get_thread_num() * work_of_convolve, *products = spread + 36 * TILES * CHANNELS;
        const long count = tiles - tile < TILES ? tiles - tile : TILES;
        for (long out = 0; out < to; out += CHANNELS) {
            const long outs = to - out < CHANNELS ? to - out : CHANNELS;
            for (long in = 0; in < from; in += CHANNELS) {
                const long ins = from - in < CHANNELS ? from - in : CHANNELS;
                if (out == 0 || from > CHANNELS)
                    for (long t = 0; t < count; t++)
                        for (long j = 0; j < ins; j += LANES)
                            NAMED(spread_tile)(6, 1, b, H, W, from, tile + t, x + in + j, spread + t * ins + j, TILES * ins);
                for (long s = 0; s < 36; s++)
                    NAMED(multiply)
                    (ins, outs, to, spread + s * TILES * ins, kernels + (s * from + in) * to + out, products + s * TILES * outs, in == 0);
            }
            for (long t = 0; t < count; t++)
                for (long j = 0; j < outs; j += LANES)
                    NAMED(collect_tile)(a, H, W, to, tile + t, products + t * outs + j, TILES * outs, y + out + j);
        }
    }
}

#endif
