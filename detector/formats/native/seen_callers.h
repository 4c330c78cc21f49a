/* Callers by their bytes, of one chunk: nearly all calls of a file are of a few sessions. What was read
   as a caller once is one wherever the same bytes stand in its place, and need not be read again. */

#ifndef SEEN_CALLERS_H
#define SEEN_CALLERS_H

#include "heads.h"

#define SEEN_CALLERS 2048 /* a power of two */
#define CALLER_PREFIX 160 /* bytes in which nearly all callers differ */

/* Return the entry for a caller from where it begins; 0 where none is kept. */
static inline SeenCaller *entry_for_caller(const Text *text, const Heads *heads, const uint8_t *p)
{
    if (!heads || text->end - p < CALLER_PREFIX) return 0;
    return heads->seen_callers + (hash_bytes(p, CALLER_PREFIX) & (SEEN_CALLERS - 1));
}

/* Whether the caller of an entry stands here. */
static inline int is_caller_here(
    const Text *text, const Heads *heads, const SeenCaller *seen, const uint8_t *p)
{
    return seen->stamp == heads->stamp && text->end - p >= seen->size
        && !memcmp(p, text->data + seen->start, seen->size);
}

/* Put a caller into an entry. It is known when its texts are. */
static inline void put_caller(
    const Text *text, SeenCaller *seen, const uint8_t *start, const uint8_t *end, int64_t quotes)
{
    seen->stamp = 0;
    seen->quotes = quotes;
    seen->start = (uint32_t)(start - text->data);
    seen->size = (uint32_t)(end - start);
}

#endif
