// What happens place by place: pooling, enlarging, ReLU, in bfloat16.
#pragma once
#include "tiles.h"

extern "C" {

// p (N, ceil(H / 2), ceil(W / 2), C): the largest of each 2x2 of y, which is nowhere negative.
void amx_pool(const bf16* y, bf16* p, long N, long H, long W, long C, int threads) {
    long h = (H + 1) / 2, w = (W + 1) / 2;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long row = 0; row < N * h; row++)
        for (long j = 0; j < w; j++) {
            const bf16* a = y + ((row / h * H + row % h * 2) * W + 2 * j) * C;
            long right = 2 * j + 1 < W ? C : 0, below = row % h * 2 + 1 < H ? W * C : 0;
            bf16* to = p + (row * w + j) * C;
            // Numbers that are not negative are in the order of their bits.
            for (long c = 0; c < C; c++)
                to[c] = std::max(std::max(a[c], a[right + c]), std::max(a[below + c], a[below + right + c]));
        }
}

// The gradient of y, the output of a ReLU, from that of its pool: g goes to the first of the four that is the largest, and is
// not zero.
void amx_unpool(const bf16* g, const bf16* y, const bf16* p, bf16* to, long N, long H, long W, long C, int threads) {
    long h = (H + 1) / 2, w = (W + 1) / 2;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long row = 0; row < N * h; row++)
        for (long j = 0; j < w; j++) {
            long first = ((row / h * H + row % h * 2) * W + 2 * j) * C, out = (row * w + j) * C;
            long steps[4] = {0, C, W * C, W * C + C};
            bool there[4] = {true, 2 * j + 1 < W, row % h * 2 + 1 < H, 2 * j + 1 < W && row % h * 2 + 1 < H};
            for (long c0 = 0; c0 < C; c0 += 32) {
                __mmask32 in = C - c0 >= 32 ? 0xffffffff : (1u << (C - c0)) - 1;
                __m512i gradient = _mm512_maskz_loadu_epi16(in, g + out + c0), top = _mm512_maskz_loadu_epi16(in, p + out + c0);
                __mmask32 open = _mm512_test_epi16_mask(top, top);
                for (int k = 0; k < 4; k++) {
                    if (!there[k]) continue;
                    __m512i value = _mm512_maskz_loadu_epi16(in, y + first + steps[k] + c0);
                    __mmask32 here = _mm512_mask_cmpeq_epi16_mask(open, value, top);
                    open &= ~here;
                    _mm512_mask_storeu_epi16(to + first + steps[k] + c0, in, _mm512_maskz_mov_epi16(here, gradient));
                }
            }
        }
}

// y (N, 2 H, 2 W, C): each pixel of x four times. The way back: the sum of the four.
void amx_double(const bf16* x, bf16* y, long N, long H, long W, long C, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long row = 0; row < N * H; row++) {
        bf16* to = y + row * 4 * W * C;
        for (long j = 0; j < W; j++) {
            memcpy(to + 2 * j * C, x + (row * W + j) * C, C * 2);
            memcpy(to + (2 * j + 1) * C, x + (row * W + j) * C, C * 2);
        }
        memcpy(to + 2 * W * C, to, 2 * W * C * 2);
    }
}
void amx_halve(const bf16* g, bf16* to, long N, long H, long W, long C, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long row = 0; row < N * H; row++)
        for (long j = 0; j < W; j++)
            for (long c = 0; c < C; c += 16) {
                const bf16* a = g + (row * 4 * W + 2 * j) * C + c;
                __mmask16 m = part(C - c);
                __m512 top = _mm512_add_ps(load16(a, m), load16(a + C, m));
                __m512 below = _mm512_add_ps(load16(a + 2 * W * C, m), load16(a + 2 * W * C + C, m));
                store16(to + (row * W + j) * C + c, _mm512_add_ps(top, below), m);
            }
}

// to = g where y, the output of a ReLU, is not zero.
void amx_mask(const bf16* g, const bf16* y, bf16* to, long n, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long i = 0; i < n; i++) to[i] = y[i] ? g[i] : 0;
}
}
