// Winograd's F(4x4, 3x3) on images (N, H, W, C), float32; H and W are multiples of 4, C and O of 8.
//
//     output tile 4x4 = A^T [ (G w G^T) . (B^T d B) ] A          d: the 6x6 inputs under it
//     gradient of G w G^T = (B^T d B) . (A g A^T)                g: the gradient of the output tile
//
// A thread takes some tiles at a time through all of it, so that what is transformed stays in its cache; the gradient of
// the input is the same convolution, of g by the weights turned round. Weights come as (3, 3, C, O); transformed they lie in
// panels of as many outputs as two vectors hold: (O / PANEL, 36, C, PANEL), with zeros where O is no multiple of it.
#include <omp.h>

#include "winograd_tiles.h"

const long ROWS = 6;  // of a product at a time: 12 vectors of sums stay in registers
const long FORWARD = 24, BACKWARD = 48;  // tiles at a time, measured

// m (R, PANEL) = or += a b; a (R, K) has its rows and columns so far apart, b (K, PANEL) has no gaps.
template <int R, bool ADD>
static inline void product(const float* a, long row, long column, const float* b, long K, float* m) {
    wide s[R][2];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
        for (int v = 0; v < 2; v++) s[r][v] = ADD ? *(wide*)(m + r * PANEL + v * LANES) : (wide){0};
    for (long k = 0; k < K; k++) {
        wide b0 = *(const wide*)(b + k * PANEL), b1 = *(const wide*)(b + k * PANEL + LANES);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            float f = a[r * row + k * column];
            s[r][0] += f * b0;
            s[r][1] += f * b1;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
        for (int v = 0; v < 2; v++) *(wide*)(m + r * PANEL + v * LANES) = s[r][v];
}
template <bool ADD>
static void products(long rows, const float* a, long row, long column, const float* b, long K, float* m) {
    long r = 0;
    for (; r + ROWS <= rows; r += ROWS) product<ROWS, ADD>(a + r * row, row, column, b, K, m + r * PANEL);
    a += r * row;
    m += r * PANEL;
    switch (rows - r) {
        case 1: return product<1, ADD>(a, row, column, b, K, m);
        case 2: return product<2, ADD>(a, row, column, b, K, m);
        case 3: return product<3, ADD>(a, row, column, b, K, m);
        case 4: return product<4, ADD>(a, row, column, b, K, m);
        case 5: return product<5, ADD>(a, row, column, b, K, m);
    }
}

extern "C" {

// y = relu?(conv(x) + bias? + skip?), x taken for zero where mask, if given, is not positive; turned: by w turned round.
void winograd_convolve(const float* x, const float* mask, const float* w, long turned, const float* bias, const float* skip,
                       float* y, long N, long H, long W, long C, long O, long relu, int threads) {
    const Tiles of(H, W);
    long tiles = N * of.th * of.tw, blocks = (tiles + FORWARD - 1) / FORWARD, panels = (O + PANEL - 1) / PANEL;
    const long step = C * PANEL;
    Buffer U(panels * 36 * step);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (long c = 0; c < C; c++)
            for (long p = 0; p < panels; p++)
                for (long o = 0; o < PANEL; o += 8) {
                    float* to = U.data + p * 36 * step + c * PANEL + o;
                    if (p * PANEL + o < O)
                        weights_tile(w + c * O + p * PANEL + o, turned, to, C, O, step);
                    else
                        for (int k = 0; k < 36; k++) store(to + k * step, (v8){0});
                }
        Buffer V(36 * apart(FORWARD * C)), M(36 * apart(FORWARD * PANEL));
#pragma omp for schedule(dynamic)
        for (long block = 0; block < blocks; block++) {
            long first = block * FORWARD, count = std::min(FORWARD, tiles - first);
            transform(x, mask, V.data, of, first, count, C);
            for (long p = 0; p < panels; p++) {
                for (long k = 0; k < 36; k++)
                    products<false>(count, V.data + k * apart(count * C), C, 1, U.data + (p * 36 + k) * step, C,
                                    M.data + k * apart(count * PANEL));
                transform_output(M.data, bias, skip, y, of, first, count, O, p * PANEL, relu);
            }
        }
    }
}

// The gradients dw (3, 3, C, O) and db (O) of x and of y's gradient g, which is zero where mask, if given, is not positive.
void winograd_weights(const float* x, const float* g, const float* mask, float* dw, float* db, long N, long H, long W, long C,
                      long O, int threads) {
    const Tiles of(H, W);
    long tiles = N * of.th * of.tw, panels = (O + PANEL - 1) / PANEL, step = C * PANEL, size = panels * 36 * step;
    const long each = (size + O + 15) / 16 * 16;  // a thread's: the weights' in panels, the bias's
    Buffer sums(threads * each);
#pragma omp parallel num_threads(threads)
    {
        long me = omp_get_thread_num(), all = omp_get_num_threads(), end = tiles * (me + 1) / all;
        float* sum = sums.data + me * each;
        memset(sum, 0, each * sizeof(float));
        Buffer V(36 * apart(BACKWARD * C)), D(36 * apart(panels * BACKWARD * PANEL));
        if (O % PANEL) memset(D.data, 0, 36 * apart(panels * BACKWARD * PANEL) * sizeof(float));
        for (long first = tiles * me / all; first < end; first += BACKWARD) {
            long count = std::min(BACKWARD, end - first);
            transform(x, nullptr, V.data, of, first, count, C);
            transform_gradient(g, mask, D.data, sum + size, of, first, count, O, panels);
            for (long k = 0; k < 36; k++)
                for (long p = 0; p < panels; p++)
                    products<true>(C, V.data + k * apart(count * C), 1, C,
                                   D.data + k * apart(panels * count * PANEL) + p * count * PANEL, count,
                                   sum + (p * 36 + k) * step);
        }
#pragma omp barrier
#pragma omp for schedule(static)
        for (long c = 0; c < C; c++)
            for (long o = 0; o < O; o += 8)
                weights_gradient_tile(sums.data + o / PANEL * 36 * step + c * PANEL + o % PANEL, each, all, dw + c * O + o,
                                      C, O, step);
#pragma omp for schedule(static)
        for (long o = 0; o < O; o++) {
            db[o] = 0;
            for (long t = 0; t < all; t++) db[o] += sums.data[t * each + size + o];
        }
    }
}
}
