// The transforms of Winograd's F(4x4, 3x3), of tiles in images (N, H, W, C), and the layout of what they give.
//
// Transformed, a number of tiles are 36 matrices, which begin `apart` floats after each other; those of outputs and of
// weights lie in panels, of as many channels as two vectors hold.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __AVX512F__
const int LANES = 16;
#else
const int LANES = 8;
#endif
typedef float wide __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
static inline v8 load(const float* p) { return *(const v8*)p; }
static inline void store(float* p, v8 v) { *(v8*)p = v; }

const long PANEL = 2 * LANES;

// One dimension of each transform; from and to are s and t apart.
static inline void by_Bt(const v8* d, int s, v8* o, int t) {
    v8 a = d[4 * s] - 4 * d[2 * s], b = d[3 * s] - 4 * d[s], c = d[4 * s] - d[2 * s], e = 2 * (d[3 * s] - d[s]);
    o[0] = 4 * d[0] - 5 * d[2 * s] + d[4 * s];
    o[t] = a + b;
    o[2 * t] = a - b;
    o[3 * t] = c + e;
    o[4 * t] = c - e;
    o[5 * t] = 4 * d[s] - 5 * d[3 * s] + d[5 * s];
}
static inline void by_At(const v8* m, int s, v8* o, int t) {
    v8 p = m[s] + m[2 * s], q = m[s] - m[2 * s], r = m[3 * s] + m[4 * s], u = m[3 * s] - m[4 * s];
    o[0] = m[0] + p + r;
    o[t] = q + 2 * u;
    o[2 * t] = p + 4 * r;
    o[3 * t] = q + 8 * u + m[5 * s];
}
static inline void by_A(const v8* g, int s, v8* o, int t) {
    v8 p = g[0] + g[2 * s], q = g[s] + g[3 * s], r = g[0] + 4 * g[2 * s], u = 2 * g[s] + 8 * g[3 * s];
    o[0] = g[0];
    o[t] = p + q;
    o[2 * t] = p - q;
    o[3 * t] = r + u;
    o[4 * t] = r - u;
    o[5 * t] = g[3 * s];
}

static inline void by_G(const v8* w, int s, v8* o, int t) {
    v8 a = (w[0] + w[2 * s]) / 6, b = w[s] / 6, c = w[0] / 24 + w[2 * s] / 6, d = w[s] / 12;
    o[0] = w[0] / 4;
    o[t] = -a - b;
    o[2 * t] = b - a;
    o[3 * t] = c + d;
    o[4 * t] = c - d;
    o[5 * t] = w[2 * s];
}
static inline void by_Gt(const v8* d, int s, v8* o, int t) {
    v8 p = (d[s] + d[2 * s]) / 6, q = d[3 * s] + d[4 * s];
    o[0] = d[0] / 4 - p + q / 24;
    o[t] = (d[2 * s] - d[s]) / 6 + (d[3 * s] - d[4 * s]) / 12;
    o[2 * t] = q / 6 - p + d[5 * s];
}

// Floats between matrices of a given size: an odd number of cache lines, so that 36 of them do not meet in the same few
// places of the cache.
static inline long apart(long floats) { return ((floats + 15) / 16 | 1) * 16; }

// Memory that starts on a cache line.
struct Buffer {
    float* data;
    explicit Buffer(long floats) : data((float*)aligned_alloc(64, (floats + 15) / 16 * 64)) {
        if (!data) throw std::bad_alloc();
    }
    ~Buffer() { free(data); }
};

// Where tiles lie in images; those at the lower and right edges may lie in part outside. Of a single image, memory may hold so
// many rows only, a multiple of 4, each where an earlier one was.
struct Tiles {
    long H, W, held, th, tw;
    Tiles(long H, long W, long held = 0) : H(H), W(W), held(held), th((H + 3) / 4), tw((W + 3) / 4) {}
    long y(long tile) const { return tile / tw % th * 4; }
    long x(long tile) const { return tile % tw * 4; }
    long at(long tile, long y, long x) const { return (held ? y % held : tile / (th * tw) * H + y) * W + x; }
    long corner(long tile) const { return at(tile, y(tile), x(tile)); }
    long rows(long tile) const { return std::min(4L, H - y(tile)); }
    long columns(long tile) const { return std::min(4L, W - x(tile)); }
};

// Bring a line of each of 4x4 pixels into the cache.
template <bool WRITE>
static inline void fetch(const float* p, long row, long pixel) {
    for (int i = 0; i < 16; i++) __builtin_prefetch(p + i / 4 * row + i % 4 * pixel, WRITE);
}

