// Winograd's F(4x4, 3x3) on images (N, H, W, C), float32; C and O are multiples of 8.
//
//     output tile 4x4 = A^T [ (G w G^T) . (B^T d B) ] A          d: the 6x6 inputs under it
//     gradient of G w G^T = (B^T d B) . (A g A^T)                g: the gradient of the output tile
//
// A thread takes some tiles at a time through all of it, so that what is transformed stays in its cache; the gradient of
// the input is the same convolution, of g by the weights turned round. Weights come as (3, 3, C, O); transformed they lie in
// panels of as many outputs as two vectors hold: (O / PANEL, 36, C, PANEL), with zeros where O is no multiple of it.
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

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

// What a thread needs: transformed inputs and sums of FORWARD tiles, of so many channels.
struct Scratch {
    Buffer V, M;
    explicit Scratch(long channels) : V(36 * apart(FORWARD * channels)), M(36 * apart(FORWARD * PANEL)) {}
};

// Of some tiles: y = relu?(conv(x) + bias? + skip?), x taken for zero where mask, if given, is not positive; halved: the largest
// of each 2x2. Where x lies is told by from, where y and skip lie by to.
struct Convolution {
    const float *U, *bias;
    long C, O;
    void operator()(const float* x, const float* mask, const Tiles& from, const float* skip, float* y, const Tiles& to, long first,
                    long count, bool relu, bool halved, Scratch& scratch) const {
        const long panels = (O + PANEL - 1) / PANEL, step = C * PANEL;
        float *V = scratch.V.data, *M = scratch.M.data;
        transform(x, mask, V, from, first, count, C);
        for (long p = 0; p < panels; p++) {
            for (long k = 0; k < 36; k++)
                products<false>(count, V + k * apart(count * C), C, 1, U + (p * 36 + k) * step, C, M + k * apart(count * PANEL));
            if (halved)
                transform_output_halved(M, bias, y, to, first, count, O, p * PANEL);
            else
                transform_output(M, bias, skip, y, to, first, count, O, p * PANEL, relu);
        }
    }
};

// Call work(0), ... work(threads - 1) at the same time; 1 where memory ran out, else 0. The threads end with it: after a fork a
// pool's would be missing.
template <class Work>
static long on_threads(long threads, const Work& work) {
    std::atomic<long> failed(0);
    auto one = [&](long me) {
        try {
            work(me);
        } catch (const std::bad_alloc&) {
            failed = 1;
        }
    };
    std::vector<std::thread> others;
    long started = 1;
    try {
        for (; started < threads; started++) others.emplace_back(one, started);
    } catch (const std::exception&) {  // the system gives no more
    }
    one(0);
    for (long me = started; me < threads; me++) one(me);
    for (std::thread& other : others) other.join();
    return failed;
}

// Call work(n) for every n below count, by whoever is free.
template <class Work>
static long in_turns(long threads, long count, const Work& made) {
    std::atomic<long> next(0);
    return on_threads(std::min(threads, count), [&](long) {
        auto work = made();
        for (long n; (n = next++) < count;) work(n);
    });
}

