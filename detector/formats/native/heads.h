/* Numbers the heads of records, and the texts in them, by their raw bytes.

   Numbers stay the same from chunk to chunk as long as the caller keeps the tables, so each text is
   decoded only once. Number 0 is no text: a value that is null or absent. */

#ifndef HEADS_H
#define HEADS_H

#include "json.h"

#define TEXT_CAP 2048
#define PROBES_A_RECORD 64

/* The fields of a record that are read: the texts of its origin, those of its call, then others. */
enum {
    ARN, ACCOUNT, KEY, INVOKED_BY, CALLER_TEXTS,
    RECIPIENT = CALLER_TEXTS, ADDRESS, AGENT, REGION, ORIGIN_TEXTS,
    SOURCE = ORIGIN_TEXTS, NAME, CATEGORY, ERROR, TEXTS,
    READ_ONLY = TEXTS, CALLER, TIME, ID, MESSAGE, WHOLE_CALLER, FIELDS
};

/* The location of a value's raw bytes in the chunk; `size` 0: the field is absent. */
typedef struct { uint32_t start, size; } Slot;

/* A text without its quotes: at `start` in the kept bytes, or, if negative, at `~start` in the
   chunk. */
typedef struct { int64_t start; uint32_t size, hash; } Known;

/* An origin and a call, by the numbers of their texts; whether there is a caller; whether the call
   is read-only (0: unknown, 1: no, 2: yes). */
typedef struct { int32_t texts[ORIGIN_TEXTS], has_caller; } Origin;
typedef struct { int32_t texts[TEXTS - ORIGIN_TEXTS], read_only; } Call;

/* A head by the numbers of its parts. */
typedef struct { int32_t origin, call; } Head;

/* A caller that was read in the chunk with this stamp: its location, its number of quotes, and the
   origin of its last call. */
typedef struct {
    int64_t stamp, quotes;
    uint32_t start, size;
    Origin origin;
    int32_t number; /* the origin's */
} SeenCaller;

/* The tables that the caller keeps from chunk to chunk; all zeros if nothing is known. */
typedef struct {
    int64_t capacity;      /* for texts, origins, calls and heads, each */
    int64_t table_size;    /* a power of two, at least twice the capacity */
    int64_t bytes_capacity;
    int64_t texts, origins, calls, heads, bytes_end; /* their numbers, including number 0 */
    int64_t in_chunk;      /* the number of texts in the chunk: if any, the tables end with it */
    Known *known;          /* of each text */
    Origin *origin;
    Call *call;
    Head *head;
    int32_t *group_of;     /* of each head: its group in the chunk with this stamp */
    int32_t *stamp_of;
    int32_t *text_table, *origin_table, *call_table, *head_table; /* of numbers; 0: free */
    uint8_t *bytes;
    SeenCaller *seen_callers; /* SEEN_CALLERS of them, by a hash of their first bytes */
    int64_t stamp;         /* of the chunk */
} Heads;

/* Hash sixteen bytes per step, then the last sixteen, which may overlap those before. */
static inline uint32_t hash_bytes(const uint8_t *p, uint32_t size)
{
    const uint64_t factor = 0xD6E8FEB86659FD93u;
    const uint8_t *end = p + size;
    uint64_t one = size, other = 0x9E3779B97F4A7C15u, word = 0, next;
    if (size < 8) {
        for (uint32_t i = 0; i < size; i++) word = word << 8 | p[i];
        one = (one ^ word) * factor;
        return (uint32_t)(one >> 32);
    }
    for (; end - p > 16; p += 16) {
        memcpy(&word, p, 8);
        memcpy(&next, p + 8, 8);
        one = (one ^ word) * factor;
        other = (other ^ next) * factor;
        one ^= one >> 32;
        other ^= other >> 32;
    }
    memcpy(&word, size < 16 ? p : end - 16, 8);
    memcpy(&next, end - 8, 8);
    one = (one ^ word) * factor;
    one = (one ^ (one >> 32) ^ other ^ next) * factor;
    return (uint32_t)(one >> 32);
}

static const uint8_t *bytes_of(const Text *text, const Heads *heads, const Known *known)
{
    return known->start >= 0 ? heads->bytes + known->start : text->data + ~known->start;
}

/* Return the number of a text; new bytes get a new number. -1 if there is no room, or if there are
   too many collisions. */