// V (36, gap) = B^T d B of a tile, of eight channels; EDGE: some of d lies outside the image. Of the next tile, if it is not
// null, what this one has not read is fetched.
template <bool EDGE, bool MASK>
__attribute__((noinline)) static void input_tile(const float* x, const float* mask, const long* from, const long* next,
                                                 float* V, long gap) {
    v8 d[36], e[36], f[6], zero = {0};
    if (next)
        for (int i = 0; i < 36; i++)
            if (i % 6 >= 2 && next[i] >= 0) {
                __builtin_prefetch(x + next[i]);
                if (MASK) __builtin_prefetch(mask + next[i]);
            }
#pragma GCC unroll 36
    for (int i = 0; i < 36; i++) {
        if (EDGE && from[i] < 0) {
            d[i] = zero;
            continue;
        }
        d[i] = load(x + from[i]);
        if (MASK) d[i] = load(mask + from[i]) > zero ? d[i] : zero;
    }
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) by_Bt(d + j, 6, e + j, 6);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) {
        by_Bt(e + 6 * i, 1, f, 1);
        for (int j = 0; j < 6; j++) store(V + (i * 6 + j) * gap, f[j]);
    }
}

// V (36, count, C), apart, = B^T d B of the tiles from first on; d is zero where mask, if given, is not positive.
static void transform(const float* x, const float* mask, float* V, const Tiles& of, long first, long count, long C) {
    const long gap = apart(count * C);
    long from[2][36];  // of this tile and the next
    bool edge[2];
    auto find = [&](long n) {
        edge[n % 2] = false;
        for (int i = 0; i < 6; i++) {
            const long y = of.y(first + n) - 1 + i, row = of.at(first + n, std::max(y, 0L), 0);
            for (int j = 0; j < 6; j++) {
                const long x = of.x(first + n) - 1 + j;
                const bool inside = y >= 0 && y < of.H && x >= 0 && x < of.W;
                from[n % 2][6 * i + j] = inside ? (row + x) * C : -1;
                edge[n % 2] |= !inside;
            }
        }
    };
    find(0);
    for (long n = 0; n < count; n++) {
        if (n + 1 < count) find(n + 1);
        auto one = edge[n % 2] ? mask ? input_tile<true, true> : input_tile<true, false>
                               : mask ? input_tile<false, true> : input_tile<false, false>;
        for (long c = 0; c < C; c += 8) {
            const long* next = c % 16 == 0 && n + 1 < count ? from[(n + 1) % 2] : nullptr;
            one(x + c, mask ? mask + c : nullptr, from[n % 2], next, V + n * C + c, gap);
        }
    }
}

// D (36, gap) = A g A^T of a tile, of eight channels, g zero where mask is not positive; its sum over places is added to db.
template <bool MASK>
__attribute__((noinline)) static void gradient_tile(const float* g, const float* mask, float* D, long gap, float* db, long row,
                                                    long pixel) {
    v8 d[16], e[24], f[6], zero = {0}, sum = load(db);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        d[i] = load(g + i / 4 * row + i % 4 * pixel);
        if (MASK) d[i] = load(mask + i / 4 * row + i % 4 * pixel) > zero ? d[i] : zero;
        sum += d[i];
    }
    store(db, sum);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) by_A(d + j, 4, e + j, 4);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) {
        by_A(e + 4 * i, 1, f, 1);
        for (int j = 0; j < 6; j++) store(D + (i * 6 + j) * gap, f[j]);
    }
}

// The same of the tiles from first on, which lie inside the image: D (36, panels, count, PANEL), apart; mask may be null.
static void transform_gradient(const float* g, const float* mask, float* D, float* db, const Tiles& of, long first, long count,
                               long O, long panels) {
    const long gap = apart(panels * count * PANEL), row = of.W * O;
    auto one = mask ? gradient_tile<true> : gradient_tile<false>;
    for (long n = 0; n < count; n++) {
        const long here = of.corner(first + n) * O, next = of.corner(first + std::min(n + 1, count - 1)) * O;
        for (long c = 0; c < O; c += 8) {
            if (c % 16 == 0 && n + 1 < count) {
                fetch<false>(g + next + c, row, O);
                if (mask) fetch<false>(mask + next + c, row, O);
            }
            float* to = D + (c / PANEL * count + n) * PANEL + c % PANEL;
            one(g + here + c, mask ? mask + here + c : nullptr, to, gap, db + c, row, O);
        }
    }
}

