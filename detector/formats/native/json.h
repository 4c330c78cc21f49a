/* The grammar of JSON, as strict as the decoder that this code replaces.

   Unless stated otherwise, each function takes the start of a construct and returns its end, 0 if
   it
   is not valid. */

#ifndef JSON_H
#define JSON_H

#include "strings.h"

#define DEPTH_CAP 64
#define NUMBER_CAP 32

static inline const uint8_t *skip_space(const Text *text, const uint8_t *p)
{
    while (p < text->end && *p <= ' ') {
        uint8_t c = *p;
        if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && !text->lines))
            p++;
        else
            break;
    }
    return p;
}

/* Skip a string, beginning at its opening quote. */
static inline const uint8_t *skip_string(Text *text, const uint8_t *p)
{
    if (next_quote(text) != p) return 0;
    const uint8_t *last = next_quote(text);
    return last ? last + 1 : 0;
}

static int is_digit(const Text *text, const uint8_t *p)
{
    return p < text->end && *p >= '0' && *p <= '9';
}

static const uint8_t *skip_number(const Text *text, const uint8_t *p)
{
    const uint8_t *start = p;
    if (*p == '-') p++;
    if (!is_digit(text, p)) return 0;
    if (*p == '0') p++;
    else while (is_digit(text, p)) p++;
    if (p < text->end && *p == '.') {
        p++;
        if (!is_digit(text, p)) return 0;
        while (is_digit(text, p)) p++;
    }
    if (p < text->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < text->end && (*p == '+' || *p == '-')) p++;
        if (!is_digit(text, p)) return 0;
        while (is_digit(text, p)) p++;
    }
    return p - start <= NUMBER_CAP ? p : 0;
}

static const uint8_t *skip_word(const Text *text, const uint8_t *p, const char *word, int size)
{
    return text->end - p >= size && !memcmp(p, word, size) ? p + size : 0;
}

/* Skip a string, number or word. */
static const uint8_t *skip_scalar(Text *text, const uint8_t *p)
{
    if (*p == '"') return skip_string(text, p);
    if (*p == 't') return skip_word(text, p, "true", 4);
    if (*p == 'f') return skip_word(text, p, "false", 5);
    if (*p == 'n') return skip_word(text, p, "null", 4);
    return skip_number(text, p);
}

/* Skip a key, its colon and the space around it; set `key_end` to the end of the key. */
static inline const uint8_t *skip_key(Text *text, const uint8_t *p, const uint8_t **key_end)
{
    if (p >= text->end || *p != '"' || !(p = skip_string(text, p))) return 0;
    *key_end = p;
    p = skip_space(text, p);
    if (p >= text->end || *p != ':') return 0;
    return skip_space(text, p + 1);
}

/* Skip a key that will be compared, so must have no escapes; set `key` and `size` to its text
   without quotes. */
static inline const uint8_t *read_key(Text *text, const uint8_t *p, const uint8_t **key, int64_t *size)
{
    const uint8_t *key_end, *value = skip_key(text, p, &key_end);
    if (!value) return 0;
    *key = p + 1;
    *size = key_end - 1 - *key;
    /* The last escape seen so far may be in this key, or ahead of it. */
    return text->escape_end > p && memchr(*key, '\\', (size_t)*size) ? 0 : value;
}

/* After a member or element: skip a comma (returns 1) or the closing bracket (0); -1: invalid. */
static inline int has_more(const Text *text, const uint8_t **p, uint8_t closing)
{
    *p = skip_space(text, *p);
    if (*p >= text->end) return -1;
    if (**p == closing) {
        ++*p;
        return 0;
    }
    if (**p != ',') return -1;
    *p = skip_space(text, *p + 1);
    return *p < text->end ? 1 : -1;
}

/* Skip the opening bracket of an object or array, and space. Returns 1, 0 if it is empty (its end
   is then skipped, too), -1 if it is invalid. */
static inline int open_bracket(const Text *text, const uint8_t **p, uint8_t closing)
{
    *p = skip_space(text, *p + 1);
    if (*p >= text->end) return -1;
    if (**p != closing) return 1;
    ++*p;
    return 0;
}

/* Fast path: skip string members without space around them, as long as a key follows. */
static inline const uint8_t *skip_strings(Text *text, const uint8_t *p)
{
    const uint8_t **quotes = text->quotes + text->next;
    const uint8_t **end = text->quotes + text->count;
    while (end - quotes > 4 && quotes[0] == p && quotes[1][1] == ':' && quotes[2] == quotes[1] + 2
           && quotes[3][1] == ',' && quotes[4] == quotes[3] + 2) {
        quotes += 4;
        p = *quotes;
    }
    text->next = (int32_t)(quotes - text->quotes);
    return p;
}

/* Skip a value at nesting depth `depth`. */
static const uint8_t *skip_value(Text *text, const uint8_t *p, int depth)
{
    const int outer = depth;
    uint8_t closing[DEPTH_CAP + 2]; /* the closing brackets of what is open, by depth */
    const uint8_t *key_end;
    for (;;) {
        if (p >= text->end || depth > DEPTH_CAP) return 0;
        int more = 0;
        if (*p == '{' || *p == '[') {
            closing[++depth] = *p == '{' ? '}' : ']';
            more = open_bracket(text, &p, closing[depth]);
            if (!more) depth--;
        } else if (!(p = skip_scalar(text, p))) return 0;
        while (!more && depth > outer) {
            more = has_more(text, &p, closing[depth]);
            if (!more) depth--;
        }
        if (more < 0) return 0;
        if (!more) return p;
        if (closing[depth] == '}') {
            p = skip_strings(text, p);
            if (!(p = skip_key(text, p, &key_end))) return 0;
        }
    }
}

#endif
