// The weights' gradient of a 3x3 convolution on AMX tiles.
#pragma once
#include "tiles.h"

// 32 channels of two pixels, one pair after the other, in two halves of 16 channels.
static inline void pair_up(const bf16* even, const bf16* odd, long channels, __m512i out[2]) {
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    __mmask32 m = channels >= 32 ? 0xffffffff : channels > 0 ? (1u << channels) - 1 : 0;
    __m512i a = _mm512_maskz_loadu_epi16(m, even), b = _mm512_maskz_loadu_epi16(m, odd);
    out[0] = _mm512_permutex2var_epi16(a, low, b);
    out[1] = _mm512_permutex2var_epi16(a, high, b);
}

// The gradient is moved and x is not: dW[tap] = sum over the pixels q of x[q] g[q - shift of the tap]. x is turned round to
// (C, pixels), g brought into pairs of pixels, once from an even and once from an odd pixel on; both in blocks of 32 channels
// that stay in the nearest cache for all nine taps.
static void weights_part(const bf16* x, const bf16* g, float* sums, float* db, long H, long W, long C, long O, long rows,
                         long stripes, long begin, long end) {
    static const bf16 zeros[MAX_CHANNELS] = {0};
    const long K = 256;  // pixels at a time
    long Cp = up(C, 32), Op = up(O, 32), S = W + 1, halo = up(S + 1, 32);
    long most = up(rows * S, K), length = most + 2 * halo;
    bf16* xt = (bf16*)scratch[1].get(Cp * most * 2);
    uint32_t* moved = (uint32_t*)scratch[2].get(length * Op * 4);
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    const bf16** grads = (const bf16**)scratch[0].get((2 * length + 64) * sizeof(bf16*));
    const bf16** inputs = grads + length + 2;
    memset(sums, 0, 9 * Cp * Op * 4);
    memset(db, 0, Op * 4);
    configure();
    for (long unit = begin; unit < end; unit++) {
            long n = unit / stripes, top = unit % stripes * rows;
            long here = std::min(rows, H - top), whole = up(here * S, 32), pairs = (whole + 2 * halo) / 2;
            for (long p = -halo, r = -(halo / S) - 1, i = S - halo % S; p < whole + halo + 1; p++, i++) {
                if (i == S) i = 0, r++;  // pixel p is in row r at i - 1, behind the zero
                long y = top + r;
                bool there = i > 0 && y >= 0 && y < H;
                long at = (n * H + y) * W + i - 1;
                grads[p + halo] = there ? g + at * O : zeros;
                if (p >= 0 && p < whole) inputs[p] = there && r < here ? x + at * C : zeros;
            }
            for (long p = 0; p < whole; p += 32)
                for (long c0 = 0; c0 < Cp; c0 += 32) {
                    __m512i r[2][16], both[2];
                    for (int k = 0; k < 16; k++) {
                        pair_up(inputs[p + 2 * k] + c0, inputs[p + 2 * k + 1] + c0, C - c0, both);
                        r[0][k] = both[0], r[1][k] = both[1];
                    }
                    transpose(r[0]);
                    transpose(r[1]);
                    bf16* to = xt + (p / K * Cp + c0) * K + p % K;
                    for (int k = 0; k < 32; k++) _mm512_storeu_si512(to + k * K, r[k / 16][k % 16]);
                }
            for (long o = 0; o < Op; o += 32) {
                uint32_t *even = moved + o / 16 * (length / 2) * 32, *odd = even + (length / 2) * 32;
                __m512 total[2] = {};
                for (long k = 0; k < pairs; k++) {
                    __m512i both[2];
                    const bf16* middle = grads[2 * k + 1] + o;
                    pair_up(grads[2 * k] + o, middle, O - o, both);
                    _mm512_storeu_si512(even + k * 32, both[0]);
                    _mm512_storeu_si512(even + k * 32 + 16, both[1]);
                    if (k >= halo / 2 && 2 * k < halo + here * S) {
                        total[0] = _mm512_dpbf16_ps(total[0], (__m512bh)both[0], ones);
                        total[1] = _mm512_dpbf16_ps(total[1], (__m512bh)both[1], ones);
                    }
                    pair_up(middle, grads[2 * k + 2] + o, O - o, both);
                    _mm512_storeu_si512(odd + k * 32, both[0]);
                    _mm512_storeu_si512(odd + k * 32 + 16, both[1]);
                }
                for (int h = 0; h < 2; h++) {
                    float* at = db + o + 16 * h;
                    _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), total[h]));
                }
            }
            const char* later_x = (const char*)(x + (n * H + top + here) * W * C);
            const char* later_g = (const char*)(g + (n * H + top + here) * W * O);
            const char *end_x = later_x + here * W * C * 2, *end_g = later_g + here * W * O * 2;
            for (long p0 = 0; p0 < whole; p0 += K)
                for (long c0 = 0; c0 < Cp; c0 += 32)
                    for (long o0 = 0; o0 < Op; o0 += 32)
                        for (int s = 0; s < 9; s++) {
                            int t = s < 5 ? 2 * s : 2 * s - 9;
                            long first = p0 + halo - ((t / 3 - 1) * S + t % 3 - 1);
                            const uint32_t* b = moved + (2 * o0 / 32 + (first & 1)) * (length / 2) * 32 + (first >> 1) * 32;
                            const bf16* a = xt + (p0 / K * Cp + c0) * K;
                            float* sum = sums + ((t * Cp + c0) * Op + o0 * 32);
                            _tile_loadd(0, sum, 64);
                            _tile_loadd(1, sum + 256, 64);
                            _tile_loadd(2, sum + 512, 64);
                            _tile_loadd(3, sum + 768, 64);
                            for (long k = 0, end = std::min(K, whole - p0); k < end; k += 32, b += 512) {
                                _tile_loadd(4, a + k, K * 2);
                                _tile_loadd(6, b, 128);
                                _tile_dpbf16ps(0, 4, 6);
                                _tile_loadd(7, b + 16, 128);
                                _tile_dpbf16ps(1, 4, 7);
                                _tile_loadd(5, a + 16 * K + k, K * 2);
                                _tile_dpbf16ps(2, 5, 6);
                                _tile_dpbf16ps(3, 5, 7);
                                for (int e = 0; e < 128; e += 64) {
                                    _mm_prefetch(later_x + e, _MM_HINT_T1);
                                    _mm_prefetch(later_g + e, _MM_HINT_T1);
                                }
                                if (later_x < end_x) later_x += 128;
                                if (later_g < end_g) later_g += 128;
                            }
                            _tile_stored(0, sum, 64);
                            _tile_stored(1, sum + 256, 64);
                            _tile_stored(2, sum + 512, 64);
                            _tile_stored(3, sum + 768, 64);
                        }
        }
    _tile_release();
}

