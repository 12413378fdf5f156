// 3x3 convolutions of one image after another in bfloat16 on AMX tiles: forward and towards the input, and towards the
// weights. Images are (N, H, W, C), sums are float32.
//
// Rows of an image are laid out one after another with one zero pixel between them and one row of zeros above and
// below. Then pixel p of the output is the sum over the nine taps of pixel p + dy (W + 1) + dx times a C x O matrix,
// whatever the place: nine products of matrices, shifted against each other. The results between rows are not stored.
#include "amx_places.h"
#include "amx_weights.h"
#include "tiles.h"

// What becomes of the sums: y = mask?(relu?(sum + bias + skip?)), rounded. Pixels at where[] < 0 are dropped.
struct Target {
    const float* bias;
    const bf16* skip;
    const bf16* mask;
    bf16* y;
    long O;
};

template <bool SKIP, bool MASK, bool RELU>
static inline __m512 finished(__m512 v, __m512 bias, const Target& t, long at, __mmask16 m) {
    v = _mm512_add_ps(v, bias);
    if (SKIP) v = _mm512_add_ps(v, load16(t.skip + at, m));
    if (RELU) v = _mm512_max_ps(v, _mm512_setzero_ps());
    if (MASK) v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(load16(t.mask + at, m), _mm512_setzero_ps(), _CMP_GT_OQ), v);
    return v;
}

// One pixel of a block, 16 outputs from o on.
template <bool SKIP, bool MASK, bool RELU>
static inline void finish(const float* c, const Target& t, long pixel, long o, __m512 bias, __mmask16 m) {
    if (pixel < 0) return;
    long at = pixel * t.O + o;
    store16(t.y + at, finished<SKIP, MASK, RELU>(_mm512_load_ps(c), bias, t, at, m), m);
}

// Rows [top - 1, top + rows + 1) of one image, with zeros around, channels completed to Cp.
static void gather_rows(const bf16* x, bf16* to, long H, long W, long C, long Cp, long top, long rows) {
    for (long r = 0; r < rows + 2; r++) {
        long y = top - 1 + r;
        bf16* row = to + r * (W + 1) * Cp;
        memset(row, 0, Cp * 2);
        row += Cp;
        if (y < 0 || y >= H)
            memset(row, 0, W * Cp * 2);
        else if (C == Cp)
            memcpy(row, x + y * W * C, W * C * 2);
        else
            for (long i = 0; i < W; i++) {
                memcpy(row + i * Cp, x + (y * W + i) * C, C * 2);
                memset(row + i * Cp + C, 0, (Cp - C) * 2);
            }
    }
    memset(to + (rows + 2) * (W + 1) * Cp, 0, 68 * Cp * 2);
}

// A block of 64 pixels and 16 outputs, whose sums go to c; meanwhile the block before is finished, and what is needed soon
// and later is fetched, so that the tiles never wait.
template <bool SKIP, bool MASK, bool RELU>
static inline void block(const bf16* a, const bf16* w, long Cp, long stride, float* c, const float* before,
                         const Target& target, const long* where, long first, const char* soon, const char* later) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    long across = Cp * 2;
    __mmask16 m = part(target.O - first);
    __m512 bias = _mm512_loadu_ps(target.bias + first);
    int q = 0, steps = 9 * (int)(Cp / 32), each = (64 + steps - 1) / steps;
    for (int t = 0; t < 9; t++) {
        const bf16* at = a + (t / 3) * stride + (t % 3) * Cp;
        for (long k = 0; k < Cp; k += 32) {
            _tile_loadd(6, w, 64);
            _tile_loadd(4, at + k, across);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, at + 16 * Cp + k, across);
            _tile_dpbf16ps(1, 5, 6);
            _tile_loadd(4, at + 32 * Cp + k, across);
            _tile_dpbf16ps(2, 4, 6);
            _tile_loadd(5, at + 48 * Cp + k, across);
            _tile_dpbf16ps(3, 5, 6);
            w += 512;
            for (int e = 0; e < each && q < 64; e++, q++) {
                finish<SKIP, MASK, RELU>(before + q * 16, target, where[q], first, bias, m);
                if ((SKIP || MASK) && q % 2) _mm_prefetch(soon + q / 2 * 64, _MM_HINT_T0);
                if (q % 2 == 0) _mm_prefetch(later + q / 2 * 64, _MM_HINT_T1);
            }
        }
    }
    _tile_stored(0, c, 64);
    _tile_stored(1, c + 256, 64);
    _tile_stored(2, c + 512, 64);
    _tile_stored(3, c + 768, 64);
}

