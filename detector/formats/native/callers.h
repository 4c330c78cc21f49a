/* Callers by their raw bytes, which questions about records each of them has answered with no, and
   views: what the rules are told of a record that may be a hit. */

#ifndef CALLERS_H
#define CALLERS_H

#include "heads.h"

#define CALLER_PROBES 64

typedef struct { uint32_t start, size, hash; } KnownCaller;

/* A head with a caller and an error message, by their numbers; `has_code`: the record has an error
   code. */
typedef struct { int32_t head, caller, message, has_code; } View;

/* What is kept from chunk to chunk; number 0 is nobody, and no view. Error messages have numbers as
   callers do. */
typedef struct {
    int64_t capacity, table_size; /* of both: a power of two, at least twice the capacity */
    int64_t bytes_capacity;
    int64_t count, bytes_end;     /* how many are known, nobody with them */
    KnownCaller *known;
    const uint64_t *refused;      /* of each caller, as bits */
    int32_t *table;               /* of numbers; 0: free */
    uint8_t *bytes;
    int64_t view_count;           /* how many are known, that of none with them */
    View *views;
    int32_t *view_table;
} Callers;

/* Return the number of a caller, a new one for bytes that were not seen; 0 without room for it, or
   where too many collide. */
static int32_t number_caller(Callers *callers, const uint8_t *p, uint32_t size)
{
    uint32_t hash = hash_bytes(p, size), mask = (uint32_t)callers->table_size - 1;
    uint32_t place = hash & mask;
    for (int probes = CALLER_PROBES; callers->table[place]; place = (place + 1) & mask) {
        int32_t number = callers->table[place];
        const KnownCaller *known = callers->known + number;
        if (known->hash == hash && known->size == size
            && !memcmp(callers->bytes + known->start, p, size)) return number;
        if (!--probes) return 0;
    }
    if (size > TEXT_CAP || callers->count >= callers->capacity
        || size > callers->bytes_capacity - callers->bytes_end) return 0;
    KnownCaller caller = {(uint32_t)callers->bytes_end, size, hash};
    memcpy(callers->bytes + caller.start, p, size);
    callers->bytes_end += size;
    callers->known[callers->count] = caller;
    callers->table[place] = (int32_t)callers->count;
    return (int32_t)callers->count++;
}

/* Return the number of a view, a new one for one that was not seen; 0 without room for it, or where
   too many collide. */
static int32_t number_view(Callers *callers, const View *view)
{
    uint32_t mask = (uint32_t)callers->table_size - 1;
    uint32_t place = hash_bytes((const uint8_t *)view, sizeof *view) & mask;
    for (int probes = CALLER_PROBES; callers->view_table[place]; place = (place + 1) & mask) {
        int32_t number = callers->view_table[place];
        if (!memcmp(callers->views + number, view, sizeof *view)) return number;
        if (!--probes) return 0;
    }
    if (callers->view_count >= callers->capacity) return 0;
    callers->views[callers->view_count] = *view;
    callers->view_table[place] = (int32_t)callers->view_count;
    return (int32_t)callers->view_count++;
}

#endif
