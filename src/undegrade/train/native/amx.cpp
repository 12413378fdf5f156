// 3x3 convolutions of one image after another in bfloat16 on AMX tiles: forward and towards the input, and towards the
// weights. Images are (N, H, W, C), sums are float32.
//
// Rows of an image are laid out one after another with one zero pixel between them and one row of zeros above and
// below. Then pixel p of the output is the sum over the nine taps of pixel p + dy (W + 1) + dx times a C x O matrix,
// whatever the place: nine products of matrices, shifted against each other. The results between rows are not stored.
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

typedef uint16_t bf16;

static inline bf16 round_bf16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}
static inline __m512 widen16(__m256i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16)); }
static inline __m512 load16(const bf16* p, __mmask16 m) { return widen16(_mm256_maskz_loadu_epi16(m, p)); }
static inline void store16(bf16* p, __m512 v, __mmask16 m) {
    _mm256_mask_storeu_epi16(p, m, (__m256i)_mm512_cvtneps_pbh(v));
}

// Scratch memory of a thread, which grows and stays.
struct Scratch {
    char* data = nullptr;
    size_t size = 0;
    ~Scratch() { free(data); }
    char* get(size_t n) {
        if (n > size) {
            free(data);
            size = (n + 4095) / 4096 * 4096;
            data = (char*)aligned_alloc(4096, size);
        }
        return data;
    }
};
static thread_local Scratch scratch[4];

static inline __mmask16 part(long n) { return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0; }

static void configure() {
    alignas(64) unsigned char c[64] = {1};
    for (int i = 0; i < 8; i++) {
        uint16_t bytes = 64;
        memcpy(c + 16 + 2 * i, &bytes, 2);
        c[48 + i] = 16;
    }
    _tile_loadconfig(c);
}

const long MAX_CHANNELS = 1024;

static inline long up(long n, long to) { return (n + to - 1) / to * to; }

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

// Rows of images that a thread takes at a time, so that what it reads stays in its cache.
static long rows_at_once(long H, long row_bytes, long bytes) {
    long stripes = (H * row_bytes + bytes - 1) / bytes;
    return (H + stripes - 1) / stripes;
}

template <bool SKIP, bool MASK, bool RELU>
static void convolve(const bf16* x, const bf16* packed, const Target& target, long N, long H, long W, long C, int threads) {
    long rows = rows_at_once(H, (W + 1) * up(C, 32) * 2, 256 << 10), stripes = (H + rows - 1) / rows, units = N * stripes;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++)
        convolve_part<SKIP, MASK, RELU>(x, packed, target, H, W, C, rows, stripes, units * t / threads,
                                        units * (t + 1) / threads);
}

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

static inline void transpose(__m512i* r) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
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

// Ask the system for the tiles; 0 where it grants them.
int amx_ready() {
#if defined(__AMX_BF16__) && defined(__AVX512BF16__)
    return (int)syscall(SYS_arch_prctl, 0x1023, 18);
#else
    return 1;
#endif
}

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
