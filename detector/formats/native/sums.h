/* Sum the groups of a chunk by origin, and list what must be looked at closer.

   What is known of each origin and each call is told by the caller, who has decoded them. */

#ifndef SUMS_H
#define SUMS_H

#include "heads.h"

enum { IS_SKIPPED = 1, MAY_OPEN = 2, IS_CHANGE = 4 };

/* The bytes that a record and a posting take at most where they are encoded. */
enum { RECORD_ROOM = 5, POSTING_ROOM = 21 };

/* The principals of a posting as they are encoded; none where the size is 0. */
typedef struct {
    uint8_t size, bytes[15];
} PostingName;

/* What the caller knows of the tables' origins and calls, by number, and room to work in. */
typedef struct {
    const uint64_t *refused;    /* of each origin: the questions that were answered for good */
    const int32_t *posting_of;  /* of each origin: the number of its principals */
    const uint64_t *asked;      /* of each call: the questions that it raises, as bits */
    const uint8_t *kinds;       /* of each call */
    const PostingName *posting_names; /* of each posting */
    int32_t *slot_of_origin, *slot_of_posting;
} Facts;

/* `capacity` is that of the arrays of results; those of groups and records are as they were cut. */
typedef struct {
    int64_t capacity, records, group_count;
    const int32_t *groups, *ends, *numbers; /* see Cut */
    const int64_t *firsts, *lasts;
    int64_t origin_count, posting_count, asking_count, opening_count, skipped_count;
    int32_t *origins;           /* the origins that have events, in order of the first group */
    int64_t *origin_firsts, *origin_lasts;
    int64_t *change_firsts, *change_lasts; /* of changes; none where the first is the greater */
    int32_t *by_origin, *origin_ends;      /* the groups of events by origin, and where each ends */
    int32_t *postings, *posting_ends; /* the principals that have records, and where each ends in */
    int32_t *posted;            /* their records in order, without those that may open a session */
    uint8_t *encoded;           /* the same, see `encode_postings` */
    int64_t encoded_size, encoded_count;
    int32_t *asking, *opening, *skipped;   /* groups */
    int32_t *slots;             /* of each group, room to work in */
} Sums;

/* Find a number's slot among `count`, or add one. What stands in `slot_of` of numbers that were not
   added to `numbers` does not matter. */
static int64_t slot_for(int32_t number, int32_t *slot_of, int32_t *numbers, int64_t *count)
{
    int64_t slot = slot_of[number];
    if (slot >= 0 && slot < *count && numbers[slot] == number) return slot;
    slot_of[number] = (int32_t)*count;
    numbers[*count] = number;
    return (*count)++;
}

static void widen(int64_t *firsts, int64_t *lasts, int64_t slot, int64_t first, int64_t last)
{
    if (first < firsts[slot]) firsts[slot] = first;
    if (last > lasts[slot]) lasts[slot] = last;
}

/* Sum a group of events. */
static void sum_events(Sums *sums, const Facts *facts, const Head *head, int64_t group)
{
    int64_t known = sums->origin_count;
    int64_t slot = slot_for(head->origin, facts->slot_of_origin, sums->origins, &sums->origin_count);
    if (slot == known) {
        sums->origin_firsts[slot] = sums->change_firsts[slot] = INT64_MAX;
        sums->origin_lasts[slot] = sums->change_lasts[slot] = INT64_MIN;
        sums->origin_ends[slot] = 0;
    }
    int64_t first = sums->firsts[group], last = sums->lasts[group];
    widen(sums->origin_firsts, sums->origin_lasts, slot, first, last);
    if (facts->kinds[head->call] & IS_CHANGE)
        widen(sums->change_firsts, sums->change_lasts, slot, first, last);
    if (facts->asked[head->call] & ~facts->refused[head->origin])
        sums->asking[sums->asking_count++] = (int32_t)group;
    sums->origin_ends[slot]++;
}

/* Turn sizes into where each begins. */
static void begin_each(int32_t *sizes, int64_t count)
{
    int32_t start = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t size = sizes[i];
        sizes[i] = start;
        start += size;
    }
}

/* Write what MessagePack begins an array of so many items with. */
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

/* Write a number as MessagePack does: in five bytes at most. */
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

/* Write the postings that have a name as MessagePack: pairs of the name and the records, each as its
   distance from the one before. */
static void encode_postings(Sums *sums, const PostingName *names)
{
    uint8_t *out = sums->encoded;
    sums->encoded_count = 0;
    for (int64_t slot = 0; slot < sums->posting_count; slot++) {
        const PostingName *name = names + sums->postings[slot];
        if (!name->size) continue;
        int32_t before = 0, start = slot ? sums->posting_ends[slot - 1] : 0;
        sums->encoded_count++;
        *out++ = 0x92;
        memcpy(out, name->bytes, name->size);
        out = begin_array(out + name->size, (uint32_t)(sums->posting_ends[slot] - start));
        for (int32_t i = start; i < sums->posting_ends[slot]; i++) {
            out = write_number(out, (uint32_t)(sums->posted[i] - before));
            before = sums->posted[i];
        }
    }
    sums->encoded_size = out - sums->encoded;
}

static void sum_groups(const Heads *heads, const Facts *facts, Sums *sums)
{
    int64_t known;
    sums->origin_count = sums->posting_count = 0;
    sums->asking_count = sums->opening_count = sums->skipped_count = 0;
    for (int64_t group = 0; group < sums->group_count; group++) {
        const Head *head = heads->head + sums->numbers[group];
        uint8_t kind = facts->kinds[head->call];
        if (kind & IS_SKIPPED) sums->skipped[sums->skipped_count++] = (int32_t)group;
        else sum_events(sums, facts, head, group);
        sums->slots[group] = -1;
        if (kind & MAY_OPEN) {
            sums->opening[sums->opening_count++] = (int32_t)group;
            continue;
        }
        known = sums->posting_count;
        int64_t slot = slot_for(facts->posting_of[head->origin], facts->slot_of_posting,
            sums->postings, &sums->posting_count);
        if (slot == known) sums->posting_ends[slot] = 0;
        sums->slots[group] = (int32_t)slot;
        sums->posting_ends[slot] += sums->ends[group] - (group ? sums->ends[group - 1] : 0);
    }
    begin_each(sums->posting_ends, sums->posting_count);
    for (int64_t number = 0; number < sums->records; number++) {
        int32_t slot = sums->slots[sums->groups[number]];
        if (slot >= 0) sums->posted[sums->posting_ends[slot]++] = (int32_t)number;
    }
    encode_postings(sums, facts->posting_names);
    begin_each(sums->origin_ends, sums->origin_count);
    for (int64_t group = 0; group < sums->group_count; group++) {
        const Head *head = heads->head + sums->numbers[group];
        if (facts->kinds[head->call] & IS_SKIPPED) continue;
        int32_t slot = facts->slot_of_origin[head->origin];
        sums->by_origin[sums->origin_ends[slot]++] = (int32_t)group;
    }
}

#endif
