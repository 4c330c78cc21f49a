/* Finds the strings of a JSON text, and validates their content.

   The text is scanned ahead of the parser, some thousand bytes at a time in blocks of 64 bytes. The
   scan notes the quotes, so the parser need not loop over a string's characters. Escapes, control
   characters and UTF-8 are checked on the way. Bytes outside of strings are not checked here; the
   grammar (json.h) reads each of them. */

#ifndef STRINGS_H
#define STRINGS_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __GNUC__
#define OUTLINE __attribute__((noinline))
#else
#define OUTLINE
#endif

#define BLOCK 64
#define AHEAD 256  /* a multiple of BLOCK */
#define SOON 1024  /* how many bytes ahead of the scan are prefetched */
#define AT_ONCE 8  /* how many quotes are noted before checking whether there are more */

typedef struct {
    const uint8_t *data, *end;
    int lines; /* a newline ends a record */
    const uint8_t *seen;        /* the text before it was scanned */
    const uint8_t *escape_end;  /* the end of the last escape */
    const uint8_t *symbol_end;  /* the end of the last multi-byte character */
    uint64_t in_string;         /* all bits set if `seen` is in a string, else 0 */
    int32_t next, count;        /* indexes into `quotes`: the next to read, and the end */
    int64_t passed;             /* the number of quotes found before these */
    const uint8_t *quotes[AHEAD + AT_ONCE];
} Text;

static void begin_text(Text *text, const uint8_t *data, int64_t size, int lines)
{
    text->data = text->seen = text->escape_end = text->symbol_end = data;
    text->end = data + size;
    text->lines = lines;
    text->in_string = 0;
    text->next = text->count = 0;
    text->passed = 0;
}

/* Bit masks of a block's bytes: quotes, backslashes, and bytes that must be checked in strings:
   control characters and bytes of multi-byte characters. */
typedef struct { uint64_t quotes, slashes, odd; } Marks;

/* Mark the bytes of a block; other masks than quotes are only computed if there are such bytes. */
#ifdef __SSE2__
static inline uint64_t bits_of(__m128i a, __m128i b, __m128i c, __m128i d)
{
    return (uint64_t)(uint16_t)_mm_movemask_epi8(a)
        | (uint64_t)(uint16_t)_mm_movemask_epi8(b) << 16
        | (uint64_t)(uint16_t)_mm_movemask_epi8(c) << 32
        | (uint64_t)(uint16_t)_mm_movemask_epi8(d) << 48;
}

static inline Marks mark_block(const uint8_t *p)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20), *lanes = (const __m128i *)(const void *)p;
    __m128i a = _mm_loadu_si128(lanes), b = _mm_loadu_si128(lanes + 1);
    __m128i c = _mm_loadu_si128(lanes + 2), d = _mm_loadu_si128(lanes + 3);
    Marks marks = {0, 0, 0};
#define EQUAL(bytes, byte) _mm_cmpeq_epi8(bytes, byte)
    /* The comparison is signed: bytes from 0x80 on are less than a space, too. */
#define SPECIAL(bytes) _mm_or_si128(EQUAL(bytes, slash), _mm_cmplt_epi8(bytes, space))
    marks.quotes = bits_of(EQUAL(a, quote), EQUAL(b, quote), EQUAL(c, quote), EQUAL(d, quote));
    if (_mm_movemask_epi8(_mm_or_si128(
            _mm_or_si128(SPECIAL(a), SPECIAL(b)), _mm_or_si128(SPECIAL(c), SPECIAL(d))))) {
        marks.slashes = bits_of(EQUAL(a, slash), EQUAL(b, slash), EQUAL(c, slash), EQUAL(d, slash));
        marks.odd = bits_of(SPECIAL(a), SPECIAL(b), SPECIAL(c), SPECIAL(d)) & ~marks.slashes;
    }
    return marks;
#undef EQUAL
#undef SPECIAL
}
#else
static Marks mark_block(const uint8_t *p)
{
    Marks marks = {0, 0, 0};
    for (int i = 0; i < BLOCK; i++) {
        uint64_t bit = (uint64_t)1 << i;
        if (p[i] == '"') marks.quotes |= bit;
        else if (p[i] == '\\') marks.slashes |= bit;
        else if (p[i] < 0x20 || p[i] >= 0x80) marks.odd |= bit;
    }
    return marks;
}
#endif

