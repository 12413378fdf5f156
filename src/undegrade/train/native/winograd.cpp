// The transforms of Winograd's F(4x4, 3x3), each in one pass over images (N, H, W, C), float32; H and W are multiples of 4, C
// of 8. Between them lie 36 products of matrices, (tiles, C) x (C, O), which winograd.py leaves to torch.
//
//     output tile 4x4 = A^T [ (G w G^T) . (B^T d B) ] A          d: the 6x6 inputs under it
//
// The gradients run the same way backwards: by A, then B for the input's, G^T for the weights'.
#include <cstring>

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
static inline v8 load(const float* p) { return *(const v8*)p; }
static inline void store(float* p, v8 v) { *(v8*)p = v; }

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
static inline void by_B(const v8* v, int s, v8* o, int t) {
    v8 p = v[s] + v[2 * s], q = v[s] - v[2 * s], r = v[3 * s] + v[4 * s], u = v[3 * s] - v[4 * s];
    o[0] = 4 * v[0];
    o[t] = 4 * v[5 * s] - 4 * q - 2 * u;
    o[2 * t] = -5 * v[0] - 4 * p - r;
    o[3 * t] = q + 2 * u - 5 * v[5 * s];
    o[4 * t] = v[0] + p + r;
    o[5 * t] = v[5 * s];
}

extern "C" {

// V (36, tiles, C) = B^T d B of x.
void winograd_input(const float* x, float* V, long N, long H, long W, long C, int threads) {
    long th = H / 4, tw = W / 4, T = N * th * tw;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long row = 0; row < N * th; row++)
        for (long tx = 0; tx < tw; tx++)
            for (long c = 0; c < C; c += 8) {
                v8 d[36], e[36], f[6], zero = {0};
                for (int i = 0; i < 6; i++)
                    for (int j = 0; j < 6; j++) {
                        long y = row % th * 4 - 1 + i, xx = 4 * tx - 1 + j;
                        bool inside = y >= 0 && y < H && xx >= 0 && xx < W;
                        d[i * 6 + j] = inside ? load(x + ((row / th * H + y) * W + xx) * C + c) : zero;
                    }
                for (int j = 0; j < 6; j++) by_Bt(d + j, 6, e + j, 6);
                for (int i = 0; i < 6; i++) {
                    by_Bt(e + 6 * i, 1, f, 1);
                    for (int j = 0; j < 6; j++) store(V + ((i * 6 + j) * T + row * tw + tx) * C + c, f[j]);
                }
            }
}

// y = relu?(A^T M A + bias + skip?), M (36, tiles, O).
void winograd_output(const float* M, const float* bias, const float* skip, float* y, long N, long H, long W, long O, int relu,
                     int threads) {
    long th = H / 4, tw = W / 4, T = N * th * tw;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long row = 0; row < N * th; row++)
        for (long tx = 0; tx < tw; tx++)
            for (long c = 0; c < O; c += 8) {
                v8 d[36], e[24], f[4], zero = {0}, b = load(bias + c);
                for (int k = 0; k < 36; k++) d[k] = load(M + (k * T + row * tw + tx) * O + c);
                for (int j = 0; j < 6; j++) by_At(d + j, 6, e + j, 6);
                for (int i = 0; i < 4; i++) {
                    by_At(e + 6 * i, 1, f, 1);
                    for (int j = 0; j < 4; j++) {
                        long at = ((row * 4 + i) * W + 4 * tx + j) * O + c;
                        v8 v = f[j] + b;
                        if (skip) v += load(skip + at);
                        if (relu) v = v > zero ? v : zero;
                        store(y + at, v);
                    }
                }
            }
}

// D (36, tiles, O) = A g A^T, g taken for zero where y, if given, is not positive. db (N, O): its sums over places.
void winograd_gradient(const float* g, const float* y, float* D, float* db, long N, long H, long W, long O, int threads) {
    long th = H / 4, tw = W / 4, T = N * th * tw;
    memset(db, 0, N * O * sizeof(float));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long n = 0; n < N; n++)
        for (long tile = n * th * tw; tile < (n + 1) * th * tw; tile++)
            for (long c = 0; c < O; c += 8) {
                v8 d[16], e[24], f[6], zero = {0}, sum = {0};
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++) {
                        long at = ((tile / tw * 4 + i) * W + 4 * (tile % tw) + j) * O + c;
                        v8 v = load(g + at);
                        if (y) v = load(y + at) > zero ? v : zero;
                        sum += v;
                        d[i * 4 + j] = v;
                    }
                store(db + n * O + c, load(db + n * O + c) + sum);
                for (int j = 0; j < 4; j++) by_A(d + j, 4, e + j, 4);
                for (int i = 0; i < 6; i++) {
                    by_A(e + 4 * i, 1, f, 1);
                    for (int j = 0; j < 6; j++) store(D + ((i * 6 + j) * T + tile) * O + c, f[j]);
                }
            }
}

// dx = the sums of B E B^T where tiles overlap, E (36, tiles, C).
void winograd_input_gradient(const float* E, float* dx, long N, long H, long W, long C, int threads) {
    long th = H / 4, tw = W / 4, T = N * th * tw, image = H * W * C;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long n = 0; n < N; n++) {
        memset(dx + n * image, 0, image * sizeof(float));
        for (long tile = n * th * tw; tile < (n + 1) * th * tw; tile++)
            for (long c = 0; c < C; c += 8) {
                v8 d[36], e[36], f[6];
                for (int k = 0; k < 36; k++) d[k] = load(E + (k * T + tile) * C + c);
                for (int j = 0; j < 6; j++) by_B(d + j, 6, e + j, 6);
                for (int i = 0; i < 6; i++) {
                    by_B(e + 6 * i, 1, f, 1);
                    long y = tile / tw % th * 4 - 1 + i;
                    if (y < 0 || y >= H) continue;
                    for (int j = 0; j < 6; j++) {
                        long xx = 4 * (tile % tw) - 1 + j;
                        if (xx < 0 || xx >= W) continue;
                        float* at = dx + ((n * H + y) * W + xx) * C + c;
                        store(at, load(at) + f[j]);
                    }
                }
            }
    }
}
}