template <bool SKIP, bool MASK, bool RELU>
static void convolve_part(const bf16* x, const bf16* packed, const Target& target, long H, long W, long C, long rows,
                          long stripes, long begin, long end) {
    long O = target.O, Cp = up(C, 32), Op = up(O, 16), S = W + 1;
    bf16* stripe = (bf16*)scratch[0].get(((rows + 2) * S + 96) * Cp * 2);
    alignas(64) float sums[2][64 * 16];
    long places[2][64], first = 0;
    std::fill(places[0], places[0] + 64, -1);
    const long* where = places[0];
    int now = 0, turn = 0;
    configure();
    for (long unit = begin; unit < end; unit++) {
        long n = unit / stripes, top = unit % stripes * rows, here = std::min(rows, H - top), base = (n * H + top) * W;
        gather_rows(x + n * H * W * C, stripe, H, W, C, Cp, top, here);
        const char* later = (const char*)(x + (n * H + top + here) * W * C);
        long r = 0, i = 0;
        for (long p = 0; p < here * S; p += 64) {
            long* mine = places[turn ^= 1];
            for (int q = 0; q < 64; q++) {
                mine[q] = i < W && r < here ? base + r * W + i : -1;
                if (++i == S) i = 0, r++;
            }
            const char* soon = (const char*)((SKIP ? target.skip : target.mask) + (base + r * W + i) * O);
            for (long o = 0; o < Op; o += 16) {
                block<SKIP, MASK, RELU>(stripe + p * Cp, packed + o * 9 * Cp, Cp, S * Cp, sums[now], sums[now ^ 1],
                                        target, where, first, soon + o / 16 * 2048, later);
                later += 2048;
                where = mine, first = o, now ^= 1;
            }
        }
    }
    _tile_release();
    __mmask16 m = part(O - first);
    __m512 bias = _mm512_loadu_ps(target.bias + first);
    for (int q = 0; q < 64; q++)
        finish<SKIP, MASK, RELU>(sums[now ^ 1] + q * 16, target, where[q], first, bias, m);
}

template <bool SKIP, bool MASK, bool RELU>
static void convolve(const bf16* x, const bf16* packed, const Target& target, long N, long H, long W, long C, int threads) {
    long rows = rows_at_once(H, (W + 1) * up(C, 32) * 2, 256 << 10), stripes = (H + rows - 1) / rows, units = N * stripes;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++)
        convolve_part<SKIP, MASK, RELU>(x, packed, target, H, W, C, rows, stripes, units * t / threads,
                                        units * (t + 1) / threads);
}

extern "C" {

// Ask the system for the tiles; 0 where it grants them.
int amx_ready() {
#if defined(__AMX_BF16__) && defined(__AVX512BF16__)
    return (int)syscall(SYS_arch_prctl, 0x1023, 18);
#else
    return 1;
#endif
}

long amx_packed_size(long C, long O) { return up(C, 32) * up(O, 16) * 9; }

// Weights (O, C, 3, 3), float32, of any strides, to the order in which convolve() reads them. With backward, those of the
// convolution from the output's gradient to the input's: C and O change places, the taps turn round.
void amx_pack(const float* w, const long* strides, bf16* to, long C, long O, int backward) {
    long I = backward ? O : C, J = backward ? C : O, Ip = up(I, 32), Jp = up(J, 16);
    long si = strides[backward ? 0 : 1], sj = strides[backward ? 1 : 0];
    for (long j0 = 0; j0 < Jp; j0 += 16)
        for (int t = 0; t < 9; t++) {
            int tap = backward ? 8 - t : t;
            const float* from = w + (tap / 3) * strides[2] + (tap % 3) * strides[3];
            for (long i0 = 0; i0 < Ip; i0 += 32, to += 512) {
                bool whole = i0 + 32 <= I && j0 + 16 <= J;
                if (whole && si == 1) {  // inputs lie side by side: 16 outputs x 16 pairs, turned round
                    __m512i r[16];
                    for (int n = 0; n < 16; n++) {
                        const float* a = from + (j0 + n) * sj + i0;
                        r[n] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(a + 16), _mm512_loadu_ps(a));
                    }
                    transpose(r);
                    for (int k = 0; k < 16; k++) _mm512_storeu_si512(to + k * 32, r[k]);
                    continue;
                }
                if (whole && sj == 1) {  // outputs do
                    for (int k = 0; k < 16; k++) {
                        const float* a = from + (i0 + 2 * k) * si + j0;
                        __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(a)));
                        __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(a + si)));
                        _mm512_storeu_si512(to + k * 32, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
                    }
                    continue;
                }
                for (long k = 0; k < 16; k++)
                    for (long n = 0; n < 16; n++) {
                        long j = j0 + n, i = i0 + 2 * k;
                        to[k * 32 + 2 * n] = round_bf16(j < J && i < I ? from[i * si + j * sj] : 0);
                        to[k * 32 + 2 * n + 1] = round_bf16(j < J && i + 1 < I ? from[(i + 1) * si + j * sj] : 0);
                    }
            }
        }
}

// y = mask?(relu?(conv(x) + bias? + skip?)): x (N, H, W, C), y, skip and mask (N, H, W, O). A mask lets through where it
// is positive. 0 where this combination is there.
int amx_convolve(const bf16* x, const bf16* packed, const float* bias, const bf16* skip, const bf16* mask, bf16* y,
                 long N, long H, long W, long C, long O, int relu, int threads) {
    float b[MAX_CHANNELS + 32] = {0};
    if (bias) memcpy(b, bias, O * 4);
    Target t{b, skip, mask, y, O};
    if (relu && !skip && !mask) convolve<false, false, true>(x, packed, t, N, H, W, C, threads);
    else if (relu || (skip && mask)) return 1;
    else if (skip) convolve<true, false, false>(x, packed, t, N, H, W, C, threads);
    else if (mask) convolve<false, true, false>(x, packed, t, N, H, W, C, threads);
    else convolve<false, false, false>(x, packed, t, N, H, W, C, threads);
    return 0;
}
}