// Each function but the first returns 1 where memory ran out, else 0.
extern "C" {

long winograd_panel() { return PANEL; }

// U (O / PANEL, 36, C, PANEL) of w (3, 3, C, O); turned: of w turned round.
long winograd_pack(const float* w, long turned, float* U, long C, long O, int threads) {
    const long panels = (O + PANEL - 1) / PANEL, step = C * PANEL;
    return on_threads(threads, [&](long me) {
        for (long c = C * me / threads; c < C * (me + 1) / threads; c++)
            for (long p = 0; p < panels; p++)
                for (long o = 0; o < PANEL; o += 8) {
                    float* to = U + p * 36 * step + c * PANEL + o;
                    if (p * PANEL + o < O)
                        weights_tile(w + c * O + p * PANEL + o, turned, to, C, O, step);
                    else
                        for (int k = 0; k < 36; k++) store(to + k * step, (v8){0});
                }
    });
}

// y = relu?(conv(x) + bias? + skip?), x taken for zero where mask, if given, is not positive. halved: y is the largest of each
// 2x2 of relu(conv(x) + bias), and smaller.
long winograd_convolve(const float* x, const float* mask, const float* U, const float* bias, const float* skip, float* y, long N,
                       long H, long W, long C, long O, long relu, long halved, int threads) {
    const Tiles of(H, W);
    const long tiles = N * of.th * of.tw;
    const Convolution one = {U, bias, C, O};
    return in_turns(threads, (tiles + FORWARD - 1) / FORWARD, [&] {
        auto scratch = std::make_shared<Scratch>(C);
        return [=, &of](long block) {
            const long first = block * FORWARD;
            one(x, mask, of, skip, y, of, first, std::min(FORWARD, tiles - first), relu, halved, *scratch);
        };
    });
}

// h (N, H, W, C) += conv(relu(conv(h) + bias1)) + bias2. Of what is between only a few rows are kept: parts of an image, tile
// rows [start(p), start(p + 1)), go down it in a ring of three. The rows of the ring at the ends of the parts are made first,
// as they need what the part beside it overwrites.
long winograd_residual(float* h, const float* U1, const float* bias1, const float* U2, const float* bias2, long N, long H, long W,
                       long C, int threads) {
    const Tiles image(H, W), ring(H, W, 12), ends(H, W, 8);
    const Convolution first = {U1, bias1, C, C}, second = {U2, bias2, C, C};
    const long th = image.th, tw = image.tw, size = 4 * W * C, blocks = (tw + FORWARD - 1) / FORWARD;
    const long parts = threads == 1 ? 1 : std::max(1L, std::min(2L * threads, th / 4));
    auto start = [=](long part) { return th * part / parts; };
    std::unique_ptr<Buffer> kept;
    if (on_threads(1, [&](long) { kept.reset(new Buffer((parts - 1) * 2 * size)); })) return 1;
    auto row_of = [=](const Convolution& one, const float* x, const Tiles& from, const float* skip, float* y, const Tiles& to,
                      long row, long block, Scratch& scratch) {
        const long begin = tw * block / blocks, end = tw * (block + 1) / blocks;
        one(x, nullptr, from, skip, y, to, row * tw + begin, end - begin, !skip, false, scratch);
    };
    for (long n = 0; n < N; n++, h += H * W * C) {
        const long failed = in_turns(threads, (parts - 1) * 2 * blocks, [&] {
            auto scratch = std::make_shared<Scratch>(C);
            return [=, &image, &ends, &first, &kept](long job) {
                const long part = job / blocks / 2, row = start(part + 1) - 1 + job / blocks % 2;
                row_of(first, h, image, nullptr, kept->data + part * 2 * size, ends, row, job % blocks, *scratch);
            };
        });
        if (failed || in_turns(threads, parts, [&] {
            auto scratch = std::make_shared<Scratch>(C);
            auto rows = std::make_shared<Buffer>(3 * size);
            return [=, &image, &ring, &first, &second, &kept](long part) {
                const long top = start(part), bottom = start(part + 1);
                auto make = [&](long row) {
                    const long end = row <= top && part ? part : row >= bottom - 1 && part < parts - 1 ? part + 1 : 0;
                    if (end)
                        memcpy(rows->data + row % 3 * size, kept->data + ((end - 1) * 2 + row % 2) * size,
                               std::min(4L, H - 4 * row) * W * C * sizeof(float));
                    else
                        for (long b = 0; b < blocks; b++)
                            row_of(first, h, image, nullptr, rows->data, ring, row, b, *scratch);
                };
                for (long row = std::max(top - 1, 0L); row <= top; row++) make(row);
                for (long row = top; row < bottom; row++) {
                    if (row + 1 < th) make(row + 1);
                    for (long b = 0; b < blocks; b++) row_of(second, rows->data, ring, h, h, image, row, b, *scratch);
                }
            };
        })) return 1;
    }
    return 0;
}

// The gradients dw (3, 3, C, O) and db (O) of x and of y's gradient g, which is zero where mask, if given, is not positive. H and
// W are multiples of 4.
long winograd_weights(const float* x, const float* g, const float* mask, float* dw, float* db, long N, long H, long W, long C,
                      long O, int threads) {
    const Tiles of(H, W);
    const long tiles = N * of.th * of.tw, panels = (O + PANEL - 1) / PANEL, step = C * PANEL, size = panels * 36 * step;
    const long each = (size + O + 15) / 16 * 16;  // a thread's: the weights' in panels, the bias's
    std::unique_ptr<Buffer> sums;
    if (on_threads(1, [&](long) { sums.reset(new Buffer(threads * each)); })) return 1;
    long failed = on_threads(threads, [&](long me) {
        float* sum = sums->data + me * each;
        memset(sum, 0, each * sizeof(float));
        Buffer V(36 * apart(BACKWARD * C)), D(36 * apart(panels * BACKWARD * PANEL));
        if (O % PANEL) memset(D.data, 0, 36 * apart(panels * BACKWARD * PANEL) * sizeof(float));
        const long end = tiles * (me + 1) / threads;
        for (long first = tiles * me / threads; first < end; first += BACKWARD) {
            const long count = std::min(BACKWARD, end - first);
            transform(x, nullptr, V.data, of, first, count, C);
            transform_gradient(g, mask, D.data, sum + size, of, first, count, O, panels);
            for (long k = 0; k < 36; k++)
                for (long p = 0; p < panels; p++)
                    products<true>(C, V.data + k * apart(count * C), 1, C,
                                   D.data + k * apart(panels * count * PANEL) + p * count * PANEL, count,
                                   sum + (p * 36 + k) * step);
        }
    });
    failed |= on_threads(threads, [&](long me) {
        for (long c = C * me / threads; c < C * (me + 1) / threads; c++)
            for (long o = 0; o < O; o += 8)
                weights_gradient_tile(sums->data + o / PANEL * 36 * step + c * PANEL + o % PANEL, each, threads,
                                      dw + c * O + o, C, O, step);
    });
    for (long o = 0; o < O; o++) {
        db[o] = 0;
        for (long t = 0; t < threads; t++) db[o] += sums->data[t * each + size + o];
    }
    return failed;
}

// y = conv(x) + bias, of side x side and with that stride; w (O / PANEL, side side C, PANEL). H and W are multiples of side.
long winograd_patches(const float* x, const float* w, const float* bias, float* y, long N, long H, long W, long C, long O,
                      long side, int threads) {
    const long across = W / side, all = N * (H / side) * across, K = side * side * C;
    return in_turns(threads, (all + BACKWARD - 1) / BACKWARD, [&] {
        auto A = std::make_shared<Buffer>(BACKWARD * K), M = std::make_shared<Buffer>(BACKWARD * PANEL);
        return [=](long block) {
            const long first = block * BACKWARD, count = std::min(BACKWARD, all - first);
            for (long n = 0; n < count; n++)
                for (long i = 0; i < side; i++)
                    memcpy(A->data + n * K + i * side * C,
                           x + (((first + n) / across * side + i) * W + (first + n) % across * side) * C, side * C * sizeof(float));
            for (long p = 0; p * PANEL < O; p++) {
                products<false>(count, A->data, K, 1, w + p * K * PANEL, K, M->data);
                for (long n = 0; n < count; n++)
                    for (long c = p * PANEL; c < std::min(O, (p + 1) * PANEL); c += 8)
                        store(y + (first + n) * O + c, load(M->data + n * PANEL + c % PANEL) + load(bias + c));
            }
        };
    });
}
}
