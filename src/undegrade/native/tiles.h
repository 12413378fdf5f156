// What the passes on AMX tiles share: bfloat16, scratch memory, the tiles, turning matrices round.
#pragma once
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

// Rows of images that a thread takes at a time, so that what it reads stays in its cache.
static long rows_at_once(long H, long row_bytes, long bytes) {
    long stripes = (H * row_bytes + bytes - 1) / bytes;
    return (H + stripes - 1) / stripes;
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
