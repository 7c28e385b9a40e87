/* What source_sum.py does between its convolutions and products, in one pass over memory each; passes.py says what each computes. A null
   pointer is a part that does not exist. A row of an image is its W c entries of one height. */

#ifndef REAL

const char *const digest = DIGEST; /* of the C files that this was made of */

#define BLOCK 2048 /* entries that are finished while they are in the fastest cache */

#define FOR_KNOWN(c, call) /* a loop of known length needs no case for what is left of a vector */ \
    switch (c) {                                                                                   \
    case 16: { enum { C = 16 }; call; } break;                                                     \
    case 32: { enum { C = 32 }; call; } break;                                                     \
    case 64: { enum { C = 64 }; call; } break;                                                     \
    default: { const long C = c; call; }                                                           \
    }

#define BODY "passes.c"
#include "for_each_type.h"

#else

/* out[n, j] += gain[j] of[n, j] + offset[j], for `pixels` n and c channels j; `of` has `width` channels a pixel. */
INLINE void NAMED(add_map)(long pixels, long c, const REAL *restrict of, long width, const REAL *restrict gain,
                           const REAL *restrict offset, REAL *restrict out)
{
    for (long n = 0; n < pixels; n++)
        for (long j = 0; j < c; j++)
            out[n * c + j] += gain[j] * of[n * width + j] + offset[j];
}

INLINE void NAMED(add_part)(long pixels, long c, const REAL *restrict of, long width, REAL *restrict out)
{
    for (long n = 0; n < pixels; n++)
        for (long j = 0; j < c; j++)
            out[n * c + j] += of[n * width + j];
}

/* The weight of an operation on edge e, `column` of theta (edges, operations); 0 where the edge has none, whose column is negative. */
static REAL NAMED(weight)(const REAL *theta, long operations, long e, long column)
{
    return column < 0 ? 0 : theta[e * operations + column];
}

static void NAMED(mix_block)(long from, long pixels, long c, long edges, const REAL *x, const REAL *pooled, const REAL *y, long y_width,
                             const REAL *gain, const REAL *offset, const REAL *product, long product_width, const long *places,
                             const REAL *theta, long operations, long fresh, REAL *const *sums)
{
    const long size = pixels * c, start = from * c;
    for (long e = 0; e < edges; e++) {
        REAL *restrict out = sums[e] + start;
        const REAL skip = NAMED(weight)(theta, operations, e, places[4 * e + 2]);
        const REAL pool = NAMED(weight)(theta, operations, e, places[4 * e + 3]);
        const long of_y = places[4 * e], of_product = places[4 * e + 1];
        if (fresh)
            memset(out, 0, size * sizeof(REAL));
        if (x && pooled) {
            const REAL *restrict one = x + start, *restrict other = pooled + start;
            for (long i = 0; i < size; i++)
                out[i] += skip * one[i] + pool * other[i];
        } else if (x || pooled) {
            const REAL *restrict one = (x ? x : pooled) + start, share = x ? skip : pool;
            for (long i = 0; i < size; i++)
                out[i] += share * one[i];
        }
        if (of_y >= 0)
            FOR_KNOWN(c, NAMED(add_map)(pixels, C, y + from * y_width + of_y, y_width, gain + of_y, offset + of_y, out))
        if (of_product >= 0)
            FOR_KNOWN(c, NAMED(add_part)(pixels, C, product + from * product_width + of_product, product_width, out))
    }
}

void NAMED(mix)(long threads, long pixels, long c, long edges, const REAL *x, const REAL *pooled, const REAL *y, long y_width,
                const REAL *gain, const REAL *offset, const REAL *product, long product_width, const long *places, const REAL *theta,
                long operations, long fresh, REAL *const *sums)
{
    const long step = c < BLOCK ? BLOCK / c : 1, blocks = (pixels + step - 1) / step;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long b = 0; b < blocks; b++) {
        const long from = b * step, now = from + step < pixels ? step : pixels - from;
        NAMED(mix_block)
        (from, now, c, edges, x, pooled, y, y_width, gain, offset, product, product_width, places, theta, operations, fresh, sums);
    }
}

/* One over the number of places that a window of three has inside an image of `size`, around place i. */
static REAL NAMED(share)(long i, long size) { return (REAL)1 / (1 + (i > 0) + (i < size - 1)); }

/* (W c): that of each entry of a row across the image. */
static void NAMED(shares_across)(long W, long c, REAL *across)
{
    for (long w = 0; w < W; w++)
        for (long j = 0; j < c; j++)
            across[w * c + j] = NAMED(share)(w, W);
}

/* `work`: (W + 2) c entries of which the first and last c are zero; W c of zeros. */
static void NAMED(pool_image)(long H, long W, long c, const REAL *restrict x, REAL *restrict out, REAL *restrict work,
                              const REAL *restrict across)
{
    const long size = W * c;
    const REAL *zeros = work + (W + 2) * c;
    for (long h = 0; h < H; h++) {
        const REAL *here = x + h * size, *above = h > 0 ? here - size : zeros, *below = h < H - 1 ? here + size : zeros;
        REAL *restrict to = out + h * size, *middle = work + c;
        const REAL share = NAMED(share)(h, H);
        for (long i = 0; i < size; i++)
            middle[i] = above[i] + here[i] + below[i];
        for (long i = 0; i < size; i++)
            to[i] = share * across[i] * (work[i] + work[i + c] + work[i + 2 * c]);
    }
}