static int hex4(const uint8_t *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        int digit;
        if (c >= '0' && c <= '9') digit = c - '0';
        else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        else return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Skip an escape that begins at `p`; return its end, 0 if it is invalid. */
static const uint8_t *skip_escape(const Text *text, const uint8_t *p)
{
    if (text->end - p < 2) return 0;
    if (p[1] != 'u') return strchr("\"\\/bfnrt", p[1]) && p[1] ? p + 2 : 0;
    if (text->end - p < 6) return 0;
    int unit = hex4(p + 2);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return 0;
    if (unit < 0xD800 || unit > 0xDBFF) return p + 6;
    if (text->end - p < 12 || p[6] != '\\' || p[7] != 'u') return 0;
    unit = hex4(p + 8);
    return unit >= 0xDC00 && unit <= 0xDFFF ? p + 12 : 0;
}

/* Skip a multi-byte character (RFC 3629, section 4); return its end, 0 if it is invalid. */
static const uint8_t *skip_utf8(const Text *text, const uint8_t *p)
{
    uint8_t first = p[0], low = 0x80, high = 0xBF;
    int more;
    if (first >= 0xC2 && first <= 0xDF) more = 1;
    else if (first >= 0xE0 && first <= 0xEF) {
        more = 2;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        more = 3;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else return 0;
    if (text->end - p <= more || p[1] < low || p[1] > high) return 0;
    for (int i = 2; i <= more; i++)
        if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    return p + more + 1;
}

static int count_bits(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (int)(bits * 0x0101010101010101u >> 56);
}

/* Return a mask of the bits from byte `at` on, for the block that starts at `block`. */
static uint64_t bits_from(const uint8_t *block, const uint8_t *at)
{
    return at <= block ? ~(uint64_t)0 : at - block >= BLOCK ? 0 : ~(uint64_t)0 << (at - block);
}

/* Check the escapes of a block, and unmark escaped quotes; return whether they are valid. */
static int check_escapes(Text *text, const uint8_t *block, Marks *marks)
{
    uint64_t left = bits_from(block, text->escape_end);
    marks->quotes &= left;
    marks->slashes &= left;
    while (marks->slashes) {
        const uint8_t *start = block + __builtin_ctzll(marks->slashes);
        text->escape_end = skip_escape(text, start);
        if (!text->escape_end) return 0;
        left = bits_from(block, text->escape_end);
        marks->quotes &= left | ~bits_from(block, start);
        marks->slashes &= left;
    }
    return 1;
}

/* Check the odd bytes in the strings of a block; return whether they form valid characters. */
static int check_odd(Text *text, const uint8_t *block, const Marks *marks)
{
    uint64_t in_string = marks->quotes, odd;
    for (int shift = 1; shift < BLOCK; shift *= 2) in_string ^= in_string << shift;
    odd = marks->odd & (in_string ^ text->in_string);
    while (odd) {
        const uint8_t *p = block + __builtin_ctzll(odd);
        if (p >= text->symbol_end) {
            if (*p < 0x20 || !(p = skip_utf8(text, p))) return 0;
            text->symbol_end = p;
        }
        odd &= odd - 1;
    }
    return 1;
}

/* Note the quotes of a block. Their number is small but unpredictable, so a fixed number of entries
   is written without branches; those after the last quote are ignored. */
static void note_quotes(Text *text, const uint8_t *block, uint64_t bits)
{
    const uint64_t last = (uint64_t)1 << (BLOCK - 1);
    const uint8_t **quotes = text->quotes + text->count;
    text->count += count_bits(bits);
    do {
        for (int i = 0; i < AT_ONCE; i++) {
            *quotes++ = block + (unsigned)__builtin_ctzll(bits | last);
            bits &= bits - 1;
        }
    } while (bits);
}

/* Scan a block, of which the text has `size` bytes; return whether its strings are valid. */
static int see_block(Text *text, int64_t size)
{
    uint8_t padded[BLOCK];
    const uint8_t *block = text->seen;
    Marks marks;
    if (size < BLOCK) {
        memset(padded, ' ', BLOCK);
        memcpy(padded, block, (size_t)size);
        marks = mark_block(padded);
    } else {
        __builtin_prefetch((const void *)((uintptr_t)block + SOON));
        marks = mark_block(block);
    }
    if ((marks.slashes || text->escape_end > block) && !check_escapes(text, block, &marks)) return 0;
    if (marks.odd && !check_odd(text, block, &marks)) return 0;
    if (__builtin_parityll(marks.quotes)) text->in_string = ~text->in_string;
    note_quotes(text, block, marks.quotes);
    text->seen = size < BLOCK ? text->end : block + BLOCK;
    return 1;
}

/* Scan on for quotes; return whether there are more. */
static OUTLINE int find_quotes(Text *text)
{
    text->passed += text->count;
    text->next = text->count = 0;
    while (!text->count) {
        if (text->seen >= text->end) return 0;
        for (int i = 0; i < AHEAD / BLOCK && text->seen < text->end; i++)
            if (!see_block(text, text->end - text->seen)) return 0;
    }
    return 1;
}

/* Return the next quote of the text; 0 after the last one, and before an invalid string. */
static inline const uint8_t *next_quote(Text *text)
{
    if (text->next == text->count && !find_quotes(text)) return 0;
    return text->quotes[text->next++];
}

/* Continue at `end`, which is outside of strings: the text before it has already been checked, and
   has `quotes` quotes. */
static void skip_seen(Text *text, const uint8_t *end, int64_t quotes)
{
    if (end <= text->seen) {
        text->next += (int32_t)quotes;
        return;
    }
    text->passed += text->next + quotes;
    text->next = text->count = 0;
    text->seen = end;
    text->in_string = 0;
}

#endif
