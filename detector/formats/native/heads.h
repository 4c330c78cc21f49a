/* Number the heads of records, and the texts in them, by their raw bytes.

   The numbers stay the same from chunk to chunk, as long as the caller keeps the tables: what is
   decoded elsewhere is decoded once a text. Number 0 is no text: a value that is null or absent. */

#ifndef HEADS_H
#define HEADS_H

#include "json.h"

#define TEXT_CAP 2048
#define PROBES_A_RECORD 64

enum {
    ARN, ACCOUNT, KEY, INVOKED_BY, SOURCE, NAME, REGION, ADDRESS, AGENT, ERROR, RECIPIENT, CATEGORY,
    TEXTS, READ_ONLY = TEXTS, CALLER, PARTS, TIME = PARTS, ID, MESSAGE, WHOLE_CALLER, FIELDS
};

/* A value's raw bytes in the chunk; `size` 0: the field is absent. */
typedef struct { uint32_t start, size; } Slot;

/* A text without its quotes: in the bytes that are kept, or, from -1 downwards, in the chunk. */
typedef struct { int64_t start; uint32_t size, hash; } Known;

/* A head by its parts: numbers of texts, whether the call only reads (0: not said, 1: no, 2: yes), and
   whether there is a caller. */
typedef struct { int32_t parts[PARTS]; } Head;

/* What the caller keeps from chunk to chunk; all zeros when nothing is known. */
typedef struct {
    int64_t capacity;      /* of texts, and of heads */
    int64_t table_size;    /* a power of two, at least twice the capacity */
    int64_t bytes_capacity;
    int64_t texts, heads, bytes_end; /* how many are known; number 0 is counted, but for bytes */
    int64_t in_chunk;      /* how many texts lie in the chunk: the tables end with it */
    Known *known;          /* of each text */
    Head *head;            /* of each head */
    int32_t *group_of;     /* of each head: its group in the chunk of this stamp */
    int32_t *stamp_of;
    int32_t *text_table, *head_table; /* hash tables of numbers; 0: free */
    uint8_t *bytes;
    int64_t stamp;         /* of the chunk */
} Heads;

/* Hash up to sixteen bytes a step, some of the last ones twice. */
static uint32_t hash_bytes(const uint8_t *p, uint32_t size)
{
    const uint64_t factor = 0xD6E8FEB86659FD93u;
    uint64_t one = size, other = 0x9E3779B97F4A7C15u, word = 0, next;
    if (size < 8) {
        for (uint32_t i = 0; i < size; i++) word = word << 8 | p[i];
        one = (one ^ word) * factor;
        return (uint32_t)(one >> 32);
    }
    const uint8_t *last = p + size - 8;
    for (; last - p > 8; p += 16) {
        memcpy(&word, p, 8);
        memcpy(&next, p + 8, 8);
        one = (one ^ word) * factor;
        other = (other ^ next) * factor;
        one ^= one >> 32;
        other ^= other >> 32;
    }
    memcpy(&word, p, 8);
    memcpy(&next, last, 8);
    one = (one ^ word) * factor;
    one = (one ^ (one >> 32) ^ other ^ next) * factor;
    return (uint32_t)(one >> 32);
}

static const uint8_t *bytes_of(const Text *text, const Heads *heads, const Known *known)
{
    return known->start >= 0 ? heads->bytes + known->start : text->data + ~known->start;
}

/* Return the number of a text, a new one for bytes that were not seen; -1 without room for it, or
   where too many collide. */
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

static uint32_t hash_head(const Head *head)
{
    return hash_bytes((const uint8_t *)head, sizeof *head);
}

/* Return the number of a head, as that of a text. */
static int32_t number_head(Heads *heads, const Head *head, int64_t *probes)
{
    uint32_t mask = (uint32_t)heads->table_size - 1, place = hash_head(head) & mask;
    for (; heads->head_table[place]; place = (place + 1) & mask) {
        int32_t number = heads->head_table[place];
        if (!memcmp(heads->head + number, head, sizeof *head)) return number;
        if (--*probes < 0) return -1;
    }
    if (heads->heads >= heads->capacity) return -1;
    heads->head[heads->heads] = *head;
    heads->stamp_of[heads->heads] = -1;
    heads->head_table[place] = (int32_t)heads->heads;
    return (int32_t)heads->heads++;
}

static void free_place(int32_t *table, int64_t table_size, uint32_t hash, int32_t number)
{
    uint32_t mask = (uint32_t)table_size - 1, place = hash & mask;
    while (table[place] != number) place = (place + 1) & mask;
    table[place] = 0;
}

/* Forget what was numbered since there were so many: the last first, so that no gap is left in what
   others were put behind. */
static void forget_since(Heads *heads, const Heads *before)
{
    while (heads->heads > before->heads) {
        heads->heads--;
        free_place(heads->head_table, heads->table_size, hash_head(heads->head + heads->heads),
            (int32_t)heads->heads);
    }
    while (heads->texts > before->texts) {
        heads->texts--;
        free_place(heads->text_table, heads->table_size, heads->known[heads->texts].hash,
            (int32_t)heads->texts);
    }
    heads->bytes_end = before->bytes_end;
    heads->in_chunk = before->in_chunk;
}

#endif
