/* A cache of the callers in a chunk, by their bytes: nearly all calls of a file are by a few
   sessions. Where the same bytes occur as a caller again, they need not be parsed again. */

#ifndef SEEN_CALLERS_H
#define SEEN_CALLERS_H

#include "heads.h"

#define SEEN_CALLERS 2048 /* a power of two */
#define CALLER_PREFIX 160 /* the first bytes, in which nearly all callers differ */

/* Return the cache entry for the caller that begins at `p`; 0 if it cannot have one. */
static inline SeenCaller *entry_for_caller(const Text *text, const Heads *heads, const uint8_t *p)
{
    if (!heads || text->end - p < CALLER_PREFIX) return 0;
    return heads->seen_callers + (hash_bytes(p, CALLER_PREFIX) & (SEEN_CALLERS - 1));
}

/* Return whether the caller of an entry is at `p`. */
static inline int is_caller_here(
    const Text *text, const Heads *heads, const SeenCaller *seen, const uint8_t *p)
{
    return seen->stamp == heads->stamp && text->end - p >= seen->size
        && !memcmp(p, text->data + seen->start, seen->size);
}

/* Store a caller in an entry; the entry becomes valid when the caller's origin is numbered. */
static inline void put_caller(
    const Text *text, SeenCaller *seen, const uint8_t *start, const uint8_t *end, int64_t quotes)
{
    seen->stamp = 0;
    seen->quotes = quotes;
    seen->start = (uint32_t)(start - text->data);
    seen->size = (uint32_t)(end - start);
}

#endif