static int32_t number_text(
    const Text *text, Heads *heads, const uint8_t *p, uint32_t size, int64_t *probes)
{
    uint32_t hash = hash_bytes(p, size), mask = (uint32_t)heads->table_size - 1, place = hash & mask;
    for (; heads->text_table[place]; place = (place + 1) & mask) {
        int32_t number = heads->text_table[place];
        const Known *known = heads->known + number;
        if (known->hash == hash && known->size == size
            && !memcmp(bytes_of(text, heads, known), p, size)) return number;
        if (--*probes < 0) return -1;
    }
    if (heads->texts >= heads->capacity) return -1;
    Known known = {~(int64_t)(p - text->data), size, hash};
    if (size > TEXT_CAP || size > heads->bytes_capacity - heads->bytes_end) heads->in_chunk++;
    else {
        known.start = heads->bytes_end;
        memcpy(heads->bytes + known.start, p, size);
        heads->bytes_end += size;
    }
    heads->known[heads->texts] = known;
    heads->text_table[place] = (int32_t)heads->texts;
    return (int32_t)heads->texts++;
}

/* Return the number of a key of `size` bytes among `keys`, as `number_text` does. */
static inline int32_t number_key(const Heads *heads, uint8_t *keys, int64_t *count, int32_t *table,
    const void *key, uint32_t size, int64_t *probes)
{
    uint32_t mask = (uint32_t)heads->table_size - 1, place = hash_bytes(key, size) & mask;
    for (; table[place]; place = (place + 1) & mask) {
        if (!memcmp(keys + (int64_t)size * table[place], key, size)) return table[place];
        if (--*probes < 0) return -1;
    }
    if (*count >= heads->capacity) return -1;
    memcpy(keys + size * *count, key, size);
    table[place] = (int32_t)*count;
    return (int32_t)(*count)++;
}

#define NUMBER(heads, kind, key, probes) number_key(heads, (uint8_t *)(heads)->kind, \
    &(heads)->kind##s, (heads)->kind##_table, key, sizeof *(key), probes)

/* Return the number of an origin, as `number_text` does. Most calls of a caller have the same
   origin, which is kept with the caller's entry, if it has one. */
static int32_t number_origin(
    Heads *heads, const Origin *origin, SeenCaller *caller, int64_t *probes)
{
    if (caller && caller->stamp == heads->stamp
        && !memcmp(&caller->origin, origin, sizeof *origin)) return caller->number;
    int32_t number = NUMBER(heads, origin, origin, probes);
    if (caller && number >= 0) {
        caller->stamp = heads->stamp;
        caller->origin = *origin;
        caller->number = number;
    }
    return number;
}

/* Return the number of a head, as `number_text` does. */
static int32_t number_head(
    Heads *heads, const Origin *origin, SeenCaller *caller, const Call *call, int64_t *probes)
{
    Head head = {number_origin(heads, origin, caller, probes), 0};
    if (head.origin < 0 || (head.call = NUMBER(heads, call, call, probes)) < 0) return -1;
    int64_t known = heads->heads;
    int32_t number = NUMBER(heads, head, &head, probes);
    if (number == known) heads->stamp_of[number] = -1;
    return number;
}

static void free_place(int32_t *table, int64_t table_size, uint32_t hash, int32_t number)
{
    uint32_t mask = (uint32_t)table_size - 1, place = hash & mask;
    while (table[place] != number) place = (place + 1) & mask;
    table[place] = 0;
}

static inline void forget_keys(const Heads *heads, const uint8_t *keys, int64_t *count, int32_t *table,
    uint32_t size, int64_t before)
{
    while (*count > before) {
        --*count;
        free_place(table, heads->table_size, hash_bytes(keys + size * *count, size), (int32_t)*count);
    }
}

#define FORGET(heads, kind, before) forget_keys(heads, (const uint8_t *)(heads)->kind, \
    &(heads)->kind##s, (heads)->kind##_table, sizeof *(heads)->kind, before)

/* Forget everything that was numbered since `before`, the last first, so that no gaps are left in
   the probe sequences of the hash tables. */
static void forget_since(Heads *heads, const Heads *before)
{
    FORGET(heads, head, before->heads);
    FORGET(heads, call, before->calls);
    FORGET(heads, origin, before->origins);
    while (heads->texts > before->texts) {
        heads->texts--;
        free_place(heads->text_table, heads->table_size, heads->known[heads->texts].hash,
            (int32_t)heads->texts);
    }
    heads->bytes_end = before->bytes_end;
    heads->in_chunk = before->in_chunk;
}

#endif
