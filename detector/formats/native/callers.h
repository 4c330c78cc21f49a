/* Numbers callers by their raw bytes, with the questions that each refuses, and views: the parts of
   a record that the rules see before it is decoded. */

#ifndef CALLERS_H
#define CALLERS_H

#include "heads.h"

#define CALLER_PROBES 64

typedef struct { uint32_t start, size, hash; } KnownCaller;

/* A head with a caller and an error message, by their numbers; `has_code`: the record has an error
   code. */
typedef struct { int32_t head, caller, message, has_code; } View;

/* The tables that are kept from chunk to chunk; number 0 is no caller and no view. Error messages
   are numbered like callers. */
typedef struct {
    int64_t capacity, table_size; /* of both tables: a power of two, at least twice the capacity */
    int64_t bytes_capacity;
    int64_t count, bytes_end;     /* the number of callers, including number 0 */
    KnownCaller *known;
    const uint64_t *refused;      /* of each caller: questions as bits */
    int32_t *table;               /* hash table of numbers; 0: free */
    uint8_t *bytes;
    int64_t view_count;           /* the number of views, including number 0 */
    View *views;
    int32_t *view_table;
} Callers;

/* Return the number of a caller; new bytes get a new number. 0 if there is no room, or if there are
   too many collisions. */
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

/* Return the number of a view; a new view gets a new number. 0 if there is no room, or if there are
   too many collisions. */
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