extern "C" {

// dw, (O, C, 3, 3) float32 in the order (O, 3, 3, C), and db, (O). x (N, H, W, C), g (N, H, W, O).
void amx_weights(const bf16* x, const bf16* g, float* dw, float* db, long N, long H, long W, long C, long O, int threads) {
    long Cp = up(C, 32), Op = up(O, 32), size = 9 * Cp * Op + Op;
    long rows = rows_at_once(H, W + 1, 2048), stripes = (H + rows - 1) / rows, units = N * stripes;
    float* sums = (float*)scratch[3].get(threads * size * 4);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++)
        weights_part(x, g, sums + t * size, sums + t * size + 9 * Cp * Op, H, W, C, O, rows, stripes, units * t / threads,
                     units * (t + 1) / threads);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long o = 0; o < O; o++) {
        db[o] = 0;
        for (int k = 0; k < threads; k++) db[o] += sums[k * size + 9 * Cp * Op + o];
        for (int t = 0; t < 9; t++)
            for (long c0 = 0; c0 < C; c0 += 16) {
                const float* from = sums + t * Cp * Op + c0 / 32 * 32 * Op + o / 32 * 1024 + c0 / 16 % 2 * 512 +
                                    o / 16 % 2 * 256 + o % 16;
                float* to = dw + (o * 9 + t) * C + c0;
                for (long c = 0; c < std::min(16L, C - c0); c++) {
                    float sum = 0;
                    for (int k = 0; k < threads; k++) sum += from[k * size + c * 16];
                    to[c] = sum;
                }
            }
    }
}
}