// y = relu?(A^T M A + bias? + skip?) of a tile, of eight channels; rows and pixels of y and skip are so far apart. Not inline:
// in a loop the compiler would keep a pointer to each of the 36 matrices.
template <bool SKIP, bool RELU>
__attribute__((noinline)) static void output_tile(const float* M, long gap, const float* bias, const float* skip, float* y,
                                                  long row, long pixel) {
    v8 d[36], e[24], f[4], zero = {0}, b = bias ? load(bias) : zero;
#pragma GCC unroll 36
    for (int k = 0; k < 36; k++) d[k] = load(M + k * gap);
#pragma GCC unroll 6
    for (int j = 0; j < 6; j++) by_At(d + j, 6, e + j, 6);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        by_At(e + 6 * i, 1, f, 1);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            v8 v = f[j] + b;
            if (SKIP) v += load(skip + i * row + j * pixel);
            if (RELU) v = v > zero ? v : zero;
            store(y + i * row + j * pixel, v);
        }
    }
}

// The same of the tiles from first on, of a panel: M (36, count, PANEL), apart.
static void transform_output(const float* M, const float* bias, const float* skip, float* y, const Tiles& of, long first,
                             long count, long O, long panel, bool relu) {
    const long gap = apart(count * PANEL), row = of.W * O;
    auto one = skip ? relu ? output_tile<true, true> : output_tile<true, false>
                    : relu ? output_tile<false, true> : output_tile<false, false>;
    for (long n = 0; n < count; n++) {
        const long here = of.corner(first + n) * O, rows = of.rows(first + n), columns = of.columns(first + n);
        if (n + 1 < count) {
            const long next = of.corner(first + n + 1) * O + panel;
            fetch<true>(y + next, row, O);
            if (skip) fetch<false>(skip + next, row, O);
        }
        for (long c = panel; c < std::min(O, panel + PANEL); c += 8) {
            const float *m = M + n * PANEL + c - panel, *b = bias ? bias + c : nullptr, *s = skip ? skip + here + c : nullptr;
            if (rows == 4 && columns == 4) {
                one(m, gap, b, s, y + here + c, row, O);
                continue;
            }
            float from[16 * 8] = {0}, to[16 * 8];
            for (long i = 0; skip && i < rows; i++)
                for (long j = 0; j < columns; j++) store(from + (4 * i + j) * 8, load(s + i * row + j * O));
            one(m, gap, b, from, to, 4 * 8, 8);
            for (long i = 0; i < rows; i++)
                for (long j = 0; j < columns; j++) store(y + here + c + i * row + j * O, load(to + (4 * i + j) * 8));
        }
    }
}

// The same with a ReLU and the largest of each 2x2: y has half as many rows and columns, rounded up.
static void transform_output_halved(const float* M, const float* bias, float* y, const Tiles& of, long first, long count, long O,
                                    long panel) {
    const long gap = apart(count * PANEL), H = (of.H + 1) / 2, W = (of.W + 1) / 2;
    for (long n = 0; n < count; n++) {
        const long tile = first + n, rows = of.rows(tile), columns = of.columns(tile);
        for (long c = panel; c < std::min(O, panel + PANEL); c += 8) {
            float to[16 * 8];
            output_tile<false, true>(M + n * PANEL + c - panel, gap, bias + c, nullptr, to, 4 * 8, 8);
            for (long i = 0; i < rows; i += 2)
                for (long j = 0; j < columns; j += 2) {
                    v8 most = {0};
                    for (long a = i; a < std::min(i + 2, rows); a++)
                        for (long b = j; b < std::min(j + 2, columns); b++) {
                            v8 v = load(to + (4 * a + b) * 8);
                            most = v > most ? v : most;
                        }
                    store(y + ((tile / (of.th * of.tw) * H + (of.y(tile) + i) / 2) * W + (of.x(tile) + j) / 2) * O + c, most);
                }
        }
    }
}

// U, in panels, = G w G^T of eight outputs; turned: w turned round.
static inline void weights_tile(const float* w, bool turned, float* U, long C, long O, long step) {
    v8 d[9], e[18], f[6];
    for (int i = 0; i < 9; i++) d[turned ? 8 - i : i] = load(w + i * C * O);
    for (int j = 0; j < 3; j++) by_G(d + j, 3, e + j, 3);
    for (int i = 0; i < 6; i++) {
        by_G(e + 3 * i, 1, f, 1);
        for (int j = 0; j < 6; j++) store(U + (i * 6 + j) * step, f[j]);
    }
}

// The gradient of w of eight outputs, from the sums of that of U in each of the threads' panels.
static inline void weights_gradient_tile(const float* dU, long each, long all, float* dw, long C, long O, long step) {
    v8 d[36], e[18], f[3];
    for (int k = 0; k < 36; k++) {
        d[k] = load(dU + k * step);
        for (long t = 1; t < all; t++) d[k] += load(dU + t * each + k * step);
    }
    for (int j = 0; j < 6; j++) by_Gt(d + j, 6, e + j, 6);
    for (int i = 0; i < 3; i++) {
        by_Gt(e + 6 * i, 1, f, 1);
        for (int j = 0; j < 3; j++) store(dw + (i * 3 + j) * C * O, f[j]);
    }
}