/* `work` has for each thread (2 W + 2) c zeros, `across` W c entries. */
void NAMED(pool)(long threads, long B, long H, long W, long c, const REAL *x, REAL *out, REAL *work, REAL *across)
{
    const long size = H * W * c, room = (2 * W + 2) * c;
    NAMED(shares_across)(W, c, across);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long b = 0; b < B; b++)
        NAMED(pool_image)(H, W, c, x + b * size, out + b * size, work + omp_get_thread_num() * room, across);
}

INLINE void NAMED(add_scaled)(long size, REAL share, const REAL *restrict from, REAL *restrict to)
{
    for (long i = 0; i < size; i++)
        to[i] += share * from[i];
}

/* Their product, added up in 16 parts whatever the vectors of the machine. */
INLINE double NAMED(product)(long size, const REAL *restrict a, const REAL *restrict b)
{
    REAL part[16] = {0};
    long i = 0;
    for (; i + 16 <= size; i += 16)
        for (long j = 0; j < 16; j++)
            part[j] += a[i + j] * b[i + j];
    double sum = 0;
    for (; i < size; i++)
        sum += a[i] * b[i];
    for (long j = 0; j < 16; j++)
        sum += part[j];
    return sum;
}

/* `work`: (W + 2) c entries of which the first and last c are zero; W c of zeros; 3 W c for the last rows of what the pooling received. */
static void NAMED(back_image)(long start, long H, long W, long c, long edges, const REAL *const *grads, const long *places,
                              const REAL *theta, long operations, const REAL *restrict shift, const REAL *active, long skips, long pools,
                              REAL *restrict grad, REAL *restrict work, const REAL *restrict across, const REAL *x, const REAL *pooled,
                              double *products)
{
    const long size = W * c;
    REAL *middle = work + c, *zeros = work + (W + 2) * c, *rows = zeros + size;
    for (long h = 0; h < H; h++) {
        const long place = start + h * size;
        REAL *restrict to = grad + place;
        if (active) {
            const REAL *restrict on = active + place;
            for (long i = 0; i < size; i++) {
                const REAL moved = to[i] + shift[i]; /* computed in either case: a branch for each entry costs more */
                to[i] = on[i] > 0 ? moved : 0;
            }
        }
        if (skips)
            for (long e = 0; e < edges; e++)
                NAMED(add_scaled)(size, NAMED(weight)(theta, operations, e, places[4 * e + 2]), grads[e] + place, to);
        if (pools) {
            for (long r = h ? h + 1 : 0; r < (h + 2 < H ? h + 2 : H); r++) { /* the rows that are now needed for the first time */
                REAL *row = rows + r % 3 * size;
                memset(row, 0, size * sizeof(REAL));
                for (long e = 0; e < edges; e++)
                    NAMED(add_scaled)
                    (size, NAMED(weight)(theta, operations, e, places[4 * e + 3]), grads[e] + start + r * size, row);
            }
            const REAL *restrict above = h > 0 ? rows + (h - 1) % 3 * size : zeros, *restrict here = rows + h % 3 * size;
            const REAL *restrict below = h < H - 1 ? rows + (h + 1) % 3 * size : zeros;
            const REAL of_above = NAMED(share)(h - 1, H), of_here = NAMED(share)(h, H), of_below = NAMED(share)(h + 1, H);
            for (long i = 0; i < size; i++)
                middle[i] = across[i] * (of_above * above[i] + of_here * here[i] + of_below * below[i]);
            for (long i = 0; i < size; i++)
                to[i] += work[i] + work[i + c] + work[i + 2 * c];
        }
        if (products)
            for (long e = 0; e < edges; e++) {
                products[2 * e] += x ? NAMED(product)(size, grads[e] + place, x + place) : 0;
                products[2 * e + 1] += pooled ? NAMED(product)(size, grads[e] + place, pooled + place) : 0;
            }
    }
}

/* `work` has for each thread (5 W + 2) c zeros, `across` W c entries; `shift` W c, its c entries again and again. */
void NAMED(back)(long threads, long B, long H, long W, long c, long edges, const REAL *const *grads, const long *places,
                 const REAL *theta, long operations, const REAL *shift, const REAL *active, long skips, long pools, REAL *grad, REAL *work,
                 REAL *across, const REAL *x, const REAL *pooled, double *products)
{
    const long room = (5 * W + 2) * c;
    NAMED(shares_across)(W, c, across);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long b = 0; b < B; b++)
        NAMED(back_image)
        (b * H * W * c, H, W, c, edges, grads, places, theta, operations, shift, active, skips, pools, grad,
         work + omp_get_thread_num() * room, across, x, pooled, products ? products + 2 * b * edges : 0);
}

#endif
