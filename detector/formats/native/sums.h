/* Sums the groups of a chunk by origin, and lists the groups that need a closer look.

   The caller, who has decoded the origins and calls, provides the facts about each. */

#ifndef SUMS_H
#define SUMS_H

#include "heads.h"

enum { IS_SKIPPED = 1, MAY_OPEN = 2, IS_CHANGE = 4 };

/* The most bytes that a record and a posting list take when encoded. */
enum { RECORD_ROOM = 5, POSTING_ROOM = 21 };

/* The encoded principals of a posting list; size 0: none. */
typedef struct {
    uint8_t size, bytes[15];
} PostingName;

/* The facts about the tables' origins and calls, by number, and scratch space. */
typedef struct {
    const uint64_t *refused;    /* of each origin: the questions that it refuses, as bits */
    const int32_t *posting_of;  /* of each origin: the number of its principals */
    const int32_t *observed_of; /* of each origin: the number of its observation */
    const int32_t *changed_of;  /* of each origin: that of its observation of changes; 0: none */
    const uint64_t *asked;      /* of each call: its questions, as bits */
    const uint8_t *kinds;       /* of each call */
    const PostingName *posting_names; /* of each posting */
    uint8_t *has_called;        /* of each origin: set if it has a record */
    int32_t *slot_of_origin, *slot_of_posting, *slot_of_observed, *slot_of_changed;
} Facts;

/* The number of results of each kind. */
typedef struct {
    int64_t origins, observed, changed, postings, encoded, encoded_size, asking, opening, skipped;
} SumCounts;

/* The groups and records as they were cut, and the results; `capacity` is that of the result
   arrays. */
typedef struct {
    int64_t capacity, records, group_count;
    const int32_t *groups, *ends, *numbers; /* see Cut */
    const int64_t *firsts, *lasts;
    int64_t lists_origins;      /* whether to list the groups of each origin */
    SumCounts *counts;
    int32_t *observed;          /* the observations of events, in order of the first group */
    int64_t *observed_firsts, *observed_lasts;
    int32_t *changed;           /* the observations of changes */
    int64_t *changed_firsts, *changed_lasts;
    int32_t *origins;           /* the origins that have events */
    int64_t *origin_firsts, *origin_lasts;
    int32_t *by_origin, *origin_ends; /* the groups of events by origin, and each origin's end */
    int32_t *postings, *posting_ends; /* the posting lists with records, their ends in `posted` */
    int32_t *posted;            /* their records in order, except those that may open a session */
    uint8_t *encoded;           /* the same, see `encode_postings` */
    int32_t *asking, *opening, *skipped; /* groups */
    int32_t *slots;             /* of each group: scratch space */
} Sums;

/* Return a number's slot among `count`, which is added if missing. `slot_of` need not be
   initialized: an entry is only valid if `numbers` confirms it. */
static int64_t slot_for(int32_t number, int32_t *slot_of, int32_t *numbers, int64_t *count)
{
    int64_t slot = slot_of[number];
    if (slot >= 0 && slot < *count && numbers[slot] == number) return slot;
    slot_of[number] = (int32_t)*count;
    numbers[*count] = number;
    return (*count)++;
}

/* Widen the span of a number to include `[first, last]`. Returns its slot. */
static int64_t widen(int32_t number, int32_t *slot_of, int32_t *numbers, int64_t *count,
    int64_t *firsts, int64_t *lasts, int64_t first, int64_t last)
{
    int64_t known = *count, slot = slot_for(number, slot_of, numbers, count);
    if (slot == known || first < firsts[slot]) firsts[slot] = first;
    if (slot == known || last > lasts[slot]) lasts[slot] = last;
    return slot;
}

/* Sum a group of events. */
static void sum_events(Sums *sums, const Facts *facts, const Head *head, int64_t group)
{
    SumCounts *counts = sums->counts;
    int32_t origin = head->origin, changed = facts->changed_of[origin];
    int64_t first = sums->firsts[group], last = sums->lasts[group];
    widen(facts->observed_of[origin], facts->slot_of_observed, sums->observed, &counts->observed,
        sums->observed_firsts, sums->observed_lasts, first, last);
    if (changed && facts->kinds[head->call] & IS_CHANGE)
        widen(changed, facts->slot_of_changed, sums->changed, &counts->changed,
            sums->changed_firsts, sums->changed_lasts, first, last);
    if (facts->asked[head->call] & ~facts->refused[origin])
        sums->asking[counts->asking++] = (int32_t)group;
    if (!sums->lists_origins) return;
    int64_t known = counts->origins;
    int64_t slot = widen(origin, facts->slot_of_origin, sums->origins, &counts->origins,
        sums->origin_firsts, sums->origin_lasts, first, last);
    if (slot == known) sums->origin_ends[slot] = 0;
    sums->origin_ends[slot]++;
}

/* Turn sizes into start offsets. */
static void begin_each(int32_t *sizes, int64_t count)
{
    int32_t start = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t size = sizes[i];
        sizes[i] = start;
        start += size;
    }
}

/* Add a group's number of records to its posting list. */
static void post_group(Sums *sums, const Facts *facts, const Head *head, int64_t group)
{
    int64_t known = sums->counts->postings;
    int64_t slot = slot_for(facts->posting_of[head->origin], facts->slot_of_posting, sums->postings,
        &sums->counts->postings);
    if (slot == known) sums->posting_ends[slot] = 0;
    sums->slots[group] = (int32_t)slot;
    sums->posting_ends[slot] += sums->ends[group] - (group ? sums->ends[group - 1] : 0);
}

/* Write the counted records to `posted`, in the order of their posting lists. */
static void post_records(Sums *sums)
{
    begin_each(sums->posting_ends, sums->counts->postings);
    for (int64_t number = 0; number < sums->records; number++) {
        int32_t slot = sums->slots[sums->groups[number]];
        if (slot >= 0) sums->posted[sums->posting_ends[slot]++] = (int32_t)number;
    }
}

/* Write the MessagePack header of an array of `count` items; return the end. */
static uint8_t *begin_array(uint8_t *out, uint32_t count)
{
    if (count < 16) {
        *out++ = (uint8_t)(0x90 | count);
        return out;
    }
    *out++ = count < 1 << 16 ? 0xdc : 0xdd;
    if (count >= 1 << 16) {
        *out++ = (uint8_t)(count >> 24);
        *out++ = (uint8_t)(count >> 16);
    }
    *out++ = (uint8_t)(count >> 8);
    *out++ = (uint8_t)count;
    return out;
}

/* Write a number in MessagePack, in at most five bytes; return the end. */
static uint8_t *write_number(uint8_t *out, uint32_t number)
{
    if (number < 1 << 7) {
        *out++ = (uint8_t)number;
        return out;
    }
    *out++ = number < 1 << 8 ? 0xcc : number < 1 << 16 ? 0xcd : 0xce;
    if (number >= 1 << 16) {
        *out++ = (uint8_t)(number >> 24);
        *out++ = (uint8_t)(number >> 16);
    }
    if (number >= 1 << 8) *out++ = (uint8_t)(number >> 8);
    *out++ = (uint8_t)number;
    return out;
}

/* Write the posting lists with a name in MessagePack: pairs of the name and the delta-encoded
   records. */
static void encode_postings(Sums *sums, const PostingName *names)
{
    uint8_t *out = sums->encoded;
    for (int64_t slot = 0; slot < sums->counts->postings; slot++) {
        const PostingName *name = names + sums->postings[slot];
        if (!name->size) continue;
        int32_t before = 0, start = slot ? sums->posting_ends[slot - 1] : 0;
        sums->counts->encoded++;
        *out++ = 0x92;
        memcpy(out, name->bytes, name->size);
        out = begin_array(out + name->size, (uint32_t)(sums->posting_ends[slot] - start));
        for (int32_t i = start; i < sums->posting_ends[slot]; i++) {
            out = write_number(out, (uint32_t)(sums->posted[i] - before));
            before = sums->posted[i];
        }
    }
    sums->counts->encoded_size = out - sums->encoded;
}

/* Sort the groups of events by origin. */
static void sort_by_origin(const Heads *heads, const Facts *facts, Sums *sums)
{
    begin_each(sums->origin_ends, sums->counts->origins);
    for (int64_t group = 0; group < sums->group_count; group++) {
        const Head *head = heads->head + sums->numbers[group];
        if (facts->kinds[head->call] & IS_SKIPPED) continue;
        int32_t slot = facts->slot_of_origin[head->origin];
        sums->by_origin[sums->origin_ends[slot]++] = (int32_t)group;
    }
}

static void sum_groups(const Heads *heads, const Facts *facts, Sums *sums)
{
    SumCounts *counts = sums->counts;
    memset(counts, 0, sizeof *counts);
    for (int64_t group = 0; group < sums->group_count; group++) {
        const Head *head = heads->head + sums->numbers[group];
        uint8_t kind = facts->kinds[head->call];
        facts->has_called[head->origin] = 1;
        if (kind & IS_SKIPPED) sums->skipped[counts->skipped++] = (int32_t)group;
        else sum_events(sums, facts, head, group);
        sums->slots[group] = -1;
        if (kind & MAY_OPEN) sums->opening[counts->opening++] = (int32_t)group;
        else post_group(sums, facts, head, group);
    }
    post_records(sums);
    encode_postings(sums, facts->posting_names);
    if (sums->lists_origins) sort_by_origin(heads, facts, sums);
}

#endif
